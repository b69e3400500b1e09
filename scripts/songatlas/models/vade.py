"""Variational deep embedding: a VAE whose prior is a mixture."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import dense

TYPE = "deep clustering"
KEY_FEATURE = "mixture-of-Gaussians prior, clusters of its own"
INPUTS = ("mel",)

MIN_VARIANCE = 1e-3
"""Of a mixture component when it is initialised."""


class Architecture(VAE):
    """VaDE (Jiang et al. 2017): a fully connected VAE with a Gaussian mixture as prior.

    For `pretrain_epochs` it trains as a plain autoencoder through the mean; then the mixture is
    fitted to the training windows' latents and everything trains together. A window's own cluster
    is the component with the largest responsibility at its posterior mean.
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
        if n_components < 1:
            raise ConfigError(f"n_components: must be at least 1 (given: {n_components})")
        if pretrain_epochs < 1:
            raise ConfigError(f"pretrain_epochs: must be at least 1 (given: {pretrain_epochs})")
        self.n_components = n_components
        self.pretrain_epochs = pretrain_epochs
        self.encoder = dense((spec.n_values, *widths), dropout)
        self.mu = nn.Linear(widths[-1], latent_dim)
        self.logvar = nn.Linear(widths[-1], latent_dim)
        self.decoder = dense((latent_dim, *reversed(widths)), dropout)
        self.output = nn.Linear(widths[0], spec.n_values)
        self.weight_logits = nn.Parameter(torch.zeros(n_components))
        self.means = nn.Parameter(torch.zeros(n_components, latent_dim))
        self.logvars = nn.Parameter(torch.zeros(n_components, latent_dim))

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(batch["mel"].flatten(1))
        return self.mu(hidden), self.logvar(hidden)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        values: Tensor = self.output(self.decoder(z))
        return values.unflatten(1, (1, self.spec.n_mels, self.spec.n_frames))

    def log_responsibilities(self, z: Tensor) -> Tensor:
        """log p(component | z), (B, n_components)."""
        # (z − m)² / v expanded into matrix products: no (B, n_components, latent_dim) tensor.
        precision = torch.exp(-self.logvars)
        distance = (
            z.square() @ precision.T
            - 2.0 * z @ (self.means * precision).T
            + (self.means.square() * precision).sum(1)
        )
        log_density = -0.5 * (
            distance + self.logvars.sum(1) + self.latent_dim * math.log(2.0 * math.pi)
        )
        return torch.log_softmax(torch.log_softmax(self.weight_logits, 0) + log_density, 1)

    def kl(self, mu: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
        """KL of q(z, c | x) from p(z, c), (B,), in nats (equation 12 of the paper)."""
        # Autocast would round squares and differences of latents to bfloat16.
        with torch.autocast(mu.device.type, enabled=False):
            log_gamma = self.log_responsibilities(z)
            gamma = log_gamma.exp()
            precision = torch.exp(-self.logvars)
            expected = (
                (logvar.exp() + mu.square()) @ precision.T
                - 2.0 * mu @ (self.means * precision).T
                + (self.means.square() * precision + self.logvars).sum(1)
            )
            log_weights = torch.log_softmax(self.weight_logits, 0)
            return (
                0.5 * (gamma * expected).sum(1)
                + (gamma * (log_gamma - log_weights)).sum(1)
                - 0.5 * (1.0 + logvar).sum(1)
            )

    def assign(self, batch: Batch) -> Tensor:
        """Component with the largest responsibility at the posterior mean, (B,) int64."""
        return self.log_responsibilities(self.embed(batch)).argmax(1)

    @torch.no_grad()
    def start_joint_training(self, latents: np.ndarray, seed: int) -> None:
        """Fit the mixture to the latents of the training windows, (n, latent_dim).

        With fewer windows than components, and for components that the fit leaves without a
        window, means are drawn from the latents and variances are those of all latents, so that no
        component starts dead.
        """
        from sklearn.mixture import GaussianMixture

        latents = np.asarray(latents, np.float64)
        n_fitted = min(self.n_components, len(np.unique(latents, axis=0)))
        mixture = GaussianMixture(
            n_fitted, covariance_type="diag", reg_covar=MIN_VARIANCE, random_state=seed
        ).fit(latents)
        rng = np.random.default_rng(seed)
        shared = np.maximum(latents.var(axis=0), MIN_VARIANCE)
        means = latents[rng.integers(len(latents), size=self.n_components)]
        variances = np.tile(shared, (self.n_components, 1))
        weights = np.full(self.n_components, 1.0 / len(latents))
        alive = np.flatnonzero(mixture.weights_ * len(latents) >= 0.5)
        means[alive] = mixture.means_[alive]
        variances[alive] = np.maximum(mixture.covariances_[alive], MIN_VARIANCE)
        weights[alive] = mixture.weights_[alive]
        weights /= weights.sum()
        self.weight_logits.copy_(torch.as_tensor(np.log(weights)))
        self.means.copy_(torch.as_tensor(means))
        self.logvars.copy_(torch.as_tensor(np.log(variances)))
        # This head has had no gradient yet: posteriors start as wide as the mixture's components,
        # not hundreds of nats away from them.
        self.logvar.bias.copy_(torch.as_tensor(weights @ np.log(variances)))
