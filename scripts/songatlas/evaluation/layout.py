"""Tables for readers: CSV, Markdown, LaTeX (booktabs) and plain text, everything escaped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from songatlas import tables
from songatlas.run.versions.name_card import COMMENT

MISSING = "–"
"""Stands for null in tables for readers; CSV leaves the field empty."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
}


def escape_latex(text: str) -> str:
    """`text` so that LaTeX prints it as it is, on one line."""
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


def escape_markdown(text: str) -> str:
    """`text` so that a Markdown table shows it as it is, without markup or HTML."""
    escaped = "".join(
        f"\\{letter}" if letter in r"\`*_[]|" else letter for letter in _one_line(text)
    )
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def cell(value: object, digits: int = 3) -> str:
    """A value as text: numbers rounded to `digits` decimals, null as a dash."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):  # type: ignore[call-overload]
        return MISSING
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value)


def song_name(row: Mapping[Any, Any]) -> str:
    """`Title (artist)` on one line, of a row with `title, artist, track_id`; else the id."""
    title = row["track_id"] if pd.isna(row["title"]) else row["title"]
    name = f"{title}" if pd.isna(row["artist"]) else f"{title} ({row['artist']})"
    return " ".join(name.split())


def plus_minus(mean: float, sd: float, digits: int = 3) -> str | None:
    """A mean with its standard deviation where there is one; None where there is no mean."""
    if pd.isna(mean):
        return None
    return f"{mean:.{digits}f}" if pd.isna(sd) else f"{mean:.{digits}f} ± {sd:.{digits}f}"


def markdown(
    frame: pd.DataFrame, heading: str, *, digits: int = 3, notes: Sequence[str] = ()
) -> str:
    """A Markdown document: heading, table with columns padded to equal width, notes."""
    rows = [[escape_markdown(name) for name in frame.columns]]
    rows += [[escape_markdown(cell(value, digits)) for value in row] for row in _rows(frame)]
    right = _numeric(frame)
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(frame.columns))]
    rule = [
        "-" * (width - 1) + ":" if flush else "-" * width
        for width, flush in zip(widths, right, strict=True)
    ]
    lines = [
        "| "
        + " | ".join(_pad(text, w, r) for text, w, r in zip(row, widths, right, strict=True))
        + " |"
        for row in rows
    ]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    parts = [f"# {escape_markdown(heading)}", "\n".join(lines)]
    parts += [escape_markdown(note) for note in notes]
    return "\n\n".join(parts) + "\n"


def latex(
    frame: pd.DataFrame,
    caption: str,
    label: str,
    *,
    digits: int = 3,
    headings: Mapping[str, str] | None = None,
) -> str:
    """A longtable in the style of the package booktabs (needs `booktabs` and `longtable`).

    `headings` gives columns another heading, as LaTeX code.
    """
    headings = headings or {}
    columns = "".join("r" if flush else "l" for flush in _numeric(frame))
    head = " & ".join(headings.get(name, escape_latex(name)) for name in frame.columns) + r" \\"
    body = [
        " & ".join(escape_latex(cell(value, digits)) for value in row) + r" \\"
        for row in _rows(frame)
    ]
    lines = [
        r"% Needs \usepackage{booktabs,longtable}",
        r"\begingroup\small",
        rf"\begin{{longtable}}{{{columns}}}",
        rf"\caption{{{escape_latex(caption)}}}\label{{{label}}}\\",
        r"\toprule",
        head,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        head,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endlastfoot",
        *body,
        r"\end{longtable}",
        r"\endgroup",
    ]
    return "\n".join(lines) + "\n"


def text_table(frame: pd.DataFrame, *, digits: int = 3) -> str:
    """A table for the terminal: columns padded, two spaces between them."""
    rows = [[str(name) for name in frame.columns]]
    rows += [[_one_line(cell(value, digits)) for value in row] for row in _rows(frame)]
    right = _numeric(frame)
    widths = [max(len(row[i]) for row in rows) for i in range(len(frame.columns))]
    return "\n".join(
        "  ".join(_pad(text, w, r) for text, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in rows
    )


def write_text(text: str, path: str | Path) -> None:
    """Write text atomically as UTF-8."""
    with tables.atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write every column at full precision; null is an empty field."""
    write_text(frame.to_csv(index=False, lineterminator="\n"), path)


@dataclass(frozen=True)
class Sheet:
    """A table and what is written around it.

    `frame` is the CSV; `shown` (default: `frame`) the Markdown, `narrow` (default: `shown`) the
    LaTeX form, which has to fit a page. `caption` (default: all `notes`) are the sentences behind
    the heading in LaTeX, `headings` columns' headings there (`latex`), `more` is Markdown behind
    the table.
    """

    name: str
    frame: pd.DataFrame
    heading: str
    notes: Sequence[str] = ()
    shown: pd.DataFrame | None = None
    narrow: pd.DataFrame | None = None
    digits: int = 3
    caption: Sequence[str] | None = None
    headings: Mapping[str, str] = field(default_factory=dict)
    more: str = ""


def write_sheet(sheet: Sheet, paths: Iterable[str | Path], card: str | None = None) -> None:
    """Write the CSV, Markdown and LaTeX forms that `paths` name by their endings.

    Markdown and LaTeX name the provenance card `card`; CSV has no comments.
    """
    shown = sheet.frame if sheet.shown is None else sheet.shown
    narrow = shown if sheet.narrow is None else sheet.narrow
    for path in map(Path, paths):
        named = COMMENT[path.suffix].format(card) if card and path.suffix in COMMENT else ""
        if path.suffix == ".csv":
            write_csv(sheet.frame, path)
        elif path.suffix == ".md":
            text = markdown(shown, sheet.heading, digits=sheet.digits, notes=sheet.notes)
            write_text(text + sheet.more + named, path)
        else:
            caption = sheet.notes if sheet.caption is None else sheet.caption
            text = latex(
                narrow,
                " ".join([f"{sheet.heading}.", *caption]),
                f"tab:{sheet.name.replace('_', '-')}",
                digits=sheet.digits,
                headings=sheet.headings,
            )
            write_text(text + named, path)


def _rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    return list(frame.itertuples(index=False, name=None))


def _numeric(frame: pd.DataFrame) -> list[bool]:
    return [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
