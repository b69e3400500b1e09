"""Hierarchical VAE: a latent of the song over latents of its windows."""

import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.base import LOGVAR_LIMIT, Batch, Embedded, InputSpec, Model, Pass
from songatlas.models.blocks import ConvDecoder, ConvEncoder
from songatlas.models.losses import Scale, Weight, objective

TYPE = "hierarchical VAE"
KEY_FEATURE = "one latent of a song over the latents of its windows"
INPUTS = ("mel",)

RANK = 8
"""Time courses that the decoder's first maps are composed of."""


class LowRankExpansion(nn.Module):
    """(B, n_in) → maps (B, C, F, T) as a sum of `RANK` products of a spectrum and a time course.

    A full linear layer would hold C·F·T values for every input, tens of millions at full size.
    """

    def __init__(self, n_in: int, map_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, mels, frames = map_shape
        self.spectra = nn.Linear(n_in, channels * mels)
        self.mixing = nn.Linear(n_in, RANK * channels)
        self.courses = nn.Parameter(0.1 * torch.randn(RANK, frames))
        self.map_shape = map_shape

    def forward(self, z: Tensor) -> Tensor:
        spectra = self.spectra(z).unflatten(1, self.map_shape[:2]).unsqueeze(3)
        over_time = self.mixing(z).unflatten(1, (self.map_shape[0], RANK)) @ self.courses
        maps: Tensor = spectra + over_time.unsqueeze(2)
        return maps


class Architecture(Model):
    """p(s) Π_w p(z_w | s) p(x_w | z_w, s) over the windows w of a song.

    The song's latent plays the part of MusicVAE's conductor (Roberts et al. 2018). Convolutions
    pooled over time (mean and standard deviation) give each window a vector h_w, the mean of which
    gives the posterior q(s | all windows). The window's posterior is written relative to its prior
    (Vahdat & Kautz 2020): z_w = μ(s) + σ(s) u_w with u_w ~ N(0, 1) under the prior, so that
    KL(q(z_w | x_w, s) ‖ p(z_w | s)) is that of u_w from N(0, 1) exactly.

    Posteriors of a pass are those of (s, u_w) side by side. A song's vector is the mean of
    q(s | all its windows), (latent_dim,); a window's is the mean of q(s | that window alone), which
    no other window of a batch can change.
    """

    channels_last = True
    whole_songs = True

    def __init__(
        self, spec: InputSpec, latent_dim: int, *, window_dim: int = 16, dropout: float = 0.2
    ) -> None:
        super().__init__(spec, latent_dim)
        if window_dim < 1:
            raise ConfigError(f"window_dim: must be at least 1 (given: {window_dim})")
        self.window_dim = window_dim
        self.encoder = ConvEncoder(spec, dropout)
        channels, mels, _ = self.encoder.map_shape
        n_hidden = 256
        self.pooled = nn.Sequential(
            nn.Linear(2 * channels * mels, n_hidden), nn.LayerNorm(n_hidden), nn.ReLU()
        )
        self.song = nn.Linear(n_hidden, 2 * latent_dim)
        self.window = nn.Sequential(
            nn.Linear(n_hidden + latent_dim, n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, 2 * window_dim),
        )
        self.prior = nn.Sequential(
            nn.Linear(latent_dim, n_hidden), nn.ReLU(), nn.Linear(n_hidden, 2 * window_dim)
        )
        self.decoder = ConvDecoder(1, self.encoder, dropout)
        self.decoder.expand = nn.Identity()  # type: ignore[assignment]
        self.expand = LowRankExpansion(latent_dim + window_dim, self.encoder.map_shape)

    def hidden(self, batch: Batch) -> Tensor:
        """h_w of each window, (B, 256) float32."""
        maps = self.encoder(batch["mel"]).float()
        # The square root has no finite slope at zero.
        deviation = (maps.var(3, correction=0) + 1e-5).sqrt()
        pooled: Tensor = self.pooled(torch.cat([maps.mean(3), deviation], 1).flatten(1))
        return pooled.float()

    def song_posterior(self, mean_hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(s | ·), both (n, latent_dim), from mean h_w (n, 256)."""
        mu, logvar = self.song(mean_hidden).float().chunk(2, 1)
        return mu, logvar.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)

    def window_posterior(self, hidden: Tensor, song: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(u_w | x_w, s), both (B, window_dim)."""
        mu, logvar = self.window(torch.cat([hidden, song], 1)).float().chunk(2, 1)
        return mu, logvar.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)

    def window_prior(self, song: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of p(z_w | s), both (B, window_dim)."""
        mu, logvar = self.prior(song).float().chunk(2, 1)
        return mu, logvar.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        """Spectrograms (B, 1, n_mels, n_frames) from `z` = (s, u_w), (B, both dimensions)."""
        song, u = z.split([self.latent_dim, self.window_dim], 1)
        mu, logvar = self.window_prior(song)
        window = mu + torch.exp(0.5 * logvar) * u
        spectrogram: Tensor = self.decoder.layers(self.expand(torch.cat([song, window], 1)))
        return spectrogram

    def forward(self, batch: Batch) -> Pass:
        return self.run(batch, sample=True)

    def run(self, batch: Batch, *, sample: bool) -> Pass:
        """A pass with sampled latents or with posterior means."""
        hidden = self.hidden(batch)
        song, size = songs_of(batch)
        sums = hidden.new_zeros(len(size), hidden.shape[1]).index_add(0, song, hidden)
        song_mu, song_logvar = self.song_posterior(sums / size[:, None])
        s = draw(song_mu, song_logvar) if sample else song_mu
        mu, logvar = self.window_posterior(hidden, s[song])
        u = draw(mu, logvar) if sample else mu
        z = torch.cat([s[song], u], 1)
        return Pass(
            torch.cat([song_mu[song], mu], 1),
            torch.cat([song_logvar[song], logvar], 1),
            z,
            self.decode(z, batch),
            {"n_windows": size[song]},
        )

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """Terms of the loss (see `losses.objective`), a song's KL shared out among its windows."""
        assert done.reconstruction is not None
        assert done.logvar is not None
        assert done.extra is not None
        units = self.kl_per_unit(done.mu, done.logvar)
        song, window = units.split([self.latent_dim, self.window_dim], 1)
        kl = torch.cat([song / done.extra["n_windows"][:, None], window], 1)
        return objective(
            batch["mel"],
            done.reconstruction,
            kl,
            kl_weight=kl_weight,
            scale=scale,
            latent_dim=self.latent_dim + self.window_dim,
            free_bits=free_bits,
        )

    def embed(self, batch: Batch) -> Tensor:
        """Mean of q(s | the window alone), (B, latent_dim)."""
        return self.embed_once(batch).z

    def embed_once(self, batch: Batch) -> Embedded:
        """That, and h_w of each window (B, 256) as summaries."""
        hidden = self.hidden(batch)
        return Embedded(self.song_posterior(hidden)[0], hidden, None)

    def embed_song(self, summaries: Tensor) -> Tensor:
        """Mean of q(s | all windows), (latent_dim,)."""
        return self.song_posterior(summaries.mean(0, keepdim=True))[0][0]

    def reconstruct(self, batch: Batch) -> Tensor | None:
        """Spectrograms from posterior means, the songs' from the windows that the batch has."""
        return self.run(batch, sample=False).reconstruction


def songs_of(batch: Batch) -> tuple[Tensor, Tensor]:
    """Number of each window's song among the batch's, (B,), and how many windows each has, (S,)."""
    if "song" in batch:
        return batch["song"], batch["song_size"]
    _, song, size = batch["track"].unique(return_inverse=True, return_counts=True)
    return song, size


def draw(mu: Tensor, logvar: Tensor) -> Tensor:
    """A reparameterised sample."""
    return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
