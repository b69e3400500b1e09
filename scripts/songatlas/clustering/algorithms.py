"""Six clustering algorithms behind one function."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

LARGE = 8_000
"""Above this many points all algorithms but k-means cluster a sample: their time or memory grows
with n²."""

MINI_BATCH = 20_000
"""Above this many points k-means takes mini-batches (Sculley 2010) instead of whole passes."""

BATCH_POINTS = 8_192
"""Points of a mini-batch."""

MIN_SAMPLES = 5
"""DBSCAN: neighbours (the point included) of a core point; HDBSCAN: smallest cluster."""

LOCAL_SCALE_NEIGHBOUR = 7
"""Spectral: the neighbour whose distance is a point's scale (Zelnik-Manor and Perona 2004)."""

REG_COVAR = 1e-6
"""GMM with full covariances: added to their diagonals, relative to the points' mean variance."""

GMM_DIM = 32
"""GMM: most dimensions of the mixture."""

POINTS_PER_DIM = 5
"""GMM: points per dimension of the mixture."""

VARIANCE_FLOOR = 0.01
"""GMM: added to every variance, relative to the mean variance of the points. Without it the
likelihood has no bound: a component on one point would win."""

GMM_KINDS = {"tied": "one covariance for all", "diag": "diagonal covariances"}
"""GMM: covariances to choose from, by scikit-learn's names."""

CONNECTED = 1e-12
"""Smallest affinity: keeps the graph connected where the exponential underflows."""

WITHOUT_K = ("dbscan", "hdbscan")
"""Algorithms that find the number of clusters themselves."""


@dataclass(frozen=True)
class Clustering:
    """Cluster of every point.

    `labels` of shape (n,) int32 count from 0 in order of first appearance, -1 is noise; None where
    the points cannot be clustered, and `note` says why. `probability` of shape (n,) float32 is the
    point's membership of its cluster, where the algorithm has one.
    """

    labels: np.ndarray | None
    probability: np.ndarray | None = None
    note: str | None = None
    assign: "Assign | None" = field(default=None, repr=False, compare=False)
    """Within this module: clusters of other points."""


Assign = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
"""Clusters (m,) of points (m, d) that were not fitted, and their `probability` where there is."""


def cluster(
    z: np.ndarray,
    algorithm: str,
    k: int | None,
    *,
    n_init: int = 10,
    seed: int = 0,
    gmm: str = "bic",
    unseen: np.ndarray | None = None,
) -> Clustering:
    """Cluster the points `z` of shape (n, d).

    Points are centred and divided by one common scale first: no result depends on their unit.

    Args:
        algorithm: `kmeans`; `agglomerative` (Ward linkage); `gmm` (see below); `dbscan` (eps
            at the knee of the k-distance curve); `hdbscan`; `spectral` (locally scaled affinity).
        k: number of clusters; None for `dbscan` and `hdbscan`.
        n_init: starts of k-means and GMM, of which the best is kept.
        seed: of everything random.
        gmm: covariances of the mixture: `bic` (shared or diagonal, on principal components) or
            `full`.
        unseen: points of shape (m, d) to label instead, with the clusters that `z` was fitted to.
            k-means and GMM predict; Ward gives the nearest centroid's cluster, spectral and HDBSCAN
            the nearest fitted point's (noise where that is noise), DBSCAN the nearest core point's
            within eps, else noise.

    Returns:
        Labels, or None with a note: where k is not below n, all points are the same, fewer than k
        differ, or a value is not finite.
    """
    z = np.asarray(z, np.float64)
    problem = _problem(z, k)
    if unseen is not None and not np.isfinite(unseen).all():
        problem = "values that are not finite"
    if problem:
        return Clustering(None, note=problem)
    mean = z.mean(axis=0)
    z = z - mean
    largest = max(z.max(), -z.min())
    z /= largest
    deviation = np.sqrt(z.var(axis=0).mean())
    z /= deviation
    if unseen is not None:
        unseen = (np.asarray(unseen, np.float64) - mean) / largest / deviation
    if len(z) > LARGE and algorithm != "kmeans":
        return _sampled(z, algorithm, k, n_init, seed, gmm, unseen)
    from sklearn import config_context

    # The points are finite, which was looked at above.
    checked = config_context(assume_finite=True, skip_parameter_validation=True)
    with warnings.catch_warnings(), checked:
        warnings.simplefilter("ignore")  # what matters of them stands in the notes
        run = _gmm_full if (algorithm, gmm) == ("gmm", "full") else _ALGORITHMS[algorithm]
        return _in_order(run(z, k or 0, n_init, seed), unseen)


