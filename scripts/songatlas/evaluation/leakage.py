"""Does splitting songs matter? The same model, trained on a split of songs and one of windows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.levels import OWN, Points, attempts, points_of
from songatlas.clustering.views import blocks_of, even
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout, metrics
from songatlas.evaluation.bootstrap import interval, song_weights
from songatlas.evaluation.chance import exchangeable, generator, permuted_codes
from songatlas.evaluation.columns import LEAKAGE
from songatlas.evaluation.contingency import draws, membership
from songatlas.evaluation.scores import singletons, songs_with_label
from songatlas.evaluation.tasks import WINDOW_ONLY, task_labels

LOSSES = {"validation_loss": "best_validation_loss", "reconstruction": "reconstruction"}
"""Metrics of training, and their keys in `summary.json`."""

CLUSTERED = {"nmi": metrics.nmi, "ami": metrics.ami}

KNN = "knn_accuracy"
NEIGHBOURS = 5

SONG = "song"
"""The task that asks whether a window's song is recognised, which only leakage makes possible."""

BY_CONSTRUCTION = "0 by construction: no song is on both sides"

EXPLAINED = (
    "split song: whole songs are held out. split window: the control, trained in the same way on "
    "windows that were dealt at random to the same numbers of training and held-out windows, so "
    "that songs are on both sides.",
    "validation_loss and reconstruction: at the epoch that was kept, on held-out windows; no "
    "interval, since they are stored as means. nmi, ami: held-out windows clustered with k = "
    "number of classes among them; mean over algorithms. knn_accuracy: held-out windows labelled "
    f"by their {NEIGHBOURS} nearest training windows (cosine, majority).",
    "Mean over seeds, sd over seeds; interval: 95%, bootstrap over songs. chance: labels dealt to "
    "songs at random (to training windows in the task song). A song on both sides then still finds "
    "the label that it was dealt: knn_accuracy by chance in split window is what recognising songs "
    "alone is worth.",
)


@dataclass(frozen=True)
class Branch:
    """One training: its latents, its summary, and the blocks of its latent."""

    latents: pd.DataFrame
    summary: Mapping[str, Any]
    note: str = ""
    blocks: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """One number of one training; `draws` (B,) are its bootstrap draws over songs."""

    value: float
    n: int
    n_songs: int = 0
    draws: np.ndarray = field(default_factory=lambda: np.zeros(0))
    chance: float = np.nan
    note: str | None = None


def leakage_table(
    pairs: Mapping[str, str],
    branches: Mapping[str, Sequence[Branch]],
    labels: pd.DataFrame,
    *,
    clustering: Clustering,
    evaluation: Evaluation,
) -> pd.DataFrame:
    """Two rows per control, task and metric: `LEAKAGE`, the split by songs and that by windows.

    Args:
        pairs: by name of every control whose windows were dealt at random, the model it controls.
        branches: every seed of these models.
        labels: rows of the labels table.
    """
    rows = []
    for control, model in pairs.items():
        for split, name in (("song", model), ("window", control)):
            for task, metric, measures in _measures(branches[name], labels, clustering, evaluation):
                about = {"model": model, "control": control, "task": task, "metric": metric}
                rows.append(about | {"split": split} | _row(metric, measures))
    frame = pd.DataFrame(rows, columns=list(LEAKAGE)).astype({"n": "Int64"})
    for column in ("value", "sd", "ci_low", "ci_high", "chance"):
        frame[column] = frame[column].astype(float)
    keys = ["model", "control", "task", "metric"]
    order = frame.groupby(keys, sort=False, dropna=False).ngroup()
    return frame.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def _row(metric: str, measures: Sequence[Measure]) -> dict[str, Any]:
    """Mean over seeds; the draws of all seeds are of the same songs, so they are averaged too."""
    values = np.array([measure.value for measure in measures])
    known = [measure for measure in measures if np.isfinite(measure.value)]
    notes = [measure.note for measure in measures if measure.note]
    if not known:
        note = "; ".join(dict.fromkeys(notes)) or "no value"
        return {"n": max((measure.n for measure in measures), default=0), "note": note}
    values = values[np.isfinite(values)]
    low = high = np.nan
    if all(len(measure.draws) for measure in known):
        bounds = metrics.RANGES.get(metric, (0.0, 1.0))
        drawn = np.mean([measure.draws for measure in known], axis=0)
        low, high = interval(float(values.mean()), drawn, bounds)
    songs = [measure.n_songs for measure in known if measure.n_songs]
    if songs:
        few, many = min(songs), max(songs)
        notes.append(f"{few if few == many else f'{few} to {many}'} held-out songs")
    if len(known) < len(measures):
        notes.append(f"{len(known)} of {len(measures)} seeds")
    return {
        "value": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else np.nan,
        "ci_low": low,
        "ci_high": high,
        "chance": float(np.mean([measure.chance for measure in known])),
        "n": max(measure.n for measure in known),
        "note": "; ".join(dict.fromkeys(notes)) or None,
    }


