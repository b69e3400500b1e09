"""Reading audio files: what they hold, and their samples as mono at the analysis rate.

Files are opened by content, whatever their extension, and decoded by FFmpeg (through PyAV). The
header proposes a length, the packets decide, and decoding corrects: what is broken becomes silence
of its length, so that every second behind it stays in its place. Everything streams in blocks, so a
song of three hours needs no more memory than one of three minutes.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from songatlas.corpus.sound.errors import AudioError as AudioError
from songatlas.corpus.sound.packets import (
    BELIEVED_TIMES,
    HEADER_BYTES,
    Packets,
    decoded,
    open_container,
    packets_of,
    read_packets,
)
from songatlas.corpus.sound.sound_bytes import SoundBytes, sound_bytes

BLOCK_FRAMES = 1 << 18
"""Frames decoded at a time (6 s at 44.1 kHz): large enough that the loop costs nothing."""

SILENCE_PEAK = 1e-5
"""A whole song below this (-100 dBFS, less than one step of 16-bit audio) is silent."""

LOUDEST_PEAK = 1e9
"""Samples beyond this are damage, and their power would overflow float32 in the spectrogram."""

CLIP_LEVEL = 127 / 128
"""Full scale of 8-bit audio, the coarsest there is: a sample at or beyond it may be cut off."""

CLIP_RUN = 3
"""So many successive samples of a channel at full scale are a wave that was cut off."""

CLIPPED_SHARE = 0.005
"""Share of cut-off samples from which on a song is called clipped: ten times a loud master's."""

MISSING_END_S = 1.0
"""A file that ends less than this before its header says ends there."""

LEAST_SHARE = 0.5
"""Of its length must play of a song that is used."""

HOLE_S = 0.05
"""Decoded samples that come so much later than they should follow a hole."""

TICK = Fraction(1, 48000)
"""Given to all frames, which are joined only where their units of time are the same."""

MOST_PLACES = 3
"""So many holes are told of by their place."""

INVERTED_SHARE = 1e-3
"""Of the left channel's power is left in the mean of two channels that are each other's inverse."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file holds: duration in seconds, native sample rate in Hz, number of channels."""

    duration_s: float
    sample_rate_hz: int
    channels: int
    digest: str = field(compare=False)
    """Of its coded sound alone: SHA-256 in hexadecimal digits (`packets.Packets`)."""
    stated_s: float | None = field(default=None, compare=False)
    """The length that its header states; None where none can be believed."""
    damage: str | None = field(default=None, compare=False)
    """What is missing at its end, in words; None where nothing is. What is broken inside shows when
    it is decoded."""
    left_out: str | None = field(default=None, compare=False)
    """Of a second file behind the first, in words; None where there is none."""


@dataclass(frozen=True)
class _Song:
    """An open file and what its packets say."""

    path: Path
    file: BinaryIO
    sound: SoundBytes
    packets: Packets


def probe(path: str | Path) -> AudioInfo:
    """Identity, duration, sample rate and channels from the packets, which are not decoded.

    Raises:
        AudioError: `missing_file`, `unreadable`, `empty_file`, `not_audio`, `unsupported_codec`,
            `zero_length`, `changed_while_reading`, or `truncated` where less than half plays.
    """
    path = Path(path)
    with _steady(path), _open(path) as song:
        packets = song.packets
        stated = packets.stated_s or 0.0
        believed = stated if 0 < stated < BELIEVED_TIMES * packets.duration_s else None
        broken_s = sum(end - start for start, end in packets.timeline.silent)
        _check_share(path, packets.duration_s - broken_s, max(believed or 0.0, packets.duration_s))
        missing = stated - packets.duration_s > MISSING_END_S
        second = f"a second file of {packets.left_out_bytes:,} bytes behind the sound is not played"
        return AudioInfo(
            packets.duration_s,
            packets.sample_rate_hz,
            packets.channels,
            packets.digest,
            believed,
            _too_short(packets.duration_s, stated) if missing else None,
            f"{second}; save it as a file of its own" if packets.left_out_bytes else None,
        )


def _too_short(present_s: float, stated_s: float) -> str:
    return f"ends at {present_s:.1f} s of the {stated_s:.1f} s that its header states"


def _check_share(path: Path, plays_s: float, whole_s: float) -> None:
    if plays_s < LEAST_SHARE * whole_s:
        detail = f"{plays_s:.1f} s of {whole_s:.1f} s play; {LEAST_SHARE:.0%} must"
        raise AudioError(path, "truncated", detail)


