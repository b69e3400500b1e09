"""Whether lyrics are in the language that a song's label names.

Identification is lingua's (character trigrams of 75 languages); a song's verdict depends on that
song alone. Labels are never changed: a contradiction becomes a warning.
"""

import functools
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from songatlas.corpus.result import Problems, where
from songatlas.corpus.timed_lyrics import from_json, lines_from

if TYPE_CHECKING:
    from lingua import LanguageDetector

CONFIDENT = 0.9
"""Least confidence of lingua, in each half of a text, in a language and its close relatives."""

MIN_LETTERS = 60
"""Letters that each half needs: fewer are shared by too many languages. Signs of vowels count, and
East Asian characters count thrice, since each says as much as a syllable or a word."""

MAX_CHARACTERS = 400
"""Of each half, from its beginning: more take longer and change nothing."""

ALIKE = (
    ("da", "nb", "nn", "no"),
    ("bs", "hr", "sl", "sr"),
    ("bg", "mk", "sr"),
    ("be", "ru", "uk"),
    ("id", "ms"),
    ("cs", "sk"),
    ("hi", "mr", "ne"),
    ("ca", "es", "gl", "pt"),
    ("af", "nl"),
    ("xh", "zu"),
    ("st", "tn"),
)
"""Languages that a few lines do not tell apart: taking one for another contradicts no label."""


def check_languages(sources: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Warnings `language_mismatch` for songs (`tables.SOURCES`) whose lyrics contradict `language`.

    A song contradicts its label when both halves of its lyrics, choruses counted once, are
    identified as one other language with confidence `CONFIDENT`. Short texts, labels that lingua
    does not know, and close relatives of the label's language (`ALIKE`) contradict nothing.
    """
    problems = Problems(stage)
    columns = (where(sources), sources["language"], sources["lyrics"], sources["lines"])
    for path, label, lyrics, lines in zip(*columns, strict=True):
        text = lyrics if isinstance(lyrics, str) else _text_of(lines)
        if not isinstance(label, str) or not text or label not in known_languages():
            continue
        found = other_language(text, label)
        if found is not None:
            problems.warn(
                path,
                "language_mismatch",
                f"labelled {label}, but the lyrics read as {found}; the label is kept",
            )
    return problems.warnings()


def other_language(text: str, label: str) -> str | None:
    """The language (ISO 639-1) that `text` is in where that is surely not `label`, else None."""
    verdicts = set()
    for half in _halves(text):
        if _letters(half) < MIN_LETTERS:
            return None
        found = {
            value.language.iso_code_639_1.name.lower(): value.value
            for value in _detector().compute_language_confidence_values(half)
        }
        code = max(found, key=found.__getitem__)
        sure = sum(share for other, share in found.items() if other == code or _alike(other, code))
        if sure < CONFIDENT or code == label or _alike(code, label):
            return None
        verdicts.add(code)
    return str(verdicts.pop()) if len(verdicts) == 1 else None


@functools.cache
def known_languages() -> frozenset[str]:
    """Labels that can be contradicted: lingua's languages, and close relatives of these."""
    from lingua import Language

    codes = {language.iso_code_639_1.name.lower() for language in Language.all()}
    return frozenset(codes.union(*(group for group in ALIKE if codes & set(group))))


@functools.cache
def _detector() -> "LanguageDetector":
    from lingua import LanguageDetectorBuilder

    # Trigrams alone: what longer texts need, and the least memory.
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()


def _letters(text: str) -> int:
    kinds = ((unicodedata.category(c)[0], unicodedata.east_asian_width(c)) for c in text)
    return sum(3 if width in "WF" else 1 for kind, width in kinds if kind in "LM")


def _alike(one: str, other: str) -> bool:
    return any(one in group and other in group for group in ALIKE)


def _halves(text: str) -> Iterable[str]:
    """Both halves of a text by lines (of a text in one line, by words), repetitions left out."""
    parts = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    parts = list(dict.fromkeys(parts))
    if len(parts) < 2:
        parts = text.split()
    middle = len(parts) // 2
    for half in (parts[:middle], parts[middle:]):
        yield " ".join(half)[:MAX_CHARACTERS]


def _text_of(lines: object) -> str | None:
    """Text of a source's time-stamped lines, where it has no other."""
    if not isinstance(lines, str):
        return None
    try:
        return "\n".join(line.text for line in lines_from(from_json(lines))[0])
    except ValueError:  # building the corpus warns of it
        return None
