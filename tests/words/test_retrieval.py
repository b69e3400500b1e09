"""Words and sound that find each other: scores beside chance, and queries in free text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import tiny_encoders
from pipeline import SMALL, snakemake, write_corpus
from songatlas import tables
from songatlas.config.features import Lyrics, Pretrained
from songatlas.config.run import Config
from songatlas.errors import ConfigError, SongatlasError
from songatlas.features.encoders.load import load_joint_encoder
from songatlas.features.lyrics.clean import clean
from songatlas.features.lyrics.features import encoder_of
from songatlas.models.base import InputSpec
from songatlas.plan.workflow import Plan
from songatlas.training.weights import Description, save_weights
from songatlas.words import query, scores
from songatlas.words.encoded import write_lyrics_vectors
from songatlas.words.joint import encoded_pairs, songs_of_encoder

HEARD = {"t0", "t1", "t2", "t3", "t5"}
"""The songs that have audio, below."""

# --- scores ------------------------------------------------------------------------------------


def test_ranks_count_what_is_more_similar() -> None:
    gallery = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    found = scores.ranks(np.array([[2.0, 0.1], [0.0, 3.0]]), gallery, np.array([0, 0]))
    assert list(found) == [1.0, 3.0]


def test_ties_get_their_mean_rank() -> None:
    same = np.ones((5, 3))
    assert list(scores.ranks(same, same, np.arange(5))) == [3.0] * 5
    # A vector that says nothing is as similar to one as to another.
    assert list(scores.ranks(np.zeros((1, 3)), np.eye(3), np.array([2]))) == [2.0]


def test_scores_are_those_of_a_plain_loop() -> None:
    rank = np.array([1.0, 2.0, 7.0, 11.0, 40.0])
    found = scores.scores(rank)
    assert found["recall@1"] == 1 / 5
    assert found["recall@5"] == 2 / 5
    assert found["recall@10"] == 3 / 5
    assert found["map@10"] == pytest.approx((1 + 1 / 2 + 1 / 7) / 5)
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 7 + 1 / 11 + 1 / 40) / 5)
    assert all(np.isnan(value) for value in scores.scores(np.zeros(0)).values())


@pytest.mark.parametrize("n", [3, 19, 200])
def test_chance_is_what_random_vectors_give(n: int) -> None:
    rng = np.random.default_rng(0)
    repeats = 3000 // n + 60
    drawn = [
        scores.scores(scores.ranks(rng.normal(size=(n, 8)), rng.normal(size=(n, 8)), np.arange(n)))
        for _ in range(repeats)
    ]
    for metric, expected in scores.chance(n).items():
        values = np.array([found[metric] for found in drawn])
        error = values.std(ddof=1) / np.sqrt(repeats)
        assert abs(values.mean() - expected) < 4 * error + 1e-9, metric


def latents_table(
    path: Path, z: np.ndarray, splits: Sequence[str], *, silent: Sequence[int] = ()
) -> Path:
    """Songs `t0, t1, ...` with one window each, but for the silent ones."""
    songs = [f"t{i}" for i in range(len(z))]
    heard = [i for i in range(len(z)) if i not in silent]
    rows = [
        tables.latents_frame(
            "window",
            [f"w{i}" for i in heard],
            [songs[i] for i in heard],
            [splits[i] for i in heard],
            z[heard],
        ),
        tables.latents_frame("song", None, songs, list(splits), z),
    ]
    about = {"model": "mine", "supervision": "none", "z_dim": 6, "note": ""}
    blocks = {"audio": [0, 2], "lyrics": [2, 3], "shared": [3, 6]}
    tables.write(pd.concat(rows), path, tables.LATENTS, {**about, "blocks": blocks})
    return path


def tracks_table(path: Path, lyrics: Sequence[str | None]) -> Path:
    frame = pd.DataFrame({"track_id": [f"t{i}" for i in range(len(lyrics))], "lyrics": lyrics})
    frame = frame.assign(
        source_id="s", audio_path="a", duration_s=1.0, sample_rate_hz=1, channels=1,
        lyrics_source="file", split="train", status="ok",
    )  # fmt: skip
    tables.write(frame, path, tables.TRACKS)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Six songs: t4 has no audio, t5 no lyrics; t3 is held out, and audio finds lyrics there."""
    rng = np.random.default_rng(0)
    splits = ["train", "train", "train", "test", "train", "test"]
    audio = rng.normal(size=(6, 6)).astype(np.float32)
    lyrics = rng.normal(size=(6, 6)).astype(np.float32)
    lyrics[3, 3:] = 5.0 * audio[3, 3:]
    return {
        "audio": latents_table(tmp_path / "audio.parquet", audio, splits, silent=[4]),
        "lyrics": latents_table(tmp_path / "lyrics.parquet", lyrics, splits, silent=[4]),
        "songs": tracks_table(
            tmp_path / "songs.parquet", ["one", "two", "three", "four", "5", None]
        ),
    }


