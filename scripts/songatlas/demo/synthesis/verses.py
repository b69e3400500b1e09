"""The verses and invented artists in `resources/demo`."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from songatlas.errors import SongatlasError

LANGUAGES = ("ar", "en", "hi", "es")
GENRES = ("pop", "rock", "hip-hop")


class VersesError(SongatlasError):
    """A file of verses is absent or incomplete."""


@dataclass(frozen=True)
class Verses:
    """Words of one song."""

    title: str
    theme: str
    verse: tuple[str, ...]
    chorus: tuple[str, ...]
    second_verse: tuple[str, ...]


@dataclass(frozen=True)
class Artist:
    name: str
    gender: str


@dataclass(frozen=True)
class Songbook:
    """All songs of a language, and its artists by genre."""

    songs: tuple[Verses, ...]
    artists: dict[str, tuple[Artist, ...]]


def read_songbook(folder: Path, language: str) -> Songbook:
    """Read `lyrics_<language>.yaml`.

    Raises:
        VersesError: when the file is absent, is not YAML, lacks a key, or has fewer songs or
            artists than the corpus needs.
    """
    path = folder / f"lyrics_{language}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        songs = tuple(
            Verses(
                song["title"],
                song["theme"],
                tuple(song["verse"]),
                tuple(song["chorus"]),
                tuple(song["second_verse"]),
            )
            for song in content["songs"]
        )
        artists = {
            genre: tuple(Artist(**artist) for artist in content["artists"][genre])
            for genre in GENRES
        }
    except FileNotFoundError:
        raise VersesError(f"{path}: no such file; restore it from the repository") from None
    except yaml.YAMLError as error:
        raise VersesError(f"{path}: not valid YAML ({error})") from None
    except (KeyError, TypeError) as error:
        raise VersesError(
            f"{path}: {error} is missing or malformed; every song needs title, theme, verse, "
            "chorus and second_verse, every genre two artists with name and gender"
        ) from None
    if len(songs) < 12 or any(len(some) < 2 for some in artists.values()):
        raise VersesError(f"{path}: needs at least 12 songs and two artists per genre")
    return Songbook(songs, artists)
