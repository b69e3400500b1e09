"""How musicnn's two layers are made comparable: each way's clusters, and what needs no labels.

    python tests/benchmarks/musicnn_preparation.py results/clips [results/real ...]

Of finished features of runs it prints, per run and preparation: NMI and AMI of k-means with genre
(as many clusters as genres, mean over five seeds), and two figures that no label enters: how far
clusters agree that are found in two halves of the songs (adjusted Rand index, ten splits), and how
often the nearest window elsewhere, none that overlaps it, is of the same song.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from songatlas import tables
from songatlas.features.vectors.representations import unit_length

SEEDS = range(5)
SPLITS = 10


def standardised(z: np.ndarray) -> np.ndarray:
    scale = z.std(axis=0)
    return (z - z.mean(axis=0)) / np.where(scale > 0, scale, 1.0)


def each(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Change the layer of each network by itself."""
    return lambda z: np.hstack([change(z[:, :200]), change(z[:, 200:])])


PREPARATIONS = {
    "as they are": lambda z: z,
    "unit length each": each(unit_length),
    "standardised": standardised,
    "standardised, unit length each": lambda z: each(unit_length)(standardised(z)),
    "standardised, unit length": lambda z: unit_length(standardised(z)),
    "unit length each, standardised": lambda z: standardised(each(unit_length)(z)),
    "MSD alone, unit length": lambda z: unit_length(z[:, :200]),
    "MTT alone, unit length": lambda z: unit_length(z[:, 200:]),
}


def agreement(z: np.ndarray, genres: np.ndarray, k: int) -> tuple[float, float]:
    """Mean NMI and AMI over seeds."""
    found = [KMeans(k, n_init=10, random_state=seed).fit_predict(z) for seed in SEEDS]
    nmi = [normalized_mutual_info_score(genres, labels) for labels in found]
    return float(np.mean(nmi)), float(
        np.mean([adjusted_mutual_info_score(genres, labels) for labels in found])
    )


def stability(z: np.ndarray, k: int) -> float:
    """Agreement of clusters found in two halves of the songs."""
    rng, found = np.random.default_rng(0), []
    for _ in range(SPLITS):
        one, other = np.array_split(rng.permutation(len(z)), 2)
        labels = [KMeans(k, n_init=5, random_state=0).fit(z[h]).predict(z) for h in (one, other)]
        found.append(adjusted_rand_score(*labels))
    return float(np.mean(found))


def same_song(z: np.ndarray, windows: pd.DataFrame) -> float:
    """Share of windows whose nearest one, of those that do not overlap it, is of its song."""
    z = z - z.mean(axis=0)
    likeness = unit_length(z) @ unit_length(z).T
    song, start, end = (windows[name].to_numpy() for name in ("track_id", "start_s", "end_s"))
    overlaps = (song[:, None] == song) & (start[:, None] < end) & (start < end[:, None])
    nearest = np.where(overlaps, -np.inf, likeness).argmax(axis=1)
    several = pd.Series(song).map(pd.Series(song).value_counts()).to_numpy() > 2
    return float((song[nearest] == song)[several].mean()) if several.any() else float("nan")


def of_run(folder: Path) -> None:
    feature = folder / "features" / "musicnn"
    ids, songs = tables.read_feature(sorted(feature.glob("songs-*.parquet")))
    window_ids, values = tables.read_feature(sorted(feature.glob("part-*.parquet")))
    labels = tables.read(folder / "corpus" / "labels.parquet", tables.LABELS)
    genres = labels.set_index("track_id")["genre"].reindex(ids).fillna("").to_numpy(dtype=str)
    windows = tables.read(folder / "corpus" / "windows.parquet", tables.WINDOWS)
    windows = windows.set_index("window_id").loc[window_ids].reset_index()
    k = len(set(genres))
    print(f"\n{folder.name}: {len(ids)} songs, {len(window_ids)} windows, k = {k}\n")
    print("| preparation | NMI | AMI | stability | same song |")
    print("| --- | --- | --- | --- | --- |")
    for name, prepare in PREPARATIONS.items():
        z = prepare(songs[:, :400].astype(np.float64))
        nmi, ami = agreement(z, genres, k) if k > 1 else (float("nan"), float("nan"))
        nearest = same_song(prepare(values[:, :400].astype(np.float64)), windows)
        print(f"| {name} | {nmi:.3f} | {ami:.3f} | {stability(z, k):.3f} | {nearest:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    for folder in parser.parse_args().runs:
        of_run(folder)


if __name__ == "__main__":
    main()
