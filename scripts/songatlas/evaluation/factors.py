"""Known factors of the songs: which there are, whether they are classes or numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

PREFIX = "factor_"
LABELS = ("language", "genre")
"""Factors that stand in columns of the labels table itself."""

MOST_CLASSES = 12
"""A whole number with at most so many values (the twelve keys) names a class."""

FEWEST_SONGS = 12
FEWEST_PER_CLASS = 2
"""A class of fewer songs can stand on one side of a cross-validation alone; it is left out."""


@dataclass(frozen=True)
class Factor:
    """One factor of some songs.

    `values` has shape (n,): class numbers (int64, -1 where unknown) or numbers (float64, NaN where
    unknown).
    """

    name: str
    values: np.ndarray
    categorical: bool

    @property
    def known(self) -> np.ndarray:
        """Whether a song has it, (n,) bool."""
        return self.values >= 0 if self.categorical else np.isfinite(self.values)

    def problem(self) -> str | None:
        """Why nothing can be said of it; None when something can."""
        values = self.values[self.known]
        if not len(values):
            return "no song has it"
        if len(np.unique(values)) < 2:
            return "one value only"
        if len(values) < FEWEST_SONGS:
            return f"{len(values)} songs have it, fewer than {FEWEST_SONGS}"
        return None


def column_of(name: str) -> str:
    """The column of the labels table that holds a factor."""
    return name if name in LABELS else f"{PREFIX}{name}"


def factor(labels: pd.DataFrame, name: str, track_ids: Sequence[str]) -> Factor:
    """A factor of the songs `track_ids`, from rows of the labels table.

    Text and truth values are classes, and so are whole numbers of at most `MOST_CLASSES` values;
    other numbers are numbers. Classes of one song count as unknown. A column that is not there
    gives a factor that no song has.
    """
    column = column_of(name)
    if column not in labels:
        return Factor(name, np.full(len(track_ids), np.nan), categorical=False)
    of_song = labels.set_index("track_id")[column]
    values = of_song.reindex(list(track_ids))
    known = values.dropna()
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
        whole = bool((known == known.round()).all())
        if not (whole and known.nunique() <= MOST_CLASSES):
            return Factor(name, values.to_numpy(np.float64, na_value=np.nan), categorical=False)
    counts = known.value_counts()
    kept = counts.index[counts >= FEWEST_PER_CLASS]
    number = {value: code for code, value in enumerate(sorted(kept, key=str))}
    codes = [number.get(value, -1) if pd.notna(value) else -1 for value in values]
    return Factor(name, np.array(codes, np.int64), categorical=True)
