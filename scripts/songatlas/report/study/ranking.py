"""Models by what their clusters have in common with the labels, with intervals and chance."""

import numpy as np
import pandas as pd

from songatlas.evaluation.bootstrap import COVERAGE

KINDS = ("baseline", "trained")

COLUMNS = (
    "task",
    "rank",
    "model",
    "kind",
    "supervision",
    "control",
    "nmi",
    "songs_low",
    "songs_high",
    "seeds_low",
    "seeds_high",
    "chance",
    "above_chance",
    "ami",
    "seeds",
    "n",
)


def ranking_table(
    scores: pd.DataFrame, trained: frozenset[str], controls: dict[str, str]
) -> pd.DataFrame:
    """`COLUMNS`: per task, models by falling NMI above chance (null last).

    `nmi` is the mean over algorithms and seeds. `songs_*` are its 95% bounds over songs: bootstrap
    bounds of every clustering, averaged; `seeds_*` over seeds: t intervals of the means per seed,
    null with one seed. `kind` is `trained` or `baseline`, which weights that saw other people's
    labels are too; controls have no rank.

    Args:
        scores: rows of `clusterings`, of one level.
        trained: names of the trained models.
        controls: what a control controls, by model.
    """
    rows = []
    for (task, model), group in scores.groupby(["task", "model"], sort=False):
        supervision = group["supervision"].iloc[0]
        nmi = group[(group["metric"] == "nmi") & group["value"].notna()]
        per_seed = nmi.groupby("seed")["value"].mean()
        mean = float(per_seed.mean()) if len(per_seed) else np.nan
        chance = float(nmi["chance"].mean()) if len(nmi) else np.nan
        low, high = seed_interval(per_seed)
        rows.append(
            {
                "task": task,
                "model": model,
                "kind": KINDS[model in trained and supervision != "elsewhere"],
                "supervision": supervision,
                "control": controls.get(str(model)),
                "nmi": mean,
                "songs_low": nmi["ci_low"].mean(),
                "songs_high": nmi["ci_high"].mean(),
                "seeds_low": low,
                "seeds_high": high,
                "chance": chance,
                "above_chance": mean - chance,
                "ami": group.loc[group["metric"] == "ami", "value"].mean(),
                "seeds": len(per_seed),
                "n": nmi["n"].max() if len(nmi) else 0,
            }
        )
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    tasks = {task: i for i, task in enumerate(dict.fromkeys(scores["task"]))}
    order = pd.DataFrame(
        {
            "task": frame["task"].map(tasks),
            "gap": -(frame["nmi"] - frame["chance"].fillna(0.0)).astype(float),
        }
    )
    frame = frame.loc[order.sort_values(["task", "gap"], kind="stable").index]
    ranked = frame["nmi"].notna() & frame["control"].isna()
    frame["rank"] = ranked.groupby(frame["task"]).cumsum().where(ranked).astype("Int64")
    return frame.reset_index(drop=True).astype({"n": "Int64", "seeds": "Int64"})


def seed_interval(per_seed: pd.Series) -> tuple[float, float]:
    """95% t interval of the mean of one value per seed; NaN with fewer than two."""
    from scipy.stats import t

    n = len(per_seed)
    if n < 2:
        return np.nan, np.nan
    half = float(t.ppf((1.0 + COVERAGE) / 2.0, n - 1)) * float(per_seed.std(ddof=1)) / np.sqrt(n)
    return float(per_seed.mean() - half), float(per_seed.mean() + half)
