"""Time-stamped lyrics: LRC, JSON and subtitles, and the JSON in which sources carry lines."""

import bisect
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

LAST_LINE_S = 5.0
"""An LRC file states where lines begin: the last one is taken to last this long."""

_TIME = r"\s*(?:(\d{1,2})\s*:\s*)?(\d{1,3})\s*:\s*(\d{1,2})\s*(?:[.,]\s*(\d{1,3}))?\s*"
_STAMP = re.compile(rf"\[{_TIME}\]")
_COLONS = re.compile(r"\[(\d{1,3}:\d{1,2}):(\d{2,3})\]")
"""`[01:02:33]`: some programs write a colon before the hundredths."""
_INSIDE = re.compile(rf"[\[<]{_TIME}[\]>]")
_TAG = re.compile(r"^\[([A-Za-z#]+):(.*)\]$")


_MARKUP = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
"""Of subtitles: `<i>`, `<v Name>`, `{\\an8}`."""


@dataclass(frozen=True)
class Line:
    """A line of lyrics, in seconds from the start of the song."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Note:
    """A sung note: seconds, MIDI note number (60 = C4), the syllable sung on it."""

    start_s: float
    end_s: float
    midi: float
    text: str


@dataclass(frozen=True)
class TimedLyrics:
    """Lines in order of time, the file's tags (lower case), and what was wrong with it."""

    lines: list[Line]
    tags: dict[str, str]
    problems: list[str]

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


def parse_lrc(text: str) -> TimedLyrics:
    """Parse an LRC file: several stamps per line, word stamps, `[offset:±ms]` and tags.

    A line lasts until the next stamp; a stamp without text marks the end of the line before it.
    Stamps inside a line time its words and are left out, wherever they stand. Lines of one time
    (two languages) stay in the file's order.
    """
    tags: dict[str, str] = {}
    stamped: list[tuple[float, str]] = []
    problems: list[str] = []
    for number, raw in enumerate(_COLONS.sub(r"[\1.\2]", text).split("\n"), 1):
        row = raw.strip()
        stamps = []
        while match := _STAMP.match(row):
            stamps.append(_seconds(*match.groups()))
            row = row[match.end() :].lstrip()
        if stamps:
            words, end = _without_stamps(row)
            stamped += [(stamp, words) for stamp in stamps]
            if end is not None and end > stamps[-1]:
                stamped.append((end, ""))
        elif tag := _TAG.match(row):
            tags[tag[1].lower()] = tag[2].strip()
        elif row:
            problems.append(f"line {number} has no time stamp")
    # [offset:+500] means that lyrics appear half a second sooner.
    offset = _number(tags.get("offset"))
    if "offset" in tags and offset is None:
        problems.append(f"offset `{tags['offset']}` is not a number")
    shift = (offset or 0.0) / 1000
    stamped = [(max(0.0, start - shift), words) for start, words in stamped]
    stamped.sort(key=lambda one: one[0])
    return TimedLyrics(_until_the_next(stamped), tags, problems)


def has_stamps(text: str) -> bool:
    """Whether some line of a text begins with a time stamp of LRC."""
    return any(_STAMP.match(_COLONS.sub(r"[\1.\2]", row.strip())) for row in text.split("\n"))


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")


def _without_stamps(row: str) -> tuple[str, float | None]:
    """A line's words, and when the line ends where a stamp behind them says so."""
    last = next((match for match in _INSIDE.finditer(row) if match.end() == len(row)), None)
    return " ".join(_INSIDE.sub("", row).split()), _seconds(*last.groups()) if last else None


def _until_the_next(stamped: Sequence[tuple[float, str]]) -> list[Line]:
    """Lines of (start in seconds, words) in order of time; no words end the line before."""
    starts = [start for start, _ in stamped]
    lines = []
    for start, words in stamped:
        place = bisect.bisect_right(starts, start)
        end = starts[place] if place < len(starts) else start + LAST_LINE_S
        if words:
            lines.append(Line(start, end, words))
    return lines


