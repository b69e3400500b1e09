"""Sounds whose beat, key and loudness are known, as float32 mono at `RATE`."""

from collections.abc import Iterator, Sequence

import numpy as np

from songatlas.features.audio.sound_curves import SAMPLE_RATE_HZ as RATE

CLICK = (np.exp(-np.arange(800) / 150) * np.sin(0.3 * np.arange(800))).astype(np.float32)


def clicks(times_s: np.ndarray, length_s: float, gains: Sequence[float] = (0.5,)) -> np.ndarray:
    """A click at each time over faint noise; `gains` repeat."""
    samples = np.random.default_rng(0).normal(0.0, 1e-4, round(length_s * RATE)).astype(np.float32)
    for number, time_s in enumerate(times_s):
        part = samples[round(time_s * RATE) :][: len(CLICK)]
        part += gains[number % len(gains)] * CLICK[: len(part)]
    return samples


def regular(bpm: float, length_s: float, start_s: float = 1.0) -> np.ndarray:
    """Times of regular beats."""
    return np.arange(start_s, length_s - 0.5, 60.0 / bpm)


def rubato(length_s: float, seed: int) -> np.ndarray:
    """Times whose intervals vary by 15% around half a second, each by itself."""
    intervals = 0.5 * np.exp(np.random.default_rng(seed).normal(0.0, 0.15, round(3 * length_s)))
    times = 1.0 + np.cumsum(intervals)
    return times[times < length_s - 0.5]


def noise(length_s: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.1, round(length_s * RATE)).astype(np.float32)


def chords(midi: Sequence[Sequence[int]], length_s: float) -> np.ndarray:
    """Chords of sines, one a second, in turn."""
    time_s = np.arange(round(length_s * RATE)) / RATE
    turn = time_s.astype(int) % len(midi)
    samples = np.zeros(len(time_s))
    for number, notes in enumerate(midi):
        for note in notes:
            hz = 440.0 * 2.0 ** ((note - 69) / 12)
            samples += np.where(turn == number, 0.1 * np.sin(2 * np.pi * hz * time_s), 0.0)
    return samples.astype(np.float32)


def an_hour() -> Iterator[np.ndarray]:
    """An hour at 120 beats a minute, half a minute at a time."""
    for seed in range(120):
        yield clicks(regular(120, 30.6, 0.0), 30.0) + 0.01 * noise(30.0, seed)
