"""How right tempo, beats and key are where they are known, and what hearing them costs.

    python tests/benchmarks/musical_time.py results/corpora/demo ../shared/ultrastar

The demo's tempo, key, mode and beats are those that it was played with. `#BPM` of UltraStar songs
is a grid of the editor: the tempo is right where the grid is one, two, three or four times as fast.
Beats are compared as mir_eval does: each is one to one with a true beat within 70 ms. Prints
Markdown; intervals are 95%, over songs (Clopper and Pearson of shares, bootstrap of means).
"""

import argparse
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import musical_sounds as sounds
from songatlas import tables
from songatlas.features.audio.beats import STEADY
from songatlas.corpus.sound.decode import decode_blocks
from songatlas.features.audio.key import TONICS
from songatlas.features.audio.musical_time import MusicalTime, musical_time, ready
from songatlas.features.audio.sound_curves import SAMPLE_RATE_HZ
from songatlas.demo.demo import RESOURCES
from songatlas.demo.synthesis.plan import SongPlan, draw_plans
from songatlas.evaluation.bootstrap import clopper_pearson

TEMPO_TOLERANCE = 0.04
OCTAVES = (0.5, 2.0, 1 / 3, 3.0)
GRIDS = (1, 2, 3, 4)
BEAT_TOLERANCE_S = 0.07
BOOTSTRAPS = 2000
SOUNDS_S = 60.0


@dataclass(frozen=True)
class Heard:
    """A song, what was measured of it, and how long that took."""

    path: Path
    time: MusicalTime
    took_s: float


def hear(path: Path) -> Heard:
    started = time.process_time()
    found = musical_time(decode_blocks(path, SAMPLE_RATE_HZ))
    return Heard(path, found, time.process_time() - started)


def f_measure(found_s: np.ndarray, true_s: np.ndarray) -> float:
    """F-measure of rising beat times; sweeping in order finds the most pairs."""
    pairs = at = 0
    for beat in found_s:
        while at < len(true_s) and true_s[at] < beat - BEAT_TOLERANCE_S:
            at += 1
        if at < len(true_s) and true_s[at] <= beat + BEAT_TOLERANCE_S:
            pairs, at = pairs + 1, at + 1
    return 2 * pairs / max(len(found_s) + len(true_s), 1)


def played_beats(plan: SongPlan, duration_s: float) -> np.ndarray:
    """Every fourth sixteenth of the grid that a song of the demo was played on."""
    beats = [plan.grid.time_s(bar, step) for bar in range(plan.bars) for step in (0, 4, 8, 12)]
    return np.array([beat for beat in beats if beat < duration_s])


def near(tempo: float | None, wanted: float) -> bool:
    return tempo is not None and abs(tempo / wanted - 1) <= TEMPO_TOLERANCE


def share(name: str, right: list[bool]) -> str:
    low, high = clopper_pearson(sum(right), len(right))
    of = f"{sum(right)} of {len(right)}"
    return f"| {name} | {np.mean(right):.3f} [{low:.3f}, {high:.3f}] | {of} |"


