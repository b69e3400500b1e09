"""The study's figures of scores, by file name."""

import pandas as pd
from matplotlib.figure import Figure

from songatlas.report.study.clusterings import over_seeds
from songatlas.report.study.corpus_kind import corpus_kind
from songatlas.report.study.figures.algorithms import algorithms_figure
from songatlas.report.study.figures.heat_map import heat_map_figure
from songatlas.report.study.figures.metric_grid import metric_grid_figure
from songatlas.report.study.figures.ranking import order, ranking_figure
from songatlas.report.study.figures.tasks import tasks_figure
from songatlas.report.study.published import SUMMARY_METRICS, Published

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
