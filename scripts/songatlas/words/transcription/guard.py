"""Which transcribed segments are believed.

Whisper, made to write, writes where nobody sings: it repeats itself, writes with little
confidence, or says itself that there is no speech. The thresholds are those of its authors (Radford
et al. 2022, section 4.5); a segment that is not believed stays in the table with its reason.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from songatlas.config.words import Transcription

MOST_REPEATS = 4
"""The same line more often than this without another between them is a loop, not a chorus."""

SHORTEST = 40
"""Characters: shorter texts do not compress enough to tell."""


@dataclass(frozen=True)
class Segment:
    """A line that was heard between two times of a song."""

    start_s: float
    end_s: float
    text: str
    log_probability: float
    """Mean over tokens, of the chunk that it was decoded in."""
    no_speech: float
    """Probability that nobody speaks or sings there."""
    reason: str | None = None
    """Why it is not believed; None where it is."""


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes a text; 1 for texts that are too short to tell."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if len(text) >= SHORTEST else 1.0


def judged(segments: Sequence[Segment], settings: Transcription) -> list[Segment]:
    """The same segments, each with the first reason not to believe it, if there is one."""
    found = []
    repeats = 0
    for number, one in enumerate(segments):
        same = number > 0 and _plain(one.text) == _plain(segments[number - 1].text)
        repeats = repeats + 1 if same else 0
        found.append(replace(one, reason=_reason(one, repeats, settings)))
    return found


def _reason(one: Segment, repeats: int, settings: Transcription) -> str | None:
    if not _plain(one.text):
        return "no words"
    if one.end_s <= one.start_s:
        return "ends before it starts"
    if one.no_speech > settings.no_speech and one.log_probability < settings.log_probability:
        return "no speech"
    if one.log_probability < settings.log_probability:
        return "not confident"
    if compression_ratio(one.text) > settings.compression_ratio or repeats >= MOST_REPEATS:
        return "repeats itself"
    return None


def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
