"""Reconstruction loss against NMI: a point per model, ours above the study's."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.figures import marks

ROWS = {"ours": "this run", "published": "published"}
LOSS = {
    "ours": "Squared error (standardised units²)",
    "published": "Validation loss (log scale)",
}


def reconstruction_figure(
    points: pd.DataFrame,
    correlations: pd.DataFrame,
    *,
    corpus: str,
    corpus_name: str,
    words: str,
) -> Figure:
    """A panel per task; below them the study's own numbers.

    Args:
        points: rows of `tables/paper_reconstruction_points.csv`.
        correlations: rows of `tables/paper_reconstruction.csv`.
        corpus, corpus_name, words: as for `ranking_figure`.
    """
    title = f"Does a better reconstruction cluster better? — {plain(corpus_name)}"
    if points.empty:
        return marks.empty(title, "no model reconstructs and has a score")
    sources = [name for name in ROWS if (points["source"] == name).any()]
    tasks = list(dict.fromkeys(points["task"]))
    handles = marks.kind_handles(["trained", *points["supervision"]])
    if "published" in sources:
        handles.append(marks.published_handle(corpus))
    width_in = max(2.85 * len(tasks), 5.4)
    columns, footer_in = style.legend_size([str(h.get_label()) for h in handles], width_in)
    with style.context():
        figure = style.canvas(
            width_in,
            2.75 * len(sources),
            title,
            "A point per model. Brackets: 95% bootstrap interval over models; one that holds 0 "
            f"shows no correlation. {words}",
            footer_in=footer_in,
        )
        grid = figure.subplots(len(sources), len(tasks), squeeze=False)
        for row, source in zip(grid, sources, strict=True):
            for ax, task in zip(row, tasks, strict=True):
                mine = points[(points["source"] == source) & (points["task"] == task)]
                facts = _facts(correlations, source, task)
                name = f"{marks.task_name(task)}, {ROWS[source]}"
                if mine.empty:
                    style.nothing(ax, "not published" if source == "published" else "no score")
                    style.panel_title(ax, name)
                    continue
                _draw(ax, mine, source)
                style.panel_title(ax, name, facts)
        style.legend(figure, handles, columns)
        figure.draw_without_rendering()  # names are placed where the points really are
        for ax, (source, task) in zip(
            grid.ravel(), [(s, t) for s in sources for t in tasks], strict=True
        ):
            mine = points[(points["source"] == source) & (points["task"] == task)]
            if len(mine):
                label_points(ax, mine["loss"], mine["nmi"], mine["model"])
    return figure


def _facts(correlations: pd.DataFrame, source: str, task: str) -> list[str]:
    found = correlations[(correlations["source"] == source) & (correlations["task"] == task)]
    if found.empty:
        return []
    row = found.iloc[0]
    if pd.isna(row["spearman"]):
        # A long line would take the axes' room.
        return textwrap.wrap(plain(row["note"], 80), 36)
    return [
        f"{name} {_signed(row[key])} [{_signed(row[f'{key}_low'])}, {_signed(row[f'{key}_high'])}]"
        for name, key in (("Spearman", "spearman"), ("Pearson", "pearson"))
    ]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _draw(ax: Axes, mine: pd.DataFrame, source: str) -> None:
    for _, row in mine.iterrows():
        if source == "published":
            look = marks.PUBLISHED
        else:
            look = marks.KINDS.get(row["supervision"], marks.KINDS["trained"])
        ax.plot(row["loss"], row["nmi"], ls="none", zorder=4, **look)
    if source == "published":
        from matplotlib.ticker import FixedLocator, NullFormatter, ScalarFormatter

        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator([0.3, 0.5, 1, 2, 4, 8]))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(0.14, 0.16)
    ax.set_xlabel(LOSS[source])
    ax.set_ylabel("NMI (0 to 1)")
    ax.grid(color="#EFEFEF", lw=0.5)
    ax.set_axisbelow(True)


def label_points(ax: Axes, x: Sequence[float], y: Sequence[float], names: Sequence[str]) -> None:
    """Name every point beside it, where its name touches no point and no other name if it can."""
    spots = ax.transData.transform(np.column_stack([x, y]))
    figure = ax.get_figure(root=True)
    scale = figure.dpi / 72 if figure else 1.0
    height = style.SMALL_SIZE * 1.1 * scale
    frame = ax.get_window_extent()
    taken = [(px - 3 * scale, py - 3 * scale, px + 3 * scale, py + 3 * scale) for px, py in spots]
    for (px, py), name in sorted(zip(spots, names, strict=True), key=lambda item: -item[0][1]):
        text = plain(name, 22)
        width = len(text) * style.SMALL_SIZE * 0.6 * scale
        gap = 5 * scale
        # Where the name's box begins, which of its sides is nearest, how many lines it is moved.
        places: list[tuple[float, float, str, float]] = []
        for lines in (0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, 5.0, 6.0):
            low = (lines - 0.5) * height
            places += [(gap, low, "left", lines), (-gap - width, low, "right", lines)]
            places.append((-width / 2, low + (gap if lines > 0 else -gap), "center", lines))
        boxes = [(px + a, py + b, px + a + width, py + b + height) for a, b, _, _ in places]
        costs = [
            sum(_overlap(box, other) for other in taken)
            + 500.0 * _outside(box, frame)
            + 0.4 * i * height
            for i, box in enumerate(boxes)
        ]
        best = int(np.argmin(costs))
        taken.append(boxes[best])
        left, low, side, lines = places[best]
        at = left + {"left": 0.0, "right": width, "center": width / 2}[side]
        far = abs(lines) >= 2 or (side == "center" and lines)
        at_x, at_y = ax.transData.inverted().transform((px, py))
        # Names take no room in the layout, or the axes would shrink under them.
        ax.annotate(
            text,
            (float(at_x), float(at_y)),
            xytext=(at / scale, (low + height / 2) / scale),
            textcoords="offset points",
            size=style.SMALL_SIZE,
            ha=side,
            va="center",
            zorder=5,
            arrowprops={"arrowstyle": "-", "color": style.GREY, "lw": 0.5, "shrinkB": 2.5}
            if far
            else None,
        ).set_in_layout(False)


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def _outside(box: Sequence[float], frame: object) -> float:
    x0, y0, x1, y1 = frame.extents  # type: ignore[attr-defined]
    return float(
        max(x0 - box[0], 0) + max(box[2] - x1, 0) + max(y0 - box[1], 0) + max(box[3] - y1, 0)
    )