def test_songs_that_have_both_are_ranked_by_the_shared_block(files: dict[str, Path]) -> None:
    pairs = scores.read_pairs(
        files["audio"], files["lyrics"], {"t0", "t1", "t2", "t3", "t4"}, HEARD
    )
    assert pairs.track_ids == ("t0", "t1", "t2", "t3")
    assert list(pairs.held_out) == [False, False, False, True]
    assert pairs.audio.shape == (4, 3)
    rows = scores.retrieval(pairs)
    assert len(rows) == 4
    held = [row for row in rows if row["queries"] == "held out"]
    assert [(row["n"], row["gallery"], row["recall@1"]) for row in held] == [(1, 4, 1.0)] * 2


def test_the_table_shows_every_value_beside_chance(files: dict[str, Path], tmp_path: Path) -> None:
    outputs = {kind: tmp_path / f"retrieval.{kind}" for kind in ("csv", "md", "tex")}
    both = [files["audio"]] * 2, [files["lyrics"]] * 2
    scores.write_retrieval(*both, files["songs"], HEARD, published={}, **outputs)
    frame = pd.read_csv(outputs["csv"])
    assert len(frame) == 4
    held = frame[frame["queries"] == "held out"]
    assert list(held["n"]) == [2, 2]
    assert list(held["runs"]) == [2, 2]
    assert list(held["recall@1_chance"]) == [0.25, 0.25]
    assert list(held["recall@1_sd"]) == [0.0, 0.0]
    assert "1.000 ± 0.000" in outputs["md"].read_text(encoding="utf-8")
    assert r"\begin{longtable}" in outputs["tex"].read_text(encoding="utf-8")


def test_of_a_product_of_experts_the_whole_latent_is_shared(tmp_path: Path) -> None:
    z = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    frame = tables.latents_frame("song", None, [f"t{i}" for i in range(6)], ["test"] * 6, z)
    about = {"model": "multimodal_vade", "supervision": "elsewhere", "blocks": {}}
    tables.write(frame, tmp_path / "z.parquet", tables.LATENTS, about)
    songs = tracks_table(tmp_path / "songs.parquet", ["one", "two", "three", "four", "5", None])
    outputs = {kind: tmp_path / f"retrieval.{kind}" for kind in ("csv", "md", "tex")}
    same = [tmp_path / "z.parquet"]
    scores.write_retrieval(same, same, songs, HEARD, published={}, **outputs)
    frame = pd.read_csv(outputs["csv"])
    assert list(frame["model"]) == ["multimodal_vade"] * 2
    assert list(frame["gallery"]) == [4, 4], "t4 has no audio, t5 no lyrics"
    assert list(frame["recall@1_mean"]) == [1.0, 1.0]


