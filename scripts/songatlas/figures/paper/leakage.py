"""What a split by windows adds to the score: the same model, trained with either split."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from songatlas.figures import style
from songatlas.figures.paper import marks
from songatlas.figures.style import plain

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


def leakage_figure(
    leakage: pd.DataFrame, metric: str = "nmi", *, corpus_name: str, words: str
) -> Figure:
    """A panel per task, a row per model: score with either split, intervals and chance.

    Args:
        leakage: rows of `tables/leakage.csv`.
        metric: which rows.
        corpus_name, words: as for `ranking_figure`.
    """
    name = marks.METRIC_NAMES[metric]
    title = f"What splitting windows instead of songs adds — {plain(corpus_name)}"
    rows = leakage[(leakage["metric"] == metric) & leakage["value"].notna()]
    if rows.empty:
        return marks.empty(title, NO_CONTROL)
    tasks = list(dict.fromkeys(rows["task"]))
    models = list(dict.fromkeys(rows["model"]))
    handles = [marks.mark(WORDS[split], **look) for split, look in LOOKS.items()]
    handles.append(marks.chance_handle())
    width_in = max(1.6 + 2.1 * len(tasks), 5.2)
    columns, footer_in = style.legend_size([str(h.get_label()) for h in handles], width_in)
    with style.context():
        figure = style.canvas(
            width_in,
            0.85 + 0.4 * len(models),
            title,
            f"Mean over algorithms and seeds; line: 95% interval. {words}",
            footer_in=footer_in,
        )
        axes = figure.subplots(1, len(tasks), squeeze=False, sharex=True, sharey=True)[0]
        for ax, task in zip(axes, tasks, strict=True):
            _draw(ax, rows[rows["task"] == task], models)
            style.panel_title(ax, marks.task_name(task))
            ax.set_xlabel(f"{name} (0 to 1)")
            ax.set_xlim(-0.03, 1.03)
        style.legend(figure, handles, columns)
    return figure


def _draw(ax: Axes, rows: pd.DataFrame, models: list[str]) -> None:
    for y, model in enumerate(models):
        for split, shift in (("song", -0.16), ("window", 0.16)):
            for _, row in rows[(rows["model"] == model) & (rows["split"] == split)].iterrows():
                look = LOOKS[split]
                marks.chance_tick(ax, row["chance"], y + shift, 0.14)
                ax.hlines(y + shift, row["ci_low"], row["ci_high"], color=look["color"], lw=1.5)
                ax.plot(row["value"], y + shift, ls="none", zorder=4, **look)
    marks.rows_axis(ax, models)
