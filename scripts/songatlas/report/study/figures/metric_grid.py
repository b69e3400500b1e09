"""Six scores of every model in the study's tasks, small panels with one order of models."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.figures import marks

CHANCE = "mean chance"
LIGHT_FROM = 0.45
"""From this value on the colour is light enough for dark letters."""


def heat_map_figure(
    means: pd.DataFrame, names: list[str], *, corpus_name: str, words: str
) -> Figure:
    """Rows: models and, last, the mean chance level. Columns: algorithms within tasks.

    Args:
        means: columns `model, task, algorithm, value, chance` of NMI (`over_seeds`).
        names: models from top to bottom.
        corpus_name, words: as for `ranking_figure`.
    """
    title = f"NMI of every model, task and algorithm — {plain(corpus_name)}"
    if not names or means.empty:
        return marks.empty(title, marks.NOTHING)
    tasks = list(dict.fromkeys(means["task"]))
    algorithms = sorted(means["algorithm"].unique())
    columns = [(task, algorithm) for task in tasks for algorithm in algorithms]
    values = means.pivot_table(index="model", columns=["task", "algorithm"], values="value")
    chance = means.groupby(["task", "algorithm"])["chance"].mean()
    cells = np.vstack(
        [
            values.reindex(index=names, columns=pd.MultiIndex.from_tuples(columns)).to_numpy(float),
            chance.reindex(columns).to_numpy(float),
        ]
    )
    rows = [*names, CHANCE]
    width_in = max(1.7 + 0.46 * len(columns), 5.0)
    with style.context():
        figure = style.canvas(width_in, 0.95 + 0.2 * len(rows), title, f"Means over seeds. {words}")
        ax = figure.subplots()
        image = ax.imshow(cells, cmap="cividis", vmin=0.0, vmax=1.0, aspect="auto")
        for y, x in np.ndindex(*cells.shape):
            value = cells[y, x]
            text = "–" if np.isnan(value) else f"{value:.2f}".removeprefix("0")
            ax.text(
                x,
                y,
                text,
                ha="center",
                va="center",
                size=6.4,
                color=style.INK if np.isnan(value) or value > LIGHT_FROM else "white",
            )
        for x in range(len(algorithms), len(columns), len(algorithms)):
            ax.axvline(x - 0.5, color="white", lw=2.5)
        ax.axhline(len(names) - 0.5, color="white", lw=2.5)
        ax.set_yticks(range(len(rows)), [plain(name, 26) for name in rows])
        labels = [marks.ALGORITHM_NAMES.get(name, name) for _, name in columns]
        ax.set_xticks(range(len(columns)), labels, rotation=45, ha="right")
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        for i, task in enumerate(tasks):
            ax.text(
                (i + 0.5) * len(algorithms) - 0.5,
                -0.75,
                marks.task_name(task),
                ha="center",
                va="bottom",
                weight="bold",
            )
        bar = figure.colorbar(image, ax=ax, fraction=0.04, pad=0.02)
        bar.set_label("NMI (0 to 1)")
        bar.outline.set_visible(False)
    return figure


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
