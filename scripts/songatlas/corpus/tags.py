"""Tags of audio files: what tinytag and FFmpeg (through PyAV) read, under one set of names.

Neither reads them all: tinytag knows no Matroska, CAF and WavPack, FFmpeg no synchronised lyrics,
only FFmpeg hands over the bytes of text that is not Unicode, and an MP3's APEv2 tag is read here.
"""

import os
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from songatlas.corpus.audio_files import open_audio
from songatlas.corpus.genres import genres_of
from songatlas.corpus.text_files import mended, misread_bytes

MARK = b"APETAGEX"
FOOTER_BYTES = 32
ID3V1_BYTES = 128
MAX_TEXT_BYTES = 1 << 20
"""Longer items are covers, or damage."""

TEXT = 0
"""Kind of item (bits 1 and 2 of its flags) that is text; others are covers and links."""


def read_ape_tags(path: Path) -> dict[str, list[str]]:
    """Values by lower-case name; none where a file has no such tag or it is damaged.

    Bytes that are not UTF-8 stand as lone surrogates.
    """
    try:
        with path.open("rb") as file:
            return _items(file)
    except (OSError, struct.error):
        return {}


def _items(file: BinaryIO) -> dict[str, list[str]]:
    """The items of the tag at the end of a file, or before the ID3v1 tag there."""
    end = file.seek(0, 2)
    file.seek(max(0, end - ID3V1_BYTES - FOOTER_BYTES))
    tail = file.read()
    place = tail.rfind(MARK)
    if place < 0 or len(tail) - place < FOOTER_BYTES:
        return {}
    size, count = struct.unpack_from("<II", tail, place + len(MARK) + 4)
    footer = end - len(tail) + place
    file.seek(max(0, footer + FOOTER_BYTES - size))
    values: dict[str, list[str]] = {}
    for _ in range(count):
        if file.tell() >= footer:
            break
        length, flags = struct.unpack("<II", file.read(8))
        name = _name(file)
        if flags >> 1 & 3 == TEXT and length <= MAX_TEXT_BYTES:
            text = file.read(length).decode("utf-8", "surrogateescape")
            values.setdefault(name.lower(), []).extend(text.split("\0"))
        else:
            file.seek(length, 1)
    return values


def _name(file: BinaryIO) -> str:
    """The name of an item, up to the NUL behind it."""
    name = b""
    while (sign := file.read(1)) not in (b"\0", b"") and len(name) < ID3V1_BYTES:
        name += sign
    return name.decode("ascii", "replace")


FIELDS: Mapping[str, tuple[str, ...]] = {
    "title": ("title",),
    "artist": ("artist", "author", "performer"),
    "album_artist": ("albumartist", "album_artist", "album artist", "band", "ensemble"),
    "album": ("album",),
    "year": ("year", "date", "originaldate", "originalyear", "date_released", "date_recorded"),
    "track_number": ("track", "tracknumber", "part_number"),
    "genre": ("genre",),
    "language": ("language", "tlan"),
    "lyrics": ("lyrics", "unsyncedlyrics", "syncedlyrics", "unsynced lyrics", "uslt"),
    "bpm": ("bpm", "tbpm", "tempo", "tmpo"),
    "key": ("initial_key", "initialkey", "tkey", "key"),
    "compilation": ("compilation", "itunescompilation", "tcmp", "cpil"),
}
"""Names that containers and taggers have for each field, lower case, the better one first."""

NO_LANGUAGE = ("und", "zxx", "mul", "mis", "xxx")
"""Codes that name no language."""

TRACK_LANGUAGE = ("mov", "matroska")
"""Containers that give every stream a language, `eng` where nobody chose one."""

MAX_CHARACTERS = 300
"""A title is a few words: of a longer tag (not of lyrics) the beginning is read."""

MAX_LYRICS = 200_000
"""Of the characters of lyrics in a tag: more are not kept in memory."""

YEARS = range(1000, 3000)
TEMPOS = (20.0, 999.0)
"""Beats per minute that a song may have; taggers write 0 for none."""


@dataclass(frozen=True)
class RawTags:
    """The texts of one file's tags by field (`FIELDS`), as they were read, and what went wrong."""

    texts: Mapping[str, list[str]]
    problem: str | None = None

    @property
    def misread(self) -> bytes:
        """The bytes of texts that are in another encoding than they were read in."""
        flat = (misread_bytes(text) for texts in self.texts.values() for text in texts)
        return b"\n".join(content for content in flat if content)