def mean(name: str, values: list[float]) -> str:
    drawn = np.random.default_rng(0).choice(values, (BOOTSTRAPS, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    least = f"least {min(values):.3f}, {len(values)} songs"
    return f"| {name} | {np.mean(values):.3f} [{low:.3f}, {high:.3f}] | {least} |"


def of_the_demo(folder: Path) -> Iterator[str]:
    frame = tables.read(folder / "songs.parquet", tables.SOURCES)
    plans = {plan.source_id: plan for plan in draw_plans(0, RESOURCES)}
    songs = [hear(folder / "audio" / f"{name}.flac") for name in frame["source_id"]]
    tempi = [song.time.rhythm.song_tempo_bpm for song in songs]
    true = list(frame["factor_tempo_bpm"])
    yield "| demo | measured | |"
    yield "| --- | --- | --- |"
    yield share("tempo within 4%", [near(*pair) for pair in zip(tempi, true, strict=True)])
    octaves = [any(near(one, t * by) for by in OCTAVES) for one, t in zip(tempi, true, strict=True)]
    yield share("tempo a half, double, third or triple", octaves)
    beats = [
        f_measure(song.time.rhythm.beats_s, played_beats(plans[name], song.time.duration_s))
        for name, song in zip(frame["source_id"], songs, strict=True)
    ]
    yield mean("beat F-measure at 70 ms", beats)
    keys = [song.time.key for song in songs]
    wanted = list(zip(frame["factor_key"], frame["factor_mode"], strict=True))
    right = [
        key is not None and key.mode == mode for key, (_, mode) in zip(keys, wanted, strict=True)
    ]
    whole = [
        good and key is not None and TONICS.index(key.tonic) == tonic
        for good, key, (tonic, _) in zip(right, keys, wanted, strict=True)
    ]
    yield share("key (tonic and mode)", whole)
    yield share("mode", right)
    sure = [good for good, key in zip(whole, keys, strict=True) if key and key.confidence >= 0.05]
    yield share("key, where its confidence is 0.05 or more", sure)
    yield mean("beat strength", [song.time.rhythm.strength for song in songs])
    yield cost("demo, FLAC", songs)


def of_ultrastar(folder: Path) -> Iterator[str]:
    yield ""
    yield "| UltraStar | `#BPM` | tempo | `#BPM` / tempo | beat strength | right |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    songs, right = [], []
    for one in sorted(folder.iterdir()):
        if not one.is_dir():
            continue
        text = (one / "song.txt").read_bytes().decode("latin1")
        found = re.search(r"#BPM:\s*([\d.,]+)", text)
        if found is None:
            raise SystemExit(f"{one / 'song.txt'}: no #BPM; give a folder of UltraStar songs")
        bpm = float(found[1].replace(",", "."))
        song = hear(next(one.glob("audio.*")))
        rhythm = song.time.rhythm
        tempo = rhythm.song_tempo_bpm
        songs.append(song)
        right.append(any(near(tempo, bpm / by) for by in GRIDS))
        told = "none" if tempo is None else f"{tempo:.1f}"
        ratio = "" if tempo is None else f"{bpm / tempo:.2f}"
        sign = "yes" if right[-1] else "no"
        yield f"| {one.name} | {bpm:g} | {told} | {ratio} | {rhythm.strength:.2f} | {sign} |"
    yield ""
    yield "| UltraStar | measured | |"
    yield "| --- | --- | --- |"
    yield share("tempo of a grid that is 1, 2, 3 or 4 times as fast", right)
    yield cost("UltraStar, MP3 and Ogg", songs)


def cost(name: str, songs: list[Heard]) -> str:
    minutes = sum(song.time.duration_s for song in songs) / 60
    each = sum(song.took_s for song in songs) / minutes
    return f"| CPU time, {name} | {each:.2f} s a minute of sound | {minutes:.0f} minutes |"


def of_sounds() -> Iterator[str]:
    """What has no beat beside what has one, and an hour's memory."""
    yield ""
    yield f"| sound of a minute | beat strength (a beat from {STEADY} on) | beats told |"
    yield "| --- | --- | --- |"
    made = {
        "white noise": [sounds.noise(SOUNDS_S, seed) for seed in range(10)],
        "clicks, intervals vary by 15%": [
            sounds.clicks(sounds.rubato(SOUNDS_S, seed), SOUNDS_S) for seed in range(10)
        ],
        "regular clicks, 60 to 160 bpm": [
            sounds.clicks(sounds.regular(bpm, SOUNDS_S), SOUNDS_S) for bpm in range(60, 161, 10)
        ],
        "clicks in 5/4, 130 bpm": [
            sounds.clicks(sounds.regular(130, SOUNDS_S), SOUNDS_S, [0.6, *[0.3] * 4])
        ],
        "clicks in 7/8, 200 bpm": [
            sounds.clicks(sounds.regular(200, SOUNDS_S), SOUNDS_S, [0.6, *[0.3] * 6])
        ],
    }
    for name, several in made.items():
        rhythms = [musical_time([samples]).rhythm for samples in several]
        strengths = [rhythm.strength for rhythm in rhythms]
        beats = sum(len(rhythm.beats_s) for rhythm in rhythms)
        between = f"{min(strengths):.2f} to {max(strengths):.2f}"
        yield f"| {name} ({len(several)}) | {between} | {beats} |"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hour.flac"
        with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as file:
            for block in sounds.an_hour():
                file.write(block)
        song = hear(path)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    yield ""
    yield f"An hour of noise and clicks: {song.took_s:.0f} s of CPU time, {more / 1e3:.0f} MB more."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path, help="the demo corpus: songs.parquet and audio/")
    parser.add_argument("ultrastar", type=Path, help="a folder of UltraStar songs")
    given = parser.parse_args()
    ready()
    for lines in (of_the_demo(given.demo), of_ultrastar(given.ultrastar), of_sounds()):
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
