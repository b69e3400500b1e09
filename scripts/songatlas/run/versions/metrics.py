"""What DVC shows of a run and compares between versions: metrics as JSON, plots as CSV."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from songatlas import tables

METRICS = ("nmi_mean", "ami_mean", "chance_nmi")
"""Columns of the comparison that `dvc metrics` shows."""

LEVEL = "song"
"""Their level: `dvc metrics show` has a column per value, so one must do."""


def metrics(comparison: pd.DataFrame) -> dict[str, Any]:
    """`METRICS` by model and task at level song; what could not be computed is left out."""
    nested: dict[str, Any] = {}
    for row in comparison[comparison["level"] == LEVEL].to_dict("records"):
        values = {name: row[name] for name in METRICS if pd.notna(row[name])}
        if values:
            nested.setdefault(row["model"], {})[row["task"]] = values
    return nested


def write_metrics(comparison: pd.DataFrame, path: str | Path) -> None:
    """Write `metrics` of a comparison table as JSON."""
    text = json.dumps(metrics(comparison), indent=1, sort_keys=True)
    with tables.atomic(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_bars(comparison: pd.DataFrame, task: str, path: str | Path) -> None:
    """Write one task's bars as CSV: `model`, `nmi_mean`, `chance_nmi`, songs only."""
    rows = comparison[(comparison["level"] == LEVEL) & (comparison["task"] == task)]
    with tables.atomic(path) as temporary:
        rows[["model", "nmi_mean", "chance_nmi"]].to_csv(temporary, index=False)


def write_curves(histories: Sequence[str | Path], path: str | Path) -> None:
    """Write the loss per epoch of one model, averaged over its seeds, as CSV.

    Columns: `epoch`, `train`, and `validation` where there was a validation set.
    """
    losses = pd.concat([tables.read(history, tables.HISTORY) for history in histories])
    losses = losses[losses["metric"] == "loss"]
    curve = losses.pivot_table(index="epoch", columns="split", values="value", aggfunc="mean")
    with tables.atomic(path) as temporary:
        curve.reset_index().to_csv(temporary, index=False)
