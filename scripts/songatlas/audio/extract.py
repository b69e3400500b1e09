"""Computing a feature of every window of a shard, song by song."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.audio.decode import AudioError, decode_windows
from songatlas.jobs import progress

logger = logging.getLogger(__name__)

WINDOWS_AT_ONCE = 16
"""Windows held as samples (16 of 30 s at 22,050 Hz are 42 MB)."""


@dataclass(frozen=True)
class WindowFeature:
    """A feature of a window: `compute` maps float32 (n, samples) to `dtype` (n, *shape)."""

    name: str
    shape: Sequence[int]
    dtype: str
    units: str
    metadata: Mapping[str, Any]
    compute: Callable[[np.ndarray], np.ndarray]


def write_window_feature(
    feature: WindowFeature,
    shard_path: str | Path,
    output: str | Path,
    rejects_path: str | Path | None,
    sample_rate_hz: int,
    length_s: float,
) -> str:
    """Write one part of `feature` for the windows in `shard_path` (a table `tables.SHARD`).

    A song that cannot be decoded stops nothing: it is logged, recorded in `rejects_path` (a table
    `tables.REJECTS`, stage = the feature's name) and none of its windows is written. One song is in
    memory at a time, as feature values; its samples stream.

    Returns:
        How many songs were written and how many left out, in words.
    """
    shard = tables.read(shard_path, tables.SHARD)
    rejects = []
    writer = tables.FeatureWriter(
        output,
        feature.name,
        feature.shape,
        feature.dtype,
        units=feature.units,
        metadata=feature.metadata,
    )
    with writer:
        songs = [song for _, song in shard.groupby("track_id", sort=True)]
        for song in progress(songs, feature.name):
            song = song.sort_values(["start_s", "window_id"])
            path = song["audio_path"].iloc[0]
            try:
                values = np.concatenate(
                    list(_song_values(feature, path, song["start_s"], sample_rate_hz, length_s))
                )
            except AudioError as error:
                logger.warning("left out: %s", error)
                rejects.append((str(path), feature.name, error.reason, error.detail))
                continue
            writer.write(song["window_id"].tolist(), values)
    if rejects_path is not None:
        columns = list(tables.REJECTS.columns)
        frame = pd.DataFrame(rejects, columns=columns) if rejects else tables.empty(tables.REJECTS)
        tables.write(frame, rejects_path, tables.REJECTS)
    return f"{len(songs) - len(rejects)} songs, {len(rejects)} left out"


def _song_values(
    feature: WindowFeature, path: str, starts_s: pd.Series, sample_rate_hz: int, length_s: float
) -> Iterator[np.ndarray]:
    windows = decode_windows(path, sample_rate_hz, starts_s.tolist(), length_s)
    while some := list(islice(windows, WINDOWS_AT_ONCE)):
        yield feature.compute(np.stack(some))
