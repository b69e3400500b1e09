"""The singer's part of a song: melodies, time-stamped lines and notes, vocal effects."""

from dataclasses import dataclass

import numpy as np

from songatlas.demo.synthesis import harmony, instruments, mix
from songatlas.demo.synthesis.grid import Samples, seconds
from songatlas.demo.synthesis.plan import Section, SongPlan
from songatlas.demo.synthesis.singing import STYLES, Sung, rap_line, sing_line
from songatlas.demo.synthesis.voice import VARIANTS, Voice


@dataclass(frozen=True)
class Line:
    """A line of lyrics where it is heard."""

    start_s: float
    end_s: float
    text: str


def perform(plan: SongPlan, track: Samples) -> tuple[list[Line], list[Sung]]:
    """Sing the whole song into `track` in place; returns its lines and everything sung."""
    voice = Voice(plan.language, plan.voice)
    lines: list[Line] = []
    everything: list[Sung] = []
    for section in plan.sections:
        for i, text in enumerate(section.lines):
            bar = section.first_bar + i * plan.bars_per_line
            if plan.genre == "hip-hop" and not (section.name == "chorus" and plan.chorus_sung):
                lift = 6.0 * (i % 2) + 40.0 * (plan.register - 1.0)
                sung = rap_line(track, voice, plan.grid, text, bar, plan.bars_per_line, lift)
            else:
                notes = _melody(plan, section, i, len(text.split()))
                style = STYLES[plan.genre]
                sung = sing_line(
                    track, voice, plan.grid, text, bar, plan.bars_per_line, notes, style
                )
            lines.append(Line(max(0.0, sung[0].start_s), sung[-1].end_s, text))
            everything += sung
    return lines, everything


def _melody(plan: SongPlan, section: Section, line: int, words: int) -> list[list[int]]:
    """Two notes for each word; a chorus has the same melody each time it comes."""
    stream = {"verse": 100, "second_verse": 100, "chorus": 200}[section.name] + line % 4
    loop = harmony.degrees(plan.progression)
    first = line * plan.bars_per_line
    chords = [
        loop[(first + int(i * plan.bars_per_line / words)) % len(loop)]
        for i in range(words)
        for _ in range(2)
    ]
    tone = 69.0 + 12.0 * np.log2(VARIANTS[plan.voice].hz * plan.register / 440.0)
    lift = {"pop": 0.0, "rock": 2.0, "hip-hop": -1.0}[plan.genre] + 2.0 * (section.name == "chorus")
    notes = harmony.melody(
        plan.rng(stream), plan.tonic, plan.mode, chords, tone - 2.0 + lift, tone + 7.0 + lift
    )
    return [notes[2 * i : 2 * i + 2] for i in range(words)]


def produce(plan: SongPlan, track: Samples) -> Samples:
    """Equalise, thicken and, in rock, overdrive the voice."""
    voice = instruments.highpass(track, 90.0)
    if plan.genre == "rock":
        driven = np.tanh(12.0 * voice)
        voice = 0.55 * mix.level(driven, 0.1) + 0.6 * mix.level(voice, 0.1)
    elif plan.genre == "pop":
        late = seconds(0.022)
        double = np.concatenate([np.zeros(late), voice[:-late]])
        voice = voice + 0.45 * double
        echo = seconds(3.0 * plan.grid.step_s)
        voice[echo:] += 0.2 * instruments.lowpass(voice[:-echo], 3000.0)
    return mix.level(voice, 0.1)
