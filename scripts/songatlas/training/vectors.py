"""What models of vectors read: rows of windows or of songs, from files of features."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from songatlas import tables
from songatlas.config import feature_registry as registry
from songatlas.corpus.folds import resolve
from songatlas.errors import NotApplicable
from songatlas.features.vectors import representations
from songatlas.features.vectors.representations import song_means
from songatlas.models.base import InputSpec
from songatlas.training.data import Windows

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class Found:
    """A feature's vectors: `z` (n, d) float32 in the order of `ids`."""

    kind: str
    ids: list[str]
    z: np.ndarray
    left_out: int
    """Rows with values that are not finite."""

    def of(self, ids: Sequence[str]) -> torch.Tensor:
        """Vectors of rows by their ids, (len(ids), d) float32; zeros where there is none."""
        row_of = {identifier: row for row, identifier in enumerate(self.ids)}
        rows = np.array([row_of.get(identifier, -1) for identifier in ids], np.int64)
        values = np.zeros((len(ids), self.z.shape[1]), np.float32)
        values[rows >= 0] = self.z[rows[rows >= 0]]
        return torch.from_numpy(values)


def read_vectors(
    files: Mapping[str, Any], spec: InputSpec, *, seed: int = 0
) -> tuple[Windows, InputSpec]:
    """Rows of `files`, and the spec with the widths of their vectors.

    `files` are `windows` and `tracks`, and by modality, `audio` or `lyrics` or both, the parts of a
    feature with a kind of its name; `audio_songs` are the parts of its vectors of songs, where it
    has them (else a song's vector is the mean of its windows'). Rows are songs where `spec.songs`
    says so, else windows, which have their song's lyrics. Those that have lyrics alone come last,
    one row a song. Rows with values that are not finite are left out, and the note counts them.
    `seed` says which fold is held out where the corpus is split into folds.

    Raises:
        TableError: when a file is missing or is no feature.
        NotApplicable: when no row is left.
    """
    windows = tables.read(
        files["windows"], tables.WINDOWS, columns=["window_id", "track_id", "split"]
    )
    tracks = tables.read(files["tracks"], tables.TRACKS, columns=["track_id", "split"])
    audio = _audio(files, windows, spec.songs) if "audio" in files else None
    lyrics = _found(files["lyrics"]) if "lyrics" in files else None
    heard = _rows(windows, tracks, spec.songs, set(audio.ids) if audio else set())
    alone = tracks[tracks["track_id"].isin(set(lyrics.ids) if lyrics else set())]
    alone = alone[~alone["track_id"].isin(set(heard["track_id"]))]
    alone = alone.assign(window_id=alone["track_id"]).sort_values("track_id")
    rows = pd.concat([heard, alone], ignore_index=True)
    there = [one for one in (audio, lyrics) if one is not None]
    note = "; ".join(_left_out(one) for one in there if one.left_out)
    if rows.empty:
        raise NotApplicable("; ".join(["not trained: no song of this corpus has vectors", note]))
    found = Windows(
        window_ids=tuple(rows["window_id"]),
        track_ids=tuple(rows["track_id"]),
        splits=tuple(resolve(list(rows["split"]), seed)),
        mel=torch.zeros((len(heard), 0, 0), dtype=torch.float16),
        audio=audio.of(list(rows["window_id"])) if audio else None,
        lyrics=lyrics.of(list(rows["track_id"])) if lyrics else None,
        of_songs=spec.songs,
        note=note,
    )
    return found, replace(
        spec,
        audio_dim=audio.z.shape[1] if audio else 0,
        lyrics_dim=lyrics.z.shape[1] if lyrics else 0,
    )


def _rows(
    windows: pd.DataFrame, tracks: pd.DataFrame, of_songs: bool, present: Collection[str]
) -> pd.DataFrame:
    """`window_id, track_id, split` of the rows that have audio vectors."""
    if not of_songs:
        return windows[windows["window_id"].isin(present)]
    songs = tracks[tracks["track_id"].isin(present)]
    return songs.assign(window_id=songs["track_id"]).sort_values("track_id")


def _found(paths: Paths) -> Found:
    kind = str(tables.read_metadata(paths[0])["feature"])
    vectors = representations.read_vectors(kind, paths)
    blocks = [block.astype(np.float32) for block in vectors.blocks()]
    width = registry.kind(kind).width or 1
    z = np.concatenate(blocks) if blocks else np.zeros((0, width), np.float32)
    return Found(kind, vectors.ids, z, vectors.left_out)


def _audio(files: Mapping[str, Any], windows: pd.DataFrame, of_songs: bool) -> Found:
    if not of_songs:
        return _found(files["audio"])
    if files.get("audio_songs"):
        return _found(files["audio_songs"])
    of_windows = _found(files["audio"])
    track_of = dict(zip(windows["window_id"], windows["track_id"], strict=True))
    known = np.array([identifier in track_of for identifier in of_windows.ids], bool)
    tracks = [track_of[identifier] for identifier in of_windows.ids if identifier in track_of]
    songs, means = song_means(of_windows.z[known], tracks, rescale=False)
    return Found(of_windows.kind, songs, means.astype(np.float32), of_windows.left_out)


def _left_out(found: Found) -> str:
    return f"{found.left_out} vectors of {found.kind} with values that are not finite are left out"
