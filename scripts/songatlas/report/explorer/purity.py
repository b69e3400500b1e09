"""Classes within a cluster: how many of each, and how pure it is, with an interval."""

from typing import Any

import numpy as np

from songatlas.evaluation.bootstrap import clopper_pearson


def purities(
    labels: np.ndarray, codes: np.ndarray, songs: np.ndarray, n_classes: int
) -> list[dict[str, Any]]:
    """Per cluster: `counts` of classes, and `purity`, the largest class's share.

    The interval (95%, Clopper and Pearson 1934) is that of a share of the cluster's songs: windows
    of one song are alike, so it does not shrink with their number. Items without a class are left
    out; a cluster without any class has `purity` None.

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
            n_songs = len(np.unique(songs[inside]))
            low, high = clopper_pearson(purity * n_songs, n_songs)
            row["purity"] = round(purity, 4)
            row["ci"] = [round(max(low, 1.0 / n_classes), 4), round(high, 4)]  # none is below that
        found.append(row)
    return found
