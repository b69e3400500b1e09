"""Names of clusters and captions of songs: from measurements, beside chance, or "unsure"."""

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import tiny_encoders
from pipeline import SMALL, snakemake, write_corpus
from songatlas import tables
from songatlas.config import Names, Pretrained, PromptLanguage
from songatlas.encoders.load import load_joint_encoder
from songatlas.naming import vocabulary
from songatlas.naming.contrast import Criterion, differences, told
from songatlas.naming.songs import descriptor_values, heard, key_of, tagged
from songatlas.naming.write import UNSURE, captions, name_clusters, suggested

TEMPO, TONE = Criterion("Tempo", "fast", "slow"), Criterion("Brightness", "bright", "dark")
STRICT = {"alpha": 0.05, "least_effect": 0.33, "most": 3}


def test_a_cluster_is_named_by_what_sets_it_apart() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 12)
    values = rng.normal(size=(36, 2))
    values[labels == 0, 0] += 3.0
    values[labels == 2, 1] -= 3.0
    found = differences(values, labels, [TEMPO, TONE])
    words = [[one.word for one in told(found, cluster, **STRICT)] for cluster in range(3)]
    assert words[0] == ["fast"]
    assert words[2] == ["dark"]
    (first,) = told(found, 0, **STRICT)
    assert first.delta > 0.9
    assert first.p < 1e-3


def test_small_and_uncertain_differences_have_no_word() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 2000)
    values = rng.normal(size=(4000, 1))
    values[labels == 0] += 0.2
    found = differences(values, labels, [TEMPO])
    assert found[0].p < 1e-3, "certain, but"
    assert told(found, 0, **STRICT) == [], "too small for a word"
    few = differences(np.array([[2.0], [1.0], [0.0]]), np.array([0, 1, 1]), [TEMPO])
    assert few[0].delta == 1.0
    assert told(few, 0, **STRICT) == [], "large, but by chance"


def test_a_missing_word_is_no_word() -> None:
    values = np.repeat([[0.0], [1.0]], 30, axis=0) + np.random.default_rng(0).normal(
        0, 0.1, (60, 1)
    )
    found = differences(values, np.repeat([0, 1], 30), [Criterion("piano", "piano")])
    assert told(found, 0, **STRICT) == []
    assert [one.word for one in told(found, 1, **STRICT)] == ["piano"]


def test_by_chance_a_model_gets_a_name_in_one_case_of_twenty_at_most() -> None:
    rng = np.random.default_rng(0)
    criteria = [Criterion(str(i), "much", "little") for i in range(8)]
    named = 0
    for _ in range(200):
        labels = rng.integers(0, 4, 48)
        found = differences(rng.normal(size=(48, 8)), labels, criteria)
        named += any(told(found, cluster, **STRICT) for cluster in range(4))
    # 17 of 200: chance exceeds that once in a hundred at a rate of 0.05.
    assert named <= 17


def test_values_that_are_missing_or_constant_name_nothing() -> None:
    values = np.full((10, 2), np.nan)
    values[:, 1] = 3.0
    assert differences(values, np.repeat([0, 1], 5), [TEMPO, TONE]) == []


# --- tags --------------------------------------------------------------------------------------


def test_every_tag_is_there_in_every_language() -> None:
    for language in vocabulary.TEMPLATES:
        tags = vocabulary.tags([language])
        assert len(tags) == len({tag.name for tag in tags}) >= 40
        assert all(all(prompt.strip() for prompt in tag.prompts) for tag in tags)
    both = vocabulary.tags(["en", "de"])
    slow = next(tag for tag in both if tag.name == "slow")
    assert "slow music" in slow.prompts
    assert "Musik: langsam" in slow.prompts
    assert tuple(vocabulary.TEMPLATES) == get_args(PromptLanguage)
    with pytest.raises(ValidationError, match=r"prompt_languages.*\n.*'en', 'es', 'fr' or 'de'"):
        Names(prompt_languages="en, xx")


def test_a_tag_is_the_mean_of_its_prompts(tmp_path: Path) -> None:
    weights = tiny_encoders.checkpoint("clap-music", tmp_path / "clap")
    settings = Pretrained(weights={"clap-music": str(weights)}, device="cpu")
    tags = vocabulary.tags(["en"])[:3]
    joint = load_joint_encoder("clap-music", settings)
    expected = joint.embed_text(tags[1].prompts)
    expected = (expected / np.linalg.norm(expected, axis=1, keepdims=True)).mean(0)
    expected /= np.linalg.norm(expected)
    audio = np.random.default_rng(0).normal(size=(2, len(expected))).astype(np.float32)
    path = tmp_path / "part.parquet"
    tables.write_feature(path, "encoder-clap-music", ["w0", "w1"], audio, units="1")
    windows = pd.DataFrame({"window_id": ["w0", "w1"], "track_id": ["t0", "t1"]})
    songs, values, criteria = tagged([path], windows, tags, "clap-music", settings)
    assert songs == ["t0", "t1"]
    assert [one.high for one in criteria] == [tag.name for tag in tags]
    unit = audio / np.linalg.norm(audio, axis=1, keepdims=True)
    np.testing.assert_allclose(values[:, 1], unit @ expected, atol=1e-5)


