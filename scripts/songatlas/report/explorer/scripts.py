"""Data as classic scripts, which a page opened from disk may load (it may not fetch JSON)."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.tables import atomic

KINDS = {"float32": "f32", "uint16": "u16", "int16": "i16", "int32": "i32", "uint8": "u8"}


def packed(values: np.ndarray) -> dict[str, str]:
    """A numeric array as its little-endian bytes in base64, by the name of its type.

    Raises:
        ValueError: for a type that the page does not read.
    """
    kind = KINDS.get(values.dtype.name)
    if kind is None:
        raise ValueError(f"the explorer reads no arrays of {values.dtype}")
    raw = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    return {kind: base64.b64encode(raw).decode("ascii")}


def literal(value: Any) -> str:
    """`value` as JSON that is safe inside a script, wherever that script is put.

    NaN and infinity become null; `<`, `>`, `&` and the two line separators that JavaScript once
    took for line ends are escaped.
    """
    text = json.dumps(
        _plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def write(path: Path, name: str, value: Any) -> None:
    """A script that hands `value` to the page under `name`."""
    with atomic(path) as temporary:
        temporary.write_text(
            f"SONGATLAS.provide({literal(name)},{literal(value)});\n", encoding="utf-8"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):  # lone surrogates cannot be written as UTF-8
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
