"""Scores of every clustering of one model, as rows of the scores table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.continuity import continued
from songatlas.clustering.levels import (
    Attempt,
    Points,
    clusters_frame,
)
from songatlas.clustering.views import SOUND, TOGETHER, WORDS, blocks_of, clustered_levels
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation import metrics
from songatlas.evaluation.bootstrap import interval, song_weights, with_more_errors
from songatlas.evaluation.chance import bounded, exchangeable, permuted_codes
from songatlas.evaluation.contingency import Draws, Tables, draws, membership
from songatlas.evaluation.internal import distances_between, internal
from songatlas.evaluation.tasks import WINDOW_ONLY, n_classes, task_labels

FEW_CLUSTERS = "fewer than 2 clusters"
ONE_CLASS = "fewer than 2 classes"


@dataclass(frozen=True)
class Score:
    """One number with its uncertainty; NaN is null."""

    metric: str
    value: float
    n: int
    ci_low: float = np.nan
    ci_high: float = np.nan
    chance: float = np.nan
    note: str | None = None


@dataclass(frozen=True)
class Target:
    """The songs of one level that have a label in one task.

    `row` gives each point's position among them, -1 where its song has no label; `codes` their
    classes. `shuffled` are the label permutations between units, of which `unit` gives each
    labelled point's (`chance.exchangeable`); `resampled` are the bootstrap samples of songs.
    """

    task: str
    row: np.ndarray
    codes: np.ndarray
    n_classes: int
    unit: np.ndarray
    n_units: int
    shuffled: Draws | None
    resampled: Draws | None


def songs_with_label(
    track_ids: Sequence[str], of_song: dict[str, str]
) -> tuple[list[str], np.ndarray, int]:
    """Labelled songs among `track_ids`, sorted; their class codes (S,); the number of classes."""
    songs = sorted({track_id for track_id in track_ids if track_id in of_song})
    names, codes = np.unique([of_song[song] for song in songs], return_inverse=True)
    return songs, codes.astype(np.int64), len(names)


def target(points: Points, task: str, of_song: dict[str, str], evaluation: Evaluation) -> Target:
    """Prepare one task at one level: shared by all clusterings of that level."""
    songs, codes, count = songs_with_label(points.track_ids, of_song)
    position = {track_id: row for row, track_id in enumerate(songs)}
    row = np.array([position.get(track_id, -1) for track_id in points.track_ids], np.int64)
    unit_codes, unit = exchangeable(task, row[row >= 0], codes)
    shuffled = resampled = None
    if count > 1:
        seed, level = evaluation.seed, points.level
        if evaluation.permutations:
            shuffled = draws(
                permuted_codes(unit_codes, evaluation.permutations, seed, task, level), count
            )
        if evaluation.bootstraps:
            weights = song_weights(len(songs), evaluation.bootstraps, seed, task, level)
            resampled = draws(codes, count, weights)
    return Target(task, row, codes, count, unit, len(unit_codes), shuffled, resampled)


def external_scores(labels: np.ndarray, of: Target) -> list[Score]:
    """Agreement of one clustering with one task's labels; points without a label are left out.

    `chance` is the mean over label permutations between units, the interval a bootstrap over songs
    that knows of errors which happened not to be seen (`bootstrap.with_more_errors`).
    """
    scored = of.row >= 0
    n = int(scored.sum())
    labels, row = labels[scored], of.row[scored]
    problem = None
    if of.n_classes < 2:
        problem = ONE_CLASS if n else "no song has a label"
    elif len(np.unique(labels[labels >= 0])) < 2:
        problem = FEW_CLUSTERS
    if problem:
        return [Score(metric, np.nan, n, note=problem) for metric in metrics.EXTERNAL]
    counts = membership(labels, row, len(of.codes))
    [table] = draws(of.codes, of.n_classes).tables(counts)
    values = {metric: float(value) for metric, [value] in metrics.external(table).items()}
    by_chance = _over(of.shuffled, membership(labels, of.unit, of.n_units))
    by_songs = _over(of.resampled, counts)
    few_errors = with_more_errors(table, len(np.unique(row)))
    at_worst = dict(_values_at_worst(few_errors))
    scores = []
    for metric in metrics.EXTERNAL:
        low, high = interval(values[metric], by_songs[metric], metrics.RANGES[metric])
        low = min(low, at_worst.get(metric, low))
        chance = float(by_chance[metric].mean()) if len(by_chance[metric]) else np.nan
        scores.append(Score(metric, values[metric], n, low, high, chance))
    return scores


def _values_at_worst(few_errors: Tables | None) -> Iterator[tuple[str, float]]:
    """Scores of a table with more errors; of a handful of songs a score may have no value there."""
    if few_errors is None:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        values = metrics.external(few_errors)
    for metric, [value] in values.items():
        if np.isfinite(value):
            yield metric, float(np.clip(value, *metrics.RANGES[metric]))


def singletons(labels: np.ndarray) -> np.ndarray:
    """Labels in which every noise point (-1) is a cluster of its own."""
    noise = labels < 0
    alone = labels.astype(np.int64)
    alone[noise] = labels.max(initial=-1) + 1 + np.arange(noise.sum())
    return alone


def _over(repeats: Draws | None, counts: Any) -> dict[str, np.ndarray]:
    if repeats is None:
        return {metric: np.zeros(0) for metric in metrics.EXTERNAL}
    chunks = [metrics.external(chunk) for chunk in repeats.tables(counts)]
    return {
        metric: np.concatenate([chunk[metric] for chunk in chunks]) for metric in metrics.EXTERNAL
    }


def internal_scores(
    attempt: Attempt, weights: np.ndarray, distances: np.ndarray | None
) -> list[Score]:
    """Shape of one clustering's clusters; there is no chance level, since no labels take part."""
    labels = np.asarray(attempt.clustering.labels)
    z = attempt.points.z
    if not np.isfinite(z).all():
        note = "values that are not finite"
        return [Score(metric, np.nan, len(z), note=note) for metric in metrics.INTERNAL]
    found = internal(z, labels, weights, distances)
    scores = []
    for metric in metrics.INTERNAL:
        value = found.values.get(metric, np.nan)
        low, high = interval(value, found.draws.get(metric, np.zeros(0)), metrics.RANGES[metric])
        scores.append(Score(metric, value, found.n, low, high, note=found.note))
    return scores


