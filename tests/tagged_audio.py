"""Short sounds with tags, in many containers: FFmpeg's muxers write tags, raw bytes the others."""

import struct
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np

MUXERS = {
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "ogg": ("ogg", "flac"),
    "oga": ("ogg", "flac"),
    "opus": ("ogg", "libopus"),
    "m4a": ("ipod", "aac"),
    "mp4": ("mp4", "aac"),
    "wma": ("asf", "wmav2"),
    "wav": ("wav", "pcm_s16le"),
    "aiff": ("aiff", "pcm_s16be"),
    "aif": ("aiff", "pcm_s16be"),
    "mka": ("matroska", "flac"),
    "webm": ("webm", "libopus"),
    "caf": ("caf", "pcm_s16le"),
    "wv": ("wv", "wavpack"),
    "aac": ("adts", "aac"),
    "tta": ("tta", "tta"),
    "au": ("au", "pcm_s16be"),
}
"""FFmpeg's names of container and codec, by suffix."""


def write_sound(
    path: Path, tags: Mapping[str, str] | None = None, kind: str | None = None, hz: float = 440.0
) -> Path:
    """A tone of 0.1 s as stereo at 48 kHz, with tags as FFmpeg writes them."""
    container, codec = MUXERS[kind or path.suffix[1:].lower()]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container) as output:
        output.metadata.update(dict(tags or {}))
        stream = output.add_stream(codec, rate=48000, layout="stereo")
        if codec == "wmav2":
            stream.bit_rate = 128_000
        stream.codec_context.open()
        for frame in _frames(stream.codec_context, hz):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _frames(context: av.AudioCodecContext, hz: float) -> list[av.AudioFrame]:
    wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(4800) / 48000)
    frame = av.AudioFrame.from_ndarray(
        np.stack([wave, wave]).astype(np.float32), format="fltp", layout="stereo"
    )
    frame.sample_rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(
        context.format, "stereo", 48000, frame_size=context.frame_size or 1024
    )
    return [*resampler.resample(frame), *resampler.resample(None)]


def id3v2(*frames: bytes) -> bytes:
    """An ID3v2.3 tag."""
    content = b"".join(frames)
    size = bytes(len(content) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + content


def frame(name: str, content: bytes) -> bytes:
    """A frame of ID3v2.3."""
    return name.encode() + struct.pack(">IH", len(content), 0) + content


def text_frame(name: str, text: str | bytes) -> bytes:
    """A text frame: UTF-16, or bytes that claim to be Latin-1."""
    content = b"\x00" + text if isinstance(text, bytes) else b"\x01" + text.encode("utf-16")
    return frame(name, content)


def id3v1(title: bytes, artist: bytes, genre: int = 255) -> bytes:
    """An ID3v1 tag."""
    return b"TAG" + title.ljust(30, b"\0") + artist.ljust(94, b"\0") + bytes([genre])


def apev2(items: Mapping[str, str]) -> bytes:
    """An APEv2 tag, with header and footer."""
    content = b"".join(
        struct.pack("<II", len(text.encode()), 0) + name.encode() + b"\0" + text.encode()
        for name, text in items.items()
    )
    ends = [
        b"APETAGEX" + struct.pack("<4I", 2000, len(content) + 32, len(items), flags) + bytes(8)
        for flags in (0xA0000000, 0x80000000)
    ]
    return ends[0] + content + ends[1]


def riff_chunk(name: str, content: bytes) -> bytes:
    """A chunk of a WAV file, padded to an even size."""
    return name.encode() + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def append_to_wav(path: Path, *chunks: bytes) -> None:
    """Add chunks behind the sound, and say so in the header."""
    data = path.read_bytes() + b"".join(chunks)
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def append_to_aiff(path: Path, tag: bytes) -> None:
    """Add an ID3 chunk, and say so in the header."""
    chunk = b"ID3 " + struct.pack(">I", len(tag)) + tag + b"\0" * (len(tag) % 2)
    data = path.read_bytes() + chunk
    path.write_bytes(data[:4] + struct.pack(">I", len(data) - 8) + data[8:])


def append_to_m4a(path: Path, values: Mapping[str, str]) -> None:
    """Add free-form tags as taggers write them for iTunes; FFmpeg's muxer writes none."""

    def atom(kind: bytes, *content: bytes) -> bytes:
        body = b"".join(content)
        return struct.pack(">I4s", 8 + len(body), kind) + body

    tags = [
        atom(
            b"----",
            atom(b"mean", bytes(4), b"com.apple.iTunes"),
            atom(b"name", bytes(4), name.encode()),
            atom(b"data", struct.pack(">II", 1, 0), value.encode()),
        )
        for name, value in values.items()
    ]
    handler = atom(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    added = atom(b"udta", atom(b"meta", bytes(4), handler, atom(b"ilst", *tags)))
    data, at = path.read_bytes(), 0
    while data[at + 4 : at + 8] != b"moov":
        at += struct.unpack(">I", data[at : at + 4])[0]
    (size,) = struct.unpack(">I", data[at : at + 4])
    grown = struct.pack(">I", size + len(added)) + data[at + 4 : at + size] + added
    path.write_bytes(data[:at] + grown + data[at + size :])
