"""What variational autoencoders of vectors share: two small dense towers, started linear."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import check_dropout
from songatlas.models.towers import Standardiser, principal_components

MOST_WIDTH = 256
LAST_WIDTH = 128

START_LOGVAR = -2.0
"""Of a posterior before training: latents have a variance of 1 on average."""


def default_widths(n: int) -> tuple[int, int]:
    """Hidden units of an encoder of vectors (n,), where the config leaves them open."""
    return (min(MOST_WIDTH, 2 * n), LAST_WIDTH)


class Tower(nn.Module):
    """A linear map plus fully connected layers that add nothing at first: (B, n_in) → (B, n_out).

    No batch normalisation: its noise would move rows between clusters.
    """

    def __init__(self, widths: tuple[int, ...], n_out: int, dropout: float) -> None:
        super().__init__()
        check_dropout(dropout)
        if len(widths) < 2 or min(widths) < 1:
            raise ConfigError(
                f"widths: needs one or more positive numbers (given: {list(widths[1:])})"
            )
        layers: list[nn.Module] = []
        for n_from, n_to in pairwise(widths):
            layers += [nn.Linear(n_from, n_to), nn.ReLU(), nn.Dropout(dropout)]
        self.hidden = nn.Sequential(*layers)
        self.linear = nn.Linear(widths[0], n_out)
        self.residual = nn.Linear(widths[-1], n_out)
        # He et al. 2015: with torch's own, smaller start a few hundred steps hardly train this.
        for layer in self.hidden:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.residual.weight)
        nn.init.zeros_(self.residual.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the tower gives, (B, n_out), and its last hidden layer (B, widths[-1])."""
        hidden = self.hidden(x)
        return self.linear(x) + self.residual(hidden), hidden


class VectorVAE(VAE):
    """A VAE of the one vector that each row has, of audio or of lyrics.

    Vectors are standardised over the training rows, each dimension by itself or, where
    `spec.one_unit` says so, all by one scale. Before training the towers are the principal
    components of these rows, at a variance of 1 on average: latents start with the shape of the
    data and depend little on the seed. Decoded vectors are standardised ones.

    Args:
        widths: hidden units of the encoder, mirrored in the decoder; None: `default_widths`.
        dropout: in hidden layers.
    """

    def __init__(
        self, spec: InputSpec, latent_dim: int, *, widths: tuple[int, ...] | None, dropout: float
    ) -> None:
        super().__init__(spec, latent_dim)
        n = spec.n_values
        widths = default_widths(n) if widths is None else tuple(widths)
        self.modality = "audio" if spec.audio_dim else "lyrics"
        self.widths = {self.modality: widths}
        self.standardiser = Standardiser(n)
        self.encoder = Tower((n, *widths), latent_dim, dropout)
        self.logvar = nn.Linear(widths[-1], latent_dim)
        self.decoder = Tower((latent_dim, *reversed(widths)), n, dropout)
        nn.init.zeros_(self.logvar.weight)
        nn.init.constant_(self.logvar.bias, START_LOGVAR)

    def target(self, batch: Batch) -> Tensor:
        """The standardised vectors, (B, d)."""
        standardised: Tensor = self.standardiser(batch[self.modality].float())
        return standardised

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        mu, hidden = self.encoder(self.target(batch))
        return mu, self.logvar(hidden)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        """Standardised vectors (B, d) from `z` (B, latent_dim)."""
        decoded: Tensor = self.decoder(z)[0]
        return decoded

    def begin(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Learn the scale of the training rows, and start as their principal components."""
        covariance = learn_scale(
            self.standardiser,
            lambda: (batch[self.modality].float() for batch in batches()),
            one_unit=self.modality in self.spec.one_unit,
        )
        start_linear(self.encoder.linear, self.decoder.linear, covariance)


def rows_that_have(batches: Callable[[], Iterable[Batch]], modality: str) -> Iterator[Tensor]:
    """Vectors of `audio` or `lyrics` (n, d) of the rows that have them, batch by batch."""
    has = {"audio": "has_mel", "lyrics": "has_lyrics"}[modality]
    for batch in batches():
        yield batch[modality][batch[has]].float()


@torch.no_grad()
def learn_scale(
    standardiser: Standardiser, rows: Callable[[], Iterable[Tensor]], *, one_unit: bool
) -> Tensor:
    """Fit a standardiser to `rows()`, batches (n, d); the covariance of what it gives of them.

    With `one_unit` all dimensions share one scale. The covariance is (d, d) float64 on the CPU;
    zeros without any row, and the standardiser then changes nothing.
    """
    for batch in rows():
        if len(batch):
            standardiser.see(batch)
    if one_unit:
        standardiser.variance.fill_(standardiser.variance.mean())
    n = len(standardiser.mean)
    covariance = torch.zeros((n, n), dtype=torch.float64)
    for batch in rows():
        x = standardiser(batch).cpu().double()
        covariance += x.T @ x / max(float(standardiser.count), 1.0)
    return covariance


@torch.no_grad()
def start_linear(
    encoder: nn.Linear, decoder: nn.Linear, covariance: Tensor, own: slice = slice(None)
) -> None:
    """Let two linear maps be the first principal components of a covariance (d, d), and back.

    They fill the latent dimensions `own` at a variance of 1 on average; the others are zero.
    """
    first = torch.arange(encoder.out_features)[own][: len(covariance)]
    vectors, spread = principal_components(covariance, len(first))
    for linear in (encoder, decoder):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    encoder.weight[first] = (vectors.T / spread).to(encoder.weight)
    decoder.weight[:, first] = (vectors * spread).to(decoder.weight)
