"""Lyrics embeddings of songs, windows and single lines."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.features import Lyrics
from songatlas.errors import SongatlasError
from songatlas.features.lyrics.clean import clean
from songatlas.run.jobs import progress

logger = logging.getLogger(__name__)

TEXTS_AT_ONCE = 1024


class Encoder(Protocol):
    """Turns cleaned texts into vectors, float32 of shape (n, dim)."""

    name: str
    dim: int

    def transform(self, texts: Sequence[str]) -> np.ndarray: ...


def write_lyrics_features(
    tracks_path: str | Path,
    windows_path: str | Path,
    song_output: str | Path,
    song_lines_output: str | Path,
    window_output: str | Path,
    lines_output: str | Path,
    config: Lyrics,
    seed: int,
) -> None:
    """Write the features `lyrics_song`, `lyrics_song_lines`, `lyrics_window`, `lyrics_lines`.

    All share one encoder. `tfidf` is fitted on the cleaned lyrics of the corpus's songs, each
    song once, without labels.

    Args:
        tracks_path: a table `tables.TRACKS`.
        windows_path: a table `tables.WINDOWS`, whose `lyrics` hold one line per line.
        song_output: key track_id, shape (dim,): the songs that have lyrics.
        song_lines_output: key track_id, shape (max_lines, dim): the same songs, as `lines_output`.
        window_output: key window_id, shape (dim,): every window, zeros where nothing is sung.
        lines_output: key window_id, shape (max_lines, dim): every window, one row a line in order,
            then zero rows. Of more lines than `max_lines`, evenly spaced ones stand for all.

    Raises:
        SongatlasError: when a Hugging Face encoder is not there, or `lyrics.dim` is not its width.
    """
    songs = song_lyrics(tracks_path)
    if not songs:
        logger.warning("no song has lyrics: the lyrics features are empty or zero")
    encoder = encoder_of(config, seed, list(songs.values()))
    metadata = {
        "encoder": encoder.name,
        "revision": getattr(encoder, "revision", None),
        "lyrics": config.model_dump(),
    }
    shared = (encoder, config.max_lines, metadata)
    _write_texts(list(songs.items()), "track_id", "song", song_output, song_lines_output, *shared)
    windows = tables.read(windows_path, tables.WINDOWS, columns=["window_id", "lyrics"])
    texts = [
        (window_id, "" if pd.isna(text) else clean(text))
        for window_id, text in zip(windows["window_id"], windows["lyrics"], strict=True)
    ]
    _write_texts(texts, "window_id", "window", window_output, lines_output, *shared)


def write_song_vectors(
    tracks_path: str | Path, output: str | Path, name: str, config: Lyrics, seed: int
) -> None:
    """Write a feature of one vector per song that has lyrics, by an encoder of its own.

    Args:
        tracks_path: a table `tables.TRACKS`.
        output: key track_id, shape (dim,).
        name: of the feature.

    Raises:
        SongatlasError: as `write_lyrics_features`.
    """
    songs = song_lyrics(tracks_path)
    encoder = encoder_of(config, seed, list(songs.values()))
    about = {"encoder": encoder.name, "revision": getattr(encoder, "revision", None)}
    write_texts(songs, output, name, encoder.transform, encoder.dim, "embedding", about)


def song_lyrics(tracks_path: str | Path) -> dict[str, str]:
    """Cleaned lyrics of the songs that have any, by track, of a table `tables.TRACKS`."""
    tracks = tables.read(tracks_path, tables.TRACKS, columns=["track_id", "lyrics"])
    known = tracks.dropna().itertuples(index=False, name=None)
    return {track: text for track, text in ((t, clean(lyrics)) for t, lyrics in known) if text}


def write_texts(
    songs: Mapping[str, str],
    output: str | Path,
    name: str,
    transform: Callable[[list[str]], np.ndarray],
    dim: int,
    units: str,
    metadata: Mapping[str, Any],
) -> None:
    """Write a feature of songs, some at a time so that memory stays bounded.

    Args:
        songs: texts by track; of each distinct one the vector is computed once.
        output: key track_id, shape (dim,).
        name: of the feature.
        transform: texts to float32 (n, dim).
    """
    ids = list(songs)
    with tables.FeatureWriter(
        output, name, (dim,), "float32", key="track_id", units=units, metadata=metadata
    ) as writer:
        starts = range(0, len(ids), TEXTS_AT_ONCE)
        for start in progress(starts, name, unit=f"{TEXTS_AT_ONCE} songs"):
            some = ids[start : start + TEXTS_AT_ONCE]
            writer.write(some, _encode(transform, [songs[track] for track in some]))


def _write_texts(
    texts: Sequence[tuple[str, str]],
    key: str,
    unit: str,
    whole_output: str | Path,
    lines_output: str | Path,
    encoder: Encoder,
    max_lines: int,
    metadata: dict[str, Any],
) -> None:
    """Features of (identifier, cleaned text), some at a time so that memory stays bounded."""
    shape = (encoder.dim,)
    about: dict[str, Any] = {"key": key, "units": "embedding", "metadata": metadata}
    names = {
        "song": ("lyrics_song", "lyrics_song_lines"),
        "window": ("lyrics_window", "lyrics_lines"),
    }[unit]
    with (
        tables.FeatureWriter(whole_output, names[0], shape, "float32", **about) as whole,
        tables.FeatureWriter(
            lines_output, names[1], (max_lines, *shape), "float32", **about
        ) as single,
    ):
        starts = range(0, len(texts), TEXTS_AT_ONCE)
        for start in progress(starts, "lyrics", unit=f"{TEXTS_AT_ONCE} {unit}s"):
            some = texts[start : start + TEXTS_AT_ONCE]
            ids = [identifier for identifier, _ in some]
            whole.write(ids, _encode(encoder.transform, [text for _, text in some]))
            lines = [spread(text.split("\n"), max_lines) if text else [] for _, text in some]
            flat = _encode(encoder.transform, [line for chosen in lines for line in chosen])
            padded = np.zeros((len(ids), max_lines, encoder.dim), np.float32)
            filled = np.array([[i < len(chosen) for i in range(max_lines)] for chosen in lines])
            padded[filled] = flat
            single.write(ids, padded)


def encoder_of(config: Lyrics, seed: int, songs: list[str]) -> Encoder:
    """The encoder that the config names; `tfidf` is fitted on the cleaned lyrics `songs`.

    Raises:
        SongatlasError: when `e5` or a Hugging Face encoder is not there, or `lyrics.dim` is not its
            width.
    """
    if config.encoder == "tfidf":
        from songatlas.features.lyrics.tfidf import TfidfSvd

        return TfidfSvd(config.ngram_min, config.ngram_max, config.dim, seed).fit(songs)
    encoder: Encoder
    if config.encoder == "word_vectors":
        from songatlas.features.lyrics.word_vectors import WordVectors

        encoder = WordVectors(config.vectors).fit(songs)
    elif config.encoder == "e5":
        from songatlas.features.lyrics.e5 import E5

        encoder = E5(revision=config.revision)
    else:
        from songatlas.features.lyrics.huggingface import HuggingFaceEncoder

        encoder = HuggingFaceEncoder(
            config.encoder,
            max_tokens=config.max_tokens,
            pooling=config.pooling,
            prefix=config.prefix,
            revision=config.revision,
            trust_remote_code=config.runs_remote_code,
        )
    if encoder.dim != config.dim:
        raise SongatlasError(
            f"lyrics.dim is {config.dim}, but `{config.encoder}` gives vectors of width "
            f"{encoder.dim}: set lyrics.dim to {encoder.dim}"
        )
    return encoder


def _encode(transform: Callable[[list[str]], np.ndarray], texts: list[str]) -> np.ndarray:
    """Encode each distinct text once: choruses repeat, and so do windows without time stamps."""
    distinct = list(dict.fromkeys(texts))
    row = {text: i for i, text in enumerate(distinct)}
    vectors = transform(distinct)
    return vectors[[row[text] for text in texts]]


def spread(lines: list[str], at_most: int) -> list[str]:
    """`lines`, or `at_most` of them from first to last at even distances."""
    if len(lines) <= at_most:
        return lines
    chosen = np.linspace(0, len(lines) - 1, at_most).round().astype(int)
    return [lines[i] for i in chosen]
