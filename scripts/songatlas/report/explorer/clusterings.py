"""Every clustering of one model, as labels of the points that the page shows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from songatlas.report.explorer.catalogue import Catalogue

NOT_CLUSTERED = -2
"""Label of a point that the clustering did not include; noise is -1."""


@dataclass(frozen=True)
class Labelled:
    """One clustering: `labels` (n,) int16 of the points of its level, in their order."""

    level: str
    algorithm: str
    k: int | None
    labels: np.ndarray
    names: tuple[str, ...] | None = None
    """What its clusters are called, where they were named."""


def named_clustering(
    named: pd.DataFrame, found: Catalogue, points: dict[str, np.ndarray]
) -> list[Labelled]:
    """The consensus clustering that was named; none where there is none.

    Args:
        named: rows of `naming.write.NAMED` of one model.
        points: by level, as for `clusterings`.
    """
    if named.empty or not len(points.get("song", ())):
        return []
    labels = np.full(len(found.songs), NOT_CLUSTERED, np.int16)
    of = found.song_rows(named["track_id"])
    labels[of[of >= 0]] = named["cluster"].to_numpy()[of >= 0]
    name_of = dict(zip(named["cluster"], named["name"], strict=True))
    names = tuple(str(name_of.get(cluster, "")) for cluster in range(max(name_of) + 1))
    return [Labelled("song", "consensus", int(named["k"].iloc[0]), labels[points["song"]], names)]


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
