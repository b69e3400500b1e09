"""A mixture of multivariate t distributions over latents."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.models.mixture import MIN_VARIANCE

DEGREES_OF_FREEDOM = (4.0, 6.0, 10.0, 30.0, 1_000.0)
"""Tails that are tried, from heavy ones to those of a Gaussian."""

FIRST_UPDATES = 10
"""Weights of outliers and components settle within so many updates from a partition."""


class StudentMixture(nn.Module):
    """p(z) = Σ π_c t_ν(z; m_c, S_c), fitted by EM (Peel and McLachlan 2000).

    Gaussian components model the tails of latents before their groups: a narrow one takes the bulk
    and a wide one the outliers. Matrices of scale are pulled towards the one within all parts,
    by the weight of as many points as a matrix has free values, so that small parts have one too.

    Args:
        n_components: at least 1.
        latent_dim: dimensions of z.
    """

    log_weights: Tensor
    means: Tensor
    precisions: Tensor
    constants: Tensor

    def __init__(self, n_components: int, latent_dim: int) -> None:
        super().__init__()
        self.degrees_of_freedom = DEGREES_OF_FREEDOM[-1]
        self.register_buffer("log_weights", torch.full((n_components,), -math.log(n_components)))
        self.register_buffer("means", torch.zeros(n_components, latent_dim))
        self.register_buffer("precisions", torch.eye(latent_dim).repeat(n_components, 1, 1))
        self.register_buffer("constants", torch.zeros(n_components))

    def log_joint(self, z: Tensor) -> Tensor:
        """log π_c t_ν(z; m_c, S_c), (B, n_components), nats, for `z` (B, latent_dim)."""
        heavy = self.degrees_of_freedom + z.shape[1]
        tails = torch.log1p(self._distances(z) / self.degrees_of_freedom)
        return self.log_weights + self.constants - 0.5 * heavy * tails

    def kl(self, mu: Tensor, logvar: Tensor, z: Tensor, parts: Tensor | None = None) -> Tensor:
        """KL of q(z, c | x) from p(z, c), (B,), nats, estimated by the sample `z` of q(z | x).

        q(c | x) is p(c | z), or with `parts` (B,) int64 that component for certain. `mu`, `logvar`
        and `z` are (B, latent_dim).
        """
        log_joint = self.log_joint(z)
        if parts is None:
            log_prior = log_joint.logsumexp(1)
        else:
            log_prior = log_joint.gather(1, parts[:, None])[:, 0]
        deviations = (z - mu).square() / logvar.exp()
        return -0.5 * (logvar + math.log(2.0 * math.pi) + deviations).sum(1) - log_prior

    def start(self, points: np.ndarray, parts: np.ndarray) -> None:
        """Fit it to a partition (n,) int64 of `points` (n, latent_dim), tails included."""
        spread = np.zeros_like(points)
        shares = np.eye(len(self.means))[parts]
        fits = []
        for degrees_of_freedom in DEGREES_OF_FREEDOM:
            self._fit(points, spread, shares, degrees_of_freedom)
            fits.append((self._mean_log_density(points), degrees_of_freedom))
        self._fit(points, spread, shares, max(fits)[1])

    @torch.no_grad()
    def update(
        self, mu: np.ndarray, variances: np.ndarray, shares: np.ndarray, first: bool = False
    ) -> None:
        """One maximisation step.

        Args:
            mu, variances: (n, latent_dim) of the posteriors.
            shares: (n, n_components) responsibilities.
            first: the mixture has no place yet, so every point has the weight 1.
        """
        mu, variances = mu.astype(np.float64), variances.astype(np.float64)
        (n, latent_dim), k = mu.shape, shares.shape[1]
        nu = self.degrees_of_freedom
        counts = shares.sum(axis=0)
        weights = shares
        if not first:
            weights = shares * (nu + latent_dim) / (nu + self._spread(mu, variances))
        totals = weights.sum(axis=0)
        means = self.means.cpu().numpy().astype(np.float64)
        alive = totals > 0.0
        means[alive] = (weights.T @ mu)[alive] / totals[alive, None]
        scatter = np.stack([_scatter(mu, variances, weights[:, c], means[c]) for c in range(k)])
        shared = scatter.sum(axis=0) / n + MIN_VARIANCE * np.eye(latent_dim)
        pull = 0.5 * latent_dim * (latent_dim + 1)
        scales = (scatter + pull * shared) / (counts + pull)[:, None, None]
        constants = (
            math.lgamma(0.5 * (nu + latent_dim))
            - math.lgamma(0.5 * nu)
            - 0.5 * (np.linalg.slogdet(scales)[1] + latent_dim * math.log(nu * math.pi))
        )
        for buffer, values in (
            (self.means, means),
            (self.log_weights, np.log((counts + 1.0) / (n + k))),
            (self.precisions, np.linalg.inv(scales)),
            (self.constants, constants),
        ):
            buffer.copy_(torch.from_numpy(values.astype(np.float32)))

    @torch.no_grad()
    def responsibilities(self, points: np.ndarray) -> np.ndarray:
        """p(component | point), (n, n_components) float64, of points (n, latent_dim)."""
        z = torch.from_numpy(points.astype(np.float32)).to(self.means.device)
        shares: np.ndarray = torch.softmax(self.log_joint(z).cpu().double(), 1).numpy()
        return shares

    def scales(self) -> np.ndarray:
        """Matrices of scale, (n_components, latent_dim, latent_dim) float32."""
        matrices: np.ndarray = np.linalg.inv(self.precisions.cpu().numpy())
        return matrices

    def _fit(
        self, points: np.ndarray, spread: np.ndarray, shares: np.ndarray, degrees_of_freedom: float
    ) -> None:
        self.degrees_of_freedom = degrees_of_freedom
        for step in range(FIRST_UPDATES):
            self.update(points, spread, shares, first=step == 0)

    def _distances(self, z: Tensor) -> Tensor:
        """Squared Mahalanobis distances, (B, n_components)."""
        difference = z[:, None] - self.means
        return torch.einsum("bki,kij,bkj->bk", difference, self.precisions, difference)

    def _spread(self, mu: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """Expected squared distances of z under the posteriors, (n, n_components)."""
        precisions = self.precisions.cpu().numpy().astype(np.float64)
        difference = mu[:, None] - self.means.cpu().numpy()
        distances = np.einsum("nki,kij,nkj->nk", difference, precisions, difference)
        spread: np.ndarray = distances + variances @ np.diagonal(precisions, axis1=1, axis2=2).T
        return spread

    def _mean_log_density(self, points: np.ndarray) -> float:
        z = torch.from_numpy(points.astype(np.float32)).to(self.means.device)
        return float(self.log_joint(z).logsumexp(1).mean())


def _scatter(
    mu: np.ndarray, variances: np.ndarray, weights: np.ndarray, mean: np.ndarray
) -> np.ndarray:
    """Σ w E[(z − m)(z − m)ᵀ], (latent_dim, latent_dim)."""
    difference = mu - mean
    scatter: np.ndarray = (difference * weights[:, None]).T @ difference
    return scatter + np.diag(weights @ variances)
