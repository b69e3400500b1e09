"""Lyrics embeddings: languages separate, missing lyrics are zeros, any encoder fits in."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from songatlas import tables
from songatlas.config.features import Lyrics
from songatlas.errors import SongatlasError
from songatlas.features.lyrics import features as lyrics_features
from songatlas.features.lyrics.clean import clean
from songatlas.features.lyrics.features import write_lyrics_features
from songatlas.features.lyrics.huggingface import HuggingFaceEncoder
from songatlas.features.lyrics.tfidf import TfidfSvd

ENGLISH, SPANISH, GERMAN = (
    ["love", "the", "night", "sings"],
    ["el", "amor", "la", "noche", "canta"],
    ["die", "liebe", "singt", "nacht"],
)
WORDS = [*ENGLISH, *SPANISH, *GERMAN]
TEXTS = [
    "the night sings\nlove the night",
    "la noche canta el amor\nel amor la noche",
    "die nacht singt\ndie liebe",
]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def corpus(
    folder: Path, tracks: dict[str, str | None], windows: list[tuple[str, str, str | None]]
) -> tuple[Path, Path]:
    """Tables of tracks (track_id: lyrics) and windows (window_id, track_id, lyrics)."""
    frame = pd.DataFrame({"track_id": list(tracks), "lyrics": list(tracks.values())})
    frame = frame.assign(source_id=frame["track_id"], audio_path=None, duration_s=None)
    frame = frame.assign(sample_rate_hz=None, channels=None, split="train", status="ok")
    frame["lyrics_source"] = ["none" if text is None else "file" for text in tracks.values()]
    tables.write(frame, folder / "tracks.parquet", tables.TRACKS)
    columns = ["window_id", "track_id", "lyrics"]
    cut = pd.DataFrame(windows, columns=columns).assign(split="train", padded=False)
    cut["index"] = cut.groupby("track_id").cumcount()
    cut = cut.assign(start_s=20.0 * cut["index"], end_s=20.0 * cut["index"] + 30.0)
    tables.write(cut, folder / "windows.parquet", tables.WINDOWS)
    return folder / "tracks.parquet", folder / "windows.parquet"


def write(
    folder: Path, tables_of: tuple[Path, Path], config: Lyrics, seed: int = 0
) -> list[tuple[list[str], np.ndarray]]:
    outputs = [folder / f"{name}.parquet" for name in ("song", "song_lines", "window", "lines")]
    write_lyrics_features(*tables_of, *outputs, config, seed)
    return [tables.read_feature([output]) for output in outputs]


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised XLM-RoBERTa of width 16 with a word tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    folder = tmp_path_factory.mktemp("tiny-xlm-roberta")
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=34,
        pad_token_id=1,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    assert (folder / "model.safetensors").is_file()
    return folder


# TF-IDF and SVD


def test_tfidf_separates_the_languages_of_real_lyrics(jamendolyrics: Path) -> None:
    with (jamendolyrics / "JamendoLyrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 79
    texts = []
    for row in rows:
        name = row["Filepath"].removesuffix(".mp3") + ".txt"
        texts.append(clean((jamendolyrics / "lyrics" / name).read_text(encoding="utf-8")))
    vectors = TfidfSvd(1, 3, 32, seed=0).fit(texts).transform(texts)
    assert vectors.shape == (79, 32)
    labels = KMeans(4, n_init=10, random_state=0).fit_predict(vectors)
    languages = [row["Language"] for row in rows]
    assert normalized_mutual_info_score(languages, labels) >= 0.95


def test_tfidf_rows_have_unit_length_and_the_same_seed_gives_the_same_vectors() -> None:
    texts = TEXTS * 3 + ["love love", "noche"]
    one = TfidfSvd(1, 3, 4, seed=7).fit(texts).transform(texts)
    two = TfidfSvd(1, 3, 4, seed=7).fit(texts).transform(texts)
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1.0, atol=1e-5)


def test_tfidf_is_as_wide_as_asked_for_with_few_texts() -> None:
    vectors = TfidfSvd(1, 3, 32, seed=0).fit(TEXTS).transform(TEXTS)
    assert vectors.shape == (3, 32)
    assert not vectors[:, 3:].any()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_tfidf_of_texts_without_known_ngrams_is_zero() -> None:
    encoder = TfidfSvd(2, 3, 8, seed=0).fit(["", "a", *TEXTS])
    assert not encoder.transform(["", "a", "प्यार"]).any()
    assert encoder.transform([]).shape == (0, 8)


@pytest.mark.parametrize("texts", [[], [""], ["", "a"]])
def test_tfidf_fitted_on_nothing_gives_zeros(texts: list[str]) -> None:
    vectors = TfidfSvd(2, 3, 8, seed=0).fit(texts).transform(["love", ""])
    assert vectors.shape == (2, 8)
    assert not vectors.any()


def test_tfidf_must_be_fitted_first() -> None:
    with pytest.raises(RuntimeError, match="fit"):
        TfidfSvd(1, 3, 8, seed=0).transform(["love"])


def test_tfidf_bounds_what_it_is_fitted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("songatlas.features.lyrics.tfidf.MAX_FIT_SONGS", 10)
    monkeypatch.setattr("songatlas.features.lyrics.tfidf.MAX_FEATURES", 20)
    monkeypatch.setattr("songatlas.features.lyrics.tfidf.ROWS_AT_ONCE", 7)
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 8)) for _ in range(40)]
    one, two = (TfidfSvd(1, 2, 6, seed=3).fit(texts) for _ in range(2))
    assert len(one._vectorizer.vocabulary_) == 20
    np.testing.assert_array_equal(one.transform(texts), two.transform(texts))
    np.testing.assert_allclose(one.transform(texts[30:]), one.transform(texts)[30:], atol=1e-6)


# Hugging Face


def test_pretrained_encoder_averages_over_tokens_that_are_no_padding(tiny_encoder: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    encoder = HuggingFaceEncoder(str(tiny_encoder))
    assert encoder.dim == 16
    vectors = encoder.transform([*TEXTS, "love", "", "  "])
    assert vectors.dtype == np.float32
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    model = AutoModel.from_pretrained(tiny_encoder).eval()
    with torch.inference_mode():
        for text, vector in zip([*TEXTS, "love"], vectors, strict=False):
            alone = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
            np.testing.assert_allclose(vector, alone.numpy(), atol=1e-5)
    assert not vectors[4:].any()


def test_long_lyrics_are_encoded_in_chunks_that_count_by_their_tokens(tiny_encoder: Path) -> None:
    encoder = HuggingFaceEncoder(str(tiny_encoder), max_tokens=8)
    words = (WORDS * 2)[:15]  # chunks of 6 + 6 + 3 words, each between two special tokens
    parts = [" ".join(words[i : i + 6]) for i in (0, 6, 12)]
    wanted = np.average(encoder.transform(parts), axis=0, weights=[8, 8, 5])
    together = encoder.transform([" ".join(words), "love"])
    np.testing.assert_allclose(together[0], wanted, atol=1e-5)


def test_more_chunks_than_a_batch_holds(tiny_encoder: Path) -> None:
    encoder = HuggingFaceEncoder(str(tiny_encoder), max_tokens=8)
    texts = [" ".join(np.random.default_rng(i).choice(WORDS, 10 * i + 1)) for i in range(40)]
    wanted = np.concatenate([encoder.transform([text]) for text in texts])
    np.testing.assert_allclose(encoder.transform(texts), wanted, atol=1e-5)


def test_chunks_are_no_longer_than_the_model_can_take(tiny_encoder: Path) -> None:
    encoder = HuggingFaceEncoder(str(tiny_encoder), max_tokens=512)
    assert encoder.max_tokens == 32
    assert np.isfinite(encoder.transform([" ".join(WORDS * 20)])).all()


def test_missing_weights_name_the_model_the_folder_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SongatlasError) as caught:
        HuggingFaceEncoder("songatlas/absent-model", revision="v2", cache_dir=tmp_path / "cache")
    message = str(caught.value)
    assert "`songatlas/absent-model`" in message
    assert str(tmp_path / "cache") in message
    assert "HF_HOME" in message or "HF_HUB_CACHE" in message
    assert "hf download songatlas/absent-model --revision v2 --cache-dir" in message


def test_half_downloaded_weights_are_an_error_of_the_user(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    for path in tiny_encoder.iterdir():
        content = path.read_bytes()
        half = len(content) // 2 if path.suffix == ".safetensors" else len(content)
        (tmp_path / path.name).write_bytes(content[:half])
    with pytest.raises(SongatlasError, match="cannot be loaded"):
        HuggingFaceEncoder(str(tmp_path))


def test_pretrained_encoder_must_have_the_width_that_the_config_says(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    files = corpus(tmp_path, {"a": TEXTS[0]}, [("a-0", "a", TEXTS[0])])
    with pytest.raises(SongatlasError, match=r"set lyrics\.dim to 16"):
        write(tmp_path, files, Lyrics(encoder=str(tiny_encoder), dim=32))
    (_, songs), _, (_, windows), (_, lines) = write(
        tmp_path, files, Lyrics(encoder=str(tiny_encoder), dim=16, max_lines=3)
    )
    assert (songs.shape, windows.shape, lines.shape) == ((1, 16), (1, 16), (1, 3, 16))
    np.testing.assert_array_equal(songs, windows)
    assert tables.read_metadata(tmp_path / "song.parquet")["encoder"] == str(tiny_encoder)


# The four features


def test_songs_windows_and_lines_are_embedded(tmp_path: Path) -> None:
    files = corpus(
        tmp_path,
        {"a": TEXTS[0], "b": "[Chorus]\n" + TEXTS[1], "c": None, "d": "(x2)"},
        [
            ("a-0", "a", "the night sings"),
            ("a-1", "a", None),
            ("b-0", "b", "[Chorus]\n" + TEXTS[1]),
            ("c-0", "c", None),
        ],
    )
    config = Lyrics(dim=4, max_lines=3)
    features = write(tmp_path, files, config)
    (songs, song), (alike, song_lines), (windows, window), (same, lines) = features
    assert alike == songs
    np.testing.assert_allclose(song_lines[1], lines[2], atol=1e-6)
    assert songs == ["a", "b"]
    assert windows == same == ["a-0", "a-1", "b-0", "c-0"]
    assert lines.shape == (4, 3, 4)
    encoder = TfidfSvd(1, 3, 4, seed=0).fit(TEXTS[:2])
    np.testing.assert_allclose(song, encoder.transform(TEXTS[:2]), atol=1e-6)
    np.testing.assert_allclose(window[2], song[1], atol=1e-6)
    assert not window[[1, 3]].any()
    assert not lines[[1, 3]].any()
    np.testing.assert_allclose(lines[0, 0], window[0], atol=1e-6)
    assert not lines[0, 1:].any()
    np.testing.assert_allclose(lines[2, :2], encoder.transform(TEXTS[1].split("\n")), atol=1e-6)
    assert not lines[2, 2].any()
    info = tables.read_metadata(tmp_path / "lines.parquet")
    assert info["encoder"] == "tfidf"
    assert info["key"] == "window_id"
    assert tables.read_metadata(tmp_path / "song.parquet")["key"] == "track_id"


def test_of_many_lines_evenly_spaced_ones_are_kept(tmp_path: Path) -> None:
    lines = [f"line {chr(97 + i)}{chr(97 + i)}" for i in range(9)]
    files = corpus(tmp_path, {"a": "\n".join(lines)}, [("a-0", "a", "\n".join(lines))])
    *_, (_, values) = write(tmp_path, files, Lyrics(dim=4, max_lines=3))
    encoder = TfidfSvd(1, 3, 4, seed=0).fit(["\n".join(lines)])
    np.testing.assert_allclose(
        values[0], encoder.transform([lines[0], lines[4], lines[8]]), atol=1e-6
    )


def test_a_corpus_without_lyrics_gives_valid_zero_features(tmp_path: Path) -> None:
    files = corpus(tmp_path, {"a": None}, [("a-0", "a", None), ("a-1", "a", None)])
    features = write(tmp_path, files, Lyrics(dim=4, max_lines=2))
    (songs, song), _, (_, window), (_, lines) = features
    assert songs == []
    assert song.shape == (0, 4)
    assert window.shape == (2, 4)
    assert lines.shape == (2, 2, 4)
    assert not window.any()
    assert not lines.any()


def test_a_corpus_of_lyrics_alone_has_no_windows(tmp_path: Path) -> None:
    files = corpus(tmp_path, {"a": TEXTS[0], "b": TEXTS[1]}, [])
    features = write(tmp_path, files, Lyrics(dim=4, max_lines=2))
    (songs, _), _, (windows, window), (_, lines) = features
    assert songs == ["a", "b"]
    assert windows == []
    assert window.shape == (0, 4)
    assert lines.shape == (0, 2, 4)


def test_windows_are_written_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = dict(zip("abc", TEXTS, strict=True))
    cut = [(f"{t}-{i}", t, tracks[t]) for t in tracks for i in range(5)]
    files = corpus(tmp_path, tracks, cut)
    whole = write(tmp_path, files, Lyrics(dim=4, max_lines=2))
    monkeypatch.setattr(lyrics_features, "TEXTS_AT_ONCE", 4)
    for (ids, values), (same_ids, same) in zip(
        whole, write(tmp_path, files, Lyrics(dim=4, max_lines=2)), strict=True
    ):
        assert ids == same_ids
        np.testing.assert_allclose(values, same, atol=1e-6)
