"""The clusterings of one model's latents, at every level."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.algorithms import WITHOUT_K, Clustering, cluster
from songatlas.config import clustering as settings
from songatlas.features.vectors.reduction import reduce_both, reduce_width

OWN = "own"
"""Name of the algorithm that stands for a model's own assignments (VaDE, DEC, IDEC)."""


@dataclass(frozen=True)
class Points:
    """What is clustered at one level, in order of song and window.

    `window_ids` is None at the levels of songs, where there is one point per song. `z` has shape
    (n, d); `own` holds the model's own assignments of shape (n,) where it has them. `view` says by
    what a model of two modalities is clustered (`clustering.views`).
    """

    level: str
    track_ids: tuple[str, ...]
    window_ids: tuple[str, ...] | None
    z: np.ndarray
    own: np.ndarray | None = None
    view: str | None = None

    def __len__(self) -> int:
        return len(self.track_ids)


@dataclass(frozen=True)
class Attempt:
    """One clustering of one level; `k` is None where the algorithm finds it itself."""

    points: Points
    algorithm: str
    k: int | None
    clustering: Clustering


def points_of(
    latents: pd.DataFrame, level: str, evaluate_on: str = "all", view: str | None = None
) -> Points:
    """Rows of one level (`window` or `song`) of a latents table, of the songs evaluated."""
    rows = latents[latents["level"] == level]
    if evaluate_on != "all":
        rows = rows[rows["split"] == evaluate_on]
    by = ["track_id", "window_id"] if level == "window" else ["track_id"]
    rows = rows.sort_values(by, kind="stable")
    z = np.stack(list(rows["z"])) if len(rows) else np.zeros((0, 1))
    has_own = len(rows) > 0 and rows["own_label"].notna().all()
    return Points(
        level,
        tuple(rows["track_id"]),
        tuple(rows["window_id"]) if level == "window" else None,
        np.asarray(z, np.float64),
        rows["own_label"].to_numpy(np.int64) if has_own else None,
        view,
    )


def attempts(
    points: Points,
    clustering: settings.Clustering,
    classes: Iterable[int],
    seed: int,
    fitted: Points | None = None,
) -> list[Attempt]:
    """Every algorithm at every k, and the model's own assignments.

    With `fitted`, clusterers and reduction are fitted on those points, and the points take clusters
    as unseen ones (see `algorithms.cluster`). `classes` are the tasks' numbers of classes, which
    join `clustering.k`.
    """
    if not len(points):
        return []
    ks = sorted({*clustering.k, *(count for count in classes if count >= 2)})
    if fitted is not None and not len(fitted):
        nothing = Clustering(None, note="no songs to fit on")
        return [
            Attempt(points, algorithm, k, nothing)
            for algorithm in clustering.algorithms
            for k in ([None] if algorithm in WITHOUT_K else ks)
        ]
    run = _clusterer(points.z, None if fitted is None else fitted.z, clustering, seed)
    found = []
    for algorithm in clustering.algorithms:
        for k in [None] if algorithm in WITHOUT_K else ks:
            found.append(Attempt(points, algorithm, k, run(algorithm, k)))
    return [*found, *_own(points)]


def _clusterer(
    z: np.ndarray, fitted: np.ndarray | None, clustering: settings.Clustering, seed: int
) -> Callable[[str, int | None], Clustering]:
    """What clusters `z` (n, d), or gives it the clusters of `fitted` (m, d), by algorithm and k."""
    unseen = None
    if fitted is None:
        reduction = reduce_width(z, clustering.max_dim, clustering.pca_dim, seed)
    else:
        reduction, rest = reduce_both(fitted, z, clustering.max_dim, clustering.pca_dim, seed)
        unseen = rest.z

    def run(algorithm: str, k: int | None) -> Clustering:
        found = cluster(
            reduction.z,
            algorithm,
            k,
            n_init=clustering.n_init,
            seed=seed,
            gmm=clustering.gmm,
            unseen=unseen,
        )
        return _with_note(found, reduction.note)

    return run


def _own(points: Points) -> list[Attempt]:
    if points.own is None:
        return []
    labels = np.unique(points.own, return_inverse=True)[1].astype(np.int32)
    own = Clustering(labels, note="the model's own assignments")
    return [Attempt(points, OWN, int(labels.max()) + 1, own)]


def _with_note(clustering: Clustering, note: str | None) -> Clustering:
    notes = [part for part in (note, clustering.note) if part]
    return Clustering(clustering.labels, clustering.probability, "; ".join(notes) or None)


def song_votes(windows: Sequence[Attempt], songs: Points) -> list[Attempt]:
    """Every clustering of windows as one of songs: the majority label, ties by the lowest.

    Noise windows have no vote; a song is noise where it has nothing else. `probability` is the
    share of a song's windows that voted for its label. `songs` are the points of the same songs.
    """
    return [
        Attempt(songs, attempt.algorithm, attempt.k, _vote(attempt, songs)) for attempt in windows
    ]


def _vote(attempt: Attempt, songs: Points) -> Clustering:
    labels = attempt.clustering.labels
    if labels is None:
        return attempt.clustering
    row = {track_id: position for position, track_id in enumerate(songs.track_ids)}
    song = np.array([row[track_id] for track_id in attempt.points.track_ids])
    votes = np.zeros((len(songs), int(labels.max(initial=-1)) + 2), np.int64)
    np.add.at(votes, (song, labels), 1)  # noise, -1, is the last column
    cast = votes[:, :-1]
    winner = cast.argmax(axis=1) if cast.shape[1] else np.zeros(len(songs), np.int64)
    count = cast.max(axis=1, initial=0)
    winner = np.where(count > 0, winner, -1)
    share = np.where(count > 0, count, votes[:, -1]) / np.maximum(votes.sum(axis=1), 1)
    return Clustering(winner.astype(np.int32), share.astype(np.float32), attempt.clustering.note)


def voting_songs(windows: Points, songs: Points) -> Points:
    """The songs that have windows; their mean window where they have no song latent."""
    known = {track_id: position for position, track_id in enumerate(songs.track_ids)}
    ids = sorted(set(windows.track_ids))
    tracks = np.array(windows.track_ids)
    z = [
        songs.z[known[track_id]]
        if track_id in known
        else windows.z[tracks == track_id].mean(axis=0)
        for track_id in ids
    ]
    means = np.stack(z) if z else np.zeros((0, 1))
    return Points("song_vote", tuple(ids), None, means, view=windows.view)


def clusters_frame(found: Sequence[Attempt]) -> pd.DataFrame:
    """Rows of the clusters table: every point of every clustering that has labels."""
    parts = []
    for attempt in found:
        points, clustering = attempt.points, attempt.clustering
        if clustering.labels is None:
            continue
        n = len(points)
        parts.append(
            pd.DataFrame(
                {
                    "level": points.level,
                    "view": pd.Series([points.view] * n, dtype=object),
                    "window_id": [None] * n if points.window_ids is None else points.window_ids,
                    "track_id": points.track_ids,
                    "algorithm": attempt.algorithm,
                    "k": pd.array([attempt.k] * n, dtype="Int32"),
                    "label": clustering.labels,
                    "probability": np.full(n, np.nan, np.float32)
                    if clustering.probability is None
                    else clustering.probability,
                }
            ).astype({"window_id": object})
        )
    if not parts:
        return tables.empty(tables.CLUSTERS)
    return pd.concat(parts, ignore_index=True)
