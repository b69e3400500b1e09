"""Pretrained encoders in a run: features, latents and the comparison, and fetching weights."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import tiny_encoders
from pipeline import SMALL, planned, snakemake, write_corpus
from songatlas import tables

TARGETS = [
    *(
        f"results/small/tables/{name}.csv"
        for name in ("comparison", "fates", "probes", "architectures")
    ),
    "results/small/report/summary.md",
]
LAST = ("--latency-wait", "5")
"""An option of one value, behind which targets may stand."""

MODELS = {"words", "mean_mel", "speech", "probed", "adapted", "clap"}


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
    config |= {"corpus_path": "songs", "include": sorted(MODELS)}
    config["baselines"] = {
        "speech": {"kind": "encoder", "encoder": "wav2vec2", "layer": "mean"},
        "probed": {"kind": "encoder", "encoder": "wav2vec2", "layer": "probe"},
        "adapted": {"kind": "encoder", "encoder": "wav2vec2", "adapted": True},
        "words": {
            "kind": "text",
            "lyrics": {"encoder": "word_vectors", "vectors": "en.vec", "dim": 2},
            "standardise": False,
        },
        "clap": {"kind": "encoder", "encoder": "clap-music", "unit_length": True},
    }
    config["split"] = {"validation": 0.0, "test": 0.0}
    config["adaptation"] = {"steps": 3, "songs_per_step": 4}
    config["probes"] = {"tasks": ["language", "genre"], "hidden": 16}
    config["pretrained"] = {"weights": weights, "device": "cpu"}
    config["clustering"] |= {"algorithms": ["kmeans", "agglomerative", "gmm"], "k": [2]}
    (folder / "en.vec").write_text("3 2\nthe 1 0\nriver 0.9 0.1\nla 0 1\n", encoding="utf-8")
    (folder / "small.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    snakemake(folder, "--configfile", "small.yaml", "--", *TARGETS)
    return folder


def test_encoders_are_rows_of_the_comparison(run: Path) -> None:
    table = pd.read_csv(run / TARGETS[0])
    assert set(table["model"]) == MODELS
    words = table[(table["model"] == "words") & (table["task"] == "language")]
    assert words["nmi_mean"].dropna().tolist() == [1.0]
    encoders = table[table["model"] != "words"]
    encoders = encoders[(encoders["model"] != "mean_mel") & (encoders["task"] != "language_genre")]
    assert encoders["nmi_mean"].notna().all()
    seen = table.set_index("model")["supervision"].to_dict()
    assert seen == dict.fromkeys(MODELS, "none") | {"probed": "labels", "clap": "elsewhere"}
    notes = table.set_index("model").loc["probed", "note"]
    assert notes.str.contains(r"layer \d \(block \d\) of 3, from which a linear probe").all()


def test_pretrained_weights_say_what_they_were_trained_on(run: Path) -> None:
    table = pd.read_csv(run / "results/small/tables/architectures.csv").set_index("model")
    assert set(table.index) == {"speech", "probed", "adapted", "clap"}
    assert table.loc["clap", "parameters"] == 194_000_000
    assert table["licence"].eq("Apache-2.0").all()
    assert table["trained_on"].str.startswith("LibriSpeech").sum() == 3
    text = (run / "results/small/report/summary.md").read_text(encoding="utf-8")
    [clap] = [line for line in text.splitlines() if line.startswith("- `clap` (CLAP, music; ")]
    assert "licence: Apache-2.0. They saw other people's labels" in clap


def test_every_layer_is_stored_once(run: Path) -> None:
    folders = sorted(path.name for path in (run / "results/small/features").iterdir())
    assert folders == [
        *("encoder-clap-music", "encoder-wav2vec2", "encoder-wav2vec2-adapted", "logmel"),
        "text-words",
    ]
    parts = sorted((run / "results/small/features/encoder-wav2vec2").glob("part-*.parquet"))
    assert len(parts) == 2
    ids, values = tables.read_feature(parts)
    assert values.shape == (36, 3 * 16)
    assert len(set(ids)) == 36
    adapted = sorted((run / "results/small/features/encoder-wav2vec2-adapted").glob("part-*"))
    _, other = tables.read_feature(adapted)
    # The convolutions before the first block are as they were; what follows is not.
    assert np.allclose(values[:, :16], other[:, :16], atol=1e-5)
    assert not np.allclose(values[:, 16:], other[:, 16:], atol=1e-5)
    fates = pd.read_csv(run / TARGETS[1])
    assert fates["fate"].value_counts().to_dict() == {"used": 24, "rejected": 1}


def test_every_representation_is_probed(run: Path) -> None:
    table = pd.read_csv(run / TARGETS[2])
    assert set(table["model"]) == MODELS
    assert set(table["probe"]) == {"linear", "mlp_16"}
    assert (table["value"].notna() == table["note"].isna()).all()
    assert table["value"].notna().all()


def test_weights_in_folders_need_no_fetching(run: Path) -> None:
    said = snakemake(run, "--configfile", "small.yaml", "--", "fetch_weights").stderr
    assert "fetch_weights: 0 repositories, 0.0 MB" in said


def test_another_layer_encodes_nothing_anew(run: Path) -> None:
    text = (run / "small.yaml").read_text(encoding="utf-8")
    assert text.count("layer: mean") == 1
    (run / "other.yaml").write_text(text.replace("layer: mean", "layer: 0"), encoding="utf-8")
    jobs = dict(planned(run, "--configfile", "other.yaml", *LAST, TARGETS[0]))
    assert "encode_audio" not in jobs
    assert jobs["encoder_latents"] == 1
    assert jobs["clusters"] == 1
    assert not planned(run, "--configfile", "small.yaml", *LAST, *TARGETS)
    # What is said of other encoders concerns none of these; the number of clips at once neither.
    config = yaml.safe_load(text)
    config["pretrained"] |= {"allow_restricted": True, "batch_size": 3, "remote_code": ["mert-95m"]}
    (run / "other.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert not planned(run, "--configfile", "other.yaml", *LAST, *TARGETS)
    config["adaptation"]["rank"] = 2
    (run / "other.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    jobs = dict(planned(run, "--configfile", "other.yaml", *LAST, TARGETS[0]))
    assert (jobs["adapt_encoder"], jobs["encode_audio"], jobs["encoder_latents"]) == (1, 2, 1)
