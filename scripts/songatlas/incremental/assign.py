"""New songs in the clusters of a finished run, with how far each is from what the run knows."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import config, tables
from songatlas.clustering.continuity import renumber
from songatlas.clustering.levels import Points, attempts, points_of
from songatlas.clustering.reduction import reduce_both
from songatlas.errors import SongatlasError
from songatlas.incremental.embed import Embedded, embed_songs
from songatlas.incremental.finished import Branch, Finished
from songatlas.incremental.novelty import Novelty, full_conformal, split_conformal
from songatlas.incremental.songs import NewSongs, read_songs

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class Outputs:
    """Files of one call."""

    assignments: str
    csv: str
    latents: str
    rejects: str
    warnings: str


def assign_songs(
    run: Finished,
    branches: Sequence[Branch],
    settings: config.Assign,
    windows: config.Windows,
    features: Mapping[str, Mapping[str, Any]],
    clustering: config.Clustering,
    fitted_on: str,
    outputs: Outputs,
) -> str:
    """Write where the songs at `settings.path` belong; says in words how many were assigned.

    `features` are settings of the run's features of audio, by name. `fitted_on` are the run's songs
    that its clusters were fitted on (`evaluation.fitted_on`).

    Raises:
        SongatlasError: when the run is not finished or holds no song, or the folder none.
    """
    assert settings.path is not None
    stored = {branch.name: _stored(run, branch) for branch in branches}  # before any song is opened
    known = run.tracks(["track_id", "source_id"])
    needed = {name: features[name] for branch in branches for name in branch.inputs}
    Path(outputs.assignments).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=Path(outputs.assignments).parent) as folder:
        scratch = Path(folder)
        songs = read_songs(settings.reader, settings.path, known, scratch, needed, windows)
        rows, vectors = [], []
        heard = _heard(songs)
        for branch in branches if heard else []:
            embedded = embed_songs(songs, run, branch, clustering, scratch)
            if not embedded.ids:
                continue
            latents, clusters = stored[branch.name]
            blocks = run.blocks(branch)
            rows.append(
                place(embedded, latents, clusters, blocks, branch, settings, clustering, fitted_on)
            )
            vectors.append(vectors_frame(branch, embedded.ids, embedded.z))
    frame = pd.concat(rows, ignore_index=True) if rows else tables.empty(tables.ASSIGNMENTS)
    if songs.corpus is not None and len(frame):
        tracks = songs.corpus.tracks.set_index("track_id")["source_id"]
        titles = songs.corpus.labels.set_index("track_id")["title"]
        frame["source_id"] = frame["track_id"].map(tracks)
        frame["title"] = frame["track_id"].map(titles)
    frame = frame[list(tables.ASSIGNMENTS.columns)]
    tables.write(frame, outputs.assignments, tables.ASSIGNMENTS)
    with tables.atomic(outputs.csv) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")
    all_vectors = pd.concat(vectors) if vectors else tables.empty(tables.ASSIGNED_LATENTS)
    tables.write(all_vectors, outputs.latents, tables.ASSIGNED_LATENTS)
    tables.write(songs.rejects, outputs.rejects, tables.REJECTS)
    tables.write(songs.warnings, outputs.warnings, tables.WARNINGS)
    return f"{frame['track_id'].nunique()} songs assigned, {len(songs.rejects)} set aside"


def _stored(run: Finished, branch: Branch) -> tuple[pd.DataFrame, pd.DataFrame]:
    if branch.baseline is None:
        run.weights(branch)
    for feature in branch.inputs if branch.baseline is not None else ():
        run.parts(feature)
    return run.latents(branch), run.song_clusters(branch)


def _heard(songs: NewSongs) -> bool:
    """Whether any song has features."""
    paths = list(songs.features.values())
    return any(len(ids) for path in paths for ids, _ in tables.iter_feature([path]))


def place(
    embedded: Embedded,
    latents: pd.DataFrame,
    clusters: pd.DataFrame,
    blocks: dict[str, tuple[int, int]],
    branch: Branch,
    settings: config.Assign,
    clustering: config.Clustering,
    fitted_on: str,
) -> pd.DataFrame:
    """Rows of the assignments table for the new songs under one model.

    Clusterers are fitted on the run's vectors as they were in the run (same points, same seeds),
    the new songs are points that they have not seen (see `algorithms.cluster`), and so are the
    run's own songs: `agreement` says how many of these are given their cluster of the run again.
    """
    ids, z = embedded.ids, embedded.z
    fitted = points_of(latents, "song", fitted_on)
    wanted = {
        (str(algorithm), None if pd.isna(k) else int(k))
        for algorithm, k in zip(clusters["algorithm"], clusters["k"], strict=True)
    }
    own = clusters.assign(k=clusters["k"].astype("Int64").fillna(-1))
    labels = {
        key: dict(zip(part["track_id"], part["label"], strict=True))
        for key, part in own.groupby(["algorithm", "k"])
    }
    everyone = Points("song", (*fitted.track_ids, *ids), None, np.concatenate([fitted.z, z]))
    classes = {k for _, k in wanted if k is not None}
    # Where every song says how far is far, none is held out: distances are those of the clusters.
    known, apart = (
        (latents, z) if settings.calibrate_on == "all" else (embedded.known, embedded.apart)
    )
    novelty = novelty_of(known, apart, settings, clustering, branch.seed)
    all_ids = reference(known, settings.calibrate_on).track_ids
    nearest = [" ".join(all_ids[row] for row in rows) for rows in novelty.nearest]
    parts = []
    for attempt in attempts(everyone, clustering, classes, branch.seed, blocks, fitted):
        key = (attempt.algorithm, attempt.k)
        found = attempt.clustering
        if found.labels is None or key not in wanted:
            continue
        before = labels[attempt.algorithm, -1 if attempt.k is None else attempt.k]
        # Fitted once more, the clusters are in no order; the run's may have kept older numbers.
        fitted_again = pd.Series(found.labels, everyone.track_ids)
        numbered = renumber(fitted_again, pd.Series(before)).applied(found.labels)
        again = [
            before[track] == label
            for track, label in zip(fitted.track_ids, numbered, strict=False)
            if track in before
        ]
        n = len(fitted)
        notes = [part for part in (found.note, novelty.note) if part]
        parts.append(
            pd.DataFrame(
                {
                    "track_id": list(ids),
                    "source_id": "",
                    "title": None,
                    "model": branch.name,
                    "seed": branch.seed,
                    "algorithm": attempt.algorithm,
                    "k": pd.array([attempt.k] * len(ids), dtype="Int32"),
                    "label": numbered[n:],
                    "probability": np.full(len(ids), np.nan, np.float32)
                    if found.probability is None
                    else found.probability[n:],
                    "agreement": float(np.mean(again)) if again else np.nan,
                    "distance": novelty.distance,
                    "p_novel": np.full(len(ids), np.nan) if novelty.p is None else novelty.p,
                    "novel": pd.array(
                        [None] * len(ids)
                        if novelty.p is None
                        else list(novelty.p <= settings.false_alarm_rate),
                        dtype="boolean",
                    ),
                    "nearest": nearest,
                    "note": "; ".join(notes) or None,
                }
            )
        )
    if not parts:
        return tables.empty(tables.ASSIGNMENTS)
    return pd.concat(parts, ignore_index=True)


def reference(latents: pd.DataFrame, calibrate_on: str) -> Points:
    """The run's songs that distances are measured to: training songs, or all."""
    return points_of(latents, "song", "all" if calibrate_on == "all" else "train")


