"""The study's tables of architectures and of training, from those of the run."""

import pandas as pd

from songatlas.report.study.published import Published
from songatlas.report.study.versus import versus

ARCHITECTURE_COLUMNS = ("model", "type", "parameters", "latent_dim", "compression", "key_feature")
TRAINING_MEASURES = {
    "epochs": 0,
    "best_validation_loss": 4,
    "reconstruction": 4,
    "kl": 2,
    "active_units": 0,
    "seconds": 0,
    "peak_memory_gb": 2,
}
"""Measures of the training table, and decimals that readers are shown."""

TRAINING_COLUMNS = (
    "model",
    "loss_scale",
    "seeds",
    *(f"{name}_{part}" for name in TRAINING_MEASURES for part in ("mean", "std")),
    "latent_dim",
    "parameters",
    "note",
)


def architectures_table(architectures: pd.DataFrame, published: Published) -> pd.DataFrame:
    """`ARCHITECTURE_COLUMNS`, the study's models first and under its names.

    Args:
        architectures: rows of `tables/architectures.csv`, pretrained weights included.
        published: the study's tables.
    """
    frame = architectures.reindex(columns=list(ARCHITECTURE_COLUMNS))
    whole = {"parameters": "Int64", "latent_dim": "Int64"}
    return _under_study_names(frame.astype(whole), published)


def architectures_versus(table: pd.DataFrame, published: Published, corpus: str) -> pd.DataFrame:
    """Parameters in millions: the study's beside the run's, which follow the size of its input."""
    ours = table[table["model"].isin(list(published.names.values()))]
    millions = ours["parameters"].astype(float) / 1e6
    return versus(
        published.training.rename(columns={"parameters": "parameters_millions"}),
        ours.assign(parameters_millions=millions),
        keys=["model"],
        values=["parameters_millions"],
        corpus=corpus,
    )


def training_sheet(
    training: pd.DataFrame, scales: dict[str, str], published: Published
) -> pd.DataFrame:
    """`TRAINING_COLUMNS`: means over seeds, the study's models first and under its names.

    Args:
        training: what `report.training_table.training_table` returns.
        scales: loss scale of every model.
        published: the study's tables.
    """
    frame = training.assign(loss_scale=training["model"].map(scales).astype(object))
    for name in TRAINING_MEASURES:
        frame[f"{name}_std"] = frame[f"{name}_sd"]
    return _under_study_names(frame.reindex(columns=list(TRAINING_COLUMNS)), published)


def training_versus(table: pd.DataFrame, published: Published, corpus: str) -> pd.DataFrame:
    """Epochs, validation loss and parameters (millions): the study's beside the run's."""
    ours = table[table["model"].isin(list(published.names.values()))]
    ours = ours.assign(
        epochs=ours["epochs_mean"],
        validation_loss=ours["best_validation_loss_mean"],
        parameters=ours["parameters"].astype(float) / 1e6,
    )
    beside = versus(
        published.training,
        ours[["model", "loss_scale", "epochs", "validation_loss", "parameters"]],
        keys=["model"],
        values=["epochs", "validation_loss", "parameters"],
        corpus=corpus,
        extra=["loss_scale"],
    )
    other = (beside["metric"] == "validation_loss") & (beside["loss_scale"] == "elbo")
    beside.loc[other, "note"] = [
        "; ".join(part for part in ("the loss scale elbo is another quantity", note) if part)
        for note in beside.loc[other, "note"].fillna("")
    ]
    beside.loc[other, "difference"] = None
    beside["metric"] = beside["metric"].replace("parameters", "parameters_millions")
    return beside


def _under_study_names(frame: pd.DataFrame, published: Published) -> pd.DataFrame:
    place = {name: i for i, name in enumerate(published.models)}
    order = frame["model"].map(place).fillna(len(place)).sort_values(kind="stable").index
    frame = frame.loc[order].reset_index(drop=True)
    return frame.assign(model=frame["model"].map(published.called))
