"""Which of many clusterings counts as the best: one rule for the table and for the figures."""

from typing import get_args

import pandas as pd

from songatlas import config

ORDER = (*get_args(config.Algorithm), "own")
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
