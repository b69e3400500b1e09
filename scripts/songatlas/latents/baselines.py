"""Latents of a baseline, in the table that trained models write too."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config import feature_registry as registry
from songatlas.config.clustering import Clustering
from songatlas.config.models import Baseline
from songatlas.corpus.folds import resolve
from songatlas.errors import TableError
from songatlas.features.vectors.reduction import moments, principal_components
from songatlas.features.vectors.representations import (
    Vectors,
    read_vectors,
    song_means,
    unit_length,
)


def finished(
    vectors: Vectors,
    baseline: Baseline,
    clustering: Clustering,
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
            standardise=baseline.standardised,
            fit=fit,
        )
        notes.append(f"PCA {width} -> {z.shape[1]}")
    else:
        z = np.concatenate(list(vectors.blocks())).astype(np.float64)
        if baseline.standardised:
            _, mean, scale = moments(lambda: iter([z if fit is None else z[fit]]))
            z = (z - mean) / scale
    if baseline.unit_length:
        z = unit_length(z)
    return z, "; ".join(notes) or None


def baseline_latents(
    vectors: Vectors,
    baseline: Baseline,
    clustering: Clustering,
    windows: pd.DataFrame,
    tracks: pd.DataFrame,
    seed: int = 0,
    songs: Vectors | None = None,
    evaluate_on: str = "all",
) -> tuple[pd.DataFrame, str | None]:
    """Rows of the latents table and a note.

    What is fitted is fitted on the vectors that `fitting_rows` names. In a corpus that is split
    into folds, `seed` says which one is held out (`corpus.folds`). Kinds of windows give rows of
    windows, and of songs as the mean of their windows' finished vectors, or as `songs` where the
    feature has vectors of whole songs; kinds of lyrics give rows of songs alone, those without
    audio included.

    Raises:
        TableError: when a vector belongs to no known window or song.
    """
    of_songs = registry.of_songs(baseline.kind)
    seen, fit = fitting_rows(vectors, baseline, windows, tracks, seed, evaluate_on)
    if fit is not None and not fit.any():
        return tables.empty(tables.LATENTS), "no training song has vectors"
    z, z_songs, note = finished_with_songs(vectors, songs, baseline, clustering, fit)
    if not vectors.ids:
        return tables.empty(tables.LATENTS), note or "nothing to represent"
    note = _joined(note, _held_out_note(baseline, clustering, vectors, fit))
    order = np.argsort(np.asarray(vectors.ids, dtype=str), kind="stable")
    ids, z = [vectors.ids[position] for position in order], z[order]
    splits = [seen[position] for position in order]
    if of_songs:
        return tables.latents_frame("song", None, ids, splits, z), note
    of_window = _column(windows, "window_id", "track_id", ids)
    window_rows = tables.latents_frame("window", ids, of_window, splits, z)
    split_of = dict(zip(of_window, splits, strict=True))
    if songs is None:
        track_ids, means = song_means(z, of_window, rescale=baseline.unit_length)
    else:
        track_ids, means = in_order(songs.ids, z_songs, set(split_of))
    song_splits = [split_of[track] for track in track_ids]
    song_rows = tables.latents_frame("song", None, track_ids, song_splits, means)
    return pd.concat([window_rows, song_rows], ignore_index=True), note


def fitting_rows(
    vectors: Vectors,
    baseline: Baseline,
    windows: pd.DataFrame,
    tracks: pd.DataFrame,
    seed: int,
    evaluate_on: str,
) -> tuple[list[str], np.ndarray | None]:
    """Split of every vector, and which (n,) a baseline is fitted on: those of training songs.

    None, which is all of them, where all songs are scored and none is held out by a fold.
    """
    of_songs = registry.of_songs(baseline.kind)
    key, known = ("track_id", tracks) if of_songs else ("window_id", windows)
    splits = _column(known, key, "split", vectors.ids)
    seen = resolve(splits, seed)
    if seen == splits and evaluate_on == "all":
        return seen, None
    return seen, np.array([split == "train" for split in seen], bool)


def finished_with_songs(
    vectors: Vectors,
    songs: Vectors | None,
    baseline: Baseline,
    clustering: Clustering,
    fit: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """`finished` of windows and of whole songs, which nothing is fitted on."""
    if songs is None or not songs.ids:
        z, note = finished(vectors, baseline, clustering, fit)
        return z, np.zeros((0, z.shape[1])), note
    windows, alone = len(vectors.ids), songs

    def blocks() -> Iterator[np.ndarray]:
        yield from vectors.blocks()
        yield from alone.blocks()

    every = Vectors([*vectors.ids, *songs.ids], blocks, vectors.left_out + songs.left_out)
    known = np.ones(windows, bool) if fit is None else fit
    z, note = finished(
        every, baseline, clustering, np.append(known, np.zeros(len(songs.ids), bool))
    )
    return z[:windows], z[windows:], note


def detected(languages: Sequence[str | Path]) -> dict[str, str | None]:
    """The likeliest language of each song, of the feature `language_id`."""
    from songatlas.corpus.language_id import likeliest

    ids, values = tables.read_feature(languages)
    codes = tables.read_metadata(languages[0])["languages"]
    return dict(zip(ids, likeliest(values, codes), strict=True))


def centred(
    vectors: Vectors, languages: Mapping[str, str | None], fit: np.ndarray | None
) -> Vectors:
    """Vectors of songs without what their language has in common (see `centre_by_language`).

    What a language has in common is that of the songs `fit` (n,), None: of all.
    """
    from songatlas.features.lyrics.e5 import centre_by_language

    if not vectors.ids:
        return vectors
    z = np.concatenate(list(vectors.blocks()))
    moved = centre_by_language(z, [languages.get(track) for track in vectors.ids], fit)
    return Vectors(vectors.ids, lambda: iter([moved]), vectors.left_out)


def in_order(
    track_ids: Sequence[str], z: np.ndarray, wanted: Collection[str]
) -> tuple[list[str], np.ndarray]:
    """The songs of `wanted`, sorted, and their vectors."""
    order = sorted(
        (i for i, track in enumerate(track_ids) if track in wanted), key=lambda i: track_ids[i]
    )
    return [track_ids[i] for i in order], z[order]


def _held_out_note(
    baseline: Baseline,
    clustering: Clustering,
    vectors: Vectors,
    fit: np.ndarray | None,
) -> str | None:
    """What held-out songs were kept from, and what they were not."""
    if fit is None:
        return None
    width = next(vectors.blocks()).shape[1]
    reduced = baseline.kind == "pca" or baseline.pca is not None or width > clustering.max_dim
    fitted = f"fitted on the {int(fit.sum())} training vectors"
    told = {
        "lyrics_tfidf": "the lyrics encoder was fitted on all songs, those held out included",
        "text": "where the text encoder is fitted, it was on all songs, held out ones too",
    }
    return _joined(fitted if baseline.standardised or reduced else None, told.get(baseline.kind))


def _joined(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None


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
    baseline: Baseline,
    clustering: Clustering,
    seed: int = 0,
    songs: Sequence[str | Path] = (),
    languages: Sequence[str | Path] = (),
    supervision: str = "none",
    evaluate_on: str = "all",
) -> None:
    """Compute a baseline from all parts of its feature and write its latents.

    `songs` are the parts of the feature's own vectors of songs, where it has them. `languages` are
    those of the feature `language_id`, where the baseline is centred by language. `supervision` (of
     `tables.SUPERVISION`) stands beside every score of these latents. `evaluate_on` are the songs
    that will be scored (see `fitting_rows`).

    Raises:
        TableError: when a table is missing, breaks its schema or does not fit the features.
    """
    from threadpoolctl import threadpool_limits

    windows = tables.read(windows_path, tables.WINDOWS, columns=["window_id", "track_id", "split"])
    tracks = tables.read(tracks_path, tables.TRACKS, columns=["track_id", "split"])
    # One thread: sums over several differ in the last digit from run to run.
    with threadpool_limits(1):
        vectors = read_vectors(baseline.kind, features)
        if baseline.centre:
            fit = fitting_rows(vectors, baseline, windows, tracks, seed, evaluate_on)[1]
            vectors = centred(vectors, detected(languages), fit)
        frame, note = baseline_latents(
            vectors,
            baseline,
            clustering,
            windows,
            tracks,
            seed,
            read_vectors(baseline.kind, songs) if songs else None,
            evaluate_on,
        )
    told = tables.read_metadata(features[0]).get("note")
    note = _joined(note, told)
    z_dim = len(frame["z"].iloc[0]) if len(frame) else 0
    metadata = {
        "model": name,
        "supervision": supervision,
        "z_dim": z_dim,
        "note": note,
        "evaluate_on": evaluate_on,
    }
    tables.write(frame, output, tables.LATENTS, metadata)
