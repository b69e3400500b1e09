"""Which block of a latent counts at which number of clusters: stability decides, without labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from songatlas.clustering.algorithms import cluster
from songatlas.clustering.stability import stability

DRAWS = 12
"""Bootstrap draws behind a block's stability."""

MAX_POINTS = 2000
"""Points that stabilities are measured on; of more, evenly spaced ones."""

SMALLEST_DOUBT = 0.01
"""1 - stability is at least this: a partition that no draw changed is not infinitely certain."""

POWER = 2.0
"""Of the odds of stability. 1 would let a block at 0.94 keep a fifth of the weight beside 0.99."""

NEGLIGIBLE = 0.1
"""Weights below this are 0: mixtures with full covariances ignore scale, but not absence."""

STARTS = 10
"""Of k-means: one draw of twelve in a poor optimum would pass for instability."""

FINER = 3
"""How many finer partitions, of k + 1 clusters and more, can explain that k clusters are stable."""

LEAST_SHARE = 0.5
"""A block that fewer rows than this have cannot say how all rows are grouped."""


@dataclass(frozen=True)
class Gate:
    """Stability and weight of one block at one number of clusters; weights of a k sum to 1."""

    k: int
    block: str
    stability: float
    weight: float


def balanced(
    z: np.ndarray, blocks: Mapping[str, tuple[int, int]], like: np.ndarray | None = None
) -> np.ndarray:
    """Blocks of `z` (n, d) centred and scaled to total variance 1 over rows that have them.

    With `like` (m, d) the means and variances are of its rows. A block of zeros is missing and
    stays zeros, which is the mean of the others: it neither draws its song to a cluster nor away.
    Constant blocks become zeros.
    """
    found = np.zeros_like(np.asarray(z, np.float64))
    for start, stop in blocks.values():
        part = np.asarray(z[:, start:stop], np.float64)
        there = part.any(axis=1)
        known = part[there]
        if like is not None:
            known = np.asarray(like[:, start:stop], np.float64)
            known = known[known.any(axis=1)]
        if not there.any() or not len(known):
            continue
        mean = known.mean(axis=0)
        total = (known - mean).var(axis=0).sum()
        if total > np.finfo(np.float32).eps:
            found[there, start:stop] = (part[there] - mean) / np.sqrt(total)
    return found


def gates(
    z: np.ndarray,
    blocks: Mapping[str, tuple[int, int]],
    ks: Sequence[int],
    seed: int,
    track_ids: Sequence[str] | None = None,
) -> list[Gate]:
    """Weight of every block at every k.

    A block should have a say at k when k is how many groups it has itself. Two things are asked:

    1. Do its k clusters come back when other songs are drawn? The odds s / (1 - s) of the stability
       s (mean adjusted mutual information of k-means between bootstrap draws of songs, Ben-Hur et
       al. 2002), to the power `POWER`. With too many clusters for its groups a block splits one of
       them, each draw another way: s falls.
    2. Is k its own number, or does it merge? With too few, s need not fall: which two of four
       groups are nearest can be as certain as the four are. But then the four are as stable as the
       three, and say which of the three a song is in. So the odds are multiplied by `owned`: how
       often pairs of draws agree better on k clusters than on finer ones that determine them. The
       finer ones are the next `FINER` of every block: a shared block may merge another's groups.
       All k see the same draws, hence pairs are compared one by one, without a threshold on s.

    Both are times the share of rows that have the block; nothing here has seen a label. A block too
    small to be clustered, or that fewer than `LEAST_SHARE` of the rows have, has weight 0. Where no
    block owns k, stability alone decides; where no block can be clustered, they weigh the same.
    """
    from sklearn.metrics import homogeneity_score

    step = max(1, -(-len(z) // MAX_POINTS))
    z = np.asarray(z, np.float64)[::step]
    tracks = None if track_ids is None else np.asarray(track_ids)[::step]
    there = {name: z[:, start:stop].any(axis=1) for name, (start, stop) in blocks.items()}
    known: dict[tuple[str, int], np.ndarray] = {}
    labels: dict[tuple[str, int], Any] = {}

    def agreement(block: str, k: int) -> np.ndarray:
        if (block, k) not in known:
            start, stop = blocks[block]
            rows = there[block]
            songs = None if tracks is None else list(tracks[rows])
            known[block, k] = stability(
                z[rows, start:stop], "kmeans", k, DRAWS, seed, track_ids=songs, n_init=STARTS
            ).pairwise
        return known[block, k]

    def clusters(block: str, k: int) -> np.ndarray | None:
        if (block, k) not in labels:
            start, stop = blocks[block]
            found = cluster(z[there[block], start:stop], "kmeans", k, n_init=STARTS, seed=seed)
            labels[block, k] = None
            if found.labels is not None:
                labels[block, k] = np.full(len(z), -1)
                labels[block, k][there[block]] = found.labels
        return labels[block, k]

    def own_share(block: str, k: int) -> float:
        rivals = []
        coarse = clusters(block, k)
        for other in blocks:
            for finer in range(k + 1, k + FINER + 1):
                fine = clusters(other, finer)
                if coarse is not None and fine is not None:
                    both = there[block] & there[other]
                    told = float(homogeneity_score(coarse[both], fine[both]))
                    rivals.append((agreement(other, finer), told))
        return owned(agreement(block, k), rivals)

    share = np.array([there[block].mean() for block in blocks])
    found = []
    for k in ks:
        values = np.array([_mean(agreement(block, k)) for block in blocks])
        own = np.array([own_share(block, k) for block in blocks])
        s = np.clip(np.nan_to_num(values), 0.0, 1.0)
        raw = (s / np.maximum(1.0 - s, SMALLEST_DOUBT)) ** POWER * share
        raw[share < LEAST_SHARE] = 0.0
        if (raw * own).any():
            raw = raw * own
        weights = raw / raw.sum() if raw.any() else np.full(len(raw), 1.0 / len(raw))
        weights[weights < NEGLIGIBLE] = 0.0
        weights /= weights.sum()
        found += [
            Gate(k, block, float(value), float(weight))
            for block, value, weight in zip(blocks, values, weights, strict=True)
        ]
    return found


def owned(agreement: np.ndarray, rivals: Sequence[tuple[np.ndarray, float]]) -> float:
    """How far k clusters are more than a merge of finer ones, 0 to 1: the least over all rivals.

    `agreement` (p,) is of every pair of draws at k. A rival is its agreement (p,), and the share of
    the k clusters' entropy that it determines (homogeneity, Rosenberg and Hirschberg 2007), which
    it takes away in the pairs where it is as stable. One that lacks draws (too few songs for so
    many clusters) is none. 0 without a pair.
    """
    if not len(agreement):
        return 0.0
    return min(
        (
            1.0 - told * float((agreement <= rival + SMALLEST_DOUBT).mean())
            for rival, told in rivals
            if len(rival) == len(agreement)
        ),
        default=1.0,
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def weighted(
    z: np.ndarray, blocks: Mapping[str, tuple[int, int]], weights: Mapping[str, float]
) -> np.ndarray:
    """`balanced` blocks times the root of their weight; blocks of weight 0 are left out."""
    parts = [
        np.sqrt(weights[name]) * z[:, start:stop]
        for name, (start, stop) in blocks.items()
        if weights[name] > 0.0
    ]
    return np.concatenate(parts, axis=1)


def describe(found: Sequence[Gate]) -> str:
    """The gates of one k in words, for the note of a clustering."""
    shares = ", ".join(f"{gate.block} {gate.weight:.2f}" for gate in found)
    return f"blocks weighted by stability: {shares}"