def decode(path: str | Path, sample_rate_hz: int) -> np.ndarray:
    """The whole song as float32 mono of shape (samples,) at `sample_rate_hz`.

    Channels are averaged, then resampled with soxr (HQ). The resampler is fed block by block: its
    output equals that of one call on the whole signal, and neither the native-rate samples nor the
    channels are ever in memory at once.

    Raises:
        AudioError: as `probe`, and `not_finite`, `silent`, `truncated` or `unreadable` for what
            shows only in the samples.
    """
    path = Path(path)
    with _steady(path):
        blocks = list(_resampled(path, sample_rate_hz, _Oddities()))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def decode_blocks(
    path: str | Path, sample_rate_hz: int, warn: Callable[[str, str], None] | None = None
) -> Iterator[np.ndarray]:
    """The whole song in blocks, each float32 mono of shape (samples,) at `sample_rate_hz`.

    `warn` is told as by `decode_windows`.

    Raises:
        AudioError: as `decode`.
    """
    path = Path(path)
    oddities = _Oddities()
    with _steady(path):
        yield from _resampled(path, sample_rate_hz, oddities)
    oddities.tell(warn)


def decode_windows(
    path: str | Path,
    sample_rate_hz: int,
    starts_s: Sequence[float],
    length_s: float,
    warn: Callable[[str, str], None] | None = None,
) -> Iterator[np.ndarray]:
    """Yield the windows that begin at `starts_s` (ascending), float32 of shape (samples,).

    Holds no more than one window and one block in memory, and stops decoding after the last window.
    A window that reaches beyond the song's end is filled up with zeros. `warn` is told, by a reason
    of `tables.WARNING_REASONS` and a detail, what is odd about samples that can be used.

    Raises:
        AudioError: as `decode`; `truncated` when a window lies wholly behind the end.
        ValueError: when `starts_s` are not ascending or `length_s` is not positive.
    """
    path = Path(path)
    starts = [round(start * sample_rate_hz) for start in starts_s]
    length = round(length_s * sample_rate_hz)
    if length <= 0 or starts != sorted(starts) or (starts and starts[0] < 0):
        raise ValueError("decode_windows needs a positive length and ascending starts from 0 on")
    oddities = _Oddities()
    with _steady(path):
        blocks = _resampled(path, sample_rate_hz, oddities)
        yield from _cut(path, blocks, starts, length, sample_rate_hz)
    oddities.tell(warn)


def _cut(
    path: Path,
    blocks: Iterator[np.ndarray],
    starts: Sequence[int],
    length: int,
    sample_rate_hz: int,
) -> Iterator[np.ndarray]:
    """Windows of `length` samples at `starts` (ascending, in samples)."""
    buffer, first = np.zeros(0, np.float32), 0  # the samples [first, first + len(buffer))
    loudest = 0.0
    for start in starts:
        while True:
            passed = min(start - first, len(buffer))
            buffer, first = buffer[passed:], first + passed
            if first == start and len(buffer) >= length:
                break
            block = next(blocks, None)
            if block is None:
                break
            buffer = np.concatenate([buffer, block])
        window = np.zeros(length, np.float32)
        if first == start:
            window[: len(buffer)] = buffer[:length]
        if first < start or not len(buffer):
            raise AudioError(
                path,
                "truncated",
                f"ends at {(first + len(buffer)) / sample_rate_hz:.1f} s, before the window at "
                f"{start / sample_rate_hz:.1f} s",
            )
        loudest = max(loudest, _peak(window))
        yield window
    if starts and loudest < SILENCE_PEAK:
        raise AudioError(path, "silent", "no sound in any window")


@contextmanager
def _steady(path: Path) -> Iterator[None]:
    """Raise `changed_while_reading` where the file changes within the block.

    That is the reason whatever else goes wrong in it, since all of it may follow from the change.
    Whatever an input raises otherwise becomes `unreadable`: no file ends a run.
    """
    before = _state(path)

    def changed() -> AudioError:
        detail = "size or time changed; run again when it is complete"
        return AudioError(path, "changed_while_reading", detail)

    try:
        yield
    except AudioError:
        if _state(path) != before:
            raise changed() from None
        raise
    except Exception as error:
        if _state(path) != before:
            raise changed() from None
        detail = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise AudioError(path, "unreadable", detail) from error
    if _state(path) != before:
        raise changed()


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of a file; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: the path holds a NUL
        return None
    return found.st_size, found.st_mtime_ns


