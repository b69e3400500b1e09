"""How many times faster than real time both musicnn networks are on one core, beside decoding.

    python tests/benchmarks/musicnn_speed.py [folder of MP3 files]

One thread. Seconds are the processor's, so that what else runs on the machine takes none of them.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import torch
from extraction import DEFAULT
from harness import in_turns, write_json
from songatlas.corpus.sound.decode import decode
from songatlas.features.encoders.musicnn import SAMPLE_RATE_HZ
from songatlas.features.encoders.musicnn.song import Musicnn
from songatlas.features.encoders.wheels import checked_wheel

EXCERPTS = 8


def processor_seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--songs", type=int, default=3)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    songs = sorted(arguments.folder.glob("*.mp3"))[: arguments.songs]
    if not songs:
        raise SystemExit(f"{arguments.folder}: no *.mp3 in it")
    torch.set_num_threads(1)
    network = Musicnn(checked_wheel("musicnn"))

    def decoded() -> list[np.ndarray]:
        return [decode(song, SAMPLE_RATE_HZ) for song in songs]

    def embedded(excerpts: int | None) -> None:
        for samples in decoded():
            network.embed_song(samples, excerpts)

    seconds = sum(map(len, decoded())) / SAMPLE_RATE_HZ
    times = in_turns(
        {
            "decoding": lambda: processor_seconds(decoded),
            "decoding_and_both_networks": lambda: processor_seconds(lambda: embedded(None)),
            f"decoding_and_{EXCERPTS}_excerpts": lambda: processor_seconds(
                lambda: embedded(EXCERPTS)
            ),
        },
        arguments.turns,
    )
    write_json(
        "musicnn_speed",
        {
            "songs": len(songs),
            "song_seconds": round(seconds, 1),
            "times_real_time": {
                way: {
                    "median": round(seconds / found.median, 1),
                    "least": round(seconds / max(found.seconds), 1),
                    "largest": round(seconds / min(found.seconds), 1),
                }
                for way, found in times.items()
            },
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        },
    )


if __name__ == "__main__":
    main()
