"""Transcripts of one shard's songs, as tables."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soxr

from songatlas import tables
from songatlas.config.words import Transcription
from songatlas.corpus.sound.decode import AudioError, decode
from songatlas.words.transcription import separate, whisper
from songatlas.words.transcription.guard import judged
from songatlas.words.transcription.tables import SEGMENTS, SONGS

LEAST_SUNG = 0.05
"""A song with a smaller share of sung seconds is instrumental."""


def to_transcribe(sources: pd.DataFrame, probed: pd.DataFrame, songs: str) -> pd.DataFrame:
    """The sources (`tables.SOURCES`) whose audio can be read: without lyrics, or all."""
    readable = probed[probed["reject"].isna() & probed["duration_s"].notna()]
    chosen = sources["audio_path"].notna() & sources["source_id"].isin(readable["source_id"])
    if songs == "missing":
        chosen &= sources["lyrics"].isna() & sources["lines"].isna()
    return sources[chosen].sort_values("source_id", ignore_index=True)


def transcribe_songs(
    songs: Iterable[Any], load: Callable[[], Any], settings: Transcription
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `SEGMENTS` and of `SONGS`; one song that cannot be read stops nothing.

    Args:
        songs: rows with `source_id` and `audio_path`.
        load: gives a `whisper.Transcriber`; called where there is a song.
    """
    transcriber = separator = None
    segments, found = [], []
    for song in songs:
        if transcriber is None:
            transcriber = load()
            if settings.separation is not None:
                separator = separate.load_separator(settings.separation, transcriber.device)
        row: dict[str, Any] = {"source_id": song.source_id, "sung_share": None, "note": None}
        row |= {"language": None, "probability": None}
        found.append(row)
        try:
            wave, share = _sound(song.audio_path, separator, transcriber.device)
        except AudioError as error:
            row["note"] = str(error)
            continue
        row["sung_share"] = share
        if share is not None and share < LEAST_SUNG:
            row["note"] = "nobody sings"
            continue
        heard = transcriber.listen(wave)
        row["language"] = settings.language or heard.language
        row["probability"] = None if settings.language else heard.probability
        if min(heard.no_speech) > settings.no_speech:
            row |= {"note": "nobody sings", "language": None, "probability": None}
            continue
        written = judged(transcriber.transcribe(wave, heard, row["language"]), settings)
        segments += [{"source_id": song.source_id, **asdict(one)} for one in written]
        if not any(one.reason is None for one in written):
            row |= {"note": "nothing that can be believed", "language": None, "probability": None}
    return (
        pd.DataFrame(segments, columns=list(SEGMENTS.columns))
        if segments
        else tables.empty(SEGMENTS),
        pd.DataFrame(found, columns=list(SONGS.columns)) if found else tables.empty(SONGS),
    )


def _sound(path: str, separator: Any, device: str) -> tuple[np.ndarray, float | None]:
    """What is transcribed, at Whisper's rate, and the share of it that is sung, where known."""
    if separator is None:
        return decode(path, whisper.RATE_HZ), None
    mix = decode(path, separate.RATE_HZ)
    voice = separate.vocals(separator, mix, device)
    share = separate.sung_share(voice, mix, separate.RATE_HZ)
    return soxr.resample(voice, separate.RATE_HZ, whisper.RATE_HZ), share


def write_transcripts(
    songs: Iterable[Any],
    load: Callable[[], Any],
    settings: Transcription,
    segments_path: str | Path,
    songs_path: str | Path,
) -> str:
    """Write both tables of some songs (see `transcribe_songs`); a line that says what they hold."""
    segments, heard = transcribe_songs(songs, load, settings)
    tables.write(segments, segments_path, SEGMENTS)
    tables.write(heard, songs_path, SONGS)
    with_lyrics = int(heard["note"].isna().sum()) if len(heard) else 0
    dropped = int(segments["reason"].notna().sum())
    return (
        f"{len(heard)} songs listened to, {with_lyrics} with lyrics, "
        f"{dropped} of {len(segments)} segments not believed"
    )
