"""The study's tables about models: architectures and training."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from songatlas.evaluation.layout import Sheet
from songatlas.report.study.files import joined
from songatlas.report.study.model_tables import (
    TRAINING_MEASURES,
    architectures_table,
    architectures_versus,
    training_sheet,
    training_versus,
)
from songatlas.report.study.published import Published
from songatlas.report.study.versus import for_readers
from songatlas.report.training_table import training_table

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
