"""What a checkpoint of sentence-transformers does with hidden states: pooling, projection, length.

Such a checkpoint lists its steps in `modules.json`; a folder of each holds its settings. The model
itself is loaded by transformers; the steps behind it are few and read here.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.errors import SongatlasError

MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
}
"""How settings of the pooling step call what is supported."""

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Tanh": np.tanh,
    "Identity": np.asarray,
    "ReLU": lambda x: np.maximum(x, 0),
}


@dataclass(frozen=True)
class Projection:
    """A linear layer with an activation: (n, width) to (n, dim)."""

    weight: np.ndarray
    bias: np.ndarray
    activation: str

    @property
    def dim(self) -> int:
        return len(self.weight)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(ACTIVATIONS[self.activation](x @ self.weight.T + self.bias))


@dataclass(frozen=True)
class Modules:
    """The steps behind the model. `max_tokens`: what it was trained on, special ones included."""

    pooling: str
    projections: list[Projection] = field(default_factory=list)
    unit_length: bool = False
    max_tokens: int | None = None


def read(folder: Path) -> Modules | None:
    """The steps of a checkpoint; None where it is not one of sentence-transformers.

    Raises:
        SongatlasError: when it has a step that is not supported.
    """
    if not (folder / "modules.json").is_file():
        return None
    pooling, projections, unit_length = "mean", [], False
    for module in json.loads((folder / "modules.json").read_text(encoding="utf-8")):
        kind = str(module["type"]).rpartition(".")[2]
        place = folder / module["path"]
        if kind == "Pooling":
            pooling = _pooling(place)
        elif kind == "Dense":
            projections.append(_projection(place))
        elif kind == "Normalize":
            unit_length = True
        elif kind != "Transformer":
            raise SongatlasError(
                f"lyrics.encoder: {folder} has a step `{kind}` that is not supported; set "
                "lyrics.pooling to `mean` to leave all its steps out, or choose another encoder"
            )
    settings = folder / "sentence_bert_config.json"
    longest = _json(settings).get("max_seq_length") if settings.is_file() else None
    return Modules(pooling, projections, unit_length, longest)


def _pooling(folder: Path) -> str:
    settings = _json(folder / "config.json")
    # Newer checkpoints name the mode, older ones have a switch for each.
    named = settings.get("pooling_mode")
    wanted = [named] if isinstance(named, str) else []
    wanted = wanted or [mode for key, mode in MODES.items() if settings.get(key)]
    switched = [
        key for key, on in settings.items() if key.startswith("pooling_mode_") and on is True
    ]
    if len(wanted) != 1 or wanted[0] not in MODES.values() or len(switched) > 1:
        raise SongatlasError(
            f"lyrics.encoder: {folder} pools by {', '.join(switched) or named}, which is not "
            f"supported; set lyrics.pooling to one of {', '.join(sorted(MODES.values()))}"
        )
    return str(wanted[0])


def _projection(folder: Path) -> Projection:
    settings = _json(folder / "config.json")
    activation = str(settings.get("activation_function", "Tanh")).rpartition(".")[2]
    weights = folder / "model.safetensors"
    if activation not in ACTIVATIONS or not weights.is_file():
        raise SongatlasError(
            f"lyrics.encoder: {folder} has an activation `{activation}` that is not supported, or "
            "no model.safetensors; fetch it again, or set lyrics.pooling to leave this step out"
        )
    from safetensors.numpy import load_file

    tensors = load_file(weights)
    weight = tensors["linear.weight"].astype(np.float64)
    bias = tensors.get("linear.bias", np.zeros(len(weight))).astype(np.float64)
    return Projection(weight, bias, activation)


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
