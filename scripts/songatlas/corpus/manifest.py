"""A table of songs: CSV or parquet with one row per song."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from songatlas.corpus.csv_files import read_csv, require_columns
from songatlas.corpus.languages import normalise_language
from songatlas.corpus.licenses import normalise_license
from songatlas.corpus.lyrics_files import read_lyrics
from songatlas.corpus.manifest_paths import EMPTY, base_folder, locate, resolve
from songatlas.corpus.result import Problems, ReaderResult, where
from songatlas.errors import SongatlasError

STAGE = "list_sources"
REQUIRED = ("song_id", "title", "language", "genre", "audio_path", "lyrics_path")
OPTIONAL = ("has_lyrics", "artist", "license", "source_url")
YES = ("true", "1", "1.0", "yes", "wahr", "ja", "vrai", "oui", "verdadero", "sí", "vero")
"""How spreadsheets and people of several languages say that something is so."""
UNREAD = ("filename",)
"""Columns that manifests may have, which say nothing that others do not."""


def read(path: Path) -> ReaderResult:
    """Read a manifest, or the one in the folder `path`.

    Relative paths are relative to the manifest's folder; where none of a sample of files is there
    but some are below one of the two folders above, that folder is taken and a warning says so.

    Raises:
        SongatlasError: when there is no manifest, it cannot be read, or it lacks a column.
    """
    problems = Problems(STAGE)
    file = locate(path)
    rows = read_rows(file, problems)
    factors = [str(column) for column in rows if str(column).startswith("factor_")]
    columns = [column for column in (*REQUIRED, *OPTIONAL, *factors) if column in rows]
    unread = [str(name) for name in rows if name not in (*columns, *UNREAD, "row")]
    if unread:
        listed = ", ".join(f"`{name}`" for name in unread)
        detail = f"columns that are not read: {listed}; optional ones are {', '.join(OPTIONAL)}"
        problems.warn(file, "bad_value", f"{detail} and factor_<name>")
    cells = pd.DataFrame({column: _blank_to_null(rows[column]) for column in columns})
    cells["language"] = _languages(rows[columns])
    cells = _without_bad_rows(cells.assign(row=rows["row"]), file, problems)
    base = base_folder(file, list(cells["audio_path"].dropna()))
    if base != file.parent:
        detail = f"paths are relative to {base}, not to the manifest's folder"
        problems.warn(file, "bad_value", detail)
    sources = pd.DataFrame({"source_id": cells["song_id"]})
    for column in ("audio_path", "lyrics_path"):
        sources[column] = _resolved(cells[column], base)
    for name in ("title", "language", "genre", "artist", "source_url", "license"):
        sources[name] = cells.get(name, pd.Series(None, cells.index, "str"))
    known = {text: normalise_license(text) for text in sources["license"].dropna().unique()}
    sources["license"] = sources["license"].map(known)
    sources["notes"] = None
    _add_lyrics(sources, problems)
    _compare_has_lyrics(cells, file, problems)
    _name_songs(sources, cells["row"], file, problems)
    for column in factors:
        sources[column] = _typed(cells[column])
    return ReaderResult(sources.reset_index(drop=True), problems.rejects(), problems.warnings())


def read_rows(file: Path, problems: Problems) -> pd.DataFrame:
    """All cells as text, and `row`, the number of each row in the file."""
    if file.suffix.lower() == ".parquet":
        return _read_parquet(file)
    return read_csv(file, REQUIRED, problems)


def _read_parquet(file: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    try:
        frame = pq.read_table(file).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise SongatlasError(f"{file}: not a readable parquet file ({error})") from None
    require_columns(file, list(frame.columns), REQUIRED)
    for column in frame:
        if not str(column).startswith("factor_"):
            frame[column] = frame[column].astype("str").where(frame[column].notna(), "")
    return frame.assign(row=np.arange(1, 1 + len(frame)))


def _blank_to_null(cells: pd.Series) -> pd.Series:
    if not pd.api.types.is_string_dtype(cells):
        return cells
    stripped = cells.str.strip()
    return stripped.mask(stripped.str.lower().isin(EMPTY))


def _languages(rows: pd.DataFrame) -> pd.Series:
    """The column `language`, where `nan` is Hokkien unless other columns use it for nothing."""
    cells = _blank_to_null(rows["language"])
    others: pd.DataFrame = rows.drop(columns="language").select_dtypes("string")
    for_nothing = others.apply(lambda column: column.str.strip() == "nan").to_numpy().any()
    hokkien = rows["language"].str.strip() == "nan"
    return cells if for_nothing else cells.mask(hokkien, "nan")


def _typed(cells: pd.Series) -> pd.Series:
    """Factors are numbers, with a decimal point or comma, where all of them are."""
    if pd.api.types.is_string_dtype(cells):
        point = cells.str.replace(r"^(-?\d+),(\d+)$", r"\1.\2", regex=True)
        numbers = pd.to_numeric(point, errors="coerce")
        if numbers.notna().any() and numbers.notna().equals(cells.notna()):
            return numbers.astype("float64")
    return cells


def _without_bad_rows(cells: pd.DataFrame, file: Path, problems: Problems) -> pd.DataFrame:
    def reject(bad: pd.Series, reason: str, details: pd.Series | str) -> None:
        rows = cells.loc[bad, "row"]
        texts = [details] * len(rows) if isinstance(details, str) else list(details[bad])
        for row, detail in zip(rows, texts, strict=True):
            problems.reject(f"{file}:{row}", reason, detail)

    ids = cells["song_id"]
    no_id = ids.isna()
    reject(no_id, "bad_row", "song_id is empty")
    repeated = ids.duplicated() & ~no_id
    if repeated.any():
        first = ids[repeated].map(cells[~no_id & ~repeated].set_index("song_id")["row"])
        details = "song_id " + ids[repeated] + " stands in row " + first.astype("str") + " too"
        reject(repeated, "duplicate_id", details.reindex(cells.index))
    empty = cells["audio_path"].isna() & cells["lyrics_path"].isna() & ~no_id & ~repeated
    reject(empty, "no_audio_and_no_lyrics", "neither audio_path nor lyrics_path")
    return cells[~(no_id | repeated | empty)]


def _resolved(paths: pd.Series, base: Path) -> pd.Series:
    folder = str(base)
    resolved = paths.map(lambda path: resolve(path, folder), na_action="ignore")
    return resolved.astype("str")


def _add_lyrics(sources: pd.DataFrame, problems: Problems) -> None:
    """Read the lyrics files into `lyrics`, `lyrics_source` and `lines`."""
    lyrics: list[str | None] = [None] * len(sources)
    kinds = ["none"] * len(sources)
    lines: list[str | None] = [None] * len(sources)
    codes = {text: normalise_language(text) for text in sources["language"].dropna().unique()}
    named = sources["lyrics_path"].notna().to_numpy()
    pairs = zip(
        np.flatnonzero(named),
        sources["lyrics_path"][named],
        sources["language"][named],
        strict=True,
    )
    for place, path, language in pairs:
        found = read_lyrics(Path(path), codes.get(language), problems)
        lyrics[place], kinds[place], lines[place] = found.lyrics, found.lyrics_source, found.lines
    sources["lyrics"] = pd.array(lyrics, dtype="str")
    sources["lyrics_source"] = pd.array(kinds, dtype="str")
    sources["lines"] = pd.array(lines, dtype="str")


def _name_songs(sources: pd.DataFrame, rows: pd.Series, file: Path, problems: Problems) -> None:
    """Let warnings of a row name its song, which is the input that has a fate."""
    if problems.warned:
        songs = dict(zip(f"{file}:" + rows.astype("str"), where(sources), strict=True))
        problems.warned = [(songs.get(path, path), *rest) for path, *rest in problems.warned]


def _compare_has_lyrics(cells: pd.DataFrame, file: Path, problems: Problems) -> None:
    """Say where `has_lyrics` and `lyrics_path` disagree."""
    if "has_lyrics" not in cells:
        return
    says = cells["has_lyrics"].str.lower().isin(YES)
    differ = cells[says != cells["lyrics_path"].notna()]
    for row, said in zip(differ["row"], says[differ.index], strict=True):
        detail = "has_lyrics is true without lyrics_path"
        if not said:
            detail = "has_lyrics is not true, yet lyrics_path names a file, which is used"
        problems.warn(f"{file}:{row}", "bad_value", detail)
