"""Where bars and sixteenths fall in time, and how sounds are laid onto a track."""

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE_HZ = 22050
STEPS = 16
"""Sixteenths in a bar: every song is in 4/4."""

Samples = np.ndarray
"""Mono audio, float64, shape (n,)."""


@dataclass(frozen=True)
class Grid:
    """Bars of sixteenths at a tempo; odd sixteenths come late by the swing.

    `swing` is the share of an eighth that its first sixteenth takes (0.5: straight).
    """

    tempo_bpm: float
    swing: float

    @property
    def step_s(self) -> float:
        """Length of a straight sixteenth, in seconds."""
        return 15.0 / self.tempo_bpm

    @property
    def bar_s(self) -> float:
        return STEPS * self.step_s

    def time_s(self, bar: float, step: float = 0.0) -> float:
        """Start of a (possibly fractional) step of a bar, in seconds."""
        late = (2.0 * self.swing - 1.0) * self.step_s if step % 2 == 1 else 0.0
        return bar * self.bar_s + step * self.step_s + late


def seconds(duration_s: float) -> int:
    """Number of samples in a duration."""
    return round(duration_s * SAMPLE_RATE_HZ)


def lay(track: Samples, sound: Samples, start_s: float, gain: float = 1.0) -> None:
    """Add `sound` to `track` in place; what lies outside the track is dropped."""
    start = seconds(start_s)
    first = max(0, -start)
    last = min(len(sound), len(track) - start)
    if last > first:
        track[start + first : start + last] += gain * sound[first:last]


def faded(sound: Samples, attack_s: float, release_s: float) -> Samples:
    """A copy with raised-cosine ramps at both ends (shortened to half the sound where needed)."""
    sound = sound.copy()
    for length, ends in ((attack_s, slice(None)), (release_s, slice(None, None, -1))):
        n = min(seconds(length), len(sound) // 2)
        if n > 0:
            sound[ends][:n] *= 0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n)
    return sound
