"""The neighbours of a song, in any language, in its own or in others, and what both have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas.config.words import Query
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout
from songatlas.words.language_names import language_name
from songatlas.words.playlists import read_space, song_named, songs_like
from songatlas.words.tags import NO_TAGS, SongTags, song_tags

COLUMNS = ("rank", "title", "artist", "distance", "matched", "track_id")

SHARED = 0.1
"""A tag with this probability in both songs is said."""

MOST_SHARED = 3
"""Tags that are said of a neighbour."""

NO_SONG = 'query.like: say which song, for instance --config query="{like: a title}"'

SCOPES = {"any": "any language", "same": "its own language", "other": "other languages"}


def in_both(song: str, others: Sequence[str], tags: SongTags) -> list[str]:
    """The likeliest tags that each of `others` has in common with `song`; empty without any.

    Of a tag the smaller of both probabilities counts.
    """
    shown = tags.shown()
    row_of = {track: row for row, track in enumerate(shown.songs)}
    listed = []
    for other in others:
        if song not in row_of or other not in row_of:
            listed.append("")
            continue
        both = np.minimum(*(shown.probabilities[row_of[one]] for one in (song, other)))
        most = np.argsort(-both, kind="stable")[:MOST_SHARED]
        listed.append(
            ", ".join(f"{shown.names[i]} {both[i]:.2f}" for i in most if both[i] >= SHARED)
        )
    return listed


def write_like(
    source: Mapping[str, Any],
    models: Sequence[str],
    settings: Query,
    csv: str | Path,
    md: str | Path,
) -> str:
    """Write the songs nearest to `settings.like` as two tables; the table as text.

    Args:
        source: as for `read_space`, and `tags` (musicnn's vectors of songs) where there are any.

    Raises:
        SongatlasError: when no song is named, when it is not to be found, or when no other song is
            in such a language.
    """
    if not (settings.like or "").strip():
        raise SongatlasError(NO_SONG)
    space = read_space(source, models, settings.model, "query")
    row = song_named(str(settings.like), space.songs, "query.like")
    order, distance = songs_like(space, row, settings.languages, "query")
    name = layout.song_name(space.songs.iloc[row].to_dict())
    scope = SCOPES[settings.languages]
    if len(order) == 1:
        raise SongatlasError(
            f"query.languages: {name} has no neighbour: no other song of {space.model} is in "
            f"{scope}; set it to `any`"
        )
    order, distance = order[1 : settings.top + 1], distance[1 : settings.top + 1]
    near = space.songs.iloc[order]
    tags = song_tags(source["tags"]) if source.get("tags") else NO_TAGS
    shared = in_both(space.songs["track_id"].iloc[row], list(near["track_id"]), tags)
    languages = [
        "" if pd.isna(one) else f"in {language_name(str(one))}" for one in near["language"]
    ]
    frame = pd.DataFrame(
        {
            "rank": np.arange(1, len(order) + 1),
            "title": near["title"].to_numpy(object),
            "artist": near["artist"].to_numpy(object),
            "distance": distance.round(4),
            "matched": [
                "; ".join(filter(None, both)) for both in zip(languages, shared, strict=True)
            ],
            "track_id": near["track_id"].to_numpy(object),
        },
        columns=list(COLUMNS),
    )
    heading = f"Songs like {name}"
    note = (
        f"Nearest in {space.model}, in {scope}. matched: the song's language, and tags with a "
        f"probability of {SHARED:g} or more in both songs (the smaller one is given)."
    )
    layout.write_csv(frame, csv)
    shown = frame.drop(columns="track_id")
    layout.write_text(layout.markdown(shown, heading, notes=[note]), md)
    lines = [_line(one) for one in frame.to_dict("records")]
    return "\n".join([heading, *lines, note, str(csv)])


def _line(row: Mapping[Any, Any]) -> str:
    name = layout.song_name(row)
    return f"{row['rank']:>3}  {row['distance']:.2f}  {name}  {row['matched']}".rstrip()
