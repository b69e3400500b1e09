"""The windows that models read: in memory as float16, standardised batch by batch."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from songatlas import tables
from songatlas.corpus.folds import resolve
from songatlas.errors import NotApplicable, SongatlasError, TableError
from songatlas.features.audio.standardise import standardise, standardise_with_scale
from songatlas.models.base import InputSpec
from songatlas.training.stored import StoredSpectrograms, check_complete

T = TypeVar("T")

IN_MEMORY_BYTES = 8 * 2**30
"""Spectrograms beyond this stay in their shards; an epoch is then shuffled pool by pool."""


OPTIONAL_FILES = (
    "labels",
    "lyrics_window",
    "lyrics_lines",
    "tracks",
    "lyrics_song",
    "lyrics_song_lines",
    "descriptors",
)
"""Arguments of `read_windows` that only some models have a file for."""


FIELDS = ("audio", "lyrics", "lyrics_lines", "descriptors", "label")
"""What rows of `Windows` may have beside spectrograms: fields that hold a tensor or None."""


@dataclass(frozen=True)
class Windows:
    """Windows in the order of the windows table, without those whose features are missing.

    For models that can do without audio, songs that have lyrics alone follow, one row each.
    """

    window_ids: tuple[str, ...]
    """Of songs without audio: their track_id."""
    track_ids: tuple[str, ...]
    splits: tuple[str, ...]
    mel: Tensor | StoredSpectrograms
    """(m, n_mels, n_frames) float16 in dB: of the first m rows; those behind have no audio.

    (m, 0, 0) for models that read vectors.
    """
    lyrics: Tensor | None = None
    """(n, lyrics_dim) float32."""
    audio: Tensor | None = None
    """(n, audio_dim) float32: vectors instead of spectrograms."""
    lyrics_lines: Tensor | None = None
    """(n, max_lines, lyrics_dim) float32."""
    descriptors: Tensor | None = None
    """(n, d) float32."""
    label: Tensor | None = None
    """(n,) int64, −1 where unknown."""
    classes: tuple[str, ...] = ()
    """Names of the labels, in order."""
    song_splits: tuple[str, ...] | None = None
    """Split of each row's song, where windows were dealt to the splits one by one."""
    of_songs: bool = False
    """Whether a row is a song: `window_ids` are then track_ids too."""
    note: str = ""
    """What is to be said of rows that were left out."""

    def __len__(self) -> int:
        return len(self.window_ids)

    @functools.cached_property
    def track(self) -> np.ndarray:
        """Number of each row's song, counted from 0 in order of track_id, (n,) int64."""
        return np.unique(np.array(self.track_ids, dtype=str), return_inverse=True)[1]

    @property
    def n_songs(self) -> int:
        """Songs that the rows are of."""
        return len(set(self.track_ids))

    @functools.cached_property
    def track_there(self) -> Tensor:
        """`track` beside the spectrograms, (n,) int64."""
        return torch.as_tensor(self.track, device=self.mel.device)

    @property
    def nbytes(self) -> int:
        """Of all tensors."""
        held = (getattr(self, name) for name in ("mel", *FIELDS))
        return sum(values.nbytes for values in held if values is not None)

    @property
    def has_mel(self) -> np.ndarray:
        """Which rows have audio, (n,) bool."""
        return np.arange(len(self)) < len(self.mel)

    def rows(self, *splits: str) -> np.ndarray:
        """Indices of the rows of some splits, in order."""
        return np.flatnonzero(np.isin(np.array(self.splits), splits))

    def batch(
        self, rows: np.ndarray | Tensor, pairs: np.ndarray | Tensor | None = None
    ) -> dict[str, Tensor]:
        """Windows at `rows` as they are stored; `prepare` makes them a model's batch.

        `pairs` are rows too: of another window of each window's song. Tensors beside the
        spectrograms are gathered where they lie, and the host waits for nothing.
        """
        index = torch.as_tensor(rows, device=self.mel.device)
        batch = {
            "row": index,
            "track": self.track_there[index],
            "has_mel": index < len(self.mel),
        }
        if 0 not in self.mel.shape[1:]:
            batch["mel"] = self._spectrograms(index)
        if pairs is not None:
            batch["pair"] = self._spectrograms(torch.as_tensor(pairs, device=self.mel.device))
        for name in FIELDS:
            values = getattr(self, name)
            if values is not None:
                batch[name] = values[index]
        return batch

    def _spectrograms(self, index: Tensor) -> Tensor:
        n = len(self.mel)
        if not n:
            shape = (len(index), *self.mel.shape[1:])
            return torch.zeros(shape, dtype=self.mel.dtype, device=self.mel.device)
        values = self.mel[index.clamp(max=n - 1)]
        if n < len(self):
            values.masked_fill_((index >= n)[:, None, None], 0.0)
        return values

    def to(self, device: str) -> "Windows":
        """The same windows with their tensors on another device."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("mel", *FIELDS)
            if isinstance(getattr(self, name), Tensor)
        }
        return replace(self, **moved)


class Batches:
    """Batches of some windows; reshuffled every epoch when a seed is given.

    The order is a function of (seed, epoch) alone, so that a resumed run sees the same batches.
    A last batch of one window joins the batch before it, since batch normalisation has no variance
    over one; `len` counts batches. With `whole_songs` a batch holds all windows of its songs, and
    about `batch_size` windows. With `pairs` every window brings another one of its song, drawn anew
    every epoch; where it is its song's only one, itself. `pinned` batches are made ahead in memory
    that a card reads while the processor goes on.
    """

    def __init__(
        self,
        windows: Windows,
        rows: np.ndarray,
        batch_size: int,
        seed: int | None = None,
        *,
        pairs: bool = False,
        whole_songs: bool = False,
        pinned: bool = False,
    ) -> None:
        self.windows, self.rows, self.batch_size, self.seed = windows, rows, batch_size, seed
        self.pairs, self.whole_songs, self.pinned = pairs, whole_songs, pinned
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.split(self.order()))

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        # Everything from here on waits for the first batch: the epoch's number is set just before.
        batches = self.batches()
        stored = isinstance(self.windows.mel, StoredSpectrograms)
        yield from ahead(batches) if stored or self.pinned else batches

    def batches(self) -> Iterator[dict[str, Tensor]]:
        """The epoch's batches one after another."""
        pair_of = self.draw_pairs() if self.pairs else None
        parts = self.split(self.order())
        if not parts:
            return
        # One copy to the device an epoch: each would make the host wait.
        device, sizes, rows = self.windows.mel.device, list(map(len, parts)), np.concatenate(parts)
        index = torch.as_tensor(rows, device=device).split(sizes)
        pairs: Sequence[Tensor | None] = [None] * len(parts)
        if pair_of is not None:
            pairs = torch.as_tensor(pair_of[rows], device=device).split(sizes)
        songs = songs_of(self.windows.track, parts, device) if self.whole_songs else None
        for at, (some, others) in enumerate(zip(index, pairs, strict=True)):
            batch = self.windows.batch(some, others)
            if songs is not None:
                batch |= songs[at]
            yield {k: v.pin_memory() for k, v in batch.items()} if self.pinned else batch

    def order(self) -> np.ndarray:
        """All rows in this epoch's order; with `whole_songs`, those of a song side by side."""
        rows = self.rows
        if self.seed is not None:
            rng = np.random.default_rng([self.seed, self.epoch])
            rows = rng.permutation(rows)
            if isinstance(self.windows.mel, StoredSpectrograms):
                rows = self.windows.mel.pooled(rows, rng)
        if self.whole_songs:
            track = self.windows.track[rows]
            _, first, song = np.unique(track, return_index=True, return_inverse=True)
            rows = rows[np.argsort(first[song], kind="stable")]
        return rows

    def split(self, rows: np.ndarray) -> list[np.ndarray]:
        """Rows of each batch."""
        starts = list(range(0, len(rows), self.batch_size))
        if self.whole_songs and len(rows):
            track = self.windows.track[rows]
            begins = np.flatnonzero(np.append(True, track[1:] != track[:-1]))
            starts = sorted(
                {int(begins[np.searchsorted(begins, at, "right") - 1]) for at in starts}
            )
        if len(starts) > 1 and len(rows) - starts[-1] == 1:
            starts.pop()
        return np.split(rows, starts[1:]) if starts else []

    def draw_pairs(self) -> np.ndarray:
        """Row of every row's partner, (n,); rows outside `rows` are their own."""
        rng = np.random.default_rng([self.seed or 0, self.epoch, 1])
        partner = np.arange(len(self.windows))
        rows = self.rows[self.windows.has_mel[self.rows]]
        rows = rng.permutation(rows)
        track = self.windows.track[rows]
        rows = rows[np.argsort(track, kind="stable")]
        for song in np.split(rows, np.flatnonzero(np.diff(np.sort(track))) + 1):
            partner[song] = np.roll(song, 1)  # a random cycle: nobody is left without a partner
        return partner


