"""New songs in the clusters of a finished run, with how far each is from what the run knows."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.continuity import renumber
from songatlas.clustering.levels import Points, attempts, points_of
from songatlas.config.clustering import Clustering
from songatlas.config.corpus import Windows
from songatlas.config.new_songs import Assign
from songatlas.errors import SongatlasError
from songatlas.features.vectors.reduction import reduce_both
from songatlas.new_songs.embed import Embedded, embed_songs
from songatlas.new_songs.finished import Branch, Finished
from songatlas.new_songs.novelty import Novelty, full_conformal, split_conformal
from songatlas.new_songs.songs import NewSongs, read_songs

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class Outputs:
    """Files of one call."""

    assignments: str
    csv: str
    latents: str
    rejects: str
    warnings: str


@dataclass(frozen=True)
class Compared:
    """Songs in the space in which distances are measured, which is that of the clusters.

    `reference` (r, d) fitted its axes: songs `reference_ids`; `run` (c, d) are the run's songs that
    new ones are compared with, `run_ids`; `new` (n, d) the new ones. The run's songs are held-out
    ones, which are as new to the space as the new ones, or all (`assign.calibrate_on: all`).
    """

    reference_ids: tuple[str, ...]
    reference: np.ndarray
    run_ids: tuple[str, ...]
    run: np.ndarray
    new: np.ndarray


def assign_songs(
    run: Finished,
    branches: Sequence[Branch],
    settings: Assign,
    windows: Windows,
    features: Mapping[str, Mapping[str, Any]],
    clustering: Clustering,
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
            compared = compare(embedded, latents, settings, clustering, branch.seed)
            rows.append(
                place(
                    embedded,
                    compared,
                    latents,
                    clusters,
                    branch,
                    settings,
                    clustering,
                    fitted_on,
                )
            )
            vectors.append(compared_frame(compared, branch, embedded.ids))
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
    compared: Compared,
    latents: pd.DataFrame,
    clusters: pd.DataFrame,
    branch: Branch,
    settings: Assign,
    clustering: Clustering,
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
    novelty = novelty_of(compared, settings)
    nearest = [" ".join(compared.reference_ids[row] for row in rows) for rows in novelty.nearest]
    parts = []
    for attempt in attempts(everyone, clustering, classes, branch.seed, fitted):
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


def compare(
    embedded: Embedded,
    latents: pd.DataFrame,
    settings: Assign,
    clustering: Clustering,
    seed: int,
) -> Compared:
    """New songs beside the run's, whose vectors in the run are `latents`.

    Raises:
        SongatlasError: when the run has no song that distances could be measured to.
    """
    if settings.calibrate_on == "all":
        # Where every song says how far is far, none is held out: distances are the clusters'.
        known = run = points_of(latents, "song")
        new = embedded.z
    else:
        known = points_of(embedded.known, "song", "train")
        run = points_of(embedded.known[embedded.known["split"].isin(HELD_OUT)], "song")
        new = embedded.apart
    if not len(known):
        raise SongatlasError(
            "the run has no training songs to measure distances to; set assign.calibrate_on: all"
        )
    old, new = (z if len(z) else known.z[:0] for z in (run.z, new))
    fitted, rest = reduce_both(
        known.z, np.concatenate([old, new]), clustering.max_dim, clustering.pca_dim, seed
    )
    return Compared(known.track_ids, fitted.z, run.track_ids, *np.split(rest.z, [len(old)]))


def novelty_of(compared: Compared, settings: Assign) -> Novelty:
    """Distances of new songs to the run's, and their p."""
    rate, m = settings.false_alarm_rate, settings.neighbours
    if settings.calibrate_on == "all":
        return full_conformal(compared.reference, compared.new, m, rate)
    return split_conformal(compared.reference, compared.run, compared.new, m, rate)


def compared_frame(compared: Compared, branch: Branch, new_ids: Sequence[str]) -> pd.DataFrame:
    """Rows of `tables.ASSIGNED_LATENTS`."""
    return pd.DataFrame(
        {
            "model": branch.name,
            "seed": branch.seed,
            "sample": ["run"] * len(compared.run_ids) + ["new"] * len(new_ids),
            "track_id": [*compared.run_ids, *new_ids],
            "z": list(np.concatenate([compared.run, compared.new]).astype(np.float32)),
        }
    )
