"""The table of architectures: what each model is and how large."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch

from songatlas.models import registry
from songatlas.models.base import InputSpec, Model, parameter_count


@dataclass(frozen=True)
class Declared:
    """A model as config declares it."""

    name: str
    architecture: str
    options: Mapping[str, Any] = field(default_factory=dict)
    latent_dim: int = 128
    beta: float = 1.0
    spec: Mapping[str, Any] | None = None
    """Shape of what it reads, where that is vectors."""


COLUMNS = (
    "model",
    "type",
    "parameters",
    "latent_dim",
    "compression",
    "key_feature",
    "trained_on",
    "licence",
)


def architecture_table(
    models: Sequence[Declared], spec: InputSpec, pretrained: Sequence[Mapping[str, Any]] = ()
) -> pd.DataFrame:
    """`COLUMNS`: one row per model, then one per baseline of pretrained weights.

    Parameters are counted from the modules, built without memory on torch's meta device; they are
    null where they depend on how many classes the corpus has, which `key_feature` then says.
    Compression is values in a spectrogram or vector : latent dimensions. `trained_on` and `licence`
    are those of pretrained weights, and null for models that are trained here.

    Args:
        models: what is trained.
        spec: shape of the spectrograms that they read.
        pretrained: `name, title, parameters, trained_on, licence, citation` of each such baseline.
    """
    rows = []
    for model in models:
        own = InputSpec(**model.spec) if model.spec else spec
        entry = registry.entry(model.architecture, own.of_vectors)
        built = None if _needs_corpus(model) else _built(model, own)
        rows.append(
            {
                "model": model.name,
                "type": entry.kind,
                "parameters": None if built is None else parameter_count(built),
                "latent_dim": model.latent_dim,
                "compression": f"{_ratio(own.n_values / model.latent_dim)}:1",
                "key_feature": "; ".join([entry.key_feature, *_particulars(model, entry, built)]),
            }
        )
    rows += [_pretrained_row(weights) for weights in pretrained]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"parameters": "Int64", "latent_dim": "Int64", "trained_on": object, "licence": object}
    )


def _pretrained_row(weights: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": weights["name"],
        "type": "Pretrained",
        "parameters": weights["parameters"],
        "key_feature": f"{weights['title']}; {weights['citation']}",
        "trained_on": weights["trained_on"],
        "licence": weights["licence"],
    }


def _ratio(value: float) -> str:
    return str(round(value)) if value >= 10 else f"{value:.2g}"


def _built(model: Declared, spec: InputSpec) -> Model:
    with torch.device("meta"):
        return registry.build(model.architecture, spec, model.latent_dim, model.options)


def _needs_corpus(model: Declared) -> bool:
    return bool(model.options.get("condition_on")) and model.options.get("n_classes") is None


def _particulars(model: Declared, entry: registry.Entry, built: Model | None) -> list[str]:
    """What sets this model apart from others of its architecture."""
    parts = [f"beta {model.beta:g}"] if model.beta != 1.0 else []
    if model.spec:
        own = InputSpec(**model.spec)
        parts.append(f"of vectors of {own.n_values} values")
        parts += [_widths(built)] if built and model.options.get("widths") is None else []
    for name, value in model.options.items():
        field = entry.options.model_fields[name]
        same = list(value) == list(field.default) if _is_list(value) else value == field.default
        if same and not isinstance(value, str):
            continue
        inner = value if isinstance(value, dict) else {name: value}
        parts += [f"{key.replace('_', ' ')} {_shown(part)}" for key, part in inner.items()]
    if _needs_corpus(model):
        parts.append("size depends on the corpus: set n_classes to count it")
    return parts


def _widths(model: Model) -> str:
    """Hidden units of its encoders, or of those of the model that it is built on."""
    [by_modality] = [p.widths for p in model.modules() if isinstance(p, Model) and p.widths]
    if len(by_modality) == 1:
        return f"widths {_shown(*by_modality.values())}"
    return "widths " + ", ".join(f"{name} {_shown(units)}" for name, units in by_modality.items())


def _shown(value: Any) -> str:
    return "–".join(map(str, value)) if _is_list(value) else str(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))
