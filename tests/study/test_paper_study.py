"""The reference study's protocol, end to end, on a small corpus in its layout."""

import re
from pathlib import Path

import pandas as pd
import pytest

from conftest import ROOT
from pipeline import WORDS, planned, snakemake, write_song
from songatlas import tables
from songatlas.report.study.corpus_sheets import DIFFERENT
from test_latex import compile_tables

pytestmark = pytest.mark.slow

REDUCED = """\
seeds: [0, 1]
windows: {length_s: 6.0, hop_s: 4.0}
logmel: {n_mels: 32, hop_length: 2048}
lyrics: {encoder: tfidf, dim: 8}
split: {validation: 0.34}
training: {max_epochs: 2, batch_size: 8}
models:
  vade: {pretrain_epochs: 1}
  vade_small: {pretrain_epochs: 1}
clustering: {k: [3, 4], n_init: 1}
evaluation: {permutations: 10, bootstraps: 10}
consensus: {k_max: 4, draws: 3, references: 2}
disentanglement: {permutations: 2}
include: [basic_vae, conv_vae, beta_vae, cvae_language, cvae_genre, vade_small, multimodal_vae,
  basic_vae_windows, cvae_genre_shuffled, raw, pca, mean_mel, lyrics_tfidf]
"""
"""What makes config/paper.yaml small: sizes and repeats, not the protocol."""

LANGUAGES = {"arabic": "ar", "english": "en", "hindi": "hi", "spanish": "es"}
GENRES = ("pop", "rock", "hip-hop")


def write_study(folder: Path, per_cell: int = 2) -> None:
    """`data/audio/<language>/<genre>/*.wav`, lyrics, and `dataset_metadata.csv`."""
    rows = []
    words = [*WORDS["english"].split(), *WORDS["español"].split()]
    for i, language in enumerate(LANGUAGES):
        for j, genre in enumerate(GENRES):
            for number in range(per_cell):
                seed = 100 * i + 10 * j + number
                name = f"song_{seed:03d}"
                audio = f"data/audio/{language}/{genre}/{name}.wav"
                lyrics = f"data/lyrics/{language}/{genre}/{name}.txt"
                write_song(folder / audio, "pop" if genre == "pop" else "rock", seed, seconds=11.0)
                path = folder / lyrics
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(words[seed % 7 :: i + 2]), encoding="utf-8")
                rows.append(
                    {
                        "song_id": name,
                        "title": rf"100% \input{{x}} & {name}",
                        "language": language,
                        "genre": genre,
                        "filename": f"{name}.wav",
                        "audio_path": audio,
                        "lyrics_path": lyrics,
                        "has_lyrics": True,
                    }
                )
    pd.DataFrame(rows).to_csv(folder / "dataset_metadata.csv", index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_study(folder / "the study")
    (folder / "reduced.yaml").write_text(REDUCED, encoding="utf-8")
    snakemake(folder, "--nocolor", "paper", *arguments())
    return folder


def arguments(*more: str) -> tuple[str, ...]:
    configs = (str(ROOT / "config" / "paper.yaml"), "reduced.yaml")
    return ("--configfile", *configs, "--config", "corpus_path=the study", *more)


@pytest.fixture(scope="module")
def results(folder: Path) -> Path:
    return folder / "results" / "paper"


def table(results: Path, name: str) -> pd.DataFrame:
    path = results / "tables" / f"{name}.csv"
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def test_every_paper_table_is_there_in_three_forms(results: Path) -> None:
    alone = ("dataset", "splits", "architectures", "training", "clustering_summary", "best")
    alone += ("methods", "tasks")
    names = [*alone, *(f"{name}_vs_published" for name in alone)]
    names += ["clustering_companion", "methods_pairs", "pairwise", "ranking", "reconstruction"]
    for name in names:
        for kind in ("csv", "md", "tex"):
            assert (results / "tables" / f"paper_{name}.{kind}").stat().st_size > 50, name
        if name.endswith("_vs_published"):
            assert set(table(results, f"paper_{name}")["corpus"]) == {DIFFERENT}


def test_every_paper_figure_is_there(results: Path) -> None:
    models = [path.name for path in (results / "latents").iterdir()]
    assert len(models) >= 11
    names = ["ranking", "tasks", "six_scores", "algorithms", "heat_map", "reconstruction"]
    names += ["leakage", *(f"tsne/{m}-{by}" for m in models for by in ("language", "genre"))]
    for name in names:
        for kind in ("svg", "png"):
            assert (results / "figures" / "paper" / f"{name}.{kind}").stat().st_size > 3000, name


def test_songs_are_split_exactly_and_validation_songs_alone_are_scored(results: Path) -> None:
    dataset = table(results, "paper_dataset")
    cells = dataset[dataset["language"] != "all"]
    assert set(cells["language"]) == set(LANGUAGES.values())
    assert (cells["songs"] == 2).all()
    splits = table(results, "paper_splits").set_index("split")["songs"]
    assert splits["all"] == 24
    companion = table(results, "paper_clustering_companion")
    scored = companion[companion["n"] > 0]
    windows = scored["control"] == "random_windows"
    assert set(scored.loc[~windows, "n"]) == {splits["validation"]}
    # Windows dealt at random: more songs have one among those of validation.
    assert (scored.loc[windows, "n"] > splits["validation"]).all()
    assert set(companion["level"]) == {"song_vote"}


def test_the_summary_is_in_the_published_columns(results: Path) -> None:
    published = pd.read_csv(ROOT / "resources" / "published" / "published_clustering_summary.csv")
    summary = table(results, "paper_clustering_summary")
    assert list(summary.columns) == list(published.columns)
    ours, theirs = (set(zip(f["model"], f["task"], strict=True)) for f in (summary, published))
    assert theirs <= ours
    rows = summary[summary["model"].isin(published["model"])]
    assert rows["nmi_mean"].notna().all()


def test_controls_are_marked_and_leakage_is_measured(results: Path) -> None:
    companion = table(results, "paper_clustering_companion").drop_duplicates("model")
    control = companion.set_index("model")["control"].dropna().to_dict()
    assert control == {
        "basic_vae_windows": "random_windows",
        "cvae_genre_shuffled": "shuffled_labels",
    }
    text = (results / "report" / "questions.md").read_text(encoding="utf-8")
    assert "- `Basic VAE`, Genre, NMI: " in text
    assert "This run cannot say" not in text
    pairs = table(results, "paper_pairwise")
    assert (pairs["n_pairs"] == 2).any()
    assert pairs["effect_size"].notna().any()
    assert pairs["ci_low"].notna().any()


def test_the_four_questions_are_answered(results: Path) -> None:
    text = (results / "report" / "questions.md").read_text(encoding="utf-8")
    assert text.count("\n## ") == 4
    assert not re.search(r"\bnan\b", text)
    assert "validation songs, level `song_vote`" in text


def test_the_tables_compile_with_hostile_titles(results: Path, tmp_path: Path) -> None:
    labels = tables.read(results / "corpus" / "labels.parquet", tables.LABELS)
    assert labels["title"].str.contains(r"\input{x}", regex=False).all()
    compile_tables(tmp_path, sorted((results / "tables").glob("*.tex")))


def test_the_target_paper_has_nothing_left_to_do(folder: Path) -> None:
    assert planned(folder, "--nocolor", "paper", *arguments()) == []
