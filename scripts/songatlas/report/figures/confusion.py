"""Which clusters hold which classes, for the best clustering of one representation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from songatlas.errors import SongatlasError
from songatlas.evaluation.best import best_of
from songatlas.evaluation.tasks import task_labels
from songatlas.report.figures import style
from songatlas.report.figures.comparison import LEVELS, SAW, TASK_NAMES
from songatlas.report.figures.style import plain

NOISE = "noise"
REST = "rest"
MAX_CLUSTERS = 16
MAX_ROWS = 24
FEW = 6
"""Up to this many columns, the share of the row is printed below the count."""

ALGORITHM_NAMES = {
    "kmeans": "k-means",
    "agglomerative": "agglomerative (Ward)",
    "gmm": "Gaussian mixture",
    "dbscan": "DBSCAN",
    "hdbscan": "HDBSCAN",
    "spectral": "spectral",
    "own": "the model's own",
}


@dataclass(frozen=True)
class Best:
    """The clustering with the highest NMI for a task, and what it was the best of.

    `nmi` is the best of the `tried` clusterings of the seed that is drawn (a model's first), and
    `chance_nmi` what such a maximum comes to by chance (None: not estimated).
    """

    level: str
    algorithm: str
    k: int | None
    nmi: float
    tried: int
    chance_nmi: float | None
    supervision: str


def best_clustering(scores: pd.DataFrame, comparison: pd.DataFrame, task: str) -> Best | None:
    """The clustering with the highest NMI for `task` at song level (`best_of` breaks ties).

    Window level where there is no song level. None when nothing was scored.

    Args:
        scores: rows of `tables.SCORES`, of one model and one seed.
        comparison: rows of `evaluation.comparison.compare` on that seed alone: the chance of a
            maximum over as many tries.

    Raises:
        SongatlasError: when the comparison lacks the model's row.
    """
    scored = scores[
        (scores["task"] == task) & (scores["metric"] == "nmi") & scores["value"].notna()
    ]
    level = next((level for level in LEVELS if (scored["level"] == level).any()), None)
    if level is None:
        return None
    scored = scored[scored["level"] == level]
    row = best_of(scored)
    compared = comparison[
        (comparison["model"] == row["model"])
        & (comparison["task"] == task)
        & (comparison["level"] == level)
    ]
    if compared.empty or pd.isna(compared["best_nmi"].iloc[0]):
        raise SongatlasError(
            f"tables/comparison.csv has no best NMI of `{row['model']}` for {task} at level "
            f"{level}, but its scores have; run again from the comparison"
        )
    chance = compared["best_chance_nmi"].iloc[0]
    return Best(
        level,
        str(row["algorithm"]),
        None if pd.isna(row["k"]) else int(row["k"]),
        float(row["value"]),
        len(scored),
        None if pd.isna(chance) else float(chance),
        str(row["supervision"]),
    )


def best_confusions(
    clusters: pd.DataFrame,
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    comparison: pd.DataFrame,
    *,
    tasks: Sequence[str],
) -> dict[str, tuple[Best, pd.DataFrame] | None]:
    """Per task the best clustering and its confusion; None where nothing was scored.

    Args:
        clusters, scores, labels: rows of `tables.CLUSTERS`, `SCORES` and `LABELS`; the first two
            of one model and one seed.
        comparison: rows of `tables/comparison.csv`.

    Raises:
        SongatlasError: when the comparison lacks the model's rows.
    """
    found: dict[str, tuple[Best, pd.DataFrame] | None] = {}
    for task in tasks:
        best = best_clustering(scores, comparison, task)
        found[task] = None
        if best is not None:
            found[task] = (best, confusion(clusters, task_labels(labels, task), best))
    return found


def confusion(clusters: pd.DataFrame, labels: Mapping[str, str], best: Best) -> pd.DataFrame:
    """Counts of class (rows, by name) × cluster (columns), matched columns first.

    Args:
        clusters: rows of `tables.CLUSTERS`.
        labels: class by `track_id`; songs without a class are left out, as in the score.
        best: which clustering.

    Returns:
        Integer counts. Columns are cluster numbers as text: first those that the Hungarian method
        (Kuhn 1955) matches to the rows, in row order, then the others by size, at most
        `MAX_CLUSTERS` (the smallest are summed as `rest`), then `noise` for points in no cluster.
    """
    same_k = clusters["k"].isna() if best.k is None else clusters["k"] == best.k
    chosen = clusters[
        (clusters["level"] == best.level) & (clusters["algorithm"] == best.algorithm) & same_k
    ]
    named = chosen.assign(of=chosen["track_id"].map(dict(labels))).dropna(subset=["of"])
    table = pd.crosstab(named["of"], named["label"]).sort_index()
    noise = table[-1] if -1 in table.columns else None
    table = table.drop(columns=-1, errors="ignore")
    table = table.iloc[:, _matched_order(table.to_numpy())]
    rest = table.iloc[:, MAX_CLUSTERS:]
    table = table.iloc[:, :MAX_CLUSTERS].rename(columns=str)
    if not rest.empty:
        table[REST] = rest.sum(axis=1)
    if noise is not None:
        table[NOISE] = noise
    return table


def _matched_order(counts: np.ndarray) -> list[int]:
    """Columns in the order in which they are drawn."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-counts)
    matched = [int(column) for _, column in sorted(zip(rows, columns, strict=True))]
    sizes = counts.sum(axis=0)
    others = sorted(set(range(counts.shape[1])) - set(matched), key=lambda i: (-sizes[i], i))
    return [*matched, *others]


def confusion_figure(
    model: str,
    tables_by_task: Mapping[str, tuple[Best, pd.DataFrame] | None],
    *,
    corpus_name: str,
) -> Figure:
    """Confusion matrices side by side: counts in the cells, share of the row as shade.

    Args:
        model: its name.
        tables_by_task: per task the clustering and its `confusion`, or None when not scored.
        corpus_name: stands in the title.
    """
    shapes = [_shape(entry) for entry in tables_by_task.values()]
    rows = max(height for height, _ in shapes)
    widths = [max(width * _cell_in(width), 1.7) + 0.95 for _, width in shapes]
    saw = next((SAW[entry[0].supervision] for entry in tables_by_task.values() if entry), "")
    with style.context():
        figure = style.canvas(
            max(sum(widths) + 0.75, 5.6),
            1.15 + 0.32 * rows,
            f"{plain(model)}{saw}: clusters against labels — {plain(corpus_name)}",
            "The best of all clusterings by NMI; a best of many tries is high by luck too. Framed: "
            "the cluster that each class is matched with (Hungarian method).",
        )
        grid = figure.subplots(1, len(shapes), squeeze=False, width_ratios=widths)[0]
        for ax, (task, entry) in zip(grid, tables_by_task.items(), strict=True):
            _draw(ax, task, entry)
        shaded = [ax for ax in grid if ax.collections]
        if shaded:
            bar = figure.colorbar(
                shaded[-1].collections[0], ax=list(grid), fraction=0.03, pad=0.01, aspect=18
            )
            bar.set_label("Share of the class (%)")
            bar.set_ticks([0, 0.5, 1], labels=["0", "50", "100"])
            bar.outline.set_visible(False)
    return figure


def _shape(entry: tuple[Best, pd.DataFrame] | None) -> tuple[int, int]:
    if entry is None or entry[1].empty:
        return 2, 4
    return min(len(entry[1]), MAX_ROWS), entry[1].shape[1]


def _cell_in(columns: int) -> float:
    """Width of a cell: room for the share below the count where there are few."""
    return 0.44 if columns <= FEW else 0.27


def _draw(ax: Axes, task: str, entry: tuple[Best, pd.DataFrame] | None) -> None:
    name = TASK_NAMES.get(task, plain(task))
    if entry is None or entry[1].empty:
        style.panel_title(ax, name)
        style.nothing(ax, "not scored: too few songs with labels, or the input is missing")
        return
    best, table = entry
    hidden = len(table) - MAX_ROWS
    if hidden > 0:
        largest = table.sum(axis=1).nlargest(MAX_ROWS).index
        table = table[table.index.isin(largest)]
    counts = table.to_numpy()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    sns.heatmap(
        share,
        annot=_cell_texts(counts, share),
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=1,
        cbar=False,
        linewidths=0.8,
        linecolor="white",
        annot_kws={"size": style.SMALL_SIZE},
        ax=ax,
    )
    for i in range(min(table.shape)):
        if table.columns[i] not in (NOISE, REST):
            ax.add_patch(_frame(i))
    totals = counts.sum(axis=1)
    ax.set_yticks(
        np.arange(len(table)) + 0.5,
        [f"{plain(c, 18)} ({n})" for c, n in zip(table.index, totals, strict=True)],
        rotation=0,
    )
    ax.set_xticks(np.arange(table.shape[1]) + 0.5, list(table.columns), rotation=0)
    for label in ax.get_xticklabels():
        if label.get_text() in (NOISE, REST):
            label.set_rotation(90)
    ax.tick_params(length=0)
    things = "windows" if best.level == "window" else "songs"
    ax.set_xlabel("Cluster number")
    more = f", the {MAX_ROWS} largest of {len(table) + hidden}" if hidden > 0 else ""
    ax.set_ylabel(f"{name} (number of {things}{more})")
    style.panel_title(ax, name, _facts(best))


def _cell_texts(counts: np.ndarray, share: np.ndarray) -> np.ndarray:
    few = counts.shape[1] <= FEW
    return np.array(
        [
            [
                "·" if n == 0 else f"{n}\n{part:.0%}" if few else f"{n}"
                for n, part in zip(*row, strict=True)
            ]
            for row in zip(counts, share, strict=True)
        ]
    )


def _frame(i: int) -> Rectangle:
    return Rectangle((i, i), 1, 1, fill=False, ec=style.INK, lw=0.9)


def _facts(best: Best) -> Sequence[str]:
    """Algorithm and k; NMI and of how many it is the best; the same maximum by chance."""
    k = "" if best.k is None else f", k = {best.k}"
    chance = "not estimated" if best.chance_nmi is None else f"{best.chance_nmi:.2f}"
    return [
        f"{ALGORITHM_NAMES.get(best.algorithm, plain(best.algorithm))}{k}",
        f"NMI {best.nmi:.2f}, best of {best.tried} tried",
        f"best of as many by chance: {chance}",
    ]
