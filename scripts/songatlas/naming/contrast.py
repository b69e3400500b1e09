"""In what a cluster differs from all others, by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from songatlas.evaluation.paired import holm


@dataclass(frozen=True)
class Criterion:
    """A measure of songs, and words for much and for little of it (None: no word)."""

    name: str
    high: str
    low: str | None = None


@dataclass(frozen=True)
class Difference:
    """How a cluster's songs differ from all others in one criterion.

    `delta` is Cliff's δ (−1 … 1): how much likelier a song of the cluster has more of it than
    another song, than less. `p` is Mann and Whitney's, two-sided, corrected over all clusters and
    criteria (Holm).
    """

    cluster: int
    criterion: Criterion
    delta: float
    p: float

    @property
    def word(self) -> str | None:
        return self.criterion.high if self.delta > 0 else self.criterion.low


def differences(
    values: np.ndarray, labels: np.ndarray, criteria: Sequence[Criterion]
) -> list[Difference]:
    """Every cluster's differences.

    Args:
        values: (n, D) of songs, NaN where unknown.
        labels: (n,) cluster of each song; -1 is noise, which is among the others.
        criteria: what the columns are.
    """
    from scipy.stats import mannwhitneyu

    found = []
    for cluster in range(int(labels.max(initial=-1)) + 1):
        inside = labels == cluster
        for column, criterion in enumerate(criteria):
            known = np.isfinite(values[:, column])
            own, others = values[inside & known, column], values[~inside & known, column]
            if not len(own) or not len(others) or np.ptp(values[known, column]) == 0.0:
                continue
            u, p = mannwhitneyu(own, others, alternative="two-sided")
            delta = 2.0 * float(u) / (len(own) * len(others)) - 1.0
            found.append(Difference(cluster, criterion, delta, float(p)))
    corrected = holm([one.p for one in found])
    return [
        Difference(one.cluster, one.criterion, one.delta, float(p))
        for one, p in zip(found, corrected, strict=True)
    ]


def told(
    found: Sequence[Difference], cluster: int, *, alpha: float, least_effect: float, most: int
) -> list[Difference]:
    """A cluster's clearest differences that have a word, largest first; [] is "unsure"."""
    own = [
        one
        for one in found
        if one.cluster == cluster
        and one.p < alpha
        and abs(one.delta) >= least_effect
        and one.word is not None
    ]
    return sorted(own, key=lambda one: (-abs(one.delta), one.criterion.name))[:most]
