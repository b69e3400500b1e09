"""Which models differ: every pair, paired over seeds, with intervals over songs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation import layout, metrics
from songatlas.evaluation.bootstrap import interval, song_weights
from songatlas.evaluation.chance import generator
from songatlas.evaluation.columns import TESTS
from songatlas.evaluation.comparison import LEVEL_ORDER, Run, fold_sizes, read_runs, together
from songatlas.evaluation.contingency import draws, membership
from songatlas.evaluation.paired import cliffs_delta, cohens_dz, holm, p_value
from songatlas.evaluation.scores import singletons, songs_with_label
from songatlas.evaluation.tasks import WINDOW_ONLY, n_classes, task_labels

TESTED = {"nmi": metrics.nmi, "ami": metrics.ami, "ari": metrics.ari}
"""Metrics that models are compared by."""

SHOWN_METRIC = "ami"
"""What tables for readers show: of the three the one that is 0 by chance and bounded by 1."""

FOLDS = "pairs are folds, which share training songs: p is rather too small"


@dataclass(frozen=True)
class Scored:
    """Scores of one model in one task at one level, by seed; each seed's draws (B,) over songs."""

    values: dict[int, dict[str, float]]
    draws: dict[int, dict[str, np.ndarray]]
    songs: frozenset[str]


def pairwise_tests(
    runs: Mapping[str, Sequence[Run]],
    labels: pd.DataFrame,
    *,
    clustering: Clustering,
    evaluation: Evaluation,
) -> pd.DataFrame:
    """One row per task, metric, level and pair of models: `TESTS`.

    A model's score with one seed is the mean over `evaluation.summary_algorithms` at k = the task's
    number of classes. Scores with the same seed are a pair; what has a single run (baselines draw
    nothing at random) is paired with every seed of the other.

    - `difference`: mean of model_a less model_b over pairs; `ci_low, ci_high`: 95% of bootstrap
      draws over songs (the same for both models) and over pairs.
    - `effect_size`: Cohen's d_z; `cliffs_delta`: of the two sets of scores.
    - `p`: `evaluation.paired_test` over pairs (`paired.p_value`); `p_holm`: corrected over all
      pairs of models of the task, metric and level.
    """
    folds = any(fold_sizes(seeds, level) for seeds in runs.values() for level in clustering.levels)
    rows: list[dict[str, Any]] = []
    for task in evaluation.tasks:
        of_song = task_labels(labels, task)
        for level in sorted(clustering.levels, key=LEVEL_ORDER.index):
            if level != "window" and task in WINDOW_ONLY:
                continue
            scored = _scored(runs, of_song, task, level, evaluation)
            for metric in TESTED:
                rng = generator(evaluation.seed, "seeds", task, level, metric)
                family = [
                    _pair(scored[a], scored[b], metric, evaluation, rng, folds)
                    | {"task": task, "metric": metric, "level": level, "model_a": a, "model_b": b}
                    for a, b in itertools.combinations(runs, 2)
                ]
                for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
                    rows.append(row | {"p_holm": p})
    frame = pd.DataFrame(rows, columns=list(TESTS)).astype({"n_pairs": "Int64"})
    numbers = list(TESTS[6:-1])
    return frame.astype(dict.fromkeys(numbers, float))


def _scored(
    runs: Mapping[str, Sequence[Run]],
    of_song: dict[str, str],
    task: str,
    level: str,
    evaluation: Evaluation,
) -> dict[str, Scored]:
    """Every model's scores; all draws are of one set of songs, so that pairs share them."""
    clustered = [
        run.clusters.loc[run.clusters["level"] == level, "track_id"].unique()
        for seeds in runs.values()
        for run in seeds
    ]
    universe = sorted({track for tracks in clustered for track in tracks if track in of_song})
    weights = song_weights(len(universe), evaluation.bootstraps, evaluation.seed, "tests", task)
    return {
        model: _of_model(seeds, of_song, task, level, evaluation, universe, weights)
        for model, seeds in runs.items()
    }


