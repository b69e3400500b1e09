"""Agreement of clusters with labels, for many contingency tables at once.

Definitions are scikit-learn's, with which the tests compare them on random labellings. Points that
are noise count as clusters of one point each.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln, xlogy

from songatlas.evaluation.contingency import Tables

EXTERNAL = ("ari", "nmi", "ami", "v_measure", "purity", "accuracy")
INTERNAL = ("silhouette", "calinski_harabasz", "davies_bouldin")
METRICS = (*INTERNAL, *EXTERNAL)

RANGES: dict[str, tuple[float, float]] = {
    "silhouette": (-1.0, 1.0),
    "calinski_harabasz": (0.0, np.inf),
    "davies_bouldin": (0.0, np.inf),
    "ari": (-1.0, 1.0),
    "nmi": (0.0, 1.0),
    "ami": (-1.0, 1.0),
    "v_measure": (0.0, 1.0),
    "purity": (0.0, 1.0),
    "accuracy": (0.0, 1.0),
}

PAIRS = 2_000_000
"""Terms of the expected mutual information that are summed at once."""


def ari(tables: Tables) -> np.ndarray:
    """Adjusted Rand index (Hubert and Arabie 1985), shape (R,)."""
    n = tables.classes.sum(axis=1)
    same_both = (tables.counts**2).sum(axis=(1, 2)) + tables.noise.sum(axis=1)
    same_class = (tables.classes**2).sum(axis=1)
    same_cluster = (tables.clusters**2).sum(axis=1) + tables.noise.sum(axis=1)
    together = same_both - n
    only_cluster = same_cluster - same_both
    only_class = same_class - same_both
    apart = n**2 - same_cluster - same_class + same_both
    numerator = 2.0 * (together * apart - only_class * only_cluster)
    denominator = (together + only_class) * (only_class + apart)
    denominator = denominator + (together + only_cluster) * (only_cluster + apart)
    identical = (only_class == 0) & (only_cluster == 0)
    return np.where(identical, 1.0, numerator / np.where(identical, 1.0, denominator))


def nmi(tables: Tables) -> np.ndarray:
    """Normalised mutual information, arithmetic mean of the entropies, shape (R,).

    It equals the V-measure (Rosenberg and Hirschberg 2007).
    """
    information, of_classes, of_clusters = _information(tables)
    mean = (of_classes + of_clusters) / 2.0
    trivial = mean <= 0.0
    return np.where(trivial, 1.0, information / np.where(trivial, 1.0, mean))


def ami(tables: Tables) -> np.ndarray:
    """Adjusted mutual information, arithmetic mean (Vinh, Epps and Bailey 2010), shape (R,)."""
    information, of_classes, of_clusters = _information(tables)
    mean = (of_classes + of_clusters) / 2.0
    expected = expected_information(tables)
    tiny = np.finfo(np.float64).eps
    value = _away_from_zero(information - expected, tiny) / _away_from_zero(mean - expected, tiny)
    value = np.where((of_classes <= 0.0) | (of_clusters <= 0.0), 0.0, value)
    return np.where((of_classes <= 0.0) & (of_clusters <= 0.0), 1.0, value)


def purity(tables: Tables) -> np.ndarray:
    """Share of points in the most frequent class of their cluster, shape (R,)."""
    hits = tables.counts.max(axis=1, initial=0.0).sum(axis=1) + tables.noise.sum(axis=1)
    return np.asarray(hits / tables.classes.sum(axis=1))


def accuracy(tables: Tables) -> np.ndarray:
    """Share of points that are right under the best one-to-one map of clusters to classes.

    Solved by the Hungarian method (Kuhn 1955), shape (R,).
    """
    repeats, n_classes, _ = tables.counts.shape
    # Of a class's noise points one can be its cluster; all of them are alike.
    alone = np.eye(n_classes) * (tables.noise > 0)[:, :, None]
    has_noise = bool(tables.noise.any())
    gain = np.concatenate([tables.counts, alone], axis=2) if has_noise else tables.counts
    hits = np.empty(repeats)
    for repeat, table in enumerate(gain):
        rows, columns = linear_sum_assignment(table, maximize=True)
        hits[repeat] = table[rows, columns].sum()
    return hits / tables.classes.sum(axis=1)


FUNCTIONS: dict[str, Callable[[Tables], np.ndarray]] = {
    "ari": ari,
    "nmi": nmi,
    "ami": ami,
    "v_measure": nmi,
    "purity": purity,
    "accuracy": accuracy,
}


def external(tables: Tables) -> dict[str, np.ndarray]:
    """Every external metric, each of shape (R,)."""
    values = {name: FUNCTIONS[name](tables) for name in EXTERNAL if name != "v_measure"}
    values["v_measure"] = values["nmi"]
    return values


def _information(tables: Tables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mutual information and both entropies in nats, each of shape (R,)."""
    n = tables.classes.sum(axis=1)
    joint = _xlogx(tables.counts).sum(axis=(1, 2))
    rows = _xlogx(tables.classes).sum(axis=1)
    columns = _xlogx(tables.clusters).sum(axis=1)
    of_classes = np.log(n) - rows / n
    of_clusters = np.log(n) - columns / n
    information = np.log(n) + (joint - rows - columns) / n
    clean = [np.where(np.abs(part) < 1e-13, 0.0, part) for part in (of_classes, of_clusters)]
    bound = np.minimum(*clean)
    information = np.where(information < 1e-13, 0.0, np.minimum(information, bound))
    return information, clean[0], clean[1]


