"""Reading audio files: what they hold, and their samples as mono at the analysis rate.

Files are opened by content, whatever their extension: libsndfile (WAV, FLAC, Ogg, Opus, MP3) first,
FFmpeg through PyAV for what it cannot read (AAC, M4A, WMA, ...). Everything streams in blocks, so a
song of three hours needs no more memory than one of three minutes.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.errors import SongatlasError
from songatlas.tables import REJECT_REASONS

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
"""A file that ends this much before its header says is truncated."""

# Container formats that PyAV may open. Playlists (HLS, concat, DASH) are not among them: they name
# other files and addresses, which a song must not make us open.
FFMPEG_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ac3,eac3,asf,mp3,flac,wav,w64,ogg,aiff,caf,ape,"
    "wv,tta,tak,mpc,mpc8,dsf,au,amr,mpegts,avi,flv,loas"
)

ID3V1_BYTES = 128
"""Of a tag behind the music, which begins with TAG."""

AUDIO_SIGNATURES = {
    0: (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b"caff", b".snd", b"MAC ", b"wvpk"),
    4: (b"ftyp", b"moov", b"mdat"),
}
"""First bytes of audio containers, by offset: tells damaged audio from what never was audio."""


class AudioError(SongatlasError):
    """A song that cannot be used: `reason` is one of `tables.REJECT_REASONS`."""

    def __init__(self, path: str | Path, reason: str, detail: str) -> None:
        if reason not in REJECT_REASONS:
            raise ValueError(f"unknown reason `{reason}`")
        super().__init__(f"{path}: {reason}: {detail}")
        self.path, self.reason, self.detail = str(path), reason, detail

    def __reduce__(self) -> tuple[type["AudioError"], tuple[str, str, str]]:
        return type(self), (self.path, self.reason, self.detail)


@dataclass(frozen=True)
class AudioInfo:
    """What a file holds: duration in seconds, native sample rate in Hz, number of channels."""

    duration_s: float
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True)
class _Source:
    """An open file: `blocks` yields float32 arrays of shape (frames, channels)."""

    info: AudioInfo
    blocks: Iterator[np.ndarray]


def probe(path: str | Path) -> AudioInfo:
    """Duration, sample rate and channels from the headers, without decoding the song.

    An MP3's length is checked against a count of its packets, since an MP3 that is truncated or
    lacks a Xing/VBRI header states a wrong one.

    Raises:
        AudioError: `missing_file`, `unreadable`, `empty_file`, `not_audio`, `unsupported_codec`,
            `zero_length`, `truncated` or `changed_while_reading`.
    """
    path = Path(path)
    with _steady(path), _open(path) as source:
        if source.info.duration_s <= 0:
            raise AudioError(path, "zero_length", "the file holds no samples")
        return source.info


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
        blocks = list(_resampled(path, sample_rate_hz))
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
    clipping = _Clipping()
    with _steady(path):
        yield from _resampled(path, sample_rate_hz, clipping)
    clipping.tell(warn)


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
    clipping = _Clipping()
    with _steady(path):
        blocks = _resampled(path, sample_rate_hz, clipping)
        yield from _cut(path, blocks, starts, length, sample_rate_hz)
    clipping.tell(warn)


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
    Errors of the system become `unreadable`.
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
    except OSError as error:
        if _state(path) != before:
            raise changed() from None
        raise AudioError(path, "unreadable", error.strerror or str(error)) from None
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
class _Clipping:
    """Counts samples (of any channel) that are cut off at full scale."""

    samples: int = 0
    cut_off: int = 0

    def hear(self, block: np.ndarray) -> None:
        """Take in samples of shape (frames, channels)."""
        self.samples += block.size
        if max(block.max(initial=0.0), -block.min(initial=0.0)) < CLIP_LEVEL:
            return
        loud = np.abs(block) >= CLIP_LEVEL
        runs = np.logical_and.reduce(
            [loud[i : len(loud) - CLIP_RUN + 1 + i] for i in range(CLIP_RUN)]
        )
        self.cut_off += int(runs.sum())

    def tell(self, warn: Callable[[str, str], None] | None) -> None:
        """Warn where so much is cut off that it is heard."""
        if warn is not None and self.share >= CLIPPED_SHARE:
            warn("clipped", f"{self.share:.1%} of the samples are cut off at full scale")

    @property
    def share(self) -> float:
        return self.cut_off / self.samples if self.samples else 0.0


def _resampled(
    path: Path, sample_rate_hz: int, clipping: _Clipping | None = None
) -> Iterator[np.ndarray]:
    """Mono float32 blocks at `sample_rate_hz`; raises `silent` at the end where that is so.

    `clipping` hears the samples as they are stored.
    """
    import soxr

    with _open(path) as source:
        native = source.info.sample_rate_hz
        stream = None
        if native != sample_rate_hz:
            stream = soxr.ResampleStream(native, sample_rate_hz, 1, dtype="float32", quality="HQ")
        frames, loudest = 0, 0.0
        for block in source.blocks:
            mono = _mix(block)
            peak = _peak(mono)
            if not peak <= LOUDEST_PEAK:
                seconds = frames / native
                raise AudioError(
                    path, "not_finite", f"NaN, infinite or absurd samples after {seconds:.1f} s"
                )
            if clipping is not None:
                clipping.hear(block)
            frames, loudest = frames + len(mono), max(loudest, peak)
            yield mono if stream is None else stream.resample_chunk(mono)
        if not frames:
            raise AudioError(path, "zero_length", "the file holds no samples")
        missing = source.info.duration_s - frames / native
        if missing > MISSING_END_S:
            raise _too_short(path, frames / native, source.info.duration_s)
        if loudest < SILENCE_PEAK:
            raise AudioError(path, "silent", "no sound (after averaging the channels)")
        if stream is not None:
            yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _mix(block: np.ndarray) -> np.ndarray:
    """Average channels: adding columns is several times faster than `mean(axis=1)`."""
    mono = block[:, 0]
    for channel in range(1, block.shape[1]):
        mono = mono + block[:, channel]
    return np.ascontiguousarray(mono * np.float32(1 / block.shape[1]))


def _peak(samples: np.ndarray) -> float:
    """Largest magnitude; NaN when a sample is NaN."""
    return float(max(samples.max(), -samples.min())) if len(samples) else 0.0


@contextmanager
def _open(path: Path) -> Iterator[_Source]:
    import soundfile

    if not _signature(path):
        raise AudioError(path, "empty_file", "0 bytes")
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: the extension is .raw
        file = None
    # Headerless data "opens" by extension alone (.au, .vox): whatever it is, it is no audio.
    if file is not None and file.format != "RAW":
        with file:
            seconds = file.frames / file.samplerate
            if file.format == "MP3":
                seconds = _mp3_seconds(path, seconds)
            if seconds is not None:
                info = AudioInfo(seconds, file.samplerate, file.channels)
                yield _Source(info, _soundfile_blocks(path, file))
                return
    if file is not None:
        file.close()
    with _open_ffmpeg(path) as source:
        yield source


def _signature(path: Path) -> bytes:
    """The first bytes of a file that exists and can be read."""
    try:
        with path.open("rb") as raw:
            return raw.read(16)
    except FileNotFoundError:
        raise AudioError(path, "missing_file", "no such file") from None
    except OSError as error:
        raise AudioError(path, "unreadable", error.strerror or str(error)) from None


def _starts_like_audio(path: Path) -> bool:
    signature = _signature(path)
    return any(
        signature.startswith(start, offset)
        for offset, starts in AUDIO_SIGNATURES.items()
        for start in starts
    )


def _mp3_seconds(path: Path, announced_s: float) -> float | None:
    """Length of an MP3, or None where libsndfile would stop before its end.

    Without a Xing/Info/VBRI header libsndfile estimates the length from the file size and the first
    bit rate, which is seconds off where tags follow the music and arbitrarily wrong for a variable
    bit rate; it reads no further than its estimate. Where no header vouches for the file as it is,
    its packets are counted (a tenth of the time of decoding them).

    Raises:
        AudioError: `truncated`, when the header announces more packets than there are.
    """
    vouched = _mp3_header_vouches(path)
    if vouched:
        return announced_s
    with _ffmpeg_container(path, "mp3") as container:
        present_s = _packets_s(container.streams.audio[0])
    if announced_s - present_s > MISSING_END_S and vouched is not None:
        raise _too_short(path, present_s, announced_s)
    # Packets include the encoder's padding (below 0.1 s), which libsndfile takes off.
    if present_s - announced_s > MISSING_END_S / 4:
        return None
    return min(announced_s, present_s)


def _mp3_header_vouches(path: Path) -> bool | None:
    """Whether a header (Xing, Info, VBRI) in the first frame, behind an ID3 tag, states the number
    of frames and as many bytes as the file holds; None without a header."""
    with path.open("rb") as raw:
        start = raw.read(10)
        size = 0
        if start[:3] == b"ID3" and len(start) == 10:
            size = 10 + sum(byte << 7 * place for place, byte in enumerate(reversed(start[6:])))
        raw.seek(size)
        first_frame = raw.read(4096)
        end = raw.seek(0, 2)
        raw.seek(max(end - ID3V1_BYTES, 0))
        tag = ID3V1_BYTES if raw.read(3) == b"TAG" else 0
    at = max(first_frame.find(name) for name in (b"Xing", b"Info"))
    if at < 0:
        return False if b"VBRI" in first_frame else None
    flags, _, n_bytes = struct.unpack_from(">3I", first_frame.ljust(at + 16, b"\0"), at + 4)
    return bool(flags & 3 == 3 and size + n_bytes + tag == end)


def _too_short(path: Path, present_s: float, announced_s: float) -> AudioError:
    return AudioError(path, "truncated", f"{present_s:.1f} s of the announced {announced_s:.1f} s")


def _soundfile_blocks(path: Path, file: Any) -> Iterator[np.ndarray]:
    import soundfile

    block = np.empty((BLOCK_FRAMES, file.channels), np.float32)
    done = 0
    while True:
        try:
            read = file.read(out=block)
        except soundfile.LibsndfileError as error:
            raise _broken(path, done / file.samplerate, str(error)) from None
        if not len(read):
            return
        done += len(read)
        yield read


def _broken(path: Path, decoded_s: float, detail: str) -> AudioError:
    """Decoding failed: at the very start the file is unreadable, later it is truncated."""
    if decoded_s > 0:
        return AudioError(path, "truncated", f"decoding stops at {decoded_s:.1f} s: {detail}")
    return AudioError(path, "unreadable", detail)


@contextmanager
def _ffmpeg_container(path: Path, kind: str | None = None) -> Iterator[Any]:
    """A container with an audio stream, read through a Python file (no protocols, no playlists).

    `kind` names the format where it is known; otherwise the content tells.
    """
    import av

    av.logging.set_level(av.logging.PANIC)
    with path.open("rb") as raw:
        try:
            container = av.open(
                raw,
                format=kind,
                metadata_errors="replace",
                container_options={"format_whitelist": FFMPEG_FORMATS, "protocol_whitelist": ""},
            )
        except av.FFmpegError as error:
            detail = error.strerror or str(error)
            if _starts_like_audio(path):
                raise AudioError(path, "unreadable", f"damaged audio: {detail}") from None
            raise AudioError(path, "not_audio", detail) from None
        with container:
            if not container.streams.audio:
                raise AudioError(path, "not_audio", "the file has no audio stream")
            yield container


def _packets_s(stream: Any) -> float:
    """Length of a stream in seconds by its packets, which are read but not decoded."""
    import av

    ticks = 0
    try:
        for packet in stream.container.demux(stream):
            ticks += packet.duration or 0
    except av.FFmpegError:
        pass  # what was counted is what there is; decoding reports the damage
    return float(ticks * stream.time_base)


@contextmanager
def _open_ffmpeg(path: Path) -> Iterator[_Source]:
    import av

    with _ffmpeg_container(path) as container:
        seconds = _packets_s(container.streams.audio[0])
    with _ffmpeg_container(path) as container:
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise AudioError(path, "unsupported_codec", "no decoder for the audio stream")
        frames = container.decode(stream)
        # Headers of HE-AAC state half the rate: the first frame tells.
        try:
            head = next(frames, None)
        except av.FFmpegError as error:
            raise _broken(path, 0.0, error.strerror or str(error)) from None
        if head is None:
            raise AudioError(path, "zero_length", "the file holds no samples")
        info = AudioInfo(seconds, head.sample_rate, head.layout.nb_channels)
        yield _Source(info, _ffmpeg_blocks(path, head, frames))


def _ffmpeg_blocks(path: Path, head: Any, frames: Iterator[Any]) -> Iterator[np.ndarray]:
    """Blocks of float32 (frames, channels) from decoded frames, `head` first."""
    import av

    to_float = av.AudioResampler(format="fltp", layout=head.layout, rate=head.sample_rate)
    pieces: list[np.ndarray] = []
    held = done = 0

    def planes(frame: Any) -> None:
        nonlocal held, done
        for out in to_float.resample(frame):
            pieces.append(out.to_ndarray().T)
            held += out.samples
            done += out.samples

    try:
        planes(head)
        for frame in frames:
            planes(frame)
            if held >= BLOCK_FRAMES:
                yield np.concatenate(pieces)
                pieces, held = [], 0
        planes(None)
    except (av.FFmpegError, ValueError) as error:  # ValueError: rate or channels change midway
        raise _broken(path, done / head.sample_rate, str(error)) from None
    if pieces:
        yield np.concatenate(pieces)
