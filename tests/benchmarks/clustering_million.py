"""A million latents of 128 dimensions, clustered and scored: seconds and peak memory.

    python tests/benchmarks/clustering_million.py [--latents 1000000] [--songs 1000000]

The latents are a mixture of Gaussians (as many as genres) with labels of three tasks; with fewer
songs than latents these are windows, and songs and votes of windows are clustered too. What runs is
what the rule `clusters` runs, in a process of its own, from parquet to parquet.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from harness import watch, write_json

from songatlas import tables

WIDTH, GENRES, LANGUAGES = 128, 10, 4
SPREAD = 4.0
"""Standard deviations between the genres' centres, over all dimensions."""

RULE = """
import sys
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation.scores import write_clusters_and_scores
latents, labels, clusters, scores, algorithms, levels = sys.argv[1:]
write_clusters_and_scores(
    latents, labels, clusters, scores, clusters + ".continuity", model="simulated", seed=0,
    clustering=Clustering(algorithms=algorithms, k="10", levels=levels),
    evaluation=Evaluation(),
)
"""


def write_latents(n: int, songs: int, folder: Path) -> tuple[Path, Path]:
    """Latents and labels of `songs` songs with `n` latents in all; where these are windows, one
    mean latent per song follows."""
    rng = np.random.default_rng(0)
    of_song = rng.integers(0, GENRES, songs)
    tracks = np.array([f"{song:016x}" for song in range(songs)])
    splits = rng.choice(["train", "validation", "test"], songs, p=[0.8, 0.1, 0.1])
    centres = rng.standard_normal((GENRES, WIDTH), np.float32) * SPREAD / np.sqrt(2 * WIDTH)
    song = np.sort(np.arange(n) % songs)
    z = centres[of_song[song]] + rng.standard_normal((n, WIDTH), np.float32)
    if n == songs:
        frame = tables.latents_frame("song", None, tracks, splits, z)
    else:
        window = np.arange(n) - np.searchsorted(song, song)
        ids = [f"{tracks[s]}-{w:04d}" for s, w in zip(song, window, strict=True)]
        starts = np.searchsorted(song, np.arange(songs))
        means = np.add.reduceat(z, starts) / np.bincount(song)[:, None]
        frame = pd.concat(
            [
                tables.latents_frame("window", ids, tracks[song], splits[song], z),
                tables.latents_frame("song", None, tracks, splits, means),
            ],
            ignore_index=True,
        )
    latents, labels = folder / "latents.parquet", folder / "labels.parquet"
    tables.write(frame, latents, tables.LATENTS, {"supervision": "none"})
    named = pd.DataFrame(
        {
            "track_id": tracks,
            "language": np.array([f"language {i}" for i in range(LANGUAGES)])[
                rng.integers(0, LANGUAGES, songs)
            ],
            "genre": np.array([f"genre {i}" for i in range(GENRES)])[of_song],
        }
    )
    blank = tables.empty(tables.LABELS)
    for column in blank.columns.difference(named.columns):
        named[column] = pd.Series([None] * songs, dtype=blank[column].dtype)
    tables.write(named, labels, tables.LABELS)
    return latents, labels


def measure(
    n: int, songs: int, algorithms: str, folder: Path, threads: int = 2
) -> dict[str, object]:
    """Seconds, peak memory and the scores of one run of the rule."""
    latents, labels = write_latents(n, songs, folder)
    outputs = [folder / "clusters.parquet", folder / "scores.parquet"]
    levels = "song" if n == songs else "window,song,song_vote"
    command = [sys.executable, "-c", RULE, latents, labels, *outputs, algorithms, levels]
    found, _ = watch([*map(str, command)], threads=threads)
    scores = tables.read(outputs[1], tables.SCORES)
    best = scores[(scores["metric"] == "nmi") & (scores["task"] == "genre")]
    return {
        "latents": n,
        "songs": songs,
        "levels": levels,
        "algorithms": algorithms,
        **found,
        "nmi_genre": {
            f"{row.level} {row.algorithm} {row.k}": round(row.value, 3) for row in best.itertuples()
        },
        "notes": sorted(set(scores["note"].dropna())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latents", type=int, default=1_000_000)
    parser.add_argument("--songs", type=int, default=1_000_000)
    parser.add_argument("--algorithms", default="kmeans")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        found = measure(arguments.latents, arguments.songs, arguments.algorithms, Path(folder))
    write_json(f"clustering_{arguments.latents}_{arguments.songs}", found)


if __name__ == "__main__":
    main()
