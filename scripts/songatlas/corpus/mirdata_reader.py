"""Data sets that the mirdata library can load (Bittner et al., ISMIR 2019), once downloaded."""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from songatlas.corpus.dali_annotations import read_annotations
from songatlas.corpus.result import Problems, ReaderResult, sources_frame
from songatlas.corpus.timed_lyrics import Line, to_json
from songatlas.errors import SongatlasError

STAGE = "list_sources"

ATTRIBUTES = {
    "audio_path": ("audio_path", "audio_mix_path", "mix_path", "audio_stereo_path"),
    "title": ("title", "track_title", "song_title", "work"),
    "artist": ("artist", "artist_name", "artists", "main_artist"),
    "genre": ("genre", "genres", "broad_genre", "style"),
    "language": ("language",),
}
"""Where the loaders keep what we want to know, the best name first."""

LOADER_ERRORS = (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError)
"""What loaders raise for a track whose annotation file is absent or broken."""

PAUSE_S = 0.8
"""Where only words are time-stamped, a silence this long ends a line."""


def read(path: Path, name: str) -> ReaderResult:
    """Read the data set `name` whose files are in the folder `path`. Nothing is downloaded.

    The data set's index may lie in `path` too (mirdata itself keeps it inside its package).

    Raises:
        SongatlasError: when mirdata has no such data set, its index or its audio is not there, or
            it needs a package that is not installed.
    """
    problems = Problems(STAGE)
    dataset = _dataset(path, name)
    try:
        track_ids = sorted(dataset.track_ids)
    except FileNotFoundError:
        raise SongatlasError(
            f"{path}: the index of mirdata's `{name}` is not there; fetch it with: "
            + _command(path, name, '["index"]')
        ) from None
    except AttributeError:
        raise SongatlasError(
            f"corpus: mirdata's `{name}` has no songs, only multitracks; choose another data set"
        ) from None
    rows = [_row(dataset, track_id, name, problems) for track_id in track_ids]
    named = [row["audio_path"] for row in rows if row["audio_path"]]
    if not any(Path(audio).is_file() for audio in named):
        raise SongatlasError(
            f"{path}: holds none of the {len(named)} audio files of mirdata's `{name}`"
            + (f" (such as {named[0]})" if named else "")
            + "; set corpus_path to the data set's folder, or download it with: "
            + _command(path, name, "")
        )
    return ReaderResult(sources_frame(rows), problems.rejects(), problems.warnings())


def _dataset(path: Path, name: str) -> Any:
    import mirdata

    if name not in mirdata.list_datasets():
        known = ", ".join(mirdata.list_datasets())
        raise SongatlasError(f"corpus: mirdata has no data set `{name}`; it has {known}")
    if not path.is_dir():
        raise SongatlasError(
            f"{path}: no such folder; set corpus_path to the folder of mirdata's `{name}`, or "
            "download it with: " + _command(path, name, "")
        )
    try:
        dataset = mirdata.initialize(name, data_home=str(path))
    except ImportError as error:
        raise SongatlasError(
            f"corpus: mirdata's `{name}` needs the package `{error.name}`; install it with: "
            f"pip install 'mirdata[{name}]'"
        ) from None
    own_index = path / Path(dataset.index_path).name
    if own_index.is_file():
        dataset.index_path = str(own_index)
    return dataset


def _command(path: Path, name: str, what: str) -> str:
    initialise = f"mirdata.initialize({json.dumps(name)}, data_home={json.dumps(str(path))})"
    code = f"import mirdata; {initialise}.download({what})"
    return f"python -c {shlex.quote(code)}"


def _row(dataset: Any, track_id: str, name: str, problems: Problems) -> dict[str, Any]:
    row: dict[str, Any] = {"source_id": track_id, "lyrics_source": "none", "audio_path": None}
    try:
        track = dataset.track(track_id)
    except LOADER_ERRORS as error:
        problems.warn(f"{name}:{track_id}", "bad_value", f"mirdata cannot load it: {error!r}")
        return row
    where = f"{name}:{track_id}"
    for column, names in ATTRIBUTES.items():
        values = (_text(_get(track, attribute, where, problems)) for attribute in names)
        row[column] = next((value for value in values if value), None)
    if name == "dali":
        # mirdata would unpickle these files, which can run any code that is in them.
        lines, notes = read_annotations(Path(track.annotation_path), problems)
        found = {}
    else:
        found = {a: _get(track, a, where, problems) for a in ("lines", "lyrics", "words")}
        lines, notes = _lines(found), []
    if lines:
        row |= {"lyrics": "\n".join(line.text for line in lines), "lyrics_source": "timed"}
        row |= {"lines": to_json(lines), "notes": to_json(notes)}
    elif text := _plain(found.get("lyrics")):
        row |= {"lyrics": text, "lyrics_source": "file"}
    return row


def _get(track: Any, attribute: str, where: str, problems: Problems) -> Any:
    """An attribute of a track: most are read from files when they are asked for."""
    if not hasattr(type(track), attribute) and attribute not in vars(track):
        return None
    try:
        return getattr(track, attribute)
    except LOADER_ERRORS as error:
        problems.warn(where, "bad_value", f"mirdata cannot read `{attribute}`: {error!r}")
        return None


def _text(value: Any) -> str | None:
    """One label: lists (most fitting first) and mappings of lists give their first."""
    if isinstance(value, dict):
        value = next((found for found in map(_text, value.values()) if found), None)
    elif isinstance(value, list | tuple):
        value = next((found for found in map(_text, value) if found), None)
    return str(value).strip() or None if isinstance(value, str | Path) else None


def _lines(found: Mapping[str, Any]) -> list[Line]:
    """Time-stamped lines: the loader's own, or its words joined between pauses."""
    for attribute, annotation in found.items():
        intervals = getattr(annotation, "intervals", None)
        texts = getattr(annotation, "lyrics", None)
        if intervals is None or not texts or getattr(annotation, "interval_unit", "s") != "s":
            continue
        spans = [
            Line(float(start), float(end), " ".join(str(text).split()))
            for (start, end), text in zip(intervals, texts, strict=True)
        ]
        spans = [span for span in spans if span.text and 0 <= span.start_s <= span.end_s]
        spans.sort(key=lambda span: (span.start_s, span.end_s))
        return spans if attribute == "lines" else _join_words(spans)
    return []


def _plain(lyrics: Any) -> str | None:
    """Lyrics without time stamps: a text, or lists of words by line."""
    if isinstance(lyrics, list):
        lines = [" ".join(map(str, line)) if isinstance(line, list) else line for line in lyrics]
        lyrics = "\n".join(map(str, lines))
    return lyrics if isinstance(lyrics, str) and lyrics.strip() else None


def _join_words(words: Iterable[Line]) -> list[Line]:
    lines: list[Line] = []
    for word in words:
        if lines and word.start_s - lines[-1].end_s < PAUSE_S:
            last = lines[-1]
            lines[-1] = Line(last.start_s, max(last.end_s, word.end_s), f"{last.text} {word.text}")
        else:
            lines.append(word)
    return lines
