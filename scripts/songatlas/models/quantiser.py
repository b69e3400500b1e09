"""Vectors to the nearest entry of a codebook that moves with them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.errors import ConfigError
from songatlas.models.gather import rows_of_all

KMEANS_STEPS = 10
"""Steps of Lloyd's algorithm on the first batch."""

FADED = 1e-5
"""A moving average of fewer vectors a batch says no more where its code should be."""

JITTER = 1e-2
"""Standard deviation of what is added to a copy of a vector, so that no two codes are the same."""


@dataclass(frozen=True)
class Quantised:
    """Vectors after the codebook."""

    values: Tensor
    """(n, code_dim) float32: codebook entries; gradients pass straight through to the input."""
    codes: Tensor
    """(n,) int64."""
    commitment: Tensor
    """Scalar: mean squared distance of a vector's values from its code's."""


class Quantiser(nn.Module):
    """Vector quantisation with exponential moving averages (van den Oord et al. 2017, appendix A.1;
    Razavi et al. 2019).

    The codebook has no gradient. In training mode every batch moves each code towards the mean of
    the vectors that chose it; a code that fewer than `restart_threshold` vectors a batch choose (in
    the moving average) is put on a random vector of the batch (Dhariwal et al. 2020). The first
    batch in training mode sets the codebook by k-means. In eval mode nothing changes. Processes
    that train together learn from all their vectors.
    """

    codebook: Tensor
    counts: Tensor
    sums: Tensor
    initialised: Tensor

    def __init__(
        self, n_codes: int, code_dim: int, *, ema_decay: float, restart_threshold: float
    ) -> None:
        super().__init__()
        if n_codes < 2:
            raise ConfigError(f"n_codes: must be at least 2 (given: {n_codes})")
        if code_dim < 1:
            raise ConfigError(f"code_dim: must be at least 1 (given: {code_dim})")
        if not 0.0 <= ema_decay < 1.0:
            raise ConfigError(f"ema_decay: must be at least 0 and below 1 (given: {ema_decay})")
        if restart_threshold < 0.0:
            raise ConfigError(
                f"restart_threshold: must not be negative (given: {restart_threshold}; "
                "0: codes are never restarted)"
            )
        self.ema_decay, self.restart_threshold = ema_decay, restart_threshold
        self.register_buffer("codebook", torch.randn(n_codes, code_dim))
        self.register_buffer("counts", torch.ones(n_codes))
        self.register_buffer("sums", torch.zeros(n_codes, code_dim))
        self.register_buffer("initialised", torch.tensor(False))
        self._seen_version = -1

    @property
    def n_codes(self) -> int:
        return len(self.codebook)

    def forward(self, vectors: Tensor) -> Quantised:
        """Quantise `vectors` (n, code_dim)."""
        # Autocast would round squares and differences to bfloat16.
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.float()
            if self.training and self.is_new():
                self.initialise(rows_of_all(vectors.detach()))
            codes = self.nearest(vectors)
            values = self.codebook[codes]
            commitment = F.mse_loss(vectors, values)
            if self.training:
                self.update(rows_of_all(vectors.detach()), rows_of_all(codes))
            return Quantised(vectors + (values - vectors).detach(), codes, commitment)

    def is_new(self) -> bool:
        """Whether no batch has set the codebook yet; a device is asked once, until that changes."""
        version = self.initialised._version
        if version == self._seen_version:
            return False
        if not bool(self.initialised):
            return True
        self._seen_version = version
        return False

    @torch.no_grad()
    def nearest(self, vectors: Tensor) -> Tensor:
        """Code of each vector by Euclidean distance, (n,) int64."""
        # |v|² is the same for all codes.
        return (self.codebook.square().sum(1) - 2.0 * vectors @ self.codebook.T).argmin(1)

    @torch.no_grad()
    def initialise(self, vectors: Tensor) -> None:
        """Set the codebook by k-means on `vectors` (n, code_dim), started on random ones."""
        self.codebook.copy_(self.draw(vectors))
        for _ in range(KMEANS_STEPS):
            counts, sums = self.totals(vectors, self.nearest(vectors))
            used = counts > 0
            self.codebook[used] = sums[used] / counts[used, None]
        self.counts.copy_(self.totals(vectors, self.nearest(vectors))[0])
        self.sums.copy_(self.codebook * self.counts[:, None])
        self.initialised.fill_(True)

    @torch.no_grad()
    def update(self, vectors: Tensor, codes: Tensor) -> None:
        """Move the codes towards the means of their `vectors` (n, code_dim); restart dead ones."""
        counts, sums = self.totals(vectors, codes)
        self.counts.lerp_(counts, 1.0 - self.ema_decay)
        self.sums.lerp_(sums, 1.0 - self.ema_decay)
        dead = self.counts < self.restart_threshold
        # A CPU is asked for nothing; a device would make the host wait for the answer.
        if dead.device.type != "cpu" or dead.any():
            drawn = self.draw(vectors) * self.restart_threshold
            self.counts.masked_fill_(dead, self.restart_threshold)
            self.sums.copy_(torch.where(dead[:, None], drawn, self.sums))
        alive = (self.counts > FADED)[:, None]
        self.codebook.copy_(torch.where(alive, self.sums / self.counts[:, None], self.codebook))

    def totals(self, vectors: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """How many vectors chose each code, (n_codes,), and their sums, (n_codes, code_dim)."""
        chosen = F.one_hot(codes, self.n_codes).to(vectors.dtype)  # sums as products: deterministic
        return chosen.sum(0), chosen.T @ vectors

    def draw(self, vectors: Tensor) -> Tensor:
        """Random ones of `vectors` for all codes, (n_codes, code_dim); no copies are the same."""
        n = len(vectors)
        order = torch.randperm(n, device=vectors.device)
        picked = vectors[order[torch.arange(self.n_codes, device=vectors.device) % n]]
        if n < self.n_codes:
            picked = picked + JITTER * vectors.std(0) * torch.randn_like(picked)
        return picked


def perplexity(codes: Tensor, n_codes: int) -> tuple[Tensor, Tensor]:
    """Effective and actual number of codes in use among `codes`, both scalar float32.

    The first is exp of the entropy of their frequencies: `n_codes` when all are equally frequent.
    """
    share = F.one_hot(codes.flatten(), n_codes).sum(0).float() / codes.numel()
    return torch.special.entr(share).sum().exp(), (share > 0).sum().float()
