"""How training went: loss per epoch, the epoch that was kept, and whether the latent is used."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.training.control_notes import UNTRAINED

TRAIN, VALIDATION = "train", "validation"
COLOURS = {TRAIN: style.BLUE, VALIDATION: style.VERMILLION}
DASHES = {TRAIN: "-", VALIDATION: "--"}
"""Line kind besides colour, for print in grey."""


@dataclass(frozen=True)
class Run:
    """One training: its `tables.HISTORY` rows and its `summary.json`.

    Where the corpus gave a model nothing to train on, the history has no rows and the summary a
    `note` that says why.
    """

    model: str
    seed: int
    history: pd.DataFrame
    summary: Mapping[str, Any]

    @property
    def why_untrained(self) -> str | None:
        if self.summary.get("control") == UNTRAINED:
            return f"the control of {self.summary['control_of']}"
        note = self.summary.get("note")
        return str(note).removeprefix("not trained: ") if note else None


NEEDED = (
    "model",
    "seed",
    "best_epoch",
    "monitor",
    "stopped_early",
    "active_units",
    "latent_dim",
    "loss_scale",
)
"""Keys of a training's `summary.json` that the figure reads."""


def read_run(history: str | Path, summary: str | Path) -> Run:
    """One training from its two files.

    Raises:
        SongatlasError: naming the file, when the history has no loss or the summary lacks a key.
    """
    facts = json.loads(Path(summary).read_text(encoding="utf-8"))
    missing = [key for key in NEEDED if key not in facts]
    if missing:
        raise SongatlasError(
            f"{summary}: lacks {', '.join(missing)}; delete the file and train the model again"
        )
    rows = tables.read(history, tables.HISTORY)
    run = Run(facts["model"], int(facts["seed"]), rows, facts)
    has_loss = ((rows["metric"] == "loss") & (rows["split"] == facts["monitor"])).any()
    if not has_loss and run.why_untrained is None:
        raise SongatlasError(
            f"{history}: has no `loss` of the split `{facts['monitor']}`; delete the file and "
            "train the model again"
        )
    return run


def training_figure(runs: Sequence[Run], *, corpus_name: str) -> Figure:
    """Small multiples, one per model: loss above, KL below; a line per seed and split.

    A model that was not trained has words in its panel, which say why.

    Args:
        runs: all trainings; those of the same model share a panel.
        corpus_name: stands in the title.

    Raises:
        SongatlasError: when there is no run.
    """
    models = list(dict.fromkeys(run.model for run in runs))
    if not models:
        raise SongatlasError("no trained model in this run: nothing to draw; see `include`")
    columns = min(len(models), 3)
    bands = math.ceil(len(models) / columns)
    with style.context():
        figure = style.canvas(
            max(2.75 * columns, 4.6),
            2.75 * bands,
            f"Training curves — {plain(corpus_name)}",
            "Loss at the full KL weight. Solid: training songs, dashed: validation songs. "
            "Dot: the epoch that was kept; bar: stopped early. A KL near 0 nats means that the "
            "latent is not used.",
        )
        grid = GridSpec(2 * bands, columns, figure=figure, height_ratios=[2.2, 1.0] * bands)
        before: list[Run] = []
        ends: dict[Axes, dict[str, tuple[float, float, str]]] = {}
        for i, model in enumerate(models):
            band, column = divmod(i, columns)
            before = before if column else []
            mine = [run for run in runs if run.model == model and run.why_untrained is None]
            if not mine:
                ax = figure.add_subplot(grid[2 * band : 2 * band + 2, column])
                _draw_untrained(ax, next(run for run in runs if run.model == model))
                continue
            loss_ax = figure.add_subplot(grid[2 * band, column])
            kl_ax = figure.add_subplot(grid[2 * band + 1, column], sharex=loss_ax)
            named = not before or _loss_unit(mine[0]) != _loss_unit(before[0])
            ends[loss_ax] = _draw_loss(loss_ax, mine, named)
            _draw_kl(kl_ax, mine, first=not before)
            before = mine
        figure.draw_without_rendering()  # gives the axes the heights that labels are spaced by
        for ax, labels in ends.items():
            style.end_labels(ax, labels)
    return figure


