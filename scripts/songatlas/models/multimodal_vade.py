"""Variational deep embedding of audio and lyrics together: one latent, one mixture, two decoders.

The model of a song: a component c with probability π_c, a latent z ~ N(m_c, diag v_c), and from it
each modality m by itself, x_m ~ N(f_m(z), σ_m² I), in standardised units.

**The bound.** Let S be the modalities that a row shows the model. For any q(z | x_S)

    log p(x_S) ≥ E_q(z)[Σ_{m in S} log p(x_m | z)] − KL(q(z) ‖ p(z)),

because the x_m are independent given z: a modality that is not there drops out of p(x, z), without
a term of its own (Wu and Goodman 2018). The posterior q is the product of N(0, I) and the Gaussian
experts of the modalities in S, again a Gaussian (`towers.product_of_experts`). For any
probabilities γ of the components

    KL(q(z) ‖ p(z)) ≤ KL(γ ‖ π) + Σ_c γ_c KL(q(z) ‖ N(m_c, diag v_c)),

where the right side is too large by E_q(z)[KL(γ ‖ p(c | z))]. `MixturePrior.kl` is the right side
in closed form with γ = p(c | z) at one sample of z (Jiang et al. 2017): whatever the sample, it is
not below the KL. All terms are nats of one row, without weights: minus the loss is a lower bound.

**Hidden modalities.** In training one modality of some rows is hidden. Such a row then counts as
one that lacks it: what is hidden is not decoded, so the bound is one on log p(x_S) of what is left.
To decode the hidden one too would be a bound on log p of both, for q may depend on whatever it
likes. But such a q knows less than it must decode; it would raise σ_m for all songs, and be drawn
to the mean of all sounds that a text may have. Shi et al. (2019) take that way, with a mixture of
the experts instead of their product.

**σ_m** is the one that fits the batch best (Rybkin et al. 2021): the bound holds for the model with
that variance. In the vectors' own units a constant comes on top, the sum of the log scales.

Sources: Jiang, Zheng, Tan, Tang and Zhou 2017, "Variational Deep Embedding"; Wu and Goodman 2018,
"Multimodal Generative Models for Scalable Weakly-Supervised Learning"; Shi, Siddharth, Paige and
Torr 2019, "Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models";
Rybkin, Daniilidis and Levine 2021, "Simple and Effective VAE Training with Calibrated Decoders".
"""

import functools
import logging
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.base import LOGVAR_LIMIT, Batch, InputSpec, Model, Pass
from songatlas.models.blocks import check_dropout
from songatlas.models.fusion import drop_modality
from songatlas.models.losses import Scale, Weight, calibrated_nll, paid
from songatlas.models.mixture import MIN_VARIANCE, MixturePrior
from songatlas.models.partitions import MIN_PER_PART
from songatlas.models.towers import Standardiser, product_of_experts
from songatlas.models.vectors import Tower, learn_scale, rows_that_have, start_linear

logger = logging.getLogger(__name__)

TYPE = "deep clustering"
KEY_FEATURE = "mixture prior over audio and lyrics together, either alone is enough"
INPUTS = ()
VECTORS = ("audio", "lyrics")

CERTAINTY = 4.0
"""Log precision that an expert starts with in its own half of the latent; minus that elsewhere."""

N_INIT = 200
"""Starts of the k-means that the mixture comes from: 20 often miss the least squared error where
components have few songs."""

MOST_POINTS = 5_000
"""The k-means is of a sample of so many points, where there are more."""

NEITHER, AUDIO, LYRICS, BOTH = range(4)
"""Which modalities a row has, one bit each."""


