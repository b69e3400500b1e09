"""Making a transcriber from the config: which folder, which device."""

from songatlas.config import Pretrained
from songatlas.encoders.load import setting, weights_folder
from songatlas.errors import SongatlasError
from songatlas.transcription.whisper import Transcriber


def load_transcriber(name: str, settings: Pretrained) -> Transcriber:
    """The Whisper checkpoint of an encoder's card, or what `pretrained.weights` gives for it.

    Raises:
        SongatlasError: when its weights are not on this machine, or do not load.
    """
    folder = weights_folder(name, settings)
    from transformers.utils import logging

    # It warns of its own internal calls, three lines a song.
    logging.set_verbosity_error()
    chosen = setting(name, settings)
    try:
        return Transcriber(folder, chosen.device, half=chosen.half)
    except (OSError, ValueError) as error:
        first_line = str(error).strip().split("\n")[0]
        raise SongatlasError(
            f"{folder}: this is no whole checkpoint of Whisper ({first_line}); fetch its weights "
            "(snakemake fetch_weights), or name another folder in pretrained.weights"
        ) from None
