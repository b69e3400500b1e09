"""What distinguishes a cluster by ear: descriptors with their effect sizes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from songatlas.explorer.attributes import Descriptor

LEAST_EFFECT = 0.5
"""Smaller differences (Cohen: below medium) are not worth a word."""


def effect_sizes(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Hedges' g of every cluster against all other items, shape (clusters, D).

    The difference of the means in units of the pooled standard deviation, with the correction for
    small samples (Hedges 1981). NaN where either side has no value, where both together have fewer
    than three, or where nothing varies.

    Args:
        values: shape (n, D), NaN where unknown.
        labels: cluster of every item, shape (n,); -1 is noise, which is among the others.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0).astype(np.float64)
    n_clusters = int(labels.max(initial=-1)) + 1
    member = (labels[np.newaxis] == np.arange(n_clusters)[:, np.newaxis]).astype(np.float64)
    centre = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, filled - centre, 0.0)  # small numbers: no cancellation in the squares
    inside = member @ known, member @ filled, member @ filled**2
    whole = known.sum(axis=0), filled.sum(axis=0), (filled**2).sum(axis=0)
    outside = tuple(a - b for a, b in zip(whole, inside, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [total / count for count, total, _ in (inside, outside)]
        spreads = [
            np.maximum(squares - count * mean**2, 0.0)
            for (count, _, squares), mean in zip((inside, outside), means, strict=True)
        ]
        freedom = inside[0] + outside[0] - 2
        pooled = np.sqrt((spreads[0] + spreads[1]) / freedom)
        g = (means[0] - means[1]) / pooled * (1 - 3 / (4 * freedom - 1))
    defined = (inside[0] > 0) & (outside[0] > 0) & (freedom > 0) & (pooled > 1e-12)
    return np.where(defined, g, np.nan)


def described(effects: np.ndarray, descriptors: Sequence[Descriptor]) -> list[dict[str, Any]]:
    """One cluster's effects of shape (D,), largest first, each with the word that it earns."""
    order = sorted(
        (index for index in range(len(effects)) if np.isfinite(effects[index])),
        key=lambda index: -abs(effects[index]),
    )
    return [
        {
            "label": descriptors[index].label,
            "g": round(float(effects[index]), 2),
            "word": word(effects[index], descriptors[index]),
        }
        for index in order
    ]


def word(effect: float, descriptor: Descriptor) -> str | None:
    """`fast`, `slow`; None where the effect is too small for either."""
    if abs(effect) < LEAST_EFFECT:
        return None
    return descriptor.high if effect > 0 else descriptor.low
