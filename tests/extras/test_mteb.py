"""Trained models and encoders in the form that the benchmark mteb scores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import tiny_encoders
from songatlas.config.features import LogMel, Pretrained
from songatlas.errors import SongatlasError
from songatlas.extras.mteb_model import MtebModel, pretrained_model, trained_model
from songatlas.features.audio.logmel import log_mel
from songatlas.features.encoders.load import load_encoder
from songatlas.models.base import InputSpec
from songatlas.training.weights import Description, load_weights, save_weights

RATE = 22_050
LOGMEL = LogMel(n_mels=32, hop_length=2048)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What a finished run leaves of two trained models."""
    spec = InputSpec(32, LOGMEL.n_frames(4.0), 0, 0)
    for name, options in (("conv_vae", {}), ("cvae", {"condition_on": "genre", "n_classes": 3})):
        torch.manual_seed(0)
        description = Description(name, spec, 8, options, ("a", "b", "c") if options else ())
        folder = tmp_path / "models" / name / "seed-0"
        folder.mkdir(parents=True)
        save_weights(folder / "weights.ckpt", description, description.build().state_dict())
    config = {"windows": {"length_s": 4.0, "hop_s": 3.0}, "logmel": LOGMEL.model_dump()}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def noise(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def batches(*recordings: tuple[np.ndarray, int]) -> list[dict[str, Any]]:
    """Recordings as mteb hands them over, two at a time."""
    items = [{"array": samples, "sampling_rate": rate} for samples, rate in recordings]
    return [{"audio": items[start : start + 2]} for start in range(0, len(items), 2)]


def test_a_recording_is_embedded_as_a_song_is(run: Path) -> None:
    model = trained_model(run, "conv_vae")
    song = noise(11.0)
    (vector,) = model.encode(batches((song, RATE)))
    network, _ = load_weights(run / "models" / "conv_vae" / "seed-0" / "weights.ckpt")
    cut = np.stack([song[round(s * RATE) :][: 4 * RATE] for s in (0, 3, 6)])
    mel = torch.from_numpy(log_mel(cut, LOGMEL).astype(np.float16)).float()
    flat = mel.flatten(1)
    standard = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True, unbiased=False)
    with torch.inference_mode():
        mu, _ = network.encode({"mel": standard.view(3, 1, 32, -1)})
    np.testing.assert_allclose(vector, mu.mean(0).numpy(), atol=1e-4)


def test_stereo_other_rates_and_short_recordings(run: Path) -> None:
    model = trained_model(run, "conv_vae")
    song = noise(6.0, rate=44_100)
    stereo = np.stack([song, song])
    found = model.encode(batches((song, 44_100), (stereo, 44_100), (noise(1.0), RATE)))
    assert found.shape == (3, 8)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    assert model.windows(noise(1.0), RATE).shape == (1, 4 * RATE)
    assert model.windows(song, 44_100).shape == (1, 4 * RATE)
    with pytest.raises(SongatlasError, match="tasks of the modality `audio`"):
        model.encode([{"text": ["words"]}])
    with pytest.raises(SongatlasError, match="is shown the genre"):
        trained_model(run, "cvae")


def test_an_encoder_is_embedded_by_its_layer(tmp_path: Path) -> None:
    weights = {"hubert": str(tiny_encoders.checkpoint("hubert", tmp_path))}
    encoder = load_encoder("hubert", Pretrained(weights=weights, device="cpu"))
    model = pretrained_model(encoder, layer=1, length_s=2.0, hop_s=2.0)
    song = noise(4.0, rate=16_000)
    (vector,) = model.encode(batches((song, 16_000)))
    windows = encoder.embed_audio(song.reshape(2, -1))
    np.testing.assert_allclose(vector, windows[:, 16:32].mean(0), atol=1e-5)
    assert model.similarity(vector, vector).item() == pytest.approx(1.0)


@pytest.fixture
def tones() -> Callable[[np.ndarray], np.ndarray]:
    """What tells tones from noise: the zero crossings of windows."""

    def embed(windows: np.ndarray) -> np.ndarray:
        crossings = (np.diff(np.signbit(windows), axis=1) != 0).mean()
        return np.array([crossings, 0.0])

    return embed


@pytest.mark.filterwarnings("ignore")
def test_the_benchmark_scores_a_model_with_its_own_code(
    tones: Callable[[np.ndarray], np.ndarray], run: Path
) -> None:
    mteb = pytest.importorskip("mteb", reason="mteb is not installed (no dependency)")
    from datasets import Dataset, DatasetDict
    from mteb.tasks import MusicGenreClustering

    class Task(MusicGenreClustering):
        """One of mteb's audio clustering tasks, with recordings made here."""

        def load_data(self, **_: Any) -> None:
            time = np.arange(RATE) / RATE
            items, labels = [], []
            for number in range(40):
                tone = np.sin(2 * np.pi * (200 + number) * time)
                samples = noise(1.0, number) if number % 2 else tone
                items.append({"array": samples.astype(np.float32), "sampling_rate": RATE})
                labels.append(number % 2)
            data = Dataset.from_dict({"audio": items, "label": labels})
            self.dataset, self.data_loaded = DatasetDict({"test": data}), True

    common = {"sample_rate_hz": RATE, "length_s": 1.0, "hop_s": 1.0, "revision": "1"}
    (found,) = mteb.evaluate(MtebModel("tones", tones, **common), Task(), cache=None).task_results
    assert found.scores["test"][0]["v_measure"] == pytest.approx(1.0)
    (found,) = mteb.evaluate(trained_model(run, "conv_vae"), Task(), cache=None).task_results
    assert 0.0 <= found.scores["test"][0]["v_measure"] <= 1.0
