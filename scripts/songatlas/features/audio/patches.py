"""The fixed grid of patches of a song: where they lie, which of them stand for a window."""

from collections.abc import Iterator, Sequence

import numpy as np

PATCH_S = 187 * 256 / 16000
"""Length of a patch (187 frames of musicnn's spectrogram: 2.992 s), and their distance."""


def spread(patches: int, excerpts: int | None) -> np.ndarray:
    """Numbers of `excerpts` patches (all, where None) of `patches`, spread evenly; (n,) int64.

    Each is the middle one of an equal share of the song.
    """
    if excerpts is None or excerpts >= patches:
        return np.arange(patches)
    return (2 * np.arange(excerpts) + 1) * patches // (2 * excerpts)


def patches_of_windows(
    middles_s: np.ndarray, starts_s: Sequence[float], length_s: float
) -> Iterator[np.ndarray]:
    """Of each window the rows of the patches whose middle lies in it, else of the nearest patch.

    Args:
        middles_s: (p,) ascending, p at least 1. starts_s: of windows of `length_s`.
    """
    for start_s in starts_s:
        inside = np.flatnonzero((middles_s >= start_s) & (middles_s < start_s + length_s))
        nearest = np.abs(middles_s - (start_s + length_s / 2)).argmin()
        yield inside if len(inside) else np.array([nearest])
