"""The prior of variational deep embedding: a mixture of Gaussians over latents."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

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

    def kl(
        self,
        mu: Tensor,
        logvar: Tensor,
        z: Tensor,
        parts: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """KL of q(z, c | x) from p(z, c), (B,), in nats (equation 12 of the paper).

        `mu` and `logvar` are those of q(z | x), `z` is a sample of it, all (B, latent_dim). With
        `parts` (B,) int64 q(c | x) is that component for certain instead of p(c | z). Rows outside
        of `rows` (B,) bool have a KL of 0, and belong to no component.
        """
        # Autocast would round squares and differences of latents to bfloat16.
        with torch.autocast(mu.device.type, enabled=False):
            if parts is None:
                log_gamma = self.log_responsibilities(z)
                gamma = log_gamma.exp()
                entropy = -(gamma * log_gamma).sum(1)
                if self.training:
                    counted = gamma.detach() if rows is None else gamma.detach() * rows[:, None]
                    self.mass += counted.sum(0)
            else:
                gamma = F.one_hot(parts, self.n_components).to(mu.dtype)
                entropy = mu.new_zeros(len(mu))
            precision = torch.exp(-self.logvars)
            expected = (
                (logvar.exp() + mu.square()) @ precision.T
                - 2.0 * mu @ (self.means * precision).T
                + (self.means.square() * precision + self.logvars).sum(1)
            )
            log_weights = torch.log_softmax(self.weight_logits, 0)
            kl: Tensor = (
                0.5 * (gamma * expected).sum(1)
                - (gamma * log_weights).sum(1)
                - entropy
                - 0.5 * (1.0 + logvar).sum(1)
            )
            return kl if rows is None else torch.where(rows, kl, 0.0)

    @torch.no_grad()
    def initialise(
        self, latents: np.ndarray, seed: int, parts: np.ndarray | None = None
    ) -> np.ndarray:
        """Set the mixture from a partition of `latents` (n, latent_dim); return the partition.

        Each component takes the weight, mean and variances of one part, which is one maximisation
        step of EM. Further steps would fit diagonal Gaussians to latents that do not follow them
        yet. `parts` (n,) int64 holds the number of each point's component; without it the points
        are partitioned by Ward linkage, as hierarchical clustering is the usual start of a Gaussian
        mixture (Fraley and Raftery 2002). Above `WARD_SAMPLE` points a sample is partitioned then
        and the others join the nearest centroid. Components without a part, as when there are fewer
        distinct points than components, get a mean drawn from the latents and the variances of all,
        so that none starts dead.
        """
        latents = np.asarray(latents, np.float64)
        rng = np.random.default_rng(seed)
        labels = ward(latents, self.n_components, rng) if parts is None else parts
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
        return labels

    @torch.no_grad()
    def empty(self, share: float = EMPTY_SHARE) -> np.ndarray:
        """Components whose mean responsibility since the last call is below `share`, int64.

        Empty where no step was trained since then.
        """
        mass = self.mass.cpu().double().numpy()
        self.mass.zero_()
        return np.flatnonzero(mass < share * mass.sum())

    @torch.no_grad()
    def restart(self, components: np.ndarray, latents: np.ndarray, seed: int) -> None:
        """Give `components` a new place among `latents` (n, latent_dim).

        The other components part the latents among them. The part whose bisection by k-means
        reduces the squared error most (Steinbach et al. 2000) gives one half away; its component
        keeps the other. Both get their half's mean and variances, and share their weights as the
        halves share the points. A component that finds nothing to split stays where it is.
        """
        if len(components) == 0:
            return
        points = np.asarray(latents, np.float64)
        log_responsibilities = self.log_responsibilities(
            torch.as_tensor(points, dtype=self.means.dtype, device=self.means.device)
        )
        log_responsibilities[:, components] = -torch.inf
        # With every component empty the first one owns all points.
        parts = log_responsibilities.argmax(1).cpu().numpy()
        if len(components) == self.n_components:
            parts[:] = components[0]
        weights = torch.softmax(self.weight_logits.cpu().double(), 0).numpy()
        bisections = {c: _bisect(points[parts == c], seed) for c in np.unique(parts)}
        for c in components:
            host = max(bisections, key=lambda part: bisections[part][0])
            gain, second = bisections[host]
            if host == c or gain == 0.0:
                continue
            rows = np.flatnonzero(parts == host)
            parts[rows[second]] = c
            both, share = weights[c] + weights[host], second.mean()
            weights[c], weights[host] = share * both, (1.0 - share) * both
            for half in (c, host):
                part = points[parts == half]
                self.means[half] = torch.as_tensor(part.mean(axis=0))
                variances = np.maximum(part.var(axis=0), MIN_VARIANCE)
                self.logvars[half] = torch.as_tensor(np.log(variances))
                bisections[half] = _bisect(part, seed)
        self.weight_logits.copy_(torch.as_tensor(np.log(weights)))


def _bisect(points: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """How much two centroids reduce the squared error, and who belongs to the second, (n,) bool."""
    from sklearn.cluster import KMeans

    if len(np.unique(points, axis=0)) < 2:
        return 0.0, np.zeros(len(points), bool)
    two = KMeans(2, n_init=3, random_state=seed).fit(points)
    error = float(np.square(points - points.mean(axis=0)).sum())
    return max(error - float(two.inertia_), 0.0), two.labels_ == 1


def _squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, d) and (k, d) → (n, k)."""
    from sklearn.metrics import euclidean_distances

    distances: np.ndarray = euclidean_distances(points, centres, squared=True)
    return distances


def ward(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
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
