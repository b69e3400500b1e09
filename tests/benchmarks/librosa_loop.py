"""The extraction that ours is compared with, pinned: librosa, window by window.

As scripts of the field do it: load a song as mono at 22,050 Hz, normalise it, cut windows, and of
each compute the log-mel spectrogram, 40 MFCC and their first and second derivatives. Nothing here
may be made faster.
"""

from pathlib import Path

import librosa
import numpy as np

RATE, N_FFT, HOP, N_MELS, N_MFCC = 22050, 2048, 512, 128, 40


def load(path: Path) -> np.ndarray:
    """A song as float32 (samples,), its peak at 1."""
    samples, _ = librosa.load(path, sr=RATE, mono=True)
    return librosa.util.normalize(samples)


def features(samples: np.ndarray, starts_s: list[float], length_s: float) -> list[np.ndarray]:
    """Per window a float32 (128 + 3 × 40, frames): log-mel in dB, MFCC, Δ and ΔΔ."""
    length = round(length_s * RATE)
    found = []
    for start_s in starts_s:
        window = samples[round(start_s * RATE) :][:length]
        window = np.pad(window, (0, length - len(window)))
        power = librosa.feature.melspectrogram(
            y=window, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS
        )
        log_mel = librosa.power_to_db(power, ref=1.0)
        mfcc = librosa.feature.mfcc(S=log_mel, n_mfcc=N_MFCC)
        parts = [log_mel, mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)]
        found.append(np.concatenate(parts))
    return found
