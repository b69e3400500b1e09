"""The table of architectures."""

import pandas as pd
import pytest

from songatlas.evaluation.layout import markdown
from songatlas.models.base import InputSpec
from songatlas.models.table import Declared, architecture_table
from songatlas.plan.workflow import Plan
from test_summary import CLAP

PAPER = InputSpec(n_mels=128, n_frames=1292, lyrics_dim=32, max_lines=16)

STUDY = {
    "basic_vae": (Declared("basic_vae", "basic_vae"), 5_488_032),
    "conv_vae": (Declared("conv_vae", "conv_vae"), 64_458_049),
    "beta_vae": (Declared("beta_vae", "conv_vae", beta=4.0), 64_458_049),
    "cvae_language": (
        Declared("cvae_language", "cvae", {"condition_on": "language", "n_classes": 4}),
        69_709_761,
    ),
    "cvae_genre": (
        Declared("cvae_genre", "cvae", {"condition_on": "genre", "n_classes": 3}),
        69_709_729,
    ),
    "vade": (Declared("vade", "vade", {"widths": (512, 256)}), 169_879_567),
    "vade_small": (Declared("vade_small", "vade", {"widths": [32, 64, 128, 256]}), 10_940_751),
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return architecture_table([declared for declared, _ in STUDY.values()], PAPER)


def test_parameters_are_those_of_the_study(table: pd.DataFrame) -> None:
    counted = dict(zip(table["model"], table["parameters"], strict=True))
    assert counted == {name: count for name, (_, count) in STUDY.items()}


def test_compression_is_input_values_over_latent_dimensions(table: pd.DataFrame) -> None:
    assert set(table["compression"]) == {"1292:1"}


def test_columns_are_the_documented_ones(table: pd.DataFrame) -> None:
    assert list(table) == [
        "model",
        "type",
        "parameters",
        "latent_dim",
        "compression",
        "key_feature",
        "trained_on",
        "licence",
    ]
    assert table[["trained_on", "licence"]].isna().all(axis=None)


def test_key_feature_tells_variants_of_one_architecture_apart(table: pd.DataFrame) -> None:
    feature = dict(zip(table["model"], table["key_feature"], strict=True))
    assert feature["beta_vae"] == f"{feature['conv_vae']}; beta 4"
    assert "widths 32–64–128–256" in feature["vade_small"]
    assert "condition on genre" in feature["cvae_genre"]


def test_classes_left_to_the_corpus_leave_the_count_empty() -> None:
    declared = Declared("c", "cvae", {"condition_on": "genre", "n_classes": None})
    (row,) = architecture_table([declared], PAPER).to_dict("records")
    assert pd.isna(row["parameters"])
    assert "depends on the corpus" in row["key_feature"]


def test_options_of_an_encoder_are_told_like_the_models_own() -> None:
    options = {"encoder": "basic_vae", "encoder_options": {"widths": [32, 16], "dropout": 0.0}}
    (row,) = architecture_table([Declared("d", "dec", options)], PAPER).to_dict("records")
    assert row["key_feature"].endswith("; encoder basic_vae; widths 32–16; dropout 0.0")


def test_pretrained_weights_stand_below_with_training_data_and_licence() -> None:
    declared = [Declared("basic_vae", "basic_vae")]
    table = architecture_table(declared, PAPER, [CLAP])
    assert table["model"].tolist() == ["basic_vae", "clap"]
    row = table.set_index("model").loc["clap"]
    assert (row["type"], row["parameters"]) == ("Pretrained", 194_000_000)
    assert (row["trained_on"], row["licence"]) == ("sounds with captions", "Apache-2.0")
    assert row["key_feature"] == "CLAP, music; Wu et al. 2023"
    assert pd.isna(row["latent_dim"])
    shown = markdown(table, "Architectures").splitlines()[2:]
    assert [line.split("|")[4].strip() for line in shown[2:]] == ["128", "–"]


def test_the_plan_tells_what_its_encoders_were_trained_on() -> None:
    baselines = {"speech": {"kind": "encoder", "encoder": "wavlm"}, "pca": {"kind": "pca"}}
    plan = Plan({"include": ["speech", "pca"], "baselines": baselines})
    assert plan.pretrained_rows == [
        {
            "name": "speech",
            "title": "WavLM",
            "parameters": 95_000_000,
            "trained_on": "94 k h of English speech without transcripts",
            "licence": "CC-BY-SA-3.0",
            "citation": "Chen et al. 2022, arXiv:2110.13900",
            "supervision": "none",
        }
    ]
    assert Plan({"include": ["pca"], "baselines": baselines}).pretrained_rows == []


def test_no_model_gives_an_empty_table() -> None:
    assert architecture_table([], PAPER).empty


def test_latents_wider_than_the_input_are_a_fraction() -> None:
    table = architecture_table([Declared("m", "basic_vae", latent_dim=256)], InputSpec(8, 8, 2, 2))
    assert table["compression"].tolist() == ["0.25:1"]
