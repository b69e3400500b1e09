"""What a song does from moment to moment: onsets, loudness, brightness, bass and pitch classes.

The song comes in blocks of any size and is heard once: what is kept of an hour are its curves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

SAMPLE_RATE_HZ = 32_000
HOP = 800
FRAME_RATE_HZ = SAMPLE_RATE_HZ / HOP
"""40 frames a second, two for every value that is stored."""

FRAME = 2048
MEL_BANDS = 128
BASS_HZ = 150.0
FLOOR_DB = -80.0
"""Of a full-scale sine. What is quieter is nothing: noise that fades out has no onsets."""

FRAMES_AT_ONCE = 1024

PITCH_FRAME = 16_384
"""Half a second: two bins to a semitone from 65 Hz on."""
PITCH_HOP = 8192
PITCH_LOWEST_HZ, PITCH_HIGHEST_HZ = 65.0, 2000.0
PITCH_STEPS = 36
"""Parts of an octave: three a semitone, so that songs off concert pitch can be tuned."""

LOUDNESS_WINDOW_S = 0.4
"""Of momentary loudness (EBU Tech 3341)."""
QUIETEST_LUFS = -70.0
"""The absolute gate of ITU-R BS.1770; stands for whatever is quieter."""


@dataclass(frozen=True)
class SoundCurves:
    """A song at `FRAME_RATE_HZ`; the middle of frame i is at i / FRAME_RATE_HZ seconds.

    `onset` (frames,): mean rise over mel bands since the frame before, in dB. `loudness_lufs`
    (frames,): momentary. `brightness_hz` (frames,): spectral centroid, NaN in silence. `bass_db`
    (frames,): power below `BASS_HZ`, in dB of a full-scale sine. `pitch` (PITCH_STEPS,): power of
    each part of the octave, from A on, every moment of the song counting alike.
    """

    onset: np.ndarray
    loudness_lufs: np.ndarray
    brightness_hz: np.ndarray
    bass_db: np.ndarray
    pitch: np.ndarray
    duration_s: float


def sound_curves(blocks: Iterable[np.ndarray]) -> SoundCurves:
    """Curves of a song.

    Args:
        blocks: float32 mono samples of shape (samples,) each, at `SAMPLE_RATE_HZ`.
    """
    frames, pitches = _Framed(FRAME, HOP), _Framed(PITCH_FRAME, PITCH_HOP)
    loudness, last = _Loudness(), None
    parts: list[np.ndarray] = []
    pitch = np.zeros(PITCH_STEPS)
    samples = 0

    def hear(some: np.ndarray) -> None:
        nonlocal last
        measured, last = _measured(some, last)
        parts.append(measured)

    for block in blocks:
        samples += len(block)
        loudness.hear(block)
        for some in frames.take(block):
            hear(some)
        for some in pitches.take(block):
            pitch += _pitch(some)
    for some in frames.rest():
        hear(some)
    for some in pitches.rest():
        pitch += _pitch(some)
    onset, brightness, bass = np.concatenate([np.zeros((3, 0), np.float32), *parts], axis=1)
    return SoundCurves(
        onset, loudness.at_frames(len(onset)), brightness, bass, pitch, samples / SAMPLE_RATE_HZ
    )


class _Framed:
    """Frames around every `hop`th sample, from blocks; before and behind the song are zeros."""

    def __init__(self, length: int, hop: int) -> None:
        self._length, self._hop = length, hop
        self._samples = np.zeros(length // 2, np.float32)

    def take(self, block: np.ndarray) -> Iterator[np.ndarray]:
        """Those that are whole with this block, shape (frames, length)."""
        self._samples = np.concatenate([self._samples, block])
        while len(self._samples) >= self._length:
            every = np.lib.stride_tricks.sliding_window_view(self._samples, self._length)
            some = every[:: self._hop][:FRAMES_AT_ONCE]
            yield some
            self._samples = self._samples[len(some) * self._hop :]

    def rest(self) -> Iterator[np.ndarray]:
        """Those that reach beyond the song's end."""
        yield from self.take(np.zeros(self._length // 2, np.float32))


def _power(frames: np.ndarray) -> np.ndarray:
    """Power spectra (frames, bins); a full-scale sine has 1 at its peak."""
    from scipy.fft import rfft

    window = _window(frames.shape[1])
    return np.asarray(np.square(np.abs(rfft(frames * window, axis=1))))


@cache
def _window(length: int) -> np.ndarray:
    from scipy.signal.windows import hann

    window = hann(length, sym=False)
    return np.asarray(window * (2.0 / window.sum()), np.float32)


@cache
def _bands() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mel filters (bins, bands) with a peak of 1; frequencies (bins,) in Hz; which are bass."""
    from librosa.filters import mel

    filters = mel(sr=SAMPLE_RATE_HZ, n_fft=FRAME, n_mels=MEL_BANDS, norm=None)
    hz = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE_HZ)
    return np.ascontiguousarray(filters.T, np.float32), hz.astype(np.float32), hz < BASS_HZ


def _decibels(power: np.ndarray) -> np.ndarray:
    return np.asarray(10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10))))


def _measured(frames: np.ndarray, last: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Onset, brightness and bass, shape (3, frames); the last frame's mel bands in dB."""
    filters, hz, low = _bands()
    power = _power(frames)
    mel_db = _decibels(power @ filters)
    before = np.concatenate([mel_db[:1] if last is None else last[None], mel_db[:-1]])
    onset = np.maximum(mel_db - before, 0.0).mean(axis=1)
    magnitude = np.sqrt(power)
    total = magnitude.sum(axis=1)
    heard = power.max(axis=1) > 10.0 ** (FLOOR_DB / 10)
    brightness = np.where(heard, magnitude @ hz / np.where(heard, total, 1.0), np.nan)
    bass = _decibels(power[:, low].sum(axis=1))
    return np.stack([onset, brightness, bass]).astype(np.float32), mel_db[-1]


def _pitch(frames: np.ndarray) -> np.ndarray:
    """Sum over frames of each part of the octave, (PITCH_STEPS,); frames count alike.

    Square roots of power, so that one loud note does not outweigh a chord.
    """
    bins, steps = bins_of_pitch()
    magnitude = np.sqrt(_power(frames))[:, bins] @ steps
    total = magnitude.sum(axis=1, keepdims=True)
    heard = total[:, 0] > 10.0 ** (FLOOR_DB / 20)
    return np.asarray((magnitude[heard] / total[heard]).sum(axis=0))


@cache
def bins_of_pitch() -> tuple[np.ndarray, np.ndarray]:
    """Which bins have a pitch; to which part of the octave each belongs, (bins, PITCH_STEPS)."""
    hz = np.fft.rfftfreq(PITCH_FRAME, 1 / SAMPLE_RATE_HZ)
    bins = np.flatnonzero((hz >= PITCH_LOWEST_HZ) & (hz <= PITCH_HIGHEST_HZ))
    steps = np.round(PITCH_STEPS * np.log2(hz[bins] / 440.0)).astype(int) % PITCH_STEPS
    return bins, np.eye(PITCH_STEPS, dtype=np.float32)[steps]


class _Loudness:
    """Momentary loudness by FFmpeg's `ebur128`, as of a mono file on two loudspeakers."""

    def __init__(self) -> None:
        import av
        from av.filter import Graph

        self._av = av
        self._graph = Graph()
        self._source = self._graph.add_abuffer(
            sample_rate=SAMPLE_RATE_HZ,
            format="flt",
            layout="mono",
            time_base=Fraction(1, SAMPLE_RATE_HZ),
        )
        meter = self._graph.add("ebur128", "metadata=1:dualmono=true")
        self._sink = self._graph.add("abuffersink")
        self._source.link_to(meter)
        meter.link_to(self._sink)
        self._graph.configure()
        self._samples = 0
        self._ends_s: list[float] = []
        self._lufs: list[float] = []

    def hear(self, block: np.ndarray) -> None:
        """Take in samples of shape (samples,)."""
        if not len(block):
            return
        frame = self._av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block, np.float32)[None], format="flt", layout="mono"
        )
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, self._samples
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        self._samples += len(block)
        self._source.push(frame)
        while (measured := self._pull()) is not None:
            self._ends_s.append((measured.pts + measured.samples) / SAMPLE_RATE_HZ)
            self._lufs.append(float(measured.metadata["lavfi.r128.M"]))

    def _pull(self) -> Any:
        try:
            return self._sink.pull()
        except (self._av.BlockingIOError, self._av.EOFError):
            return None

    def at_frames(self, frames: int) -> np.ndarray:
        """LUFS at the middle of every frame, float32 of shape (frames,)."""
        if not self._lufs:
            return np.full(frames, QUIETEST_LUFS, np.float32)
        middles = np.array(self._ends_s) - LOUDNESS_WINDOW_S / 2
        at = np.arange(frames) / FRAME_RATE_HZ
        lufs = np.maximum(np.array(self._lufs), QUIETEST_LUFS)
        return np.interp(at, middles, lufs).astype(np.float32)