@dataclass(frozen=True)
class Tags:
    """What the tags of one file say; what they do not say is None or empty.

    `lyrics` are texts as they stand in the tags, of which some may have time stamps (LRC).
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


def read_tags(path: Path) -> RawTags:
    """The tags of an audio file. Nothing that is wrong with them raises: `problem` says it."""
    if not os.path.isfile(path):  # noqa: PTH113 - `Path.is_file` may raise; opening a pipe waits
        return RawTags({field: [] for field in FIELDS}, None)
    values, problem = _by_tinytag(path)
    pairs = [(name, text) for name, texts in read_ape_tags(path).items() for text in texts]
    for name, text in [*_by_ffmpeg(path), *pairs]:
        values.setdefault(name, []).append(text)
    return RawTags({field: _texts(values, names) for field, names in FIELDS.items()}, problem)


def interpret(raw: RawTags, more: bytes = b"") -> Tags:
    """Tags as values, in the encoding that they were written in.

    `more` bytes of tags that are in the same encoding help to tell it where a file has few.
    """
    flat = [(field, text) for field, texts in raw.texts.items() for text in texts]
    texts: dict[str, list[str]] = {field: [] for field in FIELDS}
    for (field, _), text in zip(flat, mended([text for _, text in flat], more=more), strict=True):
        texts[field].append(text if field == "lyrics" else _one_line(text))
    first = {field: next(filter(None, found), None) for field, found in texts.items()}
    named = first["language"] and first["language"].lower() not in NO_LANGUAGE
    return Tags(
        title=first["title"],
        artist=first["artist"],
        album_artist=first["album_artist"],
        album=first["album"],
        year=_year(texts["year"]),
        track_number=_number(first["track_number"]),
        genres=genres_of(texts["genre"]),
        language=first["language"] if named else None,
        lyrics=tuple({" ".join(text.split()): text for text in reversed(texts["lyrics"])}.values()),
        bpm=_tempo(first["bpm"]),
        key=first["key"],
        compilation=_flag(first["compilation"]),
    )


def _by_tinytag(path: Path) -> tuple[dict[str, list[str]], str | None]:
    """Values by lower-case name, and what was wrong with the tags."""
    from tinytag import TinyTag, TinyTagException, UnsupportedFormatError

    try:
        with path.open("rb") as file:
            found = TinyTag.get(file_obj=file, duration=False)
    except (UnsupportedFormatError, OSError):  # FFmpeg may know it; probing says what is wrong
        return {}, None
    except (TinyTagException, MemoryError) as error:
        return {}, f"some tags cannot be read ({error})"
    values = found.as_dict().items()
    return {name: list(map(str, texts)) for name, texts in values if isinstance(texts, list)}, None


def _by_ffmpeg(path: Path) -> list[tuple[str, str]]:
    """Pairs of lower-case name and value, of a file and of its first audio stream."""
    import av

    try:
        with open_audio(path) as container:
            pairs = list(container.metadata.items())
            for stream in container.streams.audio[:1]:
                by_default = container.format.name.startswith(TRACK_LANGUAGE)
                pairs += [
                    (name, text)
                    for name, text in stream.metadata.items()
                    if not (by_default and name == "language")
                ]
    except (av.FFmpegError, OSError, ValueError):
        return []
    return [(re.sub("^lyrics-.*", "lyrics", name.lower()), text) for name, text in pairs]


def _texts(values: Mapping[str, list[str]], names: Iterable[str]) -> list[str]:
    """Values under some names, those first that lost no character."""
    found = [text[:MAX_LYRICS] for name in names for text in values.get(name, [])]
    return sorted(filter(_has_words, found), key=lambda text: "\ufffd" in text)


def _has_words(text: str) -> bool:
    return bool(text.strip("\0 \t\r\n"))


def _one_line(text: str) -> str:
    """A tag without control characters, in one line."""
    return " ".join("".join(_visible(text[:MAX_CHARACTERS])).split())


def _visible(text: str) -> Iterator[str]:
    for sign in text:
        category = unicodedata.category(sign)
        if category in ("Cc", "Zl", "Zp"):
            yield "\0" if sign == "\0" else " "
        elif category not in ("Cs", "Cn"):
            yield sign


def _year(dates: Iterable[str]) -> int | None:
    numbers = (int(digits) for date in dates for digits in re.findall(r"(?<!\d)\d{4}", date))
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
