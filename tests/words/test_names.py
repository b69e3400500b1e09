"""Names of clusters and captions of songs: more than structureless draws give, or "unsure"."""

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import tiny_encoders
from pipeline import SMALL, snakemake, write_corpus
from songatlas import tables
from songatlas.clustering.algorithms import cluster
from songatlas.config.clustering import Clustering
from songatlas.config.features import Pretrained
from songatlas.config.words import Names, PromptLanguage
from songatlas.features.encoders.load import load_joint_encoder
from songatlas.words import vocabulary
from songatlas.words.describe import (
    UNSURE,
    Clusterer,
    correlations,
    describe,
    described,
    differences,
    structureless,
)
from songatlas.words.measures import (
    Measure,
    Measured,
    descriptor_measures,
    language_measures,
    tag_measures,
    word_measures,
)
from songatlas.words.tags import SongTags
from songatlas.words.write import (
    NAMED,
    Groups,
    captions,
    descriptor_values,
    kept_names,
    key_of,
    name_clusters,
    suggested,
    tagged,
)

METAL, HARD = Measure("tag", "metal", "metal"), Measure("tag", "hard rock", "hard rock")
TEMPO = Measure("sound", "Tempo", "fast", "slow")


def kmeans(k: int) -> Clusterer:
    return lambda points: cluster(points, "kmeans", k, n_init=1).labels


def named(z: np.ndarray, of: Measured, k: int) -> list[str]:
    labels = cluster(z, "kmeans", k, n_init=3).labels
    assert labels is not None
    return [one.name for one in describe(z, of, labels, kmeans(k), words=3, seed=0)]


# --- the rule ----------------------------------------------------------------------------------


