"""The key of a song: which of 24 key profiles its pitch classes follow best."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from songatlas.features.audio.sound_curves import PITCH_STEPS, bins_of_pitch

TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

# Profiles of the Kostka-Payne corpus (Temperley 2007, "Music and Probability", p. 86), tonic first.
MAJOR = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
MINOR = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)

STEPS = PITCH_STEPS // 12
FROM_A_TO_C = 3

LEAST_CONTRAST = 0.15
"""Standard deviation over mean of the pitch classes, beside what white noise has: a minute of noise
has 0.02, the demo's songs have 0.27 and more."""


@dataclass(frozen=True)
class Key:
    """`confidence`: the best key's correlation less the second best's; `mode_confidence`: the best
    key's less that of the best key in the other mode. Both are 0 to 2, and 0.1 is little."""

    tonic: str
    mode: str
    confidence: float
    mode_confidence: float


def key(pitch: np.ndarray) -> Key | None:
    """The key by correlation with profiles (Krumhansl & Schmuckler 1990); None without pitches.

    Args:
        pitch: power of each part of the octave, from A on, shape (PITCH_STEPS,). The tuning is the
            third of a semitone that holds most of it.
    """
    _, steps = bins_of_pitch()
    against_noise = (pitch / steps.sum(axis=0)).reshape(12, STEPS).mean(axis=1)
    if against_noise.std() <= LEAST_CONTRAST * against_noise.mean():
        return None
    by_tuning = pitch.reshape(12, STEPS).sum(axis=0)
    # The middle of a semitone is its part 0; parts that lie one lower belong to the one below.
    tuned = np.roll(pitch, STEPS // 2 - int(by_tuning.argmax()))
    classes = np.roll(tuned.reshape(12, STEPS).sum(axis=1), -FROM_A_TO_C)
    centred = classes - classes.mean()
    unit = centred / np.linalg.norm(centred)
    fit = _profiles() @ unit
    best = int(fit.argmax())
    others = fit[12:] if best < 12 else fit[:12]
    return Key(
        tonic=TONICS[best % 12],
        mode="major" if best < 12 else "minor",
        confidence=float(fit[best] - np.partition(fit, -2)[-2]),
        mode_confidence=float(fit[best] - others.max()),
    )


@cache
def _profiles() -> np.ndarray:
    """12 major, then 12 minor keys: zero mean, unit length, shape (24, 12)."""
    rows = np.array([np.roll(mode, tonic) for mode in (MAJOR, MINOR) for tonic in range(12)])
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
