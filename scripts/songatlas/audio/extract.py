"""Computing a feature of every window of a shard, song by song."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from songatlas import tables
from songatlas.audio.decode import AudioError, decode_windows, probe
from songatlas.audio.patches import PATCH_S, patches_of_windows, spread
from songatlas.corpus.result import Problems
from songatlas.jobs import progress

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
                values = _song_values(
                    feature,
                    path,
                    song["start_s"].tolist(),
                    sample_rate_hz,
                    length_s,
                    partial(problems.warn, path),
                )
            except AudioError as error:
                logger.warning("left out: %s", error)
                problems.reject(path, error.reason, error.detail)
                continue
            ids = song["window_id"].tolist()
            for start in range(0, len(ids), WINDOWS_PER_GROUP):
                some = slice(start, start + WINDOWS_PER_GROUP)
                writer.write(ids[some], values[some])
    if rejects_path is not None:
        tables.write(problems.rejects(), rejects_path, tables.REJECTS)
    if warnings_path is not None:
        tables.write(problems.warnings(), warnings_path, tables.WARNINGS)
    left_out = len(problems.rejected)
    return f"{len(songs) - left_out} songs, {left_out} left out"


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