def needs_pinning(windows: Windows, device: str) -> bool:
    """Whether batches go from main memory to a card."""
    return device == "cuda" and windows.mel.device.type == "cpu"


def songs_of(
    track: np.ndarray, parts: Sequence[np.ndarray], device: torch.device
) -> list[dict[str, Tensor]]:
    """Which of its songs each row of a batch is of, and how many rows each song has there.

    By batch: `song` (B,) int64, numbers of songs in order of `track`; `song_size` (S,) int64.
    """
    found = [np.unique(track[rows], return_inverse=True, return_counts=True) for rows in parts]
    song, size = (
        torch.as_tensor(np.concatenate(values), device=device).split(list(map(len, values)))
        for values in ([inverse for _, inverse, _ in found], [counts for *_, counts in found])
    )
    return [{"song": a, "song_size": b} for a, b in zip(song, size, strict=True)]


def ahead(batches: Iterator[T]) -> Iterator[T]:
    """The same, the next one being made while this one is used."""
    with ThreadPoolExecutor(1, "reads ahead") as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def prepare(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A model's batch (see `models.base.Batch`) from windows as they are stored.

    Spectrograms (B, n_mels, n_frames) in dB become (B, 1, n_mels, n_frames) float32 with zero mean
    and unit variance per window; a constant window and a missing one become zeros. Vectors stay as
    they are.
    """
    ready = dict(batch)
    if "mel" in batch:
        mel, scale = standardise_with_scale(batch["mel"])
        ready |= {"mel": mel.unsqueeze(1), "db": batch["mel"], "scale_db": scale}
    if "pair" in batch:
        ready |= {"pair": standardise(batch["pair"]).unsqueeze(1), "pair_db": batch["pair"]}
    if "lyrics" in batch:
        ready["has_lyrics"] = (batch["lyrics"] != 0).any(1)
    return ready


def read_windows(
    windows: str | Path,
    logmel: Sequence[str | Path],
    spec: InputSpec,
    *,
    labels: str | Path | None = None,
    condition_on: Literal["language", "genre"] | None = None,
    lyrics_window: str | Path | None = None,
    lyrics_lines: str | Path | None = None,
    tracks: str | Path | None = None,
    lyrics_song: str | Path | None = None,
    lyrics_song_lines: str | Path | None = None,
    descriptors: Sequence[str | Path] | None = None,
    seed: int = 0,
) -> tuple[Windows, InputSpec]:
    """Read everything a model needs, and the spec with the lyrics' dimensions as they are on disk.

    Windows without a spectrogram (songs that a later stage rejected) are left out. Classes are the
    sorted labels of all songs of the corpus, with audio or without. With `tracks`, `lyrics_song`
    and `lyrics_song_lines`, songs that have lyrics and no window follow. With `descriptors`,
    windows without them are left out too. `seed` says which fold is held out where the corpus is
    split into folds.

    Raises:
        TableError: when a feature does not fit the windows or the spec, or holds NaN.
        NotApplicable: when no window is left, or no song has the label.
    """
    frame = tables.read(windows, tables.WINDOWS)
    present = set(_ids(logmel))
    if descriptors is not None:
        present &= set(_ids(descriptors))
    frame = frame[frame["window_id"].isin(present)].reset_index(drop=True)
    songs = _songs_without_windows(tracks, lyrics_song, set(frame["track_id"]))
    if frame.empty and songs.empty:
        raise NotApplicable("not trained: no window of this corpus has a spectrogram")
    window_ids = tuple(frame["window_id"])
    song_ids = tuple(songs["track_id"])
    found = Windows(
        window_ids=window_ids + song_ids,
        track_ids=tuple(frame["track_id"]) + song_ids,
        splits=tuple(resolve([*frame["split"], *songs["split"]], seed)),
        mel=_spectrograms(logmel, window_ids, (spec.n_mels, spec.n_frames)),
    )
    if descriptors is not None:
        shape = tables.read_metadata(descriptors[0])["shape"]
        values = _read(descriptors, window_ids, tuple(shape), torch.float32).flatten(1)
        spec = replace(spec, descriptors_dim=values.shape[1])
        found = replace(found, descriptors=values)
    if lyrics_window is not None and lyrics_lines is not None:
        shape = tables.read_metadata(lyrics_lines)["shape"]
        spec = replace(spec, max_lines=shape[0], lyrics_dim=shape[1])
        found = replace(
            found,
            lyrics=_read([lyrics_window], window_ids, (spec.lyrics_dim,), torch.float32),
            lyrics_lines=_read([lyrics_lines], window_ids, tuple(shape), torch.float32),
        )
        if lyrics_song is not None and lyrics_song_lines is not None:
            whole = _read([lyrics_song], song_ids, (spec.lyrics_dim,), torch.float32)
            lines = _read([lyrics_song_lines], song_ids, tuple(shape), torch.float32)
            found = replace(
                found,
                lyrics=torch.cat([found.lyrics, whole]),  # type: ignore[list-item]
                lyrics_lines=torch.cat([found.lyrics_lines, lines]),  # type: ignore[list-item]
            )
    if condition_on is not None:
        if labels is None:
            raise SongatlasError(f"a model conditioned on {condition_on} needs the labels table")
        classes, label = _labels(labels, condition_on, found.track_ids)
        found = replace(found, label=label, classes=classes)
    return found, spec


def read_inputs(
    files: Mapping[str, Any],
    spec: InputSpec,
    *,
    condition_on: Literal["language", "genre"] | None = None,
    seed: int = 0,
) -> tuple[Windows, InputSpec]:
    """`read_windows` of files by the names of its arguments; a model has those that it reads.

    Of models that read vectors: `vectors.read_vectors`.
    """
    if spec.of_vectors:
        from songatlas.training.vectors import read_vectors

        return read_vectors(files, spec, seed=seed)
    optional = {name: files.get(name) for name in OPTIONAL_FILES}
    return read_windows(
        files["windows"], files["logmel"], spec, condition_on=condition_on, seed=seed, **optional
    )


def _songs_without_windows(
    tracks: str | Path | None, lyrics_song: str | Path | None, with_windows: set[str]
) -> pd.DataFrame:
    """`track_id, split` of songs that have a lyrics vector and no window, sorted."""
    if tracks is None or lyrics_song is None:
        return pd.DataFrame({"track_id": [], "split": []}, dtype=object)
    frame = tables.read(tracks, tables.TRACKS, columns=["track_id", "split"])
    alone = frame["track_id"].isin(set(_ids([lyrics_song])) - with_windows)
    return frame[alone].sort_values("track_id", ignore_index=True)


def _labels(
    path: str | Path, column: str, track_ids: Sequence[str]
) -> tuple[tuple[str, ...], Tensor]:
    frame = tables.read(path, tables.LABELS, columns=["track_id", column])
    named = frame[column].dropna()
    classes = tuple(sorted(set(named)))
    if not classes:
        raise NotApplicable(f"not trained: no song of this corpus has a {column}")
    number = {name: index for index, name in enumerate(classes)}
    of_track = dict(zip(frame["track_id"], frame[column].map(number), strict=True))
    numbers = pd.Series(track_ids).map(of_track).fillna(-1).astype(int)
    return classes, torch.tensor(list(numbers))


def _ids(paths: Sequence[str | Path]) -> list[str]:
    import pyarrow.parquet as pq

    ids: list[str] = []
    for path in paths:
        key = tables.read_metadata(path)["key"]
        ids += pq.read_table(path, columns=[key])[key].to_pylist()
    return ids


def _spectrograms(
    paths: Sequence[str | Path], window_ids: Sequence[str], shape: tuple[int, ...]
) -> Tensor | StoredSpectrograms:
    n_bytes = len(window_ids) * int(np.prod(shape)) * torch.float16.itemsize
    if n_bytes <= IN_MEMORY_BYTES:
        return _read(paths, window_ids, shape, torch.float16)
    _check_shapes(paths, shape)
    return StoredSpectrograms(paths, window_ids, shape, torch.float16)


def _check_shapes(paths: Sequence[str | Path], shape: tuple[int, ...]) -> None:
    for path in paths:
        stored = tuple(tables.read_metadata(path)["shape"])
        if stored != shape:
            raise TableError(
                f"{path}: holds values of shape {stored}, the config asks for {shape}; delete the "
                "file and run again"
            )


def _read(
    paths: Sequence[str | Path],
    window_ids: Sequence[str],
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> Tensor:
    """A feature as one tensor in the order of `window_ids`, row group by row group."""
    _check_shapes(paths, shape)
    values = torch.empty((len(window_ids), *shape), dtype=dtype)
    row_of = {window_id: row for row, window_id in enumerate(window_ids)}
    filled = np.zeros(len(window_ids), bool)
    for ids, block in tables.iter_feature(paths):
        kept = [i for i, window_id in enumerate(ids) if window_id in row_of]
        if not kept:
            continue
        rows = np.array([row_of[ids[i]] for i in kept])
        good = np.isfinite(block[kept]).reshape(len(kept), -1).all(1)
        if not good.all():
            window_id = ids[kept[int(np.flatnonzero(~good)[0])]]
            raise TableError(
                f"{Path(paths[0]).parent}: window {window_id} holds NaN or infinity; delete the "
                "folder and run again"
            )
        values[torch.from_numpy(rows)] = torch.tensor(block[kept]).to(dtype)
        filled[rows] = True
    check_complete(paths, window_ids, filled)
    return values
