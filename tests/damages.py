"""Songs with a tone of its own pitch in every second, in many containers; ways to damage them."""

import io
import struct
from collections.abc import Callable
from functools import cache

import av
import numpy as np
import soundfile

RATE = 44100
SECONDS = 12
TONE_S, BEGINS_S = 0.5, 0.1
"""Length of a second's tone, and where in its second it begins."""

CONTAINERS = {
    "mp3": ("libmp3lame", "mp3"),
    "flac": ("flac", "flac"),
    "ogg": ("vorbis", "ogg"),
    "opus": ("libopus", "opus"),
    "m4a": ("aac", "ipod"),
    "alac": ("alac", "ipod"),
    "aac": ("aac", "adts"),
    "wma": ("wmav2", "asf"),
    "wav": ("pcm_s16le", "wav"),
    "aiff": ("pcm_s16be", "aiff"),
    "caf": ("pcm_s16le", "caf"),
    "webm": ("libopus", "webm"),
    "mka": ("aac", "matroska"),
    "wv": ("wavpack", "wv"),
    "tta": ("tta", "tta"),
}
"""Codec and format of FFmpeg by name."""


def pitch(second: int) -> float:
    """Of a second's tone in hertz: no two of a file, or of two that are joined, are the same."""
    return 500.0 + 100.0 * second


def tones(first: int = 0, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """Float32 of shape (samples, channels): second `first` and those behind it, on faint noise."""
    time = np.arange(rate) / rate
    sounds = (time >= BEGINS_S) & (time < BEGINS_S + TONE_S)
    seconds = [sounds * np.sin(2 * np.pi * pitch(first + n) * time) for n in range(SECONDS)]
    noise = np.random.default_rng(first).normal(0, 1e-3, SECONDS * rate)
    mono = 0.4 * np.concatenate(seconds) + noise
    return np.repeat(mono[:, None], channels, 1).astype(np.float32)


@cache
def song(kind: str, first: int = 0, rate: int = RATE, channels: int = 2) -> bytes:
    """A file of `tones` in a container."""
    samples = tones(first, rate, channels)
    file = io.BytesIO()
    codec, form = CONTAINERS[kind]
    if codec == "vorbis":  # FFmpeg's own encoder of it is an experiment
        with soundfile.SoundFile(file, "w", rate, channels, format="OGG") as out:
            for start in range(0, len(samples), rate):
                out.write(samples[start : start + rate])
        return file.getvalue()
    with av.open(file, "w", format=form) as container:
        layout = "stereo" if channels == 2 else "mono"
        coded = 48000 if codec == "libopus" else rate
        stream = container.add_stream(codec, rate=coded, layout=layout)
        stream.bit_rate = 128_000
        fit = av.AudioResampler(stream.codec_context.format.name, layout, coded)
        for start in range(0, len(samples), rate):
            some = np.ascontiguousarray(samples[start : start + rate].T)
            frame = av.AudioFrame.from_ndarray(some, format="fltp", layout=layout)
            frame.sample_rate = rate
            for piece in fit.resample(frame):
                container.mux(stream.encode(piece))
        for piece in fit.resample(None):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return file.getvalue()


def places(samples: np.ndarray, rate: int, seconds: int) -> dict[int, float]:
    """Where in mono `samples` each whole tone begins, in seconds, by the number of its second.

    Tones of which more than a tenth is missing are left out: where they begin cannot be told.
    """
    hop = rate // 200
    length = 8 * hop
    count = (len(samples) - length) // hop
    if count < 1:
        return {}
    view = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop][:count]
    window = np.hanning(length)
    time = np.arange(length) / rate
    waves = np.exp(-2j * np.pi * np.outer(time, [pitch(n) for n in range(seconds)]))
    level = np.abs(view @ (waves * window[:, None])) / (0.4 * window.sum() / 2)
    box = np.ones(round(TONE_S * rate / hop))
    begun = {}
    for second in range(seconds):
        share = np.convolve(np.clip(level[:, second], 0, 1), box, "valid") / len(box)
        if len(share) and share.max() > 0.9:
            begun[second] = float(share.argmax() * hop + length / 2) / rate
    return begun


# --- tags -----------------------------------------------------------------------------------------