def test_a_model_that_was_not_trained_has_no_rows(tmp_path: Path, files: dict[str, Path]) -> None:
    empty = tmp_path / "empty.parquet"
    tables.write(tables.empty(tables.LATENTS), empty, tables.LATENTS, {"model": "mine"})
    outputs = {kind: tmp_path / f"retrieval.{kind}" for kind in ("csv", "md", "tex")}
    scores.write_retrieval([empty], [empty], files["songs"], HEARD, published={}, **outputs)
    assert len(pd.read_csv(outputs["csv"])) == 0


# --- queries -----------------------------------------------------------------------------------

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=3, max_lines=2)
LYRICS = Lyrics(dim=3, max_lines=2)
WORDS = ["the river runs", "home again home", "la luna sobre el río", "four more", "5", None]


@pytest.fixture
def source(tmp_path: Path, files: dict[str, Path]) -> dict[str, str]:
    """What a query of a fusion reads."""
    torch.manual_seed(0)
    description = Description(
        "fusion", SPEC, 12, {"fusion": "contrastive", "channels": [8], "width": 16}
    )
    model = description.build()
    save_weights(tmp_path / "weights.ckpt", description, model.state_dict())
    titles = pd.DataFrame({"track_id": [f"t{i}" for i in range(6)]})
    for column in tables.LABELS.columns:
        if column != "track_id":
            titles[column] = None
    titles["title"] = ["River", None, "Luna", "Four", "Five", "Six"]
    tables.write(titles, tmp_path / "titles.parquet", tables.LABELS)
    return {
        "tracks": str(tracks_table(tmp_path / "tracks.parquet", WORDS)),
        "titles": str(tmp_path / "titles.parquet"),
        "weights": str(tmp_path / "weights.ckpt"),
        "latents": str(files["audio"]),
    }


def ask(source: dict[str, str], folder: Path, text: str | None, **more: object) -> str:
    options: dict = {"model": "mine", "encoder": None, "lyrics": LYRICS, "pretrained": None}
    options |= {"seed": 0, "top": 3, "device": "cpu", **more}
    return query.write_query(
        text, source, csv=folder / "songs.csv", md=folder / "songs.md", **options
    )


