"""The prior of variational deep embedding: a mixture of Gaussians over latents."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError

MIN_VARIANCE = 1e-3
"""Of a component when it is initialised or restarted."""

EMPTY_SHARE = 1e-3
"""A component with a smaller mean responsibility is empty: less than one point in a thousand."""

WARD_SAMPLE = 5_000
"""Ward linkage, which needs n² memory, partitions at most this many points."""


class MixturePrior(nn.Module):
    """p(z) = Σ π_c N(z; m_c, diag(v_c)), its parameters learned (Jiang et al. 2017).

    The assignment's posterior is q(c | x) = p(c | z), the responsibilities of the components.

    Raises:
        ConfigError: when `n_components` is below 1.
    """

    def __init__(self, n_components: int, latent_dim: int) -> None:
        super().__init__()
        if n_components < 1:
            raise ConfigError(f"n_components: must be at least 1 (given: {n_components})")
        self.weight_logits = nn.Parameter(torch.zeros(n_components))
        self.means = nn.Parameter(torch.zeros(n_components, latent_dim))
        self.logvars = nn.Parameter(torch.zeros(n_components, latent_dim))
        # Responsibilities summed over the training steps since the last look for empty components.
        # Saved with the weights, so that a resumed training restarts the same components.
        self.register_buffer("mass", torch.zeros(n_components))
        self.mass: Tensor

    @property
    def n_components(self) -> int:
        return len(self.weight_logits)

    def log_responsibilities(self, z: Tensor) -> Tensor:
        """log p(component | z), (B, n_components), for `z` (B, latent_dim)."""
        # (z − m)² / v expanded into matrix products: no (B, n_components, latent_dim) tensor.
        precision = torch.exp(-self.logvars)
        distance = (
            z.square() @ precision.T
            - 2.0 * z @ (self.means * precision).T
            + (self.means.square() * precision).sum(1)
        )
        log_density = -0.5 * (distance + self.logvars.sum(1) + z.shape[1] * math.log(2.0 * math.pi))
        return torch.log_softmax(torch.log_softmax(self.weight_logits, 0) + log_density, 1)

    def kl(self, mu: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
        """KL of q(z, c | x) from p(z, c), (B,), in nats (equation 12 of the paper).

        `mu` and `logvar` are those of q(z | x), `z` is a sample of it, all (B, latent_dim).
        """
        # Autocast would round squares and differences of latents to bfloat16.
        with torch.autocast(mu.device.type, enabled=False):
            log_gamma = self.log_responsibilities(z)
            gamma = log_gamma.exp()
            if self.training:
                self.mass += gamma.detach().sum(0)
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

    @torch.no_grad()
    def initialise(self, latents: np.ndarray, seed: int) -> None:
        """Set the mixture from a partition of `latents` (n, latent_dim) by Ward linkage.

        Hierarchical clustering is the usual start of a Gaussian mixture (Fraley and Raftery 2002):
        each component takes the weight, mean and variances of one part, which is one maximisation
        step of EM. Further steps would fit diagonal Gaussians to latents that do not follow them
        yet. Above `WARD_SAMPLE` points a sample is partitioned and the others join the nearest
        centroid. With fewer distinct points than components the components left over get a mean
        drawn from the latents and the variances of all, so that no component starts dead.
        """
        latents = np.asarray(latents, np.float64)
        rng = np.random.default_rng(seed)
        labels = _ward(latents, self.n_components, rng)
        shared = np.maximum(latents.var(axis=0), MIN_VARIANCE)
        means = latents[rng.integers(len(latents), size=self.n_components)]
        variances = np.tile(shared, (self.n_components, 1))
        weights = np.full(self.n_components, 1.0 / len(latents))
        for c in np.unique(labels):
            part = latents[labels == c]
            means[c] = part.mean(axis=0)
            variances[c] = np.maximum(part.var(axis=0), MIN_VARIANCE)
            weights[c] = len(part) / len(latents)
        weights /= weights.sum()
        self.weight_logits.copy_(torch.as_tensor(np.log(weights)))
        self.means.copy_(torch.as_tensor(means))
        self.logvars.copy_(torch.as_tensor(np.log(variances)))
        self.mass.zero_()

    @torch.no_grad()
    def empty(self, share: float = EMPTY_SHARE) -> np.ndarray:
        """Components whose mean responsibility since the last call is below `share`, int64.

        Empty where no step was trained since then.
        """
        mass = self.mass.double().cpu().numpy()
        self.mass.zero_()
        return np.flatnonzero(mass < share * mass.sum())

    @torch.no_grad()
    def restart(self, components: np.ndarray, latents: np.ndarray, seed: int) -> None:
        """Give `components` a new place among `latents` (n, latent_dim).

        A mean is drawn from the latents with probability proportional to the squared distance to
        the nearest mean, as k-means++ does (Arthur and Vassilvitskii 2007); variances are the
        weighted mean of the others', the weight is 1 / n_components.
        """
        if len(components) == 0:
            return
        latents = np.asarray(latents, np.float64)
        rng = np.random.default_rng(seed)
        means = self.means.double().cpu().numpy()
        variances = self.logvars.double().exp().cpu().numpy()
        weights = torch.softmax(self.weight_logits.double(), 0).cpu().numpy()
        kept = np.setdiff1d(np.arange(self.n_components), components)
        if len(kept):
            shared = weights[kept] @ variances[kept] / weights[kept].sum()
            nearest = _squared_distances(latents, means[kept]).min(axis=1)
        else:
            shared = latents.var(axis=0)
            nearest = np.ones(len(latents))
        for c in components:
            total = nearest.sum()
            chosen = rng.choice(len(latents), p=nearest / total if total > 0.0 else None)
            means[c] = latents[chosen]
            variances[c] = np.maximum(shared, MIN_VARIANCE)
            nearest = np.minimum(nearest, _squared_distances(latents, means[[c]])[:, 0])
        share = len(components) / self.n_components
        weights[kept] *= (1.0 - share) / max(weights[kept].sum(), np.finfo(float).tiny)
        weights[components] = 1.0 / self.n_components
        self.weight_logits.copy_(torch.as_tensor(np.log(weights)))
        self.means.copy_(torch.as_tensor(means))
        self.logvars.copy_(torch.as_tensor(np.log(variances)))


def _squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, d) and (k, d) → (n, k)."""
    from sklearn.metrics import euclidean_distances

    distances: np.ndarray = euclidean_distances(points, centres, squared=True)
    return distances


def _ward(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Partition (n,) of the points into at most `k` parts."""
    from sklearn.cluster import AgglomerativeClustering

    sample = points
    if len(points) > WARD_SAMPLE:
        sample = points[rng.choice(len(points), WARD_SAMPLE, replace=False)]
    k = min(k, len(np.unique(sample, axis=0)))
    labels = np.zeros(len(sample), np.int64)
    if k > 1:
        labels = AgglomerativeClustering(k, linkage="ward").fit_predict(sample)
    if len(sample) == len(points):
        return labels
    centroids = np.stack([sample[labels == c].mean(axis=0) for c in range(k)])
    return _squared_distances(points, centroids).argmin(axis=1)
