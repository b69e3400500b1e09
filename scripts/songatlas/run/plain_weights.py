"""Weights without pickle: tensors and plain values from a file of `torch.save`."""

import pickle
import re
from pathlib import Path
from typing import Any

import torch

from songatlas.errors import SongatlasError


def load_plain(path: str | Path, *, mmap: bool = False) -> Any:
    """Tensors and plain values from a file of `torch.save`; nothing else is ever loaded.

    Raises:
        SongatlasError: when the file holds anything else (a pickle can hold code, which would run),
            naming what.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (pickle.UnpicklingError, EOFError) as error:
        # torch's own words advise to load the file all the same.
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f" (it refers to {found[1]})" if found else ""
        raise SongatlasError(
            f"{path}: is refused, since it holds more than tensors and plain values{what}: loading "
            "it could run code, or it is damaged. Delete it and run again"
        ) from None
