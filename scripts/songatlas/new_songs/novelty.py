"""How far a new song is from a run's songs, and how rare that is among songs like those.

Conformal p-values (Vovk, Gammerman and Shafer 2005): whatever the distribution of songs, a new one
that comes from it has p <= a with probability at most a.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK_ROWS = 1024
"""Rows of distances held at once."""


@dataclass(frozen=True)
class Novelty:
    """Of n new songs: `nearest` (n, m) rows of the reference, nearest first; `distance` (n,) their
    mean distance; `p` (n,), None where there are too few calibration songs; `note` says so."""

    nearest: np.ndarray
    distance: np.ndarray
    p: np.ndarray | None
    note: str | None = None


def needed(false_alarm_rate: float) -> int:
    """Calibration songs below which no p-value can be as low as the rate: ceil(1 / rate) - 1."""
    return math.ceil(1.0 / false_alarm_rate - 1e-9) - 1


def split_conformal(
    reference: np.ndarray,
    calibration: np.ndarray,
    new: np.ndarray,
    neighbours: int,
    false_alarm_rate: float,
) -> Novelty:
    """p of new songs (n, d) from held-out songs (c, d), both by their distance to reference (r, d).

    p = (1 + number of held-out songs at least as far) / (c + 1).
    """
    nearest, distance = knn(reference, new, neighbours)
    note = too_few(len(calibration), false_alarm_rate, "held-out songs")
    if note:
        return Novelty(nearest, distance, None, note)
    known = np.sort(knn(reference, calibration, neighbours)[1])
    farther = len(known) - np.searchsorted(known, distance, side="left")
    return Novelty(nearest, distance, (1 + farther) / (len(known) + 1))


def full_conformal(
    reference: np.ndarray, new: np.ndarray, neighbours: int, false_alarm_rate: float
) -> Novelty:
    """p of new songs (n, d) among all reference songs (r, d), each against all others.

    For each new song the reference songs' distances are those in the set that it has joined, so
    that all r + 1 are treated alike.
    """
    nearest, distance = knn(reference, new, neighbours)
    note = too_few(len(reference), false_alarm_rate, "songs")
    if note:
        return Novelty(nearest, distance, None, note)
    m = min(neighbours, len(reference) - 1)
    own = _own_distances(reference, m)  # (r, m), nearest first
    # With the new song r + 1 songs have r others each: as many neighbours as the new song has.
    p = np.empty(len(new))
    compared = knn(reference, new, m)[1]
    for start, block in _distances(new, reference):
        for row, to_reference in enumerate(block):
            joined = np.minimum(own[:, -1], to_reference)
            scores = (own[:, :-1].sum(axis=1) + joined) / m
            at_least = scores >= compared[start + row] * (1 - 1e-12)
            p[start + row] = (1 + at_least.sum()) / (len(reference) + 1)
    return Novelty(nearest, distance, p)


def too_few(songs: int, false_alarm_rate: float, what: str) -> str | None:
    """Why nothing can be flagged at this rate, where nothing can."""
    least = needed(false_alarm_rate)
    if songs >= max(least, 2):
        return None
    return (
        f"{songs} {what}: a false-alarm rate of {false_alarm_rate:g} needs {least}; raise "
        "assign.false_alarm_rate, or set assign.calibrate_on: all"
    )


def knn(
    reference: np.ndarray, points: np.ndarray, neighbours: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, m) of the nearest reference songs and their mean distance (n,)."""
    from sklearn.neighbors import NearestNeighbors

    m = min(neighbours, len(reference))
    if not len(points):
        return np.zeros((0, m), np.int64), np.zeros(0)
    distances, rows = NearestNeighbors(n_neighbors=m).fit(reference).kneighbors(points)
    return rows, distances.mean(axis=1)


def _own_distances(reference: np.ndarray, m: int) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    found: np.ndarray = NearestNeighbors(n_neighbors=m).fit(reference).kneighbors()[0]
    return found


def _distances(new: np.ndarray, reference: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    from scipy.spatial.distance import cdist

    for start in range(0, len(new), BLOCK_ROWS):
        yield start, cdist(new[start : start + BLOCK_ROWS], reference)
