"""Contingency tables of one clustering with many labellings of the songs at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

CELLS = 4_000_000
"""Cells of the tables that are held at once (32 MB)."""


@dataclass(frozen=True)
class Membership:
    """How many of each song's points lie in each cluster.

    `counts` has shape (S, K) float64 for S songs and K clusters; `noise` of shape (S,) counts
    points without a cluster, each of which is a cluster of its own.
    """

    counts: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True)
class Tables:
    """R contingency tables: `counts` of shape (R, C, K) for C classes and K clusters.

    `noise` of shape (R, C) counts, per class, clusters of a single point.
    """

    counts: np.ndarray
    noise: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """Points per class, shape (R, C)."""
        return np.asarray(self.counts.sum(axis=2) + self.noise)

    @property
    def clusters(self) -> np.ndarray:
        """Points per cluster that is not noise, shape (R, K)."""
        return np.asarray(self.counts.sum(axis=1))


@dataclass(frozen=True)
class Draws:
    """R labellings of S songs in C classes, as a sparse matrix of shape (R·C, S).

    An entry is how often the song counts: 1 in a permutation of labels, the number of times it was
    drawn in a bootstrap sample of songs.
    """

    matrix: sparse.csr_array
    n_classes: int

    def __len__(self) -> int:
        return int(self.matrix.shape[0] // self.n_classes)

    def tables(self, membership: Membership) -> Iterator[Tables]:
        """The R tables in chunks of bounded size."""
        both = np.column_stack([membership.counts, membership.noise])
        step = max(1, CELLS // (self.n_classes * both.shape[1])) * self.n_classes
        for start in range(0, self.matrix.shape[0], step):
            product = np.asarray(self.matrix[start : start + step] @ both)
            block = product.reshape(-1, self.n_classes, both.shape[1])
            yield Tables(block[:, :, :-1], block[:, :, -1])


def membership(labels: np.ndarray, songs: np.ndarray, n_songs: int) -> Membership:
    """Count the points of each song in each cluster.

    `labels` of shape (n,) are clusters (-1: noise), `songs` of shape (n,) are positions of songs.
    Clusters without points do not appear.
    """
    clustered = labels >= 0
    present, code = np.unique(labels[clustered], return_inverse=True)
    flat = songs[clustered] * max(len(present), 1) + code
    counts = np.bincount(flat, minlength=n_songs * len(present))
    noise = np.bincount(songs[~clustered], minlength=n_songs)
    return Membership(
        counts[: n_songs * len(present)].reshape(n_songs, len(present)).astype(np.float64),
        noise.astype(np.float64),
    )


def draws(codes: np.ndarray, n_classes: int, weights: np.ndarray | None = None) -> Draws:
    """Labellings from class codes of shape (R, S) or (S,) and `weights` of shape (R, S) or none."""
    shape = np.broadcast_shapes(
        np.atleast_2d(codes).shape, () if weights is None else weights.shape
    )
    repeats, songs = shape
    codes = np.broadcast_to(codes, shape)
    values = np.ones(shape) if weights is None else weights
    index = np.int32 if max(repeats * n_classes, repeats * songs) < 2**31 else np.int64
    rows = (np.arange(repeats, dtype=index)[:, None] * n_classes + codes.astype(index)).ravel()
    columns = np.tile(np.arange(songs, dtype=index), repeats)
    matrix = sparse.csr_array(
        (np.asarray(values, np.float64).ravel(), (rows, columns)), (repeats * n_classes, songs)
    )
    return Draws(matrix, n_classes)