def _xlogx(x: np.ndarray) -> np.ndarray:
    return np.asarray(xlogy(x, x))


def _away_from_zero(x: np.ndarray, tiny: float) -> np.ndarray:
    return np.where(x < 0.0, np.minimum(x, -tiny), np.maximum(x, tiny))


def expected_information(tables: Tables) -> np.ndarray:
    """Mutual information that is expected when points are dealt out at random, shape (R,).

    Margins are fixed; the count of a cell is then hypergeometric (Vinh, Epps and Bailey 2010).
    """
    classes, clusters = tables.classes, tables.clusters
    n = classes.sum(axis=1)
    a, b = classes[:, :, None], clusters[:, None, :]
    # E[(x/n) log(n x / (a b))] = (E[x log x] + E[x] log(n / (a b))) / n, with E[x] = a b / n.
    share = a * b / n[:, None, None]
    log_ratio = np.log(n)[:, None, None] - np.log(np.maximum(a, 1)) - np.log(np.maximum(b, 1))
    mean_xlogx = _expected_xlogx(np.broadcast_to(n[:, None, None], share.shape), a, b)
    total = (mean_xlogx + share * log_ratio).sum(axis=(1, 2))
    single = classes / n[:, None] * (np.log(n)[:, None] - np.log(np.maximum(classes, 1)))
    total = total + tables.noise.sum(axis=1) * single.sum(axis=1)
    return np.asarray(total / n)


def _expected_xlogx(n: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """E[x log x] of hypergeometric x: `a` drawn from `n`, of which `b` count; arrays broadcast."""
    shape = np.broadcast_shapes(n.shape, a.shape, b.shape)
    if 0 in shape:
        return np.zeros(shape)
    n, a, b = (part.astype(np.int64) for part in (n, a, b))
    largest = int(n.max()) + 1
    key = (n * largest + np.minimum(a, b)) * largest + np.maximum(a, b)
    unique, where = np.unique(np.broadcast_to(key, shape), return_inverse=True)
    values = _unique_expected_xlogx(
        unique // largest**2, unique // largest % largest, unique % largest
    )
    return values[where].reshape(shape)


def _unique_expected_xlogx(n: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    log_factorial = gammaln(np.arange(int(n.max()) + 2) + 1.0)
    x_log_x = _xlogx(np.arange(int(a.max()) + 2, dtype=np.float64))
    mean = a * b / n
    spread = np.sqrt(np.maximum(mean * (n - a) * (n - b) / (n * np.maximum(n - 1, 1)), 0.0))
    # Ten standard deviations and a little: what is left out is below 1e-15 of the sum.
    first = np.maximum(np.maximum(1, a + b - n), np.floor(mean - 10 * spread - 20)).astype(np.int64)
    last = np.minimum(np.minimum(a, b), np.ceil(mean + 10 * spread + 20)).astype(np.int64)
    constant = (
        log_factorial[a] + log_factorial[b] + log_factorial[n - a] + log_factorial[n - b]
    ) - log_factorial[n]
    width = np.maximum(last - first + 1, 0)
    result = np.zeros(len(n))
    order = np.argsort(width, kind="stable")
    start = int(np.searchsorted(width[order], 1))
    while start < len(order):
        # Rows of similar width share one rectangle; what is outside a row's range is masked.
        stop = min(len(order), start + max(1, PAIRS // max(int(width[order[start]]), 1)))
        rows = order[start:stop]
        widest = int(width[rows[-1]])
        if widest > 2 * width[rows[0]]:
            stop = start + int(np.searchsorted(width[rows], 2 * width[rows[0]], side="right"))
            rows = order[start:stop]
            widest = int(width[rows[-1]])
        x = first[rows, None] + np.arange(widest)
        inside = x <= last[rows, None]
        x = np.where(inside, x, last[rows, None])
        log_p = constant[rows, None] - log_factorial[x]
        log_p -= log_factorial[a[rows, None] - x] + log_factorial[b[rows, None] - x]
        log_p -= log_factorial[(n - a - b)[rows, None] + x]
        result[rows] = np.where(inside, x_log_x[x] * np.exp(log_p), 0.0).sum(axis=1)
        start = stop
    return result
