"""Lyrics from a file beside the audio: plain text, LRC, or JSON lines."""

from dataclasses import dataclass, replace
from pathlib import Path

from songatlas.corpus.result import Problems
from songatlas.corpus.text_files import TextError, read_text
from songatlas.corpus.timed_lyrics import parse_json, parse_lrc, to_json

TIMED = (".lrc", ".jsonl", ".json")
SUFFIXES = (*TIMED, ".txt")
"""What lyrics files end in, the better source first."""

MAX_CHARACTERS = 100_000
"""Lyrics are a few thousand characters. Every window of a song may hold its whole text, so what is
longer (a book, a log file) is cut."""


@dataclass(frozen=True)
class FoundLyrics:
    """Values of the columns `lyrics`, `lyrics_source`, `lines`, and tags of an LRC file."""

    lyrics: str | None
    lyrics_source: str
    lines: str | None
    tags: dict[str, str]


NOTHING = FoundLyrics(None, "none", None, {})


def read_lyrics(path: Path, language: str | None, problems: Problems) -> FoundLyrics:
    """Read a lyrics file; what is wrong with it becomes warnings, and the song has no lyrics then.

    `language` (a primary subtag) helps to guess the encoding of text that is not Unicode.
    """
    try:
        found = read_text(path, language)
    except TextError as error:
        problems.warn(path, "bad_lyrics", str(error))
        return NOTHING
    if found.guessed:
        problems.warn(path, "encoding_guessed", f"not UTF-8; read as {found.encoding}")
    if len(found.text) > MAX_CHARACTERS:
        detail = f"the first {MAX_CHARACTERS:,} of {len(found.text):,} characters are read"
        problems.warn(path, "truncated", detail)
        found = replace(found, text=_whole_lines(found.text[:MAX_CHARACTERS]))
    if not found.text.strip():
        problems.warn(path, "bad_lyrics", "the file holds no text")
        return NOTHING
    suffix = path.suffix.lower()
    if suffix not in TIMED:
        return FoundLyrics(found.text, "file", None, {})
    try:
        timed = parse_lrc(found.text) if suffix == ".lrc" else parse_json(found.text)
    except ValueError as error:
        problems.warn(path, "bad_lyrics", f"not JSON: {error}")
        return NOTHING
    if timed.problems:
        more = f" (and {len(timed.problems) - 1} more)" if len(timed.problems) > 1 else ""
        problems.warn(path, "bad_timestamp", timed.problems[0] + more)
    if timed.lines:
        return FoundLyrics(timed.text, "timed", to_json(timed.lines), timed.tags)
    if suffix == ".lrc" and timed.problems:
        # Lyrics that somebody saved under this name without any stamp are lyrics all the same.
        return FoundLyrics(found.text, "file", None, timed.tags)
    problems.warn(path, "bad_lyrics", "no line has text and a usable time stamp")
    return NOTHING


def _whole_lines(text: str) -> str:
    """Text without its last, broken line, unless that is all of it."""
    return text.rpartition("\n")[0] or text
