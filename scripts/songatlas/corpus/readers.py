"""What corpora can be read: a registry of readers by name, imported on demand."""

import hashlib
import importlib
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from songatlas.config.corpus import READERS, several_corpora
from songatlas.corpus.listing import AUDIO_SUFFIXES, expanded, list_files
from songatlas.corpus.manifest_paths import locate, referenced, size_of
from songatlas.errors import SongatlasError

if TYPE_CHECKING:
    import pandas as pd

    from songatlas.corpus.result import ReaderResult

STAGE = "list_sources"
MODULES = {
    "demo": "demo_reader",
    "folder": "folder",
    "library": "library",
    "manifest": "manifest",
    "jamendolyrics": "jamendolyrics",
    "ultrastar": "ultrastar",
    "mirdata": "mirdata_reader",
}
TEXT_SUFFIXES = (*(".csv", ".json", ".jsonl", ".lrc", ".parquet", ".srt", ".tsv", ".txt", ".vtt"),)
MAX_HASHED_BYTES = 1_000_000
TAG_BYTES = 1 << 16
"""So far from both ends of a file its tags stand."""


SEVERAL = "several"
"""The reader that merges what others read."""


def modules_of(reader: str, path: str | Path) -> tuple[str, ...]:
    """The modules that implement a reader: for `several`, those of every corpus at `path`.

    Raises:
        SongatlasError: when there is no such reader.
    """
    return tuple(dict.fromkeys(module_of(name) for name, _ in corpora(reader, path)))


def corpora(reader: str, path: str | Path) -> tuple[tuple[str, Path], ...]:
    """Reader and folder (or file) of every corpus: one, or those that `several` names.

    Raises:
        SongatlasError: when the reader is `several` and `path` does not name corpora.
    """
    if reader != SEVERAL:
        return ((reader, Path(expanded(path))),)
    try:
        named = several_corpora(str(path))
    except ValueError as error:
        raise SongatlasError(f"corpus_path: {error}") from None
    return tuple((name, Path(expanded(where))) for name, where in named)


def module_of(reader: str) -> str:
    """The module that implements a reader (`mirdata:<name>` counts as `mirdata`).

    Raises:
        SongatlasError: when there is no such reader.
    """
    kind, colon, name = reader.partition(":")
    if kind not in MODULES or bool(colon) != (kind == "mirdata") or (colon and not name):
        known = ", ".join((*READERS, "mirdata:<data set>"))
        raise SongatlasError(f"corpus: unknown reader `{reader}`; known: {known}")
    return f"songatlas.corpus.{MODULES[kind]}"


def read(reader: str, path: str | Path) -> "ReaderResult":
    """Read a corpus: its songs with languages as primary subtags, sorted by `source_id`.

    Genres that differ in case, accents, blanks, hyphens or `&` are one, in its commonest spelling.
    `path` may begin with `~`, the home folder. `several` reads each corpus that `path` names
    (`config.several_corpora`), with the reader's name before its songs' `source_id`.

    Raises:
        SongatlasError: when there is no such reader, or the corpus as a whole cannot be read. What
            is wrong with one song becomes a reject or a warning.
    """
    # Tables are heavy to import, and whoever plans a run asks this module for the digest alone.
    from songatlas import tables
    from songatlas.corpus.genres import with_one_spelling
    from songatlas.corpus.languages import normalise_languages
    from songatlas.corpus.result import ReaderResult, concat

    parts = [(name, _read_one(name, folder)) for name, folder in corpora(reader, path)]
    for name, part in parts if reader == SEVERAL else []:
        part.sources["source_id"] = name + "/" + part.sources["source_id"].astype("str")
    sources = _tidy(concat((part.sources for _, part in parts), tables.SOURCES))
    sources["language"], uncertain = normalise_languages(sources, STAGE)
    sources["genre"], respelt = with_one_spelling(sources, STAGE)
    warnings = concat([*(part.warnings for _, part in parts), uncertain, respelt], tables.WARNINGS)
    rejects = concat((part.rejects for _, part in parts), tables.REJECTS)
    return ReaderResult(
        sources,
        rejects.sort_values(list(tables.REJECTS.columns), ignore_index=True),
        warnings.sort_values(list(tables.WARNINGS.columns), ignore_index=True),
        tuple(note for _, part in parts for note in part.notes),
    )


def _read_one(reader: str, path: Path) -> "ReaderResult":
    module = importlib.import_module(module_of(reader))
    name = reader.partition(":")[2]
    found: ReaderResult = module.read(path, name) if name else module.read(path)
    return found


