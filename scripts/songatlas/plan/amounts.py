"""How much music a run is of: counted where the corpus is known, else guessed from file sizes."""

from dataclasses import dataclass

from songatlas.plan.workflow import BYTES_PER_S, DEMO_SONG_S, DEMO_SONGS, Plan


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