def _of_model(
    seeds: Sequence[Run],
    of_song: dict[str, str],
    task: str,
    level: str,
    evaluation: Evaluation,
    universe: Sequence[str],
    weights: np.ndarray,
) -> Scored:
    values: dict[int, dict[str, float]] = {}
    drawn: dict[int, dict[str, np.ndarray]] = {}
    known: set[str] = set()
    position = {song: place for place, song in enumerate(universe)}
    for run in seeds:
        points = run.clusters[run.clusters["level"] == level]
        songs, codes, count = songs_with_label(list(points["track_id"]), of_song)
        classes = n_classes(of_song, songs)
        rows = run.scores[
            (run.scores["task"] == task)
            & (run.scores["level"] == level)
            & run.scores["algorithm"].isin(evaluation.summary_algorithms)
            & (run.scores["k"] == classes)
            & run.scores["metric"].isin(list(TESTED))
        ].dropna(subset=["value"])
        if rows.empty or count < 2:
            continue
        seed = int(rows["seed"].iloc[0])
        known |= set(songs)
        means = rows.groupby("metric")["value"].mean()
        values[seed] = {str(metric): float(value) for metric, value in means.items()}
        columns = weights[:, [position[song] for song in songs]]
        any_song = columns.sum(axis=1) > 0
        resampled = draws(codes, count, columns[any_song])
        of_song_row = {song: place for place, song in enumerate(songs)}
        parts: dict[str, list[np.ndarray]] = {metric: [] for metric in TESTED}
        for algorithm in rows["algorithm"].unique():
            chosen = points[
                (points["algorithm"] == algorithm)
                & (points["k"] == classes)
                & points["track_id"].isin(songs)
            ]
            at = chosen["track_id"].map(of_song_row).to_numpy()
            counts = membership(singletons(chosen["label"].to_numpy()), at, len(songs))
            for metric, function in TESTED.items():
                each = np.full(len(weights), np.nan)
                if any_song.any():
                    chunks = [function(chunk) for chunk in resampled.tables(counts)]
                    each[any_song] = np.concatenate(chunks)
                parts[metric].append(each)
        drawn[seed] = {metric: np.mean(each, axis=0) for metric, each in parts.items()}
    return Scored(values, drawn, frozenset(known))


def _pair(
    a: Scored,
    b: Scored,
    metric: str,
    evaluation: Evaluation,
    rng: np.random.Generator,
    folds: bool,
) -> dict[str, Any]:
    """One row but for its names; null with a note where a model has no score."""
    pairs = paired_seeds(list(a.values), list(b.values))
    if not pairs:
        without = [name for name, of in (("model_a", a), ("model_b", b)) if not of.values]
        note = f"{' and '.join(without)} not scored" if without else "no seed in common"
        return {"n_pairs": 0, "p": np.nan, "note": note}
    of_a = np.array([a.values[seed][metric] for seed, _ in pairs])
    of_b = np.array([b.values[seed][metric] for _, seed in pairs])
    differences = of_a - of_b
    n = len(pairs)
    notes: list[str] = []
    why: str | None
    for name, of in (("model_a", a), ("model_b", b)):
        if len(of.values) == 1 and n > 1:
            notes.append(f"{name} has one run, which is compared with every seed")
    if n == 1:
        p, why = np.nan, "one pair: no test over seeds, the interval is over songs"
    else:
        p, why = p_value(differences, evaluation.paired_test, evaluation.seed)
    if why:
        notes.append(why)
    if n > 1 and np.isnan(size := cohens_dz(differences)):
        notes.append("d_z: all differences are the same")
    if folds:
        notes.append(FOLDS)
    if a.songs != b.songs:
        notes.append(f"other songs: {len(a.songs)} and {len(b.songs)}")
    low = high = np.nan
    if evaluation.bootstraps:
        drawn = np.array([a.draws[i][metric] - b.draws[j][metric] for i, j in pairs])
        which = rng.integers(n, size=drawn.shape)
        resampled = np.take_along_axis(drawn, which, axis=0).mean(axis=0)
        low, high = interval(float(differences.mean()), resampled)
    return {
        "n_pairs": n,
        "mean_a": of_a.mean(),
        "mean_b": of_b.mean(),
        "difference": differences.mean(),
        "ci_low": low,
        "ci_high": high,
        "effect_size": size if n > 1 else np.nan,
        "cliffs_delta": cliffs_delta(of_a, of_b) if n > 1 else np.nan,
        "p": p,
        "note": "; ".join(notes) or None,
    }


