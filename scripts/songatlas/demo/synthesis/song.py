"""One song: from its plan to samples, lines and notes."""

from dataclasses import dataclass

import numpy as np

from songatlas.demo.synthesis import backing, mix, vocals
from songatlas.demo.synthesis.plan import SongPlan
from songatlas.demo.synthesis.singing import Sung
from songatlas.demo.synthesis.vocals import Line

BALANCE_DB = {
    "pop": {"drums": -1.0, "bass": -3.0, "harmony": 0.0, "colour": -9.0, "vocals": 6.0},
    "rock": {"drums": -1.0, "bass": -4.0, "harmony": 2.0, "colour": -9.0, "vocals": 5.5},
    "hip-hop": {"drums": 2.0, "bass": 2.5, "harmony": -6.0, "colour": -11.0, "vocals": 3.0},
}
"""Usual level of each track, in dB relative to an RMS of 0.1 where it sounds."""

REVERB_SEND = {"pop": 0.3, "rock": 0.2, "hip-hop": 0.08}
"""Share of the voice that goes into the reverberation."""


@dataclass(frozen=True)
class Song:
    """A finished song; `samples` is int16 mono, shape (n,). `notes` are the pitched ones."""

    samples: np.ndarray
    lines: list[Line]
    notes: list[Sung]


def render(plan: SongPlan) -> Song:
    """Render a song; the same plan gives the same samples, whatever was rendered before."""
    base = BALANCE_DB[plan.genre]

    def gain(part: str, offset_db: float) -> float:
        return float(10.0 ** ((base[part] + offset_db) / 20.0))

    empty = backing.silence(plan.grid, plan.bars)
    n = len(empty)
    cache = backing.Cache()
    drums, kicks = backing.play_drums(plan, n)
    bass = backing.play_bass(plan, n, cache)
    chords = backing.play_harmony(plan, n, cache, kicks)
    colour = backing.play_colour(plan, n, cache)
    voice = empty
    lines, sung = vocals.perform(plan, voice)
    voice = vocals.produce(plan, voice) * gain("vocals", plan.vocals_db)
    drums = mix.level(drums, 0.1) * gain("drums", plan.drums_db)
    colour = mix.level(colour, 0.1) * gain("colour", plan.colour_db)
    chords = mix.level(chords, 0.1) * gain("harmony", plan.harmony_db)
    bass = mix.level(bass, 0.1) * gain("bass", plan.bass_db)
    send = REVERB_SEND[plan.genre] * voice + 0.1 * colour + 0.06 * (drums + chords)
    wet = mix.reverb(send, plan.rng(5), plan.reverb_s)
    total = drums + bass + chords + colour + voice + wet
    total = mix.equalise(total, np.array(plan.eq_db)) + backing.play_noise(plan, n)
    total = mix.master(total, plan.loudness_db, 0.02, plan.fade_s)
    samples = np.round(total * 32767.0).astype(np.int16)
    return Song(samples, lines, [note for note in sung if note.midi is not None])
