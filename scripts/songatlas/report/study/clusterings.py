"""Every clustering behind the study's tables: one row per model, seed, algorithm, task, metric."""

from collections.abc import Mapping, Sequence

import pandas as pd

from songatlas.evaluation.comparison import Run
from songatlas.evaluation.tasks import n_classes, task_labels

COLUMNS = (
    "model",
    "supervision",
    "seed",
    "level",
    "algorithm",
    "k",
    "task",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "chance",
    "n",
    "note",
)

LOWER_IS_BETTER = ("davies_bouldin",)


def clusterings(
    runs: Mapping[str, Sequence[Run]],
    labels: pd.DataFrame,
    *,
    tasks: Sequence[str],
    algorithms: Sequence[str],
) -> pd.DataFrame:
    """Scores of `algorithms` at k = the task's number of classes: `COLUMNS`.

    In cross-validation k is the number of classes among the songs that a fold holds out.

    Args:
        runs: all seeds of each model.
        labels: rows of the labels table.
        tasks, algorithms: in the order of the rows.
    """
    parts = []
    for task in tasks:
        of_song = task_labels(labels, task)
        for seeds in runs.values():
            for run in seeds:
                rows = run.scores[
                    (run.scores["task"] == task) & run.scores["algorithm"].isin(list(algorithms))
                ]
                for level, group in rows.groupby("level", sort=False):
                    tracks = run.clusters.loc[run.clusters["level"] == level, "track_id"].unique()
                    k = n_classes(of_song, tracks)
                    parts.append(group[group["k"] == k].assign(supervision=run.supervision))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of value, bounds and chance: one row per model, algorithm, task, metric.

    Args:
        scores: rows of `clusterings`, of one level.

    Returns:
        Columns `model, supervision, algorithm, task, metric, value, ci_low, ci_high, chance, n,
        seeds`; null where no seed has a value.
    """
    keys = ["model", "supervision", "algorithm", "task", "metric"]
    grouped = scores.groupby(keys, sort=False)
    means = grouped[["value", "ci_low", "ci_high", "chance"]].mean()
    more = grouped.agg(n=("n", "max"), seeds=("seed", "nunique"))
    return means.join(more).reset_index()
