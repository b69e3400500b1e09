"""A corpus of any size without audio, to measure with: manifest, tables and feature shards."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.corpus import Split, Windows
from songatlas.config.features import LogMel
from songatlas.corpus.build import Corpus, build_corpus
from songatlas.corpus.probe import PROBED, TRACK_ID_DIGITS

SONGS_PER_SHARD = 256
"""Rule of thumb for `shards`: expected songs over this."""

MOST_SHARDS = 1_000
"""... and no more: what Snakemake plans grows with the square of what the corpus stage writes."""

MEAN_S, SIGMA = 210.0, 0.3
"""Durations are log-normal around this median."""

LANGUAGES = ("de", "en", "es", "fr")
GENRES = ("hip-hop", "pop", "rock")


def shards_for(songs: int) -> int:
    """Shards by the rule of thumb: `SONGS_PER_SHARD` songs each, at most `MOST_SHARDS`."""
    return min(MOST_SHARDS, max(1, -(-songs // SONGS_PER_SHARD)))


def sources(songs: int, seed: int = 0) -> pd.DataFrame:
    """`tables.SOURCES` of songs that do not exist; artists have ten songs each."""
    rng = np.random.default_rng(seed)
    number = np.arange(songs)
    names = pd.Series(number).map("{:08d}".format)
    frame = pd.DataFrame(
        {
            "source_id": names,
            "audio_path": "audio/" + names.str[:4] + "/" + names + ".mp3",
            "lyrics_source": "none",
            "title": "song " + names,
            "artist": "artist " + pd.Series(number // 10).map("{:07d}".format),
            "language": np.array(LANGUAGES)[rng.integers(len(LANGUAGES), size=songs)],
            "genre": np.array(GENRES)[rng.integers(len(GENRES), size=songs)],
        }
    )
    return frame.reindex(columns=list(tables.SOURCES.columns))


def probed(found: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What probing would have seen of them (`probe.PROBED`)."""
    rng = np.random.default_rng([seed, 1])
    ids = rng.integers(0, 2**63, size=len(found))
    frame = pd.DataFrame(
        {
            "source_id": found["source_id"],
            "track_id": pd.Series(ids).map(f"{{:0{TRACK_ID_DIGITS}x}}".format),
            "duration_s": MEAN_S * rng.lognormal(sigma=SIGMA, size=len(found)),
            "sample_rate_hz": pd.array([44100] * len(found), dtype="Int32"),
            "channels": pd.array([2] * len(found), dtype="Int32"),
        }
    )
    return frame.reindex(columns=list(PROBED.columns))


def corpus(found: pd.DataFrame, seen: pd.DataFrame, windows: Windows, split: Split) -> Corpus:
    """The corpus tables of these songs, by the very code that builds those of real ones."""
    none = tables.empty(tables.REJECTS), tables.empty(tables.WARNINGS)
    return build_corpus(found, seen, *none, windows, split, "a simulated corpus")


def write_manifest(found: pd.DataFrame, path: Path) -> None:
    """The table that the reader `manifest` reads; the files that it names do not exist."""
    with (
        tables.atomic(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file)
        columns = ["song_id", "title", "language", "genre", "filename"]
        rows.writerow([*columns, "audio_path", "lyrics_path", "has_lyrics"])
        for song in found.itertuples():
            row = [song.source_id, song.title, song.language, song.genre, f"{song.source_id}.mp3"]
            rows.writerow([*row, song.audio_path, "", "false"])


def write_logmel_part(
    window_ids: list[str], path: Path, config: LogMel, length_s: float, seed: int = 0
) -> None:
    """A part of the feature `logmel` with noise that decays as a spectrum does, in dB."""
    rng = np.random.default_rng(seed)
    shape = (config.n_mels, config.n_frames(length_s))
    slope = np.linspace(0.0, -40.0, config.n_mels)[:, None]
    with tables.FeatureWriter(
        path, "logmel", shape, "float16", units="dB (ref 1.0)", metadata={"simulated": True}
    ) as writer:
        for start in range(0, len(window_ids), 64):
            some = window_ids[start : start + 64]
            noise = rng.standard_normal((len(some), *shape), dtype=np.float32)
            writer.write(some, 8.0 * noise + slope)