class Architecture(Model):
    """Mixture prior over one latent of audio and lyrics vectors; see the module for the bound.

    Latents start as the principal components of audio beside those of lyrics. That start is an
    autoencoder already, so for one epoch (`pretrain_epochs`) it trains as one through the posterior
    mean. Then the mixture is fitted to the latents of songs that have both modalities, with one
    width for all components, and everything trains together: on the demo, JamendoLyrics and
    UltraStar the bound on held-out songs is better so than from random directions, 20 epochs and
    widths of their own.

    Songs with one modality are placed by training: in the fit they would be clusters of their own,
    told apart by what they lack. Where too few songs have both, the mixture is fitted to those of
    the commonest kind (both, audio alone, lyrics alone). Components that no song belongs to for an
    epoch are restarted.

    The vectors of a modality are centred and share one scale: language is in a few directions of
    lyrics vectors that deviate most, and to scale each dimension would drown it (measured on
    character TF-IDF of JamendoLyrics). Dimensions with units of their own, as `descriptors` have,
    are not in `spec.one_unit`: there each has its own scale.

    Each expert and each decoder is a linear map plus a network with one hidden layer of `width`
    units, or as many as the vector has values if those are fewer. A row without either modality
    has the posterior N(0, I) and no part in the loss.

    Raises:
        ConfigError: when the model does not read both vectors, or an option is out of its range.
    """

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        n_components: int = 12,
        width: int = 256,
        modality_dropout: float = 0.3,
        pretrain_epochs: int = 1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(spec, latent_dim)
        check_dropout(dropout)
        if min(spec.audio_dim, spec.lyrics_dim) < 1:
            raise ConfigError("reads: needs a feature of audio and one of lyrics")
        for name, value in (("pretrain_epochs", pretrain_epochs), ("width", width)):
            if value < 1:
                raise ConfigError(f"{name}: must be at least 1 (given: {value})")
        if not 0.0 <= modality_dropout <= 1.0:
            raise ConfigError(
                f"modality_dropout: must be between 0 and 1 (given: {modality_dropout})"
            )
        self.pretrain_epochs, self.modality_dropout = pretrain_epochs, modality_dropout
        half = (latent_dim + 1) // 2
        own, others = slice(0, half), slice(half, latent_dim)
        self.audio = _Tower(spec.audio_dim, own, latent_dim, width, dropout)
        self.lyrics = _Tower(spec.lyrics_dim, others, latent_dim, width, dropout)
        sizes = {"audio": spec.audio_dim, "lyrics": spec.lyrics_dim}
        self.widths = {name: (min(width, n_values),) for name, n_values in sizes.items()}
        self.prior = MixturePrior(n_components, latent_dim)
        self.kinds: dict[int, int] = {}

    def encode(self, batch: Batch, heard: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, latent_dim) of the posterior.

        Only what `heard` and `read` (B,) bool name is looked at.
        """
        experts = (self.audio.encode(batch["audio"]), self.lyrics.encode(batch["lyrics"]))
        mus, logvars = (torch.stack(values) for values in zip(*experts, strict=True))
        return product_of_experts(mus, logvars, torch.stack([heard, read]))

    def forward(self, batch: Batch) -> Pass:
        """Encode, sample (reparameterised), decode both: (B, audio_dim + lyrics_dim)."""
        heard, read = batch["has_mel"], batch["has_lyrics"]
        if self.training:
            heard, read = drop_modality(heard, read, self.modality_dropout)
        mu, logvar = self.encode(batch, heard, read)
        z = mu
        if not self.pretraining:
            z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        decoded = torch.cat([self.audio.decode(z), self.lyrics.decode(z)], 1)
        shown = None if self.pretraining else logvar
        return Pass(mu, shown, z, decoded, {"heard": heard, "read": read})

    @torch.no_grad()
    def begin(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Learn the scales of the vectors, their principal components, and who has which."""
        for name, tower in (("audio", self.audio), ("lyrics", self.lyrics)):
            rows = functools.partial(rows_that_have, batches, name)
            one_unit = name in self.spec.one_unit
            covariance = learn_scale(tower.standardiser, rows, one_unit=one_unit)
            start_linear(tower.expert.linear, tower.decoder.linear, covariance, tower.own)
        for batch in batches():
            kinds = batch["has_mel"].long() + LYRICS * batch["has_lyrics"].long()
            self.kinds.update(zip(batch["row"].tolist(), kinds.tolist(), strict=True))

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """Terms of the loss, `reconstruction` of audio and `reconstruction_lyrics`.

        - `elbo`: minus the bound, in nats of a row, divided by `audio_dim + lyrics_dim`.
        - `paper`: the squared error averaged over all values that were decoded, and the KL averaged
          over latent dimensions, as in `losses.objective`.
        """
        assert done.reconstruction is not None
        assert done.extra is not None
        heard, read = done.extra["heard"], done.extra["read"]
        audio, lyrics = done.reconstruction.split((self.spec.audio_dim, self.spec.lyrics_dim), 1)
        squares = (
            self.audio.squares(audio, batch["audio"], heard),
            self.lyrics.squares(lyrics, batch["lyrics"], read),
        )
        kl = self._kl(done, heard | read)
        counted = paid(kl, 0.0 if done.logvar is None else free_bits, self.latent_dim)
        errors = [total / n.clamp_min(1) for total, n in squares]
        if scale == "paper":
            (total, n), (other, m) = squares
            distortion = (total + other) / (n + m).clamp_min(1)
            rate = counted / self.latent_dim
        else:
            n_values = self.spec.audio_dim + self.spec.lyrics_dim
            nats = [
                n * calibrated_nll(error) for (_, n), error in zip(squares, errors, strict=True)
            ]
            distortion = torch.stack(nats).sum() / (len(kl) * n_values)
            rate = counted / n_values
        return {
            "loss": distortion + kl_weight * rate,
            "distortion": distortion.detach(),
            "rate": rate.detach(),
            "reconstruction": errors[0].detach(),
            "reconstruction_lyrics": errors[1].detach(),
            "kl": kl.mean().detach(),
        }

    def _kl(self, done: Pass, rows: Tensor) -> Tensor:
        """Of the posterior from the mixture, (B,) in nats; 0 outside of `rows` (B,) bool."""
        if done.logvar is None or done.z is None:
            return torch.zeros_like(done.mu[:, 0])
        return self.prior.kl(done.mu, done.logvar, done.z, rows=rows)

    def embed(self, batch: Batch) -> Tensor:
        """The posterior mean, (B, latent_dim); zeros for a row without either modality."""
        return self.encode(batch, batch["has_mel"], batch["has_lyrics"])[0]

    def cluster(self, z: Tensor) -> Tensor:
        """Component with the largest responsibility at the posterior mean, (B,) int64."""
        with torch.autocast(z.device.type, enabled=False):
            return self.prior.log_responsibilities(z).argmax(1)

    @torch.no_grad()
    def sample(self, component: int, n: int, seed: int) -> dict[str, Tensor]:
        """Features of `n` songs that a component would make, `audio` and `lyrics`, (n, d) float32.

        Latents are drawn from the component and the decoders' means are taken, in the features' own
        units. The model should be in eval mode.

        Raises:
            ConfigError: when there is no such component.
        """
        if not 0 <= component < self.prior.n_components:
            raise ConfigError(
                f"component: must be from 0 to {self.prior.n_components - 1} (given: {component})"
            )
        mean, logvar = self.prior.means[component], self.prior.logvars[component]
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(n, self.latent_dim, generator=generator).to(mean)
        z = mean + torch.exp(0.5 * logvar) * noise
        return {"audio": self.audio.decode(z), "lyrics": self.lyrics.decode(z)}

    @torch.no_grad()
    def start_joint_training(self, latents: np.ndarray, seed: int) -> None:
        """Fit the mixture to latents of the training rows, (n, latent_dim)."""
        alike, kind = self._alike(latents)
        parts = _partition(alike, self.prior.n_components, seed)
        parts = self.prior.initialise(alike, seed, parts)
        # One width for all: a few songs say little of a component's own. Posteriors are as wide as
        # theirs around these means, and so are components of them.
        variance = torch.as_tensor(_variance_within(alike, parts)).to(self.prior.logvars)
        self.prior.logvars.copy_(torch.log(variance + self._posterior_variance(kind)))

    def start_epoch(self, epoch: int, rows: np.ndarray, latents: Callable[[], np.ndarray]) -> None:
        """Restart components that were empty over the last epoch (see `MixturePrior`)."""
        empty = self.prior.empty()
        if len(empty):
            logger.info("epoch %d: restarting empty components %s", epoch, empty.tolist())
            # The global random state, which training sets anew for every epoch.
            seed = int(torch.randint(2**31 - 1, ()))
            self.prior.restart(empty, self._alike(latents())[0], seed)

    def _posterior_variance(self, kind: int) -> Tensor:
        """About that of rows with some modalities, (latent_dim,)."""
        precision = torch.ones_like(self.prior.logvars[0])
        for number, tower in ((AUDIO, self.audio), (LYRICS, self.lyrics)):
            if kind & number:
                precision = precision + tower.log_precision.exp()
        return 1.0 / precision

    def _alike(self, latents: np.ndarray) -> tuple[np.ndarray, int]:
        """The latents of rows that have the same modalities, so that these part no clusters.

        All of them where the rows are not known, without `begin`.
        """
        kinds = np.array([kind for _, kind in sorted(self.kinds.items())])
        if len(kinds) != len(latents) or not (kinds > NEITHER).any():
            return latents, BOTH
        chosen = int(np.bincount(kinds[kinds > NEITHER]).argmax())
        if (kinds == BOTH).sum() >= MIN_PER_PART * self.prior.n_components:
            chosen = BOTH
        return latents[kinds == chosen], chosen

    def progress(self) -> Mapping[str, Tensor]:
        return {"kinds": torch.tensor(sorted(self.kinds.items())).reshape(-1, 2)}

    def resume(self, progress: Mapping[str, Tensor]) -> None:
        self.kinds = dict(progress["kinds"].tolist())


