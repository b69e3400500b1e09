"""What a posterior still says of its input: the measures of posterior collapse."""

import math

import torch
from torch import Tensor

from songatlas.training.collapse import ACTIVE_VARIANCE

MAX_SONGS = 16_384
"""Songs whose mean posterior means are kept: of more, those with the lowest numbers."""

MAX_SAMPLES = 1024
"""Windows that the mutual information is estimated on: the first ones of a pass."""


ROWS_AT_ONCE = 16_384
"""Windows whose means wait to be added to their songs' sums: float64 is slow on most cards."""


class Posterior:
    """Sums over one pass through the data, kept on the device, which is asked for no value.

    Args:
        n_songs: songs of the data; windows say which one they are of by numbers below.
    """

    def __init__(self, n_songs: int = MAX_SONGS) -> None:
        self.n = 0
        self.n_songs = min(n_songs, MAX_SONGS)
        self.kl: Tensor | float = 0.0
        self.sums: Tensor | None = None
        self.counts: Tensor | None = None
        self.waiting: list[tuple[Tensor, Tensor]] = []
        self.n_waiting = 0
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

        These have the shape (B, D), but for `kl` (D,), which is the sum over the batch; `track`
        (B,) numbers the windows' songs from 0.
        """
        mu = mu.detach()
        self.waiting.append((mu, track))
        self.n_waiting += len(mu)
        if self.n_waiting >= ROWS_AT_ONCE:
            self.add_waiting()
        self.n += len(mu)
        if kl is not None:
            self.kl = self.kl + kl
        if logvar is not None and z is not None and self.n_samples < MAX_SAMPLES:
            room = MAX_SAMPLES - self.n_samples
            self.samples.append((mu[:room], logvar.detach()[:room], z.detach()[:room]))
            self.n_samples += len(mu[:room])

    def add_waiting(self) -> None:
        """Add the means that wait to the sums of their songs."""
        if not self.waiting:
            return
        mu, track = (torch.cat(parts) for parts in zip(*self.waiting, strict=True))
        dtype = widest(mu)
        if self.sums is None or self.counts is None:
            self.sums = mu.new_zeros((self.n_songs + 1, mu.shape[1]), dtype=dtype)
            self.counts = mu.new_zeros(self.n_songs + 1, dtype=dtype)
        # Songs beyond the last that is kept share a row that nobody reads.
        row = track.clamp(max=self.n_songs)
        self.sums.index_add_(0, row, mu.to(dtype))
        self.counts.index_add_(0, row, torch.ones_like(row, dtype=dtype))
        self.waiting, self.n_waiting = [], 0

    def variance(self) -> Tensor:
        """Variance over songs of the songs' mean posterior means, (D,)."""
        self.add_waiting()
        assert self.sums is not None
        assert self.counts is not None
        sums, counts = self.sums[: self.n_songs], self.counts[: self.n_songs]
        there = counts > 0
        means = sums[there] / counts[there, None]
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


def widest(values: Tensor) -> torch.dtype:
    """What sums are kept in: MPS has no float64."""
    return torch.float32 if values.device.type == "mps" else torch.float64


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
