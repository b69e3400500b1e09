"""What a posterior still says of its input: the measures of posterior collapse."""

import math

import torch
from torch import Tensor

from songatlas.training.collapse import ACTIVE_VARIANCE

MAX_SONGS = 16_384
"""Songs whose mean posterior means are kept: of more, those with the lowest numbers."""

MAX_SAMPLES = 1024
"""Windows that the mutual information is estimated on: the first ones of a pass."""


class Posterior:
    """Sums over one pass through the data, kept on the device."""

    def __init__(self) -> None:
        self.n = 0
        self.kl: Tensor | float = 0.0
        self.sums: Tensor | None = None
        self.counts: Tensor | None = None
        self.samples: list[tuple[Tensor, Tensor, Tensor]] = []
        self.n_samples = 0

    def add(
        self,
        mu: Tensor,
        track: Tensor,
        *,
        logvar: Tensor | None = None,
        z: Tensor | None = None,
        kl: Tensor | None = None,
    ) -> None:
        """Add a batch: means and, where there is a posterior, log variances, samples and KL.

        All but `track` (B,) have the shape (B, D); `track` numbers the windows' songs from 0.
        """
        mu, dtype = mu.detach(), torch.float32 if mu.device.type == "mps" else torch.float64
        kept = track < MAX_SONGS
        if self.sums is None or self.counts is None:
            self.sums = mu.new_zeros((1, mu.shape[1]), dtype=dtype)
            self.counts = mu.new_zeros(1, dtype=dtype)
        missing = int(track[kept].max()) + 1 - len(self.counts) if bool(kept.any()) else 0
        if missing > 0:
            self.sums = torch.cat([self.sums, self.sums.new_zeros((missing, mu.shape[1]))])
            self.counts = torch.cat([self.counts, self.counts.new_zeros(missing)])
        self.sums.index_add_(0, track[kept], mu[kept].to(dtype))
        self.counts.index_add_(0, track[kept], torch.ones_like(track[kept], dtype=dtype))
        self.n += len(mu)
        if kl is not None:
            self.kl = self.kl + kl.detach().to(dtype).sum(0)
        if logvar is not None and z is not None and self.n_samples < MAX_SAMPLES:
            room = MAX_SAMPLES - self.n_samples
            self.samples.append((mu[:room], logvar.detach()[:room], z.detach()[:room]))
            self.n_samples += len(mu[:room])

    def variance(self) -> Tensor:
        """Variance over songs of the songs' mean posterior means, (D,)."""
        assert self.sums is not None
        assert self.counts is not None
        there = self.counts > 0
        means = self.sums[there] / self.counts[there, None]
        return means.var(0, correction=0)

    def active_units(self) -> int:
        """Number of active latent dimensions."""
        return int((self.variance() > ACTIVE_VARIANCE).sum())

    def kl_per_unit(self) -> list[float]:
        """Mean KL of each latent dimension in nats; empty without a posterior."""
        return [] if isinstance(self.kl, float) else (self.kl / self.n).tolist()

    def mutual_information(self) -> float | None:
        """Estimate of I(x; z) in nats; None without a posterior.

        Mean log ratio of a sample's density under its own posterior and under the mean of all
        posteriors (the index-code mutual information of Hoffman & Johnson 2016). With n windows it
        cannot exceed log n, which is 6.9 nats at `MAX_SAMPLES`.
        """
        if not self.samples:
            return None
        mu, logvar, z = (torch.cat(parts).float() for parts in zip(*self.samples, strict=True))
        return mutual_information(mu, logvar, z)


def mutual_information(mu: Tensor, logvar: Tensor, z: Tensor) -> float:
    """I(x; z) in nats from posteriors and one sample of each, all (n, D); at most log n."""
    precision = torch.exp(-logvar)
    # (z − m)² / v expanded into matrix products: no (n, n, D) tensor.
    distance = (
        z.square() @ precision.T - 2.0 * z @ (mu * precision).T + (mu.square() * precision).sum(1)
    )
    log_density = -0.5 * (distance + logvar.sum(1))
    log_mean = torch.logsumexp(log_density, 1) - math.log(len(mu))
    return float((log_density.diagonal() - log_mean).mean())
