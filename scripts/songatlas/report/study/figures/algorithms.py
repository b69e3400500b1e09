"""What each clustering algorithm reaches over models and tasks, beside the study's."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.figures import marks


def tasks_figure(
    ranking: pd.DataFrame, published: pd.DataFrame, *, corpus: str, corpus_name: str, words: str
) -> Figure:
    """A column per task; a dot per model, sorted.

    Args:
        ranking: rows of `tables/paper_ranking.csv`; controls are not drawn.
        published: columns `task, avg_nmi` of the study.
        corpus, corpus_name, words: as for `ranking_figure`.
    """
    title = f"NMI per task — {plain(corpus_name)}"
    rows = ranking[ranking["control"].isna()].dropna(subset=["nmi"])
    if rows.empty:
        return marks.empty(title, marks.NOTHING)
    rows = rows.assign(look=[marks.kind_of(row) for _, row in rows.iterrows()])
    tasks = list(dict.fromkeys(rows["task"]))
    printed = published.set_index("task")["avg_nmi"].dropna()
    handles = [
        *marks.kind_handles(rows["look"]),
        marks.mark("mean of the models", marker="_", color=style.INK, ms=12, mew=2.0),
        marks.mark("mean chance", marker="_", color=style.GREY, ms=12, mew=1.0),
    ]
    if set(tasks) & set(printed.index):
        handles.append(marks.published_handle(f"mean, {corpus}"))
    width_in = max(1.3 + 1.75 * len(tasks), 4.6)
    columns, footer_in = style.legend_size([str(h.get_label()) for h in handles], width_in)
    with style.context():
        figure = style.canvas(
            width_in, 3.0, title, f"A dot per model, sorted. {words}", footer_in=footer_in
        )
        ax = figure.subplots()
        for x, task in enumerate(tasks):
            mine = rows[rows["task"] == task].sort_values("nmi", kind="stable")
            places = x + np.linspace(-0.3, 0.3, len(mine)) if len(mine) > 1 else [x]
            for place, (_, row) in zip(places, mine.iterrows(), strict=True):
                ax.plot(place, row["nmi"], ls="none", zorder=4, **marks.KINDS[row["look"]])
            ax.hlines(mine["nmi"].mean(), x - 0.38, x + 0.38, color=style.INK, lw=2.0, zorder=3)
            ax.hlines(mine["chance"].mean(), x - 0.38, x + 0.38, color=style.GREY, lw=1.0, zorder=2)
            best = mine.iloc[-1]
            ax.annotate(
                plain(best["model"], 22),
                (float(np.max(places)), best["nmi"]),
                xytext=(4, 5),
                textcoords="offset points",
                ha="right",
                va="bottom",
                size=style.SMALL_SIZE,
                color=marks.KINDS[best["look"]]["color"],
            )
            if task in printed.index:
                ax.plot(x + 0.42, printed[task], ls="none", zorder=5, **marks.PUBLISHED)
        ax.set_xticks(range(len(tasks)), [marks.task_name(task) for task in tasks])
        ax.tick_params(axis="x", length=0, labelsize=style.TEXT_SIZE)
        ax.set_xlim(-0.55, len(tasks) - 0.4)
        ax.set_ylim(-0.03, 1.06)
        ax.set_ylabel("NMI (0 to 1)")
        ax.grid(axis="y", color="#E6E6E6", lw=0.5)
        ax.set_axisbelow(True)
        style.legend(figure, handles, columns)
    return figure


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
