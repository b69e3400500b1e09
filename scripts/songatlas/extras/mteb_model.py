"""A trained model or a pretrained encoder in the form that the benchmark `mteb` scores.

`mteb` (Enevoldsen et al. 2025, arXiv:2502.13595) clusters and classifies what a model makes of its
audio with its own code; it is no dependency of Songatlas. From a Python session:

    import mteb
    from songatlas.extras.mteb_model import trained_model
    model = trained_model("results/mine", "contrastive_audio")
    mteb.evaluate(model, mteb.get_tasks(["GTZANGenreClustering", "MusicGenreClustering"]))
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.config.yaml_files import load_yaml
from songatlas.corpus.windows import window_counts
from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import AudioEncoder


class MtebModel:
    """What mteb asks of a model of audio: `encode`, similarities, and a description.

    A recording is cut into windows as songs are, and its vector comes from all of them.

    Args:
        name: shown in the results, as `songatlas/<name>`.
        embed: windows, float32 of shape (n, samples) at `sample_rate_hz`, to one vector (d,).
        length_s, hop_s: of windows, in seconds.
        revision: of its weights; mteb keeps results by name and revision.
    """

    def __init__(
        self,
        name: str,
        embed: Callable[[np.ndarray], np.ndarray],
        *,
        sample_rate_hz: int,
        length_s: float,
        hop_s: float,
        revision: str,
    ) -> None:
        self.name, self.embed, self.revision = name, embed, revision
        self.sample_rate_hz, self.length_s, self.hop_s = sample_rate_hz, length_s, hop_s

    def encode(self, inputs: Iterable[Mapping[str, Any]], **_: Any) -> np.ndarray:
        """Vectors of recordings, float32 of shape (n, d).

        Args:
            inputs: batches; `audio` lists recordings as `array` and `sampling_rate`.

        Raises:
            SongatlasError: when a batch holds no audio.
        """
        vectors = []
        for batch in inputs:
            if "audio" not in batch:
                raise SongatlasError(
                    f"`{self.name}` embeds audio; choose mteb's tasks of the modality `audio`"
                )
            vectors += [self.embed(self.windows(_mono(one), rate)) for one, rate in _items(batch)]
        return np.stack(vectors).astype(np.float32)

    def windows(self, samples: np.ndarray, sample_rate_hz: int) -> np.ndarray:
        """A recording (samples,) as windows (n, samples), the last filled up where it is short."""
        import soxr

        if sample_rate_hz != self.sample_rate_hz:
            samples = soxr.resample(samples, sample_rate_hz, self.sample_rate_hz, "HQ")
        seconds = np.array([len(samples) / self.sample_rate_hz])
        length = round(self.length_s * self.sample_rate_hz)
        cut = np.zeros((int(window_counts(seconds, self.length_s, self.hop_s)[0]), length), "f4")
        for row in range(len(cut)):
            start = round(row * self.hop_s * self.sample_rate_hz)
            some = samples[start : start + length]
            cut[row, : len(some)] = some
        return cut

    def similarity(self, one: Any, other: Any) -> Any:
        """Cosine similarity of every pair, a tensor of shape (n, m)."""
        return _unit(one) @ _unit(other).T

    def similarity_pairwise(self, one: Any, other: Any) -> Any:
        """Cosine similarity of corresponding rows, a tensor of shape (n,)."""
        return (_unit(one) * _unit(other)).sum(-1)

    @property
    def mteb_model_meta(self) -> Any:
        """mteb's description of a model."""
        from mteb.models.model_meta import ModelMeta

        return ModelMeta.create_empty(
            {
                "name": f"songatlas/{self.name}",
                "revision": self.revision,
                "modalities": ["audio"],
                "framework": ["PyTorch"],
            }
        )


def trained_model(run: str | Path, model: str, seed: int = 0) -> MtebModel:
    """A trained model of a finished run (`results/<run>`).

    Raises:
        SongatlasError: when it was not trained, or reads more than the sound.
    """
    import torch

    from songatlas.features.audio.descriptors import describe
    from songatlas.features.audio.logmel import log_mel
    from songatlas.training.data import prepare
    from songatlas.training.weights import load_weights

    run = Path(run)
    config = load_yaml(run / "config.yaml")
    weights = run / "models" / model / f"seed-{seed}" / "weights.ckpt"
    trained, description = load_weights(weights)
    if trained is None:
        raise SongatlasError(f"{run}: `{model}` was not trained ({description.note})")
    if trained.condition_on is not None:
        raise SongatlasError(
            f"`{model}` is shown the {trained.condition_on} of a song, which a benchmark does not "
            "have; choose a model that reads the sound alone"
        )
    network, spec, logmel = trained, description.spec, config.logmel

    def embed(windows: np.ndarray) -> np.ndarray:
        n = len(windows)
        batch = {
            "mel": torch.from_numpy(log_mel(windows, logmel).astype(np.float16)),
            "has_mel": torch.ones(n, dtype=torch.bool),
            "has_lyrics": torch.zeros(n, dtype=torch.bool),
            "row": torch.arange(n),
            "track": torch.zeros(n, dtype=torch.int64),
        }
        if spec.descriptors_dim:
            values = np.stack([describe(window, logmel) for window in windows])
            batch["descriptors"] = torch.from_numpy(values.astype(np.float32))
        if spec.lyrics_dim:
            batch["lyrics"] = torch.zeros(n, spec.lyrics_dim)
            batch["lyrics_lines"] = torch.zeros(n, spec.max_lines, spec.lyrics_dim)
        with torch.inference_mode():
            summaries = network.summarise(prepare(batch)).float()
            return np.asarray(network.embed_song(summaries).float().cpu().numpy())

    return MtebModel(
        model,
        embed,
        sample_rate_hz=logmel.sample_rate_hz,
        length_s=config.windows.length_s,
        hop_s=config.windows.hop_s,
        revision=hashlib.sha256(weights.read_bytes()).hexdigest()[:16],
    )


def pretrained_model(
    encoder: AudioEncoder, layer: int | str = -1, length_s: float = 10.0, hop_s: float = 10.0
) -> MtebModel:
    """A layer of a pretrained encoder, averaged over windows."""
    from songatlas.features.encoders.features import choose

    def embed(windows: np.ndarray) -> np.ndarray:
        return choose(encoder.embed_audio(windows), encoder.layers, layer).mean(axis=0)

    return MtebModel(
        encoder.card.name,
        embed,
        sample_rate_hz=encoder.sample_rate_hz,
        length_s=length_s,
        hop_s=hop_s,
        revision=f"{encoder.folder.name}, layer {layer}",
    )


def _items(batch: Mapping[str, Any]) -> Iterable[tuple[np.ndarray, int]]:
    for item in batch["audio"]:
        yield np.asarray(item["array"], np.float32), int(item["sampling_rate"])


def _mono(samples: np.ndarray) -> np.ndarray:
    """(samples,) or (channels, samples) averaged over channels."""
    return samples if samples.ndim == 1 else np.asarray(samples.mean(axis=0))


def _unit(vectors: Any) -> Any:
    import torch

    found = torch.atleast_2d(torch.as_tensor(np.asarray(vectors), dtype=torch.float32))
    return torch.nn.functional.normalize(found, dim=-1)
