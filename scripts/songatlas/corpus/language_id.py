"""Which language lyrics are in: py3langid's model of byte n-grams, with the codes that labels have.

References:
    Lui and Baldwin (2012), langid.py: An Off-the-shelf Language Identification Tool, ACL 2012
    System Demonstrations.
"""

import functools
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from songatlas.corpus.languages import normalise_language

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

MAX_CHARACTERS = 700
"""Of a text, from its beginning, repeated lines left out: more take longer and change nothing."""

LIKELY = 0.1
"""What is less probable is no answer: without anything to go by, the model names a language too."""

JOINED = {"nn": "no"}
"""Codes that count as another: sung Norwegian mixes its two written forms."""


@dataclass(frozen=True)
class Detected:
    """The likeliest language of a text (None: of none), its probability, and letters read."""

    code: str | None
    probability: float
    letters: int


@functools.cache
def languages() -> tuple[str, ...]:
    """Codes of the languages that can be detected, in the order of `probabilities`.

    They are those of labels (`normalise_language`): varieties that the model tells apart and labels
    do not are one (ar, arz and ary are ar).
    """
    return tuple(sorted({code for code in map(_code, _model().labels) if code}))


def probabilities(texts: Sequence[str | None]) -> np.ndarray:
    """Probability of every language for every text, (n, n_languages) float32.

    A row lacks to 1 what is the probability of no words at all; it is zero where a text has fewer
    than two letters. A text's row depends on that text alone.
    """
    found = np.zeros((len(texts), len(languages())), np.float32)
    for row, text in zip(found, texts, strict=True):
        _add_shares(row, _prepared(text))
    return found


def detect(texts: Sequence[str | None]) -> list[Detected]:
    """The likeliest language of every text; letters are those of the part that is read."""
    return [_detected(_prepared(text)) for text in texts]


def likeliest(shares: np.ndarray, codes: Sequence[str]) -> list[str | None]:
    """The likeliest language of each row of `probabilities`; None where none is likely.

    `codes` are those of `languages`, in their order.
    """
    best = shares.argmax(axis=1)
    return [
        codes[place] if row[place] >= LIKELY else None
        for row, place in zip(shares, best, strict=True)
    ]


def letters(text: str) -> int:
    """Letters and signs of vowels; East Asian characters count thrice.

    Each of those says as much as a syllable or a word.
    """
    return sum(_weight(character) * many for character, many in Counter(text).items())


def unrepeated(text: str) -> list[str]:
    """The lines of a text, those that repeat once; the words of a text in one line."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    parts = list(dict.fromkeys(line for line in lines if line))
    return parts if len(parts) > 1 else text.split()


def _prepared(text: str | None) -> str:
    """The part of a text that is read: no NUL, no half characters, no chorus twice."""
    whole = (text or "").replace("\0", "").encode("utf-8", "ignore").decode()
    lines = unrepeated(whole[: 20 * MAX_CHARACTERS])
    return " ".join(lines)[:MAX_CHARACTERS]


def _detected(text: str) -> Detected:
    shares = np.zeros(len(languages()), np.float32)
    _add_shares(shares, text)
    best = int(shares.argmax())
    share = round(float(shares[best]), 4)  # further digits differ between processors
    known = share >= LIKELY
    return Detected(languages()[best] if known else None, share if known else 0.0, letters(text))


def _add_shares(row: np.ndarray, text: str) -> None:
    """Add the probabilities of the model's own labels to those of our languages."""
    if sum(many for character, many in Counter(text).items() if _weight(character)) < 2:
        return
    for label, share in _model().rank(text):
        place = _places().get(label)
        if place is not None:
            row[place] += share


@functools.cache
def _places() -> dict[str, int]:
    """Place in `languages()` of every label of the model that is a language."""
    of_code = {code: place for place, code in enumerate(languages())}
    codes = {label: _code(label) for label in _model().labels}
    return {label: of_code[code] for label, code in codes.items() if code}


@functools.cache
def _weight(character: str) -> int:
    if unicodedata.category(character)[0] not in "LM":
        return 0
    return 3 if unicodedata.east_asian_width(character) in "WF" else 1


def _code(label: str) -> str | None:
    """Code of a label of the model; None for `zxx`, no words."""
    code = normalise_language(label)
    return JOINED.get(code, code) if code else None


@functools.cache
def _model() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