@dataclass
class _Oddities:
    """What is odd about samples that can be used.

    Counts samples (of any channel) that are cut off at full scale, and frames of two channels that
    are each other's inverse.
    """

    samples: int = 0
    cut_off: int = 0
    frames: int = 0
    inverted: int = 0
    silent: list[tuple[float, float]] = field(default_factory=list)
    """Seconds (start, end) that are broken."""

    def hear(self, block: np.ndarray) -> None:
        """Take in samples of shape (frames, channels)."""
        self.samples += block.size
        self.frames += len(block)
        if block.shape[1] == 2 and _inverted(block, block[:, 0] + block[:, 1]):
            self.inverted += len(block)
        if max(block.max(initial=0.0), -block.min(initial=0.0)) < CLIP_LEVEL:
            return
        loud = np.abs(block) >= CLIP_LEVEL
        runs = np.logical_and.reduce(
            [loud[i : len(loud) - CLIP_RUN + 1 + i] for i in range(CLIP_RUN)]
        )
        self.cut_off += int(runs.sum())

    def tell(self, warn: Callable[[str, str], None] | None) -> None:
        """Warn of what is heard."""
        if warn is None:
            return
        if self.samples and self.cut_off / self.samples >= CLIPPED_SHARE:
            share = self.cut_off / self.samples
            warn("clipped", f"{share:.1%} of the samples are cut off at full scale")
        if self.inverted:
            share = self.inverted / self.frames
            detail = f"one channel is the other's inverse in {share:.0%} of the song; one is used"
            warn("inverted", detail)
        if self.silent:
            places = ", ".join(
                f"{start:.1f}-{end:.1f} s" for start, end in self.silent[:MOST_PLACES]
            )
            more = ", ..." if len(self.silent) > MOST_PLACES else ""
            warn("damaged", f"{self.silent_s:.1f} s are broken and silent ({places}{more})")

    @property
    def silent_s(self) -> float:
        return sum(end - start for start, end in self.silent)


def _resampled(path: Path, sample_rate_hz: int, oddities: _Oddities) -> Iterator[np.ndarray]:
    """Mono float32 blocks at `sample_rate_hz`; raises `silent` at the end where that is so.

    `oddities` hears the samples as they are stored.
    """
    import soxr

    with _open(path) as song:
        native = song.packets.sample_rate_hz
        stream = None
        if native != sample_rate_hz:
            stream = soxr.ResampleStream(native, sample_rate_hz, 1, dtype="float32", quality="HQ")
        frames, loudest = 0, 0.0
        for block in _blocks(song, oddities):
            mono = _mix(block)
            peak = _peak(mono)
            if not peak <= LOUDEST_PEAK:
                seconds = frames / native
                raise AudioError(
                    path, "not_finite", f"NaN, infinite or absurd samples after {seconds:.1f} s"
                )
            oddities.hear(block)
            frames, loudest = frames + len(mono), max(loudest, peak)
            yield mono if stream is None else stream.resample_chunk(mono)
        if loudest < SILENCE_PEAK:
            raise AudioError(path, "silent", "no sound (after averaging the channels)")
        if stream is not None:
            yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _mix(block: np.ndarray) -> np.ndarray:
    """Average channels: adding columns is several times faster than `mean(axis=1)`.

    Of two that are each other's inverse, whose mean would be rounding noise, take the first.
    """
    mono = block[:, 0]
    for channel in range(1, block.shape[1]):
        mono = mono + block[:, channel]
    if _inverted(block, mono):
        return np.ascontiguousarray(block[:, 0])
    return np.ascontiguousarray(mono * np.float32(1 / block.shape[1]))


def _inverted(block: np.ndarray, added: np.ndarray) -> bool:
    """Whether the two channels of (frames, 2) cancel each other in their sum."""
    if block.shape[1] != 2:
        return False
    left = block[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):  # infinite samples are told of
        return bool(np.dot(added, added) < 4 * INVERTED_SHARE * np.dot(left, left))


def _peak(samples: np.ndarray) -> float:
    """Largest magnitude; NaN when a sample is NaN."""
    return float(max(samples.max(), -samples.min())) if len(samples) else 0.0


@contextmanager
def _open(path: Path) -> Iterator[_Song]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise AudioError(path, "missing_file", "no such file") from None
    with file:
        if not file.read(1):
            raise AudioError(path, "empty_file", "0 bytes")
        sound = sound_bytes(file)
        if not sound.size:
            if sound.kind is None or file.seek(0, os.SEEK_END) <= HEADER_BYTES:
                raise AudioError(path, "zero_length", "tags or a header without samples")
            raise AudioError(path, "unreadable", "damaged audio: no frame of it is whole")
        yield _Song(path, file, sound, read_packets(file, sound, path))


