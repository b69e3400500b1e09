"""Scales, chord progressions and melodies."""

import numpy as np

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}

PROGRESSIONS = {
    "pop": ("1-5-6-4", "6-4-1-5", "1-6-4-5", "4-1-5-6"),
    "rock": ("1-4-1-5", "1-3-4-4", "6-4-1-5", "1-7-4-1", "1-4-5-4"),
    "hip-hop": ("1-1-6-6", "1-1-4-4", "6-6-1-1", "1-1-1-5"),
}
"""Scale degrees, one a bar. Hip-hop stays on a chord, rock moves most; `6-4-1-5` is everywhere."""


def degrees(progression: str) -> tuple[int, ...]:
    """Zero-based scale degrees of a progression such as `1-5-6-4`."""
    return tuple(int(degree) - 1 for degree in progression.split("-"))


def scale_note(tonic: int, mode: str, degree: int, octave_midi: int) -> int:
    """MIDI number of a scale degree (any integer) over the tonic at or above `octave_midi`."""
    root = octave_midi + (tonic - octave_midi) % 12
    octave, step = divmod(degree, 7)
    return root + 12 * octave + SCALES[mode][step]


def chord(tonic: int, mode: str, degree: int, low_midi: int, size: int = 3) -> list[int]:
    """A chord in thirds on a scale degree, folded into the octave above `low_midi`.

    The folding keeps inner voices near one another from chord to chord.
    """
    notes = [scale_note(tonic, mode, degree + 2 * i, low_midi) for i in range(size)]
    return sorted(low_midi + (note - low_midi) % 12 for note in notes)


def bass_note(tonic: int, mode: str, degree: int, low_midi: int) -> int:
    """The chord's root in the octave above `low_midi`."""
    return low_midi + (scale_note(tonic, mode, degree, low_midi) - low_midi) % 12


def melody(
    rng: np.random.Generator,
    tonic: int,
    mode: str,
    chords: list[int],
    low_midi: float,
    high_midi: float,
) -> list[int]:
    """One MIDI note per entry of `chords` (the scale degree of the chord that sounds there).

    A walk in small steps over the scale between `low_midi` and `high_midi`; every other note, and
    the last, is drawn to the nearest note of its chord.
    """
    pitches = range(int(np.ceil(low_midi)), int(high_midi) + 1)
    scale = [note for note in pitches if (note - tonic) % 12 in SCALES[mode]]
    position = int(rng.integers(len(scale) // 3, max(len(scale) // 3 + 1, 2 * len(scale) // 3)))
    notes = []
    for i, degree in enumerate(chords):
        position += int(rng.choice([-2, -1, -1, 0, 1, 1, 2]))
        position = min(max(position, 0), len(scale) - 1)
        if i % 2 == 0 or i == len(chords) - 1:
            members = {scale_note(tonic, mode, degree + 2 * j, 60) % 12 for j in range(3)}
            near = [at for at, note in enumerate(scale) if note % 12 in members]
            position = min(near, key=lambda at: (abs(at - position), at)) if near else position
        notes.append(scale[position])
    return notes
