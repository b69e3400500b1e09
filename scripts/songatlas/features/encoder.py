"""`encoder-<name>[-adapted]`: every layer of a pretrained encoder of audio, per window.

Rules of its own write it (`rules/encoders.smk`): weights, LoRA and a GPU come with it.
"""

from typing import TYPE_CHECKING

from songatlas.config.feature_registry import Feature, Kind, flat

if TYPE_CHECKING:
    from songatlas.config.models import Baseline
    from songatlas.config.run import Config

ADAPTED = "-adapted"


def row_bytes(config: "Config", name: str) -> int:
    from songatlas.config.encoder_cards import card

    return 4 * card(name.removeprefix("encoder-").removesuffix(ADAPTED)).values


def of(name: str, baseline: "Baseline") -> str:
    return f"encoder-{baseline.encoder}" + (ADAPTED if baseline.adapted else "")


FEATURES = (Feature("encoder", "Layers", "audio", "window_id", row_bytes, family=True),)

KINDS = {"encoder": Kind("encoder", flat, of)}
