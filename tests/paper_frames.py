"""Made-up tables of a run, for tests of the reference study's tables, figures and text."""

import numpy as np
import pandas as pd

from songatlas.evaluation import metrics
from songatlas.evaluation.columns import LEAKAGE, TESTS
from songatlas.evaluation.comparison import COLUMNS

MODELS = {
    "conv_vae": "none",
    "cvae_genre": "labels",
    "vade_small": "none",
    "raw": "none",
    "mine": "none",
    "shuffled": "labels",
}
TRAINED = frozenset(["conv_vae", "cvae_genre", "vade_small", "mine", "shuffled"])
CONTROLS = {"shuffled": "shuffled_labels"}
TASKS = ("language", "genre")
ALGORITHMS = ("kmeans", "agglomerative", "gmm")
LEVELS = ("window", "song", "song_vote")
CORPUS = "Tunes & $ongs_100% \\input{x}"


def scores(seeds: int = 2, levels: tuple[str, ...] = LEVELS) -> pd.DataFrame:
    """Rows of `clusterings`: every value differs, so that a wrong row shows."""
    rng = np.random.default_rng(0)
    rows = []
    for model, supervision in MODELS.items():
        for seed in range(seeds if model in TRAINED else 1):
            for level in levels:
                for algorithm in ALGORITHMS:
                    for task in TASKS:
                        for metric in metrics.METRICS:
                            value = float(rng.uniform(0.05, 0.9))
                            rows.append(
                                {
                                    "model": model,
                                    "supervision": supervision,
                                    "seed": seed,
                                    "level": level,
                                    "algorithm": algorithm,
                                    "k": 3,
                                    "task": task,
                                    "metric": metric,
                                    "value": value,
                                    "ci_low": value - 0.04,
                                    "ci_high": value + 0.04,
                                    "chance": 0.1 if metric == "nmi" else np.nan,
                                    "n": 48,
                                    "note": None,
                                }
                            )
    return pd.DataFrame(rows)


def comparison(frame: pd.DataFrame) -> pd.DataFrame:
    """What `tables/comparison.csv` says of these scores, and a model without any."""
    rows = []
    for (model, task, level), group in frame.groupby(["model", "task", "level"], sort=False):
        row = {"model": model, "task": task, "level": level, "n": 48, "chance_nmi": 0.1}
        row["supervision"] = MODELS[str(model)]
        for metric, values in group.groupby("metric")["value"]:
            row |= {f"{metric}_mean": values.mean(), f"{metric}_sd": values.std(ddof=1)}
        rows.append(row | {"best_nmi": 0.9, "best_chance_nmi": 0.3})
    for task in TASKS:
        for level in LEVELS:
            absent = {"model": "absent", "task": task, "level": level, "supervision": "none"}
            rows.append(absent | {"n": 0, "note": "no songs to cluster"})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def corpus(
    per_cell: int = 2,
    genres: tuple[str | None, ...] = ("pop", "rock", "Hip Hop"),
    languages: tuple[str | None, ...] = ("ar", "en", "es", "hi"),
    windows_per_song: int = 3,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tracks, labels and windows: `per_cell` songs of every language and genre."""
    cells = [(a, b) for a in languages for b in genres for _ in range(per_cell)]
    ids = [f"{i:016x}" for i in range(len(cells))]
    n = len(cells)
    splits = ["train"] * (n - 2) + ["validation", "test"]
    tracks = pd.DataFrame(
        {
            "track_id": ids,
            "audio_path": [None if i == 0 else f"{i}.wav" for i in range(n)],
            "duration_s": [np.nan if i == 0 else 360.0 for i in range(n)],
            "lyrics": ["words" if i % 2 else "" for i in range(n)],
            "split": splits,
        }
    )
    labels = pd.DataFrame(
        {
            "track_id": ids,
            "language": [language for language, _ in cells],
            "genre": [genre for _, genre in cells],
            "artist": [None if i == 1 else f"artist {i // 2}" for i in range(n)],
        }
    )
    windows = pd.DataFrame(
        {"track_id": [song for song in ids[1:] for _ in range(windows_per_song)]}
    )
    return tracks, labels, windows


def summaries(scale: str = "paper") -> list[dict]:
    """`summary.json` of every training."""
    rows = []
    for i, model in enumerate(sorted(TRAINED)):
        for seed in range(2):
            rows.append(
                {
                    "model": model,
                    "seed": seed,
                    "note": None,
                    "loss_scale": scale,
                    "parameters": 64_458_049 + i,
                    "latent_dim": 128,
                    "monitor_reason": None,
                    "kl_per_unit": [0.1],
                    "variance_per_unit": [0.1],
                    "epochs": 10 + seed,
                    "best_epoch": 9,
                    "best_validation_loss": 0.5 + 0.1 * seed,
                    "reconstruction": None if model == "mine" else 0.4 + 0.05 * i,
                    "reconstruction_db": 9.0,
                    "kl": 3.0,
                    "mutual_information": 1.0,
                    "active_units": 100,
                    "seconds": 12.0,
                    "seconds_per_epoch": 1.0,
                    "batch_note": None,
                    "time_note": None,
                    "peak_memory_gb": 0.5,
                }
            )
    return rows


def architectures() -> pd.DataFrame:
    """Rows of `tables/architectures.csv`."""
    return pd.DataFrame(
        {
            "model": sorted(TRAINED),
            "type": "VAE",
            "parameters": pd.array([64_458_049] * 4 + [None], dtype="Int64"),
            "latent_dim": 128,
            "compression": "1292:1",
            "key_feature": "50% of \\input{x} & more_of $ it",
        }
    )


def paired_tests(p_holm: float = 0.01) -> pd.DataFrame:
    """Rows of `tables/tests.csv`: one pair."""
    row = ["genre", "nmi", "song_vote", "conv_vae", "vade_small", 5, 0.6, 0.3, 0.3, 0.2, 0.4]
    return pd.DataFrame([[*row, 1.2, 0.9, p_holm / 2, p_holm, None]], columns=list(TESTS))


def leakage(window: float = 0.8) -> pd.DataFrame:
    """Rows of `tables/leakage.csv`: one model in one task."""
    rows = []
    for split, value in (("song", 0.3), ("window", window)):
        about = ["conv_vae", "conv_vae_windows", "genre", "nmi", split]
        rows.append([*about, value, 0.01, value - 0.05, value + 0.05, 0.1, 48, None])
    return pd.DataFrame(rows, columns=list(LEAKAGE))
