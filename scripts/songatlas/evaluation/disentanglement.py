"""Whether the dimensions of a latent stand for one factor each: MIG, SAP and DCI.

Three ideas of the same thing: the mutual information gap (Chen et al. 2018), the separated
attribute predictability (Kumar et al. 2018) and disentanglement, completeness and informativeness
(Eastwood and Williams 2018). Each is 1 where every factor has a dimension to itself, and each is
above 0 for noise when songs are few: read them beside their chance level.

Factors belong to songs. Chance deals out the songs' factors at random, all factors of a song
together, and no song stands on both sides of a cross-validation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from songatlas.evaluation.chance import generator
from songatlas.evaluation.factors import Factor

MOST_BINS = 20
"""Latents and numbers are cut into this many equally filled bins, fewer where points are few."""

MOST_POINTS = 3000
"""Of more points so many are drawn at random: forests of all would take hours and say the same."""

FOLDS = 4
DCI_PERMUTATIONS = 5
"""Forests are what takes time: more permutations change the mean chance in the second decimal."""

ALL = "all"

METRICS = (
    "mig",
    "sap",
    "dci_disentanglement",
    "dci_completeness",
    "dci_informativeness",
)


@dataclass(frozen=True)
class Measured:
    """One number; `factor` is `all` for the mean over factors. NaN is null."""

    factor: str
    metric: str
    value: float
    chance: float
    n: int
    note: str | None = None


def disentanglement(
    z: np.ndarray,
    songs: np.ndarray,
    factors: Sequence[Factor],
    *,
    permutations: int,
    trees: int,
    seed: int,
) -> list[Measured]:
    """Every metric of every factor, and of all factors together.

    Args:
        z: latents (n, d), windows or songs.
        songs: (n,) the song of each point, as a row of the factors.
        factors: of the songs.
        permutations: deals of the factors behind each chance level (forests take at most
            `DCI_PERMUTATIONS`); 0 leaves chance null.
        trees: of each forest.

    Of more than `MOST_POINTS` points a random sample is measured; `n` says how many.
    `dci_disentanglement` is one number for all factors (it asks of each dimension how many factors
    it serves) and needs two of them.
    """
    usable = [factor for factor in factors if factor.problem() is None]
    if len(z) == 0 or not np.isfinite(z).all():
        usable = []
    n_songs = max((len(factor.values) for factor in factors), default=0)
    rng = generator(seed, "disentanglement")
    if len(z) > MOST_POINTS:
        kept = np.sort(generator(seed, "points").choice(len(z), MOST_POINTS, replace=False))
        z, songs = z[kept], songs[kept]
    deals = [np.arange(n_songs), *(rng.permutation(n_songs) for _ in range(permutations))]
    gaps = [_gaps(z, songs, factors_of(usable, deal)) for deal in deals]
    forests = [
        _dci(z, songs, factors_of(usable, deal), trees, seed)
        for deal in deals[: 1 + DCI_PERMUTATIONS]
    ]
    rows = []
    for metric in METRICS:
        runs = gaps if metric in ("mig", "sap") else forests
        found = [run[metric] for run in runs]
        rows += _rows(metric, found, z, songs, factors)
    return rows


def factors_of(factors: Sequence[Factor], deal: np.ndarray) -> list[Factor]:
    """The same factors, dealt out to songs in another order."""
    return [Factor(factor.name, factor.values[deal], factor.categorical) for factor in factors]


def _rows(
    metric: str,
    found: Sequence[Mapping[str, float]],
    z: np.ndarray,
    songs: np.ndarray,
    factors: Sequence[Factor],
) -> list[Measured]:
    """Rows of one metric; `found` is by factor, first the measurement, then the deals."""
    if len(z) == 0:
        broken: str | None = "no latents"
    else:
        broken = None if np.isfinite(z).all() else "values that are not finite"
    rows = []
    names = [] if metric == "dci_disentanglement" else [factor.name for factor in factors]
    problems = {factor.name: broken or factor.problem() for factor in factors}
    counts = {factor.name: int(factor.known[songs].sum()) for factor in factors}
    used = [factor.name for factor in factors if problems[factor.name] is None]
    for name in names:
        if problems[name]:
            row = Measured(name, metric, np.nan, np.nan, counts[name], problems[name])
        else:
            values = [run[name] for run in found]
            row = Measured(name, metric, values[0], _mean(values[1:]), counts[name])
        rows.append(row)
    note = f"mean over {', '.join(used)}"
    if not used:
        reasons = dict.fromkeys(problem for problem in problems.values() if problem)
        note = "; ".join(reasons) or "no factor"
    elif metric == "dci_disentanglement":
        note = f"over {', '.join(used)}" if len(used) > 1 else "needs two factors"
    together = [run.get(ALL, np.nan) for run in found]
    n = max((counts[name] for name in used), default=0)
    rows.append(Measured(ALL, metric, together[0], _mean(together[1:]), n, note))
    return rows


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else np.nan


# --- one dimension at a time: MIG and SAP ------------------------------------------------------


def _gaps(
    z: np.ndarray, songs: np.ndarray, factors: Sequence[Factor]
) -> dict[str, dict[str, float]]:
    mig, sap = {}, {}
    for factor in factors:
        rows = factor.known[songs]
        values = factor.values[songs[rows]]
        mig[factor.name] = gap(mutual_information(z[rows], values, factor.categorical))
        sap[factor.name] = gap(
            predictability(z[rows], values, songs[rows], factor.categorical), floor=0.0
        )
    return {"mig": _with_mean(mig), "sap": _with_mean(sap)}


def _with_mean(values: dict[str, float]) -> dict[str, float]:
    return values | ({ALL: float(np.mean(list(values.values())))} if values else {})


def gap(scores: np.ndarray, floor: float = 0.0) -> float:
    """How far the best dimension is ahead of the second, from scores (d,); one has no rival."""
    ordered = np.sort(np.maximum(scores, floor))[::-1]
    return float(ordered[0] - (ordered[1] if len(ordered) > 1 else 0.0))


def mutual_information(z: np.ndarray, values: np.ndarray, categorical: bool) -> np.ndarray:
    """Mutual information of every dimension with a factor, as a share of its entropy: (d,).

    Dimensions (and a factor of numbers) are cut into equally filled bins, √n of them and at most
    `MOST_BINS`; the estimate is the plug-in one, which is too large for few points.
    """
    bins = n_bins(len(z))
    codes = values if categorical else equal_bins(values[:, None], bins)[:, 0]
    names, codes = np.unique(codes, return_inverse=True)
    of_class = np.eye(len(names))[codes]
    cut = equal_bins(z, bins)
    joint = np.stack([(cut == b).T @ of_class for b in range(bins)], axis=1) / len(z)  # (d, b, c)
    marginal = joint.sum(2, keepdims=True) * joint.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = np.where(joint > 0, joint * np.log(joint / marginal), 0.0).sum((1, 2))
    share = of_class.mean(0)
    entropy = -(share * np.log(share)).sum()
    return np.asarray(nats / entropy)


def n_bins(n: int) -> int:
    """Bins for n points."""
    return int(np.clip(round(np.sqrt(n)), 2, MOST_BINS))


def equal_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Columns of (n, d) cut into equally filled bins: int64; equal values share a bin."""
    from scipy.stats import rankdata

    ranks = rankdata(values, method="min", axis=0) - 1
    return np.asarray((ranks * bins) // len(values), np.int64)


def predictability(
    z: np.ndarray, values: np.ndarray, songs: np.ndarray, categorical: bool
) -> np.ndarray:
    """How well each dimension alone predicts a factor: (d,), 0 for a guess, 1 for certainty.

    Numbers: squared correlation. Classes: thresholds half way between class means, cross-validated
    over songs, as balanced accuracy above that of a guess (it can be negative).
    """
    if not categorical:
        centred, target = z - z.mean(0), values - values.mean()
        scale = np.sqrt((centred**2).sum(0) * (target**2).sum())
        together = target @ centred
        return np.divide(together, scale, out=np.zeros_like(scale), where=scale > 0) ** 2
    names, codes = np.unique(values, return_inverse=True)
    of_class = np.eye(len(names))[codes]
    hits = np.zeros(z.shape)
    for held in folds(songs, codes):
        counts = of_class[~held].sum(0)[:, None]
        means = np.where(counts > 0, of_class[~held].T @ z[~held] / counts.clip(1), np.inf)
        nearest = np.abs(z[held][:, None] - means[None]).argmin(1)
        hits[held] = nearest == codes[held][:, None]
    # A dimension that does not vary sends every point to the first class: that is a guess.
    balanced = (of_class.T @ hits / of_class.sum(0)[:, None]).mean(0)
    return np.asarray((balanced - 1.0 / len(names)) / (1.0 - 1.0 / len(names)))


def folds(songs: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """Masks (n,) of the held-out points: each song in one, the factor spread over all.

    Songs are dealt out in the order of their factor, so every fold has its share of each class or
    of the range; ties are dealt by the song's number.
    """
    ids, first = np.unique(songs, return_index=True)
    order = np.argsort(values[first], kind="stable")
    count = min(FOLDS, len(ids))
    fold_of = np.empty(len(ids), np.int64)
    fold_of[order] = np.arange(len(ids)) % count
    of_point = fold_of[np.searchsorted(ids, songs)]
    return [of_point == fold for fold in range(count)]


# --- all dimensions together: DCI --------------------------------------------------------------


def _dci(
    z: np.ndarray, songs: np.ndarray, factors: Sequence[Factor], trees: int, seed: int
) -> dict[str, dict[str, float]]:
    importances, informativeness = [], {}
    for factor in factors:
        rows = factor.known[songs]
        weights, score = forest(
            z[rows], factor.values[songs[rows]], songs[rows], factor.categorical, trees, seed
        )
        importances.append(weights)
        informativeness[factor.name] = score
    if not factors:
        return {metric: {} for metric in METRICS[2:]}
    matrix = np.stack(importances, axis=1)
    completeness = dict(
        zip([factor.name for factor in factors], concentration(matrix.T), strict=True)
    )
    return {
        "dci_disentanglement": {ALL: dci_disentanglement(matrix)} if len(factors) > 1 else {},
        "dci_completeness": _with_mean({name: float(c) for name, c in completeness.items()}),
        "dci_informativeness": _with_mean(informativeness),
    }


def forest(
    z: np.ndarray,
    values: np.ndarray,
    songs: np.ndarray,
    categorical: bool,
    trees: int,
    seed: int,
) -> tuple[np.ndarray, float]:
    """Importance of every dimension for a factor (d,), summing to 1, and how well it is predicted.

    Random forests, one per fold of songs; importances are their mean. The score is the balanced
    accuracy above a guess, or R² (both cut at 0), of held-out songs.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.metrics import balanced_accuracy_score, r2_score

    importances = np.zeros(z.shape[1])
    predicted = np.zeros(len(values))
    kind = RandomForestClassifier if categorical else RandomForestRegressor
    # Every split sees every dimension: offered a few at random, it must often take one of noise,
    # and the importance of a dimension that explains everything is spread over the others.
    options: dict[str, Any] = {"max_features": None, "min_samples_leaf": 2, "random_state": seed}
    options |= {"class_weight": "balanced"} if categorical else {}
    for held in folds(songs, values):
        model = kind(trees, **options).fit(z[~held], values[~held])
        importances += model.feature_importances_
        predicted[held] = model.predict(z[held])
    total = importances.sum()
    importances = importances / total if total > 0 else np.full(z.shape[1], 1.0 / z.shape[1])
    if categorical:
        score = balanced_accuracy_score(values, predicted, adjusted=True)
    else:
        score = r2_score(values, predicted)
    return importances, max(float(score), 0.0)


def concentration(importances: np.ndarray) -> np.ndarray:
    """1 − entropy of each row of (m, k), in units of log k: 1 when one entry has it all.

    Rows of zeros are 0. With one entry there is nothing to share: 1.
    """
    m, k = importances.shape
    if k < 2:
        return np.ones(m)
    total = importances.sum(1, keepdims=True)
    share = np.divide(importances, total, out=np.full((m, k), 1.0 / k), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.asarray(1.0 + (share * logs).sum(1) / np.log(k))


def dci_disentanglement(importances: np.ndarray) -> float:
    """Concentration of every dimension on one factor, weighted by its importance: (d, k) → 0..1."""
    weights = importances.sum(1)
    return float((concentration(importances) * weights).sum() / weights.sum())
