"""Variational deep embedding: a VAE whose prior is a mixture."""

import logging
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import dense
from songatlas.models.mixture import MixturePrior
from songatlas.models.vectors import VectorVAE

logger = logging.getLogger(__name__)

TYPE = "deep clustering"
KEY_FEATURE = "mixture-of-Gaussians prior, clusters of its own"
INPUTS = ("mel",)
VECTORS = ("either",)


class MixtureVAE(VAE):
    """A VAE whose prior is a mixture, with a cluster of its own for every row."""

    prior: MixturePrior
    logvar: nn.Linear

    def kl(self, mu: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
        return self.prior.kl(mu, logvar, z)

    def assign(self, batch: Batch) -> Tensor:
        """Component with the largest responsibility at the posterior mean, (B,) int64."""
        return self.prior.log_responsibilities(self.embed(batch)).argmax(1)

    @torch.no_grad()
    def start_joint_training(self, latents: np.ndarray, seed: int) -> None:
        """Fit the mixture to the latents of the training rows, (n, latent_dim)."""
        self.prior.initialise(latents, seed)
        # This head has had no gradient yet: posteriors start as wide as the mixture's components,
        # not hundreds of nats away from them.
        weights = torch.softmax(self.prior.weight_logits, 0)
        self.logvar.bias.copy_(weights @ self.prior.logvars)

    def start_epoch(self, epoch: int, rows: np.ndarray, latents: Callable[[], np.ndarray]) -> None:
        """Restart components that were empty over the last epoch (see `MixturePrior`)."""
        empty = self.prior.empty()
        if len(empty):
            logger.info("epoch %d: restarting empty components %s", epoch, empty.tolist())
            # The global random state, which training sets anew for every epoch.
            seed = int(torch.randint(2**31 - 1, ()))
            self.prior.restart(empty, latents(), seed)


class Architecture(MixtureVAE):
    """VaDE (Jiang et al. 2017): a fully connected VAE with a Gaussian mixture as prior.

    For `pretrain_epochs` it trains as a plain autoencoder through the mean; then the mixture is
    fitted to the training windows' latents and everything trains together. A window's own cluster
    is the component with the largest responsibility at its posterior mean. Components that
    no window is assigned to for an epoch are restarted.
    """

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        widths: tuple[int, ...] = (512, 256),
        n_components: int = 15,
        pretrain_epochs: int = 10,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(spec, latent_dim)
        if pretrain_epochs < 1:
            raise ConfigError(f"pretrain_epochs: must be at least 1 (given: {pretrain_epochs})")
        self.pretrain_epochs = pretrain_epochs
        self.encoder = dense((spec.n_values, *widths), dropout)
        self.mu = nn.Linear(widths[-1], latent_dim)
        self.logvar = nn.Linear(widths[-1], latent_dim)
        self.decoder = dense((latent_dim, *reversed(widths)), dropout)
        self.output = nn.Linear(widths[0], spec.n_values)
        self.prior = MixturePrior(n_components, latent_dim)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(batch["mel"].flatten(1))
        return self.mu(hidden), self.logvar(hidden)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        values: Tensor = self.output(self.decoder(z))
        return values.unflatten(1, (1, self.spec.n_mels, self.spec.n_frames))


class OfVectors(MixtureVAE, VectorVAE):
    """The same over vectors."""

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        widths: tuple[int, ...] | None = None,
        n_components: int = 10,
        pretrain_epochs: int = 10,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(spec, latent_dim, widths=widths, dropout=dropout)
        if pretrain_epochs < 1:
            raise ConfigError(f"pretrain_epochs: must be at least 1 (given: {pretrain_epochs})")
        self.pretrain_epochs = pretrain_epochs
        self.prior = MixturePrior(n_components, latent_dim)
