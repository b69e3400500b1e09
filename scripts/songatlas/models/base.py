"""What every architecture shares: its input, its interface, and the loss of variational ones."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.losses import Scale, Weight, gaussian_kl_per_unit, objective

Batch = Mapping[str, Tensor]
"""What a model reads, by name:

- `mel` (B, 1, n_mels, n_frames) float32, zero mean and unit variance per window;
- `db` (B, n_mels, n_frames) float16, the same windows in dB, and `scale_db` (B,) float32, the
  standard deviation in dB that `mel` was divided by;
- `has_mel` (B,) bool: false where a song has lyrics only, whose `mel` is zeros;
- `audio` (B, audio_dim) float32 instead of `mel`, `db` and `scale_db`: vectors of the sound, for
  models that read vectors; zeros where a row has no audio;
- `has_lyrics` (B,) bool and `lyrics` (B, lyrics_dim) float32, zeros where a window has none;
- `lyrics_lines` (B, max_lines, lyrics_dim) float32, zero rows are padding;
- `descriptors` (B, descriptors_dim) float32 (architectures that join them);
- `label` (B,) int64, −1 where unknown (label-conditioned architectures only);
- `row` (B,) int64, which window this is; `track` (B,) int64, equal for windows of one song;
- `song` (B,) int64, which of the batch's S songs each window is of, and `song_size` (S,) int64, how
  many windows each has there (training of architectures with `whole_songs`);
