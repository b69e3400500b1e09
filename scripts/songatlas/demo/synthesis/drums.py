"""Drum kits and the patterns that they play."""

from dataclasses import dataclass

import numpy as np

from songatlas.demo.synthesis.grid import SAMPLE_RATE_HZ, Samples, faded, seconds
from songatlas.demo.synthesis.instruments import highpass, lowpass

VELOCITIES = {"x": 1.0, "o": 0.65, "-": 0.35, ".": 0.0}

PATTERNS: dict[str, dict[str, tuple[str, ...]]] = {
    "pop": {
        "kick": ("x...x...x...x...", "x...x...x...x.o.", "x..ox...x...x..."),
        "snare": ("....x.......x...",),
        "closed_hat": ("o-..o-..o-..o-..", "o-.-o-.-o-.-o-.-"),
        "open_hat": ("..x...x...x...x.",),
    },
    "rock": {
        "kick": ("x.....x.x.......", "x.x.....x.x.....", "x......xx.x....."),
        "snare": ("....x.......x...", "....x.......x..-"),
        "closed_hat": ("x.o.x.o.x.o.x.o.", "x.x.x.x.x.x.x.x."),
        "open_hat": ("................", "..............o."),
    },
    "hip-hop": {
        "kick": ("x......-..x.....", "x..o......x..o..", "x.........xo...."),
        "snare": ("....x.......x...", "........x......."),
        "closed_hat": ("x-o-x-o-x-o-x-o-", "x.o-x.o.x-o.x.o-"),
        "open_hat": ("................", "......o........."),
    },
}
"""Sixteen steps a bar; `x` loud, `o` middle, `-` soft. Each song takes one of each row."""


def velocities(pattern: str) -> list[tuple[int, float]]:
    """The (step, velocity) pairs of a pattern's hits."""
    return [(step, VELOCITIES[mark]) for step, mark in enumerate(pattern) if VELOCITIES[mark] > 0.0]


def _time(duration_s: float) -> np.ndarray:
    return np.arange(seconds(duration_s)) / SAMPLE_RATE_HZ


def _noise(rng: np.random.Generator, duration_s: float, decay_s: float) -> Samples:
    time = _time(duration_s)
    return rng.standard_normal(len(time)) * np.exp(-time / decay_s)


def kick(
    rng: np.random.Generator, low_hz: float, sweep_hz: float, decay_s: float, click: float
) -> Samples:
    """A falling sine with a click of noise."""
    time = _time(min(0.7, 4.0 * decay_s))
    hz = low_hz + sweep_hz * np.exp(-time / 0.022)
    body = np.sin(2.0 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ) * np.exp(-time / decay_s)
    body[: seconds(0.02)] += click * lowpass(_noise(rng, 0.02, 0.004), 5000.0)
    return faded(np.tanh(1.6 * body), 0.001, 0.02)


def snare(
    rng: np.random.Generator, tone_hz: float, tone: float, decay_s: float, bright_hz: float
) -> Samples:
    """A struck skin under a rattle of noise."""
    time = _time(4.0 * decay_s)
    skin = np.sin(2.0 * np.pi * (tone_hz * time + 1.5 * np.exp(-time / 0.01)))
    rattle = lowpass(highpass(_noise(rng, 4.0 * decay_s, decay_s), 700.0), bright_hz)
    return faded(tone * skin * np.exp(-time / 0.06) + rattle, 0.001, 0.02)


def clap(rng: np.random.Generator, decay_s: float, centre_hz: float) -> Samples:
    """Several hands, a few milliseconds apart."""
    sound = np.zeros(seconds(0.03 + 4.0 * decay_s))
    for i, late in enumerate((0.0, 0.011, 0.022)):
        hand = _noise(rng, 4.0 * decay_s, decay_s if i == 2 else 0.006)
        start = seconds(late)
        sound[start : start + len(hand)] += hand
    return faded(highpass(lowpass(sound, 1.8 * centre_hz, 2), 0.6 * centre_hz), 0.001, 0.02) * 1.6


def hat(rng: np.random.Generator, decay_s: float, low_hz: float) -> Samples:
    sound = _noise(rng, min(2.4, 5.0 * decay_s), decay_s)
    return faded(highpass(highpass(sound, low_hz), low_hz), 0.0005, 0.01)


def tom(rng: np.random.Generator, hz: float) -> Samples:
    time = _time(0.4)
    body = np.sin(2.0 * np.pi * (hz * time + 0.6 * hz * 0.03 * (1.0 - np.exp(-time / 0.03))))
    sound = body * np.exp(-time / 0.11)
    sound[: seconds(0.05)] += 0.3 * lowpass(_noise(rng, 0.05, 0.01), 2500.0)
    return faded(sound, 0.001, 0.03)


@dataclass(frozen=True)
class Kit:
    """One-shot sounds of one song's drummer."""

    kick: Samples
    snare: Samples
    closed_hat: Samples
    open_hat: Samples
    crash: Samples
    toms: tuple[Samples, Samples]


def kit(rng: np.random.Generator, genre: str, tuning: float, length: float) -> Kit:
    """Build a genre's kit; `tuning` and `length` (about 1) vary it within and over genres."""
    closed = hat(rng, 0.022 * length, 4800.0 * tuning)
    opened = hat(rng, 0.11 * length, 4300.0 * tuning)
    crash = hat(rng, 0.45 * length, 2600.0 * tuning)
    toms = (tom(rng, 150.0 * tuning), tom(rng, 105.0 * tuning))
    if genre == "pop":
        beat = kick(rng, 52.0 * tuning, 190.0, 0.13 * length, 0.4)
        back = clap(rng, 0.07 * length, 1500.0 * tuning)
        back[: seconds(0.1)] += 0.4 * snare(rng, 210.0 * tuning, 0.5, 0.06, 7000.0)[: seconds(0.1)]
    elif genre == "rock":
        beat = kick(rng, 62.0 * tuning, 120.0, 0.10 * length, 0.9)
        back = snare(rng, 185.0 * tuning, 0.9, 0.11 * length, 6500.0)
    else:
        beat = kick(rng, 48.0 * tuning, 140.0, 0.20 * length, 0.5)
        back = snare(rng, 230.0 * tuning, 0.7, 0.07 * length, 5000.0)
    return Kit(beat, back, closed, opened, crash, toms)
