"""Playlists: of named clusters, of songs like one, of the way from one song to another."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.levels import points_of
from songatlas.clustering.views import blocks_of, even
from songatlas.config.words import Playlist
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout
from songatlas.evaluation.best import best_representation
from songatlas.words.describe import UNSURE
from songatlas.words.language_names import language_name
from songatlas.words.tags import NO_TAGS, SongTags, song_tags
from songatlas.words.write import NAMED

COLUMNS = ("position", "title", "artist", "distance", "change", "track_id")

ASK = (
    "playlist: say which songs, for instance `make playlist RUN=mine LIKE='a title'` or "
    "`make playlist RUN=mine FROM='a title' TO='another'`"
)

MOST_NAMED = 20
"""Songs that an error lists, where a title is shared."""

CHANGE = 0.1
"""Probability by which a tag rises or falls from one song to the next, to be told."""


@dataclass(frozen=True)
class Space:
    """Songs in one representation: `songs` has a row for each of n vectors `z` (n, d).

    Columns of `songs`: `track_id, audio_path, duration_s, title, artist, language`.
    """

    model: str
    songs: pd.DataFrame
    z: np.ndarray


def m3u8(songs: pd.DataFrame, title: str, folder: Path) -> str:
    """An extended M3U playlist of songs that it can name, with paths relative to `folder`.

    Args:
        songs: `audio_path, duration_s, title, artist`.
    """
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(title)}"]
    for row in songs[can_be_listed(songs)].to_dict("records"):
        named = [str(row[key]) for key in ("artist", "title") if not pd.isna(row[key])]
        seconds = -1 if pd.isna(row["duration_s"]) else round(row["duration_s"])
        path = Path(row["audio_path"]).expanduser().resolve()
        lines.append(f"#EXTINF:{seconds},{_one_line(' - '.join(named) or path.stem)}")
        lines.append(Path(os.path.relpath(path, folder.resolve())).as_posix())
    return "\n".join(lines) + "\n"


def can_be_listed(songs: pd.DataFrame) -> np.ndarray:
    """Which songs a playlist can name, (n,) bool: a path takes one line of it."""
    return np.array(
        [isinstance(path, str) and len(path.splitlines()) == 1 for path in songs["audio_path"]],
        bool,
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def file_name(text: str) -> str:
    """A name that every file system takes: letters and digits, blanks as hyphens."""
    return "-".join(re.findall(r"[^\W_]+", text))[:80] or "songs"


def write_cluster_playlists(named: pd.DataFrame, songs: pd.DataFrame, folder: Path) -> int:
    """Write a playlist of every cluster that has a name; how many.

    Args:
        named: rows of `words.write.NAMED` of one model.
        songs: `track_id, audio_path, duration_s, title, artist`.
        folder: that is made for them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for (cluster, name), rows in named.groupby(["cluster", "name"]):
        own = songs[songs["track_id"].isin(rows["track_id"])]
        if name == UNSURE or not can_be_listed(own).any():
            continue
        path = folder / f"{int(str(cluster)) + 1:02d}-{file_name(str(name))}.m3u8"
        layout.write_text(m3u8(own, str(name), folder), path)
        written += 1
    return written


def song_named(wanted: str, songs: pd.DataFrame, section: str = "playlist") -> int:
    """Row of the song of that title, file or track id.

    Args:
        wanted: a title, however capitalised; a path, or its end; or a track id.
        songs: `track_id, audio_path, title, artist`.
        section: of the config that asks, for what errors say.

    Raises:
        SongatlasError: when there is none, or when several songs share the title.
    """
    text = " ".join(wanted.split())
    if not text:
        raise SongatlasError(ASK)
    titles = songs["title"].fillna("").astype(str).map(lambda one: " ".join(one.split()).casefold())
    paths = songs["audio_path"].fillna("").astype(str)
    is_path = [bool(path) and (f"/{path}".endswith(f"/{text}")) for path in paths]
    for chosen in ((songs["track_id"] == text), pd.Series(is_path), titles == text.casefold()):
        rows = np.flatnonzero(chosen.to_numpy(bool))
        if len(rows) == 1:
            return int(rows[0])
        if len(rows) > 1:
            listed = songs.iloc[rows[:MOST_NAMED]]
            each = [
                f"{one['track_id']} ({'unknown' if pd.isna(one['artist']) else one['artist']}, "
                f"{'no file' if pd.isna(one['audio_path']) else one['audio_path']})"
                for one in listed.to_dict("records")
            ]
            raise SongatlasError(
                f"{section}: {len(rows)} songs are called “{text}”; say which by its path or its "
                f"track id: {'; '.join(each)}"
            )
    raise SongatlasError(
        f"{section}: no song of this representation is called “{text}”, nor has that path or id"
    )


