"""The tables of transcripts, and how they become lyrics."""

import pandas as pd

from songatlas import tables
from songatlas.corpus.languages import normalise_language
from songatlas.corpus.timed_lyrics import Line, to_json

SEGMENTS = tables.Table(
    "segments",
    {
        "source_id": tables.TEXT,
        "start_s": tables.F64,
        "end_s": tables.F64,
        "text": tables.TEXT,
        "log_probability": tables.F64,
        "no_speech": tables.F64,
        "reason": tables.TEXT,
    },
    nullable=frozenset(["reason"]),
)
"""What was written down; `reason` says why a segment is not believed."""

SONGS = tables.Table(
    "transcribed",
    {
        "source_id": tables.TEXT,
        "language": tables.TEXT,
        "probability": tables.F64,
        "sung_share": tables.F64,
        "note": tables.TEXT,
    },
    nullable=frozenset(["language", "probability", "sung_share", "note"]),
    key=("source_id",),
)
"""Every song that was listened to; `note` says why it has no lyrics, where it has none."""


def with_transcripts(
    sources: pd.DataFrame, segments: pd.DataFrame, songs: pd.DataFrame
) -> pd.DataFrame:
    """Sources whose missing lyrics are the believed segments of their transcripts.

    Lyrics that a song has stay. A language that a song has stays too; one that was heard counts as
    detected (columns `language_source` and `language_confidence`).
    """
    believed = segments[segments["reason"].isna()].sort_values(["source_id", "start_s", "end_s"])
    of_song: dict[str, list[Line]] = {}
    for one in believed.to_dict("records"):
        line = Line(float(one["start_s"]), float(one["end_s"]), str(one["text"]))
        of_song.setdefault(str(one["source_id"]), []).append(line)
    lines = {source: to_json(some) for source, some in of_song.items()}
    sources = sources.copy()
    lacking = sources["lyrics"].isna() & sources["lines"].isna()
    lacking &= sources["source_id"].isin(lines)
    sources.loc[lacking, "lines"] = sources.loc[lacking, "source_id"].map(lines)
    sources.loc[lacking, "lyrics_source"] = "transcribed"
    heard = songs.set_index("source_id").reindex(sources["source_id"]).set_axis(sources.index)
    heard = heard[lacking & sources["language"].isna() & heard["language"].notna()]
    sources["language"] = sources["language"].fillna(heard["language"].map(normalise_language))
    sources.loc[heard.index, "language_source"] = "detected"
    sources.loc[heard.index, "language_confidence"] = heard["probability"]
    return sources
