"""Uncertainty of scores: which songs happened to be in the corpus."""

import numpy as np

from songatlas.evaluation.chance import bounded, generator

COVERAGE = 0.95


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
    tail = (1.0 - COVERAGE) / 2.0
    low, high = np.quantile(finite, [tail, 1.0 - tail]) + (value - finite.mean())
    return (
        float(np.clip(min(low, value), *bounds)),
        float(np.clip(max(high, value), *bounds)),
    )
