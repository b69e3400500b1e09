"""How much each modality moves the clusters, on a case whose answer is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.clustering import gate
from songatlas.config import Clustering, Evaluation
from songatlas.evaluation.modalities import write_modalities

BLOCKS = {"audio": [0, 3], "lyrics": [3, 7]}


def write(path: Path, z: np.ndarray) -> Path:
    names = [f"t{i:02d}" for i in range(len(z))]
    frame = tables.latents_frame("song", None, names, ["train"] * len(z), z)
    metadata = {"model": "fused", "supervision": "none", "blocks": BLOCKS, "gate": "stability"}
    tables.write(frame, path, tables.LATENTS, metadata)
    return path


def test_each_task_is_lost_with_the_modality_that_carries_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "DRAWS", 5)  # for speed
    rng = np.random.default_rng(0)
    n = 48
    genre, language = np.arange(n) % 3, np.arange(n) // 3 % 4
    z = np.concatenate([5.0 * np.eye(3)[genre], 5.0 * np.eye(4)[language]], axis=1)
    z += rng.normal(scale=0.3, size=z.shape)
    labels = pd.DataFrame({"track_id": [f"t{i:02d}" for i in range(n)]})
    for column in tables.LABELS.columns:
        if column != "track_id":
            labels[column] = None
    labels["genre"] = [f"g{i}" for i in genre]
    labels["language"] = [f"l{i}" for i in language]
    tables.write(labels, tmp_path / "labels.parquet", tables.LABELS)
    audio, lyrics = z.copy(), z.copy()
    audio[:, 3:] = 0.0
    lyrics[:, :3] = 0.0
    paths = {
        "full": [write(tmp_path / f"full/seed-{seed}.parquet", z) for seed in (0, 1)],
        "mel": [write(tmp_path / f"seed-{seed}-mel.parquet", audio) for seed in (0, 1)],
        "lyrics": [write(tmp_path / f"seed-{seed}-lyrics.parquet", lyrics) for seed in (0, 1)],
    }
    write_modalities(
        paths,
        tmp_path / "labels.parquet",
        csv=tmp_path / "m.csv",
        md=tmp_path / "m.md",
        tex=tmp_path / "m.tex",
        gates=tmp_path / "g.csv",
        clustering=Clustering(n_init=2),
        evaluation=Evaluation(tasks=["language", "genre"], permutations=5),
    )
    table = pd.read_csv(tmp_path / "m.csv").set_index("task")
    assert set(table["model"]) == {"fused"}
    for task, carrier, other in (("genre", "mel", "lyrics"), ("language", "lyrics", "mel")):
        row = table.loc[task]
        assert row["nmi_full_mean"] == pytest.approx(1.0)
        assert row[f"nmi_{carrier}_mean"] == pytest.approx(1.0)
        assert row[f"nmi_{other}_mean"] < 0.2
        assert row[f"ami_full_{carrier}_mean"] == pytest.approx(1.0)
        assert row[f"ami_full_{other}_mean"] < 0.2
        assert row["chance_mean"] < 0.3
        assert row["nmi_full_sd"] == 0.0
    gates = pd.read_csv(tmp_path / "g.csv")
    weights = gates[gates["modality"] == "full"].set_index(["seed", "k", "block"])["weight"]
    assert weights[0, 3, "audio"] > 0.9
    assert weights[1, 4, "lyrics"] > 0.9
    text = (tmp_path / "m.md").read_text(encoding="utf-8")
    assert "1.000 ± 0.000" in text
    assert "2 seeds" in text
