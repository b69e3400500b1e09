"""The study's tables about scores: summary, best, algorithms, tasks, ranking."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from songatlas.evaluation.layout import Sheet
from songatlas.report.study.best import best_table, best_versus
from songatlas.report.study.clusterings import over_seeds
from songatlas.report.study.files import joined
from songatlas.report.study.methods import (
    EVERYONE,
    STUDY,
    algorithm_differences,
    methods_table,
    methods_versus,
)
from songatlas.report.study.published import SUMMARY_METRICS, Published
from songatlas.report.study.ranking import ranking_table
from songatlas.report.study.summary import companion_table, summary_table, summary_versus
from songatlas.report.study.versus import for_readers, versus

METRICS = ("ari", "nmi", "silhouette")
VALUES = ("n_samples", *(f"best_{m}" for m in METRICS), *(f"avg_{m}" for m in METRICS))
COLUMNS = (
    "task",
    "models",
    "n_samples",
    *(f"{name}_{m}" for m in METRICS for name in ("best_model", "best_supervision", "best")),
    *(f"avg_{m}" for m in METRICS),
    "avg_ami",
    "chance_nmi",
)


def tasks_table(scores: pd.DataFrame, published: Published) -> pd.DataFrame:
    """`COLUMNS`: a row per task over the study's models, then one over all of the run.

    As in the study, `n_samples` is the number of scores (models × algorithms) and `best_*` the
    largest of them, whatever its supervision; values are means over seeds. Controls must not be
    among `scores`.

    Args:
        scores: rows of `clusterings`, of one level.
        published: the study's tables, for its models and their names.
    """
    means = over_seeds(scores)
    rows = []
    for models in (STUDY, EVERYONE):
        mine = means[means["model"].isin(published.models)] if models == STUDY else means
        for task in dict.fromkeys(scores["task"]):
            of = mine[mine["task"] == task].dropna(subset=["value"])
            row: dict[str, object] = {"task": task, "models": models}
            for metric in METRICS:
                values = of[of["metric"] == metric]
                row[f"avg_{metric}"] = values["value"].mean()
                if len(values):
                    winner = values.loc[values["value"].idxmax()]
                    row[f"best_{metric}"] = winner["value"]
                    row[f"best_model_{metric}"] = published.called(str(winner["model"]))
                    row[f"best_supervision_{metric}"] = winner["supervision"]
            nmi = of[of["metric"] == "nmi"]
            row["avg_ami"] = of.loc[of["metric"] == "ami", "value"].mean()
            row["n_samples"], row["chance_nmi"] = len(nmi), nmi["chance"].mean()
            rows.append(row)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({f"best_{metric}": float for metric in METRICS})


def tasks_versus(tasks: pd.DataFrame, published: Published, corpus: str) -> pd.DataFrame:
    """The study's tasks beside the run's, over the study's models."""
    ours = tasks[tasks["models"] == STUDY]
    return versus(published.tasks, ours, keys=["task"], values=VALUES, corpus=corpus)


LEVEL_WORDS = {
    "window": "windows are clustered",
    "song": "songs (means of their windows) are clustered",
    "song_vote": "windows are clustered, a song takes the majority label",
}

SUPERVISION = (
    "supervision: labels where the model was shown labels in training; elsewhere where its weights "
    "were trained on other people's labels and may have heard some of these songs."
)

DIGITS = dict.fromkeys(SUMMARY_METRICS, 3) | {"calinski_harabasz": 1, "davies_bouldin": 2}


@dataclass(frozen=True)
class Protocol:
    """How the scores came about: what stands in the notes of every table of scores."""

    level: str
    levels: Sequence[str]
    algorithms: Sequence[str]
    evaluate_on: str
    fit_on: str | None
    permutations: int
    corpus: str
    corpus_name: str
    trained: frozenset[str]
    controls: dict[str, str]

    @property
    def note(self) -> str:
        """One sentence: what was clustered, with what, at which k."""
        songs = "all songs" if self.evaluate_on == "all" else f"{self.evaluate_on} songs"
        if self.fit_on is not None:
            songs += f", clusters fitted on {self.fit_on} songs"
        return (
            f"Level {self.level} ({LEVEL_WORDS[self.level]}), {songs}; "
            f"{', '.join(self.algorithms)} at k = number of classes. Chance: the same clusterings "
            f"with labels permuted between songs ({self.permutations} permutations)."
        )


def score_sheets(
    comparison: pd.DataFrame, scores: pd.DataFrame, published: Published, how: Protocol
) -> list[Sheet]:
    """Every table of scores; those of algorithms and tasks leave controls out.

    Args:
        comparison: rows of `tables/comparison.csv`.
        scores: rows of `clusterings`, of all levels.
        published: the study's tables.
        how: the protocol.
    """
    scores = scores[scores["level"] == how.level]
    plain = scores[~scores["model"].isin(list(how.controls))]
    return [
        *_summary_sheets(comparison, published, how),
        *_best_sheets(plain, published, how),
        *_method_sheets(plain, published, how),
        *_task_sheets(plain, published, how),
        _ranking_sheet(scores, published, how),
    ]


