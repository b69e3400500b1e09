"""Tags of audio files: what tinytag and FFmpeg (through PyAV) read, under one set of names.

Neither reads them all: tinytag knows no Matroska, CAF, WavPack and APEv2, FFmpeg no synchronised
lyrics, and only FFmpeg hands over the bytes of text that is not Unicode.
"""

import functools
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FIELDS: Mapping[str, tuple[str, ...]] = {
    "title": ("title",),
    "artist": ("artist", "author"),
    "album_artist": ("albumartist", "album_artist", "album artist", "band", "ensemble"),
    "album": ("album",),
    "year": ("year", "date", "tdrc", "tyer", "originaldate", "originalyear", "creation_time"),
    "track_number": ("track", "tracknumber", "part_number"),
    "genre": ("genre",),
    "language": ("language", "tlan"),
    "lyrics": ("lyrics", "unsyncedlyrics", "syncedlyrics", "unsynced lyrics", "uslt", "sylt"),
    "bpm": ("bpm", "tbpm", "tempo", "tmpo"),
    "key": ("initial_key", "initialkey", "tkey", "key"),
    "compilation": ("compilation", "itunescompilation", "tcmp", "cpil", "iscompilation"),
}
"""Names that containers and taggers have for each field, lower case, the better one first."""

GENRE_SEPARATORS = re.compile(r"\s*[;/|,\0\n、；／，]\s*")
"""What stands between genres where a tag names several."""

MAX_CHARACTERS = 300
"""A title is a few words: of a longer tag (not of lyrics) the beginning is read."""

YEARS = range(1000, 3000)
TEMPOS = (20.0, 999.0)
"""Beats per minute that a song may have; taggers write 0 for none."""


@dataclass(frozen=True)
class Tags:
    """What the tags of one file say; what they do not say is None or empty.

    `lyrics` are texts as they stand in the tags, of which some may have time stamps (LRC).
    `problem` says why some tags could not be read.
    """

    title: str | None = None
    artist: str | None = None
    album_artist: str | None = None
    album: str | None = None
    year: int | None = None
    track_number: int | None = None
    genres: tuple[str, ...] = ()
    language: str | None = None
    lyrics: tuple[str, ...] = ()
    bpm: float | None = None
    key: str | None = None
    compilation: bool | None = None
    problem: str | None = None


def read_tags(path: Path) -> Tags:
    """The tags of an audio file. Nothing that is wrong with them raises."""
    values, problem = _by_tinytag(path)
    for name, texts in _by_ffmpeg(path).items():
        values.setdefault(name, []).extend(texts)
    return _tags(values, problem)


def genres_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Names of genres in their order, of texts such as `(17)`, `17` and `Rock/Pop; Indie`."""
    names: dict[str, None] = {}
    for text in texts:
        for part in GENRE_SEPARATORS.split(re.sub(r"\((\d{1,3}|RX|CR)\)", r"\1;", text)):
            name = numbered_genre(int(part)) if re.fullmatch(r"\d{1,3}", part) else _clean(part)
            if name:
                names.setdefault(name)
    return tuple(names)


@functools.cache
def numbered_genre(number: int) -> str | None:
    """The genre that ID3v1 has under a number; None where it has none.

    tinytag has the list but does not export it: it is asked for the genre of an empty ID3v1 tag.
    """
    from tinytag import TinyTag

    if not 0 <= number < 255:
        return None
    empty = b"ID3\x03" + bytes(6) + b"TAG" + bytes(124) + bytes([number])
    return TinyTag.get(file_obj=io.BytesIO(empty), duration=False).genre


def _by_tinytag(path: Path) -> tuple[dict[str, list[str]], str | None]:
    """Values by lower-case name, and what was wrong with the tags."""
    from tinytag import ParseError, TinyTag, UnsupportedFormatError

    try:
        with path.open("rb") as file:
            found = TinyTag.get(file_obj=file, duration=False)
    except UnsupportedFormatError:
        return {}, None
    except (ParseError, OSError, ValueError, MemoryError) as error:
        return {}, f"tags cannot be read ({error})"
    values = found.as_dict().items()
    return {name: list(map(str, texts)) for name, texts in values if isinstance(texts, list)}, None


def _by_ffmpeg(path: Path) -> dict[str, list[str]]:
    """Values by lower-case name, of the file and of its first audio stream."""
    import av

    from songatlas.audio.decode import FFMPEG_FORMATS

    options = {"format_whitelist": FFMPEG_FORMATS, "protocol_whitelist": "file"}
    values: dict[str, list[str]] = {}
    try:
        with av.open(str(path), options=options, metadata_errors="surrogateescape") as container:
            streams = container.streams.audio[:1]
            for metadata in (container.metadata, *(stream.metadata for stream in streams)):
                for name, text in metadata.items():
                    name = re.sub("^lyrics-.*", "lyrics", name.lower())
                    values.setdefault(name, []).append(text)
    except (av.FFmpegError, OSError, ValueError):  # probing says what is wrong with the file
        return {}
    return values


def _tags(values: Mapping[str, list[str]], problem: str | None) -> Tags:
    texts = {field: _texts(values, names) for field, names in FIELDS.items()}
    first = {field: next(map(_clean, found), None) for field, found in texts.items()}
    return Tags(
        title=first["title"],
        artist=first["artist"],
        album_artist=first["album_artist"],
        album=first["album"],
        year=_year(texts["year"]),
        track_number=_number(first["track_number"]),
        genres=genres_of(texts["genre"]),
        language=first["language"],
        lyrics=tuple(dict.fromkeys(texts["lyrics"])),
        bpm=_tempo(first["bpm"]),
        key=first["key"],
        compilation=_flag(first["compilation"]),
        problem=problem,
    )


def _texts(values: Mapping[str, list[str]], names: Iterable[str]) -> list[str]:
    return [text for name in names for text in values.get(name, []) if text.strip("\0 \t\r\n")]


def _clean(text: str) -> str:
    """A tag in one line, without control characters."""
    visible = "".join(
        " " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text
    )
    return " ".join(visible[:MAX_CHARACTERS].split())


def _year(dates: Iterable[str]) -> int | None:
    numbers = (int(digits) for date in dates for digits in re.findall(r"(?<!\d)\d{4}(?!\d)", date))
    return next((number for number in numbers if number in YEARS), None)


def _number(text: str | None) -> int | None:
    match = re.match(r"\d{1,6}", text or "")
    return int(match[0]) or None if match else None


def _tempo(text: str | None) -> float | None:
    match = re.match(r"\d{1,4}(?:[.,]\d+)?", text or "")
    tempo = float(match[0].replace(",", ".")) if match else 0.0
    return tempo if TEMPOS[0] <= tempo <= TEMPOS[1] else None


def _flag(text: str | None) -> bool | None:
    return text.lower() in ("1", "true", "yes") if text else None
