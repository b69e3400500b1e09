"""Lyrics beside the audio (plain text, LRC, JSON, subtitles) or in its tags."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from songatlas.corpus.listing import name_key
from songatlas.corpus.result import Problems
from songatlas.corpus.text_files import TextError, read_text
from songatlas.corpus.timed_lyrics import (
    TimedLyrics,
    has_stamps,
    parse_json,
    parse_lrc,
    parse_subtitles,
    to_json,
)

SUBTITLES = {".srt": "srt", ".vtt": "webvtt"}
"""FFmpeg's name of the format, by suffix."""

TIMED = (".lrc", ".jsonl", ".json", *SUBTITLES)
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


@dataclass(frozen=True)
class _Candidate:
    """One source of lyrics: a file, or the song's tags (no path)."""

    path: Path | None
    found: FoundLyrics
    problems: Problems

    @property
    def rank(self) -> tuple[bool, bool, bool, int, str]:
        """Words before none, timed before untimed, files before tags."""
        no_words, untimed = self.found.lyrics is None, self.found.lyrics_source != "timed"
        if self.path is None:
            return no_words, untimed, True, 0, ""
        return no_words, untimed, False, SUFFIXES.index(self.path.suffix.lower()), str(self.path)


def choose_lyrics(
    files: Iterable[Path],
    tags: Iterable[str],
    audio: Path,
    language: str | None,
    problems: Problems,
) -> tuple[Path | None, FoundLyrics]:
    """The best of a song's sources of lyrics, and its file (None: there is none, or tags).

    Sources with words come before those without, timed ones before others, files before `tags`
    (texts of the audio file's tags). What is left out becomes a warning.
    """
    candidates = []
    for path in files:
        told = Problems(problems.stage)
        candidates.append(_Candidate(path, read_lyrics(path, language, told), told))
    for text in tags:
        told = Problems(problems.stage)
        candidates.append(_Candidate(None, lyrics_of_tag(text, audio, told), told))
    if not candidates:
        return None, NOTHING
    candidates.sort(key=lambda candidate: candidate.rank)
    chosen = candidates[0]
    problems.warned += chosen.problems.warned
    _tell_left_out(candidates[1:], chosen, audio, problems)
    return chosen.path, chosen.found


def _tell_left_out(
    others: Sequence[_Candidate], chosen: _Candidate, audio: Path, problems: Problems
) -> None:
    """A warning for each file that is not used, and for other words in the song's tags."""
    source = chosen.path.name if chosen.path else f"the tag of {audio.name}"
    words = (chosen.found.lyrics or "").split()
    for other in others:
        if other.path is not None:
            why = "".join(f" ({detail})" for _, _, _, detail in other.problems.warned[:1])
            problems.warn(other.path, "unused_file", f"{source} is used instead{why}")
        elif other.found.lyrics is not None and other.found.lyrics.split() != words:
            problems.warn(audio, "bad_value", f"lyrics in its tags are left out: {source} is used")


def read_lyrics(path: Path, language: str | None, problems: Problems) -> FoundLyrics:
    """Read a lyrics file; what is wrong with it becomes warnings, and the song has no lyrics then.

    `language` (a primary subtag) helps to guess the encoding of text that is not Unicode.
    """
    try:
        found = read_text(path, language)
    except TextError as error:
        problems.warn(path, "bad_lyrics", str(error))
        return NOTHING
    if found.guessed or found.damaged:
        damage = f"; {found.damaged} places cannot be read" if found.damaged else ""
        detail = f"not UTF-8; read as {found.encoding}" if found.encoding != "utf-8" else "UTF-8"
        doubled = ", encoded twice" if found.guessed and found.encoding == "utf-8" else ""
        problems.warn(path, "encoding_guessed", detail + doubled + damage)
    text = _cut(found.text, path, problems)
    if not text.strip():
        problems.warn(path, "bad_lyrics", "the file holds no text")
        return NOTHING
    suffix = path.suffix.lower()
    if suffix not in TIMED:
        return FoundLyrics(text, "file", None, {})
    try:
        timed = _parsed(text, suffix)
    except (ValueError, OSError) as error:  # OSError: FFmpeg's
        problems.warn(path, "bad_lyrics", f"not {suffix}: {error}")
        return NOTHING
    return _timed(timed, text if suffix == ".lrc" else "", path, problems)


def lyrics_of_tag(text: str, audio: Path, problems: Problems) -> FoundLyrics:
    """Lyrics of a tag, timed where it holds LRC; warnings name the audio file."""
    text = _cut(text.replace("\r\n", "\n").replace("\r", "\n"), audio, problems)
    if not has_stamps(text):
        return FoundLyrics(text, "tag", None, {}) if text.strip() else NOTHING
    return _timed(parse_lrc(text), "", audio, problems)


def by_song(
    lyrics: Mapping[str, list[PurePosixPath]],
    songs: Iterable[str],
    problems: Problems,
    path: Path,
) -> dict[str, list[PurePosixPath]]:
    """Lyrics files by song (paths without suffix): those of exactly its name, else of one alike.

    Names are alike that differ in case or Unicode form. Files that fit no song, or only songs with
    lyrics of exactly their name, keep their own name.
    """
    names = set(songs)
    without: dict[str, list[str]] = {}
    for song in songs:
        if song not in lyrics:
            without.setdefault(name_key(song), []).append(song)
    assigned: dict[str, list[PurePosixPath]] = {}
    for stem, files in lyrics.items():
        owners = without.get(name_key(stem), []) if stem not in names else []
        if len(owners) > 1:
            detail = f"fits each of the songs {', '.join(owners)}: taken for the first"
            problems.warn(path / files[0], "bad_value", detail)
        assigned.setdefault(owners[0] if owners else stem, []).extend(files)
    return assigned


def _parsed(text: str, suffix: str) -> TimedLyrics:
    if suffix == ".lrc":
        return parse_lrc(text)
    if suffix in SUBTITLES:
        return parse_subtitles(text, SUBTITLES[suffix])
    return parse_json(text)


def _timed(timed: TimedLyrics, untimed: str, path: Path, problems: Problems) -> FoundLyrics:
    """Lyrics with their lines; `untimed` text where no line has a time."""
    if timed.problems:
        more = f" (and {len(timed.problems) - 1} more)" if len(timed.problems) > 1 else ""
        problems.warn(path, "bad_timestamp", timed.problems[0] + more)
    if timed.lines:
        return FoundLyrics(timed.text, "timed", to_json(timed.lines), timed.tags)
    if untimed and timed.problems:
        # Lyrics that somebody saved under this name without any stamp are lyrics all the same.
        return FoundLyrics(untimed, "file", None, timed.tags)
    problems.warn(path, "bad_lyrics", "no line has text and a usable time stamp")
    return FoundLyrics(None, "none", None, timed.tags)


def _cut(text: str, path: Path, problems: Problems) -> str:
    """The beginning of a text that is too long for lyrics, in whole lines."""
    if len(text) <= MAX_CHARACTERS:
        return text
    detail = f"the first {MAX_CHARACTERS:,} of {len(text):,} characters of lyrics are read"
    problems.warn(path, "truncated", detail)
    beginning = text[:MAX_CHARACTERS]
    return beginning.rpartition("\n")[0] or beginning
