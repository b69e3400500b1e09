"""The comparison table for the page: which columns it shows, and their values."""

from pathlib import Path
from typing import Any

import pandas as pd

from songatlas.clustering.views import of_view

COLUMNS = (
    ("nmi_mean", "NMI"),
    ("chance_nmi", "Chance NMI"),
    ("ami_mean", "AMI"),
    ("ari_mean", "ARI"),
    ("purity_mean", "Purity"),
    ("silhouette_mean", "Silhouette"),
    ("best_nmi", "Best NMI"),
    ("best_chance_nmi", "Best by chance"),
)


def comparison(path: str | Path) -> dict[str, Any]:
    """Column labels, and rows of model, task, level, supervision and values (None: not known).

    Of models of two modalities the row of both together, as everywhere on the page.
    """
    frame = of_view(pd.read_csv(path, keep_default_na=False, na_values=[""]))
    rows = []
    for record in frame.to_dict("records"):
        rows.append(
            {
                "model": str(record["model"]),
                "task": str(record["task"]),
                "level": str(record["level"]),
                "supervision": str(record["supervision"]),
                "values": [
                    None if pd.isna(record[column]) else round(float(record[column]), 4)
                    for column, _ in COLUMNS
                ],
            }
        )
    return {"columns": [label for _, label in COLUMNS], "rows": rows}
