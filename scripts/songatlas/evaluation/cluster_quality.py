"""How good each cluster is by itself: its shape, its certainty, what its songs have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.consensus import Consensus
from songatlas.clustering.levels import Points
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation.bootstrap import clopper_pearson
from songatlas.evaluation.contingency import Draws, draws, membership
from songatlas.evaluation.internal import SILHOUETTE_POINTS
from songatlas.evaluation.scores import ONE_CLASS, target


def quality_rows(
    consensus: Consensus,
    k: int,
    runs: Sequence[np.ndarray],
    songs: Points,
    labels: Mapping[str, Mapping[str, str]],
    evaluation: Evaluation,
) -> pd.DataFrame:
    """One row per cluster of a consensus partition and task, as in `tables.QUALITY`.

    - `confidence`: mean co-association of the cluster's pairs of songs;
    - `silhouette`: mean over the cluster's songs;
    - `separation`: mean distance of its songs from those of the `nearest` cluster, divided by the
      mean distance between its own; above 1 it lies apart;
    - `medoid`: the song with the lowest mean distance from the others;
    - `majority`: the most frequent label among the `n` songs that have one; `purity`: its share,
      with a 95% interval (Clopper and Pearson 1934), and `chance`: the same share when labels are
      permuted between songs, which is high where a cluster is small.

    Distances are Euclidean, averaged over `runs` (points (n, d) of each training seed, rows being
    `songs`), each in units of its own spread.
    """
    if consensus.labels is None or consensus.of_cluster is None:
        return tables.empty(tables.QUALITY)
    clusters = consensus.labels
    shape, note = _shapes(runs, clusters, songs.track_ids, evaluation.seed)
    rows = []
    for task, of_song in labels.items():
        purities = _purities(songs, clusters, task, dict(of_song), evaluation)
        for cluster, size in enumerate(np.bincount(clusters)):
            of_task = purities[cluster]
            rows.append(
                {
                    "k": k,
                    "cluster": cluster,
                    "size": int(size),
                    "confidence": consensus.of_cluster[cluster],
                    **shape[cluster],
                    "task": task,
                    **of_task,
                    "note": "; ".join(filter(None, (note, of_task["note"]))) or None,
                }
            )
    frame = pd.DataFrame(rows, columns=list(tables.QUALITY.columns))
    return frame.astype({"nearest": "Int32"})


def _purities(
    songs: Points,
    clusters: np.ndarray,
    task: str,
    of_song: dict[str, str],
    evaluation: Evaluation,
) -> list[dict[str, Any]]:
    of = target(songs, task, of_song, evaluation)
    labelled = of.row >= 0
    present = np.unique(clusters[labelled])
    rows: list[dict[str, Any]] = [
        {"n": 0, "majority": None, "purity": np.nan, "ci_low": np.nan, "ci_high": np.nan,
         "chance": np.nan, "note": "no song has a label"}
        for _ in range(int(clusters.max()) + 1)
    ]  # fmt: skip
    if not len(present):
        return rows
    names = sorted({of_song[track_id] for track_id in songs.track_ids if track_id in of_song})
    counts = membership(clusters[labelled], of.row[labelled], len(of.codes))
    [table] = draws(of.codes, of.n_classes).tables(counts)
    by_chance = _shares(of.shuffled, counts)
    for column, cluster in enumerate(present):
        in_cluster = table.counts[0, :, column]
        row = rows[cluster]
        row |= {"n": int(in_cluster.sum()), "majority": names[in_cluster.argmax()]}
        if of.n_classes < 2:
            row["note"] = ONE_CLASS
            continue
        purity = float(in_cluster.max() / in_cluster.sum())
        low, high = clopper_pearson(float(in_cluster.max()), int(in_cluster.sum()))
        chance = float(by_chance[:, column].mean()) if len(by_chance) else np.nan
        row |= {"purity": purity, "ci_low": low, "ci_high": high, "chance": chance, "note": None}
    return rows


def _shares(repeats: Draws | None, counts: Any) -> np.ndarray:
    """Share of the most frequent class in each cluster, shape (R, K); NaN where it is empty."""
    if repeats is None:
        return np.zeros((0, counts.counts.shape[1]))
    chunks = []
    for table in repeats.tables(counts):
        total = table.clusters
        most = table.counts.max(axis=1)
        chunks.append(np.where(total > 0, most / np.maximum(total, 1.0), np.nan))
    return np.concatenate(chunks)


def _shapes(
    runs: Sequence[np.ndarray], clusters: np.ndarray, track_ids: Sequence[str], seed: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Silhouette, nearest cluster, separation and medoid of every cluster."""
    from sklearn.metrics import silhouette_samples

    n, note = len(clusters), None
    rows = np.arange(n)
    if n > SILHOUETTE_POINTS:
        rows = np.sort(np.random.default_rng(seed).choice(n, SILHOUETTE_POINTS, replace=False))
        note = f"distances between a sample of {SILHOUETTE_POINTS} of {n} songs"
    nothing: dict[str, Any] = {"silhouette": np.nan, "nearest": None, "separation": np.nan}
    distances = _distances([z[rows] for z in runs])
    own = clusters[rows]
    found: list[dict[str, Any]] = []
    many = 1 < len(np.unique(own)) < len(own)
    silhouettes = np.full(len(own), np.nan)
    if many:
        silhouettes = silhouette_samples(distances, own, metric="precomputed")
    for cluster in range(int(clusters.max()) + 1):
        members = np.flatnonzero(own == cluster)
        if not len(members):  # none of its songs is in the sample
            first = int(np.flatnonzero(clusters == cluster)[0])
            found.append({**nothing, "medoid": track_ids[first]})
            continue
        within = distances[np.ix_(members, members)].sum(axis=1)
        between = {
            int(other): float(distances[np.ix_(members, own == other)].mean())
            for other in np.unique(own[own != cluster])
        }
        apart = len(members) * (len(members) - 1)
        shape = dict(nothing)
        if between:
            nearest = min(between, key=lambda other: (between[other], other))
            shape["nearest"] = nearest
            if apart and within.any():
                shape["separation"] = between[nearest] / (within.sum() / apart)
        if apart:
            shape["silhouette"] = float(silhouettes[members].mean())
        found.append({**shape, "medoid": track_ids[rows[members[within.argmin()]]]})
    return found, note


def _distances(runs: Sequence[np.ndarray]) -> np.ndarray:
    from sklearn.metrics import euclidean_distances

    total = np.zeros((len(runs[0]),) * 2)
    for z in runs:
        centred = z - z.mean(axis=0)
        spread = np.sqrt((centred**2).sum(axis=1).mean())
        total += euclidean_distances(centred / (spread or 1.0))
    np.fill_diagonal(total, 0.0)
    return total / len(runs)
