"""Log-mel spectrograms to zero mean and unit variance, as models and baselines read them."""

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", np.ndarray, "Tensor")

FLAT_DB = 1e-3
"""A window whose values deviate less than this is constant: below float16's resolution."""


def standardise(logmel: Array) -> Array:
    """Each window of shape (..., n_mels, n_frames) in dB to zero mean and unit variance, float32.

    A constant window (silence) becomes zeros; a value that is not finite makes its window NaN.
    Takes and gives NumPy arrays or torch tensors.
    """
    scaled, _ = standardise_with_scale(logmel)
    return scaled


def standardise_with_scale(logmel: Array) -> tuple[Array, Array]:
    """`standardise`, and each window's standard deviation in dB, shape (...), 0 where constant."""
    # torch takes NumPy's names of these arguments, which its type stubs do not say.
    values: Any = logmel.astype(np.float32) if isinstance(logmel, np.ndarray) else logmel.float()
    scaled: Any = values - values.mean(axis=(-2, -1), keepdims=True)
    deviation = (scaled * scaled).mean(axis=(-2, -1), keepdims=True) ** 0.5
    flat = deviation <= FLAT_DB
    # In place and in one pass: a batch is larger than the caches.
    scaled /= deviation + flat
    if isinstance(scaled, np.ndarray):
        scaled *= ~flat
    else:
        scaled.masked_fill_(flat, 0.0)
    scale: Array = (deviation * ~flat)[..., 0, 0]
    return scaled, scale
