"""What figures of the study share: how kinds of models and published numbers are drawn."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from songatlas.report.figures import style
from songatlas.report.figures.comparison import LOOK_WORDS, LOOKS, TASK_NAMES
from songatlas.report.figures.style import plain

METRIC_NAMES = {
    "silhouette": "Silhouette",
    "ari": "ARI",
    "nmi": "NMI",
    "ami": "AMI",
    "v_measure": "V-measure",
    "calinski_harabasz": "Calinski–Harabasz",
    "davies_bouldin": "Davies–Bouldin (low is good)",
}

ALGORITHM_NAMES = {"kmeans": "k-means", "agglomerative": "Ward", "gmm": "GMM"}

PUBLISHED: dict[str, Any] = {
    "marker": "X",
    "mfc": "white",
    "mec": style.INK,
    "mew": 0.8,
    "ms": 5.6,
}
"""A published number: a hollow cross in black, whatever is drawn in colour."""

KINDS: dict[str, dict[str, Any]] = {
    "trained": LOOKS["none"] | {"ms": 4.8},
    "baseline": {"marker": "^", "color": style.GREEN, "ms": 5.2},
    "elsewhere": LOOKS["elsewhere"],
    "labels": LOOKS["labels"],
    "control": {"marker": "v", "color": style.GREY, "ms": 5.0},
}
KIND_WORDS = {
    "trained": "trained without labels",
    "baseline": "baseline, nothing trained",
    "elsewhere": LOOK_WORDS["elsewhere"],
    "labels": LOOK_WORDS["labels"],
    "control": "control",
}


def kind_of(row: pd.Series) -> str:
    """Which of `KINDS` a row with `kind, supervision, control` is."""
    if isinstance(row["control"], str):
        return "control"
    return str(row["kind"] if row["supervision"] == "none" else row["supervision"])


def kind_handles(kinds: Iterable[str]) -> list[Line2D]:
    """Legend entries of the kinds that are drawn."""
    seen = set(kinds)
    return [mark(KIND_WORDS[kind], **look) for kind, look in KINDS.items() if kind in seen]


def mark(label: str, **look: Any) -> Line2D:
    """A legend entry without a line."""
    return Line2D([], [], ls="none", label=label, **look)


def published_handle(corpus: str) -> Line2D:
    """The legend entry of published numbers, which says whose corpus they are of."""
    return mark(f"published ({corpus})", **PUBLISHED)


def chance_handle() -> Line2D:
    """The legend entry of `chance_tick`."""
    return mark("chance (labels permuted)", marker="|", color=style.INK, ms=8, mew=1.1)


def chance_tick(ax: Axes, x: float, y: float, half: float = 0.36) -> None:
    """The chance level of a row."""
    ax.vlines(x, y - half, y + half, color=style.INK, lw=1.1, zorder=2)


def task_name(task: object) -> str:
    """What a task is called in a title."""
    return TASK_NAMES.get(str(task), plain(task, 30))


def rows_axis(ax: Axes, names: list[str]) -> None:
    """A row per name, the first at the top, no axis line."""
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), [plain(name, 26) for name in names])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color="#E6E6E6", lw=0.5)
    ax.set_axisbelow(True)


def empty(title: str, words: str) -> Any:
    """A figure that says why there is nothing to draw."""
    with style.context():
        figure = style.canvas(5.0, 1.2, title)
        style.nothing(figure.subplots(), words)
    return figure


NOTHING = "no model has a score at this level: see the notes of tables/paper_clustering_companion"
