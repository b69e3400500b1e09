"""Pretrained encoders give what the models themselves give, and nothing that a licence forbids."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import transformers

import tiny_encoders
from songatlas import tables
from songatlas.config import encoder_cards as cards
from songatlas.config.features import Pretrained
from songatlas.config.run import Config
from songatlas.corpus.sound.decode import decode_windows
from songatlas.errors import ConfigError, SongatlasError
from songatlas.features.encoders.features import choose, layers_of, write_encoder_feature
from songatlas.features.encoders.load import load_encoder, load_joint_encoder
from songatlas.features.encoders.weights import (
    Pinned,
    cached,
    digests,
    locate,
    read_lock,
    write_lock,
)

TWICE = ("clap", "mert-330m")
"""Encoders that differ from another in their weights alone."""

NAMES = [name for name in tiny_encoders.CHECKPOINTS if name not in TWICE]


def settings(name: str, folder: Path, **others: object) -> Pretrained:
    given = {"allow_restricted": True, "device": "cpu", "batch_size": 2}
    return Pretrained(weights={name: str(folder)}, **{**given, **others})


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny checkpoint of an encoder, made once."""
    folder = tmp_path_factory.mktemp("checkpoints")
    made: dict[str, Path] = {}

    def checkpoint(name: str) -> Path:
        if name not in made:
            made[name] = tiny_encoders.checkpoint(name, folder)
        return made[name]

    return checkpoint


def song(jamendolyrics: Path, rate_hz: int, seconds: float = 6.0) -> np.ndarray:
    """Two windows of a real song, (2, samples)."""
    path = min((jamendolyrics / "mp3").glob("*.mp3"))
    return np.stack(list(decode_windows(path, rate_hz, [20.0, 40.0], seconds)))


# --- each equals its own model -----------------------------------------------------------------


