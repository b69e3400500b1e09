"""Writing a table of the study's in three forms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from songatlas.errors import SongatlasError
from songatlas.evaluation import layout
from songatlas.evaluation.layout import Sheet, write_sheet

HEADINGS = {
    "ari": "ARI",
    "nmi": "NMI",
    "ami": "AMI",
    "v_measure": "V-measure",
    "calinski_harabasz": "CH",
    "davies_bouldin": "DB",
    "n": "$n$",
}


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV of this package or of `tables/`: empty cells are missing, the word `none` is a word."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def read_optional(paths: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """The one table that `paths` names; `columns` without a row where it names none."""
    return read_table(paths[0]) if paths else pd.DataFrame(columns=list(columns))


def joined(frame: pd.DataFrame, columns: Mapping[str, int], spread: str = "std") -> pd.DataFrame:
    """`<name>_mean` and `<name>_<spread>` as one column `<name>`, rounded to the given decimals."""
    return pd.DataFrame(
        {
            name: [
                layout.plus_minus(mean, sd, digits)
                for mean, sd in zip(frame[f"{name}_mean"], frame[f"{name}_{spread}"], strict=True)
            ]
            for name, digits in columns.items()
        },
        index=frame.index,
    )


def write_sheets(sheets: Sequence[Sheet], paths: Sequence[str | Path], *, card: str) -> None:
    """Write every sheet to its files among `paths`; Markdown and LaTeX name the card `card`.

    Raises:
        SongatlasError: when a path is of no sheet, or a sheet has none.
    """
    left = {Path(path) for path in paths}
    for sheet in sheets:
        mine = [path for path in left if path.stem == sheet.name]
        if not mine:
            raise SongatlasError(f"no file is declared for the table {sheet.name}")
        write_sheet(replace(sheet, headings=HEADINGS), mine, card)
        left -= set(mine)
    if left:
        raise SongatlasError(f"{min(left)}: no table of that name is written")