def level_scores(
    found: Sequence[Attempt], labels: dict[str, dict[str, str]], evaluation: Evaluation
) -> Iterator[tuple[Attempt, str, Score]]:
    """Scores of all clusterings of one level, per task (`labels` holds each task's labels)."""
    if not found:
        return
    points = found[0].points
    tasks = [task for task in labels if points.level == "window" or task not in WINDOW_ONLY]
    # Task by task: of a million songs the draws of all of them at once would be gigabytes.
    external: list[dict[str, list[Score]]] = [{} for _ in found]
    for task in tasks:
        of = target(points, task, labels[task], evaluation)
        for attempt, scores in zip(found, external, strict=True):
            if attempt.clustering.labels is not None:
                scores[task] = external_scores(attempt.clustering.labels, of)
    finite = bool(np.isfinite(points.z).all())
    distances = distances_between(points.z) if finite else None
    songs, row = np.unique(points.track_ids, return_inverse=True)
    fewer = few_draws(len(songs), evaluation)
    weights = song_weights(len(songs), evaluation.bootstraps, evaluation.seed, points.level)[:, row]
    for attempt, agreement in zip(found, external, strict=True):
        if attempt.clustering.labels is None:
            for task in tasks:
                for metric in metrics.METRICS:
                    yield attempt, task, Score(metric, np.nan, 0)
            continue
        shape = internal_scores(attempt, weights, distances)
        for task in tasks:
            for score in (*shape, *agreement[task]):
                yield attempt, task, replace(score, note=_joined(score.note, fewer))


def few_draws(n_songs: int, evaluation: Evaluation) -> str | None:
    """What scores of so many songs say where fewer draws are made than configured."""
    wanted = (evaluation.permutations, evaluation.bootstraps)
    made = tuple(bounded(repeats, n_songs) for repeats in wanted)
    if made == wanted:
        return None
    return f"{made[0]} permutations and {made[1]} bootstrap samples of {n_songs} songs"


