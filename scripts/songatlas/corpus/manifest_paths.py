"""Where a manifest is, and which files it names; light enough to ask whenever a run is planned."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from songatlas.corpus.listing import expanded, is_folder
from songatlas.corpus.text_files import Text, all_encodings, decode_as, decode_text
from songatlas.errors import SongatlasError

NAMES = ("dataset_metadata.csv", "manifest.csv", "manifest.parquet")
"""What a manifest is called when `corpus_path` is its folder."""

COLUMNS = ("audio_path", "lyrics_path")
EMPTY = ("", "nan", "none", "null", "n/a", "na", "<na>")
"""Cells that hold nothing (compared without case)."""

SAMPLE = 64
"""Rows by which it is decided what relative paths are relative to."""


def locate(path: Path) -> Path:
    """The manifest file that `path` is or holds.

    Raises:
        SongatlasError: when there is none.
    """
    if is_folder(path):
        found = [path / name for name in NAMES if size_of(path / name) >= 0]
        if not found:
            raise SongatlasError(
                f"{path}: holds none of {', '.join(NAMES)}; set corpus_path to the manifest file"
            )
        return found[0]
    if size_of(path) < 0:
        raise SongatlasError(
            f"{path}: no such file or folder; set corpus_path to the manifest, or to its folder"
        )
    return path


def rows_of(text: str) -> tuple[str, str]:
    """A table's text from its header on, and its delimiter: comma, semicolon or tab.

    Excel may say the delimiter in a first line (`sep=;`); else it is what the header has most of.
    """
    text = text.strip("\n")
    first, _, rest = text.partition("\n")
    if named := re.fullmatch(r'"?sep=([,;\t])"?', first.strip(" "), re.IGNORECASE):
        return rest.lstrip("\n"), named[1]
    return text, max(",;\t", key=first.count)


def with_whole_rows(text: str, delimiter: str) -> tuple[str, list[int]]:
    """A table whose rows have the header's cells where they can, and the rows that lost quotes.

    Rows count from 1, the header. A cell in quotes may hold line ends. A quote is open where none
    closes it, or where what stands before the next one is rows of the table: its row is then one
    line, and loses its quotes. Spreadsheets write empty cells behind the last column in some rows
    and not in others: rows that have a cell for every column with a name get the others.
    """
    lines = text.split("\n")
    if '"' not in text and len({line.count(delimiter) for line in lines if line}) == 1:
        return text, []
    cell = f'(?:"[^"]*"|[^"{delimiter}]*)'
    plain = re.compile(f"(?:{cell}{delimiter})*{cell}")
    mended = []
    place = row = 0
    while place < len(lines):
        row += bool(lines[place])  # empty lines are no rows
        count = 1 if plain.fullmatch(lines[place]) else _lines_of_row(lines, place, delimiter)
        if not count:
            lines[place] = lines[place].replace('"', "")
            mended.append(row)
        if count < 2 and place:
            lines[place] = _even(lines[place], lines[0], delimiter)
        place += max(count, 1)
    return "\n".join(lines), mended


def _even(line: str, header: str, delimiter: str) -> str:
    """A row, with the empty cells behind the last named column that it lacks."""
    unnamed = header[len(header.rstrip(delimiter)) :]
    if not unnamed or not line:
        return line
    cells = line.count(delimiter) + 1
    if '"' in line:
        cells = len(next(csv.reader([line], delimiter=delimiter)))
    return line + unnamed if cells == header.count(delimiter) + 1 - len(unnamed) else line


def _lines_of_row(lines: Sequence[str], first: int, delimiter: str) -> int:
    """How many lines the row takes that begins at `first`; 0 where a quote of it is open."""
    try:
        reader = csv.reader([lines[first], ""], delimiter=delimiter)
        next(reader)
        if reader.line_num == 1:
            return 1
        ahead = (lines[place] + "\n" for place in range(first, len(lines)))
        reader = csv.reader(ahead, delimiter=delimiter, strict=True)
        cells = len(next(reader))
    except csv.Error:
        return 0
    delimiters = lines[0].count(delimiter)
    inside = lines[first : first + reader.line_num]
    are_rows = all(line.count(delimiter) == delimiters for line in inside)
    return reader.line_num if cells == delimiters + 1 and not are_rows else 0


def decoded_table(file: Path) -> Text:
    """A table's text. Of encodings that may be its own, the first counts in which its files exist.

    Raises:
        OSError, ValueError: when it cannot be read, or is no text.
    """
    data = file.read_bytes()
    decoded = decode_text(data)
    if not decoded.guessed:
        return decoded
    others = (decode_as(data, encoding) for encoding in all_encodings())
    for text in chain([decoded], others):
        if text is not None and _names_files(text.text, file):
            return replace(text, guessed=True)
    return decoded


def _names_files(text: str, file: Path) -> bool:
    """Whether some file is there that a table names with letters beyond ASCII."""
    names = [name for column in _cells(text) for name in column if not name.isascii()]
    sample = names[:: max(1, -(-len(names) // SAMPLE))]
    base = str(base_folder(file, sample))
    return any(size_of(resolve(name, base)) >= 0 for name in sample)


def base_folder(file: Path, audio_paths: Sequence[str]) -> Path:
    """The folder that relative paths are relative to: the manifest's, or one of the two above.

    A folder above is taken when none of a sample of files is there but some are below it.
    """
    step = max(1, -(-len(audio_paths) // SAMPLE))
    sample = audio_paths[::step]
    for base in (file.parent, *list(file.parent.resolve().parents)[:2]):
        if any(size_of(resolve(path, str(base))) >= 0 for path in sample):
            return base
    return file.parent


def resolve(path: str, base: str) -> str:
    """A path joined to `base` where it is relative; Windows separators become slashes.

    `~` at its beginning is the home folder. Names of files may have the other Unicode form.
    """
    if "\\" in path and "/" not in path:
        path = path.replace("\\", "/")
    path = expanded(path)
    base = "" if path.startswith("/") else f"{base}/"
    if path.isascii():
        return base + path
    forms = (path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD")))
    return next((base + form for form in forms if size_of(base + form) >= 0), base + path)


def size_of(path: str | Path) -> int:
    """Size of a file in bytes, -1 where there is none."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):  # ValueError: the cell holds a NUL
        return -1


