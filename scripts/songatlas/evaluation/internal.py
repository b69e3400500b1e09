"""Shape of clusters without labels, and its bootstrap draws. Noise is left out."""

from dataclasses import dataclass

import numpy as np

SILHOUETTE_POINTS = 5_000
"""Above this many points the silhouette is that of a sample; it needs all pairwise distances."""


@dataclass(frozen=True)
class Internal:
    """Scores by metric, their bootstrap draws of shape (B,), and the number of points behind."""

    values: dict[str, float]
    draws: dict[str, np.ndarray]
    n: int
    note: str | None = None


def internal(
    z: np.ndarray, labels: np.ndarray, weights: np.ndarray, distances: np.ndarray | None = None
) -> Internal:
    """Silhouette, Calinski–Harabasz and Davies–Bouldin of one clustering.

    Args:
        z: points of shape (n, d).
        labels: of shape (n,); -1 is noise.
        weights: how often each point is drawn, shape (B, n).
        distances: between all points, shape (n, n), where known.
    """
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_samples

    inside = labels >= 0
    n = int(inside.sum())
    count = len(np.unique(labels[inside]))
    if count < 2:
        return Internal({}, {}, n, "fewer than 2 clusters")
    if count >= n:
        return Internal({}, {}, n, "every point is a cluster of its own")
    everything = bool(inside.all())
    if not everything:
        z, labels, weights = z[inside], labels[inside], weights[:, inside]
    note, sample = None, np.arange(n)
    if n > SILHOUETTE_POINTS:
        sample = np.sort(np.random.default_rng(0).choice(n, SILHOUETTE_POINTS, replace=False))
        note = f"silhouette of a sample of {SILHOUETTE_POINTS} points"
    values = {
        "calinski_harabasz": float(calinski_harabasz_score(z, labels)),
        "davies_bouldin": float(davies_bouldin_score(z, labels)),
    }
    centred = z - z.mean(axis=0)
    draws = {
        "calinski_harabasz": _calinski_harabasz_draws(centred, labels, weights),
        "davies_bouldin": _davies_bouldin_draws(centred, labels, weights),
    }
    del centred
    if 1 < len(np.unique(labels[sample])) < len(sample):
        if distances is not None and n <= SILHOUETTE_POINTS:
            square = distances if everything else distances[np.ix_(inside, inside)]
            each = silhouette_samples(square, labels, metric="precomputed")
        else:
            each = silhouette_samples(z[sample], labels[sample])
        values["silhouette"] = float(each.mean())
        draws["silhouette"] = _ratio(weights[:, sample] @ each, weights[:, sample].sum(axis=1))
    return Internal(values, draws, n, note)


def distances_between(z: np.ndarray) -> np.ndarray | None:
    """Euclidean distances of shape (n, n), or None where there are too many points."""
    if len(z) > SILHOUETTE_POINTS:
        return None
    from sklearn.metrics import euclidean_distances

    distances = np.asarray(euclidean_distances(z))
    np.fill_diagonal(distances, 0.0)
    return distances


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    known = denominator > 0
    return np.where(known, numerator / np.where(known, denominator, 1.0), np.nan)


def _centroids(
    z: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Rows of each cluster, points per cluster (B, K), centroids (B, K, d) in every draw."""
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    counts = np.stack([weights[:, row].sum(axis=1) for row in rows], axis=1).astype(np.float64)
    sums = np.stack([weights[:, row] @ z[row] for row in rows], axis=1)
    return rows, counts, sums / np.maximum(counts, 1.0)[:, :, None]


def _calinski_harabasz_draws(z: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of points that are centred, so that sums of squares lose no digits."""
    _, counts, centroids = _centroids(z, labels, weights)
    n, clusters = counts.sum(axis=1), (counts > 0).sum(axis=1)
    total = weights @ np.einsum("nd,nd->n", z, z)
    of_centroids = (counts * (centroids**2).sum(axis=2)).sum(axis=1)
    mean = (weights @ z) / np.maximum(n, 1.0)[:, None]
    between = of_centroids - n * (mean**2).sum(axis=1)
    within = np.maximum(total - of_centroids, 0.0)
    return _ratio(np.where(clusters > 1, between * (n - clusters), np.nan), within * (clusters - 1))


def _davies_bouldin_draws(z: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of points that are centred, so that sums of squares lose no digits."""
    rows, counts, centroids = _centroids(z, labels, weights)
    squares = (centroids**2).sum(axis=2)
    scatter = np.zeros_like(counts)
    for cluster, row in enumerate(rows):
        points = z[row]
        cross = centroids[:, cluster] @ points.T
        distance = (points**2).sum(axis=1) - 2 * cross + squares[:, cluster, None]
        spread = (weights[:, row] * np.sqrt(np.maximum(distance, 0.0))).sum(axis=1)
        scatter[:, cluster] = spread / np.maximum(counts[:, cluster], 1.0)
    apart = squares[:, :, None] + squares[:, None, :]
    apart = np.sqrt(np.maximum(apart - 2 * centroids @ centroids.transpose(0, 2, 1), 0.0))
    present = counts > 0
    others = ~np.eye(len(rows), dtype=bool)
    pairs = present[:, :, None] & present[:, None, :] & (apart > 0.0) & others
    ratio = np.where(
        pairs, (scatter[:, :, None] + scatter[:, None, :]) / np.where(pairs, apart, 1.0), 0.0
    )
    clusters = present.sum(axis=1)
    worst = np.where(present, ratio.max(axis=2), 0.0).sum(axis=1)
    return _ratio(np.where(clusters > 1, worst, np.nan), clusters)