def corpus_without_groups(seed: int, shuffled: bool) -> tuple[np.ndarray, Measured]:
    """60 songs whose measures go along with what is clustered, or were dealt at random."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((60, 8)) * np.linspace(2.0, 0.5, 8)
    values = z[:, :6] + 0.3 * rng.standard_normal((60, 6))
    if shuffled:
        z, values = (np.stack([rng.permutation(c) for c in a.T], 1) for a in (z**3, values**3))
    return z, Measured(tuple(Measure("tag", f"t{i}", f"t{i}") for i in range(6)), values)


@pytest.mark.parametrize("shuffled", [False, True])
def test_without_structure_at_least_95_percent_of_clusters_are_unsure(shuffled: bool) -> None:
    names = [
        name for seed in range(10) for name in named(*corpus_without_groups(seed, shuffled), 4)
    ]
    assert len(names) == 40
    assert sum(name == UNSURE for name in names) >= 38


def test_every_real_group_is_named_by_its_own_tag() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(range(4), 15)
    z = rng.standard_normal((60, 8))
    z[np.arange(60), groups] += 8.0
    values = 0.3 * rng.standard_normal((60, 6))
    values[np.arange(60), groups] += 1.0
    of = Measured(tuple(Measure("tag", f"t{i}", f"t{i}") for i in range(6)), values)
    assert sorted(named(z, of, 4)) == ["t0", "t1", "t2", "t3"]


def test_draws_have_the_mean_and_covariance_of_the_corpus() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 3)) + 5.0
    values = z[:, :2] + 0.1 * rng.standard_normal((200, 2))
    drawn = [np.hstack(both) for both in structureless(z, values, 50, 0)]
    expected = np.cov(np.hstack([z, values]), rowvar=False)
    np.testing.assert_allclose(
        np.mean([np.cov(one, rowvar=False) for one in drawn], 0), expected, rtol=0.1
    )
    again = next(structureless(z, values, 1, 0))
    np.testing.assert_array_equal(np.hstack(again), drawn[0])


def test_what_is_unknown_or_yes_and_no_is_so_in_the_draws() -> None:
    values = np.array([[1.0, 0.5], [0.0, np.nan], [0.0, 0.1], [1.0, 0.3], [0.0, 0.2]])
    for _, drawn in structureless(np.arange(10.0).reshape(5, 2), values, 5, 0):
        assert sorted(np.isnan(drawn[:, 1])) == [False] * 4 + [True]
        assert sorted(drawn[:, 0]) == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_correlations_are_numpys() -> None:
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(30, 2)), np.repeat([0, 1, -1], 10)
    r = correlations(values, labels)
    assert r[0, 1] == pytest.approx(np.corrcoef(labels == 0, values[:, 1])[0, 1])
    assert np.isnan(correlations(np.ones((4, 1)), np.array([0, 0, 1, 1]))).all()


# --- what a name is made of --------------------------------------------------------------------


def groups_of(values: np.ndarray, *measures: Measure) -> list[list[str | None]]:
    labels = np.repeat([0, 1], len(values) // 2)
    return [[one.word for one in own] for own in differences(Measured(measures, values), labels)]


def test_a_low_tag_is_no_word_a_low_tempo_is() -> None:
    column = np.repeat([0.0, 1.0], 6)[:, None] + np.linspace(0, 0.1, 12)[:, None]
    assert groups_of(column, METAL) == [[], ["metal"]]
    assert groups_of(column, TEMPO) == [["slow"], ["fast"]]


def test_of_too_few_songs_nothing_is_said() -> None:
    values = np.repeat([0.0, 1.0], 6)[:, None] + np.linspace(0, 0.1, 12)[:, None]
    values[8:] = np.nan
    assert groups_of(values, METAL) == [[], []], "two of the six songs are known"


def test_language_comes_first_then_tags_without_repeats_then_the_rest() -> None:
    spanish = Measure("language", "Language", "Spanish")
    values = np.stack(
        [np.repeat([0.0, 1.0], 6) + d * np.linspace(0, 1, 12) for d in (0.1, 0.2, 0.3, 0)], 1
    )
    labels = np.repeat([0, 1], 6)
    alternative = Measure("tag", "alternative rock", "alternative rock")
    rock = Measure("tag", "rock", "rock")
    of = Measured((TEMPO, alternative, rock, spanish), values)
    apart = differences(of, labels)[1]
    assert described(apart, 0.5, 3).name == "Spanish · alternative rock"
    assert described(apart[:1], 0.5, 3).name == "Spanish"
    assert described([one for one in apart if one.measure is TEMPO], 0.5, 3).name == "fast"
    assert described(apart, 1.0, 3).name == UNSURE


def test_languages_words_and_descriptors_as_measures() -> None:
    languages = language_measures(["es", "en", None])
    assert [one.high for one in languages.measures] == ["English", "Spanish"]
    np.testing.assert_array_equal(languages.values, [[0, 1], [1, 0], [np.nan, np.nan]])
    texts = ["moon river"] * 3 + ["river road"] * 27 + ["la luna"] * 3
    words = word_measures(texts, ["en"] * 30 + ["es"] * 3)
    assert [one.high for one in words.measures] == ["“road”", "“moon”"]
    assert np.isnan(words.values[30:]).all()
    frame = pd.DataFrame({"tempo_bpm": [90.0], "rms_db_mean": [-20.0]}, ["t1"])
    sound = descriptor_measures(frame, ["t0", "t1"])
    assert [one.label for one in sound.measures] == ["Tempo"]
    np.testing.assert_array_equal(sound.values, [[np.nan], [90.0]])


def test_tags_as_measures_leave_out_what_is_never_shown() -> None:
    of = SongTags(("t1",), ("sexy", "rock"), np.array([[0.9, 0.25]]))
    measured = tag_measures(of, ["t0", "t1"])
    assert [one.high for one in measured.measures] == ["rock"]
    np.testing.assert_allclose(measured.values, [[np.nan], [np.pi / 6]])


# --- names stay --------------------------------------------------------------------------------


def two_groups() -> tuple[Groups, Measured]:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 15)
    z = rng.standard_normal((30, 4)) + 8.0 * labels[:, None]
    values = np.stack([labels + 0.2 * rng.standard_normal(30) for _ in range(2)], 1)
    songs = tuple(f"t{i:02d}" for i in range(30))
    return Groups("mine", songs, z, labels), Measured((METAL, HARD), values)


def test_names_and_their_evidence() -> None:
    groups, of = two_groups()
    members, clusters = name_clusters(
        groups, of, tables.empty(NAMED), Names(), Clustering(algorithms="kmeans"), 0
    )
    assert clusters["name"][0] == UNSURE
    assert set(clusters["name"][1].split(", ")) == {"metal", "hard rock"}
    assert "metal r +0.9" in clusters["evidence"][1]
    assert list(members[members["name"] != UNSURE]["track_id"]) == [f"t{i}" for i in range(15, 30)]


def test_a_group_that_stays_keeps_its_name_while_it_holds() -> None:
    groups, of = two_groups()
    now = pd.DataFrame({"track_id": groups.track_ids, "cluster": groups.labels})
    apart = differences(of, groups.labels)
    earlier = now.assign(model="mine", k=2, cluster=1 - groups.labels, name="hard rock")
    assert kept_names(earlier, now, apart) == {1: "hard rock"}
    assert kept_names(earlier.assign(name="jazz"), now, apart) == {}, "it is jazz no more"
    dealt = earlier.assign(cluster=np.arange(30) % 2)
    assert kept_names(dealt, now, apart) == {}, "these are other groups"


# --- tags of a joint model ---------------------------------------------------------------------


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
    songs, values = tagged([path], windows, tags, "clap-music", settings)
    assert songs == ["t0", "t1"]
    unit = audio / np.linalg.norm(audio, axis=1, keepdims=True)
    np.testing.assert_allclose(values[:, 1], unit @ expected, atol=1e-5)


# --- tables ------------------------------------------------------------------------------------


def test_the_suggested_number_of_clusters_is_named() -> None:
    columns = {"value": 1.0, "sd": np.nan, "note": None}
    choice = pd.DataFrame(
        {"criterion": ["joint", "joint", "gap"], "k": [2, 3, 4], "chosen": [False, True, True]}
    ).assign(**columns)
    assert suggested(choice) == 3
    assert suggested(choice.assign(chosen=False)) is None


def measured_songs(n: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = ["tempo_bpm", "key_mode", "centroid_hz_mean", "rms_db_mean"]
    names += [f"key_{pitch}_{mode}" for mode in ("major", "minor") for pitch in ("C", "Fs", "As")]
    frame = pd.DataFrame(rng.random((n, len(names))), [f"t{i}" for i in range(n)], names)
    frame["tempo_bpm"] = 100.2
    frame["centroid_hz_mean"] = np.arange(n)
    frame.loc["t0", "key_Fs_minor"] = 2.0
    return frame


def test_captions_say_what_was_measured() -> None:
    frame = measured_songs()
    titles = pd.DataFrame({"track_id": frame.index, "title": ["One", *[None] * 7]})
    texts = pd.DataFrame({"track_id": frame.index, "lyrics": None, "language": "en"})
    texts.loc[1, "lyrics"] = "river"
    tags = {"t0": ["folk", "piano"]}
    found = captions(frame, tags, titles, texts).set_index("track_id")
    assert found["title"]["t0"] == "One"
    assert found["caption"]["t0"] == "folk, piano, 100 BPM, F♯ minor, dark."
    assert "sung in English" in found["caption"]["t1"]
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


@pytest.mark.slow
def test_a_run_names_its_clusters_and_makes_playlists(tmp_path: Path) -> None:
    write_corpus(tmp_path / "songs")
    settings = SMALL + "corpus_path: songs\ninclude: [mean_mel, descriptors]\n"
    (tmp_path / "small.yaml").write_text(settings, encoding="utf-8")
    run = ("--configfile", "small.yaml")
    like = 'playlist={"like": "nothing is called so"}'
    snakemake(tmp_path, *run, "--", "names", "song_captions", "playlists")
    folder = tmp_path / "results" / "small"
    frame = pd.read_csv(folder / "tables" / "names.csv")
    assert set(frame["model"]) == {"mean_mel", "descriptors"}
    assert (frame["name"].str.len() > 0).all()
    said = pd.read_csv(folder / "tables" / "captions.csv")
    assert said["caption"].str.contains("BPM").all()
    assert (folder / "playlists").is_dir()
    refused = snakemake(tmp_path, *run, "--config", like, "--", "playlist", check=False)
    assert "no song of this representation is called" in refused.stderr
    near = """query={"like": "english/pop/song 0 d'été.wav", "languages": "same"}"""
    snakemake(tmp_path, *run, "--config", near, "--", "query")
    answer = pd.read_csv(folder / "query" / "songs.csv")
    assert len(answer) == 5, "of six English songs all others"
    assert (answer["matched"] == "in English").all(), "this run has no tags"
