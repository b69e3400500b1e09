"""Making a transcriber from the config: which folder, which device."""

from songatlas.config.features import Pretrained
from songatlas.features.encoders.load import load_whole
from songatlas.words.transcription.whisper import Transcriber


def load_transcriber(name: str, settings: Pretrained) -> Transcriber:
    """The Whisper checkpoint of an encoder's card, or what `pretrained.weights` gives for it.

    Raises:
        SongatlasError: when its weights are not on this machine, or do not load.
    """
    return load_whole(
        name,
        settings,
        lambda folder, chosen: Transcriber(folder, chosen.device, half=chosen.half),
        "Whisper",
    )
