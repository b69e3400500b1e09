"""The study's tables about models: architectures and training."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from songatlas.evaluation.layout import Sheet
from songatlas.report.study.files import joined
from songatlas.report.study.published import Published
from songatlas.report.study.versus import for_readers, versus
from songatlas.report.training_table import training_table

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


TRAINING_NOTE = (
    "Mean ± standard deviation over seeds. Loss, reconstruction (squared error per value, in "
    "standardised units) and KL (nats) are of the epoch that was kept, on validation songs where "
    "there are any. Active units: dimensions whose posterior mean varies over songs. Memory: peak "
    "of the GPU, or of the process on a CPU."
)


def model_sheets(
    architectures: pd.DataFrame,
    summaries: Sequence[Mapping[str, Any]],
    published: Published,
    corpus: str,
    corpus_name: str,
) -> list[Sheet]:
    """`paper_architectures`, `paper_training`, and each beside the study's.

    Args:
        architectures: rows of `tables/architectures.csv`.
        summaries: `summary.json` of every training.
        published: the study's tables.
        corpus: what `corpus_kind` says.
        corpus_name: stands in the headings.
    """
    table = architectures_table(architectures, published)
    scales = {item["model"]: item["loss_scale"] for item in summaries}
    training = training_sheet(training_table(summaries), scales, published)
    sizes = architectures_versus(table, published, corpus)
    beside = training_versus(training, published, corpus)
    spread = joined(training, TRAINING_MEASURES)
    shown = pd.concat(
        [
            training[["model", "loss_scale", "seeds"]],
            spread,
            training[["latent_dim", "parameters", "note"]],
        ],
        axis=1,
    )
    return [
        Sheet(
            "paper_architectures",
            table,
            f"Architectures: {corpus_name}",
            narrow=table.drop(columns=["type", "compression", "key_feature"]),
        ),
        Sheet(
            "paper_architectures_vs_published",
            sizes,
            f"Parameters beside the study's, in millions: {corpus_name}",
            ["Parameters follow the size of the input (the study: 128 x 1292), not the corpus."],
            shown=for_readers(sizes),
        ),
        Sheet(
            "paper_training",
            training,
            f"Training: {corpus_name}",
            [TRAINING_NOTE],
            shown=shown,
            narrow=shown.drop(columns=["loss_scale", "seeds", "latent_dim", "note"]).rename(
                columns={
                    "best_validation_loss": "loss",
                    "reconstruction": "rec.",
                    "active_units": "active",
                    "seconds": "s",
                    "peak_memory_gb": "GB",
                }
            ),
        ),
        Sheet(
            "paper_training_vs_published",
            beside,
            f"Training beside the study's: {corpus_name}",
            [
                "Epochs and validation loss are means over seeds. A loss on the scale elbo is "
                "another quantity than the study's: no difference is given."
            ],
            shown=for_readers(beside),
            narrow=for_readers(beside).drop(columns="note"),
        ),
    ]
