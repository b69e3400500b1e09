"""How training went: a row per model, and a row per latent dimension."""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from songatlas.errors import SongatlasError
from songatlas.evaluation import layout
from songatlas.training.collapse import ACTIVE_VARIANCE, collapsed
from songatlas.training.control_notes import note

MEASURES = {
    "epochs": 0,
    "best_epoch": 0,
    "best_validation_loss": 3,
    "reconstruction": 3,
    "reconstruction_db": 2,
    "kl": 2,
    "mutual_information": 2,
    "active_units": 0,
    "seconds": 1,
    "seconds_per_epoch": 2,
    "peak_memory_gb": 2,
}
"""Keys of `summary.json` that are averaged over seeds, and decimals that readers are shown."""

NEEDED = (
    "model",
    "seed",
    "note",
    "parameters",
    "latent_dim",
    "monitor_reason",
    "batch_note",
    "time_note",
    "kl_per_unit",
    "variance_per_unit",
    *MEASURES,
)
COLUMNS = (
    "model",
    "seeds",
    *(f"{name}_{part}" for name in MEASURES for part in ("mean", "sd")),
    "latent_dim",
    "parameters",
    "note",
)
UNIT_COLUMNS = ("model", "seed", "unit", "kl", "variance", "active")
HEADINGS = {
    "kl": "kl_nats",
    "mutual_information": "mi_nats",
    "best_validation_loss": "validation_loss",
    "reconstruction_db": "reconstruction_db",
}


def read_summaries(paths: Sequence[str | Path]) -> list[dict[str, Any]]:
    """`summary.json` of every training.

    Raises:
        SongatlasError: naming the file, when one lacks a key.
    """
    found = []
    for path in paths:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        missing = [key for key in NEEDED if key not in facts]
        if missing:
            raise SongatlasError(
                f"{path}: lacks {', '.join(missing)}; delete the file and train the model again"
            )
        found.append(facts)
    return found


def training_table(summaries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per model, in the order of `summaries`: `COLUMNS`.

    `<measure>_mean` and `_sd` (n - 1) are over seeds, those not trained or without the measure left
    out; null where nothing is left. Losses, KL and reconstruction are of the epoch that was kept.
    """
    rows = []
    for model in dict.fromkeys(item["model"] for item in summaries):
        mine = [item for item in summaries if item["model"] == model]
        row: dict[str, Any] = {"model": model, "seeds": len(mine)}
        for name in MEASURES:
            values = pd.Series([item[name] for item in mine if not item["note"]], dtype=float)
            row |= {f"{name}_mean": values.mean(), f"{name}_sd": values.std(ddof=1)}
        sizes = [item["parameters"] for item in mine if item["parameters"] is not None]
        row["latent_dim"] = mine[0]["latent_dim"]
        row["parameters"] = max(sizes, default=None)
        rows.append(row | {"note": _note(mine)})
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"parameters": "Int64", "seeds": "Int64", "latent_dim": "Int64"})


def _note(mine: Sequence[Mapping[str, Any]]) -> str | None:
    notes = []
    for item in mine:
        if item["note"]:
            notes.append(str(item["note"]))
            continue
        if item.get("control"):
            notes.append(note(item["control"], item["control_of"]))
        if item["monitor_reason"]:
            notes.append(f"watched the training loss: {item['monitor_reason']}")
        notes += [item[key] for key in ("batch_note", "time_note") if item[key]]
        if collapsed(item["active_units"], item["latent_dim"]):
            notes.append(f"collapsed posterior (seed {item['seed']})")
    return "; ".join(dict.fromkeys(notes)) or None


def latent_units(summaries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per model, seed and latent dimension: `UNIT_COLUMNS`.

    `kl` in nats (null without a posterior); `variance` over songs of their mean posterior means;
    `active` where it is above `ACTIVE_VARIANCE`.
    """
    rows = []
    for item in summaries:
        pairs = itertools.zip_longest(item["kl_per_unit"], item["variance_per_unit"])
        for unit, (kl, variance) in enumerate(pairs):
            active = None if variance is None else variance > ACTIVE_VARIANCE
            rows.append((item["model"], item["seed"], unit, kl, variance, active))
    return pd.DataFrame(rows, columns=list(UNIT_COLUMNS))


def for_readers(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of the table on a page: mean and standard deviation joined."""
    shown = frame[["model"]].copy()
    for name, digits in MEASURES.items():
        shown[HEADINGS.get(name, name)] = [
            layout.plus_minus(mean, sd, digits)
            for mean, sd in zip(frame[f"{name}_mean"], frame[f"{name}_sd"], strict=True)
        ]
        if name == "active_units":
            shown["latent_dim"] = frame["latent_dim"]
    return shown.assign(parameters=frame["parameters"], note=frame["note"])


def write_training_table(
    summaries: Sequence[str | Path],
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    units: str | Path,
    corpus_name: str,
    card: str | None = None,
) -> None:
    """Write the table in three forms, and the latent dimensions as CSV.

    Raises:
        SongatlasError: when a summary lacks a key.
    """
    facts = read_summaries(summaries)
    frame = training_table(facts)
    heading = f"Training: {corpus_name}"
    notes = [
        "Mean ± standard deviation over seeds. Losses, reconstruction (squared error per value, in "
        "standardised units, and root mean square in dB) and KL are of the epoch that was kept, on "
        "validation songs where there are any; mutual information (at most the logarithm of the "
        "number of windows) is of its training windows. Active units: latent "
        f"dimensions whose posterior mean has a variance above {ACTIVE_VARIANCE:g} over songs.",
    ]
    layout.write_csv(latent_units(facts), units)
    shown = for_readers(frame)
    narrow = shown.drop(columns=["seconds", "peak_memory_gb", "best_epoch", "note"])
    sheet = layout.Sheet("training", frame, heading, notes, shown=shown, narrow=narrow)
    layout.write_sheet(sheet, (csv, md, tex), card)
