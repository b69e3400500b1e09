"""The packets of an audio file, read but not decoded: its identity, and when each one sounds.

A header may be wrong about a file's length (cut, joined, written to a pipe), and about nothing else
can be known where something is broken inside. Packets are what is there: most containers stamp them
with times, and for the others (MPEG audio, ADTS) the bytes that are broken give the seconds.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from songatlas.corpus.sound.errors import AudioError
from songatlas.corpus.sound.sound_bytes import SoundBytes, SoundView
from songatlas.corpus.sound.timeline import JUMP_S, Timeline, counted, stamped

BUFFER_BYTES = 1 << 17

# Container formats that PyAV may open. Playlists (HLS, concat, DASH) are not among them: they name
# other files and addresses, which a song must not make us open.
FFMPEG_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ac3,eac3,asf,mp3,flac,wav,w64,ogg,aiff,caf,ape,"
    "wv,tta,tak,mpc,mpc8,dsf,au,amr,mpegts,avi,flv,loas,voc,iff,ircam,nistsphere"
)

STATED = (
    *("mp3", "flac", "wav", "w64", "aiff", "au", "ape", "wv", "tta", "tak", "mpc", "mpc8"),
    *("dsf", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"),
)
"""Formats whose headers state a length; of the others FFmpeg estimates it."""

LENGTH_FRAMES = (b"Xing", b"Info", b"VBRI")
"""Names in the first frame of an MP3 that states its length."""

MAX_ERRORS = 50
"""So many errors in a row end the reading of packets."""

BELIEVED_TIMES = 10.0
"""Headers and times that make a song so many times as long as what is there of it are wrong."""

CHECKED = ("flac", "tta", "wavpack", "ape")
"""Codecs whose checksums tell noise from music."""

SECOND_FILE = re.compile(
    rb"RIFF.{4}WAVE|FORM.{4}AIF[CF]|caff\x00\x01|\x00{3}.ftyp|0&\xb2u\x8ef\xcf\x11|OggS\x00\x02"
    rb"|\x1aE\xdf\xa3|TTA[12]\x01\x00|wvpk|fLaC|MAC .\x0f",
    re.DOTALL,
)
"""How a file of sound begins that stands behind another in one file."""

SEARCHED_BYTES = 1 << 24
"""So far behind the last packet a second file is looked for."""

HEADER_BYTES = 1 << 16
"""A file without samples is a header, which is no longer than this."""

SAMPLE_RATES_HZ = (1_000, 768_000)
MAX_CHANNELS = 64


@dataclass(frozen=True)
class Packets:
    """What a file's packets say of it.

    `sample_rate_hz` and `channels` are those of the first frame that can be decoded: headers of
    HE-AAC state half the rate.
    """

    digest: str
    """SHA-256 of codec, rate, channels and coded bytes, in hexadecimal digits."""
    sample_rate_hz: int
    channels: int
    duration_s: float
    stated_s: float | None
    """The length that the header states, if it does."""
    timeline: Timeline
    left_out_bytes: int
    """Of a second file behind the first, which FFmpeg does not read on into."""


@contextmanager
def open_container(file: BinaryIO, sound: SoundBytes, path: Path) -> Iterator[Any]:
    """A container with an audio stream, read through a Python file (no protocols, no playlists).

    Raises:
        AudioError: `not_audio`, `unreadable`, `unsupported_codec`, or `zero_length` where the file
            ends with its header.
    """
    import av

    av.logging.set_level(av.logging.PANIC)
    try:
        container = av.open(
            SoundView(file, sound),
            metadata_errors="replace",
            buffer_size=BUFFER_BYTES,
            container_options={"format_whitelist": FFMPEG_FORMATS, "protocol_whitelist": ""},
        )
    except av.FFmpegError as error:
        detail = error.strerror or str(error)
        if isinstance(error, EOFError) and sound.size <= HEADER_BYTES:
            raise AudioError(path, "zero_length", "a header without samples") from None
        if sound.kind is not None:
            raise AudioError(path, "unreadable", f"damaged audio: {detail}") from None
        raise AudioError(path, "not_audio", detail) from None
    with container:
        if not container.streams.audio:
            raise AudioError(path, "not_audio", "the file has no audio stream")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise AudioError(path, "unsupported_codec", "no decoder for the audio stream")
        stream.codec_context.thread_type = "NONE"
        if stream.codec_context.name in CHECKED:
            stream.codec_context.options = {"err_detect": "crccheck"}
        yield container


def packets_of(container: Any) -> Iterator[Any]:
    """The packets of the first audio stream; what cannot be read between them is passed over."""
    import av

    stream = container.streams.audio[0]
    errors = 0
    while errors < MAX_ERRORS:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    errors = 0
                    yield packet
            return
        except av.FFmpegError:
            errors += 1


def read_packets(file: BinaryIO, sound: SoundBytes, path: Path) -> Packets:
    """Read every packet of an open file once; decode no more than its first frame.

    Raises:
        AudioError: as `open_container`; where there is no packet `truncated` if the header states a
            length, else `zero_length` for a header alone; `unreadable` where what stands behind the
            header can be no packet or cannot be decoded, or rate or channels are impossible.
    """
    with open_container(file, sound, path) as container:
        stream = container.streams.audio[0]
        digest = _Digest(stream)
        rows, head = [], None
        for packet in packets_of(container):
            digest.update(packet)
            rows.append((packet.pts, packet.duration or 0, packet.pos or 0, packet.size))
            if head is None:
                head = next(iter(decoded(packet.decode)), None)
        if not rows:
            raise _without_packets(path, container, sound)
        if head is None:
            raise AudioError(path, "unreadable", "damaged audio: nothing of it can be decoded")
        rate, channels = head.sample_rate, head.layout.nb_channels
        _check_bounds(path, rate, channels)
        stated = _stated_s(container, file, sound)
        timeline = _timeline(container, rows, file, sound, stated)
    end = timeline.end_s
    if stated is not None and abs(stated - end) <= JUMP_S:
        end = stated  # packets include the padding of the last one
    left_out = _second_file_bytes(file, sound, max(place + size for _, _, place, size in rows))
    return Packets(digest.digits, rate, channels, end, stated, timeline, left_out)


def _second_file_bytes(file: BinaryIO, sound: SoundBytes, read_to: int) -> int:
    """Bytes from the beginning of a second file on, behind `read_to`; 0 where there is none."""
    view = SoundView(file, sound)
    view.seek(read_to)
    begins = SECOND_FILE.search(view.read(min(SEARCHED_BYTES, max(sound.size - read_to, 0))))
    return sound.size - read_to - begins.start() if begins else 0


def _without_packets(path: Path, container: Any, sound: SoundBytes) -> AudioError:
    stream = container.streams.audio[0]
    stated_s = float((stream.duration or 0) * stream.time_base) or (container.duration or 0) / 1e6
    if stated_s > 0:
        return AudioError(path, "truncated", f"nothing of the stated {stated_s:.1f} s can be read")
    if sound.size <= HEADER_BYTES:
        return AudioError(path, "zero_length", "a header without samples")
    detail = f"damaged audio: no sound can be found in its {sound.size:,} bytes"
    return AudioError(path, "unreadable", detail)


def decoded(decode: Callable[[], Sequence[Any]]) -> list[Any]:
    """Frames of a packet by its `decode`; none where it is broken."""
    import av

    try:
        return list(decode())
    except (av.FFmpegError, ValueError):
        return []


def _check_bounds(path: Path, sample_rate_hz: int, channels: int) -> None:
    lowest, highest = SAMPLE_RATES_HZ
    if not lowest <= sample_rate_hz <= highest:
        detail = f"a sampling rate of {sample_rate_hz} Hz; from {lowest} to {highest} are read"
        raise AudioError(path, "unreadable", detail)
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(path, "unreadable", f"{channels} channels; up to {MAX_CHANNELS} are read")


class _Digest:
    """Hash of a stream's packets as one sequence of bytes: containers cut raw samples anywhere.

    Zeros at the end of coded audio do not count, which may be padding behind the file.
    """

    def __init__(self, stream: Any) -> None:
        codec = stream.codec_context.codec.canonical_name
        self._hash = hashlib.sha256(f"{codec} {stream.sample_rate} {stream.channels} ".encode())
        self._raw = codec.startswith("pcm_")
        self._zeros = 0

    def update(self, packet: Any) -> None:
        data = bytes(packet)
        if not self._raw:
            coded = data.rstrip(b"\0")
            if coded:
                self._hash.update(bytes(self._zeros))
                self._zeros = 0
            self._zeros += len(data) - len(coded)
            data = coded
        self._hash.update(data)

    @property
    def digits(self) -> str:
        return self._hash.hexdigest()


def _stated_s(container: Any, file: BinaryIO, sound: SoundBytes) -> float | None:
    """The length in seconds that the header states."""
    if container.format.name not in STATED:
        return None
    head = SoundView(file, sound).read(4096)
    if container.format.name == "mp3" and not any(name in head for name in LENGTH_FRAMES):
        return None
    stream = container.streams.audio[0]
    seconds = float((stream.duration or 0) * stream.time_base) or (container.duration or 0) / 1e6
    counted = re.search(rb"(?:Xing|Info)\0\0\0(.)(.{4})", head, re.DOTALL)
    if container.format.name == "mp3" and counted:
        # FFmpeg estimates the length where it takes the file for two.
        frames = int.from_bytes(counted[2]) if counted[1][0] & 1 else 0
        own_s = frames * (1152 if stream.sample_rate >= 32000 else 576) / stream.sample_rate
        seconds = seconds if abs(seconds - own_s) < 1 else own_s
    riff_bytes = int.from_bytes(head[4:8], "little") + 8
    if head[:4] == b"RIFF" and sound.size < riff_bytes < 0xFFFF0000:  # above: not known
        seconds *= riff_bytes / sound.size  # FFmpeg gives the length of what is there
    return seconds if seconds > 0 else None


def _timeline(
    container: Any,
    rows: Sequence[tuple[int | None, int, int, int]],
    file: BinaryIO,
    sound: SoundBytes,
    stated_s: float | None,
) -> Timeline:
    """`rows` are the packets' time stamp and length in ticks, their place and size in bytes."""
    stream = container.streams.audio[0]
    stamps, ticks, places, sizes = zip(*rows, strict=True)
    tick = float(stream.time_base)
    lengths_s = np.array(ticks, float) * tick
    starts_s = np.array([np.nan if stamp is None else stamp for stamp in stamps], float) * tick
    counts_s = np.concatenate([[0.0], np.cumsum(lengths_s)[:-1]])
    starts_s = np.where(np.isnan(starts_s), counts_s, starts_s)
    origin_s = float(starts_s[0] if stream.start_time is None else stream.start_time * tick)
    if sound.kind not in ("mpeg", "adts"):
        limit_s = min((stated_s or np.inf) + JUMP_S, BELIEVED_TIMES * float(lengths_s.sum()))
        missing_s = 0.0
        if container.format.name == "ogg" and origin_s > JUMP_S:
            lost_bytes = places[0] - _ogg_header_bytes(SoundView(file, sound).read(places[0]))
            lost_s = lost_bytes * float(lengths_s.sum()) / sum(sizes)
            missing_s = origin_s if origin_s <= BELIEVED_TIMES * lost_s else 0.0
        return stamped(starts_s, lengths_s, origin_s, limit_s, missing_s)
    gaps_s = np.zeros(len(rows))
    for place, broken in sound.lost:
        packet = int(np.searchsorted(places, place))
        if packet < len(rows):
            gaps_s[packet] += broken * float(lengths_s.sum()) / sum(sizes)
    unread_s = (stated_s or np.inf) - float(lengths_s.sum())
    if gaps_s.any() and -JUMP_S < unread_s < gaps_s.sum():
        gaps_s *= max(unread_s, 0.0) / gaps_s.sum()
    return counted(starts_s, lengths_s, origin_s, gaps_s)


def _ogg_header_bytes(data: bytes) -> int:
    """Bytes of the pages at the beginning of an Ogg file that hold its headers (RFC 3533 6)."""
    at = 0
    while data[at : at + 4] == b"OggS" and data[at + 6 : at + 14] in (bytes(8), b"\xff" * 8):
        segments = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(segments) + sum(segments)
    return min(at, len(data))
