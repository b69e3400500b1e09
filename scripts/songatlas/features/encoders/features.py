"""The feature `encoder-<name>`: every layer of a pretrained encoder, per window."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from songatlas.config.features import Pretrained
from songatlas.errors import SongatlasError
from songatlas.features.audio.extract import WindowFeature, write_window_feature
from songatlas.features.encoders.base import AudioEncoder, Layer
from songatlas.features.encoders.load import load_encoder


def write_encoder_feature(
    shard_path: str | Path,
    output: str | Path,
    rejects_path: str | Path,
    warnings_path: str | Path,
    *,
    name: str,
    settings: Pretrained,
    length_s: float,
    adapter: str | Path | None = None,
) -> str:
    """Write one part of the feature for the windows in `shard_path` (a table `tables.SHARD`).

    Windows are decoded at the encoder's own sample rate. `adapter` is a folder of LoRA weights.

    Returns:
        How many songs were written and how many left out, in words.

    Raises:
        SongatlasError: as `load_encoder`.
    """
    encoder = load_encoder(name, settings)
    if adapter is not None:
        from songatlas.features.encoders.adapter import with_adapter

        with_adapter(encoder, adapter)
    feature = WindowFeature(
        name=f"encoder-{name}" + ("-adapted" if adapter is not None else ""),
        shape=(encoder.width,),
        dtype="float32",
        units="embedding",
        metadata=about(encoder),
        compute=encoder.embed_audio,
    )
    return write_window_feature(
        feature, shard_path, output, rejects_path, encoder.sample_rate_hz, length_s, warnings_path
    )


def about(encoder: AudioEncoder) -> dict:
    """What stands beside the values: which encoder, and the names and widths of its layers."""
    return {
        "encoder": encoder.card.name,
        "weights": encoder.folder.name,
        "sample_rate_hz": encoder.sample_rate_hz,
        "half_precision": encoder.setting.half,
        "layers": [[layer.name, layer.dim] for layer in encoder.layers],
    }


def layers_of(metadata: dict) -> list[Layer]:
    """The layers of a stored feature."""
    return [Layer(str(name), int(dim)) for name, dim in metadata["layers"]]


def choose(values: np.ndarray, layers: Sequence[Layer], layer: int | str) -> np.ndarray:
    """One layer of stored values (n, width), or the mean of all that are as wide as the last.

    Raises:
        SongatlasError: when there is no such layer.
    """
    ends = np.cumsum([one.dim for one in layers])
    if layer == "mean":
        alike = [i for i, one in enumerate(layers) if one.dim == layers[-1].dim]
        parts = [values[:, ends[i] - layers[i].dim : ends[i]] for i in alike]
        return np.asarray(np.mean(parts, axis=0, dtype=np.float64))
    index = number(layer, layers)
    return np.asarray(values[:, ends[index] - layers[index].dim : ends[index]], np.float64)


def number(layer: int | str, layers: Sequence[Layer]) -> int:
    """Number of a layer from 0 on.

    Raises:
        SongatlasError: when there is no such layer.
    """
    if not isinstance(layer, int) or not -len(layers) <= layer < len(layers):
        named = ", ".join(f"{i} ({one.name})" for i, one in enumerate(layers))
        raise SongatlasError(f"layer: there is no layer {layer}; there are {named}, and `mean`")
    return layer % len(layers)
