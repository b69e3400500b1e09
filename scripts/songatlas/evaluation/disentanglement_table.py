"""The disentanglement of every model: one table per model and seed, and all of them together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.levels import points_of
from songatlas.config.evaluation import Disentanglement
from songatlas.evaluation import layout
from songatlas.evaluation.chance import generator
from songatlas.evaluation.disentanglement import ALL, METRICS, disentanglement
from songatlas.evaluation.factors import factor


def bound_correlation(
    z: np.ndarray, attribute: np.ndarray, songs: Sequence[str], *, permutations: int, seed: int
) -> tuple[float, float, int]:
    """Spearman correlation of a dimension with an attribute over windows, and that of chance.

    Args:
        z: (n,) the bound dimension.
        attribute: (n,), NaN where unknown; those windows are left out.
        songs: (n,) the song of each window.
        permutations: how often songs are permuted. A window then takes the attribute of a window
            of another song, at the same place where it is as long: windows of one song are alike.

    Returns:
        The correlation (NaN when fewer than three windows or no variation), the mean of its
        absolute value by chance, and the number of windows.
    """
    from scipy.stats import rankdata

    known = np.isfinite(attribute) & np.isfinite(z)
    z, attribute = z[known], attribute[known]
    n = len(z)
    if n < 3 or np.ptp(z) == 0 or np.ptp(attribute) == 0:
        return np.nan, np.nan, n
    ids, of_window = np.unique(np.asarray(songs)[known], return_inverse=True)
    rows = [np.flatnonzero(of_window == song) for song in range(len(ids))]
    ranks, other = rankdata(z), rankdata(attribute)
    rng = generator(seed, "bound dimensions")
    by_chance = []
    for _ in range(permutations):
        taken = np.empty(n, np.int64)
        for own, partner in zip(rows, rng.permutation(len(ids)), strict=True):
            taken[own] = np.resize(rows[partner], len(own))
        by_chance.append(abs(_pearson(ranks, other[taken])))
    chance = float(np.mean(by_chance)) if by_chance else np.nan
    return _pearson(ranks, other), chance, n


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0


HELD_OUT = ("validation", "test")
BOUND = "attribute_correlation"
BOUND_HELD_OUT = "attribute_correlation_held_out"

COLUMNS = [
    "model",
    "level",
    "factor",
    "metric",
    "value",
    "sd",
    "seeds",
    "chance",
    "n",
    "supervision",
    "note",
]

HEADINGS = {
    "mig": "MIG",
    "sap": "SAP",
    "dci_disentanglement": "DCI-D",
    "dci_completeness": "DCI-C",
    "dci_informativeness": "DCI-I",
}

EXPLAINED = (
    "Value (chance). Each is 1 where every factor has a dimension to itself; chance deals out the "
    "factors to songs at random. MIG: mutual information gap (Chen et al. 2018). SAP: separated "
    "attribute predictability (Kumar et al. 2018). DCI-D, DCI-C, DCI-I: disentanglement, "
    "completeness, informativeness (Eastwood & Williams 2018), from random forests.",
    "With several seeds: mean ± standard deviation over seeds.",
)


def measure(
    latents: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    model: str,
    seed: int,
    supervision: str,
    note: str | None,
    settings: Disentanglement,
    evaluation_seed: int,
    bound: Mapping[str, int] | None = None,
    attributes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Rows of `tables.DISENTANGLEMENT` of one model and seed.

    Args:
        latents: rows of the latents table.
        labels: rows of the corpus view `factors`.
        note: what the latents' own metadata say; it is passed on to every row.
        bound: which dimension is bound to which attribute.
        attributes: of the windows: `window_id` and one column per bound attribute.
    """
    rows: list[tuple[object, ...]] = []
    for level in settings.levels:
        points = points_of(latents, level)
        ids, songs = np.unique(np.array(points.track_ids, object), return_inverse=True)
        factors = [factor(labels, name, [str(i) for i in ids]) for name in settings.factors]
        for found in disentanglement(
            points.z,
            songs,
            factors,
            permutations=settings.permutations,
            trees=settings.trees,
            seed=evaluation_seed,
        ):
            rows.append(
                (level, found.factor, found.metric, found.value, found.chance, found.n, found.note)
            )
    if bound and attributes is not None:
        rows += _bound_rows(latents, bound, attributes, settings.permutations, evaluation_seed)
    columns = ["level", "factor", "metric", "value", "chance", "n", "note"]
    frame = pd.DataFrame(rows, columns=columns)
    notes = ["; ".join(str(text) for text in (note, row[-1]) if text) or None for row in rows]
    frame = frame.assign(model=model, seed=seed, supervision=supervision)
    frame["note"] = pd.Series(notes, frame.index, dtype=object)
    return frame[list(tables.DISENTANGLEMENT.columns)]