def from_waveform(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = processor(wave, sampling_rate=processor.sampling_rate, return_tensors="pt")
    found = model(**inputs, output_hidden_states=True)
    return [state[0].mean(0) for state in (*found.hidden_states[:-1], found.last_hidden_state)]


def from_mert(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    from safetensors.torch import load_file

    processor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    model = transformers.HubertModel(transformers.HubertConfig(**tiny_encoders.CONVOLUTIONS)).eval()
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict(weights)
    inputs = processor(wave, sampling_rate=24_000, return_tensors="pt")
    found = model(**inputs, output_hidden_states=True)
    return [state[0].mean(0) for state in (*found.hidden_states[:-1], found.last_hidden_state)]


def from_ast(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = processor(wave, sampling_rate=16_000, return_tensors="pt")
    found = model(**inputs, output_hidden_states=True)
    return [*(state[0, 2:].mean(0) for state in found.hidden_states), found.pooler_output[0]]


def from_whisper(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = processor(wave, sampling_rate=16_000, return_tensors="pt")
    found = model.encoder(inputs["input_features"], output_hidden_states=True)
    assert torch.equal(found.hidden_states[-1], found.last_hidden_state)
    # One token is 20 ms of the 30 s that the model is given.
    heard = len(wave) // 320
    return [state[0, :heard].mean(0) for state in found.hidden_states]


def from_encodec(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.EncodecModel.from_pretrained(folder).eval()
    inputs = processor(raw_audio=wave, sampling_rate=24_000, return_tensors="pt")
    codes = model.encode(**inputs, bandwidth=6.0).audio_codes[0, 0]
    latents = model.encoder(inputs["input_values"])
    shares = [torch.bincount(row, minlength=64) / len(row) for row in codes]
    quantised = sum(
        layer.codebook.embed[row] for layer, row in zip(model.quantizer.layers, codes, strict=False)
    )
    return [torch.cat(shares), quantised.mean(0), latents[0].mean(1)]


def from_musicgen(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.MusicgenForConditionalGeneration.from_pretrained(folder).eval()
    inputs = processor(wave, sampling_rate=32_000, return_tensors="pt")
    codes = model.audio_encoder.encode(**inputs).audio_codes[0, 0]
    # The model's own delay pattern, of a prompt that fills all but the last steps.
    start = model.config.decoder.pad_token_id
    prompt = torch.cat([torch.full((4, 1), start), codes], dim=1)
    frames = codes.shape[1]
    _, pattern = model.decoder.build_delay_pattern_mask(prompt, start, max_length=frames + 4)
    padded = torch.full((4, frames + 4), start)
    for book in range(4):
        padded[book, book + 1 : book + 1 + frames] = codes[book]
    known = pattern[:, : frames + 1] != -1
    assert (pattern[:, : frames + 1][known] == padded[:, : frames + 1][known]).all()
    nothing = model.get_unconditional_inputs(num_samples=1)
    found = model(
        decoder_input_ids=padded,
        encoder_outputs=nothing.encoder_outputs,
        attention_mask=nothing.attention_mask,
        output_hidden_states=True,
    )
    return [state[0].mean(0) for state in found.decoder_hidden_states]


def from_qwen2_audio(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    whole = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(folder).eval()
    inputs = processor(wave, sampling_rate=16_000, return_tensors="pt")
    found = whole.model.audio_tower(inputs["input_features"], output_hidden_states=True)
    heard = len(wave) // 320
    before = [state[0, :heard].mean(0) for state in found.hidden_states[:-1]]
    return [*before, found.last_hidden_state[0, : heard // 2].mean(0)]


def from_clap(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.ClapModel.from_pretrained(folder).eval()
    inputs = processor(audio=wave, sampling_rate=48_000, return_tensors="pt")
    found = model.audio_model(**inputs, output_hidden_states=True)
    joint = model.get_audio_features(**inputs).pooler_output[0]
    return [*(s[0].flatten(1).mean(1) for s in found.hidden_states), found.pooler_output[0], joint]


def from_muq(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    """Step by step: muq 0.1.0 cannot give hidden states under transformers 5 by itself."""
    from muq import MuQ

    model = MuQ.from_pretrained(str(folder)).eval().model
    found = model.preprocessing(torch.from_numpy(wave)[None], features=["melspec_2048"])
    x = model.conv(model.normalize(found)["melspec_2048"])
    conformer = model.conformer
    conformer.config._attn_implementation = "eager"
    positions = conformer.embed_positions(x) if conformer.embed_positions is not None else None
    states = []
    for layer in conformer.layers:
        states.append(x)
        x = layer(x, attention_mask=None, relative_position_embeddings=positions)
        x = x[0] if isinstance(x, tuple) else x
    return [state[0].mean(0) for state in (*states, conformer.layer_norm(x))]


def from_musicfm(folder: Path, wave: np.ndarray) -> list[torch.Tensor]:
    """The same steps in functions of torch alone, on the tensors of the checkpoint."""
    import torchaudio
    from torch.nn import functional
    from transformers import Wav2Vec2ConformerConfig, Wav2Vec2ConformerModel

    saved = torch.load(folder / "pretrained_msd.pt", weights_only=True)["state_dict"]
    weights = {key.removeprefix("model."): value for key, value in saved.items()}
    mel = torchaudio.transforms.MelSpectrogram(24_000, 2048, hop_length=240, n_mels=128)
    decibel = 10 * torch.log10(mel(torch.from_numpy(wave)[None]).clamp(min=1e-10))
    x = ((decibel[..., :-1] - 6.77) / 18.42)[:, None]

    def convolve(x: torch.Tensor, name: str, number: int, stride: int) -> torch.Tensor:
        of, norm = (f"{name}.{kind}{number}" for kind in ("conv", "bn"))
        x = functional.conv2d(x, weights[f"{of}.weight"], weights[f"{of}.bias"], stride, 1)
        held = [weights[f"{norm}.{key}"] for key in ("running_mean", "running_var")]
        return functional.batch_norm(x, *held, weights[f"{norm}.weight"], weights[f"{norm}.bias"])

    for name in ("conv.conv.0", "conv.conv.1"):
        deep = convolve(functional.relu(convolve(x, name, 1, 2)), name, 2, 1)
        x = functional.relu(convolve(x, name, 3, 2) + deep)
    b, channels, bands, time = x.shape
    x = x.permute(0, 3, 1, 2).reshape(b, time, channels * bands)
    x = functional.linear(x, weights["conv.linear.weight"], weights["conv.linear.bias"])
    # The conformer within the whole model of transformers, which gives hidden states by itself.
    config = Wav2Vec2ConformerConfig(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        hidden_act="swish",
        position_embeddings_type="rotary",
        conv_dim=[128],
        conv_stride=[1],
        conv_kernel=[1],
    )
    whole = Wav2Vec2ConformerModel(config).eval()
    own = {key.removeprefix("conformer."): v for key, v in weights.items() if "conformer." in key}
    whole.encoder.load_state_dict(own, strict=False)
    whole.feature_extractor = torch.nn.Identity()
    whole.feature_projection.forward = lambda _: (x, x)
    found = whole(torch.zeros(b, 128, time), output_hidden_states=True)
    return [state[0].mean(0) for state in found.hidden_states]


UPSTREAM = {
    "clap-music": from_clap,
    "ast": from_ast,
    "whisper": from_whisper,
    "encodec": from_encodec,
    "musicgen": from_musicgen,
    "qwen2-audio": from_qwen2_audio,
    "qwen2-audio-instruct": from_qwen2_audio,
    "mert-95m": from_mert,
    "musicfm": from_musicfm,
    "muq": from_muq,
}


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_gives_what_its_model_gives(
    name: str, checkpoints: Callable[[str], Path], jamendolyrics: Path
) -> None:
    if name == "muq":
        pytest.importorskip("muq", reason="the package muq is not installed (no dependency)")
    folder = checkpoints(name)
    encoder = load_encoder(name, settings(name, folder))
    assert encoder.sample_rate_hz == cards.CARDS[name].sample_rate_hz
    windows = song(jamendolyrics, encoder.sample_rate_hz)
    vectors = encoder.embed_audio(windows)
    assert vectors.shape == (2, encoder.width)
    assert vectors.dtype == np.float32
    ends = np.cumsum([layer.dim for layer in encoder.layers])
    with torch.inference_mode():
        for wave, vector in zip(windows, vectors, strict=True):
            wanted = UPSTREAM.get(name, from_waveform)(folder, wave)
            assert [len(layer) for layer in wanted] == [layer.dim for layer in encoder.layers]
            for layer, found, one in zip(
                encoder.layers, np.split(vector, ends[:-1]), wanted, strict=True
            ):
                scale = max(float(one.abs().max()), 1e-3)
                np.testing.assert_allclose(
                    found / scale, one.numpy() / scale, atol=2e-4, err_msg=layer.name
                )
    # Whoever gave a constant would pass otherwise.
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4


def test_a_window_longer_than_a_clip_is_the_mean_of_its_clips(
    checkpoints: Callable[[str], Path], jamendolyrics: Path
) -> None:
    encoder = load_encoder("clap-music", settings("clap-music", checkpoints("clap-music")))
    (window, _) = song(jamendolyrics, 48_000, seconds=24.5)
    whole = encoder.embed_audio(window[None])[0]
    second = 48_000
    parts = [window[: 10 * second], window[10 * second : 20 * second], window[20 * second :]]
    vectors = [encoder.embed_audio(part[None])[0] for part in parts]
    np.testing.assert_allclose(whole, np.average(vectors, axis=0, weights=[10, 10, 4.5]), atol=1e-5)
    # A rest of half a second is left out.
    assert list(encoder.clips(round(10.5 * second))) == [(0, 10 * second)]
    assert list(encoder.clips(second // 2)) == [(0, second // 2)]


def test_batches_change_nothing(checkpoints: Callable[[str], Path], jamendolyrics: Path) -> None:
    folder = checkpoints("hubert")
    windows = song(jamendolyrics, 16_000, seconds=2.0)
    one, five = (
        load_encoder("hubert", settings("hubert", folder, batch_size=size)) for size in (1, 5)
    )
    np.testing.assert_allclose(one.embed_audio(windows), five.embed_audio(windows), atol=1e-5)


def test_texts_and_audio_share_a_space(checkpoints: Callable[[str], Path]) -> None:
    folder = checkpoints("clap-music")
    encoder = load_joint_encoder("clap-music", settings("clap-music", folder))
    texts = ["sad slow song", "happy dance", "song about leaving home home home"]
    vectors = encoder.embed_text(texts)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.ClapModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        for text, vector in zip(texts, vectors, strict=True):
            alone = model.get_text_features(**processor(text=[text], return_tensors="pt"))
            np.testing.assert_allclose(vector, alone.pooler_output[0].numpy(), atol=1e-5)
    assert encoder.embed_text([]).shape == (0, vectors.shape[1])
    with pytest.raises(SongatlasError, match="does not embed texts; those that do: clap-music"):
        load_joint_encoder("ast", Pretrained())


# --- refusals ----------------------------------------------------------------------------------


def test_restricted_licences_and_remote_code_are_refused_unless_the_config_says_so() -> None:
    def config(name: str, **pretrained: object) -> dict:
        return {
            "baselines": {"b": {"kind": "encoder", "encoder": name}},
            "pretrained": pretrained,
        }

    from songatlas.config.run import load

    for name, card in cards.CARDS.items():
        if card.restricted:
            with pytest.raises(ConfigError, match="allow_restricted"):
                load(config(name, remote_code=[name]))
        load(config(name, allow_restricted=card.restricted))
        if not card.has_own_code:
            with pytest.raises(ConfigError, match=f"no code comes with `{name}`"):
                load(config(name, allow_restricted=True, remote_code=[name]))
    with pytest.raises(ConfigError, match="did you mean `whisper`"):
        load(config("wisper"))
    with pytest.raises(ConfigError, match=r"pretrained.weights: unknown encoder `clep`"):
        load(config("ast", weights={"clep": "x"}))


def test_code_of_an_encoder_runs_loudly_or_not_at_all(
    checkpoints: Callable[[str], Path], caplog: pytest.LogCaptureFixture, jamendolyrics: Path
) -> None:
    """Its own class gives what its weights give in HuBERT's, also under transformers 5."""
    folder = checkpoints("mert-95m")
    with caplog.at_level(logging.WARNING):
        ported = load_encoder("mert-95m", settings("mert-95m", folder))
        assert "REMOTE CODE" not in caplog.text
        own = load_encoder("mert-95m", settings("mert-95m", folder, remote_code=["mert-95m"]))
    assert "REMOTE CODE IS ON: `mert-95m`" in caplog.text
    names = [type(encoder.model).__name__ for encoder in (ported, own)]
    assert names == ["HubertModel", "MERTModel"]
    windows = song(jamendolyrics, 24_000, seconds=3.0)
    np.testing.assert_allclose(own.embed_audio(windows), ported.embed_audio(windows), atol=1e-5)


@pytest.mark.parametrize("switch", ["feature_extractor_cqt", "deepnorm"])
def test_a_mert_that_is_no_hubert_is_refused(
    switch: str, checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    for path in checkpoints("mert-95m").iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {switch: True}))
    with pytest.raises(SongatlasError, match=f"has {switch}, which HuBERT has not"):
        load_encoder("mert-95m", settings("mert-95m", tmp_path))


def test_wrong_weights_are_an_error_of_the_user(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    for path in checkpoints("ast").iterdir():
        content = path.read_bytes()
        half = len(content) // 2 if path.suffix == ".safetensors" else len(content)
        (tmp_path / path.name).write_bytes(content[:half])
    with pytest.raises(SongatlasError, match="cannot be loaded as ASTModel"):
        load_encoder("ast", settings("ast", tmp_path))
    with pytest.raises(SongatlasError, match="there is no folder"):
        load_encoder("ast", settings("ast", tmp_path / "absent"))


@pytest.mark.parametrize(("name", "part"), [("xls-r", "q_proj.weight"), ("clap", "linear1.bias")])
def test_weights_that_are_missing_are_not_drawn_at_random(
    name: str, part: str, checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    for path in checkpoints(name).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    left = {key: value for key, value in weights.items() if not key.endswith(part)}
    assert len(left) < len(weights)
    save_file(left, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(SongatlasError, match=f"no weights of .*{part} is missing"):
        load_encoder(name, settings(name, tmp_path))


@pytest.mark.parametrize("name", ["ast", "whisper", "encodec", "musicgen", "qwen2-audio"])
def test_weights_of_another_family_are_refused_before_a_model_is_made(
    name: str, checkpoints: Callable[[str], Path]
) -> None:
    with pytest.raises(SongatlasError, match=r"weights of `wavlm`, where `[\w-]+` is needed"):
        load_encoder(name, settings(name, checkpoints("wavlm")))


def test_a_missing_package_is_named(checkpoints: Callable[[str], Path]) -> None:
    pytest.importorskip("transformers")
    try:
        import muq  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(SongatlasError, match=r"needs the package `muq`.*pip install muq"):
            load_encoder("muq", settings("muq", checkpoints("ast")))
    else:
        pytest.skip("the package muq is installed")


# --- where weights lie -------------------------------------------------------------------------


def in_cache(cache: Path, repository: str, folder: Path, revision: str = "c0ffee") -> Path:
    """Put a checkpoint where the Hugging Face Hub would."""
    home = cache / f"models--{repository.replace('/', '--')}"
    snapshot = home / "snapshots" / revision
    snapshot.mkdir(parents=True)
    for path in folder.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / "main").write_text(revision)
    return snapshot


def test_weights_are_found_in_the_cache_and_must_be_the_pinned_ones(
    checkpoints: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    repository, lock = cards.CARDS["ast"].repository, tmp_path / "lock.json"
    with pytest.raises(SongatlasError, match="snakemake --cores 1 fetch_weights"):
        locate(repository, lock)
    snapshot = in_cache(tmp_path / "cache", repository, checkpoints("ast"))
    assert locate(repository, lock) == snapshot == cached(repository, None)
    write_lock(lock, {repository: Pinned("c0ffee", digests(snapshot))})
    assert read_lock(lock)[repository].revision == "c0ffee"
    assert locate(repository, lock) == snapshot
    encoder = load_encoder("ast", Pretrained(lock=str(lock), device="cpu"))
    assert encoder.folder == snapshot
    (snapshot / "config.json").write_text("{}")
    with pytest.raises(SongatlasError, match=r"config\.json \(another content\)"):
        locate(repository, lock)
    (snapshot / "config.json").unlink()
    with pytest.raises(SongatlasError, match=r"config\.json \(missing\)"):
        locate(repository, lock)
    write_lock(lock, {repository: Pinned("decade" * 6, {})})
    with pytest.raises(SongatlasError, match="commit decadedecade"):
        locate(repository, lock)
    lock.write_text("[]")
    with pytest.raises(SongatlasError, match="no lock of weights"):
        locate(repository, lock)


# --- the feature -------------------------------------------------------------------------------


def test_the_feature_holds_every_layer_of_every_window(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", rng.normal(0, 0.1, 44_100 * 5), 44_100)
    (tmp_path / "c.wav").write_text("no audio")
    rows = [(f"{t}-{i}", t, str(tmp_path / f"{t}.wav"), 2.0 * i) for t in "abc" for i in range(2)]
    shard = pd.DataFrame(rows, columns=["window_id", "track_id", "audio_path", "start_s"])
    tables.write(shard.assign(end_s=shard["start_s"] + 3), tmp_path / "shard.parquet", tables.SHARD)
    outputs = [tmp_path / f"{name}.parquet" for name in ("part", "rejects", "warnings")]
    said = write_encoder_feature(
        tmp_path / "shard.parquet",
        *outputs,
        name="wavlm",
        settings=settings("wavlm", checkpoints("wavlm")),
        length_s=3.0,
    )
    assert said == "2 songs, 1 left out"
    ids, values = tables.read_feature([outputs[0]])
    assert ids == ["a-0", "a-1", "b-0", "b-1"]
    encoder = load_encoder("wavlm", settings("wavlm", checkpoints("wavlm")))
    decoded = np.stack(list(decode_windows(tmp_path / "b.wav", 16_000, [0.0, 2.0], 3.0)))
    np.testing.assert_allclose(values[2:], encoder.embed_audio(decoded), atol=1e-5)
    info = tables.read_metadata(outputs[0])
    assert info["feature"] == "encoder-wavlm"
    layers = layers_of(info)
    assert layers == list(encoder.layers)
    np.testing.assert_array_equal(choose(values, layers, -1), values[:, -16:])
    np.testing.assert_array_equal(choose(values, layers, 0), values[:, :16])
    mean = np.mean([values[:, i * 16 : i * 16 + 16] for i in range(3)], axis=0)
    np.testing.assert_allclose(choose(values, layers, "mean"), mean, atol=1e-6)
    with pytest.raises(SongatlasError, match="there is no layer 3; there are 0"):
        choose(values, layers, 3)
    assert tables.read(outputs[1], tables.REJECTS)["reason"].tolist() == ["not_audio"]


def test_the_table_of_the_documentation_is_that_of_the_cards() -> None:
    from conftest import ROOT

    text = (ROOT / "docs" / "encoders.md").read_text(encoding="utf-8")
    assert cards.table() in text


def test_musicfm_without_its_statistics_is_refused(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    weights = checkpoints("musicfm") / "pretrained_msd.pt"
    (tmp_path / weights.name).write_bytes(weights.read_bytes())
    with pytest.raises(SongatlasError, match=r"one pretrained_<corpus>\.pt and its"):
        load_encoder("musicfm", settings("musicfm", tmp_path))


def test_cards_say_whose_labels_the_weights_saw() -> None:
    none = {name for name, card in cards.CARDS.items() if card.supervision == "none"}
    speech = {"wav2vec2", "xls-r", "hubert", "wavlm"}
    assert none == speech | {"encodec", "mert-95m", "mert-330m", "musicfm", "muq"}
    for name, card in cards.CARDS.items():
        unlabelled = " without " in card.trained_on
        assert unlabelled is (card.supervision == "none"), name
        assert f"| {card.trained_on} | {card.supervision} |" in cards.table()


def test_cards_are_complete() -> None:
    for name, card in cards.CARDS.items():
        assert card.name == name
        assert "arXiv" in card.citation
        assert card.repository.count("/") == 1
        assert (card.code == "package") is (card.model.startswith("muq."))
    assert Config().pretrained.allow_restricted is False
    assert set(cards.NOT_OFFERED) == {"OpenL3", "VGGish", "PANNs", "PaSST", "BEATs"}
