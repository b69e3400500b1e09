"""How far a map can be believed: whether neighbours on it are neighbours in the latent space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEIGHBOURS = (5, 15, 30)

MEASURED = 2_000
"""Above this many points so many are measured, each against all others."""

BLOCK_ROWS = 256
"""Rows of distances held at once."""


@dataclass(frozen=True)
class Faithfulness:
    """Of m points, for `k` neighbours; the means over points are the map's values.

    `trustworthiness` (m,) is low where neighbours on the map are far in the latent space,
    `continuity` (m,) where neighbours there are far on the map (Venna and Kaski 2001). 1 is the
    best; about 0.5 is what a random map has.
    """

    k: int
    trustworthiness: np.ndarray
    continuity: np.ndarray


def faithfulness(
    z: np.ndarray,
    points: np.ndarray,
    neighbours: Sequence[int] = NEIGHBOURS,
    rows: np.ndarray | None = None,
) -> list[Faithfulness]:
    """Compare the vectors `z` (n, d) with their `points` (n, 2) on a map.

    Args:
        z: latent vectors; distances are Euclidean.
        neighbours: how many; of those that are n / 2 or more there is no value.
        rows: (m,) positions of the points that are measured (default: all).
    """
    n = len(z)
    rows = np.arange(n) if rows is None else rows
    blocks = np.split(rows, range(BLOCK_ROWS, len(rows), BLOCK_ROWS)) if len(rows) else []
    ranked = [(_ranks(z, block), _ranks(points, block)) for block in blocks]
    found = []
    for k in (k for k in neighbours if 2 * k < n):
        values = [(_kept(there, here, k, n), _kept(here, there, k, n)) for there, here in ranked]
        trust, continuity = (np.concatenate(part) for part in zip(*values, strict=True))
        found.append(Faithfulness(k, trust, continuity))
    return found


def mean_values(z: np.ndarray, points: np.ndarray, seed: int) -> dict[str, dict[str, float]]:
    """`trustworthiness` and `continuity` of a map by number of neighbours, rounded to 4 digits.

    Of many points the mean is over `MEASURED` of them, drawn with `seed`.
    """
    rows = None
    if len(z) > MEASURED:
        rows = np.sort(np.random.default_rng(seed).choice(len(z), MEASURED, replace=False))
    found = faithfulness(np.asarray(z, np.float64), np.asarray(points, np.float64), rows=rows)
    return {
        name: {str(one.k): round(float(getattr(one, name).mean()), 4) for one in found}
        for name in ("trustworthiness", "continuity")
    }


def _ranks(z: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rank of every point among the neighbours of those at `rows`, (b, n); 1 is the nearest."""
    from scipy.spatial.distance import cdist

    distances = cdist(z[rows], z)
    distances[np.arange(len(rows)), rows] = np.inf
    ranks = np.empty(distances.shape, np.int32)
    order = np.argsort(distances, axis=1, kind="stable")
    np.put_along_axis(ranks, order, np.arange(1, len(z) + 1, dtype=np.int32)[None], axis=1)
    return ranks


def _kept(ranks: np.ndarray, neighbours_by: np.ndarray, k: int, n: int) -> np.ndarray:
    """1 less what it costs (b,) that the k neighbours by one ranking are not so by the other."""
    beyond = np.where(neighbours_by <= k, np.maximum(ranks - k, 0), 0).sum(axis=1)
    return np.asarray(1.0 - beyond * 2.0 / (k * (2.0 * n - 3.0 * k - 1.0)))
