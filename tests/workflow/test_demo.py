"""The embedded demo, end to end: what `make demo` runs.

`SONGATLAS_DEMO` names the results of a demo that has been run; without it these tests run one.
"""

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from pipeline import snakemake
from songatlas import tables

pytestmark = pytest.mark.slow

# What `config/config.yaml` declares; the shipped default is part of what is tested.
PUBLISHED = {
    "basic_vae",
    "conv_vae",
    "beta_vae",
    "cvae_language",
    "cvae_genre",
    "vade",
    "vade_small",
    "multimodal_vae",
}
BASELINES = {"raw", "pca", "autoencoder", "mean_mel", "descriptors", "lyrics_tfidf"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "SONGATLAS_DEMO" in os.environ:
        return Path(os.environ["SONGATLAS_DEMO"])
    folder = tmp_path_factory.mktemp("demo")
    done = snakemake(folder)
    assert "Synthetic demo corpus: NMI of clusters with labels" in done.stdout + done.stderr
    return folder / "results" / "demo"


@pytest.fixture(scope="module")
def songs(results: Path) -> pd.DataFrame:
    """Song-level rows of the comparison, by model and task: of two modalities both together."""
    table = pd.read_csv(results / "tables" / "comparison.csv")
    whole = table["view"].isna() | (table["view"] == "together")
    return table[(table["level"] == "song") & whole].set_index(["model", "task"])


def test_every_published_model_and_baseline_is_compared(songs: pd.DataFrame) -> None:
    assert set(songs.index.get_level_values("model")) >= PUBLISHED | BASELINES


def test_every_table_row_names_the_synthetic_corpus(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "comparison.csv")
    assert (table["corpus"] == "Synthetic demo corpus").all()
    for name in ("comparison.md", "comparison.tex"):
        text = (results / "tables" / name).read_text(encoding="utf-8")
        assert "Synthetic demo corpus" in text


def test_the_average_spectrum_gives_genre_away_in_part_only(songs: pd.DataFrame) -> None:
    assert 0.4 <= songs.loc[("mean_mel", "genre"), "nmi_mean"] <= 0.8


def test_lyrics_give_language_away_and_genre_not_at_all(songs: pd.DataFrame) -> None:
    assert songs.loc[("lyrics_tfidf", "language"), "nmi_mean"] >= 0.95
    genre = songs.loc[("lyrics_tfidf", "genre")]
    assert genre["best_nmi"] < genre["best_chance_nmi"] + 0.1


def test_sound_alone_does_not_give_language_away(songs: pd.DataFrame) -> None:
    for model in ("mean_mel", "descriptors", "raw"):
        assert songs.loc[(model, "language"), "nmi_mean"] < 0.25


def test_what_knows_music_finds_the_genres_without_labels(
    results: Path, songs: pd.DataFrame
) -> None:
    assert songs.loc[("contrastive_audio", "genre"), "supervision"] == "none"
    scores = tables.read(results / "scores/contrastive_audio/seed-0.parquet", tables.SCORES)
    of_songs = scores[(scores["level"] == "song") & (scores["task"] == "genre")]
    nmi = of_songs[(of_songs["metric"] == "nmi") & (of_songs["k"] == 3)]
    # A mixture of Gaussians finds other groups in 48 songs: .6.
    by_distance = nmi[nmi["algorithm"].isin(["kmeans", "agglomerative"])]
    assert len(by_distance) == 2
    assert by_distance["value"].mean() >= 0.9


def test_words_find_the_languages_and_sound_the_genres(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "comparison.csv")
    table = table[(table["level"] == "song") & (table["model"] == "fusion_late")]
    nmi = table.set_index(["view", "task"])["nmi_mean"]
    assert nmi["words", "language"] >= 0.95
    assert nmi["sound", "genre"] >= 0.8
    assert nmi["together", "language_genre"] >= 0.8


def test_no_song_of_the_demo_is_set_aside(results: Path) -> None:
    assert len(tables.read(results / "corpus" / "tracks.parquet", tables.TRACKS)) == 48
    rejects = [results / "corpus" / "rejects.parquet", *results.glob("features/*/rejects-*")]
    assert len(rejects) == 1 + 3 * 2  # three features, two shards
    for path in rejects:
        assert tables.read(path, tables.REJECTS).empty


def test_the_elbo_keeps_every_vae_from_collapsing(results: Path) -> None:
    for model in PUBLISHED:
        path = results / "models" / model / "seed-0" / "summary.json"
        summary = json.loads(path.read_text(encoding="utf-8"))
        assert summary["active_units"] >= 0.1 * summary["latent_dim"], path
