"""Loudness as EBU R 128 and ITU-R BS.1770-4 define it, and true peak."""

import numpy as np
import soxr
from scipy.signal import sosfilt

RATE_HZ = 48_000
"""The rate that the standard gives its filters for."""

SHELF_B = (1.53512485958697, -2.69169618940638, 1.19839281085285)
SHELF_A = (1, -1.69065929318241, 0.73248077421585)
HIGH_PASS = (1, -2, 1, 1, -1.99004745483398, 0.99007225036621)
K_WEIGHTING = np.array([(*SHELF_B, *SHELF_A), HIGH_PASS], np.float64)
"""A head's high shelf, then a high pass: tables 1 and 2 of BS.1770-4."""

BLOCK_S, STEP_S = 0.4, 0.1
SILENCE_LUFS = -70.0
"""Blocks below this never count."""

RELATIVE_GATE_LU = -10.0
PEAK_OVERSAMPLING = 4


def integrated_loudness(samples: np.ndarray, rate_hz: int) -> float:
    """Integrated loudness of a mono sound in LUFS; -inf where no block is above `SILENCE_LUFS`.

    Of a sound shorter than `BLOCK_S`, its one block is the sound and silence.

    Args:
        samples: (n,) float, at `rate_hz`.
    """
    block, step = round(BLOCK_S * RATE_HZ), round(STEP_S * RATE_HZ)
    resampled = soxr.resample(samples.astype(np.float64), rate_hz, RATE_HZ)
    padded = np.pad(resampled, (0, max(0, block - len(resampled))))
    sums = np.cumsum(np.append(0.0, sosfilt(K_WEIGHTING, padded) ** 2))
    starts = np.arange(0, len(padded) - block + 1, step)
    power = (sums[starts + block] - sums[starts]) / block
    power = power[power > _power(SILENCE_LUFS)]
    if not len(power):
        return -np.inf
    gate = _lufs(power.mean()) + RELATIVE_GATE_LU
    return _lufs(power[power > _power(gate)].mean())


def true_peak(samples: np.ndarray) -> float:
    """The largest absolute value of a sound (n,) and of the curve between its samples."""
    curve = soxr.resample(samples.astype(np.float64), 1, PEAK_OVERSAMPLING)
    return max(float(np.abs(curve).max(initial=0.0)), float(np.abs(samples).max(initial=0.0)))


def _lufs(power: float) -> float:
    return float(-0.691 + 10 * np.log10(power))


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
