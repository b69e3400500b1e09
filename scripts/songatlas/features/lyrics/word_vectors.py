"""Lyrics as the mean of word vectors from text files in fastText's and word2vec's format."""

import logging
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from songatlas.errors import SongatlasError

logger = logging.getLogger(__name__)


class WordVectors:
    """Mean of the vectors of a text's words, at length 1; zeros where no word has one.

    A file begins with `<words> <dimensions>`; every other line is a word and its numbers (Mikolov
    et al. 2013; `wiki.<language>.align.vec` of fastText hold aligned languages). Of several files
    the first that has a word counts. Only words of the corpus are kept in memory.

    Args:
        paths: the files.
    """

    name = "word_vectors"

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = [Path(path).expanduser() for path in paths]
        self.dim = self._dim()
        self.vectors: dict[str, np.ndarray] | None = None

    def fit(self, texts: Iterable[str]) -> "WordVectors":
        """Read the vectors of the words of these texts."""
        wanted = {form for text in texts for word in words(text) for form in (word, word.lower())}
        found: dict[str, np.ndarray] = {}
        for path in self.paths:
            for word, numbers in self._rows(path):
                if word in wanted and word not in found:
                    found[word] = numbers
        self.vectors = found
        logger.info("%d of the corpus's words have a vector", len(found))
        return self

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, float32 of shape (n, dim).

        Raises:
            RuntimeError: before `fit`.
        """
        if self.vectors is None:
            raise RuntimeError("fit the word vectors first")
        result = np.zeros((len(texts), self.dim), np.float64)
        for row, text in enumerate(texts):
            for word in words(text):
                vector = self.vectors.get(word)
                if vector is None:
                    vector = self.vectors.get(word.lower())
                if vector is not None:
                    result[row] += vector
        length = np.linalg.norm(result, axis=1, keepdims=True)
        return np.asarray(result / np.where(length > 0, length, 1.0), np.float32)

    def _dim(self) -> int:
        dims = {path: self._header(path) for path in self.paths}
        if len(set(dims.values())) != 1:
            said = ", ".join(f"{path}: {dim}" for path, dim in dims.items())
            raise SongatlasError(
                f"lyrics.vectors: files of different dimensions ({said or 'none given'}); name one "
                "or more that agree"
            )
        return next(iter(dims.values()))

    def _header(self, path: Path) -> int:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                count, dim = (int(part) for part in file.readline().split())
        except (OSError, ValueError) as error:
            raise SongatlasError(
                f"lyrics.vectors: {path} does not begin with `<words> <dimensions>` as text files "
                f"of fastText and word2vec do ({error}); unpack it, or name another"
            ) from None
        if count < 1 or dim < 1:
            raise SongatlasError(f"lyrics.vectors: {path} says that it holds nothing")
        return dim

    def _rows(self, path: Path) -> Iterable[tuple[str, np.ndarray]]:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            next(file)
            for number, line in enumerate(file, 2):
                # A word may hold spaces of other kinds; numbers never do.
                parts = line.rstrip("\n").rstrip(" ").rsplit(" ", self.dim)
                try:
                    numbers = np.array([float(part) for part in parts[1:]], np.float32)
                except ValueError:
                    numbers = np.zeros(0, np.float32)
                if len(numbers) != self.dim or not np.isfinite(numbers).all():
                    raise SongatlasError(
                        f"lyrics.vectors: {path}, line {number}: not a word and {self.dim} "
                        "numbers; fetch the file again"
                    )
                yield parts[0], numbers


def words(text: str) -> list[str]:
    """Words of a text: runs of letters, marks (vowel signs of Hindi, Arabic) and digits."""
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return "".join(kept).split()