- `pair` (B, 1, n_mels, n_frames) and `pair_db` (B, n_mels, n_frames): another window of the same
  song (training of architectures with `pairs`; a song's only window is its own pair).
"""

LOGVAR_LIMIT = 20.0
"""Log variances are kept within ± this, so that no variance overflows or vanishes in float32."""


@dataclass(frozen=True)
class InputSpec:
    """Shape of the input; every layer's size derives from it."""

    n_mels: int
    n_frames: int
    lyrics_dim: int
    max_lines: int
    f_min_hz: float = 0.0
    """Lower end of the mel bands."""
    f_max_hz: float = 11025.0
    """Upper end of the mel bands."""
    frame_rate_hz: float = 22050 / 512
    """Frames per second."""
    descriptors_dim: int = 0
    """Width of the descriptors, 0 for models that do not read them."""
    audio_dim: int = 0
    """Width of the vectors of audio, 0 for models that read spectrograms or lyrics alone."""
    songs: bool = False
    """Whether a row is a song instead of a window."""
    one_unit: tuple[str, ...] = ()
    """Of `audio` and `lyrics`: vectors whose dimensions are told apart by their variance."""

    def __post_init__(self) -> None:
        # Plain values, as they come from files, have no tuples.
        object.__setattr__(self, "one_unit", tuple(self.one_unit))

    @property
    def of_vectors(self) -> bool:
        """Whether the input is vectors instead of spectrograms."""
        return self.n_mels == 0

    @property
    def n_values(self) -> int:
        """Values in one spectrogram, or in one row of vectors."""
        if self.of_vectors:
            return self.audio_dim + self.lyrics_dim
        return self.n_mels * self.n_frames


@dataclass(frozen=True)
class Pass:
    """One forward pass."""

    mu: Tensor
    """(B, latent_dim) posterior mean (of models without a posterior: the embedding), float32."""
    logvar: Tensor | None = None
    """(B, latent_dim) log variance of the posterior, float32; None without a posterior."""
    z: Tensor | None = None
    """(B, latent_dim) the sample that was decoded."""
    reconstruction: Tensor | None = None
    """(B, 1, n_mels, n_frames), of vectors (B, d); None where nothing is decoded."""
    extra: Mapping[str, Tensor] | None = None
    """What else `terms` needs."""


@dataclass(frozen=True)
class Embedded:
    """What latents are written from, of one pass through the network."""

    z: Tensor
    """(B, d) float32, as `Model.embed` gives it."""
    summary: Tensor
    """(B, s) float32, as `Model.summarise` gives it."""
    cluster: Tensor | None
    """(B,) int64, as `Model.assign` gives it."""


class Model(nn.Module, ABC):
    """A model of log-mel spectrograms, of lyrics, of both, or of vectors of features.

    Subclasses are named `Architecture`, one per file; their keyword-only arguments are the options
    that the config offers. What a file's `Architecture` does with spectrograms, `OfVectors` beside
    it does with vectors.
    """

    channels_last = False
    """Whether convolutions should run in that memory format (faster; the numbers stay the same)."""

    pretrain_epochs = 0
    """Epochs of training as a plain autoencoder before `start_joint_training`."""

    joint_learning_rate = 1.0
    """Factor on the learning rate when joint training starts, with an optimiser that starts anew;
    1: the optimiser continues."""

    condition_on: Literal["language", "genre"] | None = None
    """The label that the model is shown, if any."""

    pairs = False
    """Whether training batches bring another window of each window's song (`pair`)."""

    whole_songs = False
    """Whether every batch holds all windows of its songs."""

    widths: Mapping[str, tuple[int, ...]] = {}
    """Hidden units of the encoder of each modality's vectors, in models that read any."""

    def __init__(self, spec: InputSpec, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ConfigError(f"latent_dim: must be at least 1 (given: {latent_dim})")
        self.spec = spec
        self.latent_dim = latent_dim
        self.pretraining = False

    @property
    def blocks(self) -> dict[str, tuple[int, int]]:
        """Named parts of the embedding as (start, stop); a missing part of a row is zeros."""
        return {}

    @property
    def supervision(self) -> Literal["none", "labels"]:
        """`labels` when the model is shown labels: its scores are not unsupervised ones."""
        return "none" if self.condition_on is None else "labels"

    @abstractmethod
    def forward(self, batch: Batch) -> Pass:
        """One pass; the global random state is used for whatever is drawn."""

    @abstractmethod
    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """Named scalar terms of a forward pass: `loss` to minimise, and what histories should show.

        Where the loss is `distortion + kl_weight * rate` these two are there too, so that epochs of
        an annealing can be compared at the full weight.
        """

    @abstractmethod
    def embed(self, batch: Batch) -> Tensor:
        """What clustering uses: (B, d) float32, the posterior mean where there is a posterior."""

    def decode(self, z: Tensor, batch: Batch) -> Tensor | None:
        """Spectrograms (B, 1, n_mels, n_frames) from `z`; None for models that decode nothing."""
        return None

    def reconstruct(self, batch: Batch) -> Tensor | None:
        """What figures show next to the windows, (B, 1, n_mels, n_frames); None as in `decode`."""
        return self.decode(self.embed(batch), batch)

    def loss(
        self, batch: Batch, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """Forward pass and its terms."""
        done = self(batch)
        return self.terms(batch, done, kl_weight=kl_weight, scale=scale, free_bits=free_bits)

    def embed_once(self, batch: Batch) -> Embedded:
        """`embed`, `summarise` and `assign` of one pass."""
        z = self.embed(batch)
        return Embedded(z, self.summary(batch, z), self.cluster(z))

    def assign(self, batch: Batch) -> Tensor | None:
        """The model's own cluster of each window, (B,) int64; None when it has no clusters."""
        return self.embed_once(batch).cluster

    def cluster(self, z: Tensor) -> Tensor | None:
        """The same from `embed` of the windows."""
        return None

    def summarise(self, batch: Batch) -> Tensor:
        """What `embed_song` needs of each window, (B, s) float32."""
        return self.embed_once(batch).summary

    def summary(self, batch: Batch, z: Tensor) -> Tensor:
        """The same from `embed` of the windows."""
        return z

    def embed_song(self, summaries: Tensor) -> Tensor:
        """A song's vector (d',) from `summarise` of all its windows, (n, s): their mean."""
        return summaries.mean(0)

    def kl_per_unit(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """KL of each latent dimension from its prior, (B, latent_dim), in nats."""
        return gaussian_kl_per_unit(mu, logvar)

    def begin(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Called once before training, in models that read vectors.

        `batches()` gives all training rows in order. It draws nothing from the global random state.
        """

    def start_joint_training(self, latents: np.ndarray, seed: int) -> None:
        """Called once after `pretrain_epochs`, where there are any.

        `latents` (n, latent_dim) is `embed` of the training windows.
        """

    def start_epoch(self, epoch: int, rows: np.ndarray, latents: Callable[[], np.ndarray]) -> None:
        """Called before every epoch after pretraining.

        `latents()` computes `embed` of the training windows, (n, latent_dim), whose `row` in
        batches is `rows` (n,).
        """

    def finish(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Called once after training, with the best weights, in eval mode.

        `batches()` gives all training windows in order. What is measured here belongs in buffers.
        """

    @property
    def converged(self) -> bool:
        """Whether training should stop after the present epoch, whatever the loss does."""
        return False

    def progress(self) -> Mapping[str, Tensor]:
        """What the epochs to come depend on besides the weights, for an interrupted training."""
        return {}

    def resume(self, progress: Mapping[str, Tensor]) -> None:
        """Take back what `progress` gave."""


class VAE(Model):
    """A variational autoencoder of log-mel spectrograms; subclasses bring `encode` and `decode`."""

    @property
    def deterministic(self) -> bool:
        """Whether the mean is decoded and the KL term is zero."""
        return self.pretraining

    @abstractmethod
    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, both (B, latent_dim)."""

    @abstractmethod
    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        """Spectrograms (B, 1, n_mels, n_frames), or vectors (B, d), from `z` (B, latent_dim)."""

    def target(self, batch: Batch) -> Tensor:
        """What `decode` should give, (B, ...)."""
        return batch["mel"]

    def kl(self, mu: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
        """KL of the posterior from the prior in nats: (B,), or (B, latent_dim) by dimension."""
        return self.kl_per_unit(mu, logvar)

    def forward(self, batch: Batch) -> Pass:
        """Encode, sample (reparameterised), decode."""
        mu, logvar = self.encode(batch)
        mu, logvar = mu.float(), logvar.float().clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)
        z = mu
        if not self.deterministic:
            z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        shown = None if self.deterministic else logvar
        return Pass(mu, shown, z, self.decode(z, batch))

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """Terms of the loss (see `losses.objective`)."""
        assert done.reconstruction is not None
        assert done.z is not None
        if done.logvar is None:
            kl, free_bits = done.mu.new_zeros(len(done.mu)), 0.0
        else:
            kl = self.kl(done.mu, done.logvar, done.z)
        return objective(
            self.target(batch),
            done.reconstruction,
            kl,
            kl_weight=kl_weight,
            scale=scale,
            latent_dim=self.latent_dim,
            free_bits=free_bits,
        )

    def embed(self, batch: Batch) -> Tensor:
        """The posterior mean, (B, latent_dim)."""
        return self.encode(batch)[0].float()


def parameter_count(model: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in model.parameters())
