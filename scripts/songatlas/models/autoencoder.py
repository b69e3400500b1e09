"""Convolutional autoencoder: the baseline without a prior."""

import torch
from torch import Tensor, nn

from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import ConvDecoder, ConvEncoder
from songatlas.models.vectors import VectorVAE

TYPE = "autoencoder"
KEY_FEATURE = "the convolutional VAE's layers without a prior: deterministic, no KL term"
INPUTS = ("mel",)
VECTORS = ("either",)
KEY_FEATURE_OF_VECTORS = "dense layers without a prior: deterministic, no KL term"


class Architecture(VAE):
    """Deterministic autoencoder; the loss is the reconstruction alone."""

    channels_last = True

    def __init__(self, spec: InputSpec, latent_dim: int, *, dropout: float = 0.2) -> None:
        super().__init__(spec, latent_dim)
        self.encoder = ConvEncoder(spec, dropout)
        self.code = nn.Linear(self.encoder.n_features, latent_dim)
        self.decoder = ConvDecoder(latent_dim, self.encoder, dropout)

    @property
    def deterministic(self) -> bool:
        return True

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The code, and a log variance of zero that nothing reads."""
        code = self.code(self.encoder(batch["mel"]).flatten(1))
        return code, torch.zeros_like(code)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        spectrogram: Tensor = self.decoder(z)
        return spectrogram


class OfVectors(VectorVAE):
    """The same over vectors: deterministic, the loss is the reconstruction alone."""

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        widths: tuple[int, ...] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(spec, latent_dim, widths=widths, dropout=dropout)

    @property
    def deterministic(self) -> bool:
        return True
