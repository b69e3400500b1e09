"""A promise of the evaluation, and how often it was kept under a known truth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

CONFIDENCE = 0.999
"""Of the interval of a rate: one promise in a thousand that are kept would be called broken."""

MANY, FEW = 400, 60
"""Repeats where one takes less than 0.1 s, and else."""


@dataclass(frozen=True)
class Promise:
    """`outcome` of a seed says whether an event happened in one simulated repeat.

    The event is to happen at a rate between `low` and `high`.
    """

    about: str
    event: str
    truth: str
    low: float
    high: float
    outcome: Callable[[int], bool]
    repeats: int = MANY

    @property
    def name(self) -> str:
        return f"{self.about}: {self.event}; {self.truth}"


@dataclass(frozen=True)
class Kept:
    """The rate reached and its interval (Clopper and Pearson 1934)."""

    promise: Promise
    rate: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return self.high >= self.promise.low and self.low <= self.promise.high


def keep(promise: Promise) -> Kept:
    """Repeat a promise's simulation with seeds 0, 1, ..."""
    happened = int(sum(promise.outcome(seed) for seed in range(promise.repeats)))
    n, tail = promise.repeats, (1.0 - CONFIDENCE) / 2.0
    low = beta.ppf(tail, happened, n - happened + 1) if happened else 0.0
    high = beta.ppf(1.0 - tail, happened + 1, n - happened) if happened < n else 1.0
    return Kept(promise, happened / n, float(np.round(low, 4)), float(np.round(high, 4)))
