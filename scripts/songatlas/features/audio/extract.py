"""Computing a feature of every window of a shard, song by song."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.corpus.result import Problems
from songatlas.corpus.sound.decode import AudioError, decode_blocks, decode_windows, probe
from songatlas.features.audio.patches import PATCH_S, patches_of_windows, spread
from songatlas.run.jobs import progress

logger = logging.getLogger(__name__)

WINDOWS_AT_ONCE = 16
"""Windows held as samples (16 of 30 s at 22,050 Hz are 42 MB)."""

WINDOWS_PER_GROUP = 64
"""Windows written together: encoding takes several times the memory of the values."""


@dataclass(frozen=True)
class WindowFeature:
    """A feature of a window: `compute` maps float32 (n, samples) to `dtype` (n, *shape)."""

    name: str
    shape: Sequence[int]
    dtype: str
    units: str
    metadata: Mapping[str, Any]
    compute: Callable[[np.ndarray], np.ndarray]
    excerpts: int | None = None
    """A window is described by those of so many excerpts of its song that lie in it (None: by all
    of it)."""


@dataclass(frozen=True)
class SongFeature:
    """A feature that is computed of a whole song at once, then told of its windows and of itself.

    `hear` takes its samples in blocks; of what it returns, `windows` makes (n, *shape) for windows
    that begin at given seconds, `song` makes (*shape), and `odd` says what is odd, if anything.
    """

    name: str
    shape: Sequence[int]
    dtype: str
    units: str
    metadata: Mapping[str, Any]
    hear: Callable[[Iterator[np.ndarray]], Any]
    windows: Callable[[Any, Sequence[float]], np.ndarray]
    song: Callable[[Any], np.ndarray]
    odd: Callable[[Any], str | None]


def write_window_feature(
    feature: WindowFeature,
    shard_path: str | Path,
    output: str | Path,
    rejects_path: str | Path | None,
    sample_rate_hz: int,
    length_s: float,
    warnings_path: str | Path | None = None,
) -> str:
    """Write one part of `feature` for the windows in `shard_path` (a table `tables.SHARD`).

    A song that cannot be decoded, or whose values are not finite, stops nothing: it is logged,
    recorded in `rejects_path` (a table `tables.REJECTS`, stage = the feature's name) and none of
    its windows is written. What is odd about a song that is used goes to `warnings_path`
    (`tables.WARNINGS`). One song is in memory at a time, as feature values; its samples stream.

    Returns:
        How many songs were written and how many left out, in words.
    """
    shard = tables.read(shard_path, tables.SHARD)
    problems = Problems(feature.name)

    def values_of(path: str, starts_s: list[float]) -> np.ndarray:
        warn = partial(problems.warn, path)
        return _song_values(feature, path, starts_s, sample_rate_hz, length_s, warn)

    with _writer(feature, output, "window_id") as writer:
        for song, values in _each_song(shard, feature.name, problems, values_of):
            ids = song["window_id"].tolist()
            for start in range(0, len(ids), WINDOWS_PER_GROUP):
                some = slice(start, start + WINDOWS_PER_GROUP)
                writer.write(ids[some], values[some])
    return _told(problems, shard, rejects_path, warnings_path)


def write_song_feature(
    feature: SongFeature, shard_path: str | Path, outputs: Mapping[str, Path], sample_rate_hz: int
) -> str:
    """Write one part of a feature of whole songs, for a shard's windows and for its songs.

    `outputs` names the files `part`, `songs`, `rejects`, `warnings`. What goes wrong is told as by
    `write_window_feature`. A song's samples stream: what is heard of it is in memory.

    Returns:
        How many songs were written and how many left out, in words.
    """
    shard = tables.read(shard_path, tables.SHARD)
    problems = Problems(feature.name)

    def heard(path: str, starts_s: list[float]) -> Any:
        song = feature.hear(decode_blocks(path, sample_rate_hz, partial(problems.warn, path)))
        if odd := feature.odd(song):
            problems.warn(path, "padded", odd)
        return feature.windows(song, starts_s), feature.song(song)

    with (
        _writer(feature, outputs["part"], "window_id") as part,
        _writer(feature, outputs["songs"], "track_id") as songs,
    ):
        for song, (windows, whole) in _each_song(shard, feature.name, problems, heard):
            part.write(song["window_id"].tolist(), windows)
            songs.write([song["track_id"].iloc[0]], whole[None])
    return _told(problems, shard, outputs["rejects"], outputs["warnings"])


def _writer(
    feature: WindowFeature | SongFeature, output: str | Path, key: str
) -> tables.FeatureWriter:
    return tables.FeatureWriter(
        output,
        feature.name,
        feature.shape,
        feature.dtype,
        key=key,
        units=feature.units,
        metadata=feature.metadata,
    )


def _each_song(
    shard: pd.DataFrame,
    name: str,
    problems: Problems,
    compute: Callable[[str, list[float]], Any],
) -> Iterator[tuple[pd.DataFrame, Any]]:
    """Windows of each song, in order, and what is computed of it; bad songs are set aside."""
    songs = [song for _, song in shard.groupby("track_id", sort=True)]
    for song in progress(songs, name):
        song = song.sort_values(["start_s", "window_id"])
        path = song["audio_path"].iloc[0]
        try:
            values = compute(path, song["start_s"].tolist())
        except AudioError as error:
            logger.warning("left out: %s", error)
            problems.reject(path, error.reason, error.detail)
            continue
        except MemoryError as error:
            logger.warning("left out: %s: %s", path, error)
            problems.reject(path, "unreadable", f"takes more memory than there is: {error}")
            continue
        yield song, values


def _told(
    problems: Problems,
    shard: pd.DataFrame,
    rejects_path: str | Path | None,
    warnings_path: str | Path | None,
) -> str:
    """Write what went wrong, and say how many songs did not."""
    if rejects_path is not None:
        tables.write(problems.rejects(), rejects_path, tables.REJECTS)
    if warnings_path is not None:
        tables.write(problems.warnings(), warnings_path, tables.WARNINGS)
    left_out = len(problems.rejected)
    return f"{shard['track_id'].nunique() - left_out} songs, {left_out} left out"


def _song_values(
    feature: WindowFeature,
    path: str,
    starts_s: list[float],
    sample_rate_hz: int,
    length_s: float,
    warn: Callable[[str, str], None],
) -> np.ndarray:
    """Values of a song's windows, shape (n, *feature.shape).

    Raises:
        AudioError: as `decode_windows`; `not_finite` where a value is NaN or infinite.
    """
    if feature.excerpts is None:
        windows = decode_windows(path, sample_rate_hz, starts_s, length_s, warn)
    else:
        windows = _excerpts(path, sample_rate_hz, starts_s, length_s, feature.excerpts, warn)
    at_once = WINDOWS_AT_ONCE if feature.excerpts is None else 1
    parts = []
    while some := list(islice(windows, at_once)):
        parts.append(feature.compute(np.stack(some)))
    values = np.concatenate(parts)
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        at = starts_s[int(np.flatnonzero(bad)[0])]
        raise AudioError(
            path, "not_finite", f"{feature.name} of the window at {at:.1f} s is not finite"
        )
    return values


def _excerpts(
    path: str,
    sample_rate_hz: int,
    starts_s: list[float],
    length_s: float,
    excerpts: int,
    warn: Callable[[str, str], None],
) -> Iterator[np.ndarray]:
    """Of each window the excerpts whose middle lies in it, else the nearest one, end to end.

    Raises:
        AudioError: as `decode_windows`.
    """
    patches = int(probe(path).duration_s // PATCH_S)
    chosen = spread(patches, excerpts) * PATCH_S if patches else np.zeros(1)
    parts = list(decode_windows(path, sample_rate_hz, list(chosen), PATCH_S, warn))
    for rows in patches_of_windows(chosen + PATCH_S / 2, starts_s, length_s):
        yield np.concatenate([parts[row] for row in rows])
