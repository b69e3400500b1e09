"""MFCC and their time derivatives, computed from stored log-mel spectrograms when they are read."""

from functools import lru_cache

import numpy as np

DELTA_WIDTH = 9
"""Frames that a derivative is estimated over (librosa's default)."""


def mfcc(logmel: np.ndarray, n_mfcc: int = 40) -> np.ndarray:
    """Mel-frequency cepstral coefficients of log-mel spectrograms in dB.

    Orthonormal DCT-II over mel bands, as `librosa.feature.mfcc(S=logmel)` (Davis and Mermelstein,
    1980).

    Args:
        logmel: shape (..., n_mels, n_frames), raw dB (not standardised).
        n_mfcc: coefficients kept, the zeroth (loudness) included.

    Returns:
        float32 of shape (..., n_mfcc, n_frames).

    Raises:
        ValueError: when there are fewer mel bands than coefficients.
    """
    if not 1 <= n_mfcc <= logmel.shape[-2]:
        raise ValueError(f"{n_mfcc} coefficients from {logmel.shape[-2]} mel bands")
    # A product with the few rows that are kept is faster than a transform of all.
    values = np.ascontiguousarray(logmel, np.float32)
    return np.matmul(_cosines(logmel.shape[-2], n_mfcc), values)


@lru_cache(maxsize=4)
def _cosines(n_mels: int, n_mfcc: int) -> np.ndarray:
    """The first rows of the orthonormal DCT-II, float32 (n_mfcc, n_mels)."""
    from scipy.fft import dct

    rows = dct(np.eye(n_mels), axis=0, type=2, norm="ortho")[:n_mfcc]
    return rows.astype(np.float32)


def delta(features: np.ndarray, order: int = 1) -> np.ndarray:
    """Derivative of `order` over the last axis by a Savitzky-Golay filter, same shape.

    Equals `librosa.feature.delta(width=9, mode="interp")`.

    Raises:
        ValueError: when there are fewer than nine frames.
    """
    from scipy.signal import savgol_filter

    if features.shape[-1] < DELTA_WIDTH:
        raise ValueError(f"derivatives need {DELTA_WIDTH} frames, there are {features.shape[-1]}")
    return savgol_filter(
        features, DELTA_WIDTH, polyorder=order, deriv=order, axis=-1, mode="interp"
    ).astype(np.float32)
