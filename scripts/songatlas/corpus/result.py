"""What a reader hands back, and the rows in which it says what was wrong with its inputs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from songatlas import tables


@dataclass(frozen=True)
class ReaderResult:
    """Songs that a reader found (`tables.SOURCES`), what it set aside, what it found odd.

    `notes` are lines for the log: how it understood the corpus as a whole.
    """

    sources: pd.DataFrame
    rejects: pd.DataFrame
    warnings: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass
class Problems:
    """Rejects and warnings of one stage, collected row by row."""

    stage: str
    rejected: list[tuple[str, str, str, str]] = field(default_factory=list)
    warned: list[tuple[str, str, str, str]] = field(default_factory=list)

    def reject(self, path: str | Path, reason: str, detail: str) -> None:
        """An input that is not used (`reason` is one of `tables.REJECT_REASONS`)."""
        self.rejected.append((printable(path), self.stage, reason, printable(detail)))

    def warn(self, path: str | Path, reason: str, detail: str) -> None:
        """An input that is used all the same (`reason` is one of `tables.WARNING_REASONS`)."""
        self.warned.append((printable(path), self.stage, reason, printable(detail)))

    def rejects(self) -> pd.DataFrame:
        return _frame(self.rejected, tables.REJECTS)

    def warnings(self) -> pd.DataFrame:
        return _frame(self.warned, tables.WARNINGS)


def problem_rows(
    table: tables.Table, paths: Iterable[str], stage: str, reason: str, detail: Sequence[str] | str
) -> pd.DataFrame:
    """Many rejects or warnings of one kind at once."""
    frame = pd.DataFrame({"path": pd.Series(list(paths), dtype="str")})
    details = detail if isinstance(detail, str) else list(detail)
    return frame.assign(stage=stage, reason=reason, detail=details)


def concat(frames: Iterable[pd.DataFrame], table: tables.Table) -> pd.DataFrame:
    """Frames of one table as one (empty ones would decide dtypes, so they are left out)."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else tables.empty(table)


def sources_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Sources from one mapping per song; columns that a song lacks are null."""
    if not rows:
        return tables.empty(tables.SOURCES)
    frame = pd.DataFrame(list(rows))
    for column in tables.SOURCES.columns:
        if column not in frame:
            frame[column] = None
    frame["lyrics_source"] = frame["lyrics_source"].fillna("none")
    return frame


def where(frame: pd.DataFrame) -> pd.Series:
    """The path by which rejects and warnings name a song: audio, else lyrics, else source id."""
    paths = frame["audio_path"]
    if "lyrics_path" in frame:
        paths = paths.fillna(frame["lyrics_path"])
    return paths.fillna(frame["source_id"]).astype("str")


def printable(text: str | Path) -> str:
    """Text that parquet can hold: bytes of file names that are not UTF-8 become escapes."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def _frame(rows: list[tuple[str, str, str, str]], table: tables.Table) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(table.columns)) if rows else tables.empty(table)
