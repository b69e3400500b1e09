"""One partition that stands for many: consensus clustering by evidence accumulation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from songatlas.clustering.algorithms import LARGE

SAME = 1e-9
"""Distance below which two points count as never told apart."""


@dataclass(frozen=True)
class Consensus:
    """A consensus partition; all arrays are None where there is none, and `note` says why.

    `labels` of shape (n,) int32 count from 0 in order of first appearance. `confidence` of shape
    (n,) float64 is each point's mean co-association with the other points of its cluster (the item
    consensus of Monti et al. 2003), `of_cluster` of shape (K,) float64 the mean over a cluster's
    pairs (its cluster consensus); both lie in [0, 1] and are NaN where a cluster has one point.
    """

    labels: np.ndarray | None
    confidence: np.ndarray | None = None
    of_cluster: np.ndarray | None = None
    note: str | None = None


def coassociation(partitions: np.ndarray) -> np.ndarray:
    """Share of `partitions` (P, n) in which two points are together, shape (n, n) float32.

    Noise (-1) is together with nothing but itself.
    """
    together = np.zeros((partitions.shape[1],) * 2, np.float32)
    for labels in partitions:
        together += (labels[:, None] == labels) & (labels >= 0)
    together /= max(len(partitions), 1)
    np.fill_diagonal(together, 1.0)
    return together


def consensus(
    partitions: Sequence[np.ndarray], k: int, *, limit: int = LARGE, seed: int = 0
) -> Consensus:
    """Cut the average-linkage tree of the co-associations at `k` clusters (Fred and Jain 2005).

    Above `limit` points the tree is that of a sample, since the matrix needs n² memory; every other
    point joins the cluster with which it is together most often.

    Args:
        partitions: labels of shape (n,) each, of the same points; -1 is noise. Their names mean
            nothing: any renaming of a partition's clusters gives the same result.
        k: number of clusters. There are fewer where the partitions tell fewer groups apart.
        limit: most points whose co-association matrix is held.
        seed: of the sample.

    Raises:
        ValueError: when the partitions are not of the same points.
    """
    if not len(partitions):
        return Consensus(None, note="no partition to build a consensus on")
    if len({len(labels) for labels in partitions}) > 1:
        raise ValueError("partitions of different numbers of points")
    stacked = np.stack([np.asarray(labels, np.int64) for labels in partitions])
    n = stacked.shape[1]
    if not 2 <= k < n:
        return Consensus(None, note=f"k = {k} is not between 2 and n - 1 = {n - 1}")
    notes = []
    sample = np.arange(n)
    if n > limit:
        sample = np.sort(np.random.default_rng(seed).choice(n, limit, replace=False))
        notes.append(f"consensus of a sample of {limit} of {n} points; the others follow it")
    labels, found = _cut(1.0 - coassociation(stacked[:, sample]), min(k, len(sample)))
    if found < k:
        notes.append(f"the partitions tell {found} groups apart, not {k}")
    if n > limit:
        followed = _together(stacked, sample, labels).argmax(axis=1)
        followed[sample] = labels
        labels = followed
    labels = pd.factorize(labels)[0].astype(np.int32)
    confidence = _confidence(stacked, labels)
    of_cluster = np.bincount(labels, confidence) / np.bincount(labels)
    return Consensus(labels, confidence, of_cluster, "; ".join(notes) or None)


def _cut(distances: np.ndarray, k: int) -> tuple[np.ndarray, int]:
    """Labels at `k` clusters, or at as many as there are points at a distance of one another."""
    from sklearn.cluster import AgglomerativeClustering

    def fitted(clusters: int) -> AgglomerativeClustering:
        return AgglomerativeClustering(
            clusters, metric="precomputed", linkage="average", compute_distances=True
        ).fit(distances)

    tree = fitted(k)
    groups = len(distances) - int((tree.distances_ < SAME).sum())
    return (tree.labels_, k) if groups >= k else (fitted(groups).labels_, groups)


def _together(partitions: np.ndarray, members: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean co-association of every point with the `members` of every cluster, shape (n, K).

    A member counts itself. `labels` are those of the members. Needs no n² memory.
    """
    sizes = np.bincount(labels)
    total = np.zeros((partitions.shape[1], len(sizes)))
    for partition in partitions:
        counts = np.zeros((int(partition.max(initial=-1)) + 2, len(sizes)))
        np.add.at(counts, (partition[members], labels), 1.0)
        counts[-1] = 0.0  # noise is together with nothing
        total += counts[partition]
    return total / (len(partitions) * sizes)


def _confidence(partitions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    n = len(labels)
    size = np.bincount(labels)[labels]
    own = _together(partitions, np.arange(n), labels)[np.arange(n), labels] * size
    itself = (partitions >= 0).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(size > 1, (own - itself) / (size - 1), np.nan)
    return np.clip(mean, 0.0, 1.0)
