"""How many clusters each representation has, by four criteria and by all of them together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from songatlas import tables
from songatlas.clustering.choice import CRITERIA, JOINT
from songatlas.errors import SongatlasError
from songatlas.report.figures import style
from songatlas.report.figures.style import plain

COLUMNS = 5
"""Models side by side; further ones follow below."""

LABELS = {
    "stability": "Stability\n(AMI)",
    "silhouette": "Silhouette",
    "gap": "Gap (nats)",
    "bic": "BIC above\nits lowest",
}


@dataclass(frozen=True)
class ModelChoice:
    """One model's rows of `tables.CHOICE`, the number of songs behind them, and what they say.

    `why` is shown where they have no choice.
    """

    model: str
    n: int
    rows: pd.DataFrame
    why: str = "no number of clusters can be suggested"

    def chosen(self, criterion: str) -> int | None:
        """The k that a criterion, or `joint`, chooses."""
        rows = self.rows
        ks = rows.loc[rows["chosen"] & (rows["criterion"] == criterion), "k"]
        return int(ks.iloc[0]) if len(ks) else None


def read_choice(path: str | Path) -> ModelChoice:
    """One model's choice of k.

    Raises:
        TableError: when the table is missing or breaks its schema.
    """
    info = tables.read_metadata(path)
    why = info["note"] or info["sentence"]
    return ModelChoice(info["model"], info["n"], tables.read(path, tables.CHOICE), why)


def choice_figure(choices: Sequence[ModelChoice], *, corpus_name: str) -> Figure:
    """Small multiples: a column per model, a row per criterion, the number of clusters from left.

    A model for which no k could be suggested has words in its column, which say why.

    Raises:
        SongatlasError: when there is no model.
    """
    if not choices:
        raise SongatlasError("no representation in this run: nothing to draw; see `include`")
    columns = min(len(choices), COLUMNS)
    bands = math.ceil(len(choices) / columns)
    handles = _handles()
    width_in = max(1.62 * columns + 0.55, 5.0)
    legend_columns, footer_in = style.legend_size(
        [str(handle.get_label()) for handle in handles], width_in
    )
    drawn = [choice for choice in choices if choice.chosen(JOINT) is not None]
    limits = {"stability": (-0.05, 1.12), "silhouette": _limits(drawn, "silhouette")}
    with style.context():
        figure = style.canvas(
            width_in,
            3.15 * bands,
            f"Choice of the number of clusters — {plain(corpus_name)}",
            "Best: highest stability and silhouette, lowest BIC; of the gap statistic the smallest "
            "k whose gap the next one does not exceed by more than its standard error. k = 1: no "
            "clusters.",
            footer_in=footer_in,
        )
        grid = GridSpec(len(CRITERIA) * bands, columns, figure=figure)
        for i, choice in enumerate(choices):
            band, column = divmod(i, columns)
            top = band * len(CRITERIA)
            if choice.chosen(JOINT) is None:
                ax = figure.add_subplot(grid[top : top + len(CRITERIA), column])
                style.panel_title(ax, plain(choice.model, 20), [""])
                style.nothing(ax, plain(choice.why, 200))
                continue
            shared: Axes | None = None
            for row, criterion in enumerate(CRITERIA):
                ax = figure.add_subplot(grid[top + row, column], sharex=shared)
                shared = shared or ax
                _draw(ax, choice, criterion, limits.get(criterion))
                ax.set_ylabel(LABELS[criterion] if column == 0 else "", size=style.SMALL_SIZE)
                if row < len(CRITERIA) - 1:
                    ax.tick_params(labelbottom=False)
                else:
                    ax.set_xlabel("Number of clusters k")
            assert shared is not None
            style.panel_title(
                shared,
                plain(choice.model, 20),
                [f"{_together(choice.chosen(JOINT))}, n = {choice.n}"],
            )
        style.legend(figure, handles, legend_columns)
    return figure


def _together(k: int | None) -> str:
    return "together: no clusters" if k == 1 else f"together k = {k}"


def _limits(choices: Sequence[ModelChoice], criterion: str) -> tuple[float, float] | None:
    """Limits that hold all models' values, so that heights can be compared."""
    values = pd.concat(
        [each.rows.loc[each.rows["criterion"] == criterion, "value"] for each in choices]
        or [pd.Series(dtype=float)]
    ).dropna()
    if values.empty:
        return None
    low, high = min(0.0, float(values.min())), float(values.max())
    margin = 0.08 * max(high - low, 0.05)
    return low - margin, high + margin


def _draw(
    ax: Axes, choice: ModelChoice, criterion: str, limits: tuple[float, float] | None
) -> None:
    rows = choice.rows[choice.rows["criterion"] == criterion].dropna(subset=["k", "value"])
    rows = rows.sort_values("k")
    ks, values = rows["k"].astype(int), rows["value"]
    if criterion == "bic":
        values = values - values.min()
    joint, own = choice.chosen(JOINT), choice.chosen(criterion)
    ax.axvline(float(joint or 0), color=style.PALE, lw=4.0, zorder=1)
    if rows["sd"].notna().any():
        spread = rows["sd"].fillna(0.0)
        ax.fill_between(
            ks, values - spread, values + spread, color=style.SKY, alpha=0.4, lw=0, zorder=2
        )
    ax.plot(ks, values, "-o", color=style.BLUE, ms=1.8, lw=1.0, zorder=3)
    if own is not None:
        at = values[ks == own]
        ax.plot([own], at, "D", color=style.VERMILLION, mec="white", mew=0.5, ms=5.0, zorder=4)
    if limits is not None:
        ax.set_ylim(*limits)
    if rows.empty:
        ax.text(0.5, 0.5, "not computed", transform=ax.transAxes, ha="center", va="center",
                color=style.GREY, size=style.SMALL_SIZE)  # fmt: skip
    tried = choice.rows["k"].dropna()
    ax.set_xlim(0.4, max(float(tried.max()), 2.0) + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(3))


def _handles() -> list[Any]:
    own, joint = "the criterion's choice", "choice of all together (k = 1: no clusters)"
    return [
        Line2D([], [], ls="none", marker="D", ms=5.5, color=style.VERMILLION, label=own),
        Line2D([], [], color=style.PALE, lw=4.0, label=joint),
        Patch(
            color=style.SKY,
            alpha=0.4,
            lw=0,
            label="± sd over pairs of draws (stability), standard error (gap)",
        ),
    ]
