"""Contrastive encoder: what two excerpts of one song have in common."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.audio.augment import Strength, augment, mel_frequencies_hz
from songatlas.audio.standardise import standardise
from songatlas.errors import ConfigError
from songatlas.models.base import Batch, InputSpec, Model, Pass
from songatlas.models.losses import Scale
from songatlas.models.pooling import PooledEncoder

TYPE = "contrastive"
KEY_FEATURE = "excerpts of one song attract, all others repel; no decoder"
INPUTS = ("mel",)


class Architecture(Model):
    """SimCLR (Chen et al. 2020) on log-mel spectrograms, as CLMR (Spijkervet & Burgoyne 2021).

    Two views of every window are encoded; the projections of a pair of views attract each other
    and repel all other views of the batch (NT-Xent). `positives` says what a pair is: two
    `augmentation`s of one window, augmentations of two windows of one `song`, or, for every window,
    one of these by lot (`both`). Views of other windows of the same song are no negatives under
    `song` and `both`.

    Clustering uses the encoder's pooled features, not the projections (as both papers).
    """

    channels_last = True

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        positives: Literal["song", "augmentation", "both"] = "song",
        temperature: float = 0.2,
        channels: tuple[int, ...] = (32, 64, 128),
        projection_dim: int = 64,
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
        self.positives, self.temperature = positives, temperature
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
        self, batch: Batch, done: Pass, *, kl_weight: float, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """NT-Xent and how often a view's partner is the most similar of all (`accuracy`)."""
        assert done.extra is not None
        song = batch["track"] if self.pairs else None
        loss, accuracy = nt_xent(done.extra["one"], done.extra["other"], self.temperature, song)
        return {"loss": loss, "accuracy": accuracy}

    def embed(self, batch: Batch) -> Tensor:
        """Pooled features of the window as it is, (B, latent_dim)."""
        features: Tensor = self.encoder(batch["mel"])
        return features.float()


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
            ignored[index, partner] = False
        similarity = similarity.masked_fill(ignored, float("-inf"))
        loss = F.cross_entropy(similarity, partner)
        accuracy = (similarity.argmax(1) == partner).float().mean()
    return loss, accuracy.detach()
