"""The answer of the target `drift`: per representation, whether the new songs left the map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.new_songs import Assign
from songatlas.evaluation.paired import holm
from songatlas.new_songs.drift import drift
from songatlas.new_songs.finished import Branch

COLUMNS = ("model", "seed", "run_songs", "new_songs", "mmd2", "p", "p_holm", "drifted", "note")


def drift_rows(branches: Sequence[Branch], vectors: pd.DataFrame, settings: Assign) -> pd.DataFrame:
    """One row per model of `vectors` (`tables.ASSIGNED_LATENTS`), in the columns `COLUMNS`.

    The new songs are compared with the run's held-out songs (`assign.calibrate_on: all`: with all),
    since a trained model, a scale and principal axes know the songs that they were fitted on. p is
    corrected over the models (Holm 1979).
    """
    rows = []
    for branch in branches:
        mine = vectors[(vectors["model"] == branch.name) & (vectors["seed"] == branch.seed)]
        old, new = (_stacked(mine, sample) for sample in ("run", "new"))
        found = drift(old, new, settings.permutations, branch.seed)
        note = None if found.p is not None else "fewer than 2 songs of the run or 2 new ones"
        rows.append((branch.name, branch.seed, found.n, found.m, found.mmd2, found.p, note))
    columns = ["model", "seed", "run_songs", "new_songs", "mmd2", "p", "note"]
    frame = pd.DataFrame(rows, columns=columns).astype({"mmd2": "float64", "p": "float64"})
    frame["p_holm"] = holm(frame["p"].to_numpy())
    drifted = frame["p_holm"] <= settings.drift_level
    frame["drifted"] = drifted.astype("boolean").mask(frame["p"].isna())
    return frame[list(COLUMNS)]


def _stacked(vectors: pd.DataFrame, sample: str) -> np.ndarray:
    """Vectors of one sample, (n, d) float64."""
    rows = vectors.loc[vectors["sample"] == sample, "z"]
    return np.stack(list(rows)).astype(np.float64) if len(rows) else np.zeros((0, 1))


def write_drift(
    branches: Sequence[Branch], latents: str | Path, output: str | Path, settings: Assign
) -> str:
    """Write the table; says the answer in words."""
    vectors = tables.read(latents, tables.ASSIGNED_LATENTS)
    frame = drift_rows(branches, vectors, settings)
    with tables.atomic(output) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")
    tested = frame[frame["p"].notna()]
    if tested.empty:
        return "too few songs to tell whether the new ones fit the map"
    left = list(tested.loc[tested["drifted"].fillna(False).astype(bool), "model"])
    if not left:
        return f"the new songs fit the map (all of {len(tested)} representations)"
    return f"the new songs no longer fit the map: {', '.join(left)} ({len(left)} of {len(tested)})"
