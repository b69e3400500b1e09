"""What is reached in each task: the best model, and the mean over models and algorithms."""

import pandas as pd

from songatlas.report.study.clusterings import over_seeds
from songatlas.report.study.methods import EVERYONE, STUDY
from songatlas.report.study.published import Published
from songatlas.report.study.versus import versus

METRICS = ("ari", "nmi", "silhouette")
VALUES = ("n_samples", *(f"best_{m}" for m in METRICS), *(f"avg_{m}" for m in METRICS))
COLUMNS = (
    "task",
    "models",
    "n_samples",
    *(f"{name}_{m}" for m in METRICS for name in ("best_model", "best_supervision", "best")),
    *(f"avg_{m}" for m in METRICS),
    "avg_ami",
    "chance_nmi",
)


def tasks_table(scores: pd.DataFrame, published: Published) -> pd.DataFrame:
    """`COLUMNS`: a row per task over the study's models, then one over all of the run.

    As in the study, `n_samples` is the number of scores (models × algorithms) and `best_*` the
    largest of them, whatever its supervision; values are means over seeds. Controls must not be
    among `scores`.

    Args:
        scores: rows of `clusterings`, of one level.
        published: the study's tables, for its models and their names.
    """
    means = over_seeds(scores)
    rows = []
    for models in (STUDY, EVERYONE):
        mine = means[means["model"].isin(published.models)] if models == STUDY else means
        for task in dict.fromkeys(scores["task"]):
            of = mine[mine["task"] == task].dropna(subset=["value"])
            row: dict[str, object] = {"task": task, "models": models}
            for metric in METRICS:
                values = of[of["metric"] == metric]
                row[f"avg_{metric}"] = values["value"].mean()
                if len(values):
                    winner = values.loc[values["value"].idxmax()]
                    row[f"best_{metric}"] = winner["value"]
                    row[f"best_model_{metric}"] = published.called(str(winner["model"]))
                    row[f"best_supervision_{metric}"] = winner["supervision"]
            nmi = of[of["metric"] == "nmi"]
            row["avg_ami"] = of.loc[of["metric"] == "ami", "value"].mean()
            row["n_samples"], row["chance_nmi"] = len(nmi), nmi["chance"].mean()
            rows.append(row)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({f"best_{metric}": float for metric in METRICS})


def tasks_versus(tasks: pd.DataFrame, published: Published, corpus: str) -> pd.DataFrame:
    """The study's tasks beside the run's, over the study's models."""
    ours = tasks[tasks["models"] == STUDY]
    return versus(published.tasks, ours, keys=["task"], values=VALUES, corpus=corpus)
