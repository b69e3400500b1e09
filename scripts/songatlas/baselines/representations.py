"""A baseline's vectors, streamed from all parts of its feature."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from songatlas import tables
from songatlas.clustering.reduction import Blocks
from songatlas.features import registry

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
