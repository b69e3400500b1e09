"""From a published setting to another, one change at a time: what each change does."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from songatlas.clustering.views import of_view
from songatlas.evaluation import layout
from songatlas.report.figures.comparison import LEVELS, read_comparison
from songatlas.report.training_table import read_summaries, training_table

PARTS = ("nmi", "nmi_sd", "chance", "difference")


def changes_table(
    changes: Mapping[str, str], comparison: pd.DataFrame, training: pd.DataFrame
) -> pd.DataFrame:
    """One row per model that says what it changes, in the order of the config.

    Per task, at the level of songs (of windows where songs are not scored): mean NMI over summary
    algorithms and seeds, its standard deviation, chance, and the difference to the row before (null
    in the first row and where one of the two has no score).

    Args:
        changes: by model, what it changes against the model before it.
        comparison: `tables/comparison.csv`.
        training: what `training_table` returns.

    Returns:
        Columns `model, change`, `<task>_nmi, _nmi_sd, _chance, _difference` of every task,
        `active_units, latent_dim, reconstruction_db, note`.
    """
    frame = pd.DataFrame({"model": list(changes), "change": list(changes.values())})
    for task in dict.fromkeys(comparison["task"]):
        scores = _scores(comparison, str(task)).reindex(frame["model"])
        frame[f"{task}_nmi"] = scores["nmi_mean"].to_numpy()
        frame[f"{task}_nmi_sd"] = scores["nmi_sd"].to_numpy()
        frame[f"{task}_chance"] = scores["chance_nmi"].to_numpy()
        frame[f"{task}_difference"] = frame[f"{task}_nmi"].diff()
    trained = training.set_index("model").reindex(frame["model"])
    return frame.assign(
        active_units=trained["active_units_mean"].to_numpy(),
        latent_dim=trained["latent_dim"].array,
        reconstruction_db=trained["reconstruction_db_mean"].to_numpy(),
        note=trained["note"].array,
    )


def _scores(comparison: pd.DataFrame, task: str) -> pd.DataFrame:
    rows = of_view(comparison[comparison["task"] == task])
    scored = rows[rows["nmi_mean"].notna()]
    level = next((level for level in LEVELS if (scored["level"] == level).any()), LEVELS[0])
    return rows[rows["level"] == level].set_index("model")


def for_readers(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of the table on a page: mean and deviation joined, signed differences."""
    shown = frame[["model", "change"]].copy()
    for column in (name for name in frame if str(name).endswith("_difference")):
        task = str(column).removesuffix("_difference")
        shown[f"{task}_nmi"] = [
            layout.plus_minus(mean, sd)
            for mean, sd in zip(frame[f"{task}_nmi"], frame[f"{task}_nmi_sd"], strict=True)
        ]
        shown[f"{task}_chance"] = frame[f"{task}_chance"]
        shown[f"{task}_difference"] = [
            None if pd.isna(value) else f"{value:+.3f}" for value in frame[column]
        ]
    shown["active_units"] = [
        None if pd.isna(active) else f"{active:.0f} of {size}"
        for active, size in zip(frame["active_units"], frame["latent_dim"], strict=True)
    ]
    return shown.assign(reconstruction_db=frame["reconstruction_db"])


def write_changes_table(
    comparison: str | Path,
    summaries: Sequence[str | Path],
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    changes: Sequence[tuple[str, str]],
    corpus_name: str,
    card: str | None = None,
) -> None:
    """Write the table in three forms.

    Raises:
        SongatlasError: when a training's summary lacks a key.
    """
    frame = changes_table(
        dict(changes), read_comparison(comparison), training_table(read_summaries(summaries))
    )
    heading = f"One change at a time: {corpus_name}"
    note = (
        "Each row differs from the one before it in what `change` says. NMI of clusters with "
        "labels, mean ± standard deviation as in the comparison; chance: labels permuted; "
        "difference: to the row before. Training measures are means over seeds."
    )
    said = [
        f"{model}: {text}."
        for model, text in zip(frame["model"], frame["note"], strict=True)
        if isinstance(text, str)
    ]
    shown = for_readers(frame)
    sheet = layout.Sheet("changes", frame, heading, [note, *said], shown=shown, caption=[note])
    layout.write_sheet(sheet, (csv, md, tex), card)