def _bound_rows(
    latents: pd.DataFrame,
    bound: Mapping[str, int],
    attributes: pd.DataFrame,
    permutations: int,
    seed: int,
) -> list[tuple[object, ...]]:
    windows = latents[latents["level"] == "window"].merge(attributes, on="window_id", how="left")
    rows: list[tuple[object, ...]] = []
    for metric, some in (
        (BOUND, windows),
        (BOUND_HELD_OUT, windows[windows["split"].isin(HELD_OUT)]),
    ):
        z = np.stack(list(some["z"])) if len(some) else np.zeros((0, max(bound.values()) + 1))
        for name, dimension in bound.items():
            value, chance, n = bound_correlation(
                z[:, dimension].astype(np.float64),
                some[name].to_numpy(np.float64),
                list(some["track_id"]),
                permutations=permutations,
                seed=seed,
            )
            note = f"Spearman with dimension {dimension}"
            if np.isnan(value):
                note += ": too few windows or no variation"
            rows.append(("window", name, metric, value, chance, n, note))
    return rows


def window_attributes_of(
    logmel: Sequence[str | Path], names: Sequence[str], frame_rate_hz: float
) -> pd.DataFrame:
    """`window_id` and the named attributes of every window, read block by block."""
    import torch

    from songatlas.models.attributes import window_attributes

    blocks = []
    for ids, values in tables.iter_feature(logmel):
        found = window_attributes(torch.from_numpy(values.copy()), names, frame_rate_hz)
        blocks.append(pd.DataFrame(found.numpy(), columns=list(names)).assign(window_id=ids))
    return pd.concat(blocks) if blocks else pd.DataFrame(columns=["window_id", *names])


def write_disentanglement(
    latents_path: str | Path,
    factors_path: str | Path,
    path: str | Path,
    *,
    model: str,
    seed: int,
    settings: Disentanglement,
    evaluation_seed: int,
    bound: Mapping[str, int] | None = None,
    attributes: pd.DataFrame | None = None,
) -> None:
    """Read one model's latents and the corpus view `factors`, write `tables.DISENTANGLEMENT`.

    Numerical libraries are kept to one thread, so that the result does not depend on their number.
    """
    from threadpoolctl import threadpool_limits

    info = tables.read_metadata(latents_path)
    supervision = info.get("supervision", "none")
    with threadpool_limits(1):
        frame = measure(
            tables.read(latents_path, tables.LATENTS),
            tables.read(factors_path, tables.LABELS),
            model=model,
            seed=seed,
            supervision=supervision,
            note=info.get("note") or None,
            settings=settings,
            evaluation_seed=evaluation_seed,
            bound=bound,
            attributes=attributes,
        )
    metadata = {"model": model, "seed": seed, "supervision": supervision}
    tables.write(frame, path, tables.DISENTANGLEMENT, metadata)


