"""How well each representation groups the songs: NMI with interval, chance and best of many."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from songatlas import tables
from songatlas.clustering.views import named_by_view
from songatlas.errors import SongatlasError
from songatlas.evaluation.comparison import CROSS_VALIDATION
from songatlas.evaluation.tasks import n_classes, task_labels
from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.training.control_notes import UNTRAINED, are_controls

LEVELS = ("song", "window", "song_vote")
"""Which level is drawn: the first of these that a task was scored at."""

TASK_NAMES = {
    "language": "Language",
    "genre": "Genre",
    "language_genre": "Language × genre",
    "artist": "Artist",
    "song": "Song identity",
}


LOOKS: dict[str, dict[str, Any]] = {
    "none": {"marker": "o", "color": style.BLUE, "ms": 4.6},
    "elsewhere": {"marker": "P", "color": style.PURPLE, "ms": 5.4},
    "labels": {"marker": "s", "color": style.VERMILLION, "ms": 4.6},
}
"""Marks by supervision: they differ in shape, so that grey tells them apart too."""

LOOK_WORDS = {
    "none": "without labels",
    "elsewhere": "weights trained on other people's labels",
    "labels": "saw labels in training",
}

SAW = {"none": "", "elsewhere": " (others' labels)", "labels": " (saw labels)"}
"""What stands behind a model's name in a title."""


def read_comparison(path: str | Path) -> pd.DataFrame:
    """`tables/comparison.csv`: empty cells are missing values, the word `none` is a word."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def clustered_songs(clusters: Iterable[str | Path]) -> pd.DataFrame:
    """Which songs were clustered: `model, level, track_id` of clusters files, once each.

    Models are named with their view where they have any.
    """
    columns = ["level", "view", "track_id"]
    parts = []
    for path in clusters:
        rows = tables.read(path, tables.CLUSTERS, columns=columns).drop_duplicates()
        parts.append(named_by_view(rows.assign(model=tables.read_metadata(path)["model"])))
    return pd.concat(parts, ignore_index=True)


def class_counts(points: pd.DataFrame, labels: pd.DataFrame, tasks: Iterable[str]) -> pd.DataFrame:
    """Number of classes among the songs that each model was scored on.

    Args:
        points: columns `model, level, track_id`: what was clustered (repetitions do no harm).
        labels: rows of `tables.LABELS`.
        tasks: names of tasks.

    Returns:
        Columns `model, task, level, classes`.
    """
    rows = []
    for task in tasks:
        of_song = task_labels(labels, task)
        for (model, level), group in points.groupby(["model", "level"]):
            rows.append((model, task, level, n_classes(of_song, group["track_id"])))
    return pd.DataFrame(rows, columns=["model", "task", "level", "classes"])


def intervals(
    scores: pd.DataFrame, classes: pd.DataFrame, algorithms: Sequence[str]
) -> pd.DataFrame:
    """95% bounds of the mean NMI, per model, task and level.

    Of each summary algorithm at k = the number of classes the bootstrap bounds are averaged. For a
    model with several seeds no row is returned: the spread over seeds (`nmi_sd`) is drawn instead,
    since bounds of one training say nothing of another.

    Args:
        scores: rows of `tables.SCORES`.
        classes: what `class_counts` returns.
        algorithms: the summary algorithms.

    Returns:
        Columns `model, task, level, low, high`.
    """
    once = scores.groupby("model")["seed"].transform("nunique") == 1
    chosen = scores[once & (scores["metric"] == "nmi") & scores["algorithm"].isin(list(algorithms))]
    chosen = chosen.merge(classes, on=["model", "task", "level"])
    chosen = chosen[chosen["k"] == chosen["classes"]].dropna(subset=["ci_low", "ci_high"])
    grouped = chosen.groupby(["model", "task", "level"], as_index=False)
    return grouped.agg(low=("ci_low", "mean"), high=("ci_high", "mean"))


def _spread_words(comparison: pd.DataFrame) -> str:
    folds = "note" in comparison and comparison["note"].astype(str).str.contains(CROSS_VALIDATION)
    over = "folds" if np.any(folds) else "seeds and algorithms"
    return f"one standard deviation over {over}"


def comparison_figure(
    comparison: pd.DataFrame,
    bounds: pd.DataFrame,
    *,
    corpus_name: str,
    tasks: Sequence[str] | None = None,
) -> Figure:
    """One panel per task, models sorted by mean NMI in each.

    Args:
        comparison: rows of `tables/comparison.csv`.
        bounds: what `intervals` returns; where a row is missing, the line is `nmi_mean ± nmi_sd`.
        corpus_name: stands in the title.
        tasks: panels from left to right (default: order of appearance).

    Raises:
        SongatlasError: when the comparison has no rows.
    """
    if comparison.empty:
        raise SongatlasError(
            "tables/comparison.csv has no rows: no representation was scored. "
            "Check `include`, `evaluation.tasks` and corpus/rejects.parquet"
        )
    names = list(tasks or dict.fromkeys(comparison["task"]))
    panels = [_panel_rows(comparison, bounds, task) for task in names]
    rows = max(len(panel) for panel in panels)
    scored = pd.concat(panels).dropna(subset=["nmi_mean"])
    bootstrapped = scored["bootstrapped"]
    spread = " or, with several seeds, ".join(
        words
        for words, there in (
            ("95% bootstrap interval over songs", bootstrapped.any()),
            (_spread_words(comparison), not bootstrapped.all()),
        )
        if there
    )
    handles = _handles(panels)
    letters = max(
        (len(_name(row, panel)) for panel in panels for _, row in panel.iterrows()), default=0
    )
    width_in = max((1.95 + letters * style.SMALL_SIZE * 0.55 / 72) * len(names), 5.0)
    columns, footer_in = style.legend_size(
        [str(handle.get_label()) for handle in handles], width_in
    )
    with style.context():
        figure = style.canvas(
            width_in,
            0.85 + 0.19 * rows,
            f"Agreement of clusters with labels — {plain(corpus_name)}",
            f"Dot: NMI averaged over the summary algorithms at k = number of classes; "
            f"line: {spread}. Sorted within each panel.",
            footer_in=footer_in,
        )
        axes = figure.subplots(1, len(names), squeeze=False, sharex=True)[0]
        for ax, task, panel in zip(axes, names, panels, strict=True):
            if _counts(panel):
                _draw(ax, panel)
            else:
                style.nothing(ax, "not scored: too few songs with labels")
            _title(ax, task, panel)
        style.legend(figure, handles, columns)
    return figure


def _panel_rows(comparison: pd.DataFrame, bounds: pd.DataFrame, task: str) -> pd.DataFrame:
    """Rows of one task at the level that is drawn, worst first (the first is drawn lowest)."""
    of_task = comparison[comparison["task"] == task]
    level = next((level for level in LEVELS if (of_task["level"] == level).any()), None)
    rows = of_task[of_task["level"] == level]
    rows = rows.merge(bounds, on=["model", "task", "level"], how="left")
    bootstrapped = rows["low"].notna() & rows["high"].notna()
    spread = rows["nmi_sd"].fillna(0.0)
    return rows.assign(
        bootstrapped=bootstrapped,
        control=are_controls(rows),
        low=rows["low"].astype(float).fillna(rows["nmi_mean"] - spread),
        high=rows["high"].astype(float).fillna(rows["nmi_mean"] + spread),
    ).sort_values(["nmi_mean", "model"], na_position="first", ignore_index=True)


def _draw(ax: Axes, panel: pd.DataFrame) -> None:
    for y, (_, row) in enumerate(panel.iterrows()):
        look = LOOKS[row["supervision"]]
        if pd.isna(row["nmi_mean"]):
            ax.text(0.02, y, "not scored", color=style.GREY, size=style.SMALL_SIZE, va="center")
            continue
        ax.vlines(row["chance_nmi"], y - 0.36, y + 0.36, color=style.INK, lw=1.1, zorder=2)
        ax.vlines(
            row["best_chance_nmi"], y - 0.36, y + 0.36, color=style.GREY, lw=0.9, ls=":", zorder=2
        )
        ax.hlines(y, row["low"], row["high"], color=look["color"], lw=1.6, zorder=3)
        ax.plot(row["nmi_mean"], y, ls="none", zorder=5, **look)
        ax.plot(row["best_nmi"], y, "D", mfc="white", mec=look["color"], mew=0.9, ms=4.2, zorder=4)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.7, max(len(panel), 1) - 0.3)
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.set_yticks(range(len(panel)), [_name(row, panel) for _, row in panel.iterrows()])
    for label, supervision in zip(ax.get_yticklabels(), panel["supervision"], strict=True):
        label.set_color(style.VERMILLION if supervision == "labels" else style.INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color="#E6E6E6", lw=0.5)
    ax.set_axisbelow(True)
    ax.set_xlabel("NMI (0: independent, 1: identical)")


def _name(row: pd.Series, panel: pd.DataFrame) -> str:
    """The model, what it is a control by, whose labels it saw, and n where models differ in it."""
    words = [plain(row["model"], 40)]
    if row["control"]:
        words.append("(untrained)" if UNTRAINED in row["note"] else "(control)")
    if row["supervision"] != "none":
        words.append({"elsewhere": "(others' labels)", "labels": "(labels)"}[row["supervision"]])
    if pd.notna(row["nmi_mean"]) and len(_counts(panel)) > 1:
        words.append(f"n={int(row['n'])}")
    return " ".join(words)


def _counts(panel: pd.DataFrame) -> list[int]:
    """Numbers of points that the panel's models were scored on."""
    return sorted({int(n) for n in panel.loc[panel["nmi_mean"].notna(), "n"]})