def referenced(file: Path) -> Iterator[tuple[str, Path]]:
    """The files that a manifest names, as written and resolved, in its order.

    Nothing but paths is checked here: reading the manifest says what is wrong with it.
    """
    columns = [[cell.strip() for cell in column] for column in _path_columns(file)]
    named = [[cell for cell in column if cell.lower() not in EMPTY] for column in columns]
    base = str(base_folder(file, named[0]))
    for column in named:
        for path in column:
            yield path, Path(resolve(path, base))


def _path_columns(file: Path) -> list[list[str]]:
    if file.suffix.lower() == ".parquet":
        return _parquet_columns(file)
    try:
        return _cells(decoded_table(file).text)
    except (OSError, ValueError):
        return [[], []]


def _cells(text: str) -> list[list[str]]:
    """The columns `COLUMNS` of a table."""
    text, delimiter = rows_of(text)
    text, _ = with_whole_rows(text, delimiter)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    cells: list[list[str]] = [[], []]
    try:
        header = [name.strip() for name in next(rows, [])]
        places = [header.index(column) if column in header else len(header) for column in COLUMNS]
        for row in rows:
            for column, place in zip(cells, places, strict=True):
                column.append(row[place] if place < len(row) else "")
    except csv.Error:  # a cell beyond all measure; what came before it counts
        pass
    return cells


def _parquet_columns(file: Path) -> list[list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file, columns=list(COLUMNS))
    except (pa.ArrowInvalid, OSError, KeyError):
        return [[], []]
    known = [column for column in COLUMNS if column in table.column_names]
    cells = [[str(cell or "") for cell in table[column].to_pylist()] for column in known]
    return cells + [[]] * (2 - len(cells))
