"""How much each modality moved the clusters: those of both against those of one alone."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.views import SOUND, TOGETHER, WORDS, of_view
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation import layout
from songatlas.evaluation.chance import permuted_codes
from songatlas.evaluation.scores import songs_with_label
from songatlas.evaluation.tasks import WINDOW_ONLY, n_classes, task_labels

VIEW_OF = {"full": TOGETHER, "mel": SOUND, "lyrics": WORDS}
"""The view that stands for both modalities and for each alone."""

COLUMNS = ("nmi_full", "nmi_mel", "nmi_lyrics", "chance", "ami_full_mel", "ami_full_lyrics")


def modalities(
    clusters: pd.DataFrame, labels: pd.DataFrame, evaluation: Evaluation
) -> list[dict[str, Any]]:
    """Rows of one model and seed: per task `n, k` of both modalities together, and `COLUMNS`.

    Values are means over `evaluation.summary_algorithms`, of songs, at k = number of classes among
    a view's songs. `nmi_*` compare with labels; `ami_*` compare the clusters of `full` with those
    of one modality, over the songs that have it. `chance` is the NMI of `full` with labels permuted
    between songs. Values are NaN where nothing was clustered.

    Args:
        clusters: rows of `tables.CLUSTERS`.
        labels: rows of `tables.LABELS`.
    """
    songs = clusters[clusters["level"] == "song"]
    rows = []
    for task in evaluation.tasks:
        of_song = task_labels(labels, task)
        labelled, codes, k = songs_with_label(list(of_view(songs)["track_id"]), of_song)
        if task not in WINDOW_ONLY and k > 1:
            row = {"task": task, "n": len(labelled), "k": k}
            rows.append(row | _values(songs, of_song, pd.Series(codes, labelled), task, evaluation))
    return rows


def _values(
    songs: pd.DataFrame,
    of_song: dict[str, str],
    classes: pd.Series,
    task: str,
    evaluation: Evaluation,
) -> dict[str, float]:
    """`COLUMNS` of one task, whose `classes` by song are those of `together`."""
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    found = {
        name: _partitions(of_view(songs, view), of_song, evaluation.summary_algorithms)
        for name, view in VIEW_OF.items()
    }
    shuffled = [
        pd.Series(dealt, classes.index)
        for dealt in permuted_codes(
            classes.to_numpy(), evaluation.permutations, evaluation.seed, task, "song"
        )
    ]
    row = {
        f"nmi_{name}": _mean(
            _agreement(normalized_mutual_info_score, classes, part) for part in parts.values()
        )
        for name, parts in found.items()
    }
    row["chance"] = _mean(
        _agreement(normalized_mutual_info_score, dealt, part)
        for part in found["full"].values()
        for dealt in shuffled
    )
    for name in ("mel", "lyrics"):
        row[f"ami_full_{name}"] = _mean(
            _agreement(adjusted_mutual_info_score, found["full"][algorithm], part)
            for algorithm, part in found[name].items()
            if algorithm in found["full"]
        )
    return row


def _partitions(
    songs: pd.DataFrame, of_song: dict[str, str], algorithms: Sequence[str]
) -> dict[str, pd.Series]:
    """Labels by song at k = number of classes, by algorithm; none that did not cluster.

    Args:
        songs: rows of `tables.CLUSTERS` of one view.
    """
    at_k = songs[songs["k"] == n_classes(of_song, songs["track_id"])].set_index("track_id")
    chosen = at_k[at_k["algorithm"].isin(list(algorithms))]
    return {str(name): part["label"] for name, part in chosen.groupby("algorithm", sort=False)}


def _agreement(measure: Callable[..., float], one: pd.Series, other: pd.Series) -> float:
    """A measure of two partitions, over the songs that both have."""
    both = one.index.intersection(other.index)
    return float(measure(one[both], other[both]))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else np.nan


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per model and task: mean and standard deviation (n - 1) over seeds."""
    keys = ["model", "task", "n", "k"]
    if rows.empty:
        return pd.DataFrame(columns=[*keys, *(f"{c}_{s}" for c in COLUMNS for s in ("mean", "sd"))])
    parts = {}
    groups = rows.groupby(keys, sort=False)
    for column in COLUMNS:
        parts[f"{column}_mean"] = groups[column].mean()
        parts[f"{column}_sd"] = groups[column].std(ddof=1)
    return pd.DataFrame(parts).reset_index()


def write_modalities(
    clusters: Sequence[str | Path],
    labels_path: str | Path,
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    evaluation: Evaluation,
    card: str | None = None,
) -> None:
    """Write the table over all models and seeds, from their clusters.

    Raises:
        TableError: when a table is missing or breaks its schema.
    """
    labels = tables.read(labels_path, tables.LABELS)
    rows = []
    for path in clusters:
        info = tables.read_metadata(path)
        about = {"model": info["model"], "seed": info["seed"]}
        found = modalities(tables.read(path, tables.CLUSTERS), labels, evaluation)
        rows += [{**about, **row} for row in found]
    frame = over_seeds(pd.DataFrame(rows))
    shown = frame[["model", "task", "n", "k"]].copy()
    for column in COLUMNS:
        values = zip(frame[f"{column}_mean"], frame[f"{column}_sd"], strict=True)
        shown[column] = [layout.plus_minus(mean, sd) for mean, sd in values]
    heading = "What each modality does to the clusters of songs"
    n_seeds = pd.DataFrame(rows)["seed"].nunique() if rows else 0
    over = f"{n_seeds} seeds (± standard deviation)" if n_seeds > 1 else "one seed"
    notes = [
        f"Mean of {', '.join(evaluation.summary_algorithms)} at k = number of classes, over "
        f"{over}. nmi_full: both modalities (the view together); nmi_mel, nmi_lyrics: one alone "
        "(sound, words), of the songs that have it; chance: nmi_full with labels permuted. "
        "ami_full_*: agreement of the clusters of both modalities with those of one alone; the "
        "lower, the more the other one moved."
    ]
    sheet = layout.Sheet("modalities", frame, heading, notes, shown=shown)
    layout.write_sheet(sheet, (csv, md, tex), card)