def test_a_text_is_read_as_the_lyrics_of_a_song(source: dict[str, str], tmp_path: Path) -> None:
    tracks = tables.read(source["tracks"], tables.TRACKS, columns=["track_id", "lyrics"])
    found = query.text_by_model("Home again home!", source["weights"], tracks, LYRICS, 0, "cpu")
    assert np.linalg.norm(found) == pytest.approx(1.0)
    # As the tower reads the vector of that song's lyrics.
    from songatlas.training.weights import load_weights

    model, _ = load_weights(source["weights"], "cpu")
    assert model is not None
    encoder = encoder_of(LYRICS, 0, [clean(words) for words in WORDS if words])
    vector = torch.tensor(encoder.transform([clean("home again home")]))
    with torch.inference_mode():
        expected = model.lyrics_projection(model.read(vector))[0].numpy()
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_the_best_songs_come_first_with_scores(source: dict[str, str], tmp_path: Path) -> None:
    said = ask(source, tmp_path, "home again")
    frame = pd.read_csv(tmp_path / "songs.csv")
    assert list(frame["rank"]) == [1, 2, 3]
    assert frame["score"].is_monotonic_decreasing
    assert "t4" not in set(frame["track_id"]), "it has no audio"
    assert said.startswith("Songs for “home again”\n  1  ")
    named = {"t0": "River", "t1": "t1", "t2": "Luna", "t3": "Four", "t5": "Six"}
    for line, track in zip(said.splitlines()[1:-2], frame["track_id"], strict=True):
        assert f"  {named[track]}  " in line
    assert "5 songs with audio" in (tmp_path / "songs.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [None, "  "])
def test_without_a_text_it_says_how_to_give_one(
    source: dict[str, str], tmp_path: Path, text: str | None
) -> None:
    with pytest.raises(SongatlasError, match=r"text: say what to look for, .*--config text="):
        ask(source, tmp_path, text)


def test_words_that_the_corpus_lacks_are_said(source: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match="text: nothing in '你好世界' is known to the lyrics"):
        ask(source, tmp_path, "你好世界")


def test_an_encoder_of_both_answers_from_its_own_space(
    source: dict[str, str], tmp_path: Path
) -> None:
    weights = tiny_encoders.checkpoint("clap-music", tmp_path / "clap")
    settings = Pretrained(weights={"clap-music": str(weights)}, device="cpu")
    text = query.text_by_encoder("a sad song", "clap-music", settings)
    rng = np.random.default_rng(0)
    stored = rng.normal(size=(4, 2 * len(text))).astype(np.float32)
    # Both windows of song b end in what the text is; the first half is another layer.
    stored[2:, len(text) :] = 3.0 * text
    tables.write_feature(
        tmp_path / "part.parquet", "encoder-clap-music", ["w0", "w1", "w2", "w3"], stored, units="1"
    )
    frame = pd.DataFrame(
        {"window_id": ["w0", "w1", "w2", "w3"], "track_id": ["t0", "t0", "t1", "t1"]}
    )
    songs, vectors = songs_of_encoder([tmp_path / "part.parquet"], frame, len(text))
    assert songs == ["t0", "t1"]
    assert vectors[1] @ text == pytest.approx(1.0, abs=1e-5)


def test_lyrics_in_a_published_space_are_the_means_of_their_lines(tmp_path: Path) -> None:
    weights = tiny_encoders.checkpoint("clap-music", tmp_path / "clap")
    settings = Pretrained(weights={"clap-music": str(weights)}, device="cpu")
    frame = tracks_of(["sad song\n\nleaving home\nsad song", None, "♪\n", "happy dance"])
    tables.write(frame, tmp_path / "tracks.parquet", tables.TRACKS)
    said = write_lyrics_vectors(
        tmp_path / "tracks.parquet",
        tmp_path / "lyrics.parquet",
        encoder="clap-music",
        settings=settings,
        max_lines=8,
    )
    ((ids, values),) = tables.iter_feature([tmp_path / "lyrics.parquet"])
    texts = ["sad song", "leaving home", "happy dance"]
    lines = scores.unit(load_joint_encoder("clap-music", settings).embed_text(texts))
    assert said.startswith(f"{len(ids)} songs with lyrics")
    assert {"t0", "t3"} <= set(ids)
    assert "t1" not in ids
    by_id = dict(zip(ids, values, strict=True))
    expected = (2 * lines[0] + lines[1]) / 3
    np.testing.assert_allclose(by_id["t0"], expected, atol=1e-5)
    np.testing.assert_allclose(by_id["t3"], lines[2], atol=1e-5)
    # Audio that lies where its own lyrics do is found first; t1 has no lyrics, t9 no audio.
    stored = np.stack([by_id["t3"], by_id["t0"], by_id["t0"]])
    tables.write_feature(tmp_path / "part.parquet", "x", ["w0", "w1", "w2"], stored, units="1")
    windows = pd.DataFrame({"window_id": ["w0", "w1", "w2"], "track_id": ["t3", "t0", "t1"]})
    pairs = encoded_pairs([tmp_path / "part.parquet"], windows, tmp_path / "lyrics.parquet")
    assert pairs.track_ids == ("t0", "t3")
    assert pairs.held_out.all()
    rows = scores.retrieval(pairs)
    assert [row["recall@1"] for row in rows if row["queries"] == "held out"] == [1.0, 1.0]


def test_without_lyrics_a_published_space_has_no_pairs(tmp_path: Path) -> None:
    weights = tiny_encoders.checkpoint("clap-music", tmp_path / "clap")
    settings = Pretrained(weights={"clap-music": str(weights)}, device="cpu")
    tables.write(tracks_of([None]), tmp_path / "tracks.parquet", tables.TRACKS)
    path = tmp_path / "lyrics.parquet"
    write_lyrics_vectors(
        tmp_path / "tracks.parquet", path, encoder="clap-music", settings=settings, max_lines=8
    )
    vector = np.ones((1, 12), np.float32)
    tables.write_feature(tmp_path / "part.parquet", "x", ["w0"], vector, units="1")
    windows = pd.DataFrame({"window_id": ["w0"], "track_id": ["t0"]})
    pairs = encoded_pairs([tmp_path / "part.parquet"], windows, path)
    rows = scores.over_seeds([{"model": "clap", **row} for row in scores.retrieval(pairs)])
    assert rows.empty


def tracks_of(lyrics: list[str | None]) -> pd.DataFrame:
    frame = pd.DataFrame({name: [None] * len(lyrics) for name in tables.TRACKS.columns})
    ids = [f"t{number}" for number in range(len(lyrics))]
    source = ["file" if words else "none" for words in lyrics]
    return frame.assign(
        track_id=ids, source_id=ids, lyrics=lyrics, lyrics_source=source, split="train", status="ok"
    )


# --- the config --------------------------------------------------------------------------------


def plan_of(**more: object) -> Plan:
    models = {
        "apart": {"architecture": "fusion", "fusion": "late"},
        "drawn": {"architecture": "fusion", "fusion": "contrastive"},
        "plain": {"architecture": "conv_vae"},
        "beside": {"architecture": "multimodal_vae"},
    }
    return Plan(
        {
            "models": models,
            "baselines": {"clap": {"kind": "encoder", "encoder": "clap-music"}},
            **more,
        }
    )


def test_who_answers() -> None:
    assert plan_of().query_model == "clap"
    assert plan_of(include=["apart", "drawn", "plain"]).query_model is None, "it finds by chance"
    assert plan_of(include=["apart", "plain", "beside"]).query_model is None
    assert plan_of(query={"model": "drawn"}).query_model == "drawn"
    with pytest.raises(ConfigError, match=r"query\.model: `plain` does not have .* clap, drawn"):
        plan_of(query={"model": "plain"}).query_model  # noqa: B018
    assert Config(text=2024).text == "2024"


@pytest.mark.slow
def test_a_run_scores_retrieval_and_answers(tmp_path: Path) -> None:
    write_corpus(tmp_path / "songs")
    weights = tiny_encoders.checkpoint("clap-music", tmp_path / "weights")
    settings = SMALL + (
        "corpus_path: songs\n"
        "include: [fusion_contrastive, clap]\n"
        "baselines: {clap: {kind: encoder, encoder: clap-music}}\n"
        f"pretrained: {{device: cpu, weights: {{clap-music: {weights}}}}}\n"
    )
    settings = settings.replace(
        "models:\n", "models:\n  fusion_contrastive: {architecture: fusion, fusion: contrastive}\n"
    )
    (tmp_path / "small.yaml").write_text(settings, encoding="utf-8")
    run = ("--configfile", "small.yaml")
    table = "results/small/tables/retrieval.csv"
    snakemake(tmp_path, *run, "--", table)
    frame = pd.read_csv(tmp_path / table)
    assert set(frame["model"]) == {"fusion_contrastive", "clap"}
    published = frame[frame["model"] == "clap"]
    assert list(published["queries"]) == ["held out", "held out"]
    assert set(published["gallery"]) == {12}
    assert published["recall@10_mean"].between(0.2, 1.0).all()
    answers = []
    for model in ("fusion_contrastive", "clap"):
        chosen = ["text=la luna sobre el río", f"query={{model: {model}, top: 3}}"]
        said = snakemake(tmp_path, *run, "--config", *chosen, "--", "query").stderr
        assert "Songs for “la luna sobre el río”" in said
        answers.append(pd.read_csv(tmp_path / "results" / "small" / "query" / "songs.csv"))
    assert [len(answer) for answer in answers] == [3, 3]
    assert list(answers[0]["score"]) != list(answers[1]["score"])
    refused = snakemake(tmp_path, *run, "--", "query", check=False)
    assert refused.returncode != 0
    assert "text: say what to look for" in refused.stderr
