"""One row per model: the suggested k, and how its consensus agrees with the labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.choice import CRITERIA, JOINT
from songatlas.clustering.levels import Points
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation import layout
from songatlas.evaluation.consensus import song_tasks
from songatlas.evaluation.scores import external_scores, target
from songatlas.evaluation.tasks import n_classes


@dataclass(frozen=True)
class Result:
    """What the rule `consensus` wrote of one model."""

    model: str
    partitions: pd.DataFrame
    choice: pd.DataFrame
    quality: pd.DataFrame
    info: Mapping[str, Any]


def read_results(
    partitions: Sequence[str | Path], choices: Sequence[str | Path], qualities: Sequence[str | Path]
) -> list[Result]:
    """The results of several models, files in the same order.

    Raises:
        TableError: when a table is missing or breaks its schema.
    """
    found = []
    for one, two, three in zip(partitions, choices, qualities, strict=True):
        info = tables.read_metadata(one)
        found.append(
            Result(
                info["model"],
                tables.read(one, tables.CONSENSUS),
                tables.read(two, tables.CHOICE),
                tables.read(three, tables.QUALITY),
                info,
            )
        )
    return found


def consensus_table(
    results: Sequence[Result], labels: pd.DataFrame, evaluation: Evaluation, corpus_name: str
) -> pd.DataFrame:
    """One row per model, in their order.

    `k_<criterion>` is each criterion's suggestion, `k_joint` the common one; `stability` and
    `confidence` are at `k_joint`. Per task: the NMI of the consensus at k = the task's number of
    classes (`<task>_k`), its bootstrap interval, and its chance level under permuted labels.
    """
    of_task = song_tasks(labels, evaluation.tasks)
    rows = [_row(result, of_task, evaluation) for result in results]
    columns = ["model", "supervision", "n", "seeds", *(f"k_{name}" for name in (*CRITERIA, JOINT))]
    columns += ["stability", "stability_sd", "confidence"]
    parts = ("k", "nmi", "ci_low", "ci_high", "chance")
    columns += [f"{task}_{part}" for task in of_task for part in parts]
    frame = pd.DataFrame(rows, columns=[*columns, "suggestion", "note"]).assign(corpus=corpus_name)
    whole = [name for name in frame if str(name).startswith("k_") or str(name).endswith("_k")]
    return frame.astype(dict.fromkeys(["n", "seeds", *whole], "Int64"))


def _row(
    result: Result, of_task: Mapping[str, dict[str, str]], evaluation: Evaluation
) -> dict[str, Any]:
    choice, info = result.choice, result.info
    chosen = choice[choice["chosen"]].set_index("criterion")["k"]
    joint = chosen.get(JOINT)
    at_joint = choice[(choice["criterion"] == "stability") & (choice["k"] == joint)]
    row: dict[str, Any] = {
        "model": result.model,
        "supervision": info["supervision"],
        "n": info["n"],
        "seeds": info["runs"],
        **{f"k_{name}": chosen.get(name) for name in (*CRITERIA, JOINT)},
        "stability": at_joint["value"].iloc[0] if len(at_joint) else np.nan,
        "stability_sd": at_joint["sd"].iloc[0] if len(at_joint) else np.nan,
        "confidence": result.partitions.loc[result.partitions["k"] == joint, "confidence"].mean(),
        "suggestion": info["sentence"],
        "note": info["note"] or None,
    }
    for task, of_song in of_task.items():
        row |= {f"{task}_{part}": v for part, v in _agreement(result, task, of_song, evaluation)}
    return row


def _agreement(
    result: Result, task: str, of_song: dict[str, str], evaluation: Evaluation
) -> list[tuple[str, Any]]:
    parts = result.partitions
    classes = n_classes(of_song, parts["track_id"].unique())
    at = parts[parts["k"] == classes]
    if at.empty:
        return [("k", classes if classes > 1 else None)]
    songs = Points("song", tuple(at["track_id"]), None, np.zeros((len(at), 1)))
    scores = external_scores(at["label"].to_numpy(), target(songs, task, of_song, evaluation))
    [nmi] = [score for score in scores if score.metric == "nmi"]
    return [
        ("k", classes),
        ("nmi", nmi.value),
        ("ci_low", nmi.ci_low),
        ("ci_high", nmi.ci_high),
        ("chance", nmi.chance),
    ]


def for_readers(frame: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """The columns that fit a page: mean and standard deviation joined, k spelled out per task."""
    shown = frame[["model", "n", *(f"k_{name}" for name in (*CRITERIA, JOINT))]].copy()
    shown["stability"] = [
        None if pd.isna(mean) else f"{mean:.2f} ± {sd:.2f}" if pd.notna(sd) else f"{mean:.2f}"
        for mean, sd in zip(frame["stability"], frame["stability_sd"], strict=True)
    ]
    for task in tasks:
        shown[f"{task} NMI (chance)"] = [
            None if pd.isna(nmi) else f"{nmi:.2f}" + (f" ({by:.2f})" if pd.notna(by) else "")
            for nmi, by in zip(frame[f"{task}_nmi"], frame[f"{task}_chance"], strict=True)
        ]
    return shown


def quality_table(results: Sequence[Result], corpus_name: str) -> pd.DataFrame:
    """Every cluster of every consensus, with the model; `suggested` marks the suggested k."""
    parts = []
    for result in results:
        choice = result.choice
        joint = choice.loc[choice["chosen"] & (choice["criterion"] == JOINT), "k"]
        rows = result.quality.assign(suggested=result.quality["k"].isin(joint))
        rows.insert(0, "model", result.model)
        parts.append(rows.astype(object))
    columns = ["model", *tables.QUALITY.columns, "suggested"]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return frame.assign(corpus=corpus_name)


def write_tables(
    results: Sequence[Result],
    labels_path: str | Path,
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    quality: str | Path,
    evaluation: Evaluation,
    corpus_name: str,
    card: str | None = None,
) -> None:
    """Write the consensus table in three forms, and the table of clusters.

    Raises:
        TableError: when the labels are missing or break their schema.
    """
    labels = tables.read(labels_path, tables.LABELS)
    frame = consensus_table(results, labels, evaluation, corpus_name)
    heading = f"Consensus clusterings and suggested numbers of clusters: {corpus_name}"
    explained = (
        "k_<criterion>: the number of clusters that it suggests (1: no clusters); k_joint: 1 where "
        "gap and BIC both suggest it, else the one of lowest mean rank. stability: AMI between "
        "clusterings of bootstrap draws at k_joint, mean ± sd over pairs of draws. NMI: of the "
        "consensus over seeds and algorithms with the labels, at k = number of classes; chance: "
        "with labels permuted between songs."
    )
    shown = for_readers(frame, list(song_tasks(labels, evaluation.tasks)))
    said = [
        f"{result.model}: {result.info['sentence']}"
        + (f" ({result.info['note']})" if result.info["note"] else "")
        for result in results
    ]
    notes = [explained, *said]
    sheet = layout.Sheet("consensus", frame, heading, notes, shown=shown, caption=[explained])
    layout.write_sheet(sheet, (csv, md, tex), card)
    layout.write_csv(quality_table(results, corpus_name), quality)
