"""Pretrained encoders in a run: features, latents and the comparison, and fetching weights."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

import tiny_encoders
from pipeline import SMALL, planned, snakemake, write_corpus
from songatlas import tables

TARGETS = ["results/small/tables/comparison.csv", "results/small/tables/fates.csv"]


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of two encoders, one twice, with a simple baseline; nothing is trained."""
    folder = tmp_path_factory.mktemp("encoders")
    write_corpus(folder / "songs")
    weights = {
        name: str(tiny_encoders.checkpoint(name, folder / "weights"))
        for name in ("wav2vec2", "clap-music")
    }
    config = yaml.safe_load(SMALL)
    config |= {"corpus_path": "songs", "include": ["mean_mel", "speech", "probed", "clap"]}
    config["baselines"] = {
        "speech": {"kind": "encoder", "encoder": "wav2vec2", "layer": "mean"},
        "probed": {"kind": "encoder", "encoder": "wav2vec2", "layer": "probe"},
        "clap": {"kind": "encoder", "encoder": "clap-music", "unit_length": True},
    }
    config["pretrained"] = {"weights": weights, "device": "cpu"}
    config["clustering"] |= {"algorithms": ["kmeans", "agglomerative", "gmm"], "k": [2]}
    (folder / "small.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    snakemake(folder, "--configfile", "small.yaml", "--", *TARGETS)
    return folder


def test_encoders_are_rows_of_the_comparison(run: Path) -> None:
    table = pd.read_csv(run / TARGETS[0])
    assert set(table["model"]) == {"mean_mel", "speech", "probed", "clap"}
    encoders = table[(table["model"] != "mean_mel") & (table["task"] != "language_genre")]
    assert encoders["nmi_mean"].notna().all()
    seen = table.set_index("model")["supervision"].to_dict()
    assert seen == {"mean_mel": "none", "speech": "none", "probed": "labels", "clap": "none"}
    notes = table.set_index("model").loc["probed", "note"]
    assert notes.str.contains(r"layer \d \(block \d\) of 3, from which a linear probe").all()


def test_every_layer_is_stored_once(run: Path) -> None:
    folders = sorted(path.name for path in (run / "results/small/features").iterdir())
    assert folders == ["encoder-clap-music", "encoder-wav2vec2", "logmel"]
    parts = sorted((run / "results/small/features/encoder-wav2vec2").glob("part-*.parquet"))
    assert len(parts) == 2
    ids, values = tables.read_feature(parts)
    assert values.shape == (36, 3 * 16)
    assert len(set(ids)) == 36
    fates = pd.read_csv(run / TARGETS[1])
    assert fates["fate"].value_counts()["used"] == 12


def test_another_layer_encodes_nothing_anew(run: Path) -> None:
    text = (run / "small.yaml").read_text(encoding="utf-8")
    assert text.count("layer: mean") == 1
    (run / "other.yaml").write_text(text.replace("layer: mean", "layer: 0"), encoding="utf-8")
    jobs = dict(planned(run, "--configfile", "other.yaml", "--", TARGETS[0]))
    assert "encode_audio" not in jobs
    assert jobs["encoder_latents"] == 1
    assert jobs["clusters"] == 1
    assert not planned(run, "--configfile", "small.yaml", "--", *TARGETS)
    # What is said of other encoders concerns none of these; the number of clips at once neither.
    config = yaml.safe_load(text)
    config["pretrained"] |= {"allow_restricted": True, "batch_size": 3, "remote_code": ["mert-95m"]}
    (run / "other.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert not planned(run, "--configfile", "other.yaml", "--", *TARGETS)
