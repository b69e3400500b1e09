"""Variational deep embedding of any (n, d) matrix, as a scikit-learn estimator."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.extras.student_mixture import StudentMixture
from songatlas.models.base import LOGVAR_LIMIT
from songatlas.models.losses import calibrated_nll
from songatlas.models.mixture import ward
from songatlas.models.partitions import MIN_PER_PART, spectral

Likelihood = Literal["auto", "gaussian", "bernoulli"]

CHUNK = 4_096
"""Samples encoded at once outside training."""

INITIAL_SPREAD = math.exp(-2.0)
"""Variance of a posterior before joint training, as a share of the variance within parts."""

MIN_STEPS, MIN_BATCH = 10, 16
"""Few samples get this many steps an epoch, unless batches would be smaller than this."""

DIFFERENT_UNITS = 100.0
"""Columns whose ranges differ by a larger factor have different units."""

ROUNDING = 1e-6
"""A column that varies by a smaller share of its mean is constant: float32 has no more digits."""


class VaDE(ClusterMixin, TransformerMixin, BaseEstimator):
    """Variational deep embedding (Jiang et al. 2017) with `fit` and `predict`.

    An autoencoder is trained first; a mixture is then fitted to its latents, and the network and
    the mixture are trained together on the evidence lower bound. Encoder and decoder are each a
    linear map plus a fully connected network. They start as the principal components of `X` with
    the networks' outputs at zero, so that the latents keep the shape of the data and depend little
    on the seed.

    The mixture starts from a spectral partition of the latents. Its components are multivariate t
    distributions (`StudentMixture`): Gaussian ones would model outliers before groups. In joint
    training the networks take gradient steps, and the mixture one step of EM an epoch. In the
    first part q(c | x) is held at the first partition: the networks have time to fit it before
    samples change sides. From then on q(c | x) = p(c | z). Both phases use Adam with a cosine
    decay of the learning rate, and at least ten steps an epoch.

    Columns are centred and brought to one scale together. Where their ranges differ more than a
    hundredfold, they have different units, and each is brought to a standard deviation of 1.

    Args:
        n_clusters: components of the mixture.
        latent_dim: dimensions of the latent space; not more than `X` has columns are used.
        widths: hidden units of the encoder's layers; the decoder mirrors them.
        pretrain_epochs, epochs: passes through the data before and after the mixture is fitted.
        batch_size: samples in a step, at most.
        learning_rate: of the first step of each phase.
        hold: share of joint training in which q(c | x) is held at the first partition.
        dropout: share of hidden units left out in a step of joint training. Without it the bound on
            new samples worsens from the first epoch on.
        likelihood: of the decoder. `gaussian` has one variance, calibrated on the batch (Rybkin et
            al. 2021), and fits values of any range; `bernoulli` needs values in [0, 1]; `auto` is
            `bernoulli` where every value is 0 or 1, else `gaussian`.
        random_state: of everything random, an integer, a `RandomState` or None for another result
            every time; the states of numpy and torch are left as they were.
        device: where torch computes.
        n_threads: of torch while it trains on a CPU. A step of a network this small is too short to
            share: on busy cores threads wait for one another. The result depends on it in the last
            digits, and so not on the process's own setting.

    Attributes:
        labels_: (n,) int64 cluster of every training sample.
        initial_labels_: (n,) int64 the same before joint training, by the mixture at its start.
        means_: (n_clusters, latent_dim) float32 of the components.
        scales_: (n_clusters, latent_dim, latent_dim) float32, the components' matrices of scale.
        degrees_of_freedom_: of all components; 1,000 is as good as Gaussian.
        weights_: (n_clusters,) float32 of the components, sum 1.
        likelihood_: the one used.
        loss_curve_: mean loss per sample of every epoch, nats.
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
        hold: float = 0.5,
        dropout: float = 0.2,
        likelihood: Likelihood = "auto",
        random_state: int | np.random.RandomState | None = None,
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
        self.hold = hold
        self.dropout = dropout
        self.likelihood = likelihood
        self.random_state = random_state
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
        self.likelihood_ = self.likelihood
        if self.likelihood == "auto":
            self.likelihood_ = "bernoulli" if np.isin(X, (0.0, 1.0)).all() else "gaussian"
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        cuda = [torch.cuda.current_device()] if torch.device(self.device).type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), _threads(self.n_threads):
            torch.manual_seed(seed)
            self._train(torch.from_numpy(X).to(self.device), seed)
        self.labels_ = self.predict(X)
        mixture = self.network_.mixture
        self.means_ = mixture.means.cpu().numpy()
        self.scales_ = mixture.scales()
        self.degrees_of_freedom_ = mixture.degrees_of_freedom
        self.weights_ = mixture.log_weights.exp().cpu().numpy()
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Component with the largest responsibility at the posterior mean, (n,) int64."""
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities at the posterior mean, (n, n_clusters) float64; rows sum to 1."""
        latents = self.transform(X)
        return self.network_.mixture.responsibilities(latents)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Posterior means, (n, latent_dim) float32; (n, d) where `X` has fewer columns d."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return self._posteriors(torch.from_numpy(X).to(self.device))[0]

    # --- training ------------------------------------------------------------------------------

    def _train(self, X: Tensor, seed: int) -> None:
        d = X.shape[1]
        self.network_ = network = _Network(
            d, tuple(self.widths), min(self.latent_dim, d), self.n_clusters, self.dropout
        ).to(self.device)
        network.start_linear(X.cpu().numpy(), self.likelihood_ == "bernoulli", seed)
        self.loss_curve_: list[float] = []
        network.eval()  # no dropout: a partition needs latents that show the shape of the data
        for _ in self._epochs(X, self.pretrain_epochs, lambda rows: self._autoencode(X[rows])):
            pass
        latents = self._posteriors(X)[0]
        parts = _first_partition(latents, self.n_clusters, seed)
        network.start_mixture(latents, parts)
        self.initial_labels_ = network.mixture.responsibilities(latents).argmax(axis=1)
        self._train_jointly(X, torch.from_numpy(parts).to(self.device))

    def _train_jointly(self, X: Tensor, parts: Tensor) -> None:
        """Train from the partition `parts` (n,) int64."""
        n_held = round(self.hold * self.epochs)
        mixture = self.network_.mixture
        held: Tensor | None = parts if n_held else None

        def negative_bound(rows: Tensor) -> Tensor:
            return self._negative_bound(X[rows], None if held is None else held[rows])

        self.network_.train()
        for epoch in self._epochs(X, self.epochs, negative_bound):
            mu, variances = self._posteriors(X)
            if held is None:
                shares = mixture.responsibilities(mu)
            else:
                shares = np.eye(self.n_clusters)[held.cpu().numpy()]
            mixture.update(mu, variances, shares)
            if epoch + 1 == n_held:
                held = None
        self.network_.eval()

    def _epochs(self, X: Tensor, n: int, loss: Callable[[Tensor], Tensor]) -> Iterator[int]:
        """Train `n` epochs on the `loss` of rows; yield after each."""
        batch_size = min(self.batch_size, max(len(X) // MIN_STEPS, MIN_BATCH))
        optimizer = torch.optim.Adam(self.network_.parameters(), lr=self.learning_rate, fused=True)
        n_steps = max(n * math.ceil(len(X) / batch_size), 1)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
        for epoch in range(n):
            total = X.new_zeros(())
            for rows in torch.randperm(len(X)).to(X.device).split(batch_size):
                step_loss = loss(rows)
                optimizer.zero_grad()
                step_loss.backward()
                optimizer.step()
                schedule.step()
                total += step_loss.detach() * len(rows)
            self.loss_curve_.append(float(total) / len(X))
            yield epoch

    def _autoencode(self, x: Tensor) -> Tensor:
        return self._distortion(self.network_.decode(self.network_.encode(x)[0]), x)

    def _negative_bound(self, x: Tensor, parts: Tensor | None) -> Tensor:
        mu, logvar = self.network_.encode(x)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        kl = self.network_.mixture.kl(mu, logvar, z, parts).mean()
        return self._distortion(self.network_.decode(z), x) + kl

    def _distortion(self, output: Tensor, x: Tensor) -> Tensor:
        """Mean −log p(x | z) of a sample, nats."""
        if self.likelihood_ == "bernoulli":
            return F.binary_cross_entropy_with_logits(output, x, reduction="sum") / len(x)
        network = self.network_
        error = F.mse_loss(output, network.standardise(x))
        return (calibrated_nll(error) + network.scale.log().mean()) * x.shape[1]

    # --- inference -----------------------------------------------------------------------------

    @torch.no_grad()
    def _posteriors(self, X: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Means and variances, both (n, latent_dim) float32."""
        training = self.network_.training
        self.network_.eval()
        chunks = [self.network_.encode(rows) for rows in X.split(CHUNK)]
        self.network_.train(training)
        mu, logvar = (torch.cat(parts) for parts in zip(*chunks, strict=True))
        return mu.cpu().numpy(), logvar.exp().cpu().numpy()

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
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout: must be at least 0, below 1 (given: {self.dropout})")
        if self.likelihood not in get_args(Likelihood):
            raise ValueError(
                f"likelihood: must be one of {get_args(Likelihood)} (given: {self.likelihood!r})"
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


def _first_partition(latents: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Part (n,) int64 of every latent (n, latent_dim).

    A graph says nothing about parts of fewer than 5 samples; Ward linkage finds them.
    """
    if len(latents) < MIN_PER_PART * n_clusters:
        return ward(latents.astype(np.float64), n_clusters, np.random.default_rng(seed))
    return spectral(latents, n_clusters, seed)


def _column_scales(X: np.ndarray) -> np.ndarray:
    """Divisors (d,) float64 that bring the columns of `X` (n, d) to comparable scales."""
    deviations = X.std(axis=0, dtype=np.float64)
    varying = deviations > ROUNDING * np.abs(X.mean(axis=0, dtype=np.float64))
    if not varying.any():
        return np.ones(len(deviations))
    common = float(np.sqrt(np.square(deviations).mean()))
    ranges = np.ptp(X, axis=0)[varying]
    if ranges.max() <= DIFFERENT_UNITS * ranges.min():
        return np.full(len(deviations), common)
    return np.where(varying, deviations, common)


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

    def __init__(
        self, d: int, widths: tuple[int, ...], latent_dim: int, n_clusters: int, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = _layers((d, *widths), dropout)
        self.mu = nn.Linear(widths[-1], latent_dim)
        self.mu_linear = nn.Linear(d, latent_dim, bias=False)
        self.logvar = nn.Linear(widths[-1], latent_dim)
        self.decoder = _layers((latent_dim, *reversed(widths)), dropout)
        self.output = nn.Linear(widths[0], d)
        self.output_linear = nn.Linear(latent_dim, d, bias=False)
        self.mixture = StudentMixture(n_clusters, latent_dim)
        self.register_buffer("centre", torch.zeros(d))
        self.register_buffer("scale", torch.ones(d))
        # He initialisation (He et al. 2015): with torch's own, smaller one, a few hundred steps do
        # not train an autoencoder this deep.
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def standardise(self, x: Tensor) -> Tensor:
        """Centred columns on comparable scales: any unit of `X` gives the same training."""
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

    @torch.no_grad()
    def start_linear(self, X: np.ndarray, bernoulli: bool, seed: int) -> None:
        """Start as the principal components of `X` (n, d), the layers adding nothing yet.

        Latents share one scale, on which their variance is 1 on average.
        """
        centre = X.mean(axis=0, dtype=np.float64)
        scale = _column_scales(X)
        self.centre.copy_(torch.from_numpy(centre).to(self.centre.dtype))
        self.scale.copy_(torch.from_numpy(scale).to(self.scale.dtype))
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
            self.output_linear.weight.mul_(4.0 * self.scale[:, None])
            self.output.bias.copy_(4.0 * (self.centre - 0.5))

    @torch.no_grad()
    def start_mixture(self, latents: np.ndarray, parts: np.ndarray) -> None:
        """Fit the mixture to the parts (n,) int64 of `latents` (n, latent_dim).

        Every posterior starts at one variance, well inside the parts: the head had no gradient in
        pretraining, and noise as wide as the components would merge clusters that the autoencoder
        has set apart.
        """
        self.mixture.start(latents, parts)
        precisions = self.mixture.precisions.diagonal(dim1=1, dim2=2)
        precision = self.mixture.log_weights.exp() @ precisions
        self.logvar.weight.mul_(0.1)
        self.logvar.bias.copy_(math.log(INITIAL_SPREAD) - precision.log())


def _layers(widths: tuple[int, ...], dropout: float) -> nn.Sequential:
    """No batch normalisation: its noise would move samples between clusters."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)