def listing_digest(reader: str, path: str | Path) -> str:
    """Digest of what a corpus consists of, cheap enough to take whenever a run is planned.

    Covers relative path and size of every file, and the content of text and table files below 1 MB
    (of manifests, whatever their size); for `library`, of other files the first and last 64 KB,
    where tags stand. Times play no part. Another edit that leaves the size of an audio file as it
    was goes unnoticed.

    Raises:
        SongatlasError: as `read`.
    """
    if reader == SEVERAL:
        each = [f"{name} {listing_digest(name, where)}" for name, where in corpora(reader, path)]
        return hashlib.sha256("\n".join(each).encode()).hexdigest()[:16]
    module_of(reader)
    path = Path(expanded(path))
    digest = hashlib.sha256()
    if reader == "manifest":
        file = locate(path)
        digest.update(os.fsencode(file.name) + b"\0" + _content(file))
        for name, real in referenced(file):
            _add(digest, name, size_of(real), real)
    elif path.is_file():
        raise SongatlasError(f"{path}: is a file; set corpus_path to the corpus's folder")
    else:
        for entry in list_files(path):
            _add(digest, entry.relative, entry.size, path / entry.relative)
            if reader == "library" and entry.size > 0:
                digest.update(_ends(path / entry.relative, entry.size))
    return digest.hexdigest()[:16]


def first_lines(reader: str, path: str | Path) -> list[str]:
    """What to say of a corpus before a run starts, by the names of its files alone.

    A folder whose songs lie at `<language>/<genre>/<song>`, or one level too deep or too high, gets
    a line; other readers than `folder` and `library` have none.

    Raises:
        SongatlasError: as `read`.
    """
    from songatlas.corpus.layout import layout_of

    lines = []
    for name, folder in corpora(reader, path):
        if name in ("folder", "library"):
            files = (PurePosixPath(entry.relative) for entry in list_files(folder))
            layout = layout_of(folder, [f for f in files if f.suffix.lower() in AUDIO_SUFFIXES])
            lines += [layout.advice] if layout else []
    return lines


def file_sizes(reader: str, path: str | Path) -> list[tuple[str, int]]:
    """Suffix (lower case, with its dot) and bytes of every file that a corpus consists of.

    Raises:
        SongatlasError: as `read`.
    """
    if reader == SEVERAL:
        return [size for name, where in corpora(reader, path) for size in file_sizes(name, where)]
    path = Path(expanded(path))
    if reader == "manifest":
        files = [(real.suffix, size_of(real)) for _, real in referenced(locate(path))]
    else:
        files = [(Path(entry.relative).suffix, entry.size) for entry in list_files(path)]
    return [(suffix.lower(), size) for suffix, size in files if size >= 0]


def _add(digest: "hashlib._Hash", name: str, size: int, path: Path) -> None:
    digest.update(name.encode("utf-8", "surrogateescape") + f"\0{size}\0".encode())
    if path.suffix.lower() in TEXT_SUFFIXES and 0 <= size < MAX_HASHED_BYTES:
        digest.update(_content(path))


def _ends(path: Path, size: int) -> bytes:
    """Digest of a file's beginning and end, where tags stand: a new tag may leave the size."""
    try:
        if not path.is_file():  # opening a pipe would wait
            return b"unreadable"
        with path.open("rb") as file:
            beginning = file.read(TAG_BYTES)
            file.seek(max(TAG_BYTES, size - TAG_BYTES))
            return hashlib.sha256(beginning + file.read(TAG_BYTES)).digest()
    except OSError:  # reading the corpus reports it
        return b"unreadable"


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b"unreadable"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:  # reading the corpus reports it
        return b"unreadable"


def _tidy(sources: "pd.DataFrame") -> "pd.DataFrame":
    """Columns in order, cells without surrounding blanks, empty cells as nulls, sorted rows."""
    from songatlas import tables

    extra = sorted(str(column) for column in sources if column not in tables.SOURCES.columns)
    sources = sources.reindex(columns=[*tables.SOURCES.columns, *extra])
    kinds = {tables.TEXT: "str", tables.I32: "Int32", tables.FLAG: "boolean"}
    sources = sources.astype({name: kinds[kind] for name, kind in tables.SOURCES.columns.items()})
    for column in ("title", "artist", "album", "language", "genre", "license", "source_url"):
        stripped = sources[column].str.strip()
        sources[column] = stripped.mask(stripped == "")
    blank = sources["lyrics"].str.strip() == ""
    sources["lyrics"] = sources["lyrics"].mask(blank)
    sources.loc[blank, "lyrics_source"] = "none"
    return sources.sort_values("source_id", ignore_index=True)
