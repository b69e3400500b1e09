"""How many clusters: stability, silhouette, gap statistic and BIC, each alone and together."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from songatlas.clustering.algorithms import POINTS_PER_DIM, VARIANCE_FLOOR, cluster
from songatlas.clustering.stability import stability
from songatlas.features.vectors.reduction import reduce_width

CRITERIA = ("stability", "silhouette", "gap", "bic")
LOWER_IS_BETTER = ("bic",)
JOINT = "joint"
KNOW_ONE = ("gap", "bic")
"""Criteria that have a value for k = 1, which is no clusters."""

SAMPLE = 2_000
"""Above this many songs the criteria are those of a sample: the gap statistic clusters hundreds of
data sets of the same size."""

BIC_DIM = 32
"""BIC: most dimensions of the mixture."""

DECIMALS = 9
"""Values that differ by rounding only are equal."""


@dataclass(frozen=True)
class Choice:
    """What each criterion says of each number of clusters.

    `values` has the columns `criterion, k, value, sd`; a null value could not be computed. `own`
    is each criterion's choice (None: it has none), `joint` the one that they make together (1: no
    clusters), `ranks` the mean rank of every k from which it comes. `sentence` says so in words.
    """

    values: pd.DataFrame
    own: Mapping[str, int | None]
    joint: int | None
    ranks: Mapping[int, float]
    sentence: str
    notes: Mapping[str, str] = field(default_factory=dict)


def choose_k(
    runs: Sequence[np.ndarray],
    *,
    algorithm: str = "kmeans",
    k_min: int = 2,
    k_max: int = 15,
    draws: int = 20,
    references: int = 20,
    n_init: int = 10,
    seed: int = 0,
) -> Choice:
    """Compare numbers of clusters from `k_min` to `k_max`, which is clipped to n - 1.

    - `stability`: mean adjusted mutual information between clusterings of bootstrap draws; sd over
      pairs of draws. Highest.
    - `silhouette` (Rousseeuw 1987). Highest.
    - `gap`: see `gap_statistic`; sd is its standard error. The smallest k whose gap is not below
      the next one's by more than that one's standard error.
    - `bic`: see `mixture_bic`. Lowest.

    Where `k_min` is 2, the gap and the BIC also know k = 1: no clusters at all.

    Together: every criterion ranks the k from `k_min` on, equal ones sharing a rank (`mean_ranks`);
    the k of the lowest mean rank is taken (Borda's count), the smallest of equal ones. Where both
    criteria that know k = 1 choose it, it is 1: the others cannot say that there are no clusters.

    Args:
        runs: points of shape (n, d) from each training seed, rows being the same songs. Values are
            averaged over runs, stability pools their pairs. With several runs, the sd of silhouette
            and BIC is over runs.
        algorithm: what finds the clusters behind all criteria but the BIC.
        draws: bootstrap draws behind the stability.
        references: reference data sets behind the gap statistic.
        n_init: starts of k-means and of mixtures.
        seed: of everything random.
    """
    runs = [np.asarray(z, np.float64) for z in runs]
    n = len(runs[0]) if runs else 0
    said = ""
    if n > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
        runs = [z[rows] for z in runs]
        said = f"of a sample of {SAMPLE} of {n} songs"
    k_max = min(k_max, n - 1, SAMPLE - 1)
    problem = _problem(runs, n, k_min, k_max)
    if problem:
        nothing = pd.DataFrame({"criterion": CRITERIA, "k": None, "value": np.nan, "sd": np.nan})
        return Choice(
            nothing.astype({"k": "Int32"}),
            dict.fromkeys(CRITERIA),
            None,
            {},
            f"No number of clusters can be suggested: {problem}.",
            dict.fromkeys(CRITERIA, problem),
        )
    ks = list(range(k_min, k_max + 1))
    with_one = [1, *ks] if k_min == 2 else ks
    runs = [_unit_variance(z) for z in runs]
    options = {"algorithm": algorithm, "n_init": n_init, "seed": seed}
    stable, notes = _stabilities(runs, ks, draws, options)
    mixtures = [mixture_bic(z, with_one, n_init=n_init, seed=seed) for z in runs]
    notes["bic"] = mixtures[0][1]
    parts = [
        stable,
        _over_runs("silhouette", ks, [_silhouettes(z, ks, options) for z in runs]),
        _gaps(runs, with_one, references, options),
        _over_runs("bic", with_one, [values for values, _ in mixtures]),
    ]
    if said:
        notes = {name: "; ".join(filter(None, (said, notes.get(name)))) for name in CRITERIA}
    values = pd.concat(parts, ignore_index=True).astype({"k": "Int32"})
    own = {name: _own_choice(values[values["criterion"] == name]) for name in CRITERIA}
    ranks = mean_ranks(values, own, ks)
    joint = min(ranks, key=lambda k: (round(ranks[k], DECIMALS), k)) if ranks else None
    if all(own[name] == 1 for name in KNOW_ONE):
        joint = 1
    return Choice(values, own, joint, ranks, in_words(own, joint, ks), notes)


def gap_statistic(
    z: np.ndarray, ks: Iterable[int], *, algorithm: str, references: int, n_init: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Gap of every k and its standard error (Tibshirani, Walther and Hastie 2001), shape (K,).

    Gap(k) is how far log W_k, the pooled within-cluster sum of squares, lies below its mean over
    `references` data sets that are uniform in the box along the principal axes of `z` (n, d). NaN
    where W_k is 0.
    """
    left, scale, _ = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    real = scale > scale[0] * max(z.shape) * np.finfo(np.float64).eps
    points = (left * scale)[:, real]
    low, high = points.min(axis=0), points.max(axis=0)
    rng = np.random.default_rng([seed, len(z)])
    boxes = [rng.uniform(low, high, points.shape) for _ in range(references)]
    gaps, errors = [], []
    for k in ks:
        own, *by_chance = (
            _log_within(data, k, algorithm, n_init, seed) for data in (points, *boxes)
        )
        gaps.append(np.mean(by_chance) - own)
        errors.append(np.std(by_chance) * np.sqrt(1 + 1 / references))
    return np.array(gaps), np.array(errors)


def mixture_bic(
    z: np.ndarray, ks: Iterable[int], *, n_init: int, seed: int
) -> tuple[np.ndarray, str]:
    """BIC of a Gaussian mixture of every k components, shape (K,), and what kind of mixture.

    Wide points are reduced to their leading principal components first, at most `BIC_DIM` and one
    per `POINTS_PER_DIM` points: more could not be estimated. Covariances are full where there are
    `POINTS_PER_DIM` points per parameter of the largest mixture, else diagonal.
    """
    from sklearn.mixture import GaussianMixture

    ks = list(ks)
    n, width = z.shape
    reduced = _unit_variance(reduce_width(z, *(max(1, min(BIC_DIM, n // POINTS_PER_DIM)),) * 2).z)
    kept = reduced.shape[1]
    parameters = max(ks) * (kept + kept * (kept + 1) // 2 + 1)
    kind = "full" if n >= POINTS_PER_DIM * parameters else "diag"
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mixture that has not converged still has a BIC
        for k in ks:
            model = GaussianMixture(
                k, covariance_type=kind, n_init=n_init, reg_covar=VARIANCE_FLOOR, random_state=seed
            )
            distinct = len(np.unique(reduced, axis=0))
            values.append(model.fit(reduced).bic(reduced) if k <= distinct else np.nan)
    words = {"full": "full", "diag": "diagonal"}[kind]
    components = f", on {kept} of {width} principal components" if kept < width else ""
    return np.array(values), f"mixture with {words} covariances{components}"


def mean_ranks(
    values: pd.DataFrame, own: Mapping[str, int | None], ks: Sequence[int]
) -> dict[int, float]:
    """Mean rank of every k over the criteria that rank it; empty where none does.

    A criterion ranks by value, best first. The gap's rule names the smallest k that is enough, not
    the largest gap, so the gap ranks by distance from the k that it names.
    """
    ranks = []
    for name in CRITERIA:
        of = values[(values["criterion"] == name) & values["k"].isin(ks)].set_index("k")["value"]
        goodness = of.astype(float).round(DECIMALS)
        if goodness.isna().all():
            continue
        if name in LOWER_IS_BETTER:
            goodness = -goodness
        elif name == "gap" and own[name] is not None:
            distances = -np.abs(goodness.index.to_numpy(np.float64) - float(own[name] or 0))
            goodness = pd.Series(distances, goodness.index)
        ranks.append(goodness.rank(ascending=False, na_option="bottom"))
    if not ranks:
        return {}
    mean = pd.concat(ranks, axis=1).mean(axis=1)
    return dict(zip(map(int, mean.index), map(float, mean), strict=True))


def in_words(own: Mapping[str, int | None], joint: int | None, ks: Sequence[int]) -> str:
    """One or two sentences: who suggests what, and what is odd about it."""
    votes: dict[int, list[str]] = {}
    for name in CRITERIA:
        k = own[name]
        if k is not None:
            votes.setdefault(k, []).append(_NAMES[name])
    if joint is None or not votes:
        return "No criterion could be computed, so no number of clusters is suggested."
    if joint == 1:
        return "No clusters are suggested (k = 1): gap and BIC find none, and only they could."
    if len(votes) == 1 and joint in votes:
        counted = sum(map(len, votes.values()))
        agree = "All criteria suggest" if counted == len(CRITERIA) else f"{_list(votes[joint])}:"
        return f"{agree} k = {joint}."
    several = [
        f"{_list(names)} {'suggests' if len(names) == 1 else 'suggest'} "
        + (f"k = {k}" if k > 1 else "no clusters (k = 1)")
        for k, names in sorted(votes.items())
    ]
    text = f"The criteria disagree: {', '.join(several)}; together they rank k = {joint} first."
    if len(ks) > 2 and joint == ks[-1]:
        text += " It is the largest k that was tried: there may be more clusters, or none."
    return text


_NAMES = {"stability": "stability", "silhouette": "silhouette", "gap": "gap", "bic": "BIC"}


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _problem(runs: Sequence[np.ndarray], n: int, k_min: int, k_max: int) -> str | None:
    if k_max < k_min:
        return f"{n} songs are too few for {k_min} clusters"
    if not all(np.isfinite(z).all() for z in runs):
        return "values that are not finite"
    if any(len(np.unique(z, axis=0)) < 2 for z in runs):
        return "all points are the same"
    return None


def _unit_variance(z: np.ndarray) -> np.ndarray:
    """Centred and divided by one common scale: no criterion depends on the unit of the points."""
    z = z - z.mean(axis=0)
    z /= np.abs(z).max()
    return np.asarray(z / np.sqrt(z.var(axis=0).mean()))


def _stabilities(
    runs: Sequence[np.ndarray], ks: Sequence[int], draws: int, options: Mapping[str, Any]
) -> tuple[pd.DataFrame, dict[str, str]]:
    rows, problems = [], []
    for k in ks:
        found = [stability(z, k=k, draws=draws, **options) for z in runs]
        pairs = np.concatenate([each.pairwise for each in found])
        mean = pairs.mean() if len(pairs) else np.nan
        rows.append(("stability", k, mean, pairs.std(ddof=1) if len(pairs) > 1 else np.nan))
        problems += [f"k = {k}: {each.note}" for each in found if each.note]
    notes = {"stability": problems[0]} if problems else {}
    return pd.DataFrame(rows, columns=["criterion", "k", "value", "sd"]), notes


def _silhouettes(z: np.ndarray, ks: Sequence[int], options: Mapping[str, Any]) -> np.ndarray:
    from sklearn.metrics import silhouette_score

    values = []
    for k in ks:
        labels = cluster(z, k=k, **options).labels
        known = labels is not None and 1 < len(np.unique(labels)) < len(z)
        values.append(silhouette_score(z, labels) if known else np.nan)
    return np.array(values)


def _over_runs(name: str, ks: Sequence[int], values: Sequence[np.ndarray]) -> pd.DataFrame:
    stacked = np.stack(values)
    sd = stacked.std(axis=0, ddof=1) if len(values) > 1 else np.full(len(ks), np.nan)
    return pd.DataFrame({"criterion": name, "k": ks, "value": stacked.mean(axis=0), "sd": sd})


def _gaps(
    runs: Sequence[np.ndarray], ks: Sequence[int], references: int, options: Mapping[str, Any]
) -> pd.DataFrame:
    found = [gap_statistic(z, ks, references=references, **options) for z in runs]
    gaps, errors = (np.stack(part) for part in zip(*found, strict=True))
    return pd.DataFrame(
        {
            "criterion": "gap",
            "k": ks,
            "value": gaps.mean(axis=0),
            "sd": np.sqrt((errors**2).mean(axis=0)),
        }
    )


def _log_within(z: np.ndarray, k: int, algorithm: str, n_init: int, seed: int) -> float:
    labels: np.ndarray | None = np.zeros(len(z), np.int32)
    if k > 1:
        labels = cluster(z, algorithm, k, n_init=n_init, seed=seed).labels
    if labels is None:
        return np.nan
    within = sum(
        float(((z[labels == label] - z[labels == label].mean(axis=0)) ** 2).sum())
        for label in np.unique(labels)
    )
    return float(np.log(within)) if within > 1e-12 * float((z**2).sum()) else np.nan


def _own_choice(rows: pd.DataFrame) -> int | None:
    """The k that one criterion chooses; the smallest of equally good ones."""
    rows = rows[rows["value"].notna()]
    if rows.empty:
        return None
    values = rows["value"].round(DECIMALS).to_numpy()
    name = rows["criterion"].iloc[0]
    if name == "gap":
        enough = values[:-1] >= values[1:] - rows["sd"].round(DECIMALS).to_numpy()[1:]
        # Where the gap rises to the end, the end (as R's `clusGap` has it).
        best = int(enough.argmax()) if enough.any() else len(values) - 1
    else:
        best = int((-values if name in LOWER_IS_BETTER else values).argmax())
    return int(rows["k"].iloc[best])
