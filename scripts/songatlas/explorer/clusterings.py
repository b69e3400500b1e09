"""Every clustering of one model, as labels of the points that the page shows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from songatlas.explorer.catalogue import Catalogue

NOT_CLUSTERED = -2
"""Label of a point that the clustering did not include; noise is -1."""


@dataclass(frozen=True)
class Labelled:
    """One clustering: `labels` (n,) int16 of the points of its level, in their order."""

    level: str
    algorithm: str
    k: int | None
    labels: np.ndarray

    @property
    def name(self) -> str:
        """`k-means, 4 clusters` in the page's lists."""
        return self.algorithm if self.k is None else f"{self.algorithm} k={self.k}"


def clusterings(
    clusters: pd.DataFrame, found: Catalogue, points: dict[str, np.ndarray]
) -> list[Labelled]:
    """Clusterings of windows and songs.

    Args:
        clusters: rows of `tables.CLUSTERS` of one model and seed.
        points: by `window` and `song`: rows of the catalogue that the page shows.
    """
    listed = []
    keys = ["level", "algorithm", "k"]
    for (level, algorithm, _), rows in clusters.groupby(keys, dropna=False, sort=False):
        window = level == "window"
        shown = points.get("window" if window else "song")
        if shown is None or not len(shown):
            continue
        of = found.window_rows(rows["window_id"]) if window else found.song_rows(rows["track_id"])
        all_labels = np.full(len(found.windows if window else found.songs), NOT_CLUSTERED, np.int16)
        all_labels[of[of >= 0]] = rows["label"].to_numpy()[of >= 0]
        number = None if rows["k"].isna().any() else int(rows["k"].iloc[0])
        listed.append(Labelled(str(level), str(algorithm), number, all_labels[shown]))
    return listed
