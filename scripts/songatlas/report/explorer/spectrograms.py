"""Spectrograms of windows as small pictures with a palette, read on demand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from songatlas import tables
from songatlas.report.explorer.catalogue import Catalogue
from songatlas.tables import atomic

WIDTH = 320
"""Columns at most; longer spectrograms are averaged over time."""

STEPS = 32
"""Colours: more would double the file and show no more."""

RANGE_DB = 70.0
"""What lies this far below the window's maximum is black."""


def spectrogram_name(row: int) -> str:
    """File of a window's spectrogram in the page's folder; the page makes the same name."""
    return f"spectrograms/{row // 1000}/{row}.png"


def write_spectrograms(
    parts: Sequence[str | Path], found: Catalogue, folder: str | Path
) -> np.ndarray:
    """Write the picture of every window of the feature `logmel`; whether each window has one.

    Raises:
        TableError: when a part is missing or breaks its schema.
    """
    has = np.zeros(len(found.windows), np.uint8)
    for ids, values in tables.iter_feature(parts):
        for row, mel_db in zip(found.window_rows(ids), values, strict=True):
            if row >= 0:
                write_spectrogram(mel_db, Path(folder) / spectrogram_name(int(row)))
                has[row] = 1
    return has


def quantised(mel_db: np.ndarray) -> np.ndarray:
    """Steps 0 ... `STEPS` - 1 of shape (bands, at most `WIDTH`), low bands last.

    Args:
        mel_db: log-mel spectrogram in dB, shape (bands, frames).
    """
    frames = mel_db.shape[1]
    if frames > WIDTH:
        edges = np.linspace(0, frames, WIDTH + 1).astype(int)[:-1]
        counts = np.diff([*edges, frames])
        mel_db = np.add.reduceat(mel_db.astype(np.float32), edges, axis=1) / counts
    level = (mel_db - mel_db.max() + RANGE_DB) / RANGE_DB
    steps = np.round(np.clip(level, 0.0, 1.0) * (STEPS - 1))
    return np.asarray(steps[::-1], np.uint8)


def write_spectrogram(mel_db: np.ndarray, path: Path) -> None:
    """One window's picture: a PNG with `STEPS` colours."""
    from PIL import Image

    image = Image.fromarray(quantised(mel_db))
    image.putpalette(palette())
    with atomic(path) as temporary:
        image.save(temporary, format="PNG", bits=5, compress_level=9)


def palette() -> list[int]:
    """Red, green and blue of every step, 0 to 255: magma, which is even in grey too."""
    from matplotlib import colormaps

    colours = colormaps["magma"](np.linspace(0.0, 1.0, STEPS))[:, :3]
    return [int(value) for value in np.round(colours * 255).reshape(-1)]
