"""CSV files that people made: any delimiter and encoding, rows of the wrong length set aside."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from songatlas.corpus.manifest_paths import decoded_table, rows_of, with_whole_rows
from songatlas.corpus.result import Problems
from songatlas.errors import SongatlasError

UNNAMED = "unnamed column "
"""What a column without a name is called."""

OPEN_QUOTE = "a quote that is never closed was left out"


def read_csv(file: Path, required: Sequence[str], problems: Problems) -> pd.DataFrame:
    """A CSV file (comma, semicolon or tab) with every cell as text, and the column `row`.

    `row` counts from 1, the header; a row that spans several lines is one. Rows with too few or too
    many cells become rejects.

    Raises:
        SongatlasError: when the file is absent or no CSV, or lacks one of `required`.
    """
    try:
        decoded = decoded_table(file)
    except OSError as error:
        raise SongatlasError(f"{file}: {error.strerror}; set corpus_path") from None
    except ValueError as error:
        raise SongatlasError(f"{file}: {error}") from None
    if decoded.guessed:
        problems.warn(file, "encoding_guessed", f"not UTF-8; read as {decoded.encoding}")
    text, delimiter = rows_of(decoded.text)
    text, mended = with_whole_rows(text, delimiter)
    text += "\n"  # a header without a line end would be no row to the parser
    header = text.split("\n", 1)[0]
    names = [name.strip().strip('"').strip() for name in header.split(delimiter)]
    # Spreadsheets write empty columns behind the last one.
    names = [name or f"{UNNAMED}{place}" for place, name in enumerate(names)]
    require_columns(file, names, required)
    bad: list[int] = []

    def set_aside(row: csv.InvalidRow) -> str:
        detail = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        detail += f", after {OPEN_QUOTE}" if row.number in mended else ""
        problems.reject(f"{file}:{row.number}", "bad_row", f"{detail}: {(row.text or '')[:200]}")
        bad.append(row.number)
        return "skip"

    try:
        table = csv.read_csv(
            io.BytesIO(text.encode("utf-8", "replace")),
            # Rows are numbered only when one thread reads them.
            csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
            csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside
            ),
            csv.ConvertOptions(column_types={name: pa.string() for name in names}),
        )
    except pa.ArrowInvalid as error:
        raise SongatlasError(f"{file}: not a readable CSV file ({error})") from None
    for number in set(mended) - set(bad):
        problems.warn(f"{file}:{number}", "bad_value", f"{OPEN_QUOTE}; the row is read")
    frame = table.to_pandas()
    unnamed = [name for name in names if name.startswith(UNNAMED)]
    frame = frame.drop(columns=[name for name in unnamed if not frame[name].str.strip().any()])
    rows = np.setdiff1d(np.arange(2, 2 + len(frame) + len(bad)), bad)
    return frame.assign(row=rows)


def require_columns(file: Path, names: Sequence[str], required: Sequence[str]) -> None:
    """Raise a `SongatlasError` that names the columns which a table lacks or has twice."""
    missing = [f"`{column}`" for column in required if column not in names]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        raise SongatlasError(
            f"{file}: {noun} {', '.join(missing)} missing; the header has {', '.join(names)}"
        )
    repeated = [name for index, name in enumerate(names) if name in names[:index]]
    if repeated:
        raise SongatlasError(f"{file}: column `{repeated[0]}` stands in the header twice")