def _measures(
    branches: Sequence[Branch],
    labels: pd.DataFrame,
    clustering: Clustering,
    evaluation: Evaluation,
) -> list[tuple[str | None, str, list[Measure]]]:
    """(task, metric, one measure per seed) of everything that is compared."""
    found: list[tuple[str | None, str, list[Measure]]] = [
        (None, metric, [_loss(branch, key) for branch in branches])
        for metric, key in LOSSES.items()
    ]
    held_out = [_held_out(branch) for branch in branches]
    training = [points_of(branch.latents, "window", "train") for branch in branches]
    for task in evaluation.tasks:
        of_song = task_labels(labels, task)
        universe = _songs(held_out, of_song)
        scored = [
            _clustered(even(points, branch.blocks), of_song, task, universe, clustering, evaluation)
            for points, branch in zip(held_out, branches, strict=True)
        ]
        found += [(task, metric, [of[metric] for of in scored]) for metric in CLUSTERED]
    asked: list[str] = list(dict.fromkeys((*evaluation.tasks, SONG)))
    for name in asked:
        of_song = task_labels(labels, name)
        universe = _songs(held_out, of_song)
        accuracies = [
            nearest_neighbours(known, unseen, of_song, name, universe, evaluation)
            for known, unseen in zip(training, held_out, strict=True)
        ]
        found.append((name, KNN, accuracies))
    return found


def _held_out(branch: Branch) -> Points:
    """Validation windows; test windows where there is no validation (cross-validation)."""
    validation = points_of(branch.latents, "window", "validation")
    return validation if len(validation) else points_of(branch.latents, "window", "test")


def _songs(points: Sequence[Points], of_song: Mapping[str, str]) -> list[str]:
    """Labelled songs with held-out windows in any seed: what a bootstrap draws from."""
    return sorted({track for of in points for track in of.track_ids if track in of_song})


def _loss(branch: Branch, key: str) -> Measure:
    facts = branch.summary
    if facts["note"] or facts["monitor"] != "validation":
        return Measure(np.nan, 0, note=facts["note"] or facts["monitor_reason"])
    value = facts[key]
    if value is None:
        return Measure(np.nan, facts["n_validation_windows"], note="the model has no such loss")
    return Measure(float(value), facts["n_validation_windows"])


def _weights(
    songs: Sequence[str], universe: Sequence[str], task: str, evaluation: Evaluation
) -> np.ndarray:
    """How often each of `songs` is drawn, (B, S); the same draws of the universe for every seed."""
    drawn = song_weights(len(universe), evaluation.bootstraps, evaluation.seed, "leakage", task)
    position = {song: place for place, song in enumerate(universe)}
    return drawn[:, [position[song] for song in songs]]


