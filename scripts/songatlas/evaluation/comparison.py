"""One row per model, task, level and view: what the tables and the comparison figure show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.views import TOGETHER, named_by_view, of_view
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout, metrics
from songatlas.evaluation.best import best_of
from songatlas.evaluation.chance import exchangeable, permuted_codes
from songatlas.evaluation.contingency import Draws, Membership, draws, membership
from songatlas.evaluation.scores import songs_with_label
from songatlas.evaluation.tasks import WINDOW_ONLY, n_classes, task_labels

COLUMNS = (
    "model",
    "task",
    "level",
    "view",
    "supervision",
    "n",
    *(f"{metric}_{part}" for metric in metrics.METRICS for part in ("mean", "sd")),
    "chance_nmi",
    "best_algorithm",
    "best_nmi",
    "best_chance_nmi",
    "corpus",
    "note",
)

LEVEL_ORDER = ("song", "window", "song_vote")
"""Songs first: they are what a collection is organised by."""

LEVEL_TITLES = {
    "song": "songs (mean of windows)",
    "window": "windows",
    "song_vote": "songs (majority vote of windows)",
}


MARKS = {"none": "", "elsewhere": "†", "labels": "*"}
"""What stands behind a model's name where there is no column for its supervision."""

ELSEWHERE = (
    "supervision elsewhere: weights that were trained on other people's labels, which may have "
    "heard some of these songs."
)

CROSS_VALIDATION = "cross-validation"
"""What the note says of a row that sums up several folds."""

MARKDOWN_METRICS = ("nmi", "ari", "ami", "purity", "accuracy", "silhouette")
LATEX_METRICS = ("nmi", "ari", "silhouette")
LATEX_HEADINGS = {
    "nmi": "NMI",
    "ari": "ARI",
    "n": "$n$",
}


@dataclass(frozen=True)
class Run:
    """Scores and clusters of one model and seed."""

    scores: pd.DataFrame
    clusters: pd.DataFrame
    supervision: str = "none"
    note: str = ""

    def of_view(self, view: str) -> "Run":
        """The same of one view; everything where there are no views."""
        return replace(
            self, scores=of_view(self.scores, view), clusters=of_view(self.clusters, view)
        )


def compare(
    runs: Mapping[str, Sequence[Run]],
    labels: pd.DataFrame,
    *,
    clustering: Clustering,
    evaluation: Evaluation,
    corpus_name: str,
) -> pd.DataFrame:
    """Rows of the comparison, sorted by task, level and falling mean NMI (null last).

    What reads audio and lyrics has a row for each view (`clustering.views`), with that view's own
    songs, number of classes, best clustering and chance.

    `<metric>_mean` and `_sd` (n - 1) are over `evaluation.summary_algorithms` at k = the task's
    number of classes, and seeds; `chance_nmi` is the mean chance level of the same clusterings.
    `best_nmi` is the largest NMI over all clusterings and seeds (`best_of` breaks ties);
    `best_chance_nmi` is what that maximum comes to by chance: the largest within each label
    permutation, averaged.

    In cross-validation, where every seed scores other songs, k is the number of classes among the
    songs of a fold, `_sd` is over folds (of each fold's mean over the algorithms), and `n` counts
    the points of all folds together.

    Args:
        runs: all seeds of each model.
        labels: rows of the labels table.
        corpus_name: stands in every row.
    """
    rows = []
    for task in evaluation.tasks:
        of_song = task_labels(labels, task)
        for level in clustering.levels:
            if level != "window" and task in WINDOW_ONLY:
                continue
            for model, seeds in runs.items():
                about = {"model": model, "task": task, "level": level}
                for view in _views(seeds):
                    in_view = [run.of_view(view) for run in seeds] if view else seeds
                    row = _row(in_view, of_song, task, level, evaluation)
                    rows.append({**about, "view": view, **row})
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).assign(corpus=corpus_name)
    frame["n"] = frame["n"].astype("Int64")
    for column in ("chance_nmi", "best_nmi", "best_chance_nmi", *_statistics()):
        frame[column] = frame[column].astype(float)
    order = pd.DataFrame(
        {
            "task": frame["task"].map({task: i for i, task in enumerate(evaluation.tasks)}),
            "level": frame["level"].map({level: i for i, level in enumerate(LEVEL_ORDER)}),
            "nmi": -frame["nmi_mean"],
        }
    )
    return frame.loc[order.sort_values(["task", "level", "nmi"], kind="stable").index].reset_index(
        drop=True
    )


