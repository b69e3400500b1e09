"""The table of clusters that go on, over all representations."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from songatlas import tables


def continuity_table(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Rows of `tables.CONTINUITY` of several files, each with its `representation`, sorted.

    Raises:
        TableError: when a table is missing or breaks its schema.
    """
    parts = []
    for path in paths:
        model = tables.read_metadata(path)["model"]
        parts.append(tables.read(path, tables.CONTINUITY).assign(representation=model))
    columns = ["representation", *tables.CONTINUITY.columns]
    frame = pd.concat(parts)[columns].sort_values(columns[:6], ignore_index=True)
    return frame.astype({"k": "Int64", "old_number": "Int64", "new_number": "Int64"})
