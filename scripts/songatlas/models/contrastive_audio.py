"""Contrastive encoder: what two excerpts of one song have in common."""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.errors import ConfigError
from songatlas.features.audio.augment import Strength, augment, mel_frequencies_hz
from songatlas.features.audio.standardise import standardise
from songatlas.models.base import Batch, InputSpec, Model, Pass
from songatlas.models.losses import Scale, Weight
from songatlas.models.pooling import PooledEncoder

TYPE = "contrastive"
KEY_FEATURE = "excerpts of one song attract, all others repel; no decoder"
INPUTS = ("mel",)


CONSTANT = 1e-6
"""A feature that deviates less than this over the training windows is left as it is."""


class Architecture(Model):
    """SimCLR (Chen et al. 2020) on log-mel spectrograms, as CLMR (Spijkervet & Burgoyne 2021).

    Two views of every window are encoded; the projections of a pair of views attract each other
    and repel all other views of the batch (NT-Xent). `positives` says what a pair is: two
    `augmentation`s of one window, augmentations of two windows of one `song`, or, for every window,
    one of these by lot (`both`). Views of other windows of the same song are no negatives under
    `song` and `both`.

    Clustering uses the encoder's pooled features, not the projections (as both papers), each at
    unit variance over the training windows. `join: descriptors` joins the window's descriptors to
    them, both parts with equal weight. With `whitening` the directions in which windows of one song
    differ are shrunk: the features are divided by the square root of their covariance within songs
    (WCCN, Hatch et al. 2006), mixed with the share `whitening` of the identity; 1 leaves them as
    they are. Which windows belong to one song is all that any of this knows of the corpus.
    """

    channels_last = True

    shift: Tensor
    transform: Tensor

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        positives: Literal["song", "augmentation", "both"] = "song",
        temperature: float = 0.2,
        channels: tuple[int, ...] = (32, 64, 128),
        projection_dim: int = 64,
        join: Literal["none", "descriptors"] = "none",
        whitening: float = 1.0,
        dropout: float = 0.0,
        crop: float = 0.6,
        gain_db: float = 6.0,
        noise_db: float = 30.0,
        eq_db: float = 6.0,
        pitch_semitones: float = 2.0,
        stretch: float = 0.1,
        masked_bands: float = 0.15,
        masked_frames: float = 0.15,
        mix: float = 0.2,
    ) -> None:
        super().__init__(spec, latent_dim)
        if latent_dim % 2:
            raise ConfigError(
                f"latent_dim: must be even, half are means and half deviations over time "
                f"(given: {latent_dim})"
            )
        if temperature <= 0.0:
            raise ConfigError(f"temperature: must be above 0 (given: {temperature})")
        if not 0.0 < whitening <= 1.0:
            raise ConfigError(f"whitening: must be above 0 and at most 1 (given: {whitening})")
        self.positives, self.temperature = positives, temperature
        self.join, self.whitening = join, whitening
        self.pairs = positives != "augmentation"
        self.strength = Strength(
            crop=crop,
            gain_db=gain_db,
            noise_db=noise_db,
            eq_db=eq_db,
            pitch_semitones=pitch_semitones,
            stretch=stretch,
            masked_bands=masked_bands,
            masked_frames=masked_frames,
            mix=mix,
        )
        self.encoder = PooledEncoder(spec, latent_dim // 2, channels, dropout)
        self.project = nn.Sequential(
            nn.LayerNorm(latent_dim),
            nn.Linear(latent_dim, latent_dim),
            nn.ReLU(),
            nn.Linear(latent_dim, projection_dim),
        )
        centres = mel_frequencies_hz(spec.n_mels, spec.f_min_hz, spec.f_max_hz)
        n_joined = latent_dim + (spec.descriptors_dim if join == "descriptors" else 0)
        self.register_buffer("shift", torch.zeros(n_joined))
        self.register_buffer("transform", torch.eye(n_joined))
        self.register_buffer("mel_hz", torch.as_tensor(centres, dtype=torch.float32))

    def forward(self, batch: Batch) -> Pass:
        """Projections of two views of every window: `extra` holds `one` and `other`, (B, p)."""
        first, second = batch["db"], batch["db"]
        if self.pairs and "pair_db" in batch:
            second = batch["pair_db"]
            if self.positives == "both":
                same = torch.rand(len(first), device=first.device) < 0.5
                second = torch.where(same[:, None, None], first, second)
        with torch.no_grad(), torch.autocast(first.device.type, enabled=False):
            db = torch.cat([first, second])
            views = augment(db, self.mel_hz, self.strength)  # type: ignore[arg-type]
            views = standardise(views).unsqueeze(1)
        features = self.encoder(views)
        one, other = self.project(features).float().chunk(2)
        return Pass(features[: len(first)], extra={"one": one, "other": other})

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """NT-Xent and how often a view's partner is the most similar of all (`accuracy`)."""
        assert done.extra is not None
        song = batch["track"] if self.pairs else None
        loss, accuracy = nt_xent(done.extra["one"], done.extra["other"], self.temperature, song)
        return {"loss": loss, "accuracy": accuracy}

    def features(self, batch: Batch) -> Tensor:
        """Pooled features of the window as it is, and what is joined to them: (B, d) float32."""
        features: Tensor = self.encoder(batch["mel"]).float()
        if self.join == "none":
            return features
        return torch.cat([features, batch["descriptors"]], 1)

    def embed(self, batch: Batch) -> Tensor:
        """The features, scaled and whitened, (B, latent_dim and the width of what is joined)."""
        with torch.autocast(batch["mel"].device.type, enabled=False):
            return (self.features(batch) - self.shift) @ self.transform

    def finish(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Measure scales and the covariance within songs on the training windows."""
        found = [(self.features(batch), batch["track"]) for batch in batches()]
        # MPS has no float64.
        features = torch.cat([z for z, _ in found]).cpu().double()
        track = torch.cat([song for _, song in found]).cpu()
        shift, scale = features.mean(0), features.std(0, correction=0)
        # A part's weight in distances must not depend on how many dimensions it has.
        share = torch.full_like(scale, self.latent_dim)
        share[self.latent_dim :] = len(scale) - self.latent_dim
        scale = torch.where(scale > CONSTANT, scale * share.sqrt(), 1.0)
        whitener = within_song_whitener((features - shift) / scale, track, self.whitening)
        self.shift.copy_(shift.to(self.shift.dtype))
        self.transform.copy_((whitener / scale[:, None]).to(self.shift.dtype))


def within_song_whitener(z: Tensor, track: Tensor, share: float) -> Tensor:
    """Inverse square root of the covariance within songs, (d, d), of `z` (n, d) float64.

    The covariance is scaled to a mean variance of 1 and mixed with `share` of the identity. Songs
    of one window say nothing; where there are no others, or `share` is 1, it is the identity.
    """
    identity = torch.eye(z.shape[1], dtype=z.dtype)
    _, song, counts = track.unique(return_inverse=True, return_counts=True)
    means = torch.zeros(len(counts), z.shape[1], dtype=z.dtype).index_add_(0, song, z)
    apart = z - (means / counts[:, None])[song]
    covariance = apart.T @ apart / len(z)
    mean_variance = covariance.diagonal().mean()
    if share >= 1.0 or mean_variance <= CONSTANT**2:
        return identity
    covariance = (1.0 - share) * covariance / mean_variance + share * identity
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag(values.rsqrt()) @ vectors.T


def nt_xent(
    one: Tensor, other: Tensor, temperature: float, song: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Normalised temperature-scaled cross entropy (Chen et al. 2020) and its accuracy.

    Row i of `one` (B, D) and row i of `other` (B, D) are a pair; the 2 B − 2 other views are
    negatives, but, where `song` (B,) is given, not those of the same song.
    """
    with torch.autocast(one.device.type, enabled=False):
        views = F.normalize(torch.cat([one, other]).float(), dim=1)
        similarity = views @ views.T / temperature
        n = len(one)
        index = torch.arange(2 * n, device=views.device)
        partner = (index + n) % (2 * n)
        ignored = torch.eye(2 * n, dtype=torch.bool, device=views.device)
        if song is not None:
            both = torch.cat([song, song])
            ignored = ignored | (both[:, None] == both[None])
            ignored = ignored & (partner[:, None] != index[None])
        similarity = similarity.masked_fill(ignored, float("-inf"))
        loss = F.cross_entropy(similarity, partner)
        accuracy = (similarity.argmax(1) == partner).float().mean()
    return loss, accuracy.detach()
