"""A folder of songs as the real world has them: every kind of bad input, and what becomes of it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 22050
WORDS = "the moon is over the river\nand we are walking home again"
"""Lyrics too short for anybody to say which language they are in."""

SPANISH = """\
La luna sale sobre el río y nosotros caminamos hacia la casa
donde mi madre espera con la puerta abierta y el pan caliente
Nunca olvidaré aquella noche en que bailamos junto al mar
porque todavía escucho la música cuando cierro los ojos
"""


@dataclass(frozen=True)
class Case:
    """A file by its path in the corpus's folder, its fate, and the reason and stage of that."""

    path: str
    fate: str = "used"
    reason: str | None = None
    stage: str | None = None


def music(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Noise bursts on a tone, float64 of shape (samples, channels), peak below 0.5."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pulse = np.exp(-((time * 2.0) % 1.0) * 5.0)
    noise = rng.uniform(-1.0, 1.0, (len(time), channels))
    tone = np.sin(2 * np.pi * (220.0 + 10.0 * seed) * time)[:, None]
    return 0.2 * pulse[:, None] * noise + 0.2 * tone


def unknown_codec(path: Path) -> None:
    """A WAV file whose format tag no decoder knows."""
    soundfile.write(path, music(2.0), RATE)
    data = bytearray(path.read_bytes())
    data[20:22] = b"\x34\x12"
    path.write_bytes(data)


GOOD = {
    "8 bit.wav": {"subtype": "PCM_U8"},
    "24 bit.wav": {"subtype": "PCM_24"},
    "float.wav": {"subtype": "FLOAT"},
    "8 kHz.wav": {"rate": 8000},
    "192 kHz.wav": {"rate": 192000},
    "stereo.flac": {"channels": 2},
    "five one.wav": {"channels": 6},
}
"""Formats that are used like any other."""

NAMES = (
    "spaces  and 'quotes' \"double\".wav",
    "two\nlines.wav",
    "\N{EYES}\N{MULTIPLE MUSICAL NOTES}.wav",
    "שיר לילה.wav",
    "أغنية.wav",
    "$(touch touched) `touch touched`; touch touched.wav",
    "<script>alert(1)</script>.wav".replace("/", "\N{FRACTION SLASH}"),
    "-rf --help.wav",
    "{wildcards.shard} {braces}.wav",
    "100%s %(x)s.wav",
    "back\\slash.wav",
    "comma,semicolon;=tab\t.wav",
    "e\u0301.wav",
)
"""Names that quoting, globbing, formatting or joining could trip over."""


def write_audio(folder: Path) -> list[Case]:
    """Audio files of every kind below `folder`, each good one with short lyrics beside it."""
    place = folder / "english" / "pop"
    place.mkdir(parents=True)
    cases = []

    def add(name: str, fate: str = "used", reason: str | None = None, stage: str | None = None):
        cases.append(Case(f"english/pop/{name}", fate, reason, stage))
        if fate != "rejected":
            lyrics = name.rpartition(".")[0] + ".txt"
            (place / lyrics).write_text(WORDS, encoding="utf-8")
            cases.append(Case(f"english/pop/{lyrics}"))
        return place / name

    for seed, (name, form) in enumerate(GOOD.items()):
        rate, channels = form.get("rate", RATE), form.get("channels", 1)
        samples = music(9.0, rate, channels, seed)
        twin = ("warned", "twins", "corpus") if name == "float.wav" else ()
        soundfile.write(add(name, *twin), samples, rate, subtype=form.get("subtype"))
    for seed, name in enumerate(NAMES, 20):
        soundfile.write(add(name), music(9.0, seed=seed), RATE)
    path = add("mp3 by another name.wav")
    soundfile.write(path, music(9.0, seed=50), RATE, format="MP3")

    loud = np.clip(40.0 * music(9.0, seed=51), -1.0, 1.0)
    soundfile.write(add("clipped.wav", "warned", "clipped", "logmel"), loud, RATE)
    soundfile.write(add("short.wav", "warned", "padded", "corpus"), music(0.2, seed=52), RATE)

    bad = "rejected"
    add("empty.mp3", bad, "empty_file", "probe").touch()
    add("text.mp3", bad, "not_audio", "probe").write_text("these are words\n" * 50)
    soundfile.write(add("no samples.wav", bad, "zero_length", "probe"), np.zeros((0, 1)), RATE)
    for seed, (name, kept) in enumerate({"cut.mp3": 0.3, "half.flac": 0.3}.items(), 53):
        path = add(name, bad, "truncated", "probe")
        soundfile.write(path, music(9.0, seed=seed), RATE)
        path.write_bytes(path.read_bytes()[: round(kept * path.stat().st_size)])
    path = add("end is missing.flac", "warned", "damaged", "probe")
    soundfile.write(path, music(12.0, seed=58), RATE)
    path.write_bytes(path.read_bytes()[: round(0.75 * path.stat().st_size)])
    path = add("a hole.flac", "warned", "damaged", "logmel")
    soundfile.write(path, music(9.0, seed=59), RATE)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(9999) + data[len(data) // 2 + 9999 :])
    unknown_codec(add("codec.wav", bad, "unsupported_codec", "probe"))
    soundfile.write(add("silence.wav", bad, "silent", "logmel"), np.zeros(9 * RATE), RATE)
    for name, value in {"nan": np.nan, "inf": np.inf}.items():
        samples = music(9.0, seed=55)
        samples[5 * RATE] = value
        path = add(f"{name}.wav", bad, "not_finite", "logmel")
        soundfile.write(path, samples, RATE, subtype="FLOAT")
    add("dangling.wav", bad, "missing_file", "probe").symlink_to(place / "nowhere.wav")
    os.mkfifo(add("pipe.wav", bad, "unreadable", "probe"))
    shutil.copy(place / "float.wav", add("z copy of float.wav", bad, "duplicate", "corpus"))
    soundfile.write(add("twin.flac"), music(9.0, seed=56), RATE)
    soundfile.write(add("twin.wav", bad, "duplicate_id", "list_sources"), music(9.0, seed=57), RATE)

    (folder / "lost.wav").write_bytes(b"at no language and genre")
    cases.append(Case("lost.wav", bad, "wrong_place", "list_sources"))
    (place / "cover.pdf").write_bytes(b"a picture")
    cases.append(Case("english/pop/cover.pdf", "unused", "unused_file", "list_sources"))
    (place / "no song.txt").write_text("words of no song")
    cases.append(Case("english/pop/no song.txt", "unused", "unused_file", "list_sources"))
    # Not set aside in silence with its song: it is listed too.
    (place / "text.txt").write_text("words of a song that is set aside")
    cases.append(Case("english/pop/text.txt", bad, "not_audio", "probe"))
    return cases


LYRICS = {
    "latin-1.txt": ("Größe und Übermut à la carte".encode("latin-1"), "encoding_guessed"),
    "utf-16.txt": (WORDS.encode("utf-16"), None),
    "utf-8 with mark.txt": (WORDS.encode("utf-8-sig"), None),
    "html.txt": (b"<html><script>alert('x')</script>&amp; la la\n\\input{x} $(touch y)", None),
    "huge.txt": (b"la la la and so on\n" * 280_000, "truncated"),
    "nothing.txt": (b"", "bad_lyrics"),
    "blank.txt": (b" \n\t\n", "bad_lyrics"),
    "binary.txt": (bytes(range(256)) * 40, "bad_lyrics"),
    "stamps.lrc": (b"[00:01.00]one\n[99:99.99]two\n[xx:yy]three\n[-1:00]four", "bad_timestamp"),
    "broken.json": (b'{"start_s": 1', "bad_lyrics"),
    "spanish.txt": (SPANISH.encode(), "language_mismatch"),
}
"""Contents of lyrics files, and the reason of their warning (null: none)."""


def write_lyrics(folder: Path) -> list[Case]:
    """Good songs below `folder`, each with another kind of lyrics."""
    place = folder / "english" / "rock"
    place.mkdir(parents=True)
    cases = []
    for seed, (name, (content, reason)) in enumerate(LYRICS.items(), 60):
        stem = name.rpartition(".")[0]
        soundfile.write(place / f"{stem}.wav", music(9.0, seed=seed), RATE)
        (place / name).write_bytes(content)
        song, text = f"english/rock/{stem}.wav", f"english/rock/{name}"
        if reason == "language_mismatch":  # said of the song, whose label it is
            cases += [Case(song, "warned", reason, "corpus"), Case(text)]
            continue
        if name == "stamps.lrc":  # one line is stamped behind the song's end
            cases += [Case(song, "warned", reason, "corpus"), Case(text, "warned", reason)]
            continue
        lacks = reason == "bad_lyrics"
        cases.append(Case(song, *(("warned", "missing_lyrics", "corpus") if lacks else ())))
        told = ("warned", reason, "list_sources")
        cases.append(Case(text, *(told if reason else ())))
    soundfile.write(place / "instrumental.wav", music(9.0, seed=80), RATE)
    cases.append(Case("english/rock/instrumental.wav", "warned", "missing_lyrics", "corpus"))
    return cases
