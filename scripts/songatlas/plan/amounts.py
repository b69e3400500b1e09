"""How much music a run is of, counted or guessed, and what jobs were seen to take of it."""

import csv
from dataclasses import dataclass

from songatlas.config.models import Model
from songatlas.files import PROJECT
from songatlas.plan.corpus_files import BYTES_PER_S, DEMO_SONG_S, DEMO_SONGS
from songatlas.plan.workflow import Plan

RATES = PROJECT / "resources" / "rates.csv"

FULL_SIZE = 128 * 1292
"""Values of the spectrograms that trainings were measured on."""


@dataclass(frozen=True)
class Rate:
    """CPU seconds: `job_s` of each job and `each_s` of each hour, song, window or row.

    `weights_mb` are those of a trained model, at `FULL_SIZE`.
    """

    job_s: float
    per: str
    each_s: float
    weights_mb: float


def rates() -> dict[str, Rate]:
    """Of every rule, and of every architecture's training, that was measured."""
    with RATES.open(encoding="utf-8", newline="") as file:
        return {
            row["job"]: Rate(
                float(row["job_s"]),
                row["per"],
                float(row["each_s"]),
                float(row["weights_mb"] or 0),
            )
            for row in csv.DictReader(file)
        }


def training_of(model: Model) -> str:
    """What a model's training is called among the rates."""
    return f"train {model.architecture}" + (" of vectors" if model.vectors else "")


@dataclass(frozen=True)
class Amounts:
    """Songs, their hours and their windows."""

    songs: int
    hours: float
    windows: int
    known: bool
    """Whether songs have been opened; otherwise the sizes of their files say how long they are."""


def amounts(plan: Plan) -> Amounts:
    """Those of the corpus's tables, or a guess."""
    return _counted(plan) or _guessed(plan)


def _counted(plan: Plan) -> Amounts | None:
    import pyarrow.parquet as pq
    from pyarrow.compute import sum as total

    try:
        songs = pq.read_table(plan.path("corpus", "tracks.parquet"), columns=["duration_s"])
        windows = pq.read_metadata(plan.path("corpus", "windows.parquet")).num_rows
    except OSError:
        return None
    seconds = total(songs["duration_s"]).as_py() or 0.0
    return Amounts(songs.num_rows, seconds / 3600, int(windows), known=True)


def _guessed(plan: Plan) -> Amounts:
    lengths_s = [size / BYTES_PER_S[suffix] for suffix, size in plan.audio_bytes]
    if plan.config.corpus == "demo":
        lengths_s = [DEMO_SONG_S] * DEMO_SONGS
    length_s, hop_s = plan.config.windows.length_s, plan.config.windows.hop_s
    windows = sum(int(max(0.0, seconds - length_s) // hop_s) + 1 for seconds in lengths_s)
    return Amounts(len(lengths_s), sum(lengths_s) / 3600, windows, known=False)
