"""Clusters that go on: made again, a clustering keeps the numbers of the one before.

Clusters are matched by their songs with those of the clustering before, by the assignment that
shares most songs (Kuhn 1955, doi:10.1002/nav.3800020109).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.views import of_view

NOISE = -1
KEYS = ["level", "algorithm", "k"]
ROWS = ["old_number", "new_number", "songs_shared", "share"]


@dataclass(frozen=True)
class Renumbering:
    """What the numbers of a clustering become, and which clusters go on.

    `number_of` (K,) is the new number of every cluster, a permutation of 0 to K − 1. `rows` has the
    columns `ROWS` of `tables.CONTINUITY`.
    """

    number_of: np.ndarray
    rows: pd.DataFrame

    def applied(self, labels: np.ndarray) -> np.ndarray:
        """Labels (n,) in their new numbers; noise stays noise."""
        return np.append(self.number_of, NOISE)[labels].astype(labels.dtype)


def renumber(labels: pd.Series, before: pd.Series) -> Renumbering:
    """Give each cluster the number of the one that it continues, if that is below K.

    Clusters that continue none, or one with a higher number, take the numbers left, in order.

    Args:
        labels: int from 0 to K − 1, or `NOISE`, by song (or window).
        before: the same of the clustering before.
    """
    from scipy.optimize import linear_sum_assignment

    olds, counts = _shared(labels, before)
    old, new = linear_sum_assignment(counts, maximize=True)
    goes_on = counts[old, new] > 0
    old, new = old[goes_on], new[goes_on]
    number_of = _numbers(counts.shape[1], olds[old], new)
    either = counts.sum(axis=1)[old] + counts.sum(axis=0)[new] - counts[old, new]
    matched = pd.DataFrame(
        {
            "old_number": olds[old],
            "new_number": number_of[new],
            "songs_shared": counts[old, new],
            "share": counts[old, new] / either,
        }
    )
    gone = pd.DataFrame({"old_number": np.delete(olds, old)})
    come = pd.DataFrame({"new_number": np.delete(number_of, new)})
    rows = pd.concat([matched, gone, come])[ROWS].fillna({"songs_shared": 0})
    return Renumbering(number_of, rows.sort_values(ROWS[:2], ignore_index=True))


def _shared(labels: pd.Series, before: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The old numbers (m,), and how many songs each shares with each new one, (m, K)."""
    olds = np.unique(before[before != NOISE])
    old = before.reindex(labels.index, fill_value=NOISE).to_numpy()
    new = labels.to_numpy()
    both = (old != NOISE) & (new != NOISE)
    counts = np.zeros((len(olds), int(new.max()) + 1), np.int64)
    np.add.at(counts, (np.searchsorted(olds, old[both]), new[both]), 1)
    return olds, counts


def _numbers(n: int, old_numbers: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """The number (n,) of each cluster: the old one where that is below n, else one left over."""
    number_of = np.full(n, NOISE)
    usable = old_numbers < n
    number_of[clusters[usable]] = old_numbers[usable]
    number_of[number_of == NOISE] = np.setdiff1d(np.arange(n), number_of)
    return number_of


def continued(
    clusters: pd.DataFrame, before: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clusters (`tables.CLUSTERS`) with the numbers of those before, and `tables.CONTINUITY`.

    A clustering continues the one of its level and algorithm with the same k, else the nearest k.
    Votes of windows take the numbers of the windows' clusters; they have no rows of their own. Of
    a model with views, `together` goes on; the others' clusters keep the numbers that they come in.
    """
    if before is None or clusters.empty:
        return clusters, tables.empty(tables.CONTINUITY)
    before, labels, parts = of_view(before), clusters["label"].copy(), []
    of_windows: dict[tuple[str, int | None], Renumbering] = {}
    groups = [rows for _, rows in of_view(clusters).groupby(KEYS, dropna=False)]
    for rows in sorted(groups, key=lambda rows: str(rows["level"].iloc[0]) != "window"):
        level, algorithm = str(rows["level"].iloc[0]), str(rows["algorithm"].iloc[0])
        k = None if rows["k"].isna().any() else int(rows["k"].iloc[0])
        found = of_windows.get((algorithm, k)) if level == "song_vote" else None
        if found is None:
            alike = before[(before["level"] == level) & (before["algorithm"] == algorithm)]
            found = renumber(_by_point(rows), _by_point(nearest_k(alike, k)))
            if level == "window":
                of_windows[algorithm, k] = found
            else:
                parts.append(found.rows.assign(level=level, algorithm=algorithm, k=k))
        labels[rows.index] = found.applied(rows["label"].to_numpy())
    return clusters.assign(label=labels), continuity_frame(parts)


def nearest_k(before: pd.DataFrame, k: int | None) -> pd.DataFrame:
    """The rows of the clustering with k clusters, else of that with the nearest number.

    k is None where the algorithm finds it: such a clustering has no number in `before` either.
    """
    if k is None:
        return before[before["k"].isna()]
    ks = before["k"].dropna().unique()
    return before[before["k"] == min(ks, key=lambda one: (abs(one - k), one), default=k)]


def _by_point(rows: pd.DataFrame) -> pd.Series:
    """Labels by window, or by song where there are no windows."""
    points = rows["window_id"].fillna(rows["track_id"])
    return pd.Series(rows["label"].to_numpy(), points.to_numpy())


def continuity_frame(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of `tables.CONTINUITY` from those of several clusterings."""
    frame = pd.concat([tables.empty(tables.CONTINUITY), *parts], ignore_index=True)
    whole = ("k", "old_number", "new_number", "songs_shared")
    return frame.astype(dict.fromkeys(whole, "Int32"))
