"""Views of the corpus tables: each holds only what some later stage reads.

Snakemake re-runs a job when the content of a file that it reads changes. Behind a view, a song that
moved to another folder re-computes no feature, and an edited genre trains no model but the ones
that are conditioned on genre.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from songatlas import tables
from songatlas.corpus.build import Corpus, shard_frames
from songatlas.corpus.languages import given_languages

CONTENT = tables.Table(
    "shard_content",
    {column: kind for column, kind in tables.SHARD.columns.items() if column != "audio_path"},
    key=tables.SHARD.key,
)
"""What the audio features of a shard depend on: a track's id is the hash of its audio."""


def songs(corpus: Corpus) -> pd.DataFrame:
    """Tracks without where their files lie (`audio_path` null, `source_id` the track's id)."""
    return corpus.tracks.assign(audio_path=None, source_id=corpus.tracks["track_id"])


def audio_windows(corpus: Corpus) -> pd.DataFrame:
    """Windows without their lyrics."""
    return corpus.windows.assign(lyrics=None)


def labels(corpus: Corpus, *columns: str) -> pd.DataFrame:
    """The labels table with all but `columns` null, without factors."""
    frame = tables.empty(tables.LABELS).reindex(range(len(corpus.labels)))
    return frame.assign(**{column: corpus.labels[column] for column in ("track_id", *columns)})


def factors(corpus: Corpus) -> pd.DataFrame:
    """What was given of the songs: language, genre and every `factor_` column."""
    names = [str(column) for column in corpus.labels if str(column).startswith("factor_")]
    known = labels(corpus, "genre").assign(language=given_languages(corpus.labels))
    return known.assign(**{name: corpus.labels[name] for name in names})


def write_views(
    corpus: Corpus, outputs: Mapping[str, str | Path], contents: Sequence[str | Path]
) -> None:
    """Write every view to the path that `outputs` names for it, and the shards' in order.

    `language` and `genre` are what models are conditioned on, `classes` what clusterings are
    compared with, `factors` what the dimensions of latents are compared with: none of them holds a
    detected language. `shown` holds those too, for colours and words; `titles` is what a song is
    called in figures.
    """
    given = given_languages(corpus.labels)
    views = {
        "songs": (songs(corpus), tables.TRACKS),
        "audio_windows": (audio_windows(corpus), tables.WINDOWS),
        "language": (labels(corpus).assign(language=given), tables.LABELS),
        "genre": (labels(corpus, "genre"), tables.LABELS),
        "classes": (labels(corpus, "artist", "genre").assign(language=given), tables.LABELS),
        "shown": (labels(corpus, "language", "genre"), tables.LABELS),
        "titles": (labels(corpus, "artist", "title"), tables.LABELS),
        "factors": (factors(corpus), tables.LABELS),
    }
    for name, (frame, schema) in views.items():
        tables.write(frame, outputs[name], schema)
    for path, shard in zip(contents, shard_frames(corpus, len(contents)), strict=True):
        tables.write(shard[list(CONTENT.columns)], path, CONTENT)
