"""What a split by windows adds to the score: the same model, trained with either split."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.figures import marks
from songatlas.report.study.published import Published

METRICS = ("nmi", "knn_accuracy")
"""Clusters of held-out windows against labels; labels by the nearest training windows."""


def leakage_rows(leakage: pd.DataFrame, published: Published) -> pd.DataFrame:
    """Rows of `METRICS` that have a value with either split, models under the study's names.

    Args:
        leakage: rows of `tables/leakage.csv`.
        published: the study's tables, for its names.
    """
    rows = leakage[leakage["metric"].isin(METRICS) & leakage["value"].notna()]
    keys = ["model", "control", "task", "metric"]
    both = rows.groupby(keys)["split"].transform("nunique") == 2 if len(rows) else rows["value"] > 0
    rows = rows[both]
    return rows.assign(model=rows["model"].map(published.called)).reset_index(drop=True)


LOOKS: dict[str, dict[str, Any]] = {
    "song": {"marker": "o", "color": style.BLUE, "ms": 5.0},
    "window": {"marker": "s", "color": style.VERMILLION, "ms": 5.0},
}
WORDS = {
    "song": "songs split (no song on both sides)",
    "window": "windows split at random (songs on both sides)",
}
NO_CONTROL = (
    "this run has no control that splits windows at random; give a model "
    "`control: random_windows` in the config"
)


METRIC_WORDS = {
    "nmi": "NMI of clusters (0 to 1)",
    "knn_accuracy": "Accuracy, nearest training windows (0 to 1)",
}


def leakage_figure(leakage: pd.DataFrame, *, corpus_name: str) -> Figure:
    """A row of panels per metric, a panel per task: either split, with intervals and chance.

    Args:
        leakage: what `leakage_rows` returns.
        corpus_name: stands in the title.
    """
    title = f"What splitting windows instead of songs adds — {plain(corpus_name)}"
    if leakage.empty:
        return marks.empty(title, NO_CONTROL)
    tasks = list(dict.fromkeys(leakage["task"]))
    metrics = [metric for metric in METRIC_WORDS if (leakage["metric"] == metric).any()]
    models = list(dict.fromkeys(leakage["model"]))
    handles = [marks.mark(WORDS[split], **look) for split, look in LOOKS.items()]
    handles.append(marks.chance_handle())
    width_in = max(1.6 + 2.2 * len(tasks), 5.4)
    columns, footer_in = style.legend_size([str(h.get_label()) for h in handles], width_in)
    with style.context():
        figure = style.canvas(
            width_in,
            len(metrics) * (0.8 + 0.42 * len(models)),
            title,
            "Held-out windows; mean over seeds, line: 95% bootstrap interval over songs. Chance: "
            "labels dealt to songs at random; where songs are on both sides, recognising a song "
            "is enough to get its label right.",
            footer_in=footer_in,
        )
        grid = figure.subplots(len(metrics), len(tasks), squeeze=False, sharey=True)
        for line, metric in zip(grid, metrics, strict=True):
            for ax, task in zip(line, tasks, strict=True):
                rows = leakage[(leakage["metric"] == metric) & (leakage["task"] == task)]
                marks.rows_axis(ax, models)
                if rows.empty:
                    ax.set_axis_off()
                    continue
                _draw(ax, rows, models)
                style.panel_title(ax, marks.task_name(task))
                ax.set_xlabel(METRIC_WORDS[metric])
                ax.set_xlim(-0.03, 1.03)
        style.legend(figure, handles, columns)
    return figure


def _draw(ax: Axes, rows: pd.DataFrame, models: list[str]) -> None:
    for _, row in rows.iterrows():
        look = LOOKS[row["split"]]
        y = models.index(row["model"]) + (-0.16 if row["split"] == "song" else 0.16)
        marks.chance_tick(ax, row["chance"], y, 0.14)
        ax.hlines(y, row["ci_low"], row["ci_high"], color=look["color"], lw=1.5)
        ax.plot(row["value"], y, ls="none", zorder=4, **look)
