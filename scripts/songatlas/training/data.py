"""The windows that models read: in memory as float16, standardised batch by batch."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from songatlas import tables
from songatlas.audio.standardise import standardise
from songatlas.errors import NotApplicable, SongatlasError, TableError
from songatlas.models.base import InputSpec

IN_MEMORY_BYTES = 8 * 2**30
"""Spectrograms beyond this lie in a temporary file that the operating system pages in."""


@dataclass(frozen=True)
class Windows:
    """Windows in the order of the windows table, without those whose features are missing."""

    window_ids: tuple[str, ...]
    track_ids: tuple[str, ...]
    splits: tuple[str, ...]
    mel: Tensor
    """(n, n_mels, n_frames) float16 in dB."""
    lyrics: Tensor | None = None
    """(n, lyrics_dim) float32."""
    lyrics_lines: Tensor | None = None
    """(n, max_lines, lyrics_dim) float32."""
    label: Tensor | None = None
    """(n,) int64, −1 where unknown."""
    classes: tuple[str, ...] = ()
    """Names of the labels, in order."""

    def __len__(self) -> int:
        return len(self.window_ids)

    def rows(self, *splits: str) -> np.ndarray:
        """Indices of the windows of some splits, in order."""
        return np.flatnonzero(np.isin(np.array(self.splits), splits))

    def batch(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Windows at `rows` as they are stored; `prepare` makes them a model's batch."""
        index = torch.as_tensor(rows, device=self.mel.device)
        batch = {"mel": self.mel[index]}
        for name in ("lyrics", "lyrics_lines", "label"):
            values = getattr(self, name)
            if values is not None:
                batch[name] = values[index]
        return batch

    def to(self, device: str) -> "Windows":
        """The same windows with their tensors on another device."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("mel", "lyrics", "lyrics_lines", "label")
            if getattr(self, name) is not None
        }
        return replace(self, **moved)


class Batches:
    """Batches of some windows; reshuffled every epoch when a seed is given.

    The order is a function of (seed, epoch) alone, so that a resumed run sees the same batches.
    A last batch of one window joins the batch before it, since batch normalisation has no variance
    over one; `len` counts batches.
    """

    def __init__(
        self, windows: Windows, rows: np.ndarray, batch_size: int, seed: int | None = None
    ) -> None:
        self.windows, self.rows, self.batch_size, self.seed = windows, rows, batch_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.split(self.rows))

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rows = self.rows
        if self.seed is not None:
            rows = np.random.default_rng([self.seed, self.epoch]).permutation(rows)
        for some in self.split(rows):
            yield self.windows.batch(some)

    def split(self, rows: np.ndarray) -> list[np.ndarray]:
        """Rows of each batch."""
        starts = list(range(0, len(rows), self.batch_size))
        if len(starts) > 1 and len(rows) - starts[-1] == 1:
            starts.pop()
        return np.split(rows, starts[1:]) if starts else []


def prepare(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A model's batch: spectrograms (B, n_mels, n_frames) in dB → (B, 1, n_mels, n_frames).

    float32, zero mean and unit variance per window; a constant window becomes zeros.
    """
    return {**batch, "mel": standardise(batch["mel"]).unsqueeze(1)}


def read_windows(
    windows: str | Path,
    logmel: Sequence[str | Path],
    spec: InputSpec,
    *,
    labels: str | Path | None = None,
    condition_on: Literal["language", "genre"] | None = None,
    lyrics_window: str | Path | None = None,
    lyrics_lines: str | Path | None = None,
) -> tuple[Windows, InputSpec]:
    """Read everything a model needs, and the spec with the lyrics' dimensions as they are on disk.

    Windows without a spectrogram (songs that a later stage rejected) are left out. Classes are the
    sorted labels of all songs of the corpus, with audio or without.

    Raises:
        TableError: when a feature does not fit the windows or the spec, or holds NaN.
        NotApplicable: when no window is left, or no song has the label.
    """
    frame = tables.read(windows, tables.WINDOWS)
    present = set(_ids(logmel))
    frame = frame[frame["window_id"].isin(present)].reset_index(drop=True)
    if frame.empty:
        raise NotApplicable("not trained: no window of this corpus has a spectrogram")
    window_ids = tuple(frame["window_id"])
    found = Windows(
        window_ids=window_ids,
        track_ids=tuple(frame["track_id"]),
        splits=tuple(frame["split"]),
        mel=_read(logmel, window_ids, (spec.n_mels, spec.n_frames), torch.float16),
    )
    if lyrics_window is not None and lyrics_lines is not None:
        shape = tables.read_metadata(lyrics_lines)["shape"]
        spec = replace(spec, max_lines=shape[0], lyrics_dim=shape[1])
        found = replace(
            found,
            lyrics=_read([lyrics_window], window_ids, (spec.lyrics_dim,), torch.float32),
            lyrics_lines=_read([lyrics_lines], window_ids, tuple(shape), torch.float32),
        )
    if condition_on is not None:
        if labels is None:
            raise SongatlasError(f"a model conditioned on {condition_on} needs the labels table")
        classes, label = _labels(labels, condition_on, found.track_ids)
        found = replace(found, label=label, classes=classes)
    return found, spec


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


def _read(
    paths: Sequence[str | Path],
    window_ids: Sequence[str],
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> Tensor:
    """A feature as one tensor in the order of `window_ids`, row group by row group."""
    for path in paths:
        stored = tuple(tables.read_metadata(path)["shape"])
        if stored != shape:
            raise TableError(
                f"{path}: holds values of shape {stored}, the config asks for {shape}; delete the "
                "file and run again"
            )
    values = _allocate((len(window_ids), *shape), dtype)
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
    if not filled.all():
        window_id = window_ids[int(np.flatnonzero(~filled)[0])]
        raise TableError(
            f"{Path(paths[0]).parent}: window {window_id} is missing; delete the folder and run "
            "again"
        )
    return values


def _allocate(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    n_values = int(np.prod(shape))
    if n_values * dtype.itemsize <= IN_MEMORY_BYTES:
        return torch.empty(shape, dtype=dtype)
    # Unlinked at once: the file lives as long as the tensor does.
    with tempfile.NamedTemporaryFile(prefix="songatlas-") as file:
        tensor: Tensor = torch.from_file(file.name, shared=True, size=n_values, dtype=dtype)
        return tensor.view(shape)