def _clustered(
    points: Points,
    of_song: dict[str, str],
    task: str,
    universe: Sequence[str],
    clustering: Clustering,
    evaluation: Evaluation,
) -> dict[str, Measure]:
    """NMI and AMI of held-out windows, mean over `evaluation.summary_algorithms`."""
    songs, codes, count = songs_with_label(points.track_ids, of_song)
    if count < 2:
        note = "fewer than 2 classes among held-out songs"
        return dict.fromkeys(CLUSTERED, Measure(np.nan, 0, note=note))
    chosen = clustering.model_copy(update={"algorithms": evaluation.summary_algorithms, "k": []})
    tried = attempts(points, chosen, [count], evaluation.seed)
    tried = [attempt for attempt in tried if attempt.algorithm != OWN]
    position = {song: place for place, song in enumerate(songs)}
    row = np.array([position.get(track, -1) for track in points.track_ids])
    labelled = row >= 0
    row = row[labelled]
    weights = _weights(songs, universe, task, evaluation)
    drawn = weights.sum(axis=1) > 0
    resampled = draws(codes, count, weights[drawn])
    units, unit = exchangeable(task, row, codes)
    permuted = permuted_codes(units, evaluation.permutations, evaluation.seed, task, "window")
    shuffled = draws(permuted, count)
    values: dict[str, list[float]] = {metric: [] for metric in CLUSTERED}
    by_songs: dict[str, list[np.ndarray]] = {metric: [] for metric in CLUSTERED}
    by_chance: dict[str, list[float]] = {metric: [] for metric in CLUSTERED}
    notes = []
    for attempt in tried:
        if attempt.clustering.labels is None:
            notes.append(f"{attempt.algorithm}: {attempt.clustering.note}")
            continue
        found = singletons(attempt.clustering.labels[labelled])
        counts = membership(found, row, len(songs))
        [table] = draws(codes, count).tables(counts)
        of_units = membership(found, unit, len(units))
        for metric, function in CLUSTERED.items():
            values[metric].append(float(function(table)[0]))
            each = np.full(len(weights), np.nan)
            if drawn.any():
                chunks = [function(chunk) for chunk in resampled.tables(counts)]
                each[drawn] = np.concatenate(chunks)
            by_songs[metric].append(each)
            if len(permuted):
                chunks = [function(chunk) for chunk in shuffled.tables(of_units)]
                by_chance[metric].append(float(np.concatenate(chunks).mean()))
    said = "; ".join(dict.fromkeys(notes)) or None
    return {
        metric: Measure(
            float(np.mean(values[metric])) if values[metric] else np.nan,
            len(row),
            len(songs),
            np.mean(by_songs[metric], axis=0) if values[metric] else np.zeros(0),
            float(np.mean(by_chance[metric])) if by_chance[metric] else np.nan,
            said,
        )
        for metric in CLUSTERED
    }


def nearest_neighbours(
    known: Points,
    unseen: Points,
    of_song: dict[str, str],
    task: str,
    universe: Sequence[str],
    evaluation: Evaluation,
) -> Measure:
    """Share of held-out windows that get their label from their nearest training windows.

    Args:
        known, unseen: training and held-out windows; those without a label are left out.
        universe: songs that the bootstrap draws from.
    """
    from sklearn.neighbors import NearestNeighbors

    both = (*known.track_ids, *unseen.track_ids)
    songs, codes, count = songs_with_label(both, of_song)
    position = {song: place for place, song in enumerate(songs)}
    row = np.array([position.get(track, -1) for track in both], np.int64)
    train, test = row[: len(known)], row[len(known) :]
    kept, scored = train >= 0, test >= 0
    train, test = train[kept], test[scored]
    if not len(train) or not len(test) or count < 2:
        return Measure(np.nan, len(test), note="fewer than 2 classes, or no window on a side")
    neighbours = min(NEIGHBOURS, len(train))
    index = NearestNeighbors(n_neighbors=neighbours, metric="cosine", algorithm="brute")
    nearest = index.fit(known.z[kept]).kneighbors(unseen.z[scored], return_distance=False)
    right = _majority(codes[train][nearest], count) == codes[test]
    own = np.unique(test)
    hits = np.bincount(test, right, len(songs))[own]
    windows = np.bincount(test, minlength=len(songs))[own]
    weights = _weights([songs[place] for place in own], universe, task, evaluation)
    total = weights @ windows
    drawn = np.where(total > 0, (weights @ hits) / np.maximum(total, 1), np.nan)
    apart = not set(train) & set(test)
    return Measure(
        float(right.mean()),
        len(test),
        len(own),
        drawn,
        _knn_chance(codes, train, test, nearest, count, task, evaluation),
        BY_CONSTRUCTION if task in WINDOW_ONLY and apart else None,
    )


