"""Languages of lyrics beside the labels of songs: what is missing, and what contradicts.

Identification is py3langid's (`songatlas.corpus.language_id`); a song's verdict depends on that
song alone. A label that was given is never changed: a contradiction becomes a warning.
"""

import functools
from collections.abc import Iterable

import pandas as pd

from songatlas.corpus.language_id import (
    Detected,
    detect,
    languages,
    letters,
    probabilities,
    unrepeated,
)
from songatlas.corpus.result import Problems, where

CONFIDENT = 0.9
"""Least probability of a language that is taken for a song's, and, in each half of a text, of a
language and its close relatives that contradict a label."""

MIN_LETTERS = 60
"""Letters that a text or a half needs: fewer are shared by too many languages."""

MAX_CHARACTERS = 400
"""Of each half, from its beginning: more take longer and change nothing."""

ALIKE = (
    ("da", "fo", "nb", "nn", "no"),
    ("bs", "hr", "sh", "sl", "sr"),
    ("bg", "mk", "sr"),
    ("be", "ru", "uk"),
    ("id", "ms"),
    ("cs", "sk"),
    ("hi", "mr", "ne", "sa"),
    ("an", "ast", "ca", "es", "ext", "gl", "lad", "oc", "pt"),
    ("co", "it", "lij", "lmo", "nap", "pms", "scn", "vec"),
    ("en", "jam", "pcm", "sco"),
    ("af", "fy", "li", "nds", "nl", "vls"),
    ("bar", "de", "ksh", "lb", "nds", "pdc"),
    ("gcf", "gcr", "ht"),
    ("bik", "ceb", "tl"),
    ("az", "crh", "tr"),
    ("ba", "kk", "tt"),
    ("lt", "ltg", "lv"),
    ("rn", "rw"),
    ("nr", "ss", "xh", "zu"),
    ("nso", "st", "tn"),
    ("hak", "nan", "wuu", "yue", "zh"),
)
"""Languages that a few lines do not tell apart: taking one for another contradicts no label."""


def with_sources(songs: pd.DataFrame) -> pd.DataFrame:
    """Songs with `language_source` and `language_confidence`: a language is given by default."""
    source = songs.get("language_source", pd.Series(None, songs.index, "str"))
    source = source.mask(songs["language"].notna() & source.isna(), "given")
    confidence = songs.get("language_confidence", pd.Series(None, songs.index, "float64"))
    return songs.assign(language_source=source, language_confidence=confidence.astype("float64"))


def fill_languages(songs: pd.DataFrame) -> pd.DataFrame:
    """Songs (of `with_sources`) with the language of their lyrics where they have none.

    A language is detected with probability `CONFIDENT` from `MIN_LETTERS` letters; of fewer, and
    where it is less sure, it stays null.
    """
    songs = songs.copy()
    unknown = songs.index[songs["language"].isna() & songs["lyrics"].notna()]
    found = zip(unknown, detect(list(songs.loc[unknown, "lyrics"])), strict=True)
    sure = {song: one for song, one in found if _is_sure(one)}
    songs.loc[list(sure), "language"] = [one.code for one in sure.values()]
    songs.loc[list(sure), "language_source"] = "detected"
    songs.loc[list(sure), "language_confidence"] = [one.probability for one in sure.values()]
    return songs


def check_languages(songs: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Warnings `language_mismatch` for songs whose lyrics contradict the `language` given.

    A song contradicts its label when both halves of its lyrics, choruses counted once, are
    identified as one other language with probability `CONFIDENT`. Short texts, labels that the
    detector does not know, and close relatives of the label's language (`ALIKE`) contradict
    nothing.
    """
    problems = Problems(stage)
    songs = songs[songs["language"].isin(known_languages()) & songs["lyrics"].notna()]
    if "language_source" in songs:
        songs = songs[songs["language_source"] != "detected"]
    for path, label, text in zip(where(songs), songs["language"], songs["lyrics"], strict=True):
        found = other_language(text, label)
        if found is not None:
            problems.warn(
                path,
                "language_mismatch",
                f"labelled {label}, but the lyrics read as {found}; the label is kept",
            )
    return problems.warnings()


def other_language(text: str, label: str) -> str | None:
    """The language (primary subtag) that `text` is in where that is surely not `label`."""
    verdicts = set()
    for half in _halves(text):
        if letters(half) < MIN_LETTERS:
            return None
        found = dict(zip(languages(), probabilities([half])[0], strict=True))
        code = max(found, key=found.__getitem__)
        sure = sum(found.get(one, 0.0) for one in _relatives(code))
        if sure < CONFIDENT or label in _relatives(code):
            return None
        verdicts.add(code)
    return verdicts.pop() if len(verdicts) == 1 else None


@functools.cache
def known_languages() -> frozenset[str]:
    """Labels that can be contradicted: the detector's languages, and close relatives of these."""
    codes = set(languages())
    return frozenset(codes.union(*(group for group in ALIKE if codes & set(group))))


def _is_sure(found: Detected) -> bool:
    return found.probability >= CONFIDENT and found.letters >= MIN_LETTERS


@functools.cache
def _relatives(code: str) -> frozenset[str]:
    """A language and those that a few lines do not tell from it."""
    return frozenset({code}.union(*(group for group in ALIKE if code in group)))


def _halves(text: str) -> Iterable[str]:
    """Both halves of a text by lines (of a text in one line, by words), repetitions left out."""
    parts = unrepeated(text)
    middle = len(parts) // 2
    for half in (parts[:middle], parts[middle:]):
        yield " ".join(half)[:MAX_CHARACTERS]