def _blocks(song: _Song, oddities: _Oddities) -> Iterator[np.ndarray]:
    """Float32 blocks of shape (frames, channels) at the native rate; what is broken is silent.

    The number of channels may change from block to block.

    Raises:
        AudioError: `truncated` where less than half of the song plays.
    """
    rate, end_s = song.packets.sample_rate_hz, song.packets.duration_s
    joined = _Joined()
    done = 0
    for place_s, frame in chain(_frames(song), [(end_s, None)]):
        hole = 0 if place_s is None else round(min(place_s, end_s) * rate) - done
        if frame is None or hole > HOLE_S * rate or not joined.fits(frame):
            yield from joined.rest()
        if hole > HOLE_S * rate:
            inside = done > 0 and frame is not None
            if inside or hole > MISSING_END_S * rate:  # codecs begin and end with a part of a frame
                oddities.silent.append((done / rate, (done + hole) / rate))
            yield from _silence(hole)
            done += hole
        if frame is not None:
            done += frame.samples
            yield from joined.add(frame)
    _check_share(song.path, done / rate - oddities.silent_s, done / rate)


def _silence(frames: int) -> Iterator[np.ndarray]:
    for first in range(0, frames, BLOCK_FRAMES):
        yield np.zeros((min(BLOCK_FRAMES, frames - first), 1), np.float32)


class _Joined:
    """Decoded frames of one kind, joined to blocks."""

    def __init__(self) -> None:
        self._fifo: Any = None
        self._kind: tuple[str, str] | None = None

    def fits(self, frame: Any) -> bool:
        """Whether a frame has the sample format and the channels of those before it."""
        return self._kind in (None, self._kind_of(frame))

    def _kind_of(self, frame: Any) -> tuple[str, str]:
        return frame.format.name, frame.layout.name

    def add(self, frame: Any) -> Iterator[np.ndarray]:
        """Take in a frame that fits; yields a block whenever one is full."""
        import av

        if self._fifo is None:
            self._fifo = av.AudioFifo()
            self._kind = self._kind_of(frame)
        frame.pts, frame.time_base = None, TICK  # when they sound is not the queue's to check
        self._fifo.write(frame)
        while self._fifo.samples >= BLOCK_FRAMES:
            yield _floats(self._fifo.read(BLOCK_FRAMES))

    def rest(self) -> Iterator[np.ndarray]:
        """The last block, after which frames of any kind fit."""
        if self._fifo is not None and self._fifo.samples:
            yield _floats(self._fifo.read())
        self._fifo = self._kind = None


def _frames(song: _Song) -> Iterator[tuple[float | None, Any]]:
    """Decoded frames at the native rate and when they sound, in seconds; None: at once."""
    import av

    rate = song.packets.sample_rate_hz
    with open_container(song.file, song.sound, song.path) as container:
        resamplers: dict[tuple[str, int, int], av.AudioResampler] = {}
        for shift_s, frame in _decoded(container, song.packets.timeline.shifts_s):
            place_s = None if frame.time is None else frame.time + shift_s
            if frame.sample_rate == rate:
                yield place_s, frame
                continue
            kind = frame.layout.name, frame.layout.nb_channels, frame.sample_rate
            if kind not in resamplers:
                resamplers[kind] = av.AudioResampler("fltp", frame.layout, rate)
            for piece in resamplers[kind].resample(frame):
                yield place_s, piece
                place_s = None


def _decoded(container: Any, shifts_s: np.ndarray) -> Iterator[tuple[float, Any]]:
    """Frames and the shift of their packet; a packet that is broken gives none."""
    for shift_s, packet in zip(shifts_s.tolist(), packets_of(container), strict=False):
        for frame in decoded(packet.decode):
            yield shift_s, frame
    for frame in decoded(container.streams.audio[0].codec_context.decode):
        yield float(shifts_s[-1]), frame


def _floats(frame: Any) -> np.ndarray:
    """Samples of a frame as float32 of shape (frames, channels), full scale 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif np.issubdtype(samples.dtype, np.integer):
        samples = samples * np.float32(2.0 ** (1 - 8 * samples.itemsize))
    with np.errstate(over="ignore"):  # infinite samples are told of
        return np.asarray(samples, np.float32).T
