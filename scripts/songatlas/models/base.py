"""What every architecture shares: its input, its interface, its loss."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.losses import Scale, gaussian_kl, objective

Batch = Mapping[str, Tensor]
"""What a model reads, by name:

- `mel` (B, 1, n_mels, n_frames) float32, zero mean and unit variance per window;
- `lyrics` (B, lyrics_dim) float32, zeros where a window has none;
- `lyrics_lines` (B, max_lines, lyrics_dim) float32, zero rows are padding;
- `label` (B,) int64, −1 where unknown (label-conditioned architectures only).
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

    @property
    def n_values(self) -> int:
        """Values in one spectrogram."""
        return self.n_mels * self.n_frames


@dataclass(frozen=True)
class Pass:
    """One forward pass."""

    mu: Tensor
    """(B, latent_dim) posterior mean, float32."""
    logvar: Tensor
    """(B, latent_dim) log variance of the posterior, float32."""
    z: Tensor
    """(B, latent_dim) the sample that was decoded."""
    reconstruction: Tensor
    """(B, 1, n_mels, n_frames)."""


class Model(nn.Module, ABC):
    """A variational autoencoder of log-mel spectrograms; subclasses bring `encode` and `decode`.

    Subclasses are named `Architecture`, one per file; their keyword-only arguments are the options
    that the config offers.
    """

    channels_last = False
    """Whether convolutions should run in that memory format (faster; the numbers stay the same)."""

    pretrain_epochs = 0
    """Epochs of training as a plain autoencoder before `start_joint_training`."""

    condition_on: Literal["language", "genre"] | None = None
    """The label that the model is shown, if any."""

    def __init__(self, spec: InputSpec, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ConfigError(f"latent_dim: must be at least 1 (given: {latent_dim})")
        self.spec = spec
        self.latent_dim = latent_dim
        self.pretraining = False

    @property
    def supervision(self) -> Literal["none", "labels"]:
        """`labels` when the model is shown labels: its scores are not unsupervised ones."""
        return "none" if self.condition_on is None else "labels"

    @property
    def deterministic(self) -> bool:
        """Whether the mean is decoded and the KL term is zero."""
        return self.pretraining

    @abstractmethod
    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, both (B, latent_dim)."""

    @abstractmethod
    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        """Spectrograms (B, 1, n_mels, n_frames) from `z` (B, latent_dim)."""

    def kl(self, mu: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
        """KL of the posterior from the prior, (B,), in nats."""
        return gaussian_kl(mu, logvar)

    def forward(self, batch: Batch) -> Pass:
        """Encode, sample (reparameterised; the global random state is used), decode."""
        mu, logvar = self.encode(batch)
        mu, logvar = mu.float(), logvar.float().clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)
        z = mu
        if not self.deterministic:
            z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return Pass(mu, logvar, z, self.decode(z, batch))

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: float, scale: Scale
    ) -> dict[str, Tensor]:
        """Named scalar terms of the loss of a forward pass (see `losses.objective`)."""
        if self.deterministic:
            kl = done.mu.new_zeros(len(done.mu))
        else:
            kl = self.kl(done.mu, done.logvar, done.z)
        return objective(
            batch["mel"],
            done.reconstruction,
            kl,
            kl_weight=kl_weight,
            scale=scale,
            latent_dim=self.latent_dim,
        )

    def loss(self, batch: Batch, *, kl_weight: float, scale: Scale) -> dict[str, Tensor]:
        """Forward pass and its loss: `loss` (to minimise), `reconstruction`, `kl` and more."""
        return self.terms(batch, self(batch), kl_weight=kl_weight, scale=scale)

    def embed(self, batch: Batch) -> Tensor:
        """What clustering uses: the posterior mean, (B, latent_dim)."""
        return self.encode(batch)[0].float()

    def assign(self, batch: Batch) -> Tensor | None:
        """The model's own cluster of each window, (B,) int64; None when it has no clusters."""
        return None

    def start_joint_training(self, latents: np.ndarray, seed: int) -> None:
        """Called once after `pretrain_epochs`, where there are any.

        `latents` (n, latent_dim) is `embed` of the training windows.
        """


def parameter_count(model: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in model.parameters())
