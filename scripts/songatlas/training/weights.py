"""The weights file: tensors and plain values, loaded without pickle."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.models import registry
from songatlas.models.base import InputSpec, Model
from songatlas.run.plain_weights import load_plain


@dataclass(frozen=True)
class Description:
    """What it takes to build a trained model again."""

    architecture: str
    spec: InputSpec
    latent_dim: int
    options: dict[str, Any]
    labels: tuple[str, ...] = ()
    """Classes of a label-conditioned model, in the order that it knows them by."""
    note: str = ""
    """Why the model could not be trained on its corpus; it then has no weights."""
    control: str = ""
    """Which control the model is, if any (see `training.controls`)."""
    control_of: str = ""
    """The model that it is a control of."""
    taught: str = "none"
    """`elsewhere` when it reads features whose weights saw other people's labels."""

    @property
    def supervision(self) -> str:
        """`labels` when the model is shown labels; permuted ones tell it nothing. Else `taught`."""
        shown = self.options.get("condition_on") and self.control != "shuffled_labels"
        return "labels" if shown else self.taught

    def build(self) -> Model:
        """The model with fresh weights (from the global random state)."""
        return registry.build(self.architecture, self.spec, self.latent_dim, self.options)


def save_weights(path: str | Path, description: Description, weights: dict[str, Tensor]) -> None:
    """Write weights and description atomically; the same content gives the same bytes."""
    content = {
        "state_dict": {name: tensor.cpu().contiguous() for name, tensor in weights.items()},
        **asdict(description),
        "options": {name: _plain(value) for name, value in description.options.items()},
        "labels": list(description.labels),
    }
    with tables.atomic(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


def load_weights(path: str | Path, device: str = "cpu") -> tuple[Model | None, Description]:
    """A trained model, in eval mode on `device`, and its description.

    The model is None where there was nothing to train on; `Description.note` then says why.

    Raises:
        SongatlasError: when the file is absent or does not fit this version's architecture.
    """
    try:
        content = load_plain(path, mmap=True)
        description = Description(
            architecture=content["architecture"],
            spec=InputSpec(**content["spec"]),
            latent_dim=content["latent_dim"],
            options=content["options"],
            labels=tuple(content["labels"]),
            note=content["note"],
            control=content["control"],
            control_of=content["control_of"],
            taught=content.get("taught", "none"),
        )
        if description.note:
            return None, description
        with torch.device("meta"):
            model = description.build()
        model.load_state_dict(content["state_dict"], assign=True)
    except FileNotFoundError:
        raise SongatlasError(f"{path}: no such file; train the model first") from None
    except (RuntimeError, KeyError, TypeError) as error:
        raise SongatlasError(
            f"{path}: does not fit this version of Songatlas; delete it and run again ({error})"
        ) from None
    return model.to(device).eval(), description


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