def parse_subtitles(text: str, kind: str) -> TimedLyrics:
    """Parse subtitles of FFmpeg's format `kind` (`srt`, `webvtt`), without their markup."""
    import av

    lines = []
    with av.open(io.BytesIO(text.encode()), format=kind) as subtitles:
        for packet in subtitles.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            start, length = packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base
            words = " ".join(_MARKUP.sub("", bytes(packet).decode("utf-8", "replace")).split())
            if words:
                lines.append(Line(float(start), float(start + length), words))
    return TimedLyrics(lines, {}, [])


def parse_json(text: str) -> TimedLyrics:
    """Parse JSON lines, one JSON array, or Whisper's object with `segments`, of lines with times.

    A line is `{"start_s", "end_s", "text"}`, or `{"start", "end", "text"}` among segments.

    Raises:
        ValueError: when the text is no JSON.
    """
    stripped = text.strip()
    try:
        whole = json.loads(stripped)
    except ValueError:
        items: list[object] = [json.loads(row) for row in stripped.split("\n") if row.strip()]
    else:
        items = _segments(whole) if isinstance(whole, dict) else whole
        items = items if isinstance(items, list) else [items]
    lines, problems = lines_from(items)
    lines = [replace(line, text=line.text.strip()) for line in lines if line.text.strip()]
    return TimedLyrics(lines, {}, problems)


def _segments(transcript: dict[str, object]) -> list[object]:
    """Whisper's segments as lines; of another object itself."""
    segments = transcript.get("segments")
    if not isinstance(segments, list):
        return [transcript]
    return [
        {"start_s": one.get("start"), "end_s": one.get("end"), "text": one.get("text")}
        for one in segments
        if isinstance(one, dict)
    ]


def lines_from(items: Iterable[object]) -> tuple[list[Line], list[str]]:
    """Lines from objects or `[start_s, end_s, text]` arrays, in order of time, and the problems."""
    lines, problems = [], []
    for number, item in enumerate(items, 1):
        values = _values(item, ("start_s", "end_s", "text"))
        start, end = (_number(values[0]), _number(values[1])) if values else (None, None)
        if not values or start is None or end is None or not isinstance(values[2], str):
            problems.append(f"line {number} is not an object with start_s, end_s and text")
        elif start < 0 or end < start:
            problems.append(f"line {number} runs from {start:g} s to {end:g} s")
        else:
            lines.append(Line(start, end, _text(values[2])))
    return sorted(lines, key=lambda line: (line.start_s, line.end_s)), problems


def notes_from(items: Iterable[object]) -> tuple[list[Note], list[str]]:
    """Notes from objects or `[start_s, end_s, midi, text]` arrays, as `lines_from`."""
    notes, problems = [], []
    for number, item in enumerate(items, 1):
        values = _values(item, ("start_s", "end_s", "midi", "text"))
        found = [_number(value) for value in values[:3]] if values else [None]
        start, end, midi = found if len(found) == 3 else (None, None, None)
        if start is None or end is None or midi is None or not isinstance(values[3], str):
            problems.append(f"note {number} is not an object with start_s, end_s, midi and text")
        elif start < 0 or end < start:
            problems.append(f"note {number} runs from {start:g} s to {end:g} s")
        else:
            notes.append(Note(start, end, midi, _text(values[3])))
    return sorted(notes, key=lambda note: (note.start_s, note.end_s)), problems


def to_json(items: Sequence[Line] | Sequence[Note]) -> str | None:
    """Lines or notes as the JSON array that `tables.SOURCES` holds (null when there are none)."""
    rows = [
        {
            key: round(value, 6) if isinstance(value, float) else value
            for key, value in vars(i).items()
        }
        for i in items
    ]
    return json.dumps(rows, ensure_ascii=False) if rows else None


def from_json(text: str) -> list[object]:
    """The items of a JSON array.

    Raises:
        ValueError: when the text is no JSON array.
    """
    items = json.loads(text)
    if not isinstance(items, list):
        raise ValueError("is not a JSON array")
    return items


def _values(item: object, keys: tuple[str, ...]) -> list[object]:
    if isinstance(item, dict):
        return [item.get(key, "" if key == "text" else None) for key in keys]
    if isinstance(item, list) and len(item) == len(keys):
        return list(item)
    return []


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _text(text: str) -> str:
    """JSON escapes can spell lone surrogates, which no file can hold."""
    return text.encode("utf-8", "replace").decode()
