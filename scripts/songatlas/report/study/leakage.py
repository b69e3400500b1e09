"""What the study's leakage figure and question read of `tables/leakage.csv`."""

import pandas as pd

from songatlas.report.study.published import Published

METRICS = ("nmi", "knn_accuracy")
"""Clusters of held-out windows against labels; labels by the nearest training windows."""


def leakage_rows(leakage: pd.DataFrame, published: Published) -> pd.DataFrame:
    """Rows of `METRICS` that have a value with either split, models under the study's names.

    Args:
        leakage: rows of `tables/leakage.csv`.
        published: the study's tables, for its names.
    """
    rows = leakage[leakage["metric"].isin(METRICS) & leakage["value"].notna()]
    keys = ["model", "control", "task", "metric"]
    both = rows.groupby(keys)["split"].transform("nunique") == 2 if len(rows) else rows["value"] > 0
    rows = rows[both]
    return rows.assign(model=rows["model"].map(published.called)).reset_index(drop=True)