def _title(ax: Axes, task: str, panel: pd.DataFrame) -> None:
    name = TASK_NAMES.get(task, plain(task))
    counts = _counts(panel)
    if not counts:
        style.panel_title(ax, name)
        return
    level = panel["level"].iloc[0]
    things = "windows" if level == "window" else "songs"
    count = f"{things}, n beside the name" if len(counts) > 1 else f"{counts[0]} {things}"
    voted = ", each by majority of its windows" if level == "song_vote" else ""
    style.panel_title(ax, name, [count + voted])


def _handles(panels: Sequence[pd.DataFrame]) -> list[Line2D]:
    seen = {value for panel in panels for value in panel["supervision"]}

    def mark(marker: str, label: str, **options: object) -> Line2D:
        return Line2D([], [], marker=marker, label=label, **{"ls": "none", "ms": 5, **options})  # type: ignore[arg-type]

    drawn = {name: look for name, look in LOOKS.items() if name == "none" or name in seen}
    return [
        *(mark(label=LOOK_WORDS[name], **look) for name, look in drawn.items()),
        mark("|", "chance (labels permuted)", color=style.INK, ms=8, mew=1.1),
        mark("D", "best of everything tried", mfc="white", mec=style.BLUE, mew=0.9),
        Line2D([], [], color=style.GREY, ls=":", lw=1.1, label="best of everything, by chance"),
    ]
