"""The demo corpus: its synthesis has written the table of its songs already."""

from pathlib import Path

from songatlas import tables
from songatlas.corpus.result import Problems, ReaderResult
from songatlas.errors import SongatlasError

STAGE = "list_sources"
FILE = "songs.parquet"


def read(path: Path) -> ReaderResult:
    """Read `songs.parquet` in the folder `path`."""
    if not (path / FILE).is_file():
        raise SongatlasError(f"{path / FILE}: no such file; synthesise the demo corpus first")
    problems = Problems(STAGE)
    sources = tables.read(path / FILE, tables.SOURCES)
    return ReaderResult(sources, problems.rejects(), problems.warnings())