def _views(seeds: Sequence[Run]) -> Sequence[str | None]:
    """All views where there are any; one that no song has has a row that says so."""
    return tables.VIEWS if any(run.scores["view"].notna().any() for run in seeds) else (None,)


def _statistics() -> list[str]:
    return [f"{metric}_{part}" for metric in metrics.METRICS for part in ("mean", "sd")]


def _row(
    seeds: Sequence[Run],
    of_song: dict[str, str],
    task: str,
    level: str,
    evaluation: Evaluation,
) -> dict[str, Any]:
    parts = [
        run.scores[(run.scores["task"] == task) & (run.scores["level"] == level)].assign(
            classes=n_classes(of_song, _clustered_tracks(run, level))
        )
        for run in seeds
    ]
    scores = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    supervision = seeds[0].supervision
    if scores.empty:
        nothing = f"no {'windows' if level != 'song' else 'songs'} to cluster"
        # An empty table says itself why it is empty; what else a note says is of no use here.
        notes = [run.note for run in seeds if run.note and run.scores.empty]
        return {"supervision": supervision, "n": 0, "note": "; ".join([*notes[:1], nothing])}
    summary = scores[
        scores["algorithm"].isin(evaluation.summary_algorithms) & (scores["k"] == scores["classes"])
    ]
    row: dict[str, Any] = {"supervision": supervision}
    folds = fold_sizes(seeds, level)
    for metric in metrics.METRICS:
        of_metric = summary[summary["metric"] == metric].dropna(subset=["value"])
        values = of_metric["value"]
        if folds:
            values = of_metric.groupby("seed")["value"].mean()
        row[f"{metric}_mean"] = values.mean() if len(values) else np.nan
        row[f"{metric}_sd"] = values.std(ddof=1) if len(values) > 1 else np.nan
    chance = summary.loc[summary["metric"] == "nmi", "chance"].dropna()
    row["chance_nmi"] = chance.mean() if len(chance) else np.nan
    nmi = scores[(scores["metric"] == "nmi") & scores["value"].notna()]
    per_seed = nmi.groupby("seed")["n"].max()
    row["n"] = int((per_seed.sum() if folds else per_seed.max()) if len(nmi) else 0)
    clustered = any(_clustered_tracks(run, level) for run in seeds)
    classes = int(scores["classes"].max()) if clustered else None
    note = _note(summary, scores, classes)
    row["note"] = "; ".join(part for part in (note, _fold_note(folds, per_seed)) if part) or None
    if len(nmi):
        best = best_of(nmi)
        row["best_algorithm"] = _named(best["algorithm"], best["k"])
        row["best_nmi"] = best["value"]
        tried = set(zip(nmi["seed"], nmi["algorithm"], nmi["k"].fillna(0), strict=True))
        row["best_chance_nmi"] = _best_by_chance(seeds, tried, of_song, task, level, evaluation)
    return row


def _named(algorithm: str, k: float | None) -> str:
    return algorithm if pd.isna(k) else f"{algorithm} k={int(k)}"


def _note(summary: pd.DataFrame, scores: pd.DataFrame, classes: int | None) -> str | None:
    """Why the mean is null, or else what the scores behind it say of themselves.

    `classes` is None where nothing was clustered: the scores say why.
    """
    nmi = summary[summary["metric"] == "nmi"]
    if nmi["value"].notna().any():
        said = nmi.loc[nmi["value"].notna(), "note"]
    elif classes is None:
        said = scores["note"]
    elif classes < 2:
        return "fewer than 2 classes"
    elif len(nmi):
        said = nmi["note"]
    else:
        return f"no clustering with k = {classes}"
    parts = [part for note in said.dropna() for part in str(note).split("; ")]
    return "; ".join(dict.fromkeys(parts)) or None


def _clustered_tracks(run: Run, level: str) -> list[str]:
    found = run.clusters.loc[run.clusters["level"] == level, "track_id"]
    return sorted(found.unique())


def fold_sizes(seeds: Sequence[Run], level: str) -> list[int]:
    """Songs that each seed of a cross-validation scored; empty where all scored the same songs."""
    scored = [_clustered_tracks(run, level) for run in seeds]
    scored = [tracks for tracks in scored if tracks]
    if all(tracks == scored[0] for tracks in scored):
        return []
    return [len(tracks) for tracks in scored]


def _fold_note(folds: Sequence[int], points: pd.Series) -> str | None:
    if not folds or points.empty:
        return None
    return (
        f"{CROSS_VALIDATION}: sd over {len(folds)} folds of {_between(folds)} songs "
        f"({_between(points)} points)"
    )


