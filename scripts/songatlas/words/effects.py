"""In what a group of songs differs from all others: two measures of an effect."""

import numpy as np

LEAST_EFFECT = 0.5
"""Smaller differences (Hedges' g; Cohen: below medium) are not worth a word."""


def effect_sizes(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Hedges' g of every cluster against all other items, shape (clusters, D).

    The difference of the means in units of the pooled standard deviation, with the correction for
    small samples (Hedges 1981). NaN where either side has no value, where both together have fewer
    than three, or where nothing varies within the sides (but for rounding, beside the difference).

    Args:
        values: shape (n, D), NaN where unknown.
        labels: cluster of every item, shape (n,); -1 is noise, which is among the others.
    """
    counts, means, spreads = _moments(values, labels)
    freedom = counts[0] + counts[1] - 2
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = np.sqrt((spreads[0] + spreads[1]) / freedom)
        g = (means[0] - means[1]) / pooled * (1 - 3 / (4 * freedom - 1))
        varies = pooled > np.maximum(1e-6 * np.abs(means[0] - means[1]), 1e-12)
    return np.where((counts[0] > 0) & (counts[1] > 0) & (freedom > 0) & varies, g, np.nan)


def correlations(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Correlation of every cluster's membership with every column, shape (clusters, D), -1 to 1.

    Small and large clusters compare by it: Hedges' g of three songs is large by chance. NaN where
    either side has no value, or where nothing varies.

    Args:
        values: shape (n, D), NaN where unknown.
        labels: cluster of every item, shape (n,); -1 is noise, which is among the others.
    """
    counts, means, spreads = _moments(values, labels)
    total = counts[0] + counts[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        between = counts[0] * counts[1] / total * (means[0] - means[1]) ** 2
        whole = between + spreads[0] + spreads[1]
        r = np.sign(means[0] - means[1]) * np.sqrt(between / whole)
    return np.where((counts[0] > 0) & (counts[1] > 0) & (whole > 1e-12), r, np.nan)


def known_of(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many of each cluster's items have a value in every column, int of shape (clusters, D)."""
    return np.asarray(_member(labels) @ np.isfinite(values), np.int64)


def _member(labels: np.ndarray) -> np.ndarray:
    n_clusters = int(labels.max(initial=-1)) + 1
    return (labels[np.newaxis] == np.arange(n_clusters)[:, np.newaxis]).astype(np.float64)


Sides = tuple[np.ndarray, np.ndarray]


def _moments(values: np.ndarray, labels: np.ndarray) -> tuple[Sides, Sides, Sides]:
    """Counts, means and sums of squared deviations inside and outside of every cluster."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0).astype(np.float64)
    centre = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, filled - centre, 0.0)  # small numbers: no cancellation in the squares
    member = _member(labels)
    inside = member @ known, member @ filled, member @ filled**2
    whole = known.sum(axis=0), filled.sum(axis=0), (filled**2).sum(axis=0)
    outside = tuple(a - b for a, b in zip(whole, inside, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [total / count for count, total, _ in (inside, outside)]
        spreads = [
            np.maximum(squares - count * mean**2, 0.0)
            for (count, _, squares), mean in zip((inside, outside), means, strict=True)
        ]
    return (inside[0], outside[0]), (means[0], means[1]), (spreads[0], spreads[1])
