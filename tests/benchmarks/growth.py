"""How time and memory grow with songs, by stage, with the fitted exponent.

    python tests/benchmarks/growth.py [--largest 10000]

Each point runs in a process of its own. Extraction repeats the real songs; latents of 32 dimensions
are a mixture of ten Gaussians; training and embedding run on noise of 128 × 1292 (ten windows a
song, `conv_vae` up to `TRAINED` songs: its time is that of its steps). The exponent is the slope of
log time over log songs from 100 songs on, start-up of the process left out.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from harness import watched_child, write_json

SIZES = (10, 100, 1000, 3000, 10_000, 30_000)
ALGORITHMS = ("kmeans", "agglomerative", "gmm", "dbscan", "hdbscan", "spectral")
SCORES = ("agreement", "shape")
TRAINED = 30
EXTRACTED = 10
WIDTH, K = 32, 10
FIT_FROM = 100


def latents(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    of = rng.integers(0, K, n)
    return rng.standard_normal((K, WIDTH))[of] + rng.standard_normal((n, WIDTH)) * 0.7, of


def cluster_songs(algorithm: str, n: int) -> dict[str, Any]:
    from songatlas.clustering.algorithms import WITHOUT_K, cluster

    cluster(latents(50)[0], algorithm, None if algorithm in WITHOUT_K else 3)  # imports
    z, _ = latents(n)
    began = time.perf_counter()
    found = cluster(z, algorithm, None if algorithm in WITHOUT_K else K)
    return {"seconds": time.perf_counter() - began, "note": found.note}


def score_songs(which: str, n: int) -> dict[str, Any]:
    from songatlas.config.evaluation import Evaluation
    from songatlas.clustering.algorithms import Clustering
    from songatlas.clustering.levels import Attempt, Points
    from songatlas.evaluation.bootstrap import song_weights
    from songatlas.evaluation.internal import distances_between
    from songatlas.evaluation.scores import external_scores, internal_scores, target

    evaluation = Evaluation()

    def run(n: int) -> float:
        z, of = latents(n)
        songs = tuple(f"{i:08d}" for i in range(n))
        labels = np.where(np.random.default_rng(1).random(n) < 0.3, (of + 1) % K, of)
        points = Points("song", songs, None, z)
        attempt = Attempt(points, "kmeans", K, Clustering(labels.astype(np.int32)))
        began = time.perf_counter()
        if which == "agreement":
            named = {song: f"class {c}" for song, c in zip(songs, of, strict=True)}
            external_scores(labels, target(points, "genre", named, evaluation))
        else:
            weights = song_weights(n, evaluation.bootstraps, 0, "song")
            internal_scores(attempt, weights, distances_between(z))
        return time.perf_counter() - began

    run(50)
    return {"seconds": run(n)}


def extract_songs(n: int) -> dict[str, Any]:
    import extraction

    extraction.torch.set_num_threads(1)
    real = extraction.songs_in(extraction.DEFAULT)
    songs = [real[i % len(real)] for i in range(n)]
    with tempfile.TemporaryDirectory() as name:
        extraction.ours(real[:1], None, Path(name) / "warm.parquet")
        began = time.perf_counter()
        extraction.ours(songs, None, Path(name) / "part.parquet")
        return {"seconds": time.perf_counter() - began}


def pass_songs(what: str, n: int) -> dict[str, Any]:
    """One epoch of `conv_vae`, or its latents."""
    import full_size_steps as steps
    import torch

    from songatlas.run.memory import keep_freed_memory
    from songatlas.training.data import Batches, Windows, prepare

    keep_freed_memory()
    loop = steps.Loop("conv_vae", {}, fast=True)
    windows = Windows(
        tuple(f"{i}" for i in range(10 * n)),
        tuple(f"{i // 10}" for i in range(10 * n)),
        ("train",) * (10 * n),
        torch.randn(10 * n, 128, 1292).half(),
    )

    def run(rows: np.ndarray) -> float:
        began = time.perf_counter()
        for batch in Batches(windows, rows, steps.BATCH):
            loop.given = prepare(batch)
            if what == "train":
                loop.step()
            else:
                with torch.inference_mode(), torch.autocast("cpu", enabled=loop.bf16):
                    loop.model.embed(loop.given)
        return time.perf_counter() - began

    run(np.arange(32) % (10 * n))
    return {"seconds": run(np.arange(10 * n))}


def measure(stage: str, n: int) -> dict[str, Any]:
    kind, _, name = stage.partition(":")
    if kind == "cluster":
        return cluster_songs(name, n)
    if kind == "score":
        return score_songs(name, n)
    if kind == "extract":
        return extract_songs(n)
    return pass_songs(name, n)


def stages(largest: int) -> dict[str, list[int]]:
    sizes = [n for n in SIZES if n <= largest]
    found = {f"cluster:{name}": sizes for name in ALGORITHMS}
    found |= {f"score:{name}": sizes for name in SCORES}
    found["extract:logmel"] = [1, 3, EXTRACTED, 3 * EXTRACTED]
    found |= {f"pass:{name}": [3, 10, TRAINED] for name in ("train", "embed")}
    return found


def exponent(points: list[dict[str, Any]]) -> float | None:
    """Slope of log seconds over log songs."""
    some = [p for p in points if p["songs"] >= FIT_FROM] or points
    if len(some) < 2:
        return None
    x, y = np.log([p["songs"] for p in some]), np.log([p["seconds"] for p in some])
    return round(float(np.polyfit(x, y, 1)[0]), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=30_000)
    parser.add_argument("--child", nargs=2, metavar=("STAGE", "SONGS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        stage, n = arguments.child
        print("CHILD", json.dumps(measure(stage, int(n))))
        return
    found = {}
    for stage, sizes in stages(arguments.largest).items():
        points = []
        for n in sizes:
            command = [sys.executable, __file__, "--child", stage, str(n)]
            points.append({"songs": n, **watched_child(command)})
        found[stage] = {"points": points, "exponent": exponent(points)}
        seconds = [round(point["seconds"], 3) for point in points]
        print(stage, dict(zip(sizes, seconds, strict=True)), found[stage]["exponent"], flush=True)
    write_json("growth", {"fit_from": FIT_FROM, "stages": found})


if __name__ == "__main__":
    main()
