"""Extraction against the librosa loop: with decoding, without, on two cores; bytes and error.

    python tests/benchmarks/extraction.py [folder of MP3 files]

One thread a process. Ours writes parquet and, where it says so, reads it back and derives MFCC and
both derivatives; the loop keeps its arrays in memory.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import librosa_loop
import numpy as np
import soundfile
import torch
from harness import in_turns, ratio, timed, write_json
from songatlas import tables
from songatlas.corpus.sound.decode import decode, decode_windows
from songatlas.features.audio.logmel import stored_log_mel
from songatlas.features.audio.descriptors import delta, mfcc
from songatlas.config.features import LogMel
from songatlas.config.corpus import Windows
from songatlas.run.memory import keep_freed_memory

CONFIG, WINDOWS = LogMel(), Windows()
LENGTH_S = WINDOWS.length_s
SHAPE = (CONFIG.n_mels, CONFIG.n_frames(LENGTH_S))
AT_ONCE = 16
DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "jamendolyrics" / "mp3"
Songs = list[tuple[Path, list[float]]]


def songs_in(folder: Path) -> Songs:
    """Songs with the starts of their windows in seconds."""
    found = []
    for path in sorted(folder.glob("*.mp3")):
        seconds = soundfile.info(path).duration
        count = max(1, 1 + int((seconds - LENGTH_S) // WINDOWS.hop_s))
        found.append((path, [i * WINDOWS.hop_s for i in range(count)]))
    return found


def ours(songs: Songs, held: Mapping[Path, np.ndarray] | None, part: Path) -> None:
    """A shard's log-mel spectrograms as parquet; decoded here, where no samples are `held`."""
    with tables.FeatureWriter(part, "logmel", SHAPE, "float16", units="dB") as writer:
        for path, starts_s in songs:
            if held is None:
                windows = list(decode_windows(path, CONFIG.sample_rate_hz, starts_s, LENGTH_S))
            else:
                windows = cut(held[path], starts_s)
            for first in range(0, len(windows), AT_ONCE):
                some = np.stack(windows[first : first + AT_ONCE])
                ids = [f"{path.stem}-{first + i:04d}" for i in range(len(some))]
                writer.write(ids, stored_log_mel(some, CONFIG))


def cut(samples: np.ndarray, starts_s: list[float]) -> list[np.ndarray]:
    length = round(LENGTH_S * CONFIG.sample_rate_hz)
    starts = [round(start_s * CONFIG.sample_rate_hz) for start_s in starts_s]
    return [samples[start : start + length] for start in starts]


def derive(part: Path) -> None:
    """Read a part and derive MFCC, Δ and ΔΔ, as models and baselines do."""
    for _, values in tables.iter_feature([part]):
        static = mfcc(values, 40)
        delta(static), delta(static, order=2)


def theirs(song: tuple[Path, list[float]], samples: np.ndarray | None) -> list[np.ndarray]:
    path, starts_s = song
    given = librosa_loop.load(path) if samples is None else samples
    return librosa_loop.features(given, starts_s, LENGTH_S)


def shard(songs: Songs, part: Path) -> None:
    torch.set_num_threads(1)
    ours(songs, None, part)
    derive(part)


def on_cores(pool: ProcessPoolExecutor, songs: Songs, folder: Path) -> float:
    """Seconds for all songs in two shards, one a process."""
    parts = [folder / "part-0.parquet", folder / "part-1.parquet"]
    return timed(lambda: list(pool.map(shard, [songs[::2], songs[1::2]], parts)))


def sizes(songs: Songs, part: Path) -> dict[str, float]:
    """Bytes a window on disk against float32 of everything, and the largest error in dB."""
    ours(songs, None, part)
    samples = [decode(path, CONFIG.sample_rate_hz) for path, _ in songs]
    reference = [
        window
        for (_, starts_s), held in zip(songs, samples, strict=True)
        for window in librosa_loop.features(held, starts_s, LENGTH_S)
    ]
    values = np.concatenate([block for _, block in tables.iter_feature([part])])
    log_mels = np.stack(reference)[:, : CONFIG.n_mels]
    bytes_kept = sum(window.nbytes for window in reference) / len(reference)
    stored = part.stat().st_size / len(values)
    return {
        "bytes_per_window": round(stored),
        "bytes_per_window_float32_everything": round(bytes_kept),
        "share": round(stored / bytes_kept, 3),
        "largest_error_db": round(float(np.abs(values - log_mels).max()), 4),
    }


HELD: dict[Path, np.ndarray] = {}
"""Decoded songs of this process."""


def hold(songs: Songs) -> float:
    """Decode what `loop` and `stored` are given; seconds of audio."""
    torch.set_num_threads(1)
    for path, _ in songs:
        HELD[path] = decode(path, CONFIG.sample_rate_hz)
    return sum(len(samples) for samples in HELD.values()) / CONFIG.sample_rate_hz


def loop(songs: Songs, given: bool) -> float:
    """Seconds of the librosa loop."""
    return timed(lambda: [theirs(song, HELD[song[0]] if given else None) for song in songs])


def stored(songs: Songs, part: Path, given: bool, derived: bool) -> float:
    """Seconds of ours."""

    def run() -> None:
        ours(songs, HELD if given else None, part)
        if derived:
            derive(part)

    return timed(run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--songs", type=int, default=4)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    songs = songs_in(arguments.folder)[: arguments.songs]
    if not songs:
        raise SystemExit(f"{arguments.folder}: no *.mp3 in it")
    with (
        tempfile.TemporaryDirectory() as name,
        # Processes of their own: how memory is kept is the process's, as in the rule.
        ProcessPoolExecutor(1) as their_pool,
        ProcessPoolExecutor(1, initializer=keep_freed_memory) as our_pool,
        ProcessPoolExecutor(2, initializer=keep_freed_memory) as two_pool,
    ):
        folder = Path(name)
        part = folder / "part.parquet"
        their_pool.submit(hold, songs).result()
        seconds = our_pool.submit(hold, songs).result()

        def their(given: bool) -> float:
            return their_pool.submit(loop, songs, given).result()

        def our(given: bool, derived: bool) -> float:
            return our_pool.submit(stored, songs, part, given, derived).result()

        times = in_turns(
            {
                "loop": lambda: their(False),
                "ours": lambda: our(False, True),
                "to_parquet": lambda: our(False, False),
                "loop_given": lambda: their(True),
                "ours_given": lambda: our(True, True),
                "to_parquet_given": lambda: our(True, False),
            },
            arguments.turns,
        )
        on_cores(two_pool, songs, folder)
        cores = in_turns(
            {"one": lambda: our(False, True), "two": lambda: on_cores(two_pool, songs, folder)},
            arguments.turns,
        )
        kept = sizes(songs[:3], part)
    write_json(
        "extraction",
        {
            "songs": len(songs),
            "song_seconds": round(seconds, 1),
            "windows": sum(len(starts) for _, starts in songs),
            "decode_to_parquet_and_mfcc_on_read": ratio(times["loop"], times["ours"]),
            "decode_to_parquet": ratio(times["loop"], times["to_parquet"]),
            "without_decoding_and_mfcc_on_read": ratio(times["loop_given"], times["ours_given"]),
            "without_decoding": ratio(times["loop_given"], times["to_parquet_given"]),
            "times_real_time_per_core": {
                way: round(seconds / times[way].median) for way in ("loop", "ours", "to_parquet")
            },
            "two_cores_against_one": ratio(cores["one"], cores["two"]),
            "stored": kept,
        },
    )


if __name__ == "__main__":
    main()
