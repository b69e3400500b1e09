"""The band: what drums, bass, harmony and colour play in each genre."""

from collections.abc import Callable

import numpy as np

from songatlas.demo.synthesis import drums, harmony, instruments, mix
from songatlas.demo.synthesis.grid import STEPS, Grid, Samples, lay, seconds
from songatlas.demo.synthesis.plan import Section, SongPlan

ENERGY = {
    "intro": 0.6,
    "verse": 0.75,
    "second_verse": 0.85,
    "chorus": 1.0,
    "break": 0.9,
    "outro": 0.7,
}


def _clean_string(midi: float, duration_s: float, bright: float) -> Samples:
    return instruments.string(midi - 12, duration_s, bright, 2.0)


NOTES: dict[str, Callable[[float, float, float], Samples]] = {
    "pluck": instruments.pluck,
    "bell": instruments.bell,
    "electric piano": instruments.electric_piano,
    "clean guitar": _clean_string,
    "synth bass": instruments.synth_bass,
    "bass guitar": instruments.bass_guitar,
}
"""Instruments that play single notes: (midi, duration_s, bright) to samples."""


class Cache:
    """Notes that have been rendered already: songs repeat, so most notes come back."""

    def __init__(self) -> None:
        self._sounds: dict[tuple[object, ...], Samples] = {}

    def __call__(self, render: Callable[..., Samples], *arguments: object) -> Samples:
        key = (render.__name__, *map(str, arguments))
        if key not in self._sounds:
            self._sounds[key] = render(*arguments)
        return self._sounds[key]


def bars_of(plan: SongPlan) -> list[tuple[Section, int, int]]:
    """(section, bar, zero-based scale degree) of every bar."""
    loop = harmony.degrees(plan.progression)
    return [
        (section, section.first_bar + i, loop[i % len(loop)])
        for section in plan.sections
        for i in range(section.bars)
    ]


