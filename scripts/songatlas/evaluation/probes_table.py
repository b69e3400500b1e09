"""Probes of every representation: one table per model and seed, and all of them together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.levels import points_of
from songatlas.config.evaluation import Probes
from songatlas.corpus.shared_splits import recordings
from songatlas.evaluation import layout
from songatlas.evaluation.factors import factor
from songatlas.evaluation.probing import LINEAR, probe, unknown

ARTIST = "artist"

COLUMNS = [
    "model",
    "task",
    "probe",
    "metric",
    "value",
    "sd",
    "seeds",
    "ci_low",
    "ci_high",
    "chance",
    "n",
    "classes",
    "supervision",
    "note",
]

EXPLAINED = (
    "Accuracy (classes) or R² (numbers) of a predictor on frozen vectors of songs, "
    "cross-validated, with its 95% bootstrap interval over songs of the first seed, and in "
    "parentheses what a predictor without vectors reaches (the most frequent class, or the mean). "
    "The songs of an artist are never on both sides of a fold, but where the artist is what is "
    "read. After MARBLE (Yuan et al. 2023).",
    "With several seeds: mean ± standard deviation over seeds.",
)


def groups_of(
    labels: pd.DataFrame,
    songs: Sequence[str],
    *,
    apart: bool,
    recording_of: Mapping[str, str] | None = None,
) -> list[str]:
    """The artist of every song, or the song where none is known or artists need not be apart.

    Near copies count as their recording (`shared_splits.recordings`), so they are never apart.
    """
    songs = [(recording_of or {}).get(song, song) for song in songs]
    artist = labels.set_index("track_id")["artist"]
    return [
        f"artist {artist[song]}"
        if apart and song in artist.index and pd.notna(artist[song]) and artist[song]
        else f"song {song}"
        for song in songs
    ]


def measure(
    latents: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    model: str,
    seed: int,
    supervision: str,
    settings: Probes,
    recording_of: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Rows of `tables.PROBES` of one model and seed.

    Args:
        latents: rows of the latents table; songs count, as the mean of their windows or by a vector
            of their own.
        labels: `track_id`, `artist`, `language`, `genre` and every `factor_` column.
        recording_of: by near copy its recording; one recording is never on both sides of a fold.
    """
    points = points_of(latents, "song")
    songs = [str(song) for song in points.track_ids]
    known = labels.assign(**{f"factor_{ARTIST}": labels[ARTIST]})
    rows = []
    for task in settings.tasks:
        target = factor(known, task, songs)
        groups = groups_of(labels, songs, apart=task != ARTIST, recording_of=recording_of)
        for name, hidden in ((LINEAR, None), (f"mlp_{settings.hidden}", settings.hidden)):
            found = unknown("it has no vectors of songs")
            if songs:
                found = probe(
                    points.z,
                    target,
                    groups,
                    folds=settings.folds,
                    seed=settings.seed,
                    hidden=hidden,
                )
            rows.append(
                {
                    "model": model,
                    "seed": seed,
                    "task": task,
                    "probe": name,
                    "metric": "accuracy" if target.categorical else "r_squared",
                    "value": found.value,
                    "ci_low": found.ci_low,
                    "ci_high": found.ci_high,
                    "chance": found.chance,
                    "n": found.n,
                    "classes": found.classes,
                    "supervision": supervision,
                    "note": found.note,
                }
            )
    frame = pd.DataFrame(rows, columns=list(tables.PROBES.columns))
    frame["classes"] = frame["classes"].astype("Int32")
    frame["note"] = frame["note"].astype(object).where(frame["note"].notna(), None)
    return frame


def write_probes(
    latents_path: str | Path,
    classes_path: str | Path,
    factors_path: str | Path,
    output: str | Path,
    *,
    model: str,
    seed: int,
    settings: Probes,
    near_copies: str | Path | None = None,
) -> None:
    """Read one model's latents and the corpus views `classes` and `factors`, write its probes.

    Numerical libraries are kept to one thread, so that the result does not depend on their number.
    """
    from threadpoolctl import threadpool_limits

    factors = tables.read(factors_path, tables.LABELS)
    artist = tables.read(classes_path, tables.LABELS).set_index("track_id")["artist"]
    labels = factors.assign(artist=factors["track_id"].map(artist))
    with threadpool_limits(1):
        frame = measure(
            tables.read(latents_path, tables.LATENTS),
            labels,
            model=model,
            seed=seed,
            supervision=tables.read_metadata(latents_path).get("supervision", "none"),
            settings=settings,
            recording_of=recordings(near_copies),
        )
    tables.write(frame, output, tables.PROBES, {"model": model, "seed": seed})


def gather(frames: Sequence[pd.DataFrame], models: Sequence[str]) -> pd.DataFrame:
    """One row per task, probe and model: mean and deviation over seeds, best first in a task."""
    rows = pd.concat(frames, ignore_index=True)
    keys = ["model", "task", "probe", "metric"]
    grouped = rows.groupby(keys, sort=False, as_index=False).agg(
        value=("value", "mean"),
        sd=("value", "std"),
        seeds=("seed", "nunique"),
        ci_low=("ci_low", "first"),
        ci_high=("ci_high", "first"),
        chance=("chance", "mean"),
        n=("n", "max"),
        classes=("classes", "first"),
        supervision=("supervision", "first"),
        note=("note", "first"),
    )
    place = {name: at for at, name in enumerate(models)}
    tasks = {task: at for at, task in enumerate(dict.fromkeys(rows["task"]))}
    order = np.lexsort((grouped["model"].map(place), grouped["probe"], grouped["task"].map(tasks)))
    return grouped.iloc[order][COLUMNS].reset_index(drop=True)


def for_readers(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per task and model, the probes as columns, best linear probe first."""
    rows = []
    for task, group in frame.groupby("task", sort=False):
        own = []
        for model, of_model in group.groupby("model", sort=False):
            first = of_model.iloc[0]
            row: dict[str, object] = {"task": task, "model": model}
            row |= {"supervision": first["supervision"], "n": int(first["n"])}
            row |= {str(one["probe"]): _cell(one) for _, one in of_model.iterrows()}
            linear = of_model.loc[of_model["probe"] == LINEAR, "value"]
            own.append((-float(linear.iloc[0]) if linear.notna().all() else np.inf, row))
        rows += [row for _, row in sorted(own, key=lambda pair: pair[0])]
    return pd.DataFrame(rows)


def _cell(row: pd.Series) -> str | None:
    if pd.isna(row["value"]):
        return None
    text = f"{row['value']:.3f}"
    text += f" ± {row['sd']:.3f}" if pd.notna(row["sd"]) else ""
    return f"{text} [{row['ci_low']:.2f}, {row['ci_high']:.2f}] ({row['chance']:.3f})"


def _unmeasured(frame: pd.DataFrame) -> list[str]:
    """One sentence per reason for which models have no number."""
    rows = frame[frame["value"].isna() & (frame["probe"] == LINEAR)]
    groups = rows.groupby(["task", rows["note"].fillna("no value")], sort=False)
    return [
        f"Not measured: {task} ({note}): {', '.join(group['model'])}."
        for (task, note), group in groups
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
    """Gather the probes of all models."""
    frame = gather([tables.read(path, tables.PROBES) for path in paths], models)
    sheet = layout.Sheet(
        "probes",
        frame.assign(corpus=corpus_name),
        f"Probes: {corpus_name}",
        [*EXPLAINED, *_unmeasured(frame)],
        shown=for_readers(frame),
        caption=EXPLAINED,
    )
    layout.write_sheet(sheet, (csv, md, tex), card)
