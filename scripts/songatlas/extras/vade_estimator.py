"""Variational deep embedding of any (n, d) matrix, as a scikit-learn estimator."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.models.base import LOGVAR_LIMIT
from songatlas.models.losses import calibrated_nll
from songatlas.models.mixture import EMPTY_SHARE, MixturePrior
from songatlas.models.partitions import MIN_PER_PART, spectral

Likelihood = Literal["auto", "gaussian", "bernoulli"]
Partition = Literal["spectral", "ward"]

CHUNK = 4_096
"""Samples encoded at once outside training."""

INITIAL_SPREAD = math.exp(-2.0)
"""Variance of a posterior before joint training, as a share of its component's variance."""


class VaDE(ClusterMixin, TransformerMixin, BaseEstimator):
    """Variational deep embedding (Jiang et al. 2017) with `fit` and `predict`.

    An autoencoder is trained first; a mixture of Gaussians is then fitted to its latents, and the
    network and the mixture are trained together on the evidence lower bound. Encoder and decoder
    are each a linear map plus a fully connected network. They start as the principal components of
    `X` with the networks' outputs at zero, so that the latents keep the shape of the data and
    depend little on the seed.

    In the first part of joint training q(c | x) is held at the partition the mixture was fitted
    to: latents have time to become Gaussian within its parts before they may change sides. From
    then on q(c | x) = p(c | z). Until three quarters of joint training a component that almost no
    sample belongs to during an epoch is restarted (`MixturePrior.restart`); later it could no
    longer settle. Both phases use Adam with a cosine decay of the learning rate.

    Args:
        n_clusters: components of the mixture.
        latent_dim: dimensions of the latent space.
        widths: hidden units of the encoder's layers; the decoder mirrors them.
        pretrain_epochs, epochs: passes through the data before and after the mixture is fitted.
        batch_size: samples in a step.
        learning_rate: of the first step of each phase.
        partition: of the latents, that the mixture is fitted to. `spectral` finds parts of any
            shape, which pretrained latents have; `ward` prefers round ones, and is taken below 5
            samples per cluster in any case.
        hold: share of joint training in which q(c | x) is held at the first partition.
        noise: share of input values set to their column's mean in pretraining (a denoising
            autoencoder).
        likelihood: of the decoder. `gaussian` has one variance, calibrated on the batch (Rybkin et
            al. 2021), and fits values of any range; `bernoulli` needs values in [0, 1], as the
            paper has for images; `auto` is `bernoulli` where `X` lies in [0, 1], else `gaussian`.
        empty_share: mean responsibility below which a component is restarted; 0 never does.
        seed: of everything random; the global random states are left as they were.
        device: where torch computes.
        n_threads: of torch while it trains on a CPU. A step of a network this small is too short to
            share: on busy cores threads wait for one another. The result depends on it in the last
            digits, and so not on the process's own setting.

    Attributes:
        labels_: (n,) int64 cluster of every training sample.
        means_, variances_: (n_clusters, latent_dim) float32 of the components.
        weights_: (n_clusters,) float32 of the components, sum 1.
        likelihood_: the one used.
        loss_curve_: mean loss per sample of every epoch, nats.
        n_restarts_: components restarted.
    """

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        latent_dim: int = 10,
        widths: Sequence[int] = (256, 256, 512),
        pretrain_epochs: int = 50,
        epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        partition: Partition = "spectral",
        hold: float = 0.5,
        noise: float = 0.0,
        likelihood: Likelihood = "auto",
        empty_share: float = EMPTY_SHARE,
        seed: int = 0,
        device: str = "cpu",
        n_threads: int = 1,
    ) -> None:
        self.n_clusters = n_clusters
        self.latent_dim = latent_dim
        self.widths = widths
        self.pretrain_epochs = pretrain_epochs
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.partition = partition
        self.hold = hold
        self.noise = noise
        self.likelihood = likelihood
        self.empty_share = empty_share
        self.seed = seed
        self.device = device
        self.n_threads = n_threads

    def fit(self, X: np.ndarray, y: Any = None) -> "VaDE":
        """Train on `X` (n, d); `y` is not looked at.

        Raises:
            ValueError: when `X` is no finite matrix, has fewer samples than `n_clusters`, leaves
                [0, 1] under the Bernoulli likelihood, or a parameter is out of its range.
        """
        X = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        self._check(X)
        within = X.min() >= 0.0 and X.max() <= 1.0
        self.likelihood_ = self.likelihood
        if self.likelihood == "auto":
            self.likelihood_ = "bernoulli" if within else "gaussian"
        cuda = [torch.cuda.current_device()] if torch.device(self.device).type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), _threads(self.n_threads):
            torch.manual_seed(self.seed)
            self._train(torch.from_numpy(X).to(self.device))
        prior = self.network_.prior
        self.labels_ = self.predict(X)
        self.means_ = prior.means.detach().cpu().numpy()
        self.variances_ = prior.logvars.detach().exp().cpu().numpy()
        self.weights_ = torch.softmax(prior.weight_logits.detach(), 0).cpu().numpy()
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Component with the largest responsibility at the posterior mean, (n,) int64."""
        return self._log_responsibilities(X).argmax(axis=1)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities at the posterior mean, (n, n_clusters) float64; rows sum to 1."""
        probability = np.exp(self._log_responsibilities(X))
        return probability / probability.sum(axis=1, keepdims=True)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Posterior means, (n, latent_dim) float32."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return self._embed(torch.from_numpy(X).to(self.device)).cpu().numpy()

    # --- training ------------------------------------------------------------------------------

    def _train(self, X: Tensor) -> None:
        self.network_ = network = _Network(
            X.shape[1], tuple(self.widths), self.latent_dim, self.n_clusters
        ).to(self.device)
        network.start_linear(X.cpu().numpy(), self.likelihood_ == "bernoulli", self.seed)
        self.loss_curve_: list[float] = []
        self.n_restarts_ = 0
        self._phase(X, network.autoencoder_parameters(), self.pretrain_epochs)
        latents = self._embed(X).cpu().numpy()
        parts = None
        if self.partition == "spectral" and len(X) >= MIN_PER_PART * self.n_clusters:
            parts = spectral(latents, self.n_clusters, self.seed)
        parts = network.prior.initialise(latents, self.seed, parts)
        network.start_posterior()
        self._phase(
            X, list(network.parameters()), self.epochs, torch.from_numpy(parts).to(self.device)
        )
        network.eval()

    def _phase(
        self, X: Tensor, parameters: list[nn.Parameter], epochs: int, parts: Tensor | None = None
    ) -> None:
        """Pretraining, or joint training from the partition `parts` (n,) int64."""
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate, fused=True)
        n_steps = epochs * math.ceil(len(X) / self.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(n_steps, 1))
        n_held = round(self.hold * epochs)
        for epoch in range(epochs):
            if parts is not None and n_held < epoch <= 3 * epochs // 4:
                self._restart_empty(X, epoch)
            total = X.new_zeros(())
            for rows in torch.randperm(len(X)).to(X.device).split(self.batch_size):
                if parts is None:
                    loss = self._autoencode(X[rows])
                else:
                    loss = self._elbo(X[rows], parts[rows] if epoch < n_held else None)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach() * len(rows)
            self.loss_curve_.append(float(total) / len(X))

    def _autoencode(self, x: Tensor) -> Tensor:
        corrupted = x
        if self.noise:
            kept = torch.rand_like(x) >= self.noise
            corrupted = torch.where(kept, x, self.network_.centre)
        return self._distortion(self.network_.decode(self.network_.encode(corrupted)[0]), x)

    def _elbo(self, x: Tensor, parts: Tensor | None) -> Tensor:
        mu, logvar = self.network_.encode(x)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        kl = self.network_.prior.kl(mu, logvar, z, parts).mean()
        return self._distortion(self.network_.decode(z), x) + kl

    def _distortion(self, output: Tensor, x: Tensor) -> Tensor:
        """Mean −log p(x | z) of a sample, nats."""
        if self.likelihood_ == "bernoulli":
            return F.binary_cross_entropy_with_logits(output, x, reduction="sum") / len(x)
        network = self.network_
        error = F.mse_loss(output, network.standardise(x))
        return (calibrated_nll(error) + network.scale.log()) * x.shape[1]

    def _restart_empty(self, X: Tensor, epoch: int) -> None:
        prior = self.network_.prior
        components = prior.empty(self.empty_share)
        if len(components):
            prior.restart(components, self._embed(X).cpu().numpy(), self.seed + epoch)
            self.n_restarts_ += len(components)

    # --- inference -----------------------------------------------------------------------------

    @torch.no_grad()
    def _embed(self, X: Tensor) -> Tensor:
        return torch.cat([self.network_.encode(rows)[0] for rows in X.split(CHUNK)])

    @torch.no_grad()
    def _log_responsibilities(self, X: np.ndarray) -> np.ndarray:
        z = torch.from_numpy(self.transform(X)).to(self.device)
        log_responsibilities: np.ndarray = (
            self.network_.prior.log_responsibilities(z).cpu().double().numpy()
        )
        return log_responsibilities

    def _check(self, X: np.ndarray) -> None:
        for name in ("n_clusters", "latent_dim", "pretrain_epochs", "batch_size", "n_threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1 (given: {getattr(self, name)})")
        if self.epochs < 0:
            raise ValueError(f"epochs: must be at least 0 (given: {self.epochs})")
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths: needs one or more positive numbers (given: {self.widths})")
        if not self.learning_rate > 0.0:
            raise ValueError(f"learning_rate: must be positive (given: {self.learning_rate})")
        if not 0.0 <= self.hold <= 1.0:
            raise ValueError(f"hold: must be between 0 and 1 (given: {self.hold})")
        if not 0.0 <= self.noise < 1.0:
            raise ValueError(f"noise: must be at least 0 and below 1 (given: {self.noise})")
        for name, choices in (("likelihood", Likelihood), ("partition", Partition)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(
                    f"{name}: must be one of {get_args(choices)} (given: {getattr(self, name)!r})"
                )
        if len(X) < self.n_clusters:
            raise ValueError(
                f"X has {len(X)} samples, fewer than n_clusters = {self.n_clusters}: "
                "ask for fewer clusters"
            )
        if self.likelihood == "bernoulli" and (X.min() < 0.0 or X.max() > 1.0):
            raise ValueError(
                f"likelihood='bernoulli' needs values in [0, 1], X has {X.min():g} to "
                f"{X.max():g}: rescale X or use 'gaussian'"
            )


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Let torch use `n` threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Network(nn.Module):
    """Encoder and decoder, each a linear map plus layers with ReLU, and the mixture."""

    centre: Tensor
    scale: Tensor

    def __init__(self, d: int, widths: tuple[int, ...], latent_dim: int, n_clusters: int) -> None:
        super().__init__()
        self.encoder = _layers((d, *widths))
        self.mu = nn.Linear(widths[-1], latent_dim)
        self.mu_linear = nn.Linear(d, latent_dim, bias=False)
        self.logvar = nn.Linear(widths[-1], latent_dim)
        self.decoder = _layers((latent_dim, *reversed(widths)))
        self.output = nn.Linear(widths[0], d)
        self.output_linear = nn.Linear(latent_dim, d, bias=False)
        self.prior = MixturePrior(n_clusters, latent_dim)
        self.register_buffer("centre", torch.zeros(d))
        self.register_buffer("scale", torch.ones(()))
        # He initialisation (He et al. 2015): with torch's own, smaller one, a few hundred steps do
        # not train an autoencoder this deep.
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def standardise(self, x: Tensor) -> Tensor:
        """Centred columns on one scale: any unit of `X` gives the same training."""
        return (x - self.centre) / self.scale

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, d) → mean and log variance of the posterior, both (B, latent_dim)."""
        x = self.standardise(x)
        hidden = self.encoder(x)
        mu = self.mu(hidden) + self.mu_linear(x)
        return mu, self.logvar(hidden).clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent_dim) → (B, d): standardised means, or logits of the Bernoulli likelihood."""
        output: Tensor = self.output(self.decoder(z)) + self.output_linear(z)
        return output

    def autoencoder_parameters(self) -> list[nn.Parameter]:
        parts = (
            *(self.encoder, self.mu, self.mu_linear),
            *(self.decoder, self.output, self.output_linear),
        )
        return [parameter for part in parts for parameter in part.parameters()]

    @torch.no_grad()
    def start_linear(self, X: np.ndarray, bernoulli: bool, seed: int) -> None:
        """Start as the principal components of `X` (n, d), the layers adding nothing yet.

        Latents share one scale, on which their variance is 1 on average.
        """
        centre = X.mean(axis=0, dtype=np.float64)
        scale = float(np.sqrt(np.square(X - centre).mean())) or 1.0
        self.centre.copy_(torch.from_numpy(centre).to(self.centre.dtype))
        self.scale.fill_(scale)
        standardised = (X - centre) / scale
        n_latents, d = self.mu_linear.weight.shape
        n = min(n_latents, d, len(X))
        with np.errstate(invalid="ignore"):  # PCA's ratio of explained variance of constant data
            pca = PCA(n, random_state=seed).fit(standardised)
        spread = float(np.sqrt(pca.explained_variance_.mean())) or 1.0
        components = torch.from_numpy(pca.components_)
        self.mu_linear.weight.zero_()
        self.mu_linear.weight[:n] = components / spread
        self.output_linear.weight.zero_()
        self.output_linear.weight[:, :n] = components.T * spread
        for layer in (self.mu, self.output):
            nn.init.zeros_(layer.weight)
        if bernoulli:
            # The tangent of the logit at ½: logit(x) ≈ 4 (x − ½).
            self.output_linear.weight.mul_(4.0 * scale)
            self.output.bias.copy_(4.0 * (self.centre - 0.5))

    @torch.no_grad()
    def start_posterior(self) -> None:
        """Start every posterior at one variance, well inside the components.

        The head had no gradient in pretraining, and noise as wide as the components would merge
        clusters that the autoencoder has set apart.
        """
        weights = torch.softmax(self.prior.weight_logits, 0)
        self.logvar.weight.mul_(0.1)
        self.logvar.bias.copy_(weights @ self.prior.logvars + math.log(INITIAL_SPREAD))


def _layers(widths: tuple[int, ...]) -> nn.Sequential:
    """No batch normalisation: its noise would move samples between clusters."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers)
