"""Convolutional VAE."""

from torch import Tensor, nn

from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import ConvDecoder, ConvEncoder

TYPE = "VAE"
KEY_FEATURE = "four strided convolutions and their mirror"
INPUTS = ("mel",)


class Architecture(VAE):
    """VAE (Kingma & Welling 2014) with a convolutional encoder; with `beta`, the β-VAE."""

    channels_last = True

    def __init__(self, spec: InputSpec, latent_dim: int, *, dropout: float = 0.2) -> None:
        super().__init__(spec, latent_dim)
        self.encoder = ConvEncoder(spec, dropout)
        self.mu = nn.Linear(self.encoder.n_features, latent_dim)
        self.logvar = nn.Linear(self.encoder.n_features, latent_dim)
        self.decoder = ConvDecoder(latent_dim, self.encoder, dropout)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        features = self.encoder(batch["mel"]).flatten(1)
        return self.mu(features), self.logvar(features)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        spectrogram: Tensor = self.decoder(z)
        return spectrogram