def _problem(z: np.ndarray, k: int | None) -> str | None:
    n = len(z)
    if n < 2:
        return "fewer than 2 points"
    if not np.isfinite(z).all():
        return "values that are not finite"
    if k is not None and k >= n:
        return f"k = {k} is not below n = {n}"
    if k is not None and k < 2:
        return f"k = {k} is below 2"
    if (z == z[0]).all():
        return "all points are the same"
    if k is not None and (distinct := _distinct(z, k)) < k:
        return f"k = {k} is above the number of distinct points, {distinct}"
    return None


def _distinct(z: np.ndarray, enough: int) -> int:
    """Number of distinct points, or a lower bound of it that is `enough`."""
    found = len(np.unique(z[:1000], axis=0))
    return found if found >= enough else len(np.unique(z, axis=0))


def _in_order(clustering: Clustering, unseen: np.ndarray | None = None) -> Clustering:
    """Number clusters by first appearance, so that equal partitions have equal labels.

    Where points are `unseen`, it is their labels, as the fitted points number the clusters.
    """
    labels = np.asarray(clustering.labels)
    probability = clustering.probability
    seen = {int(label): None for label in labels if label >= 0}
    rank = {label: position for position, label in enumerate(seen)}
    if unseen is not None:
        assert clustering.assign is not None
        labels, probability = clustering.assign(unseen) if len(unseen) else (labels[:0], None)
    ordered = np.array([rank.get(int(label), -1) for label in labels], np.int32)
    return Clustering(ordered, probability, clustering.note)


def _sampled(
    z: np.ndarray,
    algorithm: str,
    k: int | None,
    n_init: int,
    seed: int,
    gmm: str,
    unseen: np.ndarray | None,
) -> Clustering:
    from sklearn.neighbors import NearestNeighbors

    sample = np.sort(np.random.default_rng(seed).choice(len(z), LARGE, replace=False))
    found = cluster(z[sample], algorithm, k, n_init=n_init, seed=seed, gmm=gmm, unseen=unseen)
    if found.labels is None:
        return found
    if unseen is not None:
        note = f"fitted on a sample of {LARGE} of {len(z)} points"
        return replace(found, note=note if found.note is None else f"{note}; {found.note}")
    nearest = NearestNeighbors(n_neighbors=1).fit(z[sample]).kneighbors(z)[1][:, 0]
    note = (
        f"clustered on a sample of {LARGE} of {len(z)} points; "
        "the others take the label of their nearest sampled point"
    )
    return _in_order(
        Clustering(
            found.labels[nearest],
            None if found.probability is None else found.probability[nearest],
            note if found.note is None else f"{note}; {found.note}",
        )
    )


