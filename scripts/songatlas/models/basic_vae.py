"""Fully connected VAE."""

from torch import Tensor, nn

from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import dense
from songatlas.models.vectors import VectorVAE

TYPE = "VAE"
KEY_FEATURE = "fully connected encoder and decoder"
INPUTS = ("mel",)
VECTORS = ("either",)


class Architecture(VAE):
    """VAE (Kingma & Welling 2014) over the flattened spectrogram."""

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        widths: tuple[int, ...] = (16, 32, 64),
        dropout: float = 0.2,
    ) -> None:
        super().__init__(spec, latent_dim)
        self.encoder = dense((spec.n_values, *widths), dropout)
        self.mu = nn.Linear(widths[-1], latent_dim)
        self.logvar = nn.Linear(widths[-1], latent_dim)
        self.decoder = dense((latent_dim, *reversed(widths)), dropout)
        self.output = nn.Linear(widths[0], spec.n_values)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(batch["mel"].flatten(1))
        return self.mu(hidden), self.logvar(hidden)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        values: Tensor = self.output(self.decoder(z))
        return values.unflatten(1, (1, self.spec.n_mels, self.spec.n_frames))


class OfVectors(VectorVAE):
    """The same over vectors."""

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        widths: tuple[int, ...] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(spec, latent_dim, widths=widths, dropout=dropout)
