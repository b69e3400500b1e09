"""A partition of points into clusters of any shape."""

import math

import numpy as np

SAMPLE = 5_000
"""At most this many points are partitioned; the others follow their neighbours."""

MIN_PER_PART = 5
"""Mean size of a part below which a graph of neighbours says nothing about it."""


def spectral(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Partition (n,) int64 of `points` (n, d) by normalised cuts of a graph of nearest neighbours.

    Parts may be of any shape, as long as neighbours share one (Ng et al. 2001). A point has 2 ln n
    neighbours, rounded: their number has to grow as log n (von Luxburg 2007). A graph in several
    pieces is joined by a minimum spanning tree. Above `SAMPLE` points a sample is partitioned and
    the others take the majority of as many neighbours.

    Raises:
        ValueError: when parts would have fewer than `MIN_PER_PART` points on average.
    """
    from scipy.sparse.csgraph import connected_components
    from sklearn.cluster import SpectralClustering
    from sklearn.neighbors import KNeighborsClassifier, kneighbors_graph

    if len(points) < MIN_PER_PART * k:
        raise ValueError(f"{len(points)} points are too few for a graph of {k} parts")
    if k == 1:
        return np.zeros(len(points), np.int64)
    sample = points
    if len(points) > SAMPLE:
        chosen = np.random.default_rng(seed).choice(len(points), SAMPLE, replace=False)
        sample = points[chosen]
    n_neighbors = min(max(round(2.0 * math.log(len(sample))), 2), len(sample) - 1)
    graph = kneighbors_graph(sample, n_neighbors, include_self=True)
    graph = 0.5 * (graph + graph.T)
    if connected_components(graph, directed=False)[0] > 1:
        graph = graph.maximum(_tree(sample))
    found = SpectralClustering(k, affinity="precomputed", random_state=seed).fit(graph).labels_
    if sample is not points:
        found = KNeighborsClassifier(n_neighbors).fit(sample, found).predict(points)
    labels: np.ndarray = np.asarray(found, np.int64)
    return labels


def _tree(points: np.ndarray):  # type: ignore[no-untyped-def]
    """Minimum spanning tree, (n, n) sparse and symmetric with weights ½."""
    from scipy.sparse.csgraph import minimum_spanning_tree
    from sklearn.metrics import euclidean_distances

    distances = euclidean_distances(points)
    # A distance of 0 would be no edge.
    tree = minimum_spanning_tree(np.maximum(distances, np.finfo(float).tiny, out=distances))
    tree.data[:] = 0.5
    return tree.maximum(tree.T)