def _kmeans(z: np.ndarray, k: int, n_init: int, seed: int) -> Clustering:
    """Lloyd's algorithm from k-means++ starts; in mini-batches above `MINI_BATCH` points."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    note = None
    if len(z) > MINI_BATCH:
        model = MiniBatchKMeans(k, n_init=n_init, batch_size=BATCH_POINTS, random_state=seed)
        note = f"mini-batch k-means (more than {MINI_BATCH} points)"
    else:
        model = KMeans(k, n_init=n_init, random_state=seed)
    labels = model.fit_predict(z)
    return Clustering(labels, note=note, assign=lambda new: (model.predict(new), None))


def _agglomerative(z: np.ndarray, k: int, n_init: int, seed: int) -> Clustering:
    from sklearn.cluster import AgglomerativeClustering

    labels = AgglomerativeClustering(k, linkage="ward").fit_predict(z)
    present = np.unique(labels)
    centroids = np.stack([z[labels == label].mean(axis=0) for label in present])
    return Clustering(labels, assign=_nearest(centroids, present))


def _nearest(points: np.ndarray, labels: np.ndarray, within: float = np.inf) -> Assign:
    """The label of the nearest of `points` (m, d), -1 where none is `within` that distance."""
    from sklearn.neighbors import NearestNeighbors

    def assign(new: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if not len(points):
            return np.full(len(new), -1), None
        distance, nearest = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(new)
        return np.where(distance[:, 0] <= within, labels[nearest[:, 0]], -1), None

    return assign


def _gmm(z: np.ndarray, k: int, n_init: int, seed: int) -> Clustering:
    """Mixture of Gaussians on principal components, its covariances chosen by BIC.

    One covariance that all components share, or a diagonal one for each. Full covariances of each
    component would rest on fewer points than they have parameters.
    """
    from sklearn.decomposition import PCA

    width = z.shape[1]
    kept = max(1, min(GMM_DIM, len(z) // POINTS_PER_DIM, width))
    axes = PCA(kept, svd_solver="full").fit(z)
    scale = axes.explained_variance_.mean() ** 0.5

    def reduced(points: np.ndarray) -> np.ndarray:
        return np.asarray(axes.transform(points) / scale)

    options = {"n_init": n_init, "reg_covar": VARIANCE_FLOOR, "random_state": seed}
    points = reduced(z)
    fits = [_mixture(points, k, kind, **options) for kind in GMM_KINDS]
    best = min(fits, key=lambda fit: fit.bic)
    notes = [f"GMM with {GMM_KINDS[best.kind]}", *best.notes]
    notes += _unmoved(points, k, best.labels, n_init, seed)
    if kept < width:
        notes[0] += f" on {kept} of {width} principal components"
    return Clustering(
        best.labels, best.probability, "; ".join(notes), lambda new: best.assign(reduced(new))
    )


def _gmm_full(z: np.ndarray, k: int, n_init: int, seed: int) -> Clustering:
    """Mixture of Gaussians with full covariances (the reference study's).

    n points span at most n - 1 dimensions. Outside that span every component has the covariance
    `REG_COVAR` and the same mean, so rotating the points into it and dropping the rest changes no
    responsibility; it is only faster.
    """
    n, width = z.shape
    axes = np.eye(width)
    if width > n - 1:
        axes = np.linalg.svd(z, full_matrices=False)[2][: n - 1].T
        z = z @ axes
    fit = _mixture(z, k, "full", n_init=n_init, reg_covar=REG_COVAR, random_state=seed)
    notes = [*fit.notes, *_unmoved(z, k, fit.labels, n_init, seed)]
    if n / k <= width:
        notes.append(f"GMM covariances rest on {n / k:.0f} points for {width} dimensions")
    return Clustering(
        fit.labels, fit.probability, "; ".join(notes) or None, lambda new: fit.assign(new @ axes)
    )


@dataclass(frozen=True)
class _Mixture:
    """A fitted mixture: its covariances, BIC, the points' clusters, and what is to be said."""

    kind: str
    bic: float
    labels: np.ndarray
    probability: np.ndarray
    assign: Assign
    notes: tuple[str, ...]


def _mixture(z: np.ndarray, k: int, kind: str, **options: Any) -> _Mixture:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(k, covariance_type=kind, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels = model.fit_predict(z)
    notes = []
    if any(issubclass(item.category, ConvergenceWarning) for item in caught):
        notes.append(f"GMM did not converge in {model.max_iter} steps")

    def assign(new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shares = model.predict_proba(new)
        return shares.argmax(axis=1), shares.max(axis=1).astype(np.float32)

    return _Mixture(kind, float(model.bic(z)), labels, assign(z)[1], assign, tuple(notes))


def _unmoved(z: np.ndarray, k: int, labels: np.ndarray, n_init: int, seed: int) -> list[str]:
    """What is said where the clusters are those of one of the k-means runs that scikit-learn
    starts EM from: one per start, one random generator for all."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.RandomState(seed)
    starts = (KMeans(k, n_init=1, random_state=rng).fit(z).labels_ for _ in range(n_init))
    same = any(adjusted_rand_score(start, labels) == 1.0 for start in starts)
    return ["EM did not change its start, a k-means clustering"] * same


def _dbscan(z: np.ndarray, k: int, n_init: int, seed: int) -> Clustering:
    """DBSCAN (Ester et al. 1996), eps at the knee of the sorted k-distance curve.

    The k-distance is that of the `MIN_SAMPLES`-th nearest point, the point itself counted. The knee
    is where the sorted curve is furthest below the line between its ends (Satopää et al. 2011).
    """
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import NearestNeighbors

    least = min(MIN_SAMPLES, len(z))
    distances = NearestNeighbors(n_neighbors=least).fit(z).kneighbors(z)[0]
    curve = np.sort(distances[:, -1])
    chord = np.linspace(curve[0], curve[-1], len(curve))
    eps = float(curve[np.argmax(chord - curve)])
    if eps <= 0.0:  # more than half of the points have copies
        eps = float(curve[curve > 0].min()) if (curve > 0).any() else np.finfo(float).tiny
    model = DBSCAN(eps=eps, min_samples=least).fit(z)
    core = model.core_sample_indices_
    return Clustering(model.labels_, assign=_nearest(z[core], model.labels_[core], eps))


def _hdbscan(z: np.ndarray, k: int, n_init: int, seed: int) -> Clustering:
    from sklearn.cluster import HDBSCAN

    least = max(2, min(MIN_SAMPLES, len(z) // 2))
    model = HDBSCAN(min_cluster_size=least, min_samples=min(least, len(z) - 1), copy=True)
    labels = model.fit_predict(z)
    probability = model.probabilities_.astype(np.float32)
    return Clustering(labels, probability, assign=_nearest(z, labels))


def _spectral(z: np.ndarray, k: int, n_init: int, seed: int) -> Clustering:
    """Normalised spectral clustering of a locally scaled affinity.

    exp(-d_ij² / (s_i s_j)), where s_i is the distance to the seventh neighbour (Zelnik-Manor and
    Perona 2004): no bandwidth to choose and no disconnected graph, which a nearest-neighbour graph
    can be. Labels by QR with pivoting (Damle, Minden and Ying 2019), which draws nothing at random.
    """
    from sklearn.cluster import SpectralClustering
    from sklearn.metrics import euclidean_distances

    distances = euclidean_distances(z)
    neighbour = min(LOCAL_SCALE_NEIGHBOUR, len(z) - 1)
    scale = np.partition(distances, neighbour, axis=1)[:, neighbour]
    positive = scale[scale > 0]
    scale = np.maximum(scale, positive.min() if len(positive) else 1.0)
    affinity = np.exp(-(distances**2) / np.outer(scale, scale))
    affinity = np.maximum(affinity, CONNECTED)
    model = SpectralClustering(
        k,
        affinity="precomputed",
        assign_labels="cluster_qr",
        eigen_solver="arpack",
        random_state=seed,
    )
    labels = model.fit_predict(affinity)
    return Clustering(labels, assign=_nearest(z, labels))


_ALGORITHMS: dict[str, Callable[[np.ndarray, int, int, int], Clustering]] = {
    "kmeans": _kmeans,
    "agglomerative": _agglomerative,
    "gmm": _gmm,
    "dbscan": _dbscan,
    "hdbscan": _hdbscan,
    "spectral": _spectral,
}
