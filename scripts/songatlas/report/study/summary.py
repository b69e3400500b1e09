"""The clustering summary in the study's columns, and what its columns leave out."""

import pandas as pd

from songatlas.clustering.views import of_view
from songatlas.report.study.published import SUMMARY_COLUMNS, SUMMARY_METRICS, Published
from songatlas.report.study.versus import versus

COMPANION_COLUMNS = (
    "model",
    "task",
    "level",
    "n",
    "supervision",
    "control",
    "nmi_mean",
    "chance_nmi",
    "ami_mean",
    "ami_std",
    "best_nmi",
    "best_chance_nmi",
    "note",
)


def summary_table(comparison: pd.DataFrame, published: Published, level: str) -> pd.DataFrame:
    """`SUMMARY_COLUMNS`: a row per model and task.

    The study's models come first, under its names and in its order of models and tasks; the run's
    others follow under their own names. Mean and standard deviation are over the summary algorithms
    and seeds.

    Args:
        comparison: rows of `tables/comparison.csv`.
        published: the study's tables.
        level: of which rows.
    """
    rows = _ordered(comparison, published, level)
    summary = pd.DataFrame({"model": rows["model"].map(published.called), "task": rows["task"]})
    for metric in SUMMARY_METRICS:
        summary[f"{metric}_mean"] = rows[f"{metric}_mean"].astype(float)
        summary[f"{metric}_std"] = rows[f"{metric}_sd"].astype(float)
    return summary[list(SUMMARY_COLUMNS)]


def companion_table(
    comparison: pd.DataFrame, published: Published, level: str, controls: dict[str, str]
) -> pd.DataFrame:
    """`COMPANION_COLUMNS`, for the rows of `summary_table`, in the same order.

    Args:
        comparison, published, level: as there.
        controls: what the run's controls control, by model.
    """
    rows = _ordered(comparison, published, level)
    companion = rows.assign(
        model=rows["model"].map(published.called),
        control=rows["model"].map(controls).astype(object),
        ami_std=rows["ami_sd"],
    )
    return companion[list(COMPANION_COLUMNS)].astype({"n": "Int64"})


def summary_versus(
    comparison: pd.DataFrame, published: Published, levels: list[str], corpus: str
) -> pd.DataFrame:
    """The study's rows beside the run's at every level that was clustered.

    The study scored its validation windows; at level `song_vote` a task has as many points as
    songs, so its NMI has another chance level: both stand here.
    """
    parts = []
    for level in levels:
        ours = summary_table(comparison, published, level)
        ours = ours[ours["model"].isin(list(published.names.values()))]
        beside = versus(
            published.summary,
            ours,
            keys=["model", "task"],
            values=[column for column in SUMMARY_COLUMNS if column not in ("model", "task")],
            corpus=corpus,
        )
        beside.insert(2, "level", level)
        rows = of_view(comparison[comparison["level"] == level])
        names = rows["model"].map(published.called)
        chance = dict(zip(zip(names, rows["task"], strict=True), rows["chance_nmi"], strict=True))
        beside["chance"] = [
            chance.get((model, task)) if metric in ("nmi_mean", "v_measure_mean") else None
            for model, task, metric in zip(
                beside["model"], beside["task"], beside["metric"], strict=True
            )
        ]
        beside["chance"] = beside["chance"].astype(float)
        parts.append(beside)
    return pd.concat(parts, ignore_index=True)


def _ordered(comparison: pd.DataFrame, published: Published, level: str) -> pd.DataFrame:
    rows = of_view(comparison[comparison["level"] == level])
    printed = published.summary
    models = {name: i for i, name in enumerate(dict.fromkeys(printed["model"]))}
    tasks = {name: i for i, name in enumerate(dict.fromkeys(printed["task"]))}
    order = pd.DataFrame(
        {
            "model": rows["model"].map(published.called).map(models).fillna(len(models)),
            "name": rows["model"],
            "task": rows["task"].map(tasks).fillna(len(tasks)),
        }
    )
    order.loc[order["model"] < len(models), "name"] = ""
    return rows.loc[order.sort_values(["model", "name", "task"], kind="stable").index].reset_index(
        drop=True
    )
