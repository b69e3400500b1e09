"""Pitched sounds: each function renders one note or chord, float64 of shape (n,)."""

import numpy as np
from scipy.signal import lfilter

from songatlas.demo.synthesis.grid import SAMPLE_RATE_HZ, Samples, faded, seconds

TABLE = 4096


def hertz(midi: float) -> float:
    return float(440.0 * 2.0 ** ((midi - 69.0) / 12.0))


def lowpass(sound: Samples, cutoff_hz: float, poles: int = 1) -> Samples:
    """One-pole low-pass, applied `poles` times."""
    decay = np.exp(-2.0 * np.pi * cutoff_hz / SAMPLE_RATE_HZ)
    for _ in range(poles):
        sound = lfilter([1.0 - decay], [1.0, -decay], sound)
    return sound


def highpass(sound: Samples, cutoff_hz: float) -> Samples:
    return sound - lowpass(sound, cutoff_hz)


def ringing(midi: float, duration_s: float, amplitudes: np.ndarray, decays: np.ndarray) -> Samples:
    """A tone whose harmonics ring out: `amplitudes` and `decays` (1/s), both of shape (harmonics,).

    One period is a row of a matrix, so the decay costs one inverse FFT per period and none per
    sample; resampling takes the whole-sample period to the exact pitch.
    """
    hz = hertz(midi)
    period = max(4, int(SAMPLE_RATE_HZ / hz))
    count = min(len(amplitudes), (period - 1) // 2)
    n = seconds(duration_s)
    rows = int(np.ceil(duration_s * hz)) + 2
    spectrum = np.zeros((rows, period // 2 + 1), complex)
    time_s = np.arange(rows)[:, None] / hz
    # Quadratic phases keep the first period from being one spike.
    phases = np.pi * np.arange(1, count + 1) ** 2 / max(count, 1) - np.pi / 2
    spectrum[:, 1 : count + 1] = (
        amplitudes[:count] * np.exp(1j * phases) * np.exp(-time_s * decays[:count])
    )
    rings = np.fft.irfft(spectrum * (period / 2), period, axis=1).reshape(-1)
    positions = np.arange(n) * (period * hz / SAMPLE_RATE_HZ)
    return faded(np.interp(positions, np.arange(len(rings)), rings), 0.002, 0.015)


def _harmonics(count: int) -> np.ndarray:
    return np.arange(1, count + 1, dtype=np.float64)


def string(midi: float, duration_s: float, bright: float, damping: float) -> Samples:
    """A plucked steel string; `bright` 0 to 1, `damping` 1 (open) to 20 (palm-muted)."""
    h = _harmonics(60)
    amplitudes = np.abs(np.sin(np.pi * h * 0.17)) / h ** (1.6 - 0.8 * bright)
    return ringing(midi, duration_s, amplitudes, damping * (0.5 + 0.12 * h))


def pluck(midi: float, duration_s: float, bright: float) -> Samples:
    """A short synthesiser pluck."""
    h = _harmonics(40)
    return ringing(midi, duration_s, 1.0 / h ** (1.5 - 0.6 * bright), 4.0 + (2.2 - bright) * h)


def electric_piano(midi: float, duration_s: float, bright: float) -> Samples:
    """A tine: a long fundamental under a short bell."""
    amplitudes = np.zeros(16)
    amplitudes[[0, 1, 2, 3, 6, 13]] = [1.0, 0.35, 0.12, 0.08, 0.25 * bright, 0.12 * bright]
    decays = np.full(16, 2.0)
    decays[[6, 13]] = [9.0, 18.0]
    return ringing(midi, duration_s, amplitudes, decays)


def bell(midi: float, duration_s: float, bright: float) -> Samples:
    amplitudes = np.zeros(12)
    amplitudes[[0, 2, 4, 8]] = [0.8, 0.5, 0.4 * bright, 0.3 * bright]
    decays = np.linspace(1.5, 9.0, 12)
    return ringing(midi, duration_s, amplitudes, decays)


def bass_guitar(midi: float, duration_s: float, bright: float) -> Samples:
    h = _harmonics(30)
    return ringing(midi, duration_s, 1.0 / h ** (2.2 - bright), 0.8 + 0.5 * h)


def synth_bass(midi: float, duration_s: float, bright: float) -> Samples:
    h = _harmonics(40)
    return ringing(midi, duration_s, 1.0 / h ** (1.7 - 0.6 * bright), 0.3 + 0.9 * h)


def sub_bass(
    midi: float, duration_s: float, glide_from: float | None, drive: float, decay_s: float
) -> Samples:
    """An 808: a driven sine that may glide in from another note."""
    time_s = np.arange(seconds(duration_s)) / SAMPLE_RATE_HZ
    offset = 0.0 if glide_from is None else glide_from - midi
    curve = midi + offset * np.exp(-time_s / 0.05) + 7.0 * np.exp(-time_s / 0.012)
    phase = 2.0 * np.pi * np.cumsum(440.0 * 2.0 ** ((curve - 69.0) / 12.0)) / SAMPLE_RATE_HZ
    body = np.sin(phase) * np.exp(-time_s / decay_s)
    return faded(np.tanh(drive * body) / np.tanh(drive), 0.003, 0.03)


def sustained(
    midis: list[int], duration_s: float, rolloff: float, detune_cents: float, attack_s: float
) -> Samples:
    """A held chord of detuned oscillators whose harmonics fall as `h ** -rolloff`."""
    n = seconds(duration_s)
    time = np.arange(n) / SAMPLE_RATE_HZ
    total = np.zeros(n)
    for voice, midi in enumerate(midis):
        hz = hertz(midi)
        h = _harmonics(min(30, int(0.45 * SAMPLE_RATE_HZ / hz)))
        angle = 2.0 * np.pi * np.arange(TABLE) / TABLE
        table = np.sum(np.sin(angle[:, None] * h) / h**rolloff, axis=1)
        table = np.append(table, table[0])
        for side in (-1.0, 0.0, 1.0):
            exact = hz * 2.0 ** (side * detune_cents / 1200.0)
            phase = (time * exact + 0.31 * voice + 0.23 * side) % 1.0 * TABLE
            index = phase.astype(np.int64)
            fraction = phase - index
            total += table[index] * (1.0 - fraction) + table[index + 1] * fraction
    return faded(total / (3.0 * len(midis)), attack_s, 0.12)


def organ(midis: list[int], duration_s: float, rolloff: float) -> Samples:
    """Drawbars: few harmonics, quick attack, slight detuning for a slow rotor."""
    return sustained(midis, duration_s, rolloff + 0.9, 4.0, 0.015)