def _summary_sheets(comparison: pd.DataFrame, published: Published, how: Protocol) -> list[Sheet]:
    summary = summary_table(comparison, published, how.level)
    companion = companion_table(comparison, published, how.level, how.controls)
    beside = summary_versus(comparison, published, list(how.levels), how.corpus)
    # On paper: three scores at the study's levels, not eight pages.
    printed = beside["metric"].isin(["silhouette_mean", "ari_mean", "nmi_mean"])
    printed &= beside["level"].isin([how.level, "window"])
    names = summary[["model", "task"]]
    shown = companion.drop(columns=["ami_mean", "ami_std", "best_nmi", "best_chance_nmi"])
    shown.insert(8, "ami", joined(companion, {"ami": 3})["ami"])
    return [
        Sheet(
            "paper_clustering_summary",
            summary,
            f"Clustering summary: {how.corpus_name}",
            ["Mean ± standard deviation over algorithms and seeds.", how.note],
            narrow=pd.concat([names, joined(summary, DIGITS)], axis=1),
        ),
        Sheet(
            "paper_clustering_companion",
            companion,
            f"What the clustering summary leaves out: {how.corpus_name}",
            [
                f"{SUPERVISION} AMI is NMI corrected for chance. best: the largest NMI over "
                "everything tried, beside the same maximum by chance.",
                how.note,
            ],
            narrow=shown.drop(columns=["level", "note"]),
        ),
        Sheet(
            "paper_clustering_summary_vs_published",
            beside,
            f"Clustering summary beside the study's ({how.corpus}): {how.corpus_name}",
            [
                "The study scored its validation windows; at the level song_vote a task has as "
                "many points as songs, which lifts NMI and its chance level alike.",
            ],
            shown=for_readers(beside),
            narrow=for_readers(beside[printed]).drop(columns=["corpus", "note"]),
        ),
    ]


def _best_sheets(scores: pd.DataFrame, published: Published, how: Protocol) -> list[Sheet]:
    best = best_table(scores, published)
    beside = best_versus(best, published, how.corpus)
    note = "The best of so many tries is high by chance too, and was found with labels in hand."
    note = f"{note} {SUPERVISION}"
    return [
        Sheet(
            "paper_best",
            best,
            f"Best value per task and metric: {how.corpus_name}",
            [note, how.note],
            narrow=best.drop(columns="seeds"),
        ),
        Sheet(
            "paper_best_vs_published",
            beside,
            f"Best values beside the study's: {how.corpus_name}",
            [note],
            shown=for_readers(beside),
            narrow=for_readers(beside).drop(
                columns=["published_algorithm", "our_algorithm", "note"]
            ),
        ),
    ]


def _method_sheets(scores: pd.DataFrame, published: Published, how: Protocol) -> list[Sheet]:
    methods = methods_table(scores, how.algorithms, published)
    pairs = algorithm_differences(scores)
    beside = methods_versus(methods, published, how.corpus)
    means = ["silhouette_mean", "ari_mean", "nmi_mean", "ami_mean", "chance_nmi", "n_scores"]
    return [
        Sheet(
            "paper_methods",
            methods,
            f"Clustering algorithms: {how.corpus_name}",
            ["Over models (the study's, then all of this run) and tasks.", how.note],
            narrow=methods[["method", "models", *means]],
        ),
        Sheet(
            "paper_methods_vs_published",
            beside,
            f"Clustering algorithms beside the study's: {how.corpus_name}",
            ["Over the study's models that this run has."],
            shown=for_readers(beside),
        ),
        Sheet(
            "paper_methods_pairs",
            pairs,
            f"Clustering algorithms in pairs: {how.corpus_name}",
            [
                "Difference in NMI above chance on the same models (means over tasks), with 95% "
                "bootstrap bounds over models. An interval that holds 0 does not tell them apart."
            ],
        ),
    ]


def _task_sheets(scores: pd.DataFrame, published: Published, how: Protocol) -> list[Sheet]:
    tasks = tasks_table(scores, published)
    beside = tasks_versus(tasks, published, how.corpus)
    return [
        Sheet(
            "paper_tasks",
            tasks,
            f"Tasks: {how.corpus_name}",
            ["n_samples: scores (models × algorithms); avg: their mean.", how.note],
            narrow=tasks.drop(columns=tasks.filter(regex="best_(model|supervision)").columns),
        ),
        Sheet(
            "paper_tasks_vs_published",
            beside,
            f"Tasks beside the study's: {how.corpus_name}",
            ["Over the study's models that this run has."],
            shown=for_readers(beside),
        ),
    ]


def _ranking_sheet(scores: pd.DataFrame, published: Published, how: Protocol) -> Sheet:
    ranking = ranking_table(scores, how.trained, how.controls)
    ranking["model"] = ranking["model"].map(published.called)
    narrow = ["task", "rank", "model", "supervision", "nmi", "songs_low", "songs_high", "chance"]
    return Sheet(
        "paper_ranking",
        ranking,
        f"Models by NMI above chance: {how.corpus_name}",
        [
            "songs_low, songs_high: 95% bootstrap bounds over songs, averaged over clusterings; "
            "seeds_low, seeds_high: 95% t interval over seeds. Controls have no rank. "
            f"{SUPERVISION}",
            how.note,
        ],
        narrow=ranking[[*narrow, "ami", "n"]],
    )