def held_out(latents: pd.DataFrame) -> Points:
    """The run's songs that nothing was trained on."""
    return points_of(latents[latents["split"].isin(HELD_OUT)], "song")


def novelty_of(
    latents: pd.DataFrame,
    z: np.ndarray,
    settings: config.Assign,
    clustering: config.Clustering,
    seed: int,
) -> Novelty:
    """Distances of new songs (n, d) to the run's (`latents`), and their p.

    Raises:
        SongatlasError: when the run has no song that distances could be measured to.
    """
    known = reference(latents, settings.calibrate_on)
    if not len(known):
        raise SongatlasError(
            "the run has no training songs to measure distances to; set assign.calibrate_on: all"
        )
    rate, m = settings.false_alarm_rate, settings.neighbours
    if settings.calibrate_on == "all":
        old, new = in_cluster_space(known.z, [known.z, z], clustering, seed)
        return full_conformal(old, new, m, rate)
    old, out, new = in_cluster_space(known.z, [known.z, held_out(latents).z, z], clustering, seed)
    return split_conformal(old, out, new, m, rate)


def in_cluster_space(
    fitted: np.ndarray, samples: list[np.ndarray], clustering: config.Clustering, seed: int
) -> list[np.ndarray]:
    """Samples of songs (n, d) as they are clustered: wide ones on principal axes of `fitted`."""
    filled = [z if len(z) else fitted[:0] for z in samples]
    _, rest = reduce_both(
        fitted, np.concatenate(filled), clustering.max_dim, clustering.pca_dim, seed
    )
    return np.split(rest.z, np.cumsum([len(z) for z in filled])[:-1])


def vectors_frame(branch: Branch, ids: Sequence[str], z: np.ndarray) -> pd.DataFrame:
    """Rows of `tables.ASSIGNED_LATENTS`."""
    return pd.DataFrame(
        {
            "model": branch.name,
            "seed": branch.seed,
            "track_id": list(ids),
            "z": list(z.astype(np.float32)),
        }
    )
