"""Mel filters that all features share: librosa's Slaney scale and normalisation."""

from functools import lru_cache

import numpy as np

from songatlas.config.features import LogMel

AMIN = 1e-10
"""Smallest power that counts: silence lies at -100 dB."""


@lru_cache(maxsize=4)
def mel_filters(config: LogMel) -> np.ndarray:
    """Weights of STFT bins in mel bands: float32 of shape (n_mels, 1 + n_fft // 2)."""
    from librosa.filters import mel

    weights: np.ndarray = mel(
        sr=config.sample_rate_hz,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.f_min_hz,
        fmax=config.f_max_hz,
        htk=False,
        norm="slaney",
    )
    weights.flags.writeable = False
    return weights
