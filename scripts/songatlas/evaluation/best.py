"""Which clustering counts as the best, and which representation stands for a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import pandas as pd

from songatlas.clustering.views import of_view
from songatlas.config.base import Algorithm
from songatlas.training.control_notes import are_controls

ORDER = (*get_args(Algorithm), "own")
"""Of equally good algorithms the earlier one; a model's own assignments come last."""

DECIMALS = 9
"""The same partition under two names differs by rounding only."""


def best_of(nmi: pd.DataFrame) -> pd.Series:
    """The row of `nmi` with the highest value.

    Ties go to the earlier algorithm in `ORDER`, then to fewer clusters, then to the lower seed.

    Args:
        nmi: at least one row of `tables.SCORES`: one metric, task and level, no null values.
    """
    order = pd.DataFrame(
        {
            "worse": -nmi["value"].round(DECIMALS),
            "algorithm": nmi["algorithm"].map({name: i for i, name in enumerate(ORDER)}),
            "k": nmi["k"].astype(float),
            "seed": nmi["seed"],
        }
    )
    return nmi.loc[order.sort_values(list(order.columns), kind="stable").index[0]]


@dataclass(frozen=True)
class Best:
    """The representation that stands for a run, and why it."""

    model: str
    why: str


UNLABELLED = ("multimodal_vade", "vade_musicnn")
"""What stands for a run that no label judges, in this order."""


def best_representation(comparison: pd.DataFrame, able: Sequence[str]) -> Best:
    """The one furthest above chance by the labels, on average over tasks; else `UNLABELLED`.

    Representations that were shown the labels do not compete, nor do controls.

    Args:
        comparison: the table `comparison`; of a model with views, `together` counts.
        able: those to choose from, at least one.
    """
    comparison = of_view(comparison)
    rows = comparison[
        (comparison["level"] == "song")
        & (comparison["supervision"] != "labels")
        & ~are_controls(comparison)
        & comparison["model"].isin(list(able))
        & comparison["nmi_mean"].notna()
    ]
    if rows.empty:
        chosen = next((name for name in UNLABELLED if name in able), able[0])
        return Best(chosen, "no label says which representation groups the songs best")
    above = rows["nmi_mean"] - rows["chance_nmi"].fillna(0.0)
    tasks = rows["task"].nunique()
    mean = (above.groupby(rows["model"]).sum() / tasks).round(DECIMALS)
    order = mean.sort_index().sort_values(ascending=False, kind="stable")
    return Best(str(order.index[0]), "furthest above chance by the labels")
