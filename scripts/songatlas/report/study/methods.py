"""What each clustering algorithm reaches, over models and tasks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from songatlas.report.study.clusterings import over_seeds
from songatlas.report.study.published import Published
from songatlas.report.study.versus import versus

METRICS = ("silhouette", "ari", "nmi")
STATISTICS = ("mean", "std", "min", "max")
VALUES = tuple(f"{metric}_{statistic}" for metric in METRICS for statistic in STATISTICS)
COLUMNS = ("method", "models", *VALUES, "ami_mean", "chance_nmi", "n_scores")

STUDY, EVERYONE = "the study's", "all"
"""Which models a row is over."""


def methods_table(
    scores: pd.DataFrame, algorithms: Sequence[str], published: Published
) -> pd.DataFrame:
    """`COLUMNS`: a row per algorithm over the study's models, then one over all of the run.

    Statistics are over models and tasks, of means over seeds (`std`: n - 1). Controls must not be
    among `scores`.

    Args:
        scores: rows of `clusterings`, of one level.
        algorithms: in the order of the rows.
        published: the study's tables, for its models.
    """
    means = over_seeds(scores)
    rows = []
    for models in (STUDY, EVERYONE):
        mine = means[means["model"].isin(published.models)] if models == STUDY else means
        for algorithm in sorted(algorithms):
            of = mine[mine["algorithm"] == algorithm]
            row: dict[str, object] = {"method": algorithm, "models": models}
            for metric in METRICS:
                values = of.loc[of["metric"] == metric, "value"]
                row |= {f"{metric}_{name}": values.agg(name) for name in STATISTICS}
            nmi = of[of["metric"] == "nmi"].dropna(subset=["value"])
            row["ami_mean"] = of.loc[of["metric"] == "ami", "value"].mean()
            row["chance_nmi"], row["n_scores"] = nmi["chance"].mean(), len(nmi)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def methods_versus(methods: pd.DataFrame, published: Published, corpus: str) -> pd.DataFrame:
    """The study's algorithms beside the run's, over the study's models."""
    ours = methods[methods["models"] == STUDY]
    return versus(published.methods, ours, keys=["method"], values=VALUES, corpus=corpus)


def algorithm_differences(
    scores: pd.DataFrame, *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """NMI above chance of each pair of algorithms on the same models and tasks.

    Chance is taken off since it differs between algorithms (that of even clusters is higher); where
    it was not estimated it counts as 0. A model's tasks are averaged first; the 95% interval is of
    bootstrap draws over models (percentiles), and null below three models.

    Args:
        scores: rows of `clusterings`, of one level.
        draws: bootstrap draws.
        seed: of the draws.

    Returns:
        Columns `better, worse, difference, ci_low, ci_high, models`, the largest difference first.
    """
    nmi = over_seeds(scores[scores["metric"] == "nmi"]).dropna(subset=["value"])
    nmi = nmi.assign(gap=nmi["value"] - nmi["chance"].fillna(0.0))
    wide = nmi.pivot_table(index=["model", "task"], columns="algorithm", values="gap").dropna()
    by_model = wide.groupby(level="model").mean()
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, max(len(by_model), 1), (draws, len(by_model)))
    rows = []
    names = list(by_model.columns)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            better, worse = (first, second)
            if by_model[first].mean() < by_model[second].mean():
                better, worse = second, first
            gap = (by_model[better] - by_model[worse]).to_numpy()
            low, high = np.nan, np.nan
            if len(gap) >= 3:
                low, high = np.quantile(gap[drawn].mean(axis=1), [0.025, 0.975])
            rows.append((better, worse, float(gap.mean()), float(low), float(high), len(gap)))
    columns = ["better", "worse", "difference", "ci_low", "ci_high", "models"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("difference", ascending=False, kind="stable", ignore_index=True)
