"""Musical time: what a page needs to show and to feel a song while it plays, 20 times a second."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from songatlas import tables
from songatlas.corpus.sound.decode import AudioError, decode_blocks
from songatlas.features.audio.beats import STEADY, Rhythm, rhythm
from songatlas.features.audio.key import Key, key
from songatlas.features.audio.sound_curves import (
    FRAME_RATE_HZ,
    SAMPLE_RATE_HZ,
    SoundCurves,
    sound_curves,
)
from songatlas.run.compiled import compiling
from songatlas.run.jobs import progress

logger = logging.getLogger(__name__)

RATE_HZ = 20
FRAMES = round(FRAME_RATE_HZ / RATE_HZ)
"""Frames that make one stored value."""

UNKNOWN = 255
"""Code of a value that is not known; the others are 0 to 254."""

CURVES = {
    "onset": "dB",
    "loudness": "LUFS",
    "brightness": "Hz",
    "bass": "dB",
    "tempo": "bpm",
    "confidence": "1",
}
"""Curves that are stored, with their units."""

MUSICAL_TIME = tables.Table(
    "musical_time",
    {
        "track_id": tables.TEXT,
        "duration_s": tables.F64,
        "tempo_bpm": tables.F64,
        "beat_strength": tables.F64,
        "key": tables.TEXT,
        "key_confidence": tables.F64,
        "mode": tables.TEXT,
        "mode_confidence": tables.F64,
        "beats_s": pa.list_(tables.F32),
        **{name: pa.list_(pa.uint8()) for name in CURVES},
        **{f"{name}_offset": tables.F64 for name in CURVES},
        **{f"{name}_scale": tables.F64 for name in CURVES},
    },
    nullable=frozenset(["tempo_bpm", "key", "key_confidence", "mode", "mode_confidence"]),
    key=("track_id",),
    allowed={"mode": ("major", "minor")},
)
"""One row a song. Value i of a curve holds of [i / 20 s, (i + 1) / 20 s) and is offset + scale *
code, not known where the code is `UNKNOWN`. `tempo_bpm` is null without a steady beat, `key` and
`mode` without pitches; `beat_strength` is `Rhythm.strength`, 0 to 1."""


@dataclass(frozen=True)
class MusicalTime:
    """A song's curves by name of `CURVES`, float64 of shape (values,), NaN where not known."""

    duration_s: float
    curves: dict[str, np.ndarray]
    rhythm: Rhythm
    key: Key | None


def musical_time(blocks: Iterable[np.ndarray]) -> MusicalTime:
    """Hear a song once; in memory are its curves, not its samples.

    Args:
        blocks: float32 mono samples of shape (samples,) each, at `SAMPLE_RATE_HZ`.
    """
    sound = sound_curves(blocks)
    beats = rhythm(sound.onset, FRAME_RATE_HZ)
    return MusicalTime(sound.duration_s, _curves(sound, beats), beats, key(sound.pitch))


def _curves(sound: SoundCurves, beats: Rhythm) -> dict[str, np.ndarray]:
    values = -(-len(sound.onset) // FRAMES)
    middles_s = (np.arange(values) + 0.5) / RATE_HZ
    curves = {
        "onset": _by_value(sound.onset).max(axis=1),
        "loudness": _by_value(sound.loudness_lufs).mean(axis=1),
        "brightness": _by_value(sound.brightness_hz).mean(axis=1),
        "bass": _by_value(sound.bass_db).mean(axis=1),
        "tempo": np.full(values, np.nan),
        "confidence": np.zeros(values),
    }
    if len(beats.times_s):
        confidence = np.interp(middles_s, beats.times_s, beats.confidence)
        tempo = np.interp(middles_s, beats.times_s, beats.tempo_bpm)
        curves["confidence"] = confidence
        curves["tempo"] = np.where(confidence >= STEADY, tempo, np.nan)
    return curves


def _by_value(frames: np.ndarray) -> np.ndarray:
    """The frames of each value, float64 of shape (values, FRAMES); the last frame is repeated."""
    padded = np.pad(frames.astype(np.float64), (0, -len(frames) % FRAMES), mode="edge")
    return padded.reshape(-1, FRAMES)


def coded(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Codes uint8, offset and scale, such that a value is offset + scale * code.

    Half a step, 1/508 of the range, is the largest error.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(values), UNKNOWN, np.uint8), 0.0, 1.0
    low, high = float(values[known].min()), float(values[known].max())
    scale = (high - low) / (UNKNOWN - 1) or 1.0
    codes = np.full(len(values), UNKNOWN, np.uint8)
    codes[known] = np.round((values[known] - low) / scale).astype(np.uint8)
    return codes, low, scale


def write_musical_time(shard_path: str | Path, output: str | Path) -> str:
    """Write the table `MUSICAL_TIME` of a shard's songs.

    A song that cannot be decoded, or is silent, has no row; the log says why.

    Args:
        shard_path: a table `tables.SHARD`.

    Returns:
        How many songs were written and left out, in words.

    Raises:
        TableError: when the shard is missing or breaks its schema.
    """
    ready()
    shard = tables.read(shard_path, tables.SHARD, columns=["track_id", "audio_path"])
    songs = shard.drop_duplicates("track_id").sort_values("track_id")
    heard: dict[str, MusicalTime] = {}
    paths = dict(zip(songs["track_id"], songs["audio_path"], strict=True))
    for track_id, path in progress(list(paths.items()), "musical time"):
        try:
            heard[track_id] = musical_time(decode_blocks(path, SAMPLE_RATE_HZ))
        except AudioError as error:
            logger.warning("no musical time: %s", error)
    write_table(heard, output)
    return f"{len(heard)} songs, {len(songs) - len(heard)} left out"


def write_table(heard: Mapping[str, MusicalTime], output: str | Path) -> None:
    """Write songs by track id as the table `MUSICAL_TIME`."""
    rows = [{"track_id": track_id, **_row(one)} for track_id, one in heard.items()]
    frame = pd.DataFrame(rows) if rows else tables.empty(MUSICAL_TIME)
    tables.write(frame, output, MUSICAL_TIME, {"rate_hz": RATE_HZ, "units": CURVES})


def _row(heard: MusicalTime) -> dict[str, Any]:
    row: dict[str, Any] = {
        "duration_s": heard.duration_s,
        "tempo_bpm": heard.rhythm.song_tempo_bpm,
        "beat_strength": heard.rhythm.strength,
        "key": heard.key and heard.key.tonic,
        "key_confidence": heard.key and heard.key.confidence,
        "mode": heard.key and heard.key.mode,
        "mode_confidence": heard.key and heard.key.mode_confidence,
        "beats_s": heard.rhythm.beats_s.astype(np.float32),
    }
    for name, values in heard.curves.items():
        row[name], row[f"{name}_offset"], row[f"{name}_scale"] = coded(values)
    return row


@cache
def ready() -> None:
    """Have librosa compile what beats need, or load it: once a process, under the lock."""
    clicks = np.zeros(round(20 * FRAME_RATE_HZ))
    clicks[:: round(FRAME_RATE_HZ / 2)] = 1.0
    with compiling():
        rhythm(clicks, FRAME_RATE_HZ)