def _majority(votes: np.ndarray, count: int) -> np.ndarray:
    """Most frequent code per row of (n, k), the lowest of equal ones, as scikit-learn has it."""
    flat = np.arange(len(votes))[:, None] * count + votes
    return np.bincount(flat.ravel(), minlength=len(votes) * count).reshape(-1, count).argmax(axis=1)


def _knn_chance(
    codes: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    nearest: np.ndarray,
    count: int,
    task: str,
    evaluation: Evaluation,
) -> float:
    """Mean accuracy when labels are dealt to songs (task `song`: to training windows) at random."""
    rng = generator(evaluation.seed, "leakage", task)
    found = []
    for _ in range(evaluation.permutations):
        if task in WINDOW_ONLY:
            shown, true = rng.permutation(codes[train]), codes[test]
        else:
            dealt = rng.permutation(codes)
            shown, true = dealt[train], dealt[test]
        found.append((_majority(shown[nearest], count) == true).mean())
    return float(np.mean(found)) if found else np.nan


def for_readers(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of the table on a page: mean and deviation, and bounds, joined."""
    shown = frame[["model", "task", "metric", "split"]].copy()
    shown["value"] = [
        layout.plus_minus(mean, sd) for mean, sd in zip(frame["value"], frame["sd"], strict=True)
    ]
    shown["interval"] = [
        None if pd.isna(low) else f"{low:.3f} to {high:.3f}"
        for low, high in zip(frame["ci_low"], frame["ci_high"], strict=True)
    ]
    return shown.assign(chance=frame["chance"], n=frame["n"], note=frame["note"])


def read_branches(
    models: Sequence[str], latents: Sequence[str | Path], summaries: Sequence[str | Path]
) -> dict[str, list[Branch]]:
    """Latents and summaries (same order), by model.

    Raises:
        SongatlasError: when two files do not belong together.
        TableError: when a table is missing or breaks its schema.
    """
    found: dict[str, list[Branch]] = {model: [] for model in models}
    for path, summary in zip(latents, summaries, strict=True):
        info = tables.read_metadata(path)
        facts = json.loads(Path(summary).read_text(encoding="utf-8"))
        if info["model"] != facts["model"] or info["model"] not in found:
            raise SongatlasError(
                f"{path} ({info['model']}) and {summary} ({facts['model']}) do not belong together "
                "or to no control; run the stage latents again"
            )
        frame = tables.read(path, tables.LATENTS)
        found[info["model"]].append(Branch(frame, facts, info.get("note", ""), blocks_of(info)))
    return found


def write_leakage(
    latents: Sequence[str | Path],
    summaries: Sequence[str | Path],
    labels: str | Path,
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    pairs: Mapping[str, str],
    clustering: Clustering,
    evaluation: Evaluation,
    corpus_name: str,
    card: str | None = None,
) -> None:
    """Write the table in three forms; without a control it has no row and says why.

    Raises:
        SongatlasError: when inputs do not belong together.
    """
    from threadpoolctl import threadpool_limits

    models = dict.fromkeys([*pairs.values(), *pairs])
    with threadpool_limits(1):
        frame = leakage_table(
            pairs,
            read_branches(list(models), latents, summaries),
            tables.read(labels, tables.LABELS),
            clustering=clustering,
            evaluation=evaluation,
        )
    heading = f"Split by songs and split by windows: {corpus_name}"
    notes = list(EXPLAINED)
    if frame.empty:
        notes = [
            "No model of this run is a control whose windows are dealt at random "
            "(`control: random_windows`)."
        ]
    shown = for_readers(frame)
    narrow = shown.drop(columns="note")
    sheet = layout.Sheet("leakage", frame, heading, notes, shown=shown, narrow=narrow)
    layout.write_sheet(sheet, (csv, md, tex), card)
