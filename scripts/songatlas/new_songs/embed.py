"""New songs as vectors of a finished run's space, without training anything."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.clustering import Clustering
from songatlas.config.models import Baseline
from songatlas.corpus.folds import resolve
from songatlas.errors import SongatlasError
from songatlas.features.vectors.representations import read_vectors, song_means
from songatlas.latents.baselines import finished_with_songs, in_order
from songatlas.new_songs.finished import Branch, Finished
from songatlas.new_songs.songs import NewSongs

SONG_COLUMNS = ("level", "track_id", "split", "z")

SAME = 1e-3
"""Largest difference of a baseline's vectors from the run's, relative to their spread."""


@dataclass(frozen=True)
class Embedded:
    """New songs whose features are there, sorted by track id.

    `z` (n, d) float64 are their vectors in the space that the run clustered. Distances are measured
    between the songs of `known` (`SONG_COLUMNS`) and `apart` (n, d'): the same vectors, but where a
    baseline's scale or axes would have been fitted on the held-out songs, which are to be as new to
    it as the new ones.
    """

    ids: list[str]
    z: np.ndarray
    known: pd.DataFrame
    apart: np.ndarray


def embed_songs(
    songs: NewSongs, run: Finished, branch: Branch, clustering: Clustering, scratch: Path
) -> Embedded:
    """Vectors of the new songs under one model or baseline of the run."""
    latents = run.latents(branch)
    if branch.baseline is not None:
        return _of_baseline(songs, run, branch, clustering, latents)
    ids, z = _of_model(songs, run, branch, scratch)
    return Embedded(ids, z, latents, z)


def _of_model(
    songs: NewSongs, run: Finished, branch: Branch, scratch: Path
) -> tuple[list[str], np.ndarray]:
    import torch

    from songatlas.latents.embed import write_latents
    from songatlas.training.data import read_inputs
    from songatlas.training.weights import load_weights

    assert songs.corpus is not None
    model, description = load_weights(run.weights(branch))
    if model is None:
        return [], np.zeros((0, 1))
    windows_path, output = scratch / "windows.parquet", scratch / "latents.parquet"
    tables.write(songs.corpus.windows, windows_path, tables.WINDOWS)
    files = {"windows": windows_path, **_heard(songs, branch)}
    if description.spec.of_vectors:
        files["tracks"] = scratch / "tracks.parquet"
        tables.write(songs.corpus.tracks, files["tracks"], tables.TRACKS)
    windows, _ = read_inputs(files, description.spec)
    if description.labels:
        column = model.condition_on
        of_song = songs.corpus.labels.set_index("track_id")[column]
        number = {label: position for position, label in enumerate(description.labels)}
        label = [number.get(str(of_song.get(track)), -1) for track in windows.track_ids]
        windows = replace(windows, label=torch.tensor(label), classes=description.labels)
    write_latents(model, windows, output, name=branch.name)
    rows = tables.read(output, tables.LATENTS, filters=[("level", "==", "song")])
    rows = rows.sort_values("track_id", kind="stable")
    return list(rows["track_id"]), np.stack(list(rows["z"])).astype(np.float64)


def _heard(songs: NewSongs, branch: Branch) -> dict[str, Any]:
    """Files of what a model hears of new songs, by the names that `read_inputs` knows them by."""
    if "logmel" in branch.inputs:
        return {name: [songs.features[name]] for name in branch.inputs}
    [feature] = branch.inputs
    whole = [songs.whole[feature]] if feature in songs.whole else []
    return {"audio": [songs.features[feature]], "audio_songs": whole}


def _of_baseline(
    songs: NewSongs,
    run: Finished,
    branch: Branch,
    clustering: Clustering,
    latents: pd.DataFrame,
) -> Embedded:
    """Scale and axes are those of the run's vectors, which are computed once more and compared.

    Raises:
        SongatlasError: when the run's latents do not come from its features as they are now.
    """
    assert songs.corpus is not None
    assert branch.baseline is not None
    baseline = Baseline(**branch.baseline)
    [feature] = branch.inputs
    columns = ["window_id", "track_id", "split"]
    old, new = run.windows(columns), songs.corpus.windows[columns]
    vectors = read_vectors(baseline.kind, [*run.parts(feature), songs.features[feature]])
    whole = None
    if feature in songs.whole:
        whole = read_vectors(baseline.kind, [*run.song_parts(feature), songs.whole[feature]])
    track_of = dict(zip(old["window_id"], old["track_id"], strict=True))
    track_of |= dict(zip(new["window_id"], new["track_id"], strict=True))
    fitted = dict(zip(old["window_id"], resolve(old["split"], branch.seed), strict=True))
    apart_in_run = list(old["split"]) != list(fitted.values()) or run.evaluated_on(branch) != "all"
    fit = np.array([fitted.get(i) == "train" if apart_in_run else i in fitted for i in vectors.ids])
    of_window = [track_of[i] for i in vectors.ids]

    def means_of(fit: np.ndarray) -> tuple[list[str], np.ndarray]:
        z, z_songs, _ = finished_with_songs(vectors, whole, baseline, clustering, fit)
        if whole is not None:
            return in_order(whole.ids, z_songs, set(of_window))
        return song_means(z, of_window, rescale=baseline.unit_length)

    tracks, means = means_of(fit)
    _compare(latents, tracks, means, branch)
    is_new = np.isin(np.array(tracks, dtype=str), new["track_id"].to_numpy(dtype=str))
    ids = [track for track, there in zip(tracks, is_new, strict=True) if there]
    trained = np.array([fitted.get(i) == "train" for i in vectors.ids])
    if not trained.any() or (trained == fit).all():
        return Embedded(ids, means[is_new], latents, means[is_new])
    _, apart = means_of(trained)
    split_of = dict(zip(old["track_id"], resolve(old["split"], branch.seed), strict=True))
    old_tracks = [track for track, there in zip(tracks, is_new, strict=True) if not there]
    known = tables.latents_frame(
        "song", None, old_tracks, [split_of[track] for track in old_tracks], apart[~is_new]
    )
    return Embedded(ids, means[is_new], known, apart[is_new])


def _compare(latents: pd.DataFrame, tracks: list[str], z: np.ndarray, branch: Branch) -> None:
    stored = latents[latents["level"] == "song"].set_index("track_id")["z"]
    row = {track: position for position, track in enumerate(tracks)}
    known = [track for track in stored.index if track in row]
    before = np.stack([np.asarray(stored[track], np.float64) for track in known])
    now = z[[row[track] for track in known]]
    same = before.shape == now.shape and len(known) == len(stored)
    if not same or np.abs(before - now).max() > SAME * max(before.std(), 1e-12):
        raise SongatlasError(
            f"the run's latents of `{branch.name}` do not come from its features and config as "
            "they are now; finish the run again before songs are assigned to it"
        )