def _joined(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None


def cluster_and_score(
    latents: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    model: str,
    seed: int,
    supervision: str,
    note: str | None,
    clustering: Clustering,
    evaluation: Evaluation,
    blocks: Mapping[str, tuple[int, int]] | None = None,
    alone: Mapping[str, pd.DataFrame] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cluster the latents of one model at every level, in every view, and score the clusterings.

    Args:
        latents: rows of the latents table.
        labels: rows of the labels table.
        model: name that stands in the scores.
        seed: training seed of the model; clusterings take `evaluation.seed`.
        supervision: of `tables.SUPERVISION`: whose labels the model saw.
        blocks: named parts of `latents`, which are brought to equal variance.
        alone: the latents of the views `sound` and `words`, of a model that reads both; `latents`
            are then those of the view `together` (`clustering.views`).
        note: what the latents' own metadata say; it is passed on to every score.

    Returns:
        Rows of the clusters table and of the scores table.
    """
    of_task: dict[str, dict[str, str]] = {
        task: task_labels(labels, task) for task in evaluation.tasks
    }
    rows: list[dict[str, Any]] = []
    everything: list[Attempt] = []
    fitted = None
    if evaluation.fitted_on != evaluation.evaluate_on:
        fitted = f"clusters fitted on {evaluation.fitted_on}"
    views = {**alone, TOGETHER: latents} if alone else {None: latents}

    def classes_of(level: str, songs: Sequence[str]) -> list[int]:
        tasks = [task for task in of_task if level == "window" or task not in WINDOW_ONLY]
        return [n_classes(of_task[task], songs) for task in tasks]

    by_level = (
        found
        for view, frame in views.items()
        for found in clustered_levels(
            frame,
            view,
            clustering,
            classes_of,
            clustered_on=evaluation.evaluate_on,
            fitted_on=evaluation.fitted_on,
            seed=evaluation.seed,
            blocks=blocks or {},
        )
    )
    for found in by_level:
        everything += found
        for attempt, task, score in level_scores(found, of_task, evaluation):
            notes = _joined(note, fitted, attempt.clustering.note, score.note)
            rows.append(
                {
                    "model": model,
                    "seed": seed,
                    "split": evaluation.evaluate_on,
                    "level": attempt.points.level,
                    "view": attempt.points.view,
                    "algorithm": attempt.algorithm,
                    "k": attempt.k,
                    "task": task,
                    "metric": score.metric,
                    "value": score.value,
                    "ci_low": score.ci_low,
                    "ci_high": score.ci_high,
                    "chance": score.chance,
                    "n": score.n,
                    "supervision": supervision,
                    "note": notes,
                }
            )
    scores = pd.DataFrame(rows, columns=list(tables.SCORES.columns))
    return clusters_frame(everything), scores.astype({"k": "Int32"})


def write_clusters_and_scores(
    latents_path: str | Path,
    labels_path: str | Path,
    clusters_path: str | Path,
    scores_path: str | Path,
    continuity_path: str | Path,
    *,
    model: str,
    seed: int,
    clustering: Clustering,
    evaluation: Evaluation,
    sound_path: str | Path | None = None,
    words_path: str | Path | None = None,
) -> None:
    """Read the latents of one model, write its clusters, scores and continuity.

    `sound_path` and `words_path` are its latents of one modality alone, where it reads two.
    Clusters that lie at `clusters_path` already are those before: the new ones keep their numbers.
    Numerical libraries are kept to one thread: sums over several threads differ in the last digit
    from run to run, and a clustering can turn on it.

    Raises:
        TableError: when a table is missing or breaks its schema.
    """
    from threadpoolctl import threadpool_limits

    info = tables.read_metadata(latents_path)
    latents = tables.read(latents_path, tables.LATENTS)
    labels = tables.read(labels_path, tables.LABELS)
    alone = {
        view: tables.read(path, tables.LATENTS)
        for view, path in ((SOUND, sound_path), (WORDS, words_path))
        if path is not None
    }
    with threadpool_limits(1):
        clusters, scores = cluster_and_score(
            latents,
            labels,
            model=model,
            seed=seed,
            supervision=info.get("supervision", "none"),
            note=info.get("note") or None,
            clustering=clustering,
            evaluation=evaluation,
            blocks=blocks_of(info),
            alone=alone,
        )
    metadata = {
        "model": model,
        "seed": seed,
        "supervision": info.get("supervision", "none"),
        "note": info.get("note") or "",
    }
    before = tables.read_previous(clusters_path, tables.CLUSTERS)
    clusters, continuity = continued(clusters, before)
    tables.write(scores, scores_path, tables.SCORES, metadata)
    tables.write(continuity, continuity_path, tables.CONTINUITY, metadata)
    # Last: a job that is killed before finds the clusters before once more.
    tables.write(clusters, clusters_path, tables.CLUSTERS, metadata)
