"""Convolutional VAE that is shown a label."""

from typing import Literal

import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import ConvDecoder, ConvEncoder

TYPE = "conditional VAE"
KEY_FEATURE = "encoder and decoder are shown the label"
INPUTS = ("mel",)

EMBEDDING_DIM = 32


class Architecture(VAE):
    """Conditional VAE (Sohn et al. 2015).

    The label enters as a constant second input channel (class / (K − 1)) and as an embedding that
    is joined to the flattened encoder output and to z; encoder and decoder share it. An unknown
    label (−1) is zeros in all three places.
    """

    channels_last = True

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        condition_on: Literal["language", "genre"],
        n_classes: int | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(spec, latent_dim)
        if n_classes is None or n_classes < 1:
            raise ConfigError(
                f"n_classes: a model conditioned on {condition_on} needs the number of its classes "
                f"(given: {n_classes}); null takes it from the corpus when training"
            )
        self.condition_on = condition_on
        self.n_classes = n_classes
        self.embedding = nn.Embedding(n_classes, EMBEDDING_DIM)
        self.encoder = ConvEncoder(spec, dropout, in_channels=2)
        joined = self.encoder.n_features + EMBEDDING_DIM
        self.mu = nn.Linear(joined, latent_dim)
        self.logvar = nn.Linear(joined, latent_dim)
        self.decoder = ConvDecoder(latent_dim + EMBEDDING_DIM, self.encoder, dropout)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        mel = batch["mel"]
        level = batch["label"].clamp_min(0).to(mel.dtype) / max(self.n_classes - 1, 1)
        channel = level[:, None, None, None].expand_as(mel)
        features = self.encoder(torch.cat([mel, channel], dim=1)).flatten(1)
        joined = torch.cat([features, self._label(batch).to(features.dtype)], dim=1)
        return self.mu(joined), self.logvar(joined)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        spectrogram: Tensor = self.decoder(torch.cat([z, self._label(batch)], dim=1))
        return spectrogram

    def _label(self, batch: Batch) -> Tensor:
        """(B, EMBEDDING_DIM), zeros where the label is unknown."""
        label = batch["label"]
        known = (label >= 0).unsqueeze(1)
        embedded: Tensor = self.embedding(label.clamp_min(0)) * known
        return embedded
