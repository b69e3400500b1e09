"""Training in float64, for comparisons of two ways that must train the same."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def in_float64() -> Iterator[None]:
    """Whatever would be float32 is float64.

    Rounding in float32 moves one in ten million activations over the kink of a leaky ReLU, and that
    gradient with them, so that on some processors two ways part that compute the same.
    """
    usual = torch.get_default_dtype(), torch.float32, torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.Tensor.float = usual[1:]
        torch.set_default_dtype(usual[0])
