"""Whether a caption that was written by ear may stand beside what was measured."""

import re

from songatlas.config.words import Transcription
from songatlas.words.transcription.guard import compression_ratio

MOST_REPETITION = Transcription().compression_ratio
"""A text that zlib makes smaller than this repeats itself (Radford et al. 2022, section 4.5)."""

TEMPO_TOLERANCE = 0.08
"""What tempo estimates are forgiven in MIREX's evaluation; an octave beside counts as the same."""

_TEMPO = re.compile(r"(\d{2,3}(?:\.\d+)?)\s*(?:bpm|beats per minute)", re.IGNORECASE)
_KEY = re.compile(
    r"\b([A-G])[\s-]?(♯|♭|#|b(?![a-z])|sharp|flat)?[\s-]*(major|minor)\b(?!\s+(?:key|mode|scale))"
)
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHIFT = {"": 0, "♯": 1, "#": 1, "sharp": 1, "♭": -1, "b": -1, "flat": -1}


def tempi_bpm(text: str) -> list[float]:
    """The tempi that a text names."""
    return [float(found) for found in _TEMPO.findall(text)]


def keys(text: str) -> list[tuple[int, str]]:
    """The keys that a text names: pitch class from C = 0, and `major` or `minor`."""
    return [
        ((_STEPS[letter] + _SHIFT[sign]) % 12, mode) for letter, sign, mode in _KEY.findall(text)
    ]


def objection(caption: str, measured: str) -> str | None:
    """The first reason not to believe a caption; None where there is none.

    Args:
        caption: what a model wrote.
        measured: the caption by template, whose tempo and key were measured.
    """
    if not any(c.isalpha() for c in caption):
        return "says nothing"
    if compression_ratio(caption) > MOST_REPETITION:
        return "repeats itself"
    known = tempi_bpm(measured)
    if known and not all(_same_tempo(said, known[0]) for said in tempi_bpm(caption)):
        return "another tempo than measured"
    key = keys(measured)
    if key and any(said != key[0] for said in keys(caption)):
        return "another key than measured"
    return None


def _same_tempo(said_bpm: float, measured_bpm: float) -> bool:
    return any(
        abs(said_bpm * octave - measured_bpm) <= TEMPO_TOLERANCE * measured_bpm
        for octave in (0.5, 1.0, 2.0)
    )
