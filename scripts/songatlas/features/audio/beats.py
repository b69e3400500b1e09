"""Tempo and beats of a song, and how sure they are: no beat is told where none repeats.

Tempo is read from the autocorrelation of the onset curve in windows, beats are librosa's (Ellis
2007). The confidence is this module's own. Nothing is said of bars: a beat in 7/8 is a beat.
"""

from dataclasses import dataclass

import numpy as np

from songatlas.features.audio.descriptors import TEMPI_BPM, TEMPO_CENTRE_BPM

WINDOW_S = 10.0
STEP_S = 2.0
LONGEST_LAG_S = 8.0
MULTIPLES = (1, 2, 3, 4)
SMOOTHED = 5
"""Windows that a tempo is agreed on by: the beat does not change its mind for two seconds."""

STEADY = 0.25
"""Confidence from which on there is a beat. Clicks whose intervals vary by 15% reach 0.22, noise
0.09; regular clicks have 0.71 to 0.98, by how well their period fits the frames."""


@dataclass(frozen=True)
class Rhythm:
    """Beats of a song.

    `times_s` (windows,): middles of the windows. `tempo_bpm`, `confidence` (windows,): the tempo in
    each, and how well the onsets repeat at its beat: the mean of their autocorrelation at one to
    four beats, 0 to 1. `beats_s` (beats,): only where the confidence is at least `STEADY`.
    `song_tempo_bpm`: None where no window has a steady beat.
    """

    times_s: np.ndarray
    tempo_bpm: np.ndarray
    confidence: np.ndarray
    beats_s: np.ndarray
    song_tempo_bpm: float | None

    @property
    def strength(self) -> float:
        """The median confidence of the song, 0 where it is too short to tell."""
        return float(np.median(self.confidence)) if len(self.confidence) else 0.0


NO_RHYTHM = Rhythm(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), None)


def rhythm(onset: np.ndarray, rate_hz: float) -> Rhythm:
    """Tempo and beats of an onset curve of shape (frames,), at `rate_hz` frames a second.

    A song shorter than a window has no rhythm.
    """
    import librosa

    length, step = round(WINDOW_S * rate_hz), round(STEP_S * rate_hz)
    if len(onset) < length:
        return NO_RHYTHM
    repeats = _repeats(onset, length, step, rate_hz)
    likely = repeats * np.exp(-0.5 * np.log2(TEMPI_BPM / TEMPO_CENTRE_BPM) ** 2)
    chosen = _smooth(likely).argmax(axis=1)
    confidence = np.clip(_smooth(repeats)[np.arange(len(chosen)), chosen], 0.0, 1.0)
    times_s = (np.arange(len(chosen)) * step + length / 2) / rate_hz
    steady = confidence >= STEADY
    if not steady.any():
        return Rhythm(times_s, TEMPI_BPM[chosen], confidence, np.zeros(0), None)
    frames_s = np.arange(len(onset)) / rate_hz
    nearest = np.clip(np.round((frames_s - times_s[0]) / STEP_S).astype(int), 0, len(chosen) - 1)
    _, beats = librosa.beat.beat_track(
        onset_envelope=onset,
        sr=rate_hz,
        hop_length=1,
        bpm=TEMPI_BPM[chosen][nearest],
        trim=False,
    )
    played = np.flatnonzero(onset > onset.mean())
    beats = beats[(beats >= played[0]) & (beats <= played[-1])]
    beats = beats[steady[nearest[beats]]]
    tempo = TEMPI_BPM[likely[steady].sum(axis=0).argmax()]
    return Rhythm(times_s, TEMPI_BPM[chosen], confidence, beats / rate_hz, float(tempo))


def _repeats(onset: np.ndarray, length: int, step: int, rate_hz: float) -> np.ndarray:
    """How well the onsets of each window repeat at each of `TEMPI_BPM`, shape (windows, tempi).

    The mean of the autocorrelation at one to four beats, as far as the window reaches. It is 0
    where it is not positive at one beat: there, a beat would fall where nothing sounds.
    """
    windows = np.lib.stride_tricks.sliding_window_view(onset.astype(np.float64), length)[::step]
    windows = windows - windows.mean(axis=1, keepdims=True)
    lags = round(LONGEST_LAG_S * rate_hz)
    spectra = np.fft.rfft(windows, 2 * length, axis=1)
    correlation = np.fft.irfft(np.square(np.abs(spectra)), axis=1)[:, : lags + 1]
    energy = correlation[:, :1].copy()
    heard = energy > 1e-6 * length
    correlation = np.where(heard, correlation / np.where(heard, energy, 1.0), 0.0)
    correlation *= length / (length - np.arange(lags + 1))
    periods = 60.0 * rate_hz / TEMPI_BPM
    total, counted = np.zeros((len(windows), len(periods))), np.zeros(len(periods))
    for multiple in MULTIPLES:
        inside = multiple * periods <= lags
        at = np.where(inside, multiple * periods, 0.0)
        low = np.minimum(at.astype(int), lags - 1)
        share = at - low
        value = (1 - share) * correlation[:, low] + share * correlation[:, low + 1]
        if multiple == 1:
            repeated = value > 0
        total += np.where(inside, value, 0.0)
        counted += inside
    return np.where(repeated, np.maximum(total / counted, 0.0), 0.0)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Means over `SMOOTHED` neighbouring windows, same shape (windows, tempi)."""
    half = SMOOTHED // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    sums = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), padded]), axis=0)
    return (sums[SMOOTHED:] - sums[:-SMOOTHED]) / SMOOTHED
