"""`assign`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from songatlas.config.base import Fraction, Name, Section, once, split_commas, unknown
from songatlas.config.corpus import READERS


class Assign(Section):
    """Giving new songs to the clusters of a finished run (targets `assign` and `drift`)."""

    path: str | None = Field(
        None, description="Folder (or manifest file) of the new songs; as `corpus_path`."
    )
    reader: str = Field("folder", description="Reader of `path`; as `corpus`, but for `demo`.")
    name: Name = Field("new", description="Names the folder `results/<run>/assign/<name>`.")
    models: Annotated[list[Name], BeforeValidator(split_commas)] = Field(
        [],
        description="Models and baselines of the run to use (empty: all that read audio alone).",
    )
    false_alarm_rate: Fraction = Field(
        0.05, description="Share of songs like the run's that may be flagged as novel."
    )
    calibrate_on: Literal["held_out", "all"] = Field(
        "held_out",
        description="Songs that say how far is far. `held_out`: validation and test songs, which "
        "no model was trained on. `all`: every song, each against the others, for small runs; more "
        "songs than stated are then flagged, since models and scales know their songs.",
    )
    neighbours: int = Field(
        5, ge=1, le=100, description="Nearest songs that are listed, and averaged for the distance."
    )
    drift_level: Fraction = Field(
        0.05, description="The new songs as a whole have drifted where p is at most this."
    )
    permutations: int = Field(999, ge=99, le=1_000_000, description="Permutations behind that p.")

    @field_validator("reader")
    @classmethod
    def _known_reader(cls, value: str) -> str:
        known = tuple(name for name in READERS if name != "demo")
        if value in known or (value.startswith("mirdata:") and value != "mirdata:"):
            return value
        raise ValueError(unknown("reader", value, (*known, "mirdata:<data set>")))

    _no_duplicates = field_validator("models")(once)