def _draw_untrained(ax: Axes, run: Run) -> None:
    style.panel_title(ax, plain(run.model, 30), [""])  # level with the other titles
    style.nothing(ax, f"not trained: {plain(run.why_untrained, 200)}")


def _draw_loss(ax: Axes, runs: Sequence[Run], named: bool) -> dict[str, tuple[float, float, str]]:
    """Draw the upper panel; returns where its lines end."""
    ends = _lines(ax, runs, "loss")
    for run in runs:
        loss = run.history[run.history["metric"] == "loss"]
        kept = loss[
            (loss["split"] == run.summary["monitor"]) & (loss["epoch"] == run.summary["best_epoch"])
        ]
        ax.plot(kept["epoch"], kept["value"], "o", ms=4, color=style.INK, zorder=5)
        if run.summary["stopped_early"]:
            ax.axvline(int(loss["epoch"].max()), color=style.GREY, lw=1.4, zorder=1)
    best = ", ".join(str(run.summary["best_epoch"]) for run in runs)
    counts = [
        run.summary["active_units"] for run in runs if run.summary["active_units"] is not None
    ]
    subtitle = f"epoch {best} kept"
    if counts:  # models without a posterior have none
        used = ", ".join(map(str, counts))
        subtitle += f", {used} of {runs[0].summary['latent_dim']} units active"
    style.panel_title(ax, plain(runs[0].model, 30), [subtitle])
    ax.set_ylabel(f"Loss{_loss_unit(runs[0])}" if named else "")
    ax.tick_params(labelbottom=False)
    ax.margins(x=0.03)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_formatter(FuncFormatter(_short))
    return ends


def _draw_kl(ax: Axes, runs: Sequence[Run], first: bool) -> None:
    ax.set_xlabel("Epoch")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    kl = pd.concat([run.history[run.history["metric"] == "kl"] for run in runs])
    if not (kl["value"] != 0).any():
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no KL term", transform=ax.transAxes, ha="center", va="center",
                color=style.GREY, size=style.SMALL_SIZE)  # fmt: skip
        return
    _lines(ax, runs, "kl")
    # It spans 0.01 (collapsed) to thousands (the first epochs): linear to 1, logarithmic above.
    ax.set_yscale("symlog", linthresh=1)
    top = max(float(kl["value"].max()), 1.0)
    ax.set_ylim(0, 2 * top)
    powers = [10.0**i for i in range(10) if 10.0**i <= 2 * top]
    step = math.ceil(len(powers) / 3)
    ax.yaxis.set_major_locator(FixedLocator([0, *powers[::step]]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(_short))
    ax.set_ylabel("KL (nats)" if first else "")


def _lines(ax: Axes, runs: Sequence[Run], metric: str) -> dict[str, tuple[float, float, str]]:
    """Draw each run's curves; returns where the first run's end, for `style.end_labels`."""
    ends: dict[str, tuple[float, float, str]] = {}
    for run in runs:
        for split in (TRAIN, VALIDATION):
            rows = run.history[(run.history["metric"] == metric) & (run.history["split"] == split)]
            rows = rows.dropna(subset=["value"]).sort_values("epoch")
            if rows.empty:
                continue
            ax.plot(rows["epoch"], rows["value"], DASHES[split], color=COLOURS[split],
                    alpha=0.9 if run is runs[0] else 0.5)  # fmt: skip
            end = (float(rows["epoch"].iloc[-1]), float(rows["value"].iloc[-1]), COLOURS[split])
            ends.setdefault({TRAIN: "train", VALIDATION: "val."}[split], end)
    return ends


def _loss_unit(run: Run) -> str:
    decodes = run.summary.get("reconstruction") is not None
    return " (nats per value)" if decodes and run.summary["loss_scale"] == "elbo" else ""


def _short(value: float, _: int | None = None) -> str:
    """12000 -> 12k: the losses of full-size spectrograms have six digits."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")
