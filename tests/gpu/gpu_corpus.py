"""The corpus and the models that the check trains on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from songatlas.config.models import Model
from songatlas.config.training import Loss, Training
from songatlas.models import registry
from songatlas.models.base import InputSpec
from songatlas.models.base import Model as BaseModel
from songatlas.training.data import Batches, Windows, prepare
from songatlas.training.weights import Description

CONFIG = Path(__file__).parents[2] / "config"

WINDOWS_PER_SONG = 7
N_KINDS = 12
LANGUAGES, GENRES = ("en", "es", "fr", "de"), ("pop", "rock", "jazz")


@dataclass(frozen=True)
class Sizes:
    """How much the check computes."""

    n_windows: int = 2107
    n_mels: int = 128
    n_frames: int = 1292
    lyrics_dim: int = 768
    max_lines: int = 32
    n_steps: int = 50
    batch_size: int = 32
    latent_dim: int = 128

    @property
    def spec(self) -> InputSpec:
        return InputSpec(self.n_mels, self.n_frames, self.lyrics_dim, self.max_lines)


FULL = Sizes()
SMALL = Sizes(
    n_windows=35, n_mels=32, n_frames=48, lyrics_dim=8, max_lines=4, n_steps=3, batch_size=8,
    latent_dim=8,
)  # fmt: skip


@dataclass(frozen=True)
class Studied:
    """A model of the study, as config/paper.yaml trains it."""

    name: str
    model: Model

    def description(self, sizes: Sizes, **changed: Any) -> Description:
        options = {**self.model.options, **changed}
        return Description(self.model.architecture, sizes.spec, sizes.latent_dim, options)


def paper() -> tuple[list[Studied], Training, Loss]:
    """The study's eight models and the autoencoder, and how they are trained."""
    base, own = (
        yaml.safe_load((CONFIG / name).read_text(encoding="utf-8"))
        for name in ("config.yaml", "paper.yaml")
    )
    names = [name for name in own["include"] if name in base["models"]]
    models = [Studied(name, Model(**base["models"][name])) for name in names]
    return models, Training(**own["training"]), Loss(**own["loss"])


def make_windows(sizes: Sizes, n: int | None = None) -> Windows:
    """Seeded noise around one pattern per kind of song, float16 in dB; all of training."""
    n = n or sizes.n_windows
    random = np.random.default_rng(0)
    song = np.arange(n) // WINDOWS_PER_SONG
    spectra = random.normal(scale=8.0, size=(N_KINDS, sizes.n_mels, 1))
    courses = random.normal(scale=4.0, size=(N_KINDS, 1, sizes.n_frames))
    patterns = torch.tensor(spectra + courses - 40.0, dtype=torch.float32)
    mel = torch.empty((n, sizes.n_mels, sizes.n_frames), dtype=torch.float16)
    noise = torch.Generator().manual_seed(0)
    for rows in torch.arange(n).split(64):
        drawn = torch.randn((len(rows), *mel.shape[1:]), generator=noise)
        mel[rows] = (patterns[torch.from_numpy(song[rows.numpy()]) % N_KINDS] + 6.0 * drawn).half()
    lines = torch.randn((n, sizes.max_lines, sizes.lyrics_dim), generator=noise)
    return Windows(
        window_ids=tuple(f"w{i:05d}" for i in range(n)),
        track_ids=tuple(f"t{i:05d}" for i in song),
        splits=("train",) * n,
        mel=mel,
        lyrics=lines.mean(1),
        lyrics_lines=lines,
        descriptors=torch.randn((n, 16), generator=noise),
    )


def labelled(windows: Windows, condition_on: str | None) -> Windows:
    """The same windows, with labels where a model is shown one."""
    if condition_on is None:
        return windows
    classes = {"language": LANGUAGES, "genre": GENRES}[condition_on]
    label = torch.from_numpy(windows.track % len(classes))
    return replace(windows, label=label, classes=classes)


@dataclass(frozen=True)
class Variant:
    """An architecture, and a fusion's kind, that can be built and trained a step."""

    name: str
    description: Description


def every_architecture(sizes: Sizes) -> Iterator[Variant]:
    """Each architecture, and each kind of fusion; mixtures and centroids of a few clusters."""
    kinds = ("early", "late", "attention", "contrastive", "poe")
    few = {"n_clusters": 3, "pretrain_epochs": 1}
    options: dict[str, list[dict[str, Any]]] = {
        "cvae": [{"condition_on": "language", "n_classes": len(LANGUAGES)}],
        "dec": [{"encoder": "conv_vae", **few}],
        "idec": [{"encoder": "conv_vae", **few}],
        "fusion": [{"fusion": kind} for kind in kinds],
        "contrastive_audio": [{"join": "descriptors"}],
        "vade": [{"n_components": 3, "pretrain_epochs": 1}],
        "multimodal_vade": [{"n_components": 3, "pretrain_epochs": 1}],
    }
    for name in registry.architectures():
        spec = sizes.spec
        if registry.entry(name).vectors and "mel" not in _reads(name):
            spec = InputSpec(0, 0, sizes.lyrics_dim, 0, audio_dim=sizes.lyrics_dim)
        for chosen in options.get(name, [{}]):
            label = "_".join([name, *(chosen[key] for key in chosen if key == "fusion")])
            spec_of = replace(spec, descriptors_dim=16) if "join" in chosen else spec
            yield Variant(label, Description(name, spec_of, sizes.latent_dim, chosen))


def _reads(architecture: str) -> tuple[str, ...]:
    entry = registry.entry(architecture)
    return ("mel",) if registry.ENCODER_OPTIONS in entry.options.model_fields else entry.inputs


def windows_of(description: Description, windows: Windows) -> Windows:
    """What a description's model reads of the corpus."""
    if description.spec.of_vectors:
        empty = torch.zeros((len(windows), 0, 0), dtype=torch.float16)
        return replace(windows, mel=empty, audio=windows.lyrics_lines[:, 0], lyrics_lines=None)  # type: ignore[index]
    return labelled(windows, description.options.get("condition_on"))


def started(description: Description, windows: Windows) -> BaseModel:
    """A model on the CPU at the first step of its joint training on these windows."""
    torch.manual_seed(0)
    model = description.build()
    rows = np.arange(len(windows))
    batches = Batches(windows, rows, len(windows))
    if description.spec.of_vectors:
        model.begin(lambda: map(prepare, batches))
    model.eval()
    with torch.no_grad():
        latents = np.concatenate([model.embed(prepare(batch)).numpy() for batch in batches])
    model.train()
    if model.pretrain_epochs:
        model.start_joint_training(latents, 0)
    model.start_epoch(model.pretrain_epochs, rows, lambda: latents)
    return model
