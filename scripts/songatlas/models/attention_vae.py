"""Convolutional VAE whose posterior describes the window, not where things happen in it."""

import torch
from torch import Tensor, nn

from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.pooling import AttentionPooling, FrameEncoder, TimeDecoder, mean_and_deviation

TYPE = "VAE"
KEY_FEATURE = "attention pooling over time; decoder conditioned on time"
INPUTS = ("mel",)


class Architecture(VAE):
    """VAE (Kingma & Welling 2014) with pooling over time before the posterior.

    Strided convolutions give one vector per time step. `n_queries` learned queries attend over the
    steps with `n_heads` heads; beside them stand the steps' mean and standard deviation. The
    decoder makes each time step from the latent and the step's position.
    """

    channels_last = True

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        channels: tuple[int, ...] = (32, 64, 128, 256),
        width: int = 256,
        n_queries: int = 4,
        n_heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(spec, latent_dim)
        self.encoder = FrameEncoder(spec, width, channels, dropout)
        self.pool = AttentionPooling(width, n_queries, n_heads)
        n_features = self.pool.n_features + 2 * width
        self.norm = nn.LayerNorm(n_features)
        self.mu = nn.Linear(n_features, latent_dim)
        self.logvar = nn.Linear(n_features, latent_dim)
        self.decoder = TimeDecoder(latent_dim, self.encoder, channels, dropout)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        steps = self.encoder(batch["mel"])
        features = self.norm(torch.cat([self.pool(steps), mean_and_deviation(steps)], 1))
        return self.mu(features), self.logvar(features)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        spectrogram: Tensor = self.decoder(z)
        return spectrogram
