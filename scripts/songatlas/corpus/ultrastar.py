"""Songs in the UltraStar karaoke layout: time-stamped lyrics and the sung melody.

The format: header lines `#KEY:value`, then notes `type start length pitch text` (`:` normal, `*`
golden, `F` freestyle, `R` and `G` rap), `-` line breaks, `P1`/`P2` the voices of a duet, `E` the
end. Time counts in quarters of a beat of `#BPM`; pitch is in semitones above C4.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from songatlas.corpus.genres import genres_of
from songatlas.corpus.languages import normalise_language
from songatlas.corpus.licenses import license_link, normalise_license
from songatlas.corpus.listing import list_files
from songatlas.corpus.named_files import NamedFiles
from songatlas.corpus.result import Problems, ReaderResult, sources_frame
from songatlas.corpus.text_files import Text, TextError, read_text
from songatlas.corpus.timed_lyrics import Line, Note, to_json

STAGE = "list_sources"
SUFFIX = ".txt"
C4 = 60
"""MIDI note number that pitch 0 stands for."""

AUDIO = ("AUDIO", "MP3")
"""Keys that name the sound, the newer one first."""

PITCHED = (":", "*")
"""Notes with a sung pitch: freestyle and rap notes carry a placeholder."""

_HEADER = re.compile(r"^#([A-Za-z0-9]+)\s*:(.*)$")
_NOTE = re.compile(r"^([:*FRG])\s*(-?\d+)\s+(\d+)\s+(-?\d+)(?: (.*))?$")
_BREAK = re.compile(r"^-\s*(?:(-?\d+)(?:\s+(-?\d+))?)?\s*$")
_TEMPO = re.compile(r"^B\s*(-?[\d.,]+)\s+([\d.,]+)\s*$")
_VOICE = re.compile(r"^P\s*\d\s*$")


@dataclass(frozen=True)
class Song:
    """A parsed song file: its header (upper-case keys), lines, notes, and what was wrong."""

    header: Mapping[str, str]
    lines: list[Line]
    notes: list[Note]
    problems: list[str]

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


def read(path: Path) -> ReaderResult:
    """Read a folder with one folder per song: every text file with an UltraStar header.

    Files that are neither a song's sound nor its text or licence become warnings.
    """
    problems = Problems(STAGE)
    entries = list_files(path, problems)
    files = NamedFiles(path, entries, problems)
    rows = []
    seen: dict[str, str] = {}
    texts: dict[Path | None, str] = {}
    for entry in entries:
        relative = PurePosixPath(entry.relative)
        if relative.suffix.lower() != SUFFIX:
            continue
        file = path / relative
        if not entry.valid:
            problems.reject(file, "unreadable", "the file's name is not valid UTF-8; rename it")
            continue
        try:
            text = _read(file)
        except TextError as error:
            problems.reject(file, "bad_lyrics", str(error))
            continue
        if not _is_song(text.text):
            continue
        source_id = entry.relative[: -len(SUFFIX)]
        if source_id in seen:
            problems.reject(
                file,
                "duplicate_id",
                f"{seen[source_id]} has the same name without suffix and is used instead",
            )
            continue
        seen[source_id] = relative.name
        files.find(relative.name, file, relative.parent.as_posix())
        song, beside = parse(text.text), relative.parent.as_posix()
        header = song.header
        audio = _audio(header, files, file, beside)
        if audio in texts:
            problems.warn(file, "unused_file", f"{texts[audio]} is used for {audio}")
            continue
        if text.guessed:
            problems.warn(file, "encoding_guessed", f"not UTF-8; read as {text.encoding}")
        if song.problems:
            more = f" (and {len(song.problems) - 1} more)" if len(song.problems) > 1 else ""
            problems.warn(file, "bad_lyrics", song.problems[0] + more)
        if audio is None:
            listed = [f"#{key} names `{header[key]}`" for key in AUDIO if header.get(key)]
            detail = f"{' and '.join(listed)}: not in the corpus" if listed else "no #MP3"
            problems.warn(file, "missing_audio", detail)
        else:
            texts[audio] = relative.name
        license_file = files.find("license.txt", file, beside)
        lyrics, genres = song.text, genres_of([header.get("GENRE", "")])
        rows.append(
            {
                "source_id": source_id,
                "audio_path": str(audio) if audio else None,
                "lyrics_path": str(file),
                "lyrics": lyrics or None,
                "lyrics_source": "timed" if lyrics else "none",
                "title": header.get("TITLE"),
                "artist": header.get("ARTIST"),
                "language": header.get("LANGUAGE"),
                "genre": next(iter(genres), None),
                "genres": "; ".join(genres[1:]) or None,
                "license": _license(license_file, header, problems),
                "source_url": None,
                "lines": to_json(song.lines),
                "notes": to_json(song.notes),
            }
        )
    files.tell_unused()
    return ReaderResult(sources_frame(rows), problems.rejects(), problems.warnings())


def _audio(header: Mapping[str, str], files: NamedFiles, file: Path, beside: str) -> Path | None:
    """The first file that the header names and that is there."""
    named = (files.find(header[key], file, beside) for key in AUDIO if header.get(key))
    return next((audio for audio in named if audio), None)


def parse(text: str) -> Song:
    """Parse a song file; rows that are no UltraStar become problems."""
    header: dict[str, str] = {}
    problems: list[str] = []
    body = []
    for number, row in enumerate(text.split("\n"), 1):
        if match := _HEADER.match(row.strip()):
            header.setdefault(match[1].upper(), match[2].strip())
        else:
            body.append((number, row))
    bpm, gap = decimal(header.get("BPM")), decimal(header.get("GAP") or "0")
    if bpm is None or bpm <= 0 or gap is None:
        problems.append(
            f"#BPM `{header.get('BPM', '')}` and #GAP `{header.get('GAP', '')}` give no times"
        )
        return Song(header, [], [], problems)
    clock = _Clock(gap / 1000, bpm)
    relative = header.get("RELATIVE", "").lower() in ("yes", "true", "1")
    lines: list[Line] = []
    notes: list[Note] = []
    syllables: list[tuple[float, float, str]] = []
    offset = 0

    def end_line() -> None:
        words = " ".join("".join(text for _, _, text in syllables).replace("~", "").split())
        if words:
            lines.append(Line(syllables[0][0], max(end for _, end, _ in syllables), words))
        syllables.clear()

    for number, row in body:
        if not row.strip():
            continue
        if match := _NOTE.match(row.lstrip()):
            first = offset + int(match[2])
            start, end = clock.seconds(first), clock.seconds(first + int(match[3]))
            syllable = match[5] or ""
            if start < 0:
                problems.append(f"row {number} begins before the song")
                continue
            syllables.append((start, end, syllable))
            if match[1] in PITCHED and end > start:
                word = syllable.replace("~", "").strip()
                notes.append(Note(start, end, C4 + int(match[4]), word))
        elif row.lstrip().startswith("-"):
            end_line()
            match = _BREAK.match(row.strip())
            if not match:
                problems.append(f"row {number} is a break without a time: {row.strip()[:60]}")
                continue
            # Beats count from the last break then: its last number says how far that is.
            if relative and match[1]:
                offset += int(match[2] or match[1])
        elif match := _TEMPO.match(row.strip()):
            beat, tempo = decimal(match[1]), decimal(match[2])
            if beat is not None and tempo:
                clock.change(offset + beat, tempo)
        elif _VOICE.match(row.strip()):
            end_line()
            offset = 0
        elif row.strip() == "E":
            break
        else:
            problems.append(f"row {number} is no note, break or header: {row.strip()[:60]}")
    end_line()
    # Both voices of a duet often carry the lines that they sing together.
    lines = sorted(set(lines), key=lambda line: (line.start_s, line.end_s, line.text))
    notes = sorted(set(notes), key=lambda note: (note.start_s, note.end_s, note.midi, note.text))
    if not lines:
        problems.append("no line of lyrics")
    return Song(header, lines, notes, problems)


def decimal(text: str | None) -> float | None:
    """A number with a decimal point or comma, or None."""
    match = re.fullmatch(r"\s*(-?\d+)(?:[.,](\d*))?\s*", text or "")
    return float(f"{match[1]}.{match[2] or 0}") if match else None


class _Clock:
    """Seconds of a beat, with tempo changes (`B` rows) where a song has them."""

    def __init__(self, gap_s: float, bpm: float) -> None:
        self.segments = [(0.0, gap_s, bpm)]

    def change(self, beat: float, bpm: float) -> None:
        if beat <= self.segments[-1][0]:
            first, start, _ = self.segments.pop()
            self.segments.append((first, start, bpm))
        else:
            self.segments.append((beat, self.seconds(beat), bpm))

    def seconds(self, beat: float) -> float:
        first, start, bpm = self.segments[0]
        for segment in self.segments[1:]:
            if segment[0] <= beat:
                first, start, bpm = segment
        return start + (beat - first) * 60 / (bpm * 4)


def _read(file: Path) -> Text:
    """A song's text: in the encoding that it declares, else in its language's usual one."""
    text = read_text(file)
    if not text.guessed:
        return text
    matches = map(_HEADER.match, text.text.split("\n"))
    header = {match[1].upper(): match[2].strip() for match in matches if match}
    return read_text(file, normalise_language(header.get("LANGUAGE")), header.get("ENCODING"))


def _is_song(text: str) -> bool:
    keys = {match[1].upper() for match in map(_HEADER.match, text[:8192].split("\n")) if match}
    return "TITLE" in keys and ("BPM" in keys or "MP3" in keys)


def _license(file: Path | None, header: Mapping[str, str], problems: Problems) -> str | None:
    """The licence that `license.txt` links first (covers follow the song), else the header's."""
    if file is not None:
        try:
            found = license_link(read_text(file).text)
        except TextError as error:
            problems.warn(file, "bad_value", str(error))
            found = None
        if found:
            return found
    return normalise_license(header.get("LICENSE"))
