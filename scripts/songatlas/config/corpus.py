"""`windows`, `split`, and what a config says of readers."""

import re
from typing import Literal

from pydantic import Field, model_validator

from songatlas.config.base import Fraction, Section, unknown

READERS = ("demo", "folder", "library", "manifest", "jamendolyrics", "ultrastar", "several")

EXCERPTS, MANY_SONGS = 10, 2_000
"""Patches of a song that are heard, and the number of songs from which on."""

DetectLanguage = Literal["fill", "check", "off"]


class Windows(Section):
    length_s: float = Field(30.0, ge=0.5, le=3600.0, description="Length of a window, in seconds.")
    hop_s: float = Field(
        20.0, ge=0.1, le=3600.0, description="Distance between window starts, in seconds."
    )


class Split(Section):
    method: Literal["hashed", "exact", "folds"] = Field(
        "hashed",
        description="`hashed`: a pure function of artist (or track) and seed, so a song never "
        "changes split when others are added. `exact`: stratified by language and genre with exact "
        "counts, artists disjoint where known (the reference study). `folds`: cross-validation by "
        "song; the run with seed s trains, baselines too, without fold s mod `folds` and is scored "
        "on it (set `seeds` to as many and `evaluation.evaluate_on` to `test`).",
    )
    folds: int = Field(
        5, ge=2, le=20, description="`folds`: how many; they differ by as few songs as artists let."
    )
    validation: Fraction = Field(
        0.1, description="Share of songs for validation (`folds` has none)."
    )
    test: Fraction = Field(0.1, description="Share of songs for test (not with `folds`).")
    seed: int = Field(42, ge=0, description="Seed of the split.")

    @model_validator(mode="after")
    def _leaves_training(self) -> "Split":
        if self.validation + self.test >= 1.0:
            raise ValueError("validation + test must leave songs for training (sum below 1)")
        return self


def several_corpora(corpus_path: str) -> tuple[tuple[str, str], ...]:
    """Reader and path of every corpus in `<reader>=<path>,<reader>=<path>`.

    Raises:
        ValueError: naming the part that is wrong.
    """
    known = tuple(name for name in READERS if name not in ("demo", "several"))
    found: dict[str, str] = {}
    for part in corpus_path.split(","):
        reader, equals, path = (word.strip() for word in part.partition("="))
        if not (reader and equals and path):
            raise ValueError(
                f"`{part.strip()}` is not <reader>=<path>; the reader `several` takes "
                "<reader>=<path>,<reader>=<path>, and no path with a comma"
            )
        if reader not in known and not re.fullmatch(r"mirdata:.+", reader):
            raise ValueError(unknown("reader", reader, (*known, "mirdata:<data set>")))
        if reader in found:
            raise ValueError(f"names the reader `{reader}` twice")
        found[reader] = path
    return tuple(found.items())
