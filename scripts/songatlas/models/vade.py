"""Variational deep embedding: a VAE whose prior is a mixture."""

import logging
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError, NotApplicable
from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import dense
from songatlas.models.mixture import MixturePrior
from songatlas.models.vectors import VectorVAE

logger = logging.getLogger(__name__)

TYPE = "deep clustering"
KEY_FEATURE = "mixture-of-Gaussians prior, clusters of its own"
INPUTS = ("mel",)
VECTORS = ("either",)

MOST_COMPONENTS = 30
"""Of a mixture whose number of components is chosen."""

N_INIT = 50
"""Starts of the k-means that a mixture over vectors is fitted to."""

INITIAL_SPREAD = -2.0
"""Log variance of a posterior of vectors before joint training, beside its component's."""


class MixtureVAE(VAE):
    """A VAE whose prior is a mixture, with a cluster of its own for every row."""

    prior: MixturePrior
    logvar: nn.Linear

    def kl(self, mu: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
        return self.prior.kl(mu, logvar, z)

    def cluster(self, z: Tensor) -> Tensor:
        """Component with the largest responsibility at the posterior mean, (B,) int64."""
        with torch.autocast(z.device.type, enabled=False):
            return self.prior.log_responsibilities(z).argmax(1)

    def start_joint_training(self, latents: np.ndarray, seed: int) -> None:
        """Fit the mixture to the latents of the training rows, (n, latent_dim)."""
        self.fit_mixture(latents, seed)

    @torch.no_grad()
    def fit_mixture(self, latents: np.ndarray, seed: int, parts: np.ndarray | None = None) -> None:
        """Fit it to a partition (n,) of the latents (None: see `MixturePrior.initialise`)."""
        self.prior.initialise(latents, seed, parts)
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
    """VaDE over vectors, which starts as their principal components (see `VectorVAE`).

    That start is an autoencoder already, so one epoch of pretraining is enough: with more, the
    bound on held-out songs gets worse. The mixture is fitted to the clusters of k-means, which two
    halves of the songs agree on better than on Ward's or on a spectral partition.

    Args:
        n_components: of the mixture; `auto`: the number from 4 to 30 whose training ends with the
            best bound on held-out songs (`training.components`).
    """

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        widths: tuple[int, ...] | None = None,
        n_components: int | Literal["auto"] = "auto",
        pretrain_epochs: int = 1,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(spec, latent_dim, widths=widths, dropout=dropout)
        if pretrain_epochs < 1:
            raise ConfigError(f"pretrain_epochs: must be at least 1 (given: {pretrain_epochs})")
        self.pretrain_epochs = pretrain_epochs
        # As long as the number is open, the model is as large as it can become.
        n = MOST_COMPONENTS if n_components == "auto" else n_components
        self.prior = MixturePrior(n, latent_dim)

    @torch.no_grad()
    def start_joint_training(self, latents: np.ndarray, seed: int) -> None:
        """Fit the mixture to a partition of the training rows' latents, (n, latent_dim).

        Raises:
            NotApplicable: when there are fewer different latents than components.
        """
        from sklearn.cluster import KMeans

        n, different = self.prior.n_components, len(np.unique(latents, axis=0))
        if different < n:
            raise NotApplicable(
                f"not trained: {n} components need as many different training rows, there are "
                f"{different} (add songs, or lower n_components)"
            )
        kmeans = KMeans(n, n_init=N_INIT, random_state=seed)
        self.fit_mixture(latents, seed, kmeans.fit_predict(latents))
        # Noise as wide as the components would merge what the latents set apart.
        self.logvar.bias.add_(INITIAL_SPREAD)
