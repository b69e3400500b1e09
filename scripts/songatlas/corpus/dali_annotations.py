"""Lyrics and melody of the DALI data set (Meseguer-Brocal et al., ISMIR 2018).

DALI ships its annotations as gzipped pickles. A pickle can run any code when it is loaded, so these
are read by an unpickler that knows no class but an empty stand-in for DALI's own.
"""

import codecs
import gzip
import io
import math
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.corpus.result import Problems
from songatlas.corpus.timed_lyrics import Line, Note, lines_from, notes_from

MAX_BYTES = 64 * 1024 * 1024
"""Annotations of a song are below a megabyte: more is no song's."""


class _Annotations:
    """Stands for `DALI.Annotations.Annotations`, whose state is a plain dictionary."""

    annotations: Any = None


class _Unpickler(pickle.Unpickler):
    """Knows the stand-in, and how numbers are written that numpy computed."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "DALI" and name == "Annotations":
            return _Annotations
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "scalar":
            return _scalar
        if (module, name) == ("_codecs", "encode"):  # bytes, as protocol 2 spells them
            return codecs.encode
        raise pickle.UnpicklingError(f"{module}.{name} has no place in DALI's annotations")


def read_annotations(path: Path, problems: Problems) -> tuple[list[Line], list[Note]]:
    """Lines and notes of one song; what is wrong with the file becomes warnings."""
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise pickle.UnpicklingError(f"larger than {MAX_BYTES >> 20} MiB")
        found = _Unpickler(io.BytesIO(data)).load()
        annotations = found.annotations["annot"]
        lines = [_span(item) | {"text": item["text"]} for item in annotations["lines"]]
        notes = [
            _span(item) | {"midi": _midi(item["freq"][0]), "text": item["text"]}
            for item in annotations["notes"]
        ]
    except FileNotFoundError:
        return [], []
    except (OSError, EOFError, zlib.error, pickle.UnpicklingError) as error:
        problems.warn(path, "bad_lyrics", f"not a DALI annotation file: {error}")
        return [], []
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        problems.warn(path, "bad_lyrics", f"not laid out as DALI 1.0 is: {error!r}")
        return [], []
    good_lines, wrong_lines = lines_from(lines)
    good_notes, wrong_notes = notes_from(notes)
    if wrong := wrong_lines + wrong_notes:
        problems.warn(path, "bad_timestamp", f"{len(wrong)} left out: {wrong[0]}")
    return [line for line in good_lines if line.text.strip()], good_notes


def _scalar(dtype: np.dtype, value: bytes) -> float:
    return float(np.frombuffer(value, dtype)[0])


def _span(item: dict[str, Any]) -> dict[str, Any]:
    start, end = item["time"]
    return {"start_s": float(start), "end_s": float(end)}


def _midi(frequency_hz: float) -> float:
    return round(69 + 12 * math.log2(frequency_hz / 440), 3)
