"""Lyrics embeddings of songs, windows and single lines."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config import Lyrics
from songatlas.errors import SongatlasError
from songatlas.jobs import progress
from songatlas.lyrics.clean import clean

logger = logging.getLogger(__name__)

WINDOWS_AT_ONCE = 1024


class Encoder(Protocol):
    """Turns cleaned texts into vectors, float32 of shape (n, dim)."""

    name: str
    dim: int

    def transform(self, texts: Sequence[str]) -> np.ndarray: ...


def write_lyrics_features(
    tracks_path: str | Path,
    windows_path: str | Path,
    song_output: str | Path,
    window_output: str | Path,
    lines_output: str | Path,
    config: Lyrics,
    seed: int,
) -> None:
    """Write the features `lyrics_song`, `lyrics_window` and `lyrics_lines`.

    All three share one encoder. `tfidf` is fitted on the cleaned lyrics of the corpus's songs, each
    song once, without labels.

    Args:
        tracks_path: a table `tables.TRACKS`.
        windows_path: a table `tables.WINDOWS`, whose `lyrics` hold one line per line.
        song_output: key track_id, shape (dim,): the songs that have lyrics.
        window_output: key window_id, shape (dim,): every window, zeros where nothing is sung.
        lines_output: key window_id, shape (max_lines, dim): every window, one row a line in order,
            then zero rows. Of more lines than `max_lines`, evenly spaced ones stand for all.

    Raises:
        SongatlasError: when a Hugging Face encoder is not there, or `lyrics.dim` is not its width.
    """
    tracks = tables.read(tracks_path, tables.TRACKS, columns=["track_id", "lyrics"])
    cleaned = {
        track: clean(text)
        for track, text in zip(tracks["track_id"], tracks["lyrics"], strict=True)
        if not pd.isna(text)
    }
    songs = {track: text for track, text in cleaned.items() if text}
    if not songs:
        logger.warning("no song has lyrics: the lyrics features are empty or zero")
    encoder = _encoder(config, seed, list(songs.values()))
    metadata = {
        "encoder": encoder.name,
        "revision": getattr(encoder, "revision", None),
        "lyrics": config.model_dump(),
    }
    tables.write_feature(
        song_output,
        "lyrics_song",
        list(songs),
        _encode(encoder, list(songs.values())),
        key="track_id",
        units="embedding",
        metadata=metadata,
    )
    windows = tables.read(windows_path, tables.WINDOWS, columns=["window_id", "lyrics"])
    _write_windows(windows, window_output, lines_output, encoder, config.max_lines, metadata)


def _write_windows(
    windows: pd.DataFrame,
    window_output: str | Path,
    lines_output: str | Path,
    encoder: Encoder,
    max_lines: int,
    metadata: dict[str, Any],
) -> None:
    """Both window features, some windows at a time so that memory stays bounded."""
    shape, key = (encoder.dim,), "window_id"
    with (
        tables.FeatureWriter(
            window_output,
            "lyrics_window",
            shape,
            "float32",
            key=key,
            units="embedding",
            metadata=metadata,
        ) as whole,
        tables.FeatureWriter(
            lines_output,
            "lyrics_lines",
            (max_lines, *shape),
            "float32",
            key=key,
            units="embedding",
            metadata=metadata,
        ) as single,
    ):
        starts = range(0, len(windows), WINDOWS_AT_ONCE)
        for start in progress(starts, "lyrics", unit=f"{WINDOWS_AT_ONCE} windows"):
            some = windows.iloc[start : start + WINDOWS_AT_ONCE]
            ids = some["window_id"].tolist()
            texts = ["" if pd.isna(text) else clean(text) for text in some["lyrics"]]
            whole.write(ids, _encode(encoder, texts))
            lines = [_spread(text.split("\n"), max_lines) if text else [] for text in texts]
            flat = _encode(encoder, [line for window in lines for line in window])
            padded = np.zeros((len(ids), max_lines, encoder.dim), np.float32)
            filled = np.array([[i < len(window) for i in range(max_lines)] for window in lines])
            padded[filled] = flat
            single.write(ids, padded)


def _encoder(config: Lyrics, seed: int, songs: list[str]) -> Encoder:
    if config.encoder == "tfidf":
        from songatlas.lyrics.tfidf import TfidfSvd

        return TfidfSvd(config.ngram_min, config.ngram_max, config.dim, seed).fit(songs)
    from songatlas.lyrics.huggingface import HuggingFaceEncoder

    encoder = HuggingFaceEncoder(
        config.encoder,
        max_tokens=config.max_tokens,
        trust_remote_code=config.trust_remote_code,
    )
    if encoder.dim != config.dim:
        raise SongatlasError(
            f"lyrics.dim is {config.dim}, but `{config.encoder}` gives vectors of width "
            f"{encoder.dim}: set lyrics.dim to {encoder.dim}"
        )
    return encoder


def _encode(encoder: Encoder, texts: list[str]) -> np.ndarray:
    """Encode each distinct text once: choruses repeat, and so do windows without time stamps."""
    distinct = list(dict.fromkeys(texts))
    row = {text: i for i, text in enumerate(distinct)}
    vectors = encoder.transform(distinct)
    return vectors[[row[text] for text in texts]]


def _spread(lines: list[str], at_most: int) -> list[str]:
    """`lines`, or `at_most` of them from first to last at even distances."""
    if len(lines) <= at_most:
        return lines
    chosen = np.linspace(0, len(lines) - 1, at_most).round().astype(int)
    return [lines[i] for i in chosen]
