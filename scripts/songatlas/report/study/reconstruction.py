"""Does a model that reconstructs better cluster better? Correlations over models."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from songatlas.evaluation.layout import Sheet
from songatlas.report.study.published import Published

MIN_MODELS = 4
"""Below this many points a correlation says nothing."""

POINT_COLUMNS = ("source", "task", "model", "loss", "nmi", "seeds", "supervision")
COLUMNS = (
    "source",
    "task",
    "models",
    "spearman",
    "spearman_low",
    "spearman_high",
    "pearson",
    "pearson_low",
    "pearson_high",
    "note",
)
OURS, PUBLISHED = "ours", "published"


def points(
    trainings: Sequence[Mapping[str, Any]], scores: pd.DataFrame, published: Published
) -> pd.DataFrame:
    """`POINT_COLUMNS`: loss and mean NMI of every model that has both, ours then published.

    `loss` is our reconstruction error (squared error per value, in standardised units, mean over
    seeds), and for published rows the study's validation loss, all that it printed.

    Args:
        trainings: `summary.json` of every training; controls left out.
        scores: rows of `clusterings`, of one level.
        published: the study's tables.
    """
    losses = pd.DataFrame(
        [(item["model"], item["reconstruction"]) for item in trainings if not item["note"]],
        columns=["model", "loss"],
    )
    losses["loss"] = pd.to_numeric(losses["loss"])
    loss = losses.dropna().groupby("model")["loss"].agg(["mean", "size"])
    nmi = scores[scores["metric"] == "nmi"].dropna(subset=["value"])
    means = nmi.groupby(["task", "model", "supervision"], sort=False)["value"].mean().reset_index()
    means = means[means["model"].isin(loss.index)]
    ours = pd.DataFrame(
        {
            "source": OURS,
            "task": means["task"],
            "model": means["model"].map(published.called),
            "loss": means["model"].map(loss["mean"]),
            "nmi": means["value"],
            "seeds": means["model"].map(loss["size"]),
            "supervision": means["supervision"],
        }
    )
    theirs = published.summary.merge(published.training, on="model")
    theirs = theirs.assign(source=PUBLISHED, loss=theirs["validation_loss"], nmi=theirs["nmi_mean"])
    frame = pd.concat([ours, theirs.reindex(columns=list(POINT_COLUMNS))], ignore_index=True)
    return frame[list(POINT_COLUMNS)].dropna(subset=["loss", "nmi"]).reset_index(drop=True)


def correlation_table(frame: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """`COLUMNS`: per source and task, correlation of loss and NMI over models.

    The bounds are the 2.5% and 97.5% percentiles of bootstrap draws over models. Below `MIN_MODELS`
    models all is null with a note.

    Args:
        frame: what `points` returns.
        draws: bootstrap draws.
        seed: of the draws.
    """
    rows = []
    for (source, task), group in frame.groupby(["source", "task"], sort=False):
        row: dict[str, Any] = {"source": source, "task": task, "models": len(group)}
        x, y = group["loss"].to_numpy(float), group["nmi"].to_numpy(float)
        if len(group) < MIN_MODELS:
            row["note"] = f"fewer than {MIN_MODELS} models reconstruct and have a score"
        elif np.ptp(x) == 0 or np.ptp(y) == 0:
            row["note"] = "all models have the same value"
        else:
            drawn = np.random.default_rng(seed).integers(0, len(x), (draws, len(x)))
            for name, a, b in (
                ("spearman", rankdata(x), rankdata(y)),
                ("pearson", x, y),
            ):
                again = (x[drawn], y[drawn])
                if name == "spearman":
                    again = (rankdata(again[0], axis=1), rankdata(again[1], axis=1))
                row[name] = float(_pearson(a, b))
                spread = _pearson(*again)
                low, high = np.nanquantile(spread, [0.025, 0.975])
                row |= {f"{name}_low": float(low), f"{name}_high": float(high)}
        rows.append(row)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(COLUMNS[3:9], float))


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r along the last axis; NaN where one side does not vary."""
    x = x - x.mean(axis=-1, keepdims=True)
    y = y - y.mean(axis=-1, keepdims=True)
    scale = np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 0, (x * y).sum(axis=-1) / scale, np.nan)


def reconstruction_sheet(frame: pd.DataFrame, corpus_name: str, level: str) -> Sheet:
    """`paper_reconstruction`: the arguments are those of `correlation_table` and the heading's."""
    table = correlation_table(frame)
    return Sheet(
        "paper_reconstruction",
        table,
        f"Reconstruction loss against NMI: {corpus_name}",
        [
            f"Over models, each with the mean NMI of its clusterings at level {level}; negative: "
            "models that reconstruct better cluster better. Bounds: 95% bootstrap percentiles over "
            "models. ours: squared error per value; published: the study's validation loss."
        ],
        narrow=table.drop(columns="note"),
    )