# --- tables ------------------------------------------------------------------------------------


def test_names_and_their_evidence() -> None:
    songs = [f"t{i:02d}" for i in range(24)]
    labels = np.repeat([0, 1], 12)
    values = np.stack([labels * 10.0, np.zeros(24)], 1) + np.random.default_rng(0).normal(
        size=(24, 2)
    )
    lyrics = ["moon river moon"] * 12 + ["dust road dust"] * 12
    texts = pd.DataFrame({"track_id": songs, "lyrics": lyrics, "language": "en"})
    partition = pd.DataFrame({"track_id": songs, "label": labels})
    frame = name_clusters(
        {"mine": (2, partition)}, songs, values, [TEMPO, TONE], texts, Names(), "descriptors"
    )
    assert list(frame["name"]) == ["slow", "fast"]
    assert frame["evidence"][0].startswith("Tempo δ −1.00, p ")
    assert frame["words"][0].startswith("en: moon")
    assert list(frame["songs"]) == [12, 12]
    dealt = partition.assign(label=np.arange(24) % 2)
    nothing = name_clusters(
        {"mine": (2, dealt)}, songs, values, [TEMPO, TONE], texts, Names(), "descriptors"
    )
    assert list(nothing["name"]) == [UNSURE, UNSURE]


def test_the_suggested_number_of_clusters_is_named() -> None:
    columns = {"value": 1.0, "sd": np.nan, "note": None}
    choice = pd.DataFrame(
        {"criterion": ["joint", "joint", "gap"], "k": [2, 3, 4], "chosen": [False, True, True]}
    ).assign(**columns)
    assert suggested(choice) == 3
    assert suggested(choice.assign(chosen=False)) is None


def measured(n: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = ["tempo_bpm", "key_mode", "centroid_hz_mean", "rms_db_mean"]
    names += [f"key_{pitch}_{mode}" for mode in ("major", "minor") for pitch in ("C", "Fs", "As")]
    frame = pd.DataFrame(rng.random((n, len(names))), [f"t{i}" for i in range(n)], names)
    frame["tempo_bpm"] = 100.2
    frame["centroid_hz_mean"] = np.arange(n)
    frame.loc["t0", "key_Fs_minor"] = 2.0
    return frame


def test_captions_say_what_was_measured() -> None:
    frame = measured()
    titles = pd.DataFrame({"track_id": frame.index, "title": ["One", *[None] * 7]})
    texts = pd.DataFrame({"track_id": frame.index, "lyrics": None, "language": "en"})
    texts.loc[1, "lyrics"] = "river"
    found = captions(frame, titles, texts).set_index("track_id")
    assert found["title"]["t0"] == "One"
    assert found["caption"]["t0"] == "100 BPM, F♯ minor, dark."
    assert "sung in en" in found["caption"]["t1"]
    assert "bright" in found["caption"]["t7"]
    assert not found["caption"].str.contains("loud|quiet").any()


def test_key_names() -> None:
    row = pd.Series({"key_As_major": 0.3, "key_C_minor": -0.2, "key_clarity": 5.0, "key_mode": 9.0})
    assert key_of(row) == "B♭ major"
    assert key_of(pd.Series({"tempo_bpm": 90.0})) is None


def test_songs_are_means_of_their_windows(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    values = np.array([[100.0, 1.0], [120.0, 3.0], [90.0, 5.0]], np.float32)
    about = {"names": ["tempo_bpm", "rms_db_mean"]}
    tables.write_feature(
        path, "descriptors", ["a", "b", "c"], values, units="see names", metadata=about
    )
    windows = pd.DataFrame({"window_id": ["a", "b", "c"], "track_id": ["t1", "t1", "t0"]})
    found = descriptor_values([path], windows)
    assert list(found.index) == ["t0", "t1"]
    assert list(found["tempo_bpm"]) == [90.0, 110.0]
    matrix, criteria = heard(found)
    assert [one.name for one in criteria] == ["Tempo"]
    assert matrix.shape == (2, 1)


@pytest.mark.slow
def test_a_run_names_its_clusters(tmp_path: Path) -> None:
    write_corpus(tmp_path / "songs")
    settings = SMALL + "corpus_path: songs\ninclude: [mean_mel, descriptors]\n"
    (tmp_path / "small.yaml").write_text(settings, encoding="utf-8")
    snakemake(tmp_path, "--configfile", "small.yaml", "--", "names")
    frame = pd.read_csv(tmp_path / "results" / "small" / "tables" / "names.csv")
    assert set(frame["model"]) == {"mean_mel", "descriptors"}
    assert (frame["name"].str.len() > 0).all()
    said = pd.read_csv(tmp_path / "results" / "small" / "tables" / "captions.csv")
    assert said["caption"].str.contains("BPM").all()
