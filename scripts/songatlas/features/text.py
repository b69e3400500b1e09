"""`text-<baseline>`: a vector per song by a text encoder of one baseline's own."""

from typing import TYPE_CHECKING

from songatlas.config.feature_registry import Feature, Kind, flat

if TYPE_CHECKING:
    from songatlas.config.models import Baseline
    from songatlas.config.run import Config


def row_bytes(config: "Config", name: str) -> int:
    return 4 * config.lyrics_for(name.removeprefix("text-")).dim


def of(name: str, baseline: "Baseline") -> str:
    return f"text-{name}"


FEATURES = (Feature("text", "Lyrics", "lyrics", "track_id", row_bytes, family=True),)

KINDS = {"text": Kind("text", flat, of)}
