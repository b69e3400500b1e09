"""Whether new songs as a whole still fit the map: a two-sample test by permutation of songs."""

from dataclasses import dataclass

import numpy as np

MOST = 2_000
"""Songs of either sample that are compared; more are drawn from at random (the kernel is n²)."""


@dataclass(frozen=True)
class Drift:
    """Squared maximum mean discrepancy of two samples of n and m songs and its p; None where either
    has fewer than two songs."""

    mmd2: float | None
    p: float | None
    n: int
    m: int


def drift(known: np.ndarray, new: np.ndarray, permutations: int, seed: int = 0) -> Drift:
    """Compare songs of the run (n, d) with new ones (m, d), Gretton et al. 2012.

    Gaussian kernel with the median distance of the pooled songs as its width; p is the share of
    `permutations` of which song is new that give at least as large a discrepancy, the observed one
    counted.
    """
    rng = np.random.default_rng(seed)
    samples = [
        z if len(z) <= MOST else z[np.sort(rng.choice(len(z), MOST, replace=False))]
        for z in (np.asarray(known, np.float64), np.asarray(new, np.float64))
    ]
    n, m = map(len, samples)
    if min(n, m) < 2:
        return Drift(None, None, n, m)
    kernel = _kernel(np.concatenate(samples))
    total = n + m
    observed = mmd2(kernel, np.arange(total) >= n)
    draws = (mmd2(kernel, rng.permutation(total) >= n) for _ in range(permutations))
    # Rounding must not make equal discrepancies unequal.
    as_large = sum(drawn >= observed - 1e-12 for drawn in draws)
    return Drift(observed, (1 + as_large) / (1 + permutations), n, m)


def mmd2(kernel: np.ndarray, is_new: np.ndarray) -> float:
    """Unbiased estimate from the kernel (t, t), its diagonal zero, and which songs are new (t,)."""
    new = is_new.astype(np.float64)
    old = 1.0 - new
    n, m = old.sum(), new.sum()
    to_new, to_old = kernel @ new, kernel @ old
    within_old = old @ to_old / (n * (n - 1))
    within_new = new @ to_new / (m * (m - 1))
    return float(within_old + within_new - 2.0 * (old @ to_new) / (n * m))


def _kernel(z: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import pdist, squareform

    distances = pdist(z, "sqeuclidean")
    positive = distances[distances > 0]
    width = np.median(positive) if len(positive) else 1.0
    return np.asarray(squareform(np.exp(-distances / width)))
