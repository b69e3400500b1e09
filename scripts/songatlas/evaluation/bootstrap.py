"""Uncertainty of scores: which songs happened to be in the corpus."""

import numpy as np

from songatlas.evaluation.chance import bounded, generator
from songatlas.evaluation.contingency import Tables

COVERAGE = 0.95
TAIL = (1.0 - COVERAGE) / 2.0

FEW_ERRORS = 5
"""Songs in wrong clusters below which a bootstrap misses what might be wrong: the usual rule for a
share's normal approximation."""


def song_weights(n_songs: int, bootstraps: int, seed: int, *words: str) -> np.ndarray:
    """How often each song is drawn in each bootstrap sample, shape (bootstraps, n_songs).

    Songs are drawn with replacement, each with all its windows (a cluster bootstrap). Of very many
    songs there are fewer samples (see `chance.bounded`): the first of them.
    """
    bootstraps = bounded(bootstraps, n_songs)
    rng = generator(seed, "bootstraps", *words)
    if n_songs == 0:
        return np.zeros((bootstraps, 0), np.int64)
    return rng.multinomial(n_songs, np.full(n_songs, 1.0 / n_songs), size=bootstraps)


def interval(
    value: float, draws: np.ndarray, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """95% interval of `value` from its bootstrap `draws` of shape (B,), cut to `bounds`.

    The clustering is held fixed: the interval says how the score would vary with the songs, not how
    the clusters would. A song that is drawn twice agrees with itself, which moves the draws of
    every agreement score up; the percentiles are therefore shifted so that the draws' mean is the
    value.

    Returns:
        Both bounds, NaN where there are fewer than two finite draws.
    """
    finite = draws[np.isfinite(draws)]
    if len(finite) < 2 or not np.isfinite(value):
        return np.nan, np.nan
    low, high = np.quantile(finite, [TAIL, 1.0 - TAIL]) + (value - finite.mean())
    return (
        float(np.clip(min(low, value), *bounds)),
        float(np.clip(max(high, value), *bounds)),
    )


def with_more_errors(table: Tables, n_songs: int) -> Tables | None:
    """A table [1, C, K] with as many songs in wrong clusters as there may be in truth.

    A bootstrap draws errors only where there are some: of a perfect table every draw is perfect.
    Below `FEW_ERRORS` songs in a wrong cluster their share is raised to the upper end of its
    interval (`clopper_pearson`); the new ones lie as if dealt out at random, which keeps both
    margins. None where errors are not few.

    A song is wrong where it is not of its cluster's most frequent class or, where that leaves
    fewer, not in its class's most frequent cluster.
    """
    counts, n = table.counts[0], float(table.classes.sum())
    dealt_out = np.outer(table.classes[0], table.clusters[0]) / n
    by_cluster = (counts.argmax(axis=0), np.arange(counts.shape[1]))
    by_class = (np.arange(counts.shape[0]), counts.argmax(axis=1))
    right = max(by_cluster, by_class, key=lambda cells: counts[cells].sum())
    alone = float(table.noise.sum())
    share = 1.0 - (counts[right].sum() + alone) / n
    if share * n_songs >= FEW_ERRORS:
        return None
    room = 1.0 - (dealt_out[right].sum() + alone) / n - share
    more = clopper_pearson(share * n_songs, n_songs)[1] - share
    weight = min(more / room, 1.0) if room > 0 else 0.0
    return Tables((1.0 - weight) * table.counts + weight * dealt_out, table.noise)


def clopper_pearson(successes: float, n: int) -> tuple[float, float]:
    """95% interval of a share of `n` independent songs (Clopper and Pearson 1934).

    It holds for every n: of one song that succeeds it says [0.025, 1]. `successes` need not be
    whole, where a song counts in part.
    """
    from scipy.stats import beta

    low = 0.0 if successes <= 0 else float(beta.ppf(TAIL, successes, n - successes + 1))
    high = 1.0 if successes >= n else float(beta.ppf(1.0 - TAIL, successes + 1, n - successes))
    return low, high