class _Tower(nn.Module):
    """Expert and decoder of one modality, vectors (B, n_values) in their own units.

    Latents start as principal components (`start_linear`). The expert starts out sure of its `own`
    dimensions of the latent and unsure of the others, so that the two experts do not contradict
    each other before they have learned anything.
    """

    def __init__(
        self, n_values: int, own: slice, latent_dim: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        width = min(width, n_values)
        self.own = own
        self.standardiser = Standardiser(n_values)
        self.expert = Tower((n_values, width), latent_dim, dropout)
        self.certainty = nn.Linear(width, latent_dim)
        self.decoder = Tower((latent_dim, width), n_values, dropout)
        nn.init.zeros_(self.certainty.weight)
        nn.init.zeros_(self.certainty.bias)
        certainty = torch.full((latent_dim,), -CERTAINTY)
        certainty[own] = CERTAINTY
        self.log_precision = nn.Parameter(certainty)

    def encode(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the expert, (B, latent_dim) float32."""
        mu, hidden = self.expert(self.standardiser(values.float()))
        logvar = -(self.log_precision + self.certainty(hidden).float())
        return mu.float(), logvar.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent_dim) → (B, n_values) float32."""
        return self.standardiser.back(self.decoder(z)[0].float())

    def squares(self, decoded: Tensor, values: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of the squared errors of some rows, in standardised units, and how many there are."""
        square = ((decoded - values.float()) / self.standardiser.scale()).square()
        return torch.where(rows[:, None], square, 0.0).sum(), rows.sum() * square.shape[1]


def _variance_within(points: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Mean over all parts, by dimension, (n, d) → (d,); at least `MIN_VARIANCE`."""
    numbers, part_of = np.unique(parts, return_inverse=True)
    means = np.stack([points[parts == number].mean(axis=0) for number in numbers])
    squares = np.square(points - means[part_of]).sum(axis=0)
    return np.maximum(squares / max(len(points) - len(numbers), 1), MIN_VARIANCE)


def _partition(points: np.ndarray, k: int, seed: int) -> np.ndarray | None:
    """Of k-means, (n,) int64; None where there are too few points, for the mixture's own way."""
    from sklearn.cluster import KMeans

    if len(np.unique(points, axis=0)) < k:
        return None
    sample = points
    if len(points) > MOST_POINTS:
        rows = np.random.default_rng(seed).choice(len(points), MOST_POINTS, replace=False)
        sample = points[rows]
    kmeans = KMeans(k, n_init=N_INIT, random_state=seed).fit(sample)
    labels: np.ndarray = kmeans.predict(points)
    return labels
