"""Shape, rate and memory of every pretrained encoder on its tiny checkpoint.

    python tests/benchmarks/encoders.py

Each runs in a process of its own, on one thread, eight windows of 10 s in batches of eight. The
checkpoints are tiny: the numbers are those of decoding, processors and calls, not of the published
weights.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WINDOWS, SECONDS, REPEATS = 8, 10.0, 5


def measure(name: str) -> str:
    """A row of the table."""
    import torch

    import tiny_encoders
    from songatlas.config.features import Pretrained
    from songatlas.features.encoders.load import load_encoder

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        weights = {name: str(tiny_encoders.checkpoint(name, Path(folder)))}
        settings = Pretrained(
            weights=weights,
            allow_restricted=True,
            device="cpu",
        )
        encoder = load_encoder(name, settings)
    samples = round(SECONDS * encoder.sample_rate_hz)
    windows = np.random.default_rng(0).normal(0, 0.1, (WINDOWS, samples)).astype(np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        vectors = encoder.embed_audio(windows)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    dims = [layer.dim for layer in encoder.layers]
    rate = WINDOWS / statistics.median(times)
    return (
        f"| `{name}` | {vectors.shape[1]} ({', '.join(map(str, dims))}) | {rate:.1f} "
        f"| {peak / 1024:.0f} MB ({(peak - before) / 1024:.0f} MB) |"
    )


def main() -> None:
    import tiny_encoders

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", help="measure one encoder in this process")
    one = parser.parse_args().one
    if one:
        print(measure(one))
        return
    print("| name | values per window (by layer) | windows per s | peak memory (of encoding) |")
    print("| --- | --- | ---: | ---: |")
    for name in tiny_encoders.CHECKPOINTS:
        command = [sys.executable, __file__, "--one", name]
        done = subprocess.run(command, capture_output=True, text=True)
        last = done.stdout.strip().split("\n")[-1]
        print(last if done.returncode == 0 else f"| `{name}` | not measured: no package | | |")


if __name__ == "__main__":
    main()
