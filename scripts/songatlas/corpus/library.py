"""A library of music as it lies: any depth of folders, what a song is stands in its tags."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from songatlas.corpus.audio_files import is_song
from songatlas.corpus.languages import normalise_language
from songatlas.corpus.layout import Layout, layout_of
from songatlas.corpus.listing import list_files
from songatlas.corpus.lyrics_files import SUFFIXES, by_song, choose_lyrics
from songatlas.corpus.result import Problems, ReaderResult, sources_frame
from songatlas.corpus.tags import Tags, interpret, read_tags

STAGE = "list_sources"

POOLED_BYTES = 2000
"""So much text of a folder's tags says which encoding a file's few words have."""

_NUMBER = re.compile(r"^[\[(]?(?:\d{1,2}[-.])?\d{1,3}[\])]?(?:\s*[-–._]\s*|\s+)(?=\D)")
"""A track number before a title: `03 - `, `1-03 `, `[03] `."""

_BETWEEN = re.compile(r"\s+[-–—]\s+")
"""What stands between artist and title in the name of a file."""


def read(path: Path) -> ReaderResult:
    """Read every audio file below a folder, with its tags and the lyrics beside it.

    Where songs lie at `<language>/<genre>/`, folders say what tags do not.
    """
    problems = Problems(STAGE)
    songs, lyrics = _songs_and_lyrics(path, problems)
    tags = _tags(path, songs, problems)
    layout = layout_of(path, songs)
    if layout and _artists_are_folders(layout, tags):
        layout = None
    stems = list(dict.fromkeys(map(_stem, songs)))
    files = by_song(lyrics, stems, problems, path)
    rows = []
    for song, found in tags.items():
        known = _with_folders(found, layout, song)
        rows.append(_row(path, song, known, files.get(_stem(song), []), problems))
    for file in sorted(file for stem in files.keys() - set(stems) for file in files[stem]):
        problems.warn(path / file, "unused_file", "no audio file of this name")
    return ReaderResult(
        _without_empty_factors(sources_frame(rows)),
        problems.rejects(),
        problems.warnings(),
        (layout.advice,) if layout else (),
    )


def _songs_and_lyrics(
    path: Path, problems: Problems
) -> tuple[list[PurePosixPath], dict[str, list[PurePosixPath]]]:
    """Songs, and lyrics files by path without suffix; what is neither becomes a warning."""
    songs: list[PurePosixPath] = []
    lyrics: dict[str, list[PurePosixPath]] = {}
    for entry in list_files(path, problems):
        relative = PurePosixPath(entry.relative)
        if relative.suffix.lower() in SUFFIXES and entry.valid:
            lyrics.setdefault(_stem(relative), []).append(relative)
        elif not is_song(path / relative):
            problems.warn(path / relative, "unused_file", "no audio, and no lyrics")
        elif not entry.valid:
            detail = "the file's name is not valid UTF-8; rename it"
            problems.reject(path / relative, "unreadable", detail)
        else:
            songs.append(relative)
    return songs, lyrics


def _tags(
    path: Path, songs: Sequence[PurePosixPath], problems: Problems
) -> dict[PurePosixPath, Tags]:
    """Tags of every song. Those of one folder help each other to tell their encoding."""
    raw = {song: read_tags(path / song) for song in songs}
    of_folders: dict[PurePosixPath, bytes] = {}
    for song, texts in raw.items():
        pooled = of_folders.get(song.parent, b"")
        if len(pooled) < POOLED_BYTES:
            of_folders[song.parent] = b"\n".join(filter(None, [pooled, texts.misread]))
    for song, texts in raw.items():
        if texts.problem:
            problems.warn(path / song, "bad_value", texts.problem)
    return {song: interpret(texts, of_folders[song.parent]) for song, texts in raw.items()}


def _artists_are_folders(layout: Layout, tags: Mapping[PurePosixPath, Tags]) -> bool:
    """Whether the folders in the place of languages are artists (Chicago, Yes)."""
    for song, found in tags.items():
        artists = {(name or "").casefold() for name in (found.artist, found.album_artist)}
        if layout.language_and_genre(song)[0].casefold() in artists:
            return True
    return False


def _with_folders(tags: Tags, layout: Layout | None, song: PurePosixPath) -> Tags:
    """Tags, where folders say the language and the genre that these do not."""
    if layout is None:
        return tags
    language, genre = layout.language_and_genre(song)
    return replace(tags, language=tags.language or language, genres=tags.genres or (genre,))


def _row(
    path: Path,
    song: PurePosixPath,
    tags: Tags,
    lyrics_files: Sequence[PurePosixPath],
    problems: Problems,
) -> dict[str, Any]:
    """A row of `tables.SOURCES`."""
    files = [path / file for file in lyrics_files]
    language = normalise_language(tags.language)
    chosen, lyrics = choose_lyrics(files, tags.lyrics, path / song, language, problems)
    title, artist = _title_and_artist(path, song, tags, lyrics.tags, problems)
    return {
        "source_id": song.as_posix(),
        "audio_path": str(path / song),
        "lyrics_path": str(chosen) if chosen else None,
        "lyrics": lyrics.lyrics,
        "lyrics_source": lyrics.lyrics_source,
        "lines": lyrics.lines,
        "title": title,
        "artist": artist,
        "language": tags.language,
        "genre": tags.genres[0] if tags.genres else None,
        "album": tags.album,
        "album_artist": tags.album_artist,
        "year": tags.year,
        "track_number": tags.track_number,
        "genres": "; ".join(tags.genres[1:]) or None,
        "compilation": tags.compilation,
        "factor_bpm": tags.bpm,
        "factor_key": tags.key,
    }


def _title_and_artist(
    path: Path, song: PurePosixPath, tags: Tags, of_lyrics: Mapping[str, str], problems: Problems
) -> tuple[str, str | None]:
    """By tags, else by those of an LRC file, else by the file's name, which a warning says."""
    title = tags.title or of_lyrics.get("ti")
    artist = tags.artist or tags.album_artist or of_lyrics.get("ar")
    if title:
        return title, artist
    names = _BETWEEN.split(_NUMBER.sub("", song.stem) or song.stem)
    if len(names) > 1 and (artist is None or names[0].casefold() == artist.casefold()):
        artist, names = names[0], names[1:]
    title = " - ".join(_NUMBER.sub("", name) or name for name in names)
    by = f" by `{artist}`" if artist and not tags.artist else ""
    problems.warn(path / song, "missing_tags", f"no title in its tags: `{title}`{by} by its name")
    return title, artist


def _stem(file: PurePosixPath) -> str:
    """The path without the suffix."""
    return file.as_posix().removesuffix(file.suffix)


def _without_empty_factors(sources: pd.DataFrame) -> pd.DataFrame:
    """Sources without the factors that no song has."""
    factors = sources.columns[sources.columns.str.startswith("factor_")]
    return sources.drop(columns=[name for name in factors if sources[name].isna().all()])
