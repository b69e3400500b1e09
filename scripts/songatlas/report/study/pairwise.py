"""Models compared in pairs: the run's tests, under the study's names of models."""

import pandas as pd

from songatlas.evaluation.layout import Sheet
from songatlas.report.study.published import Published

SHOWN = (
    "task",
    "metric",
    "model_a",
    "model_b",
    "n_pairs",
    "difference",
    "ci_low",
    "ci_high",
    "p_holm",
)
"""Columns that fit a page."""


def pairwise_table(tests: pd.DataFrame, published: Published, level: str) -> pd.DataFrame:
    """Rows of `tables/tests.csv` at one level, with every column of it.

    Args:
        tests: rows of `tables/tests.csv`.
        published: the study's tables, for its names.
        level: of which rows.
    """
    rows = tests[tests["level"] == level].reset_index(drop=True)
    return rows.assign(
        model_a=rows["model_a"].map(published.called), model_b=rows["model_b"].map(published.called)
    )


def pairwise_sheet(
    tests: pd.DataFrame, published: Published, level: str, corpus_name: str
) -> Sheet:
    """`paper_pairwise`: the arguments are those of `pairwise_table`, the last for the heading."""
    frame = pairwise_table(tests, published, level)
    if frame.empty:
        note = f"No models were compared at level {level}."
    elif frame["p"].isna().all():
        note = (
            f"Level {level}. One seed each: no test over seeds. difference: model_a - model_b, "
            "with 95% bootstrap bounds over songs."
        )
    else:
        note = (
            f"Level {level}. Pairs: equal seeds; p corrected by Holm over all pairs of models of a "
            "task and metric. difference: model_a - model_b, with 95% bootstrap bounds over songs "
            "and pairs."
        )
    return Sheet(
        "paper_pairwise",
        frame,
        f"Models in pairs: {corpus_name}",
        [note],
        narrow=frame[list(SHOWN)],
    )