def paired_seeds(a: Sequence[int], b: Sequence[int]) -> list[tuple[int, int]]:
    """Seeds of two models that are compared: equal ones, or the only one of a model with all."""
    if len(a) == 1 and len(b) > 1:
        return [(a[0], seed) for seed in b]
    if len(b) == 1 and len(a) > 1:
        return [(seed, b[0]) for seed in a]
    if len(a) == len(b) == 1:
        return [(a[0], b[0])]
    return [(seed, seed) for seed in a if seed in b]


def for_readers(frame: pd.DataFrame) -> pd.DataFrame:
    """One metric at the first level that is scored, and the columns that fit a page."""
    rows = frame[(frame["metric"] == SHOWN_METRIC) & frame["difference"].notna()]
    if len(rows):
        level = next(level for level in LEVEL_ORDER if (rows["level"] == level).any())
        rows = rows[rows["level"] == level]
    return pd.DataFrame(
        {
            "task": rows["task"],
            "level": rows["level"],
            "model_a": rows["model_a"],
            "model_b": rows["model_b"],
            "pairs": rows["n_pairs"],
            "difference": [f"{value:+.3f}" for value in rows["difference"]],
            "interval": [
                None if pd.isna(low) else f"{low:+.3f} to {high:+.3f}"
                for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
            ],
            "d_z": rows["effect_size"],
            "delta": rows["cliffs_delta"],
            "p": rows["p"],
            "p_holm": rows["p_holm"],
        }
    )


TEST_NAMES = {
    "wilcoxon": "exact Wilcoxon signed-rank test",
    "permutation": "exact sign-flip permutation test of the mean",
    "t": "paired t test",
}


def write_model_tests(
    scores: Sequence[str | Path],
    clusters: Sequence[str | Path],
    labels: str | Path,
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    models: Sequence[str],
    clustering: Clustering,
    evaluation: Evaluation,
    corpus_name: str,
    card: str | None = None,
) -> None:
    """Write the table in three forms.

    Raises:
        SongatlasError: when inputs do not belong together.
    """
    frame = pairwise_tests(
        together(read_runs(models, scores, clusters)),
        tables.read(labels, tables.LABELS),
        clustering=clustering,
        evaluation=evaluation,
    )
    heading = f"Models in pairs: {corpus_name}"
    most = 0 if frame.empty else int(frame["n_pairs"].max())
    notes = [
        f"{SHOWN_METRIC.upper()} of model_a less model_b, mean over pairs of equal seeds; a "
        "score is the mean over "
        f"{', '.join(evaluation.summary_algorithms)} at k = number of classes. Interval: 95%, "
        "bootstrap over songs and pairs. d_z: Cohen's, of paired differences; delta: Cliff's. "
        f"p: {TEST_NAMES[evaluation.paired_test]}, two-sided, over seeds; p_holm: corrected over "
        "all pairs of models of a task. What has a single run is compared with every seed. Other "
        f"metrics and levels: {Path(csv).name}.",
    ]
    if frame["p"].isna().all():
        notes.append(f"No pair is tested: {most} pairs of seeds at most (see note in the CSV).")
    sheet = layout.Sheet("tests", frame, heading, notes, shown=for_readers(frame))
    layout.write_sheet(sheet, (csv, md, tex), card)