def id3v1() -> bytes:
    return b"TAG" + b"a title".ljust(125, b"\0")


def id3v2(size: int = 30_000) -> bytes:
    """With a picture of noise."""
    syncsafe = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + syncsafe + np.random.default_rng(1).bytes(size)


def apev2(size: int = 50_000) -> bytes:
    """With header, footer and a picture of noise."""
    value = b"cover.jpg\0" + np.random.default_rng(2).bytes(size)
    item = struct.pack("<II", len(value), 2) + b"Cover Art (Front)\0" + value
    head = b"APETAGEX" + struct.pack("<3I", 2000, len(item) + 32, 1)
    return head + struct.pack("<I", 0xA0000000) + bytes(8) + item + head + b"\0\0\0\x80" + bytes(8)


def lyrics3() -> bytes:
    """Version 2; ID3v1 follows it."""
    fields = b"LYRICSBEGININD0000210LYR00250" + b"[00:01]la ".ljust(250, b"x")
    return fields + b"%06d" % len(fields) + b"LYRICS200" + id3v1()


# --- damages --------------------------------------------------------------------------------------

Damage = Callable[[bytes, str, np.random.Generator], bytes]


def behind(tail: Callable[[], bytes]) -> Damage:
    return lambda data, kind, rng: data + tail()


def before(head: Callable[[], bytes]) -> Damage:
    return lambda data, kind, rng: head() + data


def hole(share: float, zeros: bool) -> Damage:
    """Some of the bytes between a sixth and three quarters of the file are something else."""

    def damage(data: bytes, kind: str, rng: np.random.Generator) -> bytes:
        size = max(int(share * len(data)), 1)
        start = int(rng.uniform(0.17, 0.75 - share) * len(data))
        middle = bytes(size) if zeros else rng.bytes(size)
        return data[:start] + middle + data[start + size :]

    return damage


def bad_bytes(data: bytes, kind: str, rng: np.random.Generator) -> bytes:
    start = int(rng.uniform(0.17, 0.75) * len(data))
    return data[:start] + rng.bytes(50) + data[start + 50 :]


def cut(data: bytes, kind: str, rng: np.random.Generator) -> bytes:
    return data[: int(rng.uniform(0.55, 0.95) * len(data))]


def header(value: bytes) -> Damage:
    """Four bytes of the first two hundred are overwritten."""

    def damage(data: bytes, kind: str, rng: np.random.Generator) -> bytes:
        at = int(rng.integers(4, 196))
        return data[:at] + value + data[at + 4 :]

    return damage


def joined(between: Callable[[], bytes] = bytes, **form: int) -> Damage:
    return lambda data, kind, rng: data + between() + song(kind, SECONDS, **form)


HARMLESS: dict[str, Damage] = {
    "zeros behind": behind(lambda: bytes(4096)),
    "noise behind": behind(lambda: np.random.default_rng(3).bytes(3000)),
    "ID3v1": behind(id3v1),
    "APEv2 with a cover": behind(apev2),
    "Lyrics3": behind(lyrics3),
    "ID3v2 behind": behind(id3v2),
    "all tags behind": behind(lambda: bytes(99) + apev2() + lyrics3()),
    "zeros before": before(lambda: bytes(4096)),
    "ID3v2 before": before(id3v2),
    "ID3v2 twice": before(lambda: id3v2() + bytes(500) + id3v2(200)),
    "noise before": before(lambda: np.random.default_rng(4).bytes(1000)),
}
"""All of a song plays, and none of its seconds moves."""

INSIDE: dict[str, Damage] = {
    "a hole of zeros": hole(0.03, zeros=True),
    "a hole of noise": hole(0.03, zeros=False),
    "50 bad bytes": bad_bytes,
    "header zeroed": header(bytes(4)),
    "header huge": header(b"\x7f\xff\xff\xff"),
}

OUTSIDE: dict[str, Damage] = {
    "cut": cut,
    "joined": joined(),
    "joined with tags": joined(lambda: id3v1() + id3v2()),
    "joined, then mono": joined(channels=1),
    "joined, then another rate": joined(rate=32000),
}

DAMAGES = HARMLESS | INSIDE | OUTSIDE
