"""The loss of every VAE, in two scales."""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Scale = Literal["paper", "elbo"]

Weight = float | Tensor
"""A number; a recorded step reads it from a scalar on its device."""

MIN_VARIANCE = 1e-6
"""Floor of the calibrated decoder variance (a perfect reconstruction has no finite likelihood)."""


def gaussian_kl_per_unit(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) ‖ N(0, 1)) of each dimension: (B, D) → (B, D), in nats."""
    return 0.5 * (mu.square() + logvar.exp() - 1.0 - logvar)


def paid(kl: Tensor, free_bits: float, latent_dim: int) -> Tensor:
    """Batch mean of the KL that the loss counts, in nats (scalar).

    `kl` is (B, D) by dimension or (B,) in total. Free bits (Kingma et al. 2016): a dimension whose
    mean KL is below `free_bits` nats counts as `free_bits` and so is not pushed further down; a
    total is one group with `free_bits * latent_dim`.
    """
    mean = kl.float().mean(dim=0)
    if free_bits > 0.0:
        mean = mean.clamp_min(free_bits if mean.dim() else free_bits * latent_dim)
    return mean.sum()


def calibrated_nll(mean_squared_error: Tensor) -> Tensor:
    """Gaussian negative log-likelihood per value, in nats, at the variance that minimises it.

    That variance is the batch's mean squared error (the optimal sigma-VAE of Rybkin et al. 2021),
    which leaves ½ (log(2π σ²) + 1).
    """
    variance = mean_squared_error.clamp_min(MIN_VARIANCE)
    return 0.5 * (torch.log(2.0 * math.pi * variance) + 1.0)


def objective(
    target: Tensor,
    reconstruction: Tensor,
    kl: Tensor,
    *,
    kl_weight: Weight,
    scale: Scale,
    latent_dim: int,
    free_bits: float = 0.0,
) -> dict[str, Tensor]:
    """Named scalar terms: `loss = distortion + kl_weight * rate`, `reconstruction` and `kl`.

    `target` and `reconstruction` have the shape (B, ...) with D values a window; `kl` is (B,), or
    (B, latent_dim) by dimension, in nats; for `free_bits` see `paid`.

    - `paper`: distortion is the squared error averaged over all values, rate the KL averaged over
      latent dimensions. It weights the KL about D / (2 · latent_dim) times more than the evidence
      lower bound does, and the posterior collapses.
    - `elbo`: the evidence lower bound with a calibrated decoder variance, both terms summed over
      the window and then divided by D, which changes no optimum and keeps gradients at a size that
      gradient clipping and learning rates of the other scale suit.

    `reconstruction` is the mean squared error and `kl` the mean nats per window in both scales.
    """
    error = F.mse_loss(reconstruction.float(), target.float())
    nats = kl.float().mean(dim=0).sum()
    counted = paid(kl, free_bits, latent_dim)
    if scale == "paper":
        distortion, rate = error, counted / latent_dim
    else:
        distortion, rate = calibrated_nll(error), counted / target[0].numel()
    return {
        "loss": distortion + kl_weight * rate,
        "reconstruction": error.detach(),
        "kl": nats.detach(),
        "distortion": distortion.detach(),
        "rate": rate.detach(),
    }