def play_drums(plan: SongPlan, n: int) -> tuple[Samples, list[float]]:
    """The drum track of shape (n,), and the times of the kicks in seconds."""
    rng, grid = plan.rng(1), plan.grid
    kit = drums.kit(rng, plan.genre, plan.kit_tuning, plan.kit_length)
    track = np.zeros(n)
    kicks: list[float] = []

    def hit(sound: Samples, bar: int, step: float, gain: float) -> None:
        late = 0.002 * float(rng.standard_normal())
        lay(track, sound, grid.time_s(bar, step) + late, gain * float(rng.uniform(0.9, 1.05)))

    hat_level = {"pop": 0.16, "rock": 0.24, "hip-hop": 0.3}[plan.genre]
    snare_level = {"pop": 0.7, "rock": 0.62, "hip-hop": 1.0}[plan.genre]
    for section, bar, _ in bars_of(plan):
        first, last = bar == section.first_bar, bar == section.first_bar + section.bars - 1
        quiet = section.name == "intro" and first and section.bars > 1
        if not quiet:
            for step, velocity in drums.velocities(plan.patterns["kick"]):
                hit(kit.kick, bar, step, 1.0 * velocity)
                kicks.append(grid.time_s(bar, step))
        fill = plan.genre == "rock" and last and section.name != "outro"
        for step, velocity in drums.velocities(plan.patterns["snare"]):
            if not quiet and not (fill and step >= 12):
                hit(kit.snare, bar, step, snare_level * velocity)
        for step, velocity in drums.velocities(plan.patterns["closed_hat"]):
            hit(kit.closed_hat, bar, step, 1.3 * hat_level * velocity)
        for step, velocity in drums.velocities(plan.patterns["open_hat"]):
            if section.name != "intro":
                hit(kit.open_hat, bar, step, hat_level * velocity)
        if fill:
            for i, step in enumerate((12, 13, 14, 15)):
                hit(kit.toms[i // 2], bar, step, 0.75)
        if plan.genre == "rock" and (first or section.name == "chorus"):
            hit(kit.crash, bar, 0, 0.3 if first else 0.18)
        elif plan.genre == "pop" and first and section.name == "chorus":
            hit(kit.crash, bar, 0, 0.2)
        if plan.genre == "hip-hop" and last:
            for i in range(6):  # a roll of triplets into the next section
                hit(kit.closed_hat, bar, 12 + i * 4 / 6, hat_level * (0.5 + 0.1 * i))
    return track, kicks


def play_bass(plan: SongPlan, n: int, cache: Cache) -> Samples:
    """Off-beats and octaves in pop, straight eighths in rock, with the kick in hip-hop."""
    track = np.zeros(n)
    kicks = [step for step, _ in drums.velocities(plan.patterns["kick"])]
    bright, before = plan.brightness, None
    for section, bar, degree in bars_of(plan):
        root = harmony.bass_note(plan.tonic, plan.mode, degree, 29)
        full = section.name == "chorus"
        if plan.genre == "pop":
            steps = range(0, STEPS, 2) if full else range(2, STEPS, 4)
            events = [(step, 2, root + 12 * (full and step % 4 == 2)) for step in steps]
        elif plan.genre == "rock":
            events = [(step, 2, root) for step in range(0, STEPS, 2)]
        elif section.name == "intro":
            events = []
        else:
            ends = [*kicks[1:], STEPS]
            fifth = 7 * (bar % 2)
            events = [
                (step, end - step, root + (fifth if i >= 2 else 0))
                for i, (step, end) in enumerate(zip(kicks, ends, strict=True))
            ]
        for step, length, pitch in events:
            length_s = length * plan.grid.step_s
            if plan.bass == "808":
                glide = before if step else None
                sound = cache(instruments.sub_bass, pitch, length_s, glide, 1.2 + bright, 0.9)
            else:
                sound = cache(NOTES[plan.bass], pitch, 0.97 * length_s, bright)
            accent = 1.0 if step % 4 == 0 else 0.88
            lay(track, sound, plan.grid.time_s(bar, step), accent * ENERGY[section.name])
            before = pitch
    return track


def play_harmony(plan: SongPlan, n: int, cache: Cache, kicks: list[float]) -> Samples:
    """The instruments that carry the genre's chords."""
    return {"pop": _pads, "rock": _guitars, "hip-hop": _sample}[plan.genre](plan, n, cache, kicks)


def _pads(plan: SongPlan, n: int, cache: Cache, kicks: list[float]) -> Samples:
    """Sustained pads and plucked arpeggios, both ducked by the kick."""
    grid = plan.grid
    pads, arpeggios = np.zeros(n), np.zeros(n)
    arpeggio = NOTES[plan.chords]
    rolloff = 1.75 - 0.5 * plan.brightness
    for section, bar, degree in bars_of(plan):
        energy = ENERGY[section.name]
        notes = harmony.chord(plan.tonic, plan.mode, degree, 53)
        pad = cache(instruments.sustained, notes, grid.bar_s, rolloff, 9.0, 0.06)
        lay(pads, pad, grid.time_s(bar), energy)
        stride = 1 if section.name in ("chorus", "break") else 2
        for i, step in enumerate(range(0, STEPS, stride)):
            note = notes[i % 3] + 12 + (12 if i % 4 == 3 else 0)
            sound = cache(arpeggio, note, 3.0 * grid.step_s, plan.brightness)
            lay(arpeggios, sound, grid.time_s(bar, step), energy * (0.9 if i % 2 else 1.0))
    gain = mix.ducking(n, kicks, 0.75, 0.11)
    return (mix.level(pads, 0.1) + mix.level(arpeggios, 0.055)) * gain


STRUMS = {"chorus": (0, 3, 6, 8, 10, 12, 14), "break": (0, 3, 6, 8, 11, 14)}
"""Steps of open power chords; elsewhere the guitars are palm-muted on every eighth."""


def _guitars(plan: SongPlan, n: int, cache: Cache, kicks: list[float]) -> Samples:
    """Two distorted guitars on power chords."""
    grid, rng = plan.grid, plan.rng(2)
    tracks = [np.zeros(n), np.zeros(n)]
    for section, bar, degree in bars_of(plan):
        root = harmony.bass_note(plan.tonic, plan.mode, degree, 40)
        opened = section.name in STRUMS
        if section.name == "outro" and bar == section.first_bar + section.bars - 1:
            steps: tuple[int, ...] = (0,)
            opened = True
        else:
            steps = STRUMS.get(section.name, tuple(range(0, STEPS, 2)))
        ends = [*steps[1:], STEPS]
        for step, end in zip(steps, ends, strict=True):
            accent = opened or step % 8 == 0
            damping = 1.2 if opened else (6.0 if accent else 14.0)
            length_s = grid.time_s(bar, end) - grid.time_s(bar, step)
            for side, track in enumerate(tracks):
                detune = 0.04 if side else -0.04
                late = abs(0.004 * float(rng.standard_normal()))
                for interval in (0, 7, 12):
                    sound = cache(
                        instruments.string,
                        root + interval + detune,
                        round(length_s, 4),
                        0.4 + 0.5 * plan.brightness,
                        damping,
                    )
                    start_s = grid.time_s(bar, step) + late + 0.003 * (interval > 0)
                    lay(track, sound, start_s, 1.0 if accent else 0.8)
    drive = 2.2 + 2.5 * plan.brightness
    return sum((mix.level(mix.distort(track, drive), 0.1) for track in tracks), np.zeros(n))


def _sample(plan: SongPlan, n: int, cache: Cache, kicks: list[float]) -> Samples:
    """A dusty two-bar loop of seventh chords, the same all through the song."""
    grid, rng = plan.grid, plan.rng(3)
    track = np.zeros(n)
    sound_of = NOTES[plan.chords]
    stabs = [(0, int(rng.choice([3, 6]))), (int(rng.choice([0, 2])), int(rng.choice([7, 10])))]
    answers = [int(step) for step in rng.choice([9, 11, 12, 14], 2, replace=False)]
    for _, bar, degree in bars_of(plan):
        notes = harmony.chord(plan.tonic, plan.mode, degree, 55, size=4)
        for step in stabs[bar % 2]:
            for note in notes:
                sound = cache(sound_of, note, 6.0 * grid.step_s, 0.6 * plan.brightness)
                lay(track, sound, grid.time_s(bar, step), 0.7)
        if bar % 2:
            for i, step in enumerate(answers):
                sound = cache(sound_of, notes[-1 - i] + 12, 4.0 * grid.step_s, plan.brightness)
                lay(track, sound, grid.time_s(bar, step), 0.8)
    return mix.level(instruments.lowpass(track, 1800.0 + 2600.0 * plan.brightness), 0.1)


def play_colour(plan: SongPlan, n: int, cache: Cache) -> Samples:
    """The extra instrument, which plays the same way in every genre."""
    grid = plan.grid
    track = np.zeros(n)
    for section, bar, degree in bars_of(plan):
        if plan.colour == "none" or section.name == "intro":
            continue
        notes = harmony.chord(plan.tonic, plan.mode, degree, 60)
        if plan.colour in ("organ", "strings"):
            if plan.colour == "organ":
                sound = cache(instruments.organ, notes, grid.bar_s, 0.8)
            else:
                sound = cache(instruments.sustained, notes, grid.bar_s, 1.5, 14.0, 0.2)
            lay(track, sound, grid.time_s(bar))
            continue
        note_of = NOTES[plan.colour]
        if plan.colour == "electric piano":
            hits = [(step, note) for step in (0, 6, 10) for note in notes]
        else:
            hits = [(2 * i, notes[(0, 1, 2, 1, 0, 2, 1, 2)[i]] + 12) for i in range(8)]
        for step, note in hits:
            sound = cache(note_of, note, 5.0 * grid.step_s, 0.6)
            lay(track, sound, grid.time_s(bar, step))
    return track


def play_noise(plan: SongPlan, n: int) -> Samples:
    """Tape hiss with a few crackles, at `noise_db` below full scale, in every genre."""
    rng = plan.rng(4)
    hiss = instruments.lowpass(rng.standard_normal(n), 6000.0)
    crackles = np.zeros(n)
    at = rng.integers(0, n, int(6 * n / seconds(1.0)))
    crackles[at] = rng.standard_normal(len(at)) * 6.0
    return mix.level(hiss + instruments.lowpass(crackles, 4000.0), 10.0 ** (plan.noise_db / 20.0))


def silence(grid: Grid, bars: int) -> Samples:
    """An empty track as long as the song, with half a second for the last notes to ring."""
    return np.zeros(seconds(bars * grid.bar_s + 0.5))
