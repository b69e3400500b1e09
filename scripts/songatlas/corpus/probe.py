"""Opening every song once: its identity (a hash of its coded sound) and how long it is.

Both come from its packets (`corpus/sound/packets.py`), which are read and not decoded: tags, covers
and where a file lies are no part of its identity. Damage that packets do not show is found when the
song is decoded for the features.
"""

import hashlib
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from songatlas import tables
from songatlas.corpus.shards import shard_of

STAGE = "probe"
TRACK_ID_DIGITS = 16

PROBED = tables.Table(
    "probed",
    {
        "source_id": tables.TEXT,
        "track_id": tables.TEXT,
        "duration_s": tables.F64,
        "sample_rate_hz": tables.I32,
        "channels": tables.I32,
        "stated_s": tables.F64,
        "reject": tables.TEXT,
        "warning": tables.TEXT,
        "detail": tables.TEXT,
    },
    nullable=frozenset(
        [
            "track_id",
            "duration_s",
            "sample_rate_hz",
            "channels",
            "stated_s",
            "reject",
            "warning",
            "detail",
        ]
    ),
    key=("source_id",),
    allowed={"reject": tables.REJECT_REASONS, "warning": tables.WARNING_REASONS},
)
"""One row per source of a shard: either `track_id` or `reject` is set. `duration_s` is null for
songs without audio; `detail` belongs to `reject` or `warning`."""


def shard_rows(sources: pd.DataFrame, shard: int, shards: int) -> pd.DataFrame:
    """The sources of one shard, by a hash of the audio path (of the id where there is no audio)."""
    keys = sources["audio_path"].fillna(sources["source_id"])
    mine = [shard_of(key, shards) == shard for key in keys]
    return sources[pd.Series(mine, index=sources.index, dtype=bool)]


def probe_sources(sources: pd.DataFrame, songs: Iterable[Any] | None = None) -> pd.DataFrame:
    """Probe every source (`tables.SOURCES`); one row each in `PROBED`, in the same order.

    `songs` lets a caller show progress: the tuples of `sources.itertuples()`, wrapped.
    """
    rows = [probe_song(song) for song in songs or sources.itertuples(index=False)]
    if not rows:
        return tables.empty(PROBED)
    frame = pd.DataFrame(rows, columns=list(PROBED.columns))
    return frame.astype({"sample_rate_hz": "Int32", "channels": "Int32"})


def probe_song(song: Any) -> dict[str, Any]:
    """One row of `PROBED`. A song whose audio is absent but whose lyrics are there is used."""
    from songatlas.corpus.sound.decode import AudioError

    row: dict[str, Any] = {"source_id": song.source_id}
    lyrics = None if pd.isna(song.lyrics) else song.lyrics
    missing = None
    if not pd.isna(song.audio_path):
        path = Path(song.audio_path)
        try:
            return row | _probe_audio(path)
        except AudioError as error:
            if error.reason != "missing_file" or lyrics is None:
                return row | {"reject": error.reason, "detail": error.detail}
            missing = f"{path}: {error.detail}; only its lyrics are used"
    if lyrics is None:
        detail = "neither audio nor lyrics that can be read"
        return row | {"reject": "no_audio_and_no_lyrics", "detail": detail}
    row["track_id"] = lyrics_id(lyrics)
    return row | ({"warning": "missing_audio", "detail": missing} if missing else {})


def lyrics_id(lyrics: str) -> str:
    """Identity of a song without audio: the hash of its NFC-normalised lyrics."""
    text = unicodedata.normalize("NFC", lyrics)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:TRACK_ID_DIGITS]


def _probe_audio(path: Path) -> dict[str, Any]:
    from songatlas.corpus.sound.decode import AudioError, probe

    try:
        is_file = path.is_file() or not path.exists()
    except (OSError, ValueError) as error:  # ValueError: the path holds a NUL
        detail = getattr(error, "strerror", None) or str(error)
        raise AudioError(path, "unreadable", detail) from None
    if not is_file:
        raise AudioError(path, "unreadable", "not a file")
    info = probe(path)
    return {
        "track_id": info.digest[:TRACK_ID_DIGITS],
        "duration_s": info.duration_s,
        "sample_rate_hz": info.sample_rate_hz,
        "channels": info.channels,
        "stated_s": info.stated_s,
        "warning": "damaged" if info.damage else "second_file" if info.left_out else None,
        "detail": "; ".join(filter(None, (info.damage, info.left_out))) or None,
    }