def songs_like(
    space: Space, row: int, languages: str, section: str = "playlist"
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all songs from the nearest to the song of `row` on, it first, and their distances.

    Args:
        languages: `any`; `same` or `other`: only songs in its language, or in another one.
        section: of the config that asks, for what errors say.
    """
    distance = np.sqrt(((space.z - space.z[row]) ** 2).sum(axis=1))
    sung = space.songs["language"].astype(object)
    own, known = sung.iloc[row], sung.notna().to_numpy(bool)
    if languages != "any" and pd.isna(own):
        title = space.songs["title"].iloc[row]
        raise SongatlasError(
            f"{section}.languages: the language of “{title}” is not known; set it to `any`"
        )
    same = (sung == own).to_numpy(bool)
    allowed = {"any": np.ones(len(sung), bool), "same": known & same, "other": known & ~same}
    inside = allowed[languages]
    inside[row] = True
    order = np.lexsort((np.arange(len(sung)), distance))
    order = np.concatenate([[row], order[inside[order] & (order != row)]])
    return order, distance[order]


def path_between(z: np.ndarray, first: int, last: int, songs: int) -> np.ndarray:
    """Rows of at most `songs` songs from one to another, in even steps.

    The straight line between their vectors is divided evenly; at each point stands the nearest song
    that does not yet stand anywhere.

    Args:
        z: (n, d).
    """
    steps = min(songs, len(z))
    free = np.ones(len(z), bool)
    free[[first, last]] = False
    path = [first]
    for share in np.linspace(0.0, 1.0, steps)[1:-1]:
        point = (1.0 - share) * z[first] + share * z[last]
        distance = np.where(free, ((z - point) ** 2).sum(axis=1), np.inf)
        path.append(int(np.argmin(distance)))
        free[path[-1]] = False
    return np.array([*path, last] if first != last else path)


def changes(tracks: Sequence[str], languages: Sequence[object], tags: SongTags) -> list[str]:
    """What changes from each song to the next: languages, and tags that come (+) and go (−)."""
    shown = tags.shown()
    row_of = {track: row for row, track in enumerate(shown.songs)}
    told = [""]
    for i in range(1, len(tracks)):
        parts = []
        if languages[i] != languages[i - 1] and not pd.isna(languages[i]):  # type: ignore[call-overload]
            parts.append(f"in {language_name(str(languages[i]))}")
        pair = [row_of.get(tracks[i - 1]), row_of.get(tracks[i])]
        if None not in pair:
            step = shown.probabilities[pair[1]] - shown.probabilities[pair[0]]
            most = np.argsort(-np.abs(step), kind="stable")[:3]
            some = [j for j in most if abs(step[j]) >= CHANGE]
            parts += [f"{'+' if step[j] > 0 else '−'} {shown.names[j]}" for j in some]
        told.append(", ".join(parts))
    return told


def read_space(
    source: Mapping[str, Any], models: Sequence[str], model: str | None, section: str = "playlist"
) -> Space:
    """The representation that songs are compared in: the one named, else the best one.

    Args:
        source: paths of `tracks`, `labels`, `comparison` and `latents` (of every model).
        section: of the config that asks, for what errors say.

    Raises:
        SongatlasError: when the run has no such representation.
    """
    if model is not None and model not in models:
        raise SongatlasError(
            f"{section}.model: this run has no `{model}`; there are {', '.join(models)}"
        )
    chosen = model or best_representation(pd.read_csv(source["comparison"]), models).model
    path = source["latents"][list(models).index(chosen)]
    points = even(
        points_of(tables.read(path, tables.LATENTS), "song"), blocks_of(tables.read_metadata(path))
    )
    songs = read_files(source).set_index("track_id").reindex(list(points.track_ids))
    return Space(chosen, songs.reset_index(), points.z)


def read_files(source: Mapping[str, Any]) -> pd.DataFrame:
    """`track_id, audio_path, duration_s, title, artist, language` of every song."""
    columns = ["track_id", "audio_path", "duration_s"]
    tracks = tables.read(source["tracks"], tables.TRACKS, columns=columns)
    named = ["track_id", "title", "artist", "language"]
    labels = tables.read(source["labels"], tables.LABELS, columns=named)
    return tracks.merge(labels, on="track_id", how="left")


def write_playlists(
    source: Mapping[str, Any], models: Sequence[str], folder: str, model: str | None
) -> str:
    """Write a playlist of every named cluster of a representation; a line that says how many.

    Args:
        source: paths of `tracks`, `labels`, `comparison` and `named`.

    Raises:
        SongatlasError: when the representation has no clusters.
    """
    named = tables.read(source["named"], NAMED)
    able = [name for name in models if name in set(named["model"])]
    if model is not None and model not in able:
        raise SongatlasError(
            f"playlist.model: `{model}` has no clusters at a suggested k; there are "
            f"{', '.join(able) or 'none'}"
        )
    Path(folder).mkdir(parents=True, exist_ok=True)
    if not able:
        return "no representation has clusters at a suggested k: no playlist"
    chosen = model or best_representation(pd.read_csv(source["comparison"]), able).model
    songs = read_files(source)
    own = named[named["model"] == chosen]
    written = write_cluster_playlists(own, songs, Path(folder))
    clusters = own["cluster"].nunique()
    in_named = own.loc[own["name"] != UNSURE, "track_id"]
    left_out = _left_out(songs[songs["track_id"].isin(in_named)])
    return f"{written} playlists of the {clusters} clusters of {chosen}: {folder}{left_out}"


def write_playlist(
    source: Mapping[str, Any], models: Sequence[str], settings: Playlist, m3u: str, csv: str
) -> str:
    """Write one playlist, and the same as a table with `COLUMNS`; the songs as text.

    Args:
        source: as for `read_space`, and `tags` (musicnn's vectors of songs) where there are any.

    Raises:
        SongatlasError: when it is not said which songs, or when a song is not to be found.
    """
    space = read_space(source, models, settings.model)
    if settings.like is not None:
        row = song_named(settings.like, space.songs)
        order, distance = songs_like(space, row, settings.languages)
        order, distance = order[: settings.songs], distance[: settings.songs]
        title = f"Like {_title(space.songs, row)}"
    elif settings.start is not None and settings.end is not None:
        ends = [song_named(one, space.songs) for one in (settings.start, settings.end)]
        order = path_between(space.z, ends[0], ends[1], settings.songs)
        steps = np.diff(space.z[order], axis=0, prepend=space.z[order[:1]])
        distance = np.sqrt((steps**2).sum(axis=1))
        title = " to ".join(_title(space.songs, row) for row in ends)
    else:
        raise SongatlasError(ASK)
    chosen = space.songs.iloc[order]
    tags = song_tags(source["tags"]) if source.get("tags") else NO_TAGS
    frame = pd.DataFrame(
        {
            "position": np.arange(1, len(chosen) + 1),
            "title": chosen["title"].to_numpy(object),
            "artist": chosen["artist"].to_numpy(object),
            "distance": distance.round(4),
            "change": changes(list(chosen["track_id"]), list(chosen["language"]), tags),
            "track_id": chosen["track_id"].to_numpy(object),
        },
        columns=list(COLUMNS),
    )
    layout.write_csv(frame, csv)
    layout.write_text(m3u8(chosen, title, Path(m3u).parent), m3u)
    lines = [
        f"{row['position']:>3}  {row['distance']:.2f}  "
        f"{layout.song_name(row)}  {row['change']}".rstrip()
        for row in frame.to_dict("records")
    ]
    files = m3u + _left_out(chosen, f"; they stand in {csv}")
    return "\n".join([f"{title}, in {space.model}", *lines, files])


def _left_out(songs: pd.DataFrame, where: str = "") -> str:
    count = int((~can_be_listed(songs)).sum())
    return (
        f" (without {count} that have no file or a line break in its path{where})" if count else ""
    )


def _title(songs: pd.DataFrame, row: int) -> str:
    title = songs["title"].iloc[row]
    return str(songs["track_id"].iloc[row] if pd.isna(title) else title)


def asked() -> str:
    """The section `playlist` of the config as `make playlist` was asked for it, as JSON."""
    keys = {
        "like": "LIKE",
        "start": "FROM",
        "end": "TO",
        "model": "MODEL",
        "languages": "LANGUAGES",
    }
    given = {key: os.environ[name] for key, name in keys.items() if os.environ.get(name)}
    songs = {"songs": int(os.environ["N"])} if os.environ.get("N", "").isdigit() else {}
    return json.dumps(given | songs)


if __name__ == "__main__":
    print(asked())
