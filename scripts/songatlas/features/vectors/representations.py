"""A baseline's vectors, streamed from all parts of its feature."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from songatlas import tables
from songatlas.config import feature_registry as registry
from songatlas.features.vectors.reduction import Blocks

Paths = Sequence[str | Path]
ToVectors = Callable[[np.ndarray], np.ndarray]

BLOCK_ROWS = 64
"""Rows turned into vectors at once: 42 MB of 128×1292 spectrograms."""


@dataclass(frozen=True)
class Vectors:
    """Vectors by identifier, streamed: `blocks()` gives rows of shape (b, d) in order of `ids`.

    `left_out` counts rows with values that are not finite; they are neither in `ids` nor given.
    """

    ids: list[str]
    blocks: Blocks
    left_out: int = 0


def read_vectors(kind: str, features: Paths, to_vectors: ToVectors | None = None) -> Vectors:
    """Vectors of one kind from all parts of its feature.

    `to_vectors` takes the place of what the kind makes of its feature.

    Raises:
        TableError: when a part is missing or is no feature.
    """
    to_vectors = to_vectors or registry.kind(kind).vectors
    ids: list[str] = []
    kept: list[np.ndarray] = []
    for some, values in tables.iter_feature(features):
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        ids += [identifier for identifier, good in zip(some, finite, strict=True) if good]
        kept.append(finite)
    left_out = sum(int((~finite).sum()) for finite in kept)

    def blocks() -> Iterator[np.ndarray]:
        for (_, values), finite in zip(tables.iter_feature(features), kept, strict=True):
            good = np.flatnonzero(finite)
            for start in range(0, len(good), BLOCK_ROWS):
                yield to_vectors(values[good[start : start + BLOCK_ROWS]])

    return Vectors(ids, blocks, left_out)


def unit_length(z: np.ndarray) -> np.ndarray:
    """Rows of `z` of shape (n, d) at Euclidean length 1; zero rows stay zero."""
    length = np.linalg.norm(z, axis=1, keepdims=True)
    return np.asarray(z / np.where(length > 0, length, 1.0))


def song_means(
    z: np.ndarray, track_ids: Sequence[str], *, rescale: bool
) -> tuple[list[str], np.ndarray]:
    """Mean of each song's window vectors, at length 1 again where `rescale`; sorted by song."""
    songs, row = np.unique(np.asarray(track_ids, dtype=str), return_inverse=True)
    sums = np.zeros((len(songs), z.shape[1]))
    np.add.at(sums, row, z)
    means = sums / np.bincount(row, minlength=len(songs))[:, None]
    return songs.tolist(), unit_length(means) if rescale else means
