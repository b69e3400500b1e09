"""Classes within a cluster: how many of each, and how pure it is, with an interval."""

from typing import Any

import numpy as np

from songatlas.evaluation.bootstrap import interval


def purities(
    labels: np.ndarray,
    codes: np.ndarray,
    songs: np.ndarray,
    n_classes: int,
    *,
    bootstraps: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Per cluster: `counts` of classes, and `purity`, the largest class's share.

    The interval (95%) is a bootstrap over the cluster's songs, each with all its windows. Items
    without a class are left out; a cluster without any class has `purity` None.

    Args:
        labels: cluster of every item, shape (n,); -1 is noise.
        codes: class of every item, -1 where unknown.
        songs: song of every item.
    """
    found = []
    for cluster in range(int(labels.max(initial=-1)) + 1):
        inside = (labels == cluster) & (codes >= 0)
        counts = np.bincount(codes[inside], minlength=n_classes)
        row: dict[str, Any] = {"counts": counts.tolist(), "purity": None, "ci": None}
        if counts.sum():
            purity = float(counts.max() / counts.sum())
            row["purity"] = round(purity, 4)
            draws = _draws(codes[inside], songs[inside], n_classes, bootstraps, rng)
            ci = interval(purity, draws, (1.0 / n_classes, 1.0))  # no purity is below that
            row["ci"] = None if np.isnan(ci[0]) else [round(end, 4) for end in ci]
        found.append(row)
    return found


def _draws(
    codes: np.ndarray, songs: np.ndarray, n_classes: int, bootstraps: int, rng: np.random.Generator
) -> np.ndarray:
    """Purities of bootstrap samples of the songs, shape (bootstraps,)."""
    # Songs with the same counts are drawn together: a multinomial over kinds of songs.
    _, song = np.unique(songs, return_inverse=True)
    table = np.zeros((song.max() + 1, n_classes), np.int64)
    np.add.at(table, (song, codes), 1)
    kinds, many = np.unique(table, axis=0, return_counts=True)
    drawn = rng.multinomial(many.sum(), many / many.sum(), size=bootstraps) @ kinds
    return np.asarray(drawn.max(axis=1) / drawn.sum(axis=1))
