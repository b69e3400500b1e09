"""Latents of a baseline, in the table that trained models write too."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import config, tables
from songatlas.baselines.representations import Vectors, read_vectors
from songatlas.clustering.reduction import moments, principal_components
from songatlas.corpus.folds import resolve
from songatlas.errors import TableError

SONG_KINDS = ("lyrics_tfidf", "text")
"""Kinds whose vectors are those of songs."""


def finished(
    vectors: Vectors,
    baseline: config.Baseline,
    clustering: config.Clustering,
    fit: np.ndarray | None = None,
) -> tuple[np.ndarray, str | None]:
    """Standardise, reduce and scale, in this order, as `baseline` says.

    Everything is fitted on all n vectors, or on those n that `fit`, (n_vectors,) bool, names, and
    applied to the others. The kind `pca`, and whatever is wider than `clustering.max_dim`, is
    reduced to min(`baseline.pca` or `clustering.pca_dim`, n - 1) principal components.

    Returns:
        Vectors of shape (n, r) float64 and, where rows or dimensions went, a note.
    """
    n = len(vectors.ids) if fit is None else int(fit.sum())
    notes = []
    if vectors.left_out:
        notes.append(f"{vectors.left_out} vectors with values that are not finite are left out")
    if not n:
        return np.zeros((0, 0)), "; ".join(notes) or None
    width = next(vectors.blocks()).shape[1]
    components = baseline.pca
    if components is None and (baseline.kind == "pca" or width > clustering.max_dim):
        components = clustering.pca_dim
    if components is not None:
        z = principal_components(
            vectors.blocks,
            min(components, max(n - 1, 1)),
            standardise=baseline.standardise,
            fit=fit,
        )
        notes.append(f"PCA {width} -> {z.shape[1]}")
    else:
        z = np.concatenate(list(vectors.blocks())).astype(np.float64)
        if baseline.standardise:
            _, mean, scale = moments(lambda: iter([z if fit is None else z[fit]]))
            z = (z - mean) / scale
    if fit is not None and (baseline.standardise or components is not None):
        notes.append(f"fitted on the {n} training vectors of the fold")
    if baseline.unit_length:
        z = unit_length(z)
    return z, "; ".join(notes) or None


def unit_length(z: np.ndarray) -> np.ndarray:
    """Rows of `z` of shape (n, d) at Euclidean length 1; zero rows stay zero."""
    length = np.linalg.norm(z, axis=1, keepdims=True)
    return np.asarray(z / np.where(length > 0, length, 1.0))


def song_means(
    z: np.ndarray, track_ids: Sequence[str], *, rescale: bool
) -> tuple[list[str], np.ndarray]:
    """Mean of each song's window vectors, at length 1 again where `rescale`; sorted by song."""
    songs, row = np.unique(np.asarray(track_ids, dtype=str), return_inverse=True)
    sums = np.zeros((len(songs), z.shape[1]))
    np.add.at(sums, row, z)
    means = sums / np.bincount(row, minlength=len(songs))[:, None]
    return songs.tolist(), unit_length(means) if rescale else means


def baseline_latents(
    vectors: Vectors,
    baseline: config.Baseline,
    clustering: config.Clustering,
    windows: pd.DataFrame,
    tracks: pd.DataFrame,
    seed: int = 0,
) -> tuple[pd.DataFrame, str | None]:
    """Rows of the latents table and a note.

    In a corpus that is split into folds, `seed` says which one is held out (`corpus.folds`): what
    is fitted is then fitted on the other songs. Kinds of windows give rows of windows, and of songs
    as the mean of their windows' finished vectors; kinds of lyrics give rows of songs alone, those
    without audio included.

    Raises:
        TableError: when a vector belongs to no known window or song.
    """
    of_songs = baseline.kind in SONG_KINDS
    key, known = ("track_id", tracks) if of_songs else ("window_id", windows)
    splits = _column(known, key, "split", vectors.ids)
    seen = resolve(splits, seed)
    # A corpus without folds has nothing to hold out: its vectors are described as a whole.
    fit = None if seen == splits else np.array([split == "train" for split in seen])
    if fit is not None and not fit.any():
        return tables.empty(tables.LATENTS), "no song that this fold trains on has vectors"
    z, note = finished(vectors, baseline, clustering, fit)
    if not vectors.ids:
        return tables.empty(tables.LATENTS), note or "nothing to represent"
    order = np.argsort(np.asarray(vectors.ids, dtype=str), kind="stable")
    ids, z = [vectors.ids[position] for position in order], z[order]
    splits = [seen[position] for position in order]
    if of_songs:
        if fit is not None:
            told = "the lyrics encoder was fitted on all songs, those held out included"
            if baseline.kind == "text":
                told = "where the text encoder is fitted, it was on all songs, held out ones too"
            note = "; ".join(part for part in (note, told) if part)
        return tables.latents_frame("song", None, ids, splits, z), note
    of_window = _column(windows, "window_id", "track_id", ids)
    window_rows = tables.latents_frame("window", ids, of_window, splits, z)
    songs, means = song_means(z, of_window, rescale=baseline.unit_length)
    split_of = dict(zip(of_window, splits, strict=True))
    song_rows = tables.latents_frame("song", None, songs, [split_of[song] for song in songs], means)
    return pd.concat([window_rows, song_rows], ignore_index=True), note


def _column(frame: pd.DataFrame, key: str, column: str, ids: Sequence[str]) -> list[str]:
    known = dict(zip(frame[key], frame[column], strict=True))
    missing = next((identifier for identifier in ids if identifier not in known), None)
    if missing is not None:
        raise TableError(
            f"the features have a vector for {key} `{missing}`, which the corpus does not know; "
            "run the feature stage again"
        )
    return [str(known[identifier]) for identifier in ids]


def write_baseline_latents(
    features: Sequence[str | Path],
    windows_path: str | Path,
    tracks_path: str | Path,
    output: str | Path,
    *,
    name: str,
    baseline: config.Baseline,
    clustering: config.Clustering,
    seed: int = 0,
    supervision: str = "none",
) -> None:
    """Compute a baseline from all parts of its feature and write its latents.

    `supervision` (of `tables.SUPERVISION`) stands beside every score of these latents.

    Raises:
        TableError: when a table is missing, breaks its schema or does not fit the features.
    """
    from threadpoolctl import threadpool_limits

    windows = tables.read(windows_path, tables.WINDOWS, columns=["window_id", "track_id", "split"])
    tracks = tables.read(tracks_path, tables.TRACKS, columns=["track_id", "split"])
    # One thread: sums over several differ in the last digit from run to run.
    with threadpool_limits(1):
        frame, note = baseline_latents(
            read_vectors(baseline.kind, features), baseline, clustering, windows, tracks, seed
        )
    z_dim = len(frame["z"].iloc[0]) if len(frame) else 0
    metadata = {"model": name, "supervision": supervision, "z_dim": z_dim, "note": note}
    tables.write(frame, output, tables.LATENTS, metadata)
