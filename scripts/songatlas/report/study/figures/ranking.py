"""Models in the order of what their clusters tell of the labels, with intervals and chance."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.figures import marks


def order(ranking: pd.DataFrame) -> list[str]:
    """Models by falling mean of NMI above chance over the tasks, those with a score.

    Args:
        ranking: rows of `tables/paper_ranking.csv`.
    """
    scored = ranking.dropna(subset=["nmi"])
    gap = scored["above_chance"].fillna(scored["nmi"])
    means = gap.groupby(scored["model"], sort=False).mean()
    return list(means.sort_values(ascending=False, kind="stable").index)


def ranking_figure(
    ranking: pd.DataFrame, published: pd.DataFrame, *, corpus: str, corpus_name: str, words: str
) -> Figure:
    """One panel per task, the same order of models in each: by mean NMI above chance.

    Args:
        ranking: rows of `tables/paper_ranking.csv`.
        published: columns `model, task, nmi_mean` of the study.
        corpus: whose corpus the published numbers are of (`corpus_kind`).
        corpus_name: stands in the title.
        words: the protocol in one sentence.
    """
    title = f"Models by NMI above chance — {plain(corpus_name)}"
    names = order(ranking)
    if not names:
        return marks.empty(title, marks.NOTHING)
    tasks = list(dict.fromkeys(ranking["task"]))
    kinds = [marks.kind_of(row) for _, row in ranking.iterrows()]
    ranking = ranking.assign(look=kinds)
    printed = published.set_index(["model", "task"])["nmi_mean"]
    drawn = any((model, task) in printed.index for model in names for task in tasks)
    handles = [*marks.kind_handles(kinds), marks.chance_handle()]
    if drawn:
        handles.append(marks.published_handle(corpus))
    width_in = max(1.6 + 2.0 * len(tasks), 5.4)
    columns, footer_in = style.legend_size([str(h.get_label()) for h in handles], width_in)
    with style.context():
        figure = style.canvas(
            width_in,
            0.8 + 0.18 * len(names),
            title,
            f"Mean over algorithms and seeds; line: 95% bootstrap interval over songs. {words}",
            footer_in=footer_in,
        )
        axes = figure.subplots(1, len(tasks), squeeze=False, sharex=True, sharey=True)[0]
        for ax, task in zip(axes, tasks, strict=True):
            rows = ranking[ranking["task"] == task].set_index("model")
            _draw(ax, rows, names)
            for y, name in enumerate(names):
                if (name, task) in printed.index:
                    ax.plot(printed[(name, task)], y, ls="none", zorder=6, **marks.PUBLISHED)
            counts = sorted({int(n) for n in rows["n"].dropna() if n})
            facts = [f"n = {' or '.join(f'{n:,}' for n in counts)}"] if counts else []
            style.panel_title(ax, marks.task_name(task), facts)
            ax.set_xlabel("NMI (0 to 1)")
        style.legend(figure, handles, columns)
    return figure


def _draw(ax: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    for y, name in enumerate(names):
        row = rows.loc[name] if name in rows.index else None
        if row is None or pd.isna(row["nmi"]):
            ax.text(0.02, y, "no score", color=style.GREY, size=style.SMALL_SIZE, va="center")
            continue
        look = marks.KINDS[row["look"]]
        marks.chance_tick(ax, row["chance"], y)
        ax.hlines(y, row["songs_low"], row["songs_high"], color=look["color"], lw=1.5, zorder=3)
        ax.plot(row["nmi"], y, ls="none", zorder=5, **look)
    marks.rows_axis(ax, names)
    ax.set_xlim(-0.03, 1.03)
