"""Statistics of paired differences: tests, effect sizes, correction for many tests."""

from collections.abc import Sequence

import numpy as np

MIN_PAIRS = 5
"""Fewer pairs are not tested: the exact tests could then not go below 0.125."""

EXACT_PAIRS = 12
"""Up to so many pairs every change of signs is tried (4,096)."""

RESAMPLES = 9_999
"""Changes of signs that are drawn where there are more."""

DECIMALS = 12
"""Differences that differ by rounding only are equal, and tie."""


def p_value(differences: np.ndarray, test: str, seed: int = 0) -> tuple[float, str | None]:
    """Two-sided p of paired differences (n,), and why it is null (NaN) or what bounds it.

    - `wilcoxon`: signed-rank test (Wilcoxon 1945), zeros left out, exact up to `EXACT_PAIRS` pairs
      with ties and up to 50 without;
    - `permutation`: the mean under every change of signs (above `EXACT_PAIRS`: `RESAMPLES` drawn);
    - `t`: Student's t test.

    Raises:
        ValueError: for another test.
    """
    from scipy import stats

    n = len(differences)
    if test not in ("wilcoxon", "permutation", "t"):
        raise ValueError(f"unknown test `{test}`")
    if n < MIN_PAIRS:
        return np.nan, f"{n} pairs: too few to test (at least {MIN_PAIRS})"
    d = np.round(differences, DECIMALS)
    if not d.any():
        return 1.0, "all differences are 0"
    if test == "t":
        if np.ptp(d) == 0.0:
            return np.nan, "all differences are the same: the t test needs a variance"
        return float(stats.ttest_1samp(d, 0.0).pvalue), None
    signs = stats.PermutationMethod(n_resamples=np.inf if n <= EXACT_PAIRS else RESAMPLES, rng=seed)
    if test == "permutation":
        found = stats.permutation_test(
            (d,),
            np.mean,
            permutation_type="samples",
            n_resamples=signs.n_resamples,
            rng=seed,
            vectorized=True,
        ).pvalue
        return float(found), _least(n)
    d = d[d != 0.0]
    untied = len(np.unique(np.abs(d))) == len(d)
    method = "exact" if untied and len(d) <= 50 else signs
    return float(stats.wilcoxon(d, method=method).pvalue), _least(len(d))


def _least(n: int) -> str | None:
    """What exact tests of n pairs cannot go below, where that is worth saying."""
    least = 2.0 ** (1 - n)
    return f"smallest p that {n} pairs can reach: {least:g}" if least > 0.001 else None


def cohens_dz(differences: np.ndarray) -> float:
    """Mean of paired differences over their standard deviation (n - 1); NaN without a deviation."""
    if len(differences) < 2 or np.ptp(np.round(differences, DECIMALS)) == 0.0:
        return np.nan
    return float(np.mean(differences) / np.std(differences, ddof=1))


def cliffs_delta(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """P(a > b) - P(a < b) over all pairs of values, in [-1, 1] (Cliff 1993)."""
    a, b = np.round(np.asarray(a, float), DECIMALS), np.round(np.asarray(b, float), DECIMALS)
    if not len(a) or not len(b):
        return np.nan
    return float(np.sign(a[:, None] - b[None, :]).mean())


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjusted p of a family of tests (Holm 1979), (n,); NaN are no tests and stay NaN."""
    p = np.asarray(p, np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
