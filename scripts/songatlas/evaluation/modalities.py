"""How much each modality moved the clusters: latents of both against latents of one alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import config, tables
from songatlas.clustering.levels import Attempt, attempts, points_of
from songatlas.evaluation import layout
from songatlas.evaluation.chance import permuted_codes
from songatlas.evaluation.scores import gated_blocks, songs_with_label
from songatlas.evaluation.tasks import WINDOW_ONLY, task_labels

ALGORITHMS: list[config.Algorithm] = ["kmeans", "agglomerative", "gmm"]
"""Those whose mean stands for a representation."""

MODALITIES = ("full", "mel", "lyrics")
COLUMNS = ("nmi_full", "nmi_mel", "nmi_lyrics", "chance", "ami_full_mel", "ami_full_lyrics")
GATE_COLUMNS = ("model", "seed", "modality", "level", "k", "block", "stability", "weight")


def modalities(
    latents: Mapping[str, tuple[pd.DataFrame, dict[str, Any]]],
    labels: pd.DataFrame,
    clustering: config.Clustering,
    evaluation: config.Evaluation,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of one model and seed: per task `n, k` and `COLUMNS`, and the gates that were used.

    `latents` holds rows of the latents table and their metadata: `full`, and of `mel` and of
    `lyrics` alone. Songs are clustered with every one of `ALGORITHMS` at k = number of classes;
    values are means over them. `nmi_*` compare with labels, `ami_*` the clusters of `full` with
    those of one modality. `chance` is the NMI of `full` with labels permuted between songs. Values
    are NaN where a clustering has no labels.
    """
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    settings = clustering.model_copy(update={"algorithms": ALGORITHMS, "k": []})
    rows, used = [], []
    seen = set()
    points = {
        name: points_of(frame, "song", evaluation.evaluate_on)
        for name, (frame, _) in latents.items()
    }
    for task in evaluation.tasks:
        of_song = task_labels(labels, task)
        songs, codes, k = songs_with_label(points["full"].track_ids, of_song)
        if task in WINDOW_ONLY or k < 2:
            continue
        at = [points["full"].track_ids.index(song) for song in songs]
        found: dict[str, list[Attempt]] = {}
        for name, (_, info) in latents.items():
            found[name] = attempts(points[name], settings, [k], evaluation.seed, gated_blocks(info))
            found[name] = [attempt for attempt in found[name] if attempt.k == k][: len(ALGORITHMS)]
            for gate in found[name][0].gates if (name, k) not in seen else ():
                used.append(
                    {
                        "modality": name,
                        "level": "song",
                        "k": k,
                        "block": gate.block,
                        "stability": gate.stability,
                        "weight": gate.weight,
                    }
                )
            seen.add((name, k))
        clusters = {
            name: [attempt.clustering.labels for attempt in several]
            for name, several in found.items()
        }
        whole = [part for part in clusters["full"] if part is not None]
        row: dict[str, Any] = {"task": task, "n": len(songs), "k": k}
        for name in MODALITIES:
            row[f"nmi_{name}"] = _mean(
                normalized_mutual_info_score(codes, part[at])
                for part in clusters[name]
                if part is not None
            )
        shuffled = permuted_codes(codes, evaluation.permutations, evaluation.seed, task, "song")
        row["chance"] = _mean(
            normalized_mutual_info_score(dealt, part[at]) for part in whole for dealt in shuffled
        )
        for name in MODALITIES[1:]:
            row[f"ami_full_{name}"] = _mean(
                adjusted_mutual_info_score(one, other)
                for one, other in zip(clusters["full"], clusters[name], strict=True)
                if one is not None and other is not None
            )
        rows.append(row)
    return rows, used


def _mean(values: Any) -> float:
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
    paths: Mapping[str, Sequence[str | Path]],
    labels_path: str | Path,
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    gates: str | Path,
    clustering: config.Clustering,
    evaluation: config.Evaluation,
) -> None:
    """Write the table over all models and seeds; `paths` are in the same order per modality.

    Raises:
        TableError: when a table is missing or breaks its schema.
    """
    from threadpoolctl import threadpool_limits

    labels = tables.read(labels_path, tables.LABELS)
    rows, used = [], []
    for number, path in enumerate(paths["full"]):
        latents = {
            name: (
                tables.read(several[number], tables.LATENTS),
                tables.read_metadata(several[number]),
            )
            for name, several in paths.items()
        }
        seed = int(Path(path).stem.removeprefix("seed-"))
        about = {"model": latents["full"][1]["model"], "seed": seed}
        with threadpool_limits(1):
            found, weights = modalities(latents, labels, clustering, evaluation)
        rows += [{**about, **row} for row in found]
        used += [{**about, **row} for row in weights]
    frame = over_seeds(pd.DataFrame(rows))
    layout.write_csv(frame, csv)
    layout.write_csv(pd.DataFrame(used, columns=list(GATE_COLUMNS)), gates)
    shown = frame[["model", "task", "n", "k"]].copy()
    for column in COLUMNS:
        values = zip(frame[f"{column}_mean"], frame[f"{column}_sd"], strict=True)
        shown[column] = [layout.plus_minus(mean, sd) for mean, sd in values]
    heading = "What each modality does to the clusters of songs"
    n_seeds = pd.DataFrame(rows)["seed"].nunique() if rows else 0
    over = f"{n_seeds} seeds (± standard deviation)" if n_seeds > 1 else "one seed"
    notes = [
        f"Mean of k-means, Ward and GMM at k = number of classes, over {over}. nmi_full: both "
        "modalities; nmi_mel, nmi_lyrics: one alone; chance: nmi_full with labels permuted. "
        "ami_full_*: agreement of the clusters of both modalities with those of one alone; the "
        "lower, the more the other one moved."
    ]
    layout.write_text(layout.markdown(shown, heading, notes=notes), md)
    caption = f"{heading}. {notes[0]}"
    layout.write_text(layout.latex(shown, caption, "tab:modalities"), tex)
