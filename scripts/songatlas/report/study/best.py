"""The best single value per task and metric, of every model and algorithm tried."""

import pandas as pd

from songatlas.report.study.clusterings import LOWER_IS_BETTER, over_seeds
from songatlas.report.study.published import SUMMARY_METRICS, Published
from songatlas.report.study.versus import versus

METRICS = (*SUMMARY_METRICS, "ami")
COLUMNS = (
    "task",
    "metric",
    "value",
    "model",
    "algorithm",
    "chance",
    "supervision",
    "tried",
    "seeds",
    "n",
)


def best_table(scores: pd.DataFrame, published: Published) -> pd.DataFrame:
    """`COLUMNS`: a row per task and metric, tasks in the order of `scores`.

    Every supervision competes, and `supervision` names the winner's. Values are means over seeds;
    ties go to the earlier model and algorithm. `tried` is how many (model, algorithm) pairs had a
    value: the best of many is high by chance too. `chance` is that of the one clustering that won.

    Args:
        scores: rows of `clusterings`, of one level.
        published: the study's tables, for its names of models.
    """
    means = over_seeds(scores)
    rows = []
    for task in dict.fromkeys(scores["task"]):
        for metric in METRICS:
            mine = means[(means["task"] == task) & (means["metric"] == metric)]
            mine = mine.dropna(subset=["value"])
            row = {"task": task, "metric": metric, "tried": len(mine)}
            if len(mine):
                lower = metric in LOWER_IS_BETTER
                winner = mine.loc[mine["value"].idxmin() if lower else mine["value"].idxmax()]
                row |= {name: winner[name] for name in COLUMNS if name not in row}
                row["model"] = published.called(str(winner["model"]))
            rows.append(row)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"value": float, "chance": float, "seeds": "Int64", "n": "Int64"})


def best_versus(best: pd.DataFrame, published: Published, corpus: str) -> pd.DataFrame:
    """The study's best values beside the run's, with the model and algorithm of each.

    `our_supervision` is whose labels our model saw: nobody's, other people's or this corpus's.
    """
    beside = versus(
        published.best.assign(of=published.best["metric"]),
        best.assign(of=best["metric"]),
        keys=["task", "of"],
        values=["value"],
        corpus=corpus,
    )
    theirs = published.best.set_index(["task", "metric"])[["model", "algorithm"]]
    ours = best.set_index(["task", "metric"])[["model", "algorithm"]]
    pairs = pd.MultiIndex.from_frame(beside[["task", "of"]])
    saw = best.set_index(["task", "metric"])["supervision"]
    beside["our_supervision"] = saw.reindex(pairs).to_numpy()
    for name, source in (("published", theirs), ("our", ours)):
        for column in ("model", "algorithm"):
            beside[f"{name}_{column}"] = source[column].reindex(pairs).to_numpy()
    beside["metric"] = beside["of"]
    return beside[
        [
            "task",
            "metric",
            "published",
            "published_model",
            "published_algorithm",
            "ours",
            "our_model",
            "our_algorithm",
            "our_supervision",
            "difference",
            "corpus",
            "note",
        ]
    ]
