"""Whether the dimensions that were bound to attributes of the sound follow them."""

from collections.abc import Sequence

import numpy as np

from songatlas.evaluation.chance import generator


def bound_correlation(
    z: np.ndarray, attribute: np.ndarray, songs: Sequence[str], *, permutations: int, seed: int
) -> tuple[float, float, int]:
    """Spearman correlation of a dimension with an attribute over windows, and that of chance.

    Args:
        z: (n,) the bound dimension.
        attribute: (n,), NaN where unknown; those windows are left out.
        songs: (n,) the song of each window.
        permutations: how often songs are permuted. A window then takes the attribute of a window
            of another song, at the same place where it is as long: windows of one song are alike.

    Returns:
        The correlation (NaN when fewer than three windows or no variation), the mean of its
        absolute value by chance, and the number of windows.
    """
    from scipy.stats import rankdata

    known = np.isfinite(attribute) & np.isfinite(z)
    z, attribute = z[known], attribute[known]
    n = len(z)
    if n < 3 or np.ptp(z) == 0 or np.ptp(attribute) == 0:
        return np.nan, np.nan, n
    ids, of_window = np.unique(np.asarray(songs)[known], return_inverse=True)
    rows = [np.flatnonzero(of_window == song) for song in range(len(ids))]
    ranks, other = rankdata(z), rankdata(attribute)
    rng = generator(seed, "bound dimensions")
    by_chance = []
    for _ in range(permutations):
        taken = np.empty(n, np.int64)
        for own, partner in zip(rows, rng.permutation(len(ids)), strict=True):
            taken[own] = np.resize(rows[partner], len(own))
        by_chance.append(abs(_pearson(ranks, other[taken])))
    chance = float(np.mean(by_chance)) if by_chance else np.nan
    return _pearson(ranks, other), chance, n


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0
