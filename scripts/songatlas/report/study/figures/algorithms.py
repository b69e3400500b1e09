"""What each clustering algorithm reaches over models and tasks, beside the study's."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.figures import marks

METRICS = ("silhouette", "ari", "nmi")


def algorithms_figure(
    means: pd.DataFrame, published: pd.DataFrame, *, corpus: str, corpus_name: str, words: str
) -> Figure:
    """A panel per metric, a row per algorithm: every model and task, mean and one deviation.

    Args:
        means: columns `algorithm, metric, value, chance`, a row per model and task (`over_seeds`).
        published: columns `method, <metric>_mean, _std` of the study.
        corpus, corpus_name, words: as for `ranking_figure`.
    """
    title = f"Clustering algorithms — {plain(corpus_name)}"
    means = means.dropna(subset=["value"])
    if means.empty:
        return marks.empty(title, marks.NOTHING)
    names = sorted(means["algorithm"].unique())
    printed = published.set_index("method")
    handles = [
        marks.mark("a model in a task", marker="o", color=style.SKY, ms=4, mec="white", mew=0.2),
        marks.mark("mean ± one standard deviation", marker="D", color=style.BLUE, ms=5),
        marks.mark("mean chance", marker="|", color=style.INK, ms=9, mew=1.1),
    ]
    if set(names) & set(printed.index):
        handles.append(marks.published_handle(f"mean ± sd, {corpus}"))
    width_in = 7.4
    columns, footer_in = style.legend_size([str(h.get_label()) for h in handles], width_in)
    with style.context():
        figure = style.canvas(
            width_in,
            0.75 + 0.55 * len(names),
            title,
            f"Means over seeds. {words}",
            footer_in=footer_in,
        )
        axes = figure.subplots(1, len(METRICS), sharey=True)
        for ax, metric in zip(axes, METRICS, strict=True):
            _draw(ax, means[means["metric"] == metric], printed, names, metric)
            style.panel_title(ax, marks.METRIC_NAMES[metric])
            ax.set_xlabel("no unit")
        style.legend(figure, handles, columns)
    return figure


def _draw(
    ax: Axes, means: pd.DataFrame, printed: pd.DataFrame, names: list[str], metric: str
) -> None:
    for y, name in enumerate(names):
        mine = means[means["algorithm"] == name].sort_values("value", kind="stable")
        spread = np.linspace(-0.16, 0.16, 5)[np.arange(len(mine)) % 5]
        ax.plot(
            mine["value"],
            y - 0.14 + spread,
            ls="none",
            marker="o",
            ms=3.6,
            color=style.SKY,
            mec="white",
            mew=0.2,
            zorder=2,
        )
        mean, sd = mine["value"].mean(), mine["value"].std(ddof=1)
        ax.errorbar(
            mean, y - 0.14, xerr=sd, fmt="D", color=style.BLUE, ms=4.6, capsize=2.5, zorder=4
        )
        if mine["chance"].notna().any():
            marks.chance_tick(ax, mine["chance"].mean(), y - 0.14, 0.2)
        if name in printed.index:
            value, std = (float(printed[f"{metric}_{part}"][name]) for part in ("mean", "std"))
            ax.hlines(y + 0.24, value - std, value + std, color=style.INK, lw=0.9, zorder=3)
            ax.plot(value, y + 0.24, ls="none", zorder=5, **marks.PUBLISHED)
    marks.rows_axis(ax, [marks.ALGORITHM_NAMES.get(name, name) for name in names])
