"""Making a transcriber from the config: which folder, which device."""

import os

from songatlas.config import Pretrained
from songatlas.encoders import cards
from songatlas.encoders.load import setting
from songatlas.encoders.weights import locate
from songatlas.errors import SongatlasError
from songatlas.transcription.whisper import Transcriber


def load_transcriber(name: str, settings: Pretrained) -> Transcriber:
    """The Whisper checkpoint of an encoder's card, or what `pretrained.weights` gives for it.

    Raises:
        SongatlasError: when its weights are not on this machine, or do not load.
    """
    # Libraries below read it when they are imported: nothing is fetched by a run.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers.utils import logging

    # It warns of its own internal calls, three lines a song.
    logging.set_verbosity_error()
    folder = locate(settings.weights.get(name) or cards.card(name).repository, settings.lock)
    chosen = setting(name, settings)
    try:
        return Transcriber(folder, chosen.device, half=chosen.half)
    except (OSError, ValueError) as error:
        first_line = str(error).strip().split("\n")[0]
        raise SongatlasError(
            f"{folder}: this is no whole checkpoint of Whisper ({first_line}); fetch its weights "
            "(snakemake fetch_weights), or name another folder in pretrained.weights"
        ) from None
