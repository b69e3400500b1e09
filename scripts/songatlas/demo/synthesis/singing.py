"""Fits spoken words to the bar: sung on a melody, or rapped on the sixteenths."""

from dataclasses import dataclass

import numpy as np

from songatlas.demo.synthesis.grid import SAMPLE_RATE_HZ, Grid, Samples, faded, lay, seconds
from songatlas.demo.synthesis.instruments import hertz
from songatlas.demo.synthesis.voice import Voice

NATURAL_WPM = 175.0


@dataclass(frozen=True)
class Style:
    """How a genre sings.

    `step` is the finest step (in sixteenths) that words start on, `legato` the share of its time
    that a word fills, `push_s` how early it comes, vibrato and scoop are in semitones.
    """

    step: int
    legato: float
    push_s: float
    vibrato: float
    scoop: float


STYLES = {
    "pop": Style(2, 0.98, 0.0, 0.35, 0.8),
    "rock": Style(2, 0.86, 0.012, 0.12, 1.6),
    "hip-hop": Style(2, 0.92, -0.006, 0.2, 0.5),
}


@dataclass(frozen=True)
class Sung:
    """A word or phrase as it came out; `midi` is None where it was spoken."""

    start_s: float
    end_s: float
    midi: int | None
    text: str


def shares(durations: np.ndarray, total: int, step: int) -> np.ndarray:
    """Split `total` sixteenths over words in proportion to their spoken durations.

    Each word gets a multiple of `step`, at least one `step` while there is room, else at least one
    sixteenth. Shape (words,), sums to at most `total`.
    """
    if len(durations) * step > total:
        step = 1
    units = total // step
    exact = durations / durations.sum() * units
    given = np.maximum(1, np.floor(exact)).astype(int)
    while given.sum() > units and given.max() > 1:
        candidates = np.where(given > 1, given - exact, -np.inf)
        given[int(np.argmax(candidates))] -= 1
    while given.sum() < units:
        given[int(np.argmax(exact - given))] += 1
    return given * step


def stretch(sound: Samples, period: int, n: int) -> Samples:
    """Change the length of a level tone to `n` samples, keeping its pitch and formants.

    Pitch-synchronous overlap-add (Moulines and Charpentier 1990): whole periods (in samples) are
    repeated or left out.
    """
    count = max(1, int(np.ceil(n / period)))
    window = np.hanning(2 * period + 1)[:-1]
    last = max(0, (len(sound) - 2 * period) // period)
    sources = np.round(np.linspace(0, last, count)).astype(int) * period
    padded = np.pad(sound, (0, 3 * period))
    grains = padded[sources[:, None] + np.arange(2 * period)] * window
    out = np.zeros((count + 1) * period)
    out[: count * period] += grains[:, :period].reshape(-1)
    out[period:] += grains[:, period:].reshape(-1)
    return out[:n]


def sing_word(
    voice: Voice, word: str, spoken_s: float, length_s: float, notes: list[int], style: Style
) -> Samples:
    """One word at the pitches of `notes` (equal parts), `length_s` long."""
    target_hz = hertz(notes[0])
    pitch, tone_hz = voice.pitch_near(target_hz)
    rate = float(np.clip(NATURAL_WPM * spoken_s / length_s, 95.0, 420.0))
    word_sound = voice.say(word, rate, pitch)
    period = round(SAMPLE_RATE_HZ / tone_hz)
    n = seconds(length_s)
    if not 0.9 < n / len(word_sound) <= 1.0:
        word_sound = stretch(word_sound, period, n)
    time = np.arange(len(word_sound)) / SAMPLE_RATE_HZ
    part = np.minimum((time / length_s * len(notes)).astype(int), len(notes) - 1)
    steps = (np.array(notes, np.float64) - notes[0])[part]
    glide = seconds(0.05)
    steps = np.convolve(np.pad(steps, (glide, 0), mode="edge"), np.ones(glide) / glide, "valid")
    swell = np.clip((time - 0.25) / 0.3, 0.0, 1.0)
    curve = steps[: len(time)] + style.vibrato * swell * np.sin(2.0 * np.pi * 5.4 * time)
    curve -= style.scoop * np.exp(-time / 0.035)
    ratio = target_hz / tone_hz * 2.0 ** (curve / 12.0)
    positions = np.concatenate([[0.0], np.cumsum(ratio)[:-1]])
    # Reading faster or slower changes the length a little; the word ends where its sound does.
    positions = positions[positions < len(word_sound) - 1]
    return faded(np.interp(positions, np.arange(len(word_sound)), word_sound), 0.004, 0.03)


def sing_line(
    track: Samples,
    voice: Voice,
    grid: Grid,
    line: str,
    first_bar: int,
    bars: int,
    notes: list[list[int]],
    style: Style,
) -> list[Sung]:
    """Sing a line over `bars` bars into `track`; `notes` are the MIDI notes of each word."""
    words = line.split()
    spoken = np.array([len(voice.say(word, NATURAL_WPM)) / SAMPLE_RATE_HZ for word in words])
    total = 16 * bars - 2 * bars
    step = style.step if bars == 1 else 2 * style.step
    lengths = shares(spoken, total, step)
    sung = []
    at = 0
    for word, word_s, length, pitches in zip(words, spoken, lengths, notes, strict=True):
        start_s = grid.time_s(first_bar, at) - style.push_s
        end_s = grid.time_s(first_bar, at + int(length)) - style.push_s
        # A word is not drawn out beyond about twice its spoken length: the rest is a rest.
        length_s = min((end_s - start_s) * style.legato, 2.2 * word_s + 0.15)
        used = pitches if length_s > 0.45 else pitches[:1]
        sound = sing_word(voice, word, word_s, length_s, used, style)
        lay(track, sound, start_s)
        part_s = len(sound) / SAMPLE_RATE_HZ / len(used)
        sung += [
            Sung(start_s + i * part_s, start_s + (i + 1) * part_s, midi, word if i == 0 else "~")
            for i, midi in enumerate(used)
        ]
        at += int(length)
    return sung


def rap_line(
    track: Samples, voice: Voice, grid: Grid, line: str, first_bar: int, bars: int, lift: float
) -> list[Sung]:
    """Speak a line in groups of two or three words that start on the beat grid.

    `lift` (espeak-ng pitch units) raises the whole line.
    """
    words = line.split()
    size = 2 if len(words) % 3 else 3
    groups = [" ".join(words[i : i + size]) for i in range(0, len(words), size)]
    spoken = np.array(
        [len(voice.say(group, NATURAL_WPM, 50 + lift, 45)) / SAMPLE_RATE_HZ for group in groups]
    )
    lengths = shares(spoken, 15 * bars if bars == 1 else 28, 1 if bars == 1 else 2)
    sung = []
    at = 0
    for i, (group, group_s, length) in enumerate(zip(groups, spoken, lengths, strict=True)):
        start_s = grid.time_s(first_bar, at)
        slot_s = 0.97 * (grid.time_s(first_bar, at + int(length)) - start_s)
        rate = NATURAL_WPM * group_s / slot_s
        sound = voice.say(group, max(rate, 150.0), 50 + lift - 2 * i, 45)
        if len(sound) > seconds(1.05 * slot_s):
            sound = voice.say(group, rate * len(sound) / seconds(slot_s), 50 + lift - 2 * i, 45)
        lay(track, faded(sound, 0.003, 0.02), start_s)
        sung.append(Sung(start_s, start_s + len(sound) / SAMPLE_RATE_HZ, None, group))
        at += int(length)
    return sung
