"""Which language lyrics are in: py3langid's model of byte n-grams, with the codes that labels have.

References:
    Lui and Baldwin (2012), langid.py: An Off-the-shelf Language Identification Tool, ACL 2012
    System Demonstrations.
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from songatlas.corpus.languages import normalise_language

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

MAX_CHARACTERS = 1000
"""Of a text, from its beginning, lines that repeat left out: more take longer and change nothing."""

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
    than two characters of any script. A text's row depends on that text alone.
    """
    place = {code: index for index, code in enumerate(languages())}
    found = np.zeros((len(texts), len(place)), np.float32)
    for row, text in zip(found, texts, strict=True):
        for label, share in _ranked(_prepared(text)):
            code = _code(label)
            if code is not None:
                row[place[code]] += share
    return found


def detect(texts: Sequence[str | None]) -> list[Detected]:
    """The likeliest language of every text; letters are those of the part that is read."""
    codes = languages()
    found = []
    for text, row in zip(texts, probabilities(texts), strict=True):
        best = int(row.argmax())
        share = round(float(row[best]), 4)  # further digits differ between processors
        code = codes[best] if share >= LIKELY else None
        found.append(Detected(code, share if code else 0.0, letters(_prepared(text))))
    return found


def letters(text: str) -> int:
    """Letters and signs of vowels; East Asian characters count thrice.

    Each of those says as much as a syllable or a word.
    """
    kinds = ((unicodedata.category(c)[0], unicodedata.east_asian_width(c)) for c in text)
    return sum(3 if width in "WF" else 1 for kind, width in kinds if kind in "LM")


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


def _ranked(text: str) -> Sequence[tuple[str, float]]:
    """Shares of the model's own labels; none where a text has fewer than two characters."""
    characters = sum(unicodedata.category(character)[0] == "L" for character in text)
    return _model().rank(text) if characters > 1 else ()


@functools.cache
def _code(label: str) -> str | None:
    """Code of a label of the model; None for `zxx`, no words."""
    code = normalise_language(label)
    return JOINED.get(code, code) if code else None


@functools.cache
def _model() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
