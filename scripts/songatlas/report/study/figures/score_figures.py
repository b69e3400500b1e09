"""The study's figures of scores, by file name."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.clusterings import over_seeds
from songatlas.report.study.corpus_sheets import corpus_kind
from songatlas.report.study.figures import marks
from songatlas.report.study.figures.algorithms import algorithms_figure, tasks_figure
from songatlas.report.study.figures.metric_grid import heat_map_figure, metric_grid_figure
from songatlas.report.study.published import SUMMARY_METRICS, Published


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


UNIT = {
    "window": "Windows clustered",
    "song": "Songs (mean of windows) clustered",
    "song_vote": "Windows clustered, each song takes the majority label",
}


def protocol_words(level: str, evaluate_on: str) -> str:
    """Level and songs in one sentence, for the line under a title."""
    songs = "all songs" if evaluate_on == "all" else f"{evaluate_on} songs"
    return f"{UNIT[level]}; {songs}."


def score_figures(
    *,
    ranking: pd.DataFrame,
    summary: pd.DataFrame,
    scores: pd.DataFrame,
    dataset: pd.DataFrame,
    published: Published,
    level: str,
    evaluate_on: str,
    controls: dict[str, str],
    corpus_name: str,
) -> dict[str, Figure]:
    """`ranking, tasks, six_scores, algorithms, heat_map`.

    Args:
        ranking, summary, scores, dataset: rows of `tables/paper_<name>.csv`.
        published: the study's tables.
        level: level of the study's tables.
        evaluate_on: which songs were clustered.
        controls: what a control controls, by model; not among the algorithms' points.
        corpus_name: stands in the titles.
    """
    corpus = corpus_kind(dataset, published)
    words = protocol_words(level, evaluate_on)
    about = {"corpus_name": corpus_name, "words": words}
    names = order(ranking)
    scores = scores[scores["level"] == level]
    plain = over_seeds(scores[~scores["model"].isin(list(controls))])
    everyone = over_seeds(scores[scores["metric"] == "nmi"])
    everyone["model"] = everyone["model"].map(published.called)
    chance = plain.groupby(["task", "metric"])["chance"].mean().dropna().reset_index()
    return {
        "ranking": ranking_figure(ranking, published.summary, corpus=corpus, **about),
        "tasks": tasks_figure(ranking, published.tasks, corpus=corpus, **about),
        "six_scores": metric_grid_figure(
            summary, chance, published.summary, names, list(SUMMARY_METRICS), corpus=corpus, **about
        ),
        "algorithms": algorithms_figure(plain, published.methods, corpus=corpus, **about),
        "heat_map": heat_map_figure(everyone, names, **about),
    }