def gather(frames: Sequence[pd.DataFrame], models: Sequence[str]) -> pd.DataFrame:
    """One row per model, level, factor and metric: mean and deviation over seeds."""
    rows = pd.concat(frames, ignore_index=True)
    keys = ["model", "level", "factor", "metric"]
    grouped = rows.groupby(keys, sort=False, as_index=False).agg(
        value=("value", "mean"),
        sd=("value", "std"),
        seeds=("seed", "nunique"),
        chance=("chance", "mean"),
        n=("n", "max"),
        supervision=("supervision", "first"),
        note=("note", "first"),
    )
    place = {name: at for at, name in enumerate(models)}
    order = grouped["model"].map(place)
    return grouped.iloc[np.argsort(order, kind="stable")][COLUMNS].reset_index(drop=True)


def for_readers(frame: pd.DataFrame) -> pd.DataFrame:
    """Metrics as columns, `value ± sd (chance)`; models under one another, by level and factor."""
    rows = []
    for (level, name), group in frame[frame["metric"].isin(METRICS)].groupby(
        ["level", "factor"], sort=False
    ):
        for model, own in group.groupby("model", sort=False):
            row = {"level": level, "factor": name, "model": model}
            row |= {"supervision": own["supervision"].iloc[0], "n": int(own["n"].max())}
            rows.append(row | {h: _cell(own, metric) for metric, h in HEADINGS.items()})
    columns = ["level", "factor", "model", "supervision", "n", *HEADINGS.values()]
    return pd.DataFrame(rows, columns=columns)


def bound_for_readers(frame: pd.DataFrame) -> pd.DataFrame:
    """Attributes that models bind dimensions to: correlations over all and held-out windows."""
    rows = []
    for (model, name), own in frame[frame["metric"].isin((BOUND, BOUND_HELD_OUT))].groupby(
        ["model", "factor"], sort=False
    ):
        rows.append(
            {
                "model": model,
                "attribute": name,
                "all windows": _cell(own, BOUND),
                "held-out windows": _cell(own, BOUND_HELD_OUT),
                "note": own["note"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def _cell(rows: pd.DataFrame, metric: str) -> str | None:
    of_metric = rows[(rows["metric"] == metric) & rows["value"].notna()]
    if of_metric.empty:
        return None
    row = of_metric.iloc[0]
    text = f"{row['value']:.3f}"
    text += f" ± {row['sd']:.3f}" if pd.notna(row["sd"]) else ""
    return text + (f" ({row['chance']:.3f})" if pd.notna(row["chance"]) else "")


def _unmeasured(frame: pd.DataFrame) -> list[str]:
    """One sentence per reason for which models have no number."""
    rows = frame[frame["value"].isna() & (frame["metric"] == METRICS[0])]
    groups = rows.groupby(["level", "factor", rows["note"].fillna("no value")], sort=False)
    return [
        f"Not measured at level {level}, factor {name} ({note}): {', '.join(group['model'])}."
        for (level, name, note), group in groups
    ]


def write_table(
    paths: Sequence[str | Path],
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    models: Sequence[str],
    corpus_name: str,
    card: str | None = None,
) -> None:
    """Gather the tables of all models; CSV has every row, LaTeX the means over factors."""
    frame = gather([tables.read(path, tables.DISENTANGLEMENT) for path in paths], models)
    more, bound = "", bound_for_readers(frame)
    if len(bound):
        said = "Value (chance): Spearman correlation over windows; chance permutes songs."
        more = "\n" + layout.markdown(bound, "Bound dimensions", notes=[said])
    sheet = layout.Sheet(
        "disentanglement",
        frame.assign(corpus=corpus_name),
        f"Disentanglement: {corpus_name}",
        [*EXPLAINED, *_unmeasured(frame)],
        shown=for_readers(frame),
        narrow=for_readers(frame[frame["factor"] == ALL]).drop(columns="factor"),
        caption=["Mean over factors.", *EXPLAINED],
        more=more,
    )
    layout.write_sheet(sheet, (csv, md, tex), card)
