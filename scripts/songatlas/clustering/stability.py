"""How much a clustering depends on which songs happened to be there."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from songatlas.clustering.algorithms import cluster


@dataclass(frozen=True)
class Stability:
    """Agreement between clusterings of bootstrap draws.

    `pairwise` of shape (p,) float64 holds the adjusted mutual information of every pair of draws
    that could be compared; `note` says why there is none, or fewer draws than asked for.
    """

    pairwise: np.ndarray
    note: str | None = None

    @property
    def mean(self) -> float:
        return float(self.pairwise.mean()) if len(self.pairwise) else np.nan

    @property
    def sd(self) -> float:
        """Standard deviation over pairs (n - 1). Pairs share draws: it is no standard error."""
        return float(self.pairwise.std(ddof=1)) if len(self.pairwise) > 1 else np.nan


def stability(
    z: np.ndarray,
    algorithm: str,
    k: int | None,
    draws: int,
    seed: int,
    *,
    track_ids: Sequence[str] | None = None,
    n_init: int = 10,
) -> Stability:
    """Cluster bootstrap draws of the points `z` (n, d) and compare them pair by pair.

    Songs are drawn with replacement, each with all its points; a song that is drawn several times
    takes part once, since copies are clusters by themselves (Hennig 2007). Two draws are compared
    by the adjusted mutual information (Vinh, Epps and Bailey 2010) of the points that both hold:
    1 is the same partition, 0 what chance gives. Noise points are clusters of their own.

    The draws depend on the number of songs and `seed` alone, so that values for different `k`
    can be compared.

    Args:
        algorithm: as in `cluster`.
        k: number of clusters; None for algorithms that find it themselves.
        draws: number of bootstrap draws.
        seed: of draws and clusterings.
        track_ids: song of each point; without it every point is a song.
        n_init: starts of k-means and GMM.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    z = np.asarray(z, np.float64)
    song = np.arange(len(z))
    if track_ids is not None:
        song = np.unique(np.asarray(track_ids), return_inverse=True)[1]
    n_songs = int(song.max(initial=-1)) + 1
    rng = np.random.default_rng([seed, n_songs])
    absent = np.iinfo(np.int64).min
    found: list[np.ndarray] = []
    problem = None
    for _ in range(draws):
        drawn = np.isin(song, rng.integers(0, max(n_songs, 1), n_songs))
        result = cluster(z[drawn], algorithm, k, n_init=n_init, seed=seed)
        if result.labels is None:
            problem = result.note
            continue
        labels = np.full(len(z), absent)
        # Noise points are named apart, by their position.
        labels[drawn] = np.where(result.labels < 0, -1 - np.flatnonzero(drawn), result.labels)
        found.append(labels)
    values = []
    for first, second in combinations(found, 2):
        both = (first != absent) & (second != absent)
        if both.sum() > 1:
            values.append(adjusted_mutual_info_score(first[both], second[both]))
    note = f"{draws - len(found)} of {draws} draws not clustered: {problem}" if problem else None
    return Stability(np.array(values, np.float64), note)
