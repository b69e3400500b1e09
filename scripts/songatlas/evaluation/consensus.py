"""Consensus partitions of one model's songs, the suggested k, and the quality of every cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.algorithms import WITHOUT_K, cluster
from songatlas.clustering.choice import JOINT, Choice, choose_k
from songatlas.clustering.consensus import Consensus, consensus
from songatlas.clustering.continuity import continuity_frame, nearest_k, renumber
from songatlas.clustering.levels import Points, points_of
from songatlas.clustering.views import blocks_of, even
from songatlas.config import clustering as settings
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.errors import SongatlasError
from songatlas.evaluation.cluster_quality import quality_rows
from songatlas.evaluation.tasks import WINDOW_ONLY, n_classes, task_labels
from songatlas.features.vectors.reduction import reduce_width


@dataclass(frozen=True)
class Found:
    """Rows of the tables `consensus`, `choice`, `quality` and `continuity`, and words on them."""

    consensus: pd.DataFrame
    choice: pd.DataFrame
    quality: pd.DataFrame
    continuity: pd.DataFrame
    sentence: str
    note: str


def song_tasks(labels: pd.DataFrame, tasks: Sequence[str]) -> dict[str, dict[str, str]]:
    """Labels by song of the tasks that mean something where songs are the points."""
    return {task: task_labels(labels, task) for task in tasks if task not in WINDOW_ONLY}


def consensus_of(
    runs: Sequence[Points],
    labels: Mapping[str, Mapping[str, str]],
    *,
    clustering: Clustering,
    evaluation: Evaluation,
    consensus: settings.Consensus,
    before: pd.DataFrame | None = None,
) -> Found:
    """Suggest k and build the consensus at that k and at every task's number of classes.

    Where no clusters are suggested (k = 1), those at the tasks' numbers alone are built.

    Args:
        runs: the songs of each training seed, the same ones in the same order.
        labels: label by song of every task.
        before: the table `consensus` before, whose clusters' numbers the new ones keep.
    """
    songs = runs[0]
    reduced = [
        reduce_width(points.z, clustering.max_dim, clustering.pca_dim, evaluation.seed)
        for points in runs
    ]
    z = [reduction.z for reduction in reduced]
    choice = choose_k(
        z,
        algorithm=consensus.algorithm,
        k_min=consensus.k_min,
        k_max=consensus.k_max,
        draws=consensus.draws,
        references=consensus.references,
        n_init=clustering.n_init,
        seed=evaluation.seed,
    )
    classes = {n_classes(dict(of_song), songs.track_ids) for of_song in labels.values()}
    ks = sorted({k for k in (*classes, choice.joint) if k is not None and k >= 2})
    partitions, qualities, notes = [], [], [each.note for each in reduced[:1]]
    continuity: list[pd.DataFrame] = []
    for k in ks:
        found = consensus_at(z, k, clustering, evaluation.seed)
        notes.append(f"k = {k}: {found.note}" if found.note else None)
        if found.labels is not None:
            if before is not None:
                found, rows = _continued(found, k, songs, before)
                continuity.append(rows)
            partitions.append(
                pd.DataFrame(
                    {
                        "k": k,
                        "track_id": songs.track_ids,
                        "label": found.labels,
                        "confidence": found.confidence,
                    }
                )
            )
            qualities.append(quality_rows(found, k, z, songs, labels, evaluation))
    return Found(
        _joined(partitions, tables.CONSENSUS),
        choice_frame(choice),
        _joined(qualities, tables.QUALITY),
        continuity_frame(continuity),
        choice.sentence,
        "; ".join(filter(None, notes)),
    )


def consensus_at(z: Sequence[np.ndarray], k: int, clustering: Clustering, seed: int) -> Consensus:
    """Consensus over points (n, d) of seeds and algorithms; those that find k take no part."""
    found = [
        cluster(points, algorithm, k, n_init=clustering.n_init, seed=seed, gmm=clustering.gmm)
        for points in z
        for algorithm in clustering.algorithms
        if algorithm not in WITHOUT_K
    ]
    partitions = [each.labels for each in found if each.labels is not None]
    if found and not partitions:
        return Consensus(None, note=found[0].note)
    return consensus(partitions, k, seed=seed)


def _continued(
    found: Consensus, k: int, songs: Points, before: pd.DataFrame
) -> tuple[Consensus, pd.DataFrame]:
    """A consensus in the numbers of the one before, and rows of `tables.CONTINUITY`."""
    old = nearest_k(before, k)
    labels = pd.Series(found.labels, songs.track_ids)
    new = renumber(labels, pd.Series(old["label"].to_numpy(), old["track_id"].to_numpy()))
    ordered = np.argsort(new.number_of)
    found = replace(
        found,
        labels=new.applied(labels.to_numpy()),
        of_cluster=None if found.of_cluster is None else found.of_cluster[ordered],
    )
    return found, new.rows.assign(level="song", algorithm="consensus", k=k)


def _joined(parts: Sequence[pd.DataFrame], table: tables.Table) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else tables.empty(table)


def choice_frame(choice: Choice) -> pd.DataFrame:
    """Rows of `tables.CHOICE`: every criterion, then the mean ranks as the criterion `joint`.

    k = 1 has no rank; it has a row where it is chosen.
    """
    none: list[tuple[int | None, float]] = [(None, np.nan)]
    ranked = [(JOINT, *each) for each in (choice.ranks.items() or none)]
    if choice.joint == 1:
        ranked.insert(0, (JOINT, 1, np.nan))
    joint = pd.DataFrame(ranked, columns=["criterion", "k", "value"])
    frame = pd.concat([choice.values, joint.astype({"k": "Int32"})], ignore_index=True)
    chosen = {**choice.own, JOINT: choice.joint}
    frame["chosen"] = [
        bool(pd.notna(k) and k == chosen[name])
        for name, k in zip(frame["criterion"], frame["k"], strict=True)
    ]
    frame["note"] = [choice.notes.get(name) for name in frame["criterion"]]
    return frame


def write_consensus(
    latents_paths: Sequence[str | Path],
    labels_path: str | Path,
    *,
    consensus_path: str | Path,
    choice_path: str | Path,
    quality_path: str | Path,
    continuity_path: str | Path,
    model: str,
    clustering: Clustering,
    evaluation: Evaluation,
    consensus: settings.Consensus,
) -> None:
    """Read the latents of all seeds of one model and write the four tables.

    A consensus that lies at `consensus_path` already is the one before (`consensus_of`).
    One thread, as in `write_clusters_and_scores`.

    Raises:
        SongatlasError: when the seeds' latents are not of the same songs.
        TableError: when a table is missing or breaks its schema.
    """
    from threadpoolctl import threadpool_limits

    info = tables.read_metadata(latents_paths[0])
    runs = [
        even(
            points_of(tables.read(path, tables.LATENTS), "song", evaluation.evaluate_on),
            blocks_of(info),
        )
        for path in latents_paths
    ]
    for path, points in zip(latents_paths, runs, strict=True):
        if points.track_ids != runs[0].track_ids:
            raise SongatlasError(
                f"{path} and {latents_paths[0]} hold different songs; delete both and run again"
            )
    labels = song_tasks(tables.read(labels_path, tables.LABELS), evaluation.tasks)
    with threadpool_limits(1):
        found = consensus_of(
            runs,
            labels,
            clustering=clustering,
            evaluation=evaluation,
            consensus=consensus,
            before=tables.read_previous(consensus_path, tables.CONSENSUS),
        )
    metadata = {
        "model": model,
        "supervision": info.get("supervision", "none"),
        "n": len(runs[0]),
        "runs": len(runs),
        "sentence": found.sentence,
        "note": "; ".join(filter(None, (info.get("note"), found.note))),
    }
    tables.write(found.choice, choice_path, tables.CHOICE, metadata)
    tables.write(found.quality, quality_path, tables.QUALITY, metadata)
    tables.write(found.continuity, continuity_path, tables.CONTINUITY, metadata)
    # Last: a job that is killed before finds the consensus before once more.
    tables.write(found.consensus, consensus_path, tables.CONSENSUS, metadata)
