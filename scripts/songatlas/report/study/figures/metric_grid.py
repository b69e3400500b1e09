"""Six scores of every model in the study's tasks, small panels with one order of models."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.figures import marks

LOOKS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "color": style.BLUE, "ls": (0, (5, 2))},
    {"marker": "^", "color": style.ORANGE, "ls": (0, (1, 1.2))},
    {"marker": "s", "color": style.GREEN, "ls": (0, (6, 1.5, 1, 1.5))},
    {"marker": "D", "color": style.PURPLE, "ls": (0, (3, 3))},
    {"marker": "v", "color": style.SKY, "ls": (0, (1, 3))},
)
"""One per task: its marks, and the line at its chance level."""


def metric_grid_figure(
    summary: pd.DataFrame,
    chance: pd.DataFrame,
    published: pd.DataFrame,
    names: list[str],
    metrics: list[str],
    *,
    corpus: str,
    corpus_name: str,
    words: str,
) -> Figure:
    """A panel per metric, a row per model, a mark per task.

    Args:
        summary: rows of `tables/paper_clustering_summary.csv`.
        chance: columns `task, metric, chance`: mean chance levels, where a metric has one.
        published: the study's rows in the same columns as `summary`.
        names: models from top to bottom.
        metrics: panels in reading order.
        corpus, corpus_name, words: as for `ranking_figure`.
    """
    title = f"Six scores — {plain(corpus_name)}"
    rows = summary[summary["model"].isin(names)]
    tasks = list(dict.fromkeys(rows["task"]))[: len(LOOKS)]
    if not names or not tasks:
        return marks.empty(title, marks.NOTHING)
    looks = dict(zip(tasks, LOOKS, strict=False))
    printed = published[published["task"].isin(tasks) & published["model"].isin(names)]
    handles = [
        Line2D([], [], ms=5, lw=1.0, label=f"{marks.task_name(task)} (line: mean chance)", **look)
        for task, look in looks.items()
    ]
    if len(printed):
        hollow: dict[str, Any] = {"marker": "o", "mfc": "white", "mec": style.INK}
        hollow |= {"mew": 0.8, "ms": 4.4}
        handles.append(marks.mark(f"hollow: published ({corpus})", **hollow))
    per_row = 3
    lines = -(-len(metrics) // per_row)
    width_in = 1.3 + 2.0 * per_row
    columns, footer_in = style.legend_size([str(h.get_label()) for h in handles], width_in)
    with style.context():
        figure = style.canvas(
            width_in,
            lines * (0.62 + 0.17 * len(names)),
            title,
            f"Mean over algorithms and seeds. {words}",
            footer_in=footer_in,
        )
        grid = figure.subplots(lines, per_row, squeeze=False, sharey=True).ravel()
        for ax, metric in zip(grid, metrics, strict=False):
            _draw(ax, rows, f"{metric}_mean", names, looks, filled=True)
            _draw(ax, printed, f"{metric}_mean", names, looks, filled=False)
            for _, row in chance[chance["metric"] == metric].iterrows():
                if row["task"] in looks:
                    look = looks[row["task"]]
                    line = {"color": look["color"], "ls": look["ls"], "lw": 1.0}
                    ax.axvline(row["chance"], zorder=1, **line)
            marks.rows_axis(ax, names)
            style.panel_title(ax, marks.METRIC_NAMES[metric])
            ax.set_xlabel("no unit")
        for ax in grid[len(metrics) :]:
            ax.set_axis_off()
        style.legend(figure, handles, columns)
    return figure


def _draw(
    ax: Axes,
    rows: pd.DataFrame,
    column: str,
    names: list[str],
    looks: dict[str, dict[str, Any]],
    *,
    filled: bool,
) -> None:
    offsets = {
        task: (i - (len(looks) - 1) / 2) * 0.5 / max(len(looks), 1) for i, task in enumerate(looks)
    }
    for _, row in rows.iterrows():
        if row["task"] not in looks or pd.isna(row[column]):
            continue
        look = looks[row["task"]]
        ax.plot(
            row[column],
            names.index(row["model"]) + offsets[row["task"]],
            ls="none",
            marker=look["marker"],
            ms=4.4,
            mfc=look["color"] if filled else "white",
            mec="white" if filled else style.INK,
            mew=0.3 if filled else 0.8,
            zorder=4 if filled else 3,
        )