def _between(values: Iterable[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _best_by_chance(
    seeds: Sequence[Run],
    tried: set[tuple[Any, ...]],
    of_song: dict[str, str],
    task: str,
    level: str,
    evaluation: Evaluation,
) -> float:
    """Largest NMI over the clusterings that were tried, averaged over label permutations."""
    if not evaluation.permutations:
        return np.nan
    best = np.full(evaluation.permutations, -np.inf)
    for run in seeds:
        songs, codes, count = songs_with_label(_clustered_tracks(run, level), of_song)
        position = pd.Series(np.arange(len(songs)), index=songs)
        shuffled = None
        seed = int(run.scores["seed"].iloc[0]) if len(run.scores) else -1
        rows = run.clusters[(run.clusters["level"] == level) & run.clusters["track_id"].isin(songs)]
        row = position.reindex(rows["track_id"]).to_numpy()
        rows = rows.assign(row=row, k=rows["k"].fillna(0))
        for (algorithm, k), points in rows.groupby(["algorithm", "k"], sort=True):
            if (seed, algorithm, k) in tried:
                # The points of every clustering are the same, in the same order.
                units, unit = exchangeable(task, points["row"].to_numpy(), codes)
                if shuffled is None:
                    n, own = evaluation.permutations, evaluation.seed
                    shuffled = draws(permuted_codes(units, n, own, task, level), count)
                counts = membership(points["label"].to_numpy(), unit, len(units))
                best = np.maximum(best, _nmi(shuffled, counts))
    return float(best.mean())


def _nmi(shuffled: Draws, counts: Membership) -> np.ndarray:
    return np.concatenate([metrics.nmi(chunk) for chunk in shuffled.tables(counts)])


def for_readers(frame: pd.DataFrame, shown_metrics: Sequence[str]) -> pd.DataFrame:
    """The columns that fit a page, mean and standard deviation joined."""
    shown = named_by_view(frame)[["task", "level", "model", "supervision", "n"]].copy()
    for metric in shown_metrics:
        shown[metric] = [
            layout.plus_minus(mean, sd)
            for mean, sd in zip(frame[f"{metric}_mean"], frame[f"{metric}_sd"], strict=True)
        ]
    for column in ("chance_nmi", "best_algorithm", "best_nmi", "best_chance_nmi"):
        shown[column] = frame[column]
    return shown


def _unscored(frame: pd.DataFrame) -> list[str]:
    """One sentence per level and reason for which models have no score."""
    rows = named_by_view(frame[frame["nmi_mean"].isna()])
    groups = rows.groupby(["level", "task", rows["note"].fillna("no score")], sort=False)
    return [
        f"Not scored at level {level}, task {task} ({note}): {', '.join(group['model'])}."
        for (level, task, note), group in groups
    ]


def format_for_terminal(frame: pd.DataFrame) -> str:
    """One block per level and task, models by falling NMI; at most 110 columns wide."""
    if frame.empty:
        return "No representation was compared.\n"
    frame = named_by_view(frame)
    blocks = [
        f"{frame['corpus'].iloc[0]}: NMI of clusters with labels",
        "nmi: mean ± sd at k = number of classes; chance: the same with labels permuted between\n"
        "songs; best: largest over everything tried, beside the same maximum by chance.\n"
        "* saw labels in training.\n"
        "† weights trained on other people's labels, which may have heard some of these songs.",
    ]
    for level in LEVEL_ORDER:
        for task in dict.fromkeys(frame["task"]):
            rows = frame[(frame["level"] == level) & (frame["task"] == task)]
            if rows.empty:
                continue
            scored = rows[rows["nmi_mean"].notna() | rows["best_nmi"].notna()]
            title = f"{task.replace('_', ' x ')}, {LEVEL_TITLES[level]}"
            lines = [title, "-" * len(title)]
            if len(scored):
                lines.append(layout.text_table(_terminal_columns(scored)))
            for note, group in rows.drop(scored.index).groupby(rows["note"].fillna("no score")):
                lines.append(_shortened(f"no score ({note}): {', '.join(group['model'])}", 110))
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _terminal_columns(rows: pd.DataFrame) -> pd.DataFrame:
    marked = [
        f"{_shortened(model, 28)}{MARKS[supervision]}"
        for model, supervision in zip(rows["model"], rows["supervision"], strict=True)
    ]
    return pd.DataFrame(
        {
            "model": marked,
            "n": rows["n"].to_numpy(),
            "nmi": [
                layout.plus_minus(mean, sd)
                for mean, sd in zip(rows["nmi_mean"], rows["nmi_sd"], strict=True)
            ],
            "chance": rows["chance_nmi"].to_numpy(),
            "ari": rows["ari_mean"].to_numpy(),
            "best": rows["best_nmi"].to_numpy(),
            "by chance": rows["best_chance_nmi"].to_numpy(),
            "best algorithm": rows["best_algorithm"].to_numpy(),
        }
    )


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def read_runs(
    models: Sequence[str], scores: Sequence[str | Path], clusters: Sequence[str | Path]
) -> dict[str, list[Run]]:
    """Pair scores with clusters (same order), grouped by model in the order of `models`.

    Raises:
        SongatlasError: when the files do not pair up or belong to no model that is compared.
        TableError: when a table is missing or breaks its schema.
    """
    runs: dict[str, list[Run]] = {model: [] for model in models}
    for score_path, cluster_path in zip(scores, clusters, strict=True):
        info = tables.read_metadata(score_path)
        other = tables.read_metadata(cluster_path)
        if (info.get("model"), info.get("seed")) != (other.get("model"), other.get("seed")):
            raise SongatlasError(
                f"{score_path} and {cluster_path} belong to different models or seeds; "
                "run the clustering stage again"
            )
        if info["model"] not in runs:
            raise SongatlasError(
                f"{score_path}: the model `{info['model']}` is not one of those compared "
                f"({', '.join(models)})"
            )
        columns = ["level", "view", "track_id", "algorithm", "k", "label"]
        runs[info["model"]].append(
            Run(
                tables.read(score_path, tables.SCORES),
                tables.read(cluster_path, tables.CLUSTERS, columns=columns),
                info["supervision"],
                info.get("note", ""),
            )
        )
    absent = [model for model, found in runs.items() if not found]
    if absent:
        raise SongatlasError(f"no scores of {', '.join(absent)}; run the clustering stage")
    return runs


def together(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[Run]]:
    """The runs with one view of each model: what reads audio and lyrics is taken together."""
    return {model: [run.of_view(TOGETHER) for run in seeds] for model, seeds in runs.items()}


def write_comparison(
    scores: Sequence[str | Path],
    clusters: Sequence[str | Path],
    labels_path: str | Path,
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    txt: str | Path,
    models: Sequence[str],
    clustering: Clustering,
    evaluation: Evaluation,
    corpus_name: str,
    card: str | None = None,
) -> str:
    """Compare all runs and write the table in four forms; returns the text for the terminal.

    Raises:
        SongatlasError: when inputs do not belong together.
    """
    runs = read_runs(models, scores, clusters)
    frame = compare(
        runs,
        tables.read(labels_path, tables.LABELS),
        clustering=clustering,
        evaluation=evaluation,
        corpus_name=corpus_name,
    )
    heading = f"Comparison of representations: {corpus_name}"
    notes = [
        "Mean ± standard deviation over "
        f"{', '.join(evaluation.summary_algorithms)} at k = number of classes, and seeds. "
        f"chance_nmi: the same with labels permuted between songs ({evaluation.permutations} "
        "permutations; between windows in the task song). best_nmi: largest over everything tried; "
        "best_chance_nmi: the same maximum by chance.",
        f"Evaluated on: {evaluation.evaluate_on}"
        + (
            f", with clusters fitted on: {evaluation.fitted_on}."
            if evaluation.fitted_on != evaluation.evaluate_on
            else "."
        ),
    ]
    if (frame["supervision"] == "elsewhere").any():
        notes.append(ELSEWHERE)
    n_folds = max(
        (len(fold_sizes(seeds, level)) for seeds in runs.values() for level in clustering.levels),
        default=0,
    )
    if n_folds:
        notes.append(
            f"Cross-validation by song over {n_folds} folds, the same for every representation: "
            "each is trained or fitted on the other folds' songs, and the held-out songs alone are "
            "clustered, with k = number of classes among them. sd: over folds, of each fold's mean "
            "over algorithms; n: all folds together."
        )
    songs = frame[frame["level"] == "song"]
    text = format_for_terminal(frame if songs.empty else songs)
    if len(songs) < len(frame) and len(songs):
        text += f"\nwindows and majority votes of windows: {Path(md).name}\n"
    sheet = layout.Sheet(
        "comparison",
        frame,
        heading,
        [*notes, *_unscored(frame)],
        shown=for_readers(frame, MARKDOWN_METRICS),
        narrow=for_readers(frame, LATEX_METRICS),
        caption=notes,
        headings=LATEX_HEADINGS,
    )
    layout.write_sheet(sheet, (csv, md, tex), card)
    layout.write_text(text, txt)
    return text
