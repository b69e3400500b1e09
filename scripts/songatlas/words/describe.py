"""What sets groups of songs apart, and what they are called: the one describer.

A group was found in columns that its measures go along with, so that groups of nothing differ too:
of one cloud cut in half, the halves. A word therefore needs an effect larger than the same
clustering finds where there is no structure at all, in draws of a normal distribution with the
corpus's mean and covariance.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from songatlas.words.measures import Measure, Measured

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


UNSURE = "unsure"

DRAWS = 39
"""Structureless draws: with the corpus itself they are 40, of which 5% are two."""

LEVEL = 0.05
"""In at most this share of structureless corpora any cluster of a clustering gets a name."""

MOST_DRAWN = 300
"""Songs of a draw. Fewer songs have larger effects by chance: a larger corpus errs towards unsure.
"""

LEAST_SONGS = 3
"""Songs of which a measure is known, at least, in the cluster (and half of it) and outside."""

LARGE = 0.5
"""A correlation that is large (Cohen). A tag with it names a cluster that anything sets apart."""

Clusterer = Callable[[np.ndarray], np.ndarray | None]
"""Labels (n,) of points (n, d), -1 being noise; None where they cannot be clustered."""


@dataclass(frozen=True)
class Difference:
    """How a cluster differs from all other items in one measure.

    `r` (−1 … 1) is the correlation of the measure with being in the cluster, `g` Hedges' g: the
    difference in standard deviations.
    """

    measure: Measure
    r: float
    g: float

    @property
    def word(self) -> str | None:
        return self.measure.word(self.r)


@dataclass(frozen=True)
class Description:
    """A cluster's name, and the differences that it rests on, largest first."""

    name: str
    evidence: tuple[Difference, ...]


def differences(of: Measured, labels: np.ndarray) -> list[list[Difference]]:
    """Every cluster's differences that have a word and are worth one, largest first."""
    r = np.where(worded(of, labels), correlations(of.values, labels), np.nan)
    g = effect_sizes(of.values, labels)
    listed = []
    for cluster in range(len(r)):
        # A group of which nothing else varies within has no g: it is apart altogether.
        chosen = np.isfinite(r[cluster]) & ~(np.abs(g[cluster]) < LEAST_EFFECT)
        order = sorted(np.flatnonzero(chosen), key=lambda i: (-abs(r[cluster, i]), i))
        listed.append(
            [Difference(of.measures[i], float(r[cluster, i]), float(g[cluster, i])) for i in order]
        )
    return listed


def worded(of: Measured, labels: np.ndarray) -> np.ndarray:
    """Whether something can be said of a cluster by a measure, bool of shape (clusters, D).

    It is known of enough songs inside and outside, and there is a word for how it differs.
    """
    known, size = known_of(of.values, labels), np.bincount(labels[labels >= 0])
    outside = np.isfinite(of.values).sum(axis=0) - known
    enough = (known >= LEAST_SONGS) & (2 * known >= size[:, None]) & (outside >= LEAST_SONGS)
    both = np.array([measure.low is not None for measure in of.measures], bool)
    with np.errstate(invalid="ignore"):
        return np.asarray(enough & (both | (correlations(of.values, labels) > 0)))


def structureless(
    z: np.ndarray, values: np.ndarray, draws: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Points and measures of one normal distribution with the mean and covariance of the given.

    A measure that is 0 or 1 in the corpus is so in the draws, as often: 1 where most was drawn.

    Args:
        z: (n, d), what was clustered.
        values: (n, D), NaN where unknown; unknown in the draws too.
        draws: how many.
        seed: of the draws.

    Yields:
        As many rows of each, at most `MOST_DRAWN`.
    """
    rng = np.random.default_rng(seed)
    known = np.isfinite(values)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    both = np.concatenate([z - z.mean(axis=0), np.where(known, values - mean, 0.0)], axis=1)
    # both = Q R: rows of standard normal numbers times R / √(n − 1) have its covariance.
    root: np.ndarray = np.linalg.qr(both, mode="r")  # type: ignore[assignment]
    root = root / math.sqrt(max(len(both) - 1, 1))
    binary = np.isin(np.where(known, values, 0.0), (0.0, 1.0)).all(axis=0)
    for _ in range(draws):
        rows = np.sort(rng.permutation(len(both))[:MOST_DRAWN])
        drawn = rng.standard_normal((len(rows), len(root))) @ root
        points, measures = drawn[:, : z.shape[1]], drawn[:, z.shape[1] :]
        measures = np.where(known[rows], measures, np.nan)
        measures[:, binary] = _in_order_of(values[rows][:, binary], measures[:, binary])
        yield points, measures


def _in_order_of(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The values of every column, the smallest where `order` is smallest; NaN where that is."""
    found = np.empty_like(values)
    # Unknown values, as many in both, are sorted behind all others.
    np.put_along_axis(found, np.argsort(order, axis=0), np.sort(values, axis=0), axis=0)
    return found


def least_effect(z: np.ndarray, of: Measured, clusterer: Clusterer, *, seed: int) -> float:
    """The |r| that the largest effect of structureless draws exceeds with probability `LEVEL`.

    Infinite where no draw can be clustered: nothing can be said then.

    Args:
        z: (n, d), what was clustered.
        of: measures of the same items.
        clusterer: what clustered them.
        seed: of the draws.
    """
    largest = []
    for points, values in structureless(z, of.values, DRAWS, seed):
        labels = clusterer(points)
        if labels is None:
            continue
        drawn = Measured(of.measures, values)
        r = np.abs(correlations(values, labels))[worded(drawn, labels)]
        largest.append(float(np.nanmax(r, initial=0.0)))
    rank = math.ceil((1.0 - LEVEL) * (len(largest) + 1))
    return sorted(largest)[rank - 1] if rank <= len(largest) else math.inf


def describe(
    z: np.ndarray, of: Measured, labels: np.ndarray, clusterer: Clusterer, *, words: int, seed: int
) -> list[Description]:
    """What every cluster is called.

    Args:
        z: (n, d), what was clustered.
        of: measures of the same items.
        labels: (n,) cluster of each, -1 being noise.
        clusterer: what clustered them.
        words: in a name, at most.
        seed: of the structureless draws.
    """
    least = least_effect(z, of, clusterer, seed=seed)
    return [described(own, least, words) for own in differences(of, labels)]


def described(apart: Sequence[Difference], least: float, words: int) -> Description:
    """A name of a cluster's differences, largest first: its language, then at most `words` others.

    Those are tags; without any, words of lyrics and of how it sounds. It is "unsure" where no
    effect is larger than `least`.
    """
    sure = [one for one in apart if abs(one.r) > least]
    if not sure:
        return Description(UNSURE, ())
    language = [one for one in sure if one.measure.kind == "language"][:1]
    tags = [one for one in apart if one.measure.kind == "tag" and one.r >= LARGE]
    rest = [one for one in sure if one.measure.kind in ("word", "sound")]
    chosen = _without_repeats(tags or rest)[:words]
    parts = [str(one.word) for one in language], [str(one.word) for one in chosen]
    name = " · ".join(", ".join(part) for part in parts if part)
    return Description(name, (*language, *chosen))


def _without_repeats(sure: Sequence[Difference]) -> list[Difference]:
    """Without what an earlier one says already: no `alternative rock` behind `alternative`."""
    chosen: list[Difference] = []
    for one in sure:
        own = set(str(one.word).split())
        earlier = (set(str(other.word).split()) for other in chosen)
        if not any(own <= other or other <= own for other in earlier):
            chosen.append(one)
    return chosen
