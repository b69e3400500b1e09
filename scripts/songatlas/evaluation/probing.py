"""What a simple predictor reads from vectors of songs: probes in the manner of MARBLE.

Yuan et al. 2023 (arXiv:2306.10548) compare music representations by what a linear or one-layer
predictor on top of them knows. Songs, not windows, are the points; the songs of an artist are
never on both sides of a fold, so that a voice or a studio cannot give a label away.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from songatlas.evaluation.bootstrap import clopper_pearson
from songatlas.evaluation.factors import FEWEST_PER_CLASS, Factor

LINEAR = "linear"
BOOTSTRAPS = 500
MOST_EPOCHS = 300
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)
"""Of the linear probe of numbers, which takes the best on its training folds (leaving one out)."""


@dataclass(frozen=True)
class Probed:
    """What a probe reached; `value` is accuracy for classes, R² for numbers. NaN is null.

    `chance` is the same of a predictor that sees no vectors: the most frequent class, or the mean,
    of the other folds. The interval is a 95% bootstrap over songs.
    """

    value: float
    ci_low: float
    ci_high: float
    chance: float
    n: int
    classes: int | None
    note: str | None = None


def unknown(note: str, n: int = 0) -> Probed:
    """A probe that could not be trained, and why."""
    return Probed(np.nan, np.nan, np.nan, np.nan, n, None, note)


def probe(
    z: np.ndarray,
    target: Factor,
    groups: Sequence[str],
    *,
    folds: int,
    seed: int,
    hidden: int | None = None,
) -> Probed:
    """Cross-validated score of a probe.

    Args:
        z: vectors of songs, (n, d).
        target: what is to be read, of the same songs; songs without it are left out.
        groups: of each song; a group is never on both sides of a fold (the artist).
        folds: how many; fewer where a class has fewer groups.
        hidden: units of a ReLU layer (None: a linear probe).
    """
    problem = target.problem()
    if problem is not None:
        return unknown(problem)
    known = target.known
    z, values = np.asarray(z, np.float64)[known], target.values[known]
    owners = np.unique(np.asarray(groups, dtype=str)[known], return_inverse=True)[1]
    splits = _splits(values, owners, target.categorical, folds, seed)
    if splits is None:
        return unknown(
            f"fewer than {FEWEST_PER_CLASS} groups of songs that share no artist", len(values)
        )
    predicted = np.empty(len(values), values.dtype)
    blind = np.empty(len(values), values.dtype)
    for train, test in splits:
        predicted[test] = _fit(z[train], values[train], target.categorical, hidden, seed)(z[test])
        blind[test] = _without_vectors(values[train], target.categorical)
    score = _accuracy if target.categorical else _r_squared
    low, high = _interval(values, predicted, target.categorical, seed)
    return Probed(
        score(values, predicted),
        float(low),
        float(high),
        score(values, blind),
        len(values),
        len(np.unique(values)) if target.categorical else None,
    )


def _splits(
    values: np.ndarray, owners: np.ndarray, categorical: bool, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Training and test rows of every fold; None where there are fewer than two groups to part."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    wanted = min(folds, len(np.unique(owners)))
    if categorical:
        # A class that one artist has alone is in one fold, where nothing can know it.
        per_class = [len(np.unique(owners[values == value])) for value in np.unique(values)]
        wanted = min(wanted, max(per_class))
    if wanted < 2:
        return None
    splitter: Any = StratifiedGroupKFold if categorical else GroupKFold
    parts = splitter(wanted, shuffle=True, random_state=seed)
    empty = np.zeros((len(values), 1))
    with warnings.catch_warnings():
        # A class of fewer songs than folds is normal here; it is missing from some of them.
        warnings.filterwarnings("ignore", message="The least populated class")
        found = [(train, test) for train, test in parts.split(empty, values, owners) if len(test)]
    return found if all(len(train) for train, _ in found) else None


def _fit(z: np.ndarray, values: np.ndarray, categorical: bool, hidden: int | None, seed: int):  # type: ignore[no-untyped-def]
    """The predictor, fitted on standardised vectors."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if categorical and len(np.unique(values)) < 2:
        return lambda z: np.full(len(z), values[0])
    if hidden is None:
        model: Any = LogisticRegression(max_iter=2000) if categorical else RidgeCV(PENALTIES)
    else:
        kind: Any = MLPClassifier if categorical else MLPRegressor
        model = kind(hidden_layer_sizes=(hidden,), max_iter=MOST_EPOCHS, random_state=seed)
    mean, scale = (0.0, 1.0) if categorical else (values.mean(), values.std() or 1.0)
    fitted = make_pipeline(StandardScaler(), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="The number of unique classes")
        fitted.fit(z, values if categorical else (values - mean) / scale)
    if categorical:
        return fitted.predict
    return lambda z: fitted.predict(z) * scale + mean


def _without_vectors(values: np.ndarray, categorical: bool) -> Any:
    if not categorical:
        return values.mean()
    classes, counts = np.unique(values, return_counts=True)
    return classes[np.argmax(counts)]


def _interval(
    values: np.ndarray, predicted: np.ndarray, categorical: bool, seed: int
) -> tuple[float, float]:
    """95% interval over songs: of a share (Clopper and Pearson 1934), or by bootstrap."""
    n = len(values)
    if categorical:
        return clopper_pearson(float((values == predicted).sum()), n)
    draws = np.random.default_rng(seed).integers(0, n, (BOOTSTRAPS, n))
    low, high = np.nanquantile([_r_squared(values[d], predicted[d]) for d in draws], (0.025, 0.975))
    return float(low), float(high)


def _accuracy(values: np.ndarray, predicted: np.ndarray) -> float:
    return float((values == predicted).mean())


def _r_squared(values: np.ndarray, predicted: np.ndarray) -> float:
    spread = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - predicted) ** 2).sum()) / spread if spread > 0 else float("nan")
