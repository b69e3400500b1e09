"""An epoch's batches from memory and from shards: windows a second, and memory.

Each way in a process of its own, in turns: an epoch is read as training reads it, without training.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

SONGS, WINDOWS, MELS, FRAMES, SHARDS, TURNS = 240, 12, 64, 1292, 8, 3


def write(folder: Path) -> None:
    """Smooth spectrograms in dB: 240 songs of 12 windows of 30 s, 0.5 GB in memory."""
    from songatlas import tables

    rng = np.random.default_rng(0)
    ids = [f"{song:04d}-{i:02d}" for song in range(SONGS) for i in range(WINDOWS)]
    frame = pd.DataFrame({"window_id": ids, "track_id": [name[:4] for name in ids]})
    frame = frame.assign(index=0, start_s=0.0, end_s=30.0, split="train", padded=False, lyrics=None)
    tables.write(frame, folder / "windows.parquet", tables.WINDOWS)
    for shard in range(SHARDS):
        with tables.FeatureWriter(
            folder / f"part-{shard}.parquet", "logmel", (MELS, FRAMES), "float16", units="dB"
        ) as writer:
            for song in range(shard, SONGS, SHARDS):
                values = rng.normal(-40.0, 12.0, (WINDOWS, MELS, FRAMES)).astype(np.float16)
                writer.write(ids[song * WINDOWS : (song + 1) * WINDOWS], values)


def measure(folder: Path, streamed: bool) -> None:
    """Print windows a second after the data are there, seconds until then, and peak memory."""
    from songatlas.models.base import InputSpec
    from songatlas.training import data, stored

    if streamed:
        data.IN_MEMORY_BYTES = 0
        stored.POOL_BYTES, stored.KEPT_BYTES = 64 * 2**20, 128 * 2**20
    started = time.perf_counter()
    spec = InputSpec(n_mels=MELS, n_frames=FRAMES, lyrics_dim=4, max_lines=1)
    windows, _ = data.read_windows(
        folder / "windows.parquet", sorted(folder.glob("part-*.parquet")), spec
    )
    ready = time.perf_counter()
    n = sum(len(batch["row"]) for batch in data.Batches(windows, windows.rows("train"), 32, 0))
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(n / (done - ready), ready - started, peak)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        found: dict[str, list[list[float]]] = {"memory": [], "shards": []}
        for _ in range(TURNS):
            for way, runs in found.items():
                done = subprocess.run(
                    [sys.executable, __file__, name, way],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                runs.append([float(value) for value in done.stdout.split()])
    print("from      windows/s   ready after   peak memory")
    for way, runs in found.items():
        rate, ready, peak = np.median(np.array(runs), axis=0)
        print(f"{way:<8} {rate:>10.0f} {ready:>11.1f} s {peak:>10.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(Path(sys.argv[1]), sys.argv[2] == "shards")
    else:
        main()
