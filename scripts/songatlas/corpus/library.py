"""A library of music as it lies: any depth of folders, what a song is stands in its tags."""

from pathlib import Path, PurePosixPath
from typing import Any

from songatlas.corpus.listing import list_files
from songatlas.corpus.result import Problems, ReaderResult, sources_frame
from songatlas.corpus.tags import Tags, read_tags

STAGE = "list_sources"


def read(path: Path) -> ReaderResult:
    """Read every audio file below a folder, with its tags."""
    problems = Problems(STAGE)
    rows = []
    for entry in list_files(path):
        relative = PurePosixPath(entry.relative)
        rows.append(_row(path, relative, read_tags(path / relative)))
    return ReaderResult(sources_frame(rows), problems.rejects(), problems.warnings())


def _row(path: Path, relative: PurePosixPath, tags: Tags) -> dict[str, Any]:
    """A row of `tables.SOURCES`."""
    return {
        "source_id": relative.as_posix(),
        "audio_path": str(path / relative),
        "title": tags.title or relative.stem,
        "artist": tags.artist or tags.album_artist,
        "language": tags.language,
        "genre": next(iter(tags.genres), None),
        "factor_bpm": tags.bpm,
        "factor_key": tags.key,
    }
