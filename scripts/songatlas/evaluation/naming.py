"""What a dimension of a latent goes with: the known factor or attribute that it follows most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from songatlas.evaluation.factors import Factor

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Match:
    """A factor, and how closely a dimension follows it.

    `effect` is Spearman's ρ (−1 … 1) for numbers, the rank ε² (0 … 1) of Kruskal and Wallis for
    classes; `p` is the chance of that much without a connection.
    """

    name: str
    effect: float
    p: float
    categorical: bool

    @property
    def text(self) -> str:
        """`genre (ε² 0.61)`."""
        symbol = "ε²" if self.categorical else "ρ"
        sign = f"{self.effect:.2f}".replace("-", "−")
        return f"{self.name} ({symbol} {sign})"


def matches(z: np.ndarray, factors: Sequence[Factor]) -> list[Match]:
    """How a dimension (S,) over songs goes with each factor of which something can be said."""
    from scipy.stats import kruskal, spearmanr

    found = []
    for factor in factors:
        if factor.problem() is not None:
            continue
        known = factor.known
        values, target = z[known], factor.values[known]
        if np.ptp(values) == 0:
            continue
        if factor.categorical:
            groups = [values[target == code] for code in np.unique(target)]
            h, p = kruskal(*groups)
            effect = max(float(h) - len(groups) + 1, 0.0) / max(len(values) - len(groups), 1)
            found.append(Match(factor.name, min(effect, 1.0), float(p), True))
        else:
            rho, p = spearmanr(values, target)
            found.append(Match(factor.name, float(rho), float(p), False))
    return found


def correlation_matches(correlations: Mapping[str, float | None], n: int) -> list[Match]:
    """Matches from Spearman correlations over n songs that were computed before."""
    from scipy.stats import t

    found = []
    for name, rho in correlations.items():
        if rho is None or n < 4:
            continue
        bounded = min(abs(rho), 1.0 - 1e-12)
        statistic = bounded * np.sqrt((n - 2) / (1.0 - bounded**2))
        found.append(Match(name, rho, float(2.0 * t.sf(statistic, n - 2)), False))
    return found


def closest(candidates: Sequence[Match], tests: int) -> Match | None:
    """The most certain match, if it is significant among `tests` of them (Bonferroni)."""
    best = min(candidates, key=lambda match: match.p, default=None)
    return best if best is not None and best.p * tests < SIGNIFICANT else None
