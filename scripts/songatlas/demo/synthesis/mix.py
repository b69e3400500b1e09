"""What happens to whole tracks: reverberation, equalisation, distortion, ducking, mastering."""

import numpy as np
from scipy import fft
from scipy.signal import oaconvolve, resample_poly

from songatlas.demo.synthesis.grid import SAMPLE_RATE_HZ, Samples, seconds
from songatlas.demo.synthesis.instruments import highpass, lowpass

EQ_BANDS_HZ = (80.0, 220.0, 600.0, 1600.0, 4200.0, 9000.0)
CEILING = 0.92
"""Largest sample that mastering lets through; full scale is 1."""


def reverb(sound: Samples, rng: np.random.Generator, decay_s: float) -> Samples:
    """Convolution with decaying noise, the wet signal alone; `decay_s` is the time to -60 dB."""
    n = seconds(min(1.2 * decay_s, 2.0))
    tail = rng.standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / seconds(decay_s))
    tail[: seconds(0.012)] = 0.0
    tail = highpass(lowpass(tail, 5000.0), 200.0)
    return oaconvolve(sound, tail / np.sqrt(np.sum(tail**2)))[: len(sound)]


def equalise(sound: Samples, gains_db: np.ndarray) -> Samples:
    """Zero-phase equaliser: gains of shape (6,) at `EQ_BANDS_HZ`, linear in log frequency."""
    size = fft.next_fast_len(len(sound) + seconds(0.1), real=True)
    hz = np.maximum(np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE_HZ), 20.0)
    gain_db = np.interp(np.log(hz), np.log(EQ_BANDS_HZ), gains_db)
    return fft.irfft(fft.rfft(sound, size) * 10.0 ** (gain_db / 20.0), size)[: len(sound)]


def distort(sound: Samples, drive: float) -> Samples:
    """A guitar amplifier: asymmetric saturation at twice the rate, then a loudspeaker's band."""
    level = np.sqrt(np.mean(sound**2)) + 1e-9
    driven = resample_poly(sound * (drive / level), 2, 1)
    driven = np.tanh(driven + 0.15) - np.tanh(0.15)
    return highpass(lowpass(resample_poly(driven, 1, 2), 4200.0, 2), 90.0)


def ducking(n: int, starts_s: list[float], depth: float, release_s: float) -> np.ndarray:
    """Side-chain compression: a gain of shape (n,) that dips by `depth` at each start."""
    gain = np.ones(n)
    dip = 1.0 - depth * np.exp(-np.arange(seconds(4.0 * release_s)) / seconds(release_s))
    for start_s in starts_s:
        start = seconds(start_s)
        part = gain[start : start + len(dip)]
        np.minimum(part, dip[: len(part)], out=part)
    return gain


def level(sound: Samples, rms: float) -> Samples:
    """Scale so that the parts that sound (above a hundredth of the peak) have this RMS."""
    peak = float(np.max(np.abs(sound), initial=0.0))
    if peak == 0.0:
        return sound
    heard = sound[np.abs(sound) > 0.01 * peak]
    return sound * (rms / np.sqrt(np.mean(heard**2)))


def master(sound: Samples, loudness_db: float, fade_in_s: float, fade_out_s: float) -> Samples:
    """Bring the mix to an RMS of `loudness_db` (full scale: 0), limit it softly, fade both ends."""
    sound = highpass(sound, 25.0)
    sound = sound * (10.0 ** (loudness_db / 20.0) / np.sqrt(np.mean(sound**2)))
    sound = CEILING * np.tanh(sound / CEILING)
    for length_s, part in ((fade_in_s, sound), (fade_out_s, sound[::-1])):
        n = max(1, seconds(length_s))
        part[:n] *= np.sin(0.5 * np.pi * np.arange(n) / n) ** 2
    return sound
