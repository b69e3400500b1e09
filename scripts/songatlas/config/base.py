"""What sections of the configuration share: base class, types of values, conversions."""

import difflib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

DESCRIPTOR_BANDS = 20
"""Mel bands that descriptors need at least: their MFCCs are so many."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""Names become folder names, so they hold no separator and no dot."""

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=80)]

Task = Literal["language", "genre", "language_genre", "artist", "song"]

Algorithm = Literal["kmeans", "agglomerative", "gmm", "dbscan", "hdbscan", "spectral"]

Level = Literal["window", "song", "song_vote"]

SongSet = Literal["all", "train", "validation", "test"]

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]

Positive = Annotated[float, Field(gt=0.0)]


def split_commas(value: Any) -> Any:
    """Let `--config include=pca,raw` and `seeds=0` stand for lists."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    return value


def as_text(value: Any) -> Any:
    """Let `--config run=2026`, which arrives as a number, stand for a name."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def no_for_false(value: Any) -> Any:
    """YAML reads the plain word `no`, Norwegian, as false."""
    return "no" if value is False else value


def off_for_false(value: Any) -> Any:
    """YAML reads the plain word `off` as false."""
    return "off" if value is False else value


def once(values: list[Any]) -> list[Any]:
    """Refuse a list that names an entry twice."""
    if len(set(values)) != len(values):
        raise ValueError("names an entry twice")
    return values


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values do not change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


def unknown(what: str, value: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known) or 'none'}"
    return f"unknown {what} `{value}`; {hint}"
