"""The answer of the target `drift`: per representation, whether the new songs left the map."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.new_songs import Assign
from songatlas.evaluation.paired import holm
from songatlas.new_songs.finished import Branch

MOST = 2_000
"""Songs of either sample that are compared; more are drawn from at random (the kernel is n²)."""


@dataclass(frozen=True)
class Drift:
    """Squared maximum mean discrepancy of two samples of n and m songs and its p; None where either
    has fewer than two songs."""

    mmd2: float | None
    p: float | None
    n: int
    m: int


def drift(known: np.ndarray, new: np.ndarray, permutations: int, seed: int = 0) -> Drift:
    """Compare songs of the run (n, d) with new ones (m, d), Gretton et al. 2012.

    Gaussian kernel with the median distance of the pooled songs as its width; p is the share of
    `permutations` of which song is new that give at least as large a discrepancy, the observed one
    counted.
    """
    rng = np.random.default_rng(seed)
    samples = [
        z if len(z) <= MOST else z[np.sort(rng.choice(len(z), MOST, replace=False))]
        for z in (np.asarray(known, np.float64), np.asarray(new, np.float64))
    ]
    n, m = map(len, samples)
    if min(n, m) < 2:
        return Drift(None, None, n, m)
    kernel = _kernel(np.concatenate(samples))
    total = n + m
    observed = mmd2(kernel, np.arange(total) >= n)
    draws = (mmd2(kernel, rng.permutation(total) >= n) for _ in range(permutations))
    # Rounding must not make equal discrepancies unequal.
    as_large = sum(drawn >= observed - 1e-12 for drawn in draws)
    return Drift(observed, (1 + as_large) / (1 + permutations), n, m)


def mmd2(kernel: np.ndarray, is_new: np.ndarray) -> float:
    """Unbiased estimate from the kernel (t, t), its diagonal zero, and which songs are new (t,)."""
    new = is_new.astype(np.float64)
    old = 1.0 - new
    n, m = old.sum(), new.sum()
    to_new, to_old = kernel @ new, kernel @ old
    within_old = old @ to_old / (n * (n - 1))
    within_new = new @ to_new / (m * (m - 1))
    return float(within_old + within_new - 2.0 * (old @ to_new) / (n * m))


def _kernel(z: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import pdist, squareform

    distances = pdist(z, "sqeuclidean")
    positive = distances[distances > 0]
    width = np.median(positive) if len(positive) else 1.0
    return np.asarray(squareform(np.exp(-distances / width)))


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
