"""How much each modality moves the clusters, on a case whose answer is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation.modalities import write_modalities
from songatlas.evaluation.scores import write_clusters_and_scores

BLOCKS = {"audio": [0, 3], "lyrics": [3, 7]}
N = 48
CLUSTERING = Clustering(n_init=2, k=[], levels=["song"], algorithms=["kmeans", "agglomerative"])
EVALUATION = Evaluation(
    tasks=["language", "genre"], permutations=5, bootstraps=0, summary_algorithms=["kmeans"]
)


def write(path: Path, z: np.ndarray, keep: int = N) -> Path:
    names = [f"t{i:02d}" for i in range(keep)]
    frame = tables.empty(tables.LATENTS)
    if keep:
        frame = tables.latents_frame("song", None, names, ["train"] * keep, z[:keep])
    metadata = {"model": "fused", "supervision": "none", "blocks": BLOCKS}
    tables.write(frame, path, tables.LATENTS, metadata)
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Three genres and four languages, independent of each other."""
    frame = tables.empty(tables.LABELS).reindex(range(N))
    frame["track_id"] = [f"t{i:02d}" for i in range(N)]
    frame["genre"] = [f"g{i % 3}" for i in range(N)]
    frame["language"] = [f"l{i // 3 % 4}" for i in range(N)]
    tables.write(frame, tmp_path / "labels.parquet", tables.LABELS)
    return tmp_path / "labels.parquet"


def clusters(folder: Path, labels: Path, seed: int, heard: int = N) -> Path:
    """Clusters of a model whose `heard` first songs have audio."""
    genre, language = np.arange(N) % 3, np.arange(N) // 3 % 4
    z = np.concatenate([5.0 * np.eye(3)[genre], 5.0 * np.eye(4)[language]], axis=1)
    z += np.random.default_rng(0).normal(scale=0.3, size=z.shape)
    path = folder / f"seed-{seed}.parquet"
    write_clusters_and_scores(
        write(folder / "full.parquet", z),
        labels,
        path,
        folder / "scores.parquet",
        folder / "continuity.parquet",
        model="fused",
        seed=seed,
        clustering=CLUSTERING,
        evaluation=EVALUATION,
        sound_path=write(folder / "sound.parquet", z * np.repeat([1.0, 0.0], [3, 4]), heard),
        words_path=write(folder / "words.parquet", z * np.repeat([0.0, 1.0], [3, 4])),
    )
    return path


def table(tmp_path: Path, files: list[Path], labels: Path) -> pd.DataFrame:
    outputs = {kind: tmp_path / f"m.{kind}" for kind in ("csv", "md", "tex")}
    write_modalities(files, labels, **outputs, evaluation=EVALUATION)
    return pd.read_csv(tmp_path / "m.csv").set_index("task")


def test_each_modality_alone_has_what_it_carries(tmp_path: Path, labels: Path) -> None:
    found = table(tmp_path, [clusters(tmp_path, labels, seed) for seed in (0, 1)], labels)
    assert set(found["model"]) == {"fused"}
    for task, carrier, other in (("genre", "mel", "lyrics"), ("language", "lyrics", "mel")):
        row = found.loc[task]
        assert row[f"nmi_{carrier}_mean"] == pytest.approx(1.0)
        assert row[f"nmi_{other}_mean"] < 0.2
        assert row["nmi_full_mean"] > row[f"nmi_{other}_mean"]
        assert row["chance_mean"] < 0.3
        assert row["nmi_full_sd"] == 0.0
    text = (tmp_path / "m.md").read_text(encoding="utf-8")
    assert "1.000 ± 0.000" in text
    assert "2 seeds" in text


def test_songs_without_audio_are_compared_with_nothing(tmp_path: Path, labels: Path) -> None:
    some = table(tmp_path, [clusters(tmp_path, labels, 0, heard=24)], labels)
    assert list(some["n"]) == [N, N]
    assert some.loc["genre", "nmi_mel_mean"] == pytest.approx(1.0)
    none = table(tmp_path, [clusters(tmp_path, labels, 0, heard=0)], labels)
    assert none[["nmi_mel_mean", "ami_full_mel_mean"]].isna().all(axis=None)
    assert none["nmi_full_mean"].notna().all()
