"""Vector-quantised VAE: a song is the histogram of its codes."""

from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.errors import ConfigError
from songatlas.models.base import Batch, Embedded, InputSpec, Model, Pass
from songatlas.models.blocks import check_dropout
from songatlas.models.losses import Scale, Weight, calibrated_nll
from songatlas.models.quantiser import Quantiser, perplexity

TYPE = "vector-quantised VAE"
KEY_FEATURE = "discrete codes over time; a song is the histogram of its codes"
INPUTS = ("mel",)


class Residual(nn.Module):
    """x + two convolutions over time: (B, width, T) → the same shape."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width // 2, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(width // 2, width, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.layers(x)
        return changed


class Architecture(Model):
    """VQ-VAE (van den Oord et al. 2017) whose codes are a sequence over time.

    Convolutions over time read all mel bands at once, so that a code stands for how the music
    sounds for a moment (2^`n_halvings` frames and their neighbours) and not for one place in the
    spectrum: how often each moment's kind occurs says what the music is like, wherever it occurs.
    Encoder outputs are normalised before the codebook (Łańcucki et al. 2020), which keeps
    `commitment` comparable; the codebook is that of `quantiser`.

    A window's vector is the square root of its histogram (length 1, `n_codes` values), and a song's
    that of all its windows' codes: the Euclidean distance of two is √2 times the Hellinger distance
    of the histograms.
    """

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        n_codes: int | None = None,
        code_dim: int = 64,
        ema_decay: float = 0.95,
        commitment: float = 0.25,
        restart_threshold: float = 1.0,
        width: int = 128,
        n_halvings: int = 2,
        dropout: float = 0.0,
    ) -> None:
        """`n_codes` null: `latent_dim`, of which a window's vector then has as many values."""
        super().__init__(spec, latent_dim)
        check_dropout(dropout)
        if commitment < 0.0:
            raise ConfigError(f"commitment: must not be negative (given: {commitment})")
        if width < 2:
            raise ConfigError(f"width: must be at least 2 (given: {width})")
        if n_halvings < 0 or spec.n_frames < 2**n_halvings:
            raise ConfigError(
                f"n_halvings: must be at least 0 and leave one code in {spec.n_frames} frames "
                f"(given: {n_halvings})"
            )
        self.commitment = commitment
        self.padding = -spec.n_frames % 2**n_halvings
        encoder: list[nn.Module] = [nn.Conv1d(spec.n_mels, width, kernel_size=3, padding=1)]
        decoder: list[nn.Module] = [nn.Conv1d(code_dim, width, kernel_size=3, padding=1)]
        for _ in range(n_halvings):
            encoder += [nn.ReLU(), nn.Conv1d(width, width, kernel_size=4, stride=2, padding=1)]
        for _ in range(2):
            encoder.append(Residual(width, dropout))
            decoder.append(Residual(width, dropout))
        for _ in range(n_halvings):
            up = nn.ConvTranspose1d(width, width, kernel_size=4, stride=2, padding=1)
            decoder += [up, nn.ReLU()]
        encoder += [nn.ReLU(), nn.Conv1d(width, code_dim, kernel_size=1)]
        encoder.append(nn.BatchNorm1d(code_dim, affine=False))
        decoder.append(nn.Conv1d(width, spec.n_mels, kernel_size=3, padding=1))
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        self.quantiser = Quantiser(
            latent_dim if n_codes is None else n_codes,
            code_dim,
            ema_decay=ema_decay,
            restart_threshold=restart_threshold,
        )

    def encode(self, batch: Batch) -> Tensor:
        """Vectors before the codebook, (B, code_dim, n_steps)."""
        vectors: Tensor = self.encoder(F.pad(batch["mel"].squeeze(1), (0, self.padding)))
        return vectors

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        """Spectrograms (B, 1, n_mels, n_frames) from `z` (B, code_dim, n_steps)."""
        return self.decoder(z)[..., : self.spec.n_frames].unsqueeze(1)

    def forward(self, batch: Batch) -> Pass:
        vectors = self.encode(batch)
        found = self.quantiser(vectors.transpose(1, 2).flatten(0, 1))
        codes = found.codes.unflatten(0, (len(vectors), -1))
        z = found.values.unflatten(0, (len(vectors), -1)).transpose(1, 2)
        effective, used = perplexity(codes, self.quantiser.n_codes)
        return Pass(
            self.histogram(codes).sqrt(),
            reconstruction=self.decode(z, batch),
            extra={"commitment": found.commitment, "perplexity": effective, "codes_in_use": used},
        )

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """Reconstruction and commitment; there is no KL term to weight (the prior is uniform).

        The reconstruction counts as mean squared error (`paper`) or as the calibrated Gaussian
        negative log-likelihood per value (`elbo`).
        """
        assert done.reconstruction is not None
        assert done.extra is not None
        error = F.mse_loss(done.reconstruction.float(), batch["mel"])
        distortion = error if scale == "paper" else calibrated_nll(error)
        return {
            "loss": distortion + self.commitment * done.extra["commitment"],
            "reconstruction": error.detach(),
            **{name: value.detach() for name, value in done.extra.items()},
        }

    def codes(self, batch: Batch) -> Tensor:
        """Code of every step, (B, n_steps) int64."""
        vectors = self.encode(batch).transpose(1, 2).float()
        return self.quantiser.nearest(vectors.flatten(0, 1)).unflatten(0, vectors.shape[:2])

    def histogram(self, codes: Tensor) -> Tensor:
        """Share of each code among the codes (B, n_steps) of each window, (B, n_codes) float32."""
        return F.one_hot(codes, self.quantiser.n_codes).float().mean(1)

    def embed(self, batch: Batch) -> Tensor:
        """Square root of each window's histogram, (B, n_codes)."""
        return self.embed_once(batch).z

    def embed_once(self, batch: Batch) -> Embedded:
        """That, and the histograms as summaries."""
        histogram = self.histogram(self.codes(batch))
        return Embedded(histogram.sqrt(), histogram, None)

    def embed_song(self, summaries: Tensor) -> Tensor:
        """Square root of the histogram of all codes of a song, (n_codes,).

        Windows have equally many codes, so that this is the mean of their histograms.
        """
        return summaries.mean(0).sqrt()

    def reconstruct(self, batch: Batch) -> Tensor:
        """Spectrograms (B, 1, n_mels, n_frames) from the codes of windows."""
        return self.decode(self.quantiser.codebook[self.codes(batch)].transpose(1, 2), batch)
