"""LoRA weights beside a frozen encoder: what they change, what they leave, that they learn."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import tiny_encoders
from songatlas.config.features import Adaptation, Pretrained
from songatlas.errors import SongatlasError
from songatlas.extras.adapt import HISTORY, adapt, inject
from songatlas.features.encoders.adapter import WEIGHTS, with_adapter
from songatlas.features.encoders.load import load_encoder

RATE = 16_000


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Six songs, each a chord of its own in noise; three windows of a second."""
    folder = tmp_path_factory.mktemp("songs")
    rows = []
    for number in range(6):
        rng = np.random.default_rng(number)
        time = np.arange(4 * RATE) / RATE
        tones = sum(np.sin(2 * np.pi * f * time) for f in rng.uniform(100, 3000, 3))
        path = folder / f"{number}.wav"
        soundfile.write(path, 0.1 * tones + 0.05 * rng.standard_normal(time.size), RATE)
        rows += [(str(number), str(path), float(start)) for start in range(3)]
    return pd.DataFrame(rows, columns=["track_id", "audio_path", "start_s"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


def settings(name: str, weights: Path) -> Pretrained:
    made = weights / name if (weights / name).is_dir() else tiny_encoders.checkpoint(name, weights)
    return Pretrained(weights={name: str(made)}, device="cpu")


@pytest.mark.parametrize("name", ["hubert", "ast"])
def test_adaptation_learns_and_is_the_same_when_loaded(
    name: str, songs: pd.DataFrame, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="LoRA needs peft")
    chosen = Adaptation(steps=40, songs_per_step=6, learning_rate=3e-2, rank=4)
    said = adapt(name, settings(name, folder), chosen, songs, 1.0, tmp_path / "one")
    history = pd.read_csv(tmp_path / "one" / HISTORY)
    assert len(history) == 40
    assert history["loss"].iloc[-5:].mean() < 0.9 * history["loss"].iloc[:5].mean(), history
    assert "weights, loss" in said
    windows = np.random.default_rng(9).normal(0, 0.1, (2, RATE)).astype(np.float32)
    plain = load_encoder(name, settings(name, folder))
    before = plain.embed_audio(windows)
    adapted = with_adapter(load_encoder(name, settings(name, folder)), tmp_path / "one")
    after = adapted.embed_audio(windows)
    assert np.abs(before - after).max() > 1e-3
    # Whoever adapts once more gets the same weights.
    adapt(name, settings(name, folder), chosen, songs, 1.0, tmp_path / "two")
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "two" / WEIGHTS).read_bytes()
    # The encoder's own weights are as they were.
    own = dict(plain.model.named_parameters())
    for key, value in adapted.model.named_parameters():
        if "lora_" not in key:
            assert torch.equal(value, own[key.replace(".base_layer", "")]), key


def test_untrained_matrices_change_nothing(folder: Path) -> None:
    pytest.importorskip("peft", reason="LoRA needs peft")
    windows = np.random.default_rng(9).normal(0, 0.1, (2, RATE)).astype(np.float32)
    encoder = load_encoder("hubert", settings("hubert", folder))
    before = encoder.embed_audio(windows)
    inject(encoder, Adaptation())
    np.testing.assert_allclose(encoder.embed_audio(windows), before, atol=1e-6)
    trained = [key for key, p in encoder.model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in key for key in trained)


def test_what_cannot_be_adapted_is_said(
    songs: pd.DataFrame, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("peft", reason="LoRA needs peft")
    few = Adaptation(steps=1)
    with pytest.raises(SongatlasError, match="LoRA matrices change nothing in `wavlm`"):
        adapt("wavlm", settings("wavlm", folder), few, songs, 1.0, tmp_path)
    with pytest.raises(SongatlasError, match=r"no linear layer of `hubert` is called nothing"):
        adapt(
            "hubert", settings("hubert", folder), Adaptation(targets=["nothing"]), songs, 1.0, "x"
        )
    with pytest.raises(SongatlasError, match="1 training songs have two windows"):
        adapt("hubert", settings("hubert", folder), few, songs.iloc[:4], 1.0, tmp_path)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(SongatlasError, match="pip install peft"):
        adapt("hubert", settings("hubert", folder), few, songs, 1.0, tmp_path)
