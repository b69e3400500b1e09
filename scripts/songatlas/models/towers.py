"""Parts of models of audio and lyrics: towers, and ways to join what they found."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.errors import ConfigError
from songatlas.models.blocks import SLOPE

CONSTANT = 1e-4
"""A statistic that deviates less than this between windows says nothing of them."""

WITHOUT_QR = ("mps",)
"""Kinds of devices on which torch cannot decompose a matrix."""


def pooled_statistics(mel: Tensor) -> Tensor:
    """What a window sounds like, whenever it happens: (B, 1, F, T) → (B, 3 F) float32.

    Of each mel band the mean, the standard deviation, and the mean absolute step over time.
    """
    values = mel.float().squeeze(1)
    steps = values.diff(dim=2).abs().mean(2)
    return torch.cat([values.mean(2), (values.var(2, correction=0) + 1e-5).sqrt(), steps], 1)


class Standardiser(nn.Module):
    """Each dimension of (B, d) to zero mean and unit variance over all rows that training showed.

    Means and variances are gathered batch by batch (Chan et al. 1983); after the first epoch they
    are those of the training windows. Before any training, values stay as they are.
    """

    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("variance", torch.ones(n))

    @torch.no_grad()
    def see(self, x: Tensor, rows: Tensor | None = None) -> None:
        """Add the rows of `x` (n, d) to what is known, or those that `rows` (n,) bool names."""
        n = len(x) if rows is None else rows.sum()
        mean = mean_of_rows(x, rows)
        around = x.var(0, correction=0) if rows is None else mean_of_rows((x - mean) ** 2, rows)
        total = self.count + n
        known, share = self.count / total.clamp_min(1.0), n / total.clamp_min(1.0)
        step = mean - self.mean
        variance = around * share + self.variance * known + step**2 * known * share
        self.variance.copy_(torch.where(total > 0, variance, self.variance))
        self.mean.add_(step * share)
        self.count.copy_(total)

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = (x - self.mean) / self.scale()
        return scaled

    def back(self, x: Tensor) -> Tensor:
        """Standardised values in their own units."""
        return x * self.scale() + self.mean

    def scale(self) -> Tensor:
        """Standard deviations (d,); 1 for a dimension that is constant."""
        deviation = self.variance.sqrt()
        return torch.where(deviation > CONSTANT, deviation, 1.0)


def principal_components(covariance: Tensor, n: int) -> tuple[Tensor, float]:
    """The first `n` of a covariance (d, d), columns (d, n), and their mean deviation.

    The deviation is the root of their mean variance, 1 where nothing varies.
    """
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0)[:n].clamp_min(0.0), vectors.flip(1)[:, :n]
    # Signs are anybody's choice: the largest entry of every component is positive.
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    vectors = vectors * torch.where(largest < 0.0, -1.0, 1.0)
    spread = math.sqrt(float(values.sum()) / max(n, 1))
    return vectors, spread if spread > CONSTANT else 1.0


class IsometricTower(nn.Module):
    """Gaussian whose mean keeps the geometry of `x` (B, n_in): mean and log variance (B, n_out).

    The mean is a scaled orthonormal projection of `x` plus what a residual network, zero at first,
    makes of `features`. Only one scale is learned for all directions: a KL term, which would give
    each latent dimension unit variance, cannot make weak directions as loud as strong ones.
    """

    def __init__(self, n_in: int, n_out: int, n_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(max(n_in, n_out), min(n_in, n_out)))
        self.narrows = n_out <= n_in
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.residual = nn.Sequential(
            nn.Linear(n_features, width),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(dropout),
            nn.Linear(width, n_out),
        )
        nn.init.zeros_(self.residual[3].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.residual[3].bias)  # type: ignore[arg-type]
        self.logvar = nn.Parameter(torch.full((n_out,), -2.0))

    def forward(self, x: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        mu = self.log_scale.exp() * (x.float() @ self.projection()) + self.residual(features)
        return mu.float(), self.logvar.expand(len(x), -1)

    @torch.no_grad()
    def start(self, covariance: Tensor) -> None:
        """Let the mean be the principal components of `x`, at a variance of 1 on average."""
        vectors, spread = principal_components(covariance, min(self.directions.shape))
        if self.narrows:
            self.directions.copy_(vectors)
        self.log_scale.fill_(-math.log(spread))

    def projection(self) -> Tensor:
        """(n_in, n_out) with orthonormal columns, or rows where there are fewer of those."""
        with torch.autocast(self.directions.device.type, enabled=False):
            directions = self.directions.float()
            given = directions.cpu() if directions.device.type in WITHOUT_QR else directions
            basis, triangle = (found.to(directions.device) for found in torch.linalg.qr(given))
            # QR leaves signs open; fixed ones make the basis a smooth function of the directions.
            signed = basis * torch.where(triangle.diagonal() < 0, -1.0, 1.0)
        return signed if self.narrows else signed.T


def mean_of_rows(values: Tensor, rows: Tensor | None = None) -> Tensor:
    """Mean over the rows of (n, d), or over those that `rows` (n,) bool names: (d,); 0 of none.

    How many they are is not asked for, which would make the host wait for the device.
    """
    if rows is None:
        return values.mean(0)
    named = torch.where(rows[:, None], values, 0.0)
    return named.sum(0) / rows.sum().clamp_min(1)


def similarity_loss(x: Tensor, z: Tensor, rows: Tensor) -> Tensor:
    """Mean squared difference of the cosine similarities within `x` (n, d) and within `z` (n, e).

    Of the rows that `rows` (n,) bool names; 0 for fewer than two.
    """
    x, z = F.normalize(x.float(), dim=1), F.normalize(z.float(), dim=1)
    both = rows[:, None] & rows[None]
    error = torch.where(both, (z @ z.T - x @ x.T).square(), 0.0)
    return error.sum() / both.sum().clamp_min(1) * (rows.sum() > 1)


def product_of_experts(mus: Tensor, logvars: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Product of the experts that are there and of the prior N(0, 1) (Wu and Goodman 2018).

    Args:
        mus: (M, B, D) means of the M modalities' experts.
        logvars: (M, B, D) their log variances.
        present: (M, B) bool; what stands for an absent expert has no effect.

    Returns:
        Mean and log variance, (B, D) float32: precisions add up.
    """
    there = present[:, :, None]
    precision = torch.where(there, torch.exp(-logvars.float()), 0.0)
    weighted = torch.where(there, mus.float() * precision, 0.0).sum(0)
    total = 1.0 + precision.sum(0)
    return weighted / total, -torch.log(total)


def info_nce(
    audio: Tensor, lyrics: Tensor, temperature: float, pairs: Tensor
) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE of pairs (van den Oord et al. 2018, as in MuLan and CLAP), and accuracy.

    `audio` and `lyrics` (n, d) are unit vectors, row i of both one song where `pairs` (n,) bool
    says so; the share of these rows whose own partner is the nearest is the accuracy. Both are 0
    for fewer than two pairs.
    """
    with torch.autocast(audio.device.type, enabled=False):
        logits = audio.float() @ lyrics.float().T / temperature
    own = torch.arange(len(logits), device=logits.device)
    # Rows that are no pair are nobody's partner; what they would choose is left out.
    alone = torch.finfo(logits.dtype).min
    to_lyrics = logits.masked_fill(~pairs[None], alone)
    to_audio = logits.T.masked_fill(~pairs[None], alone)
    enough = pairs.sum() > 1

    def mean(values: Tensor) -> Tensor:
        return mean_of_rows(values[:, None], pairs).squeeze(0) * enough

    losses = [F.cross_entropy(chosen, own, reduction="none") for chosen in (to_lyrics, to_audio)]
    right = (to_lyrics.argmax(1) == own).float()
    return 0.5 * (mean(losses[0]) + mean(losses[1])), mean(right).detach()


class CrossAttention(nn.Module):
    """Audio frames and lyric lines attend to each other: (B, 2 width).

    Each side adds what it attended to and is normalised; then frames and present lines are averaged
    over time and concatenated. A side that is missing is zeros and is attended to by nobody.
    """

    def __init__(
        self, frame_dim: int, line_dim: int, width: int, n_heads: int, dropout: float
    ) -> None:
        super().__init__()
        if n_heads < 1 or width % n_heads:
            raise ConfigError(f"n_heads: must divide width, {width} (given: {n_heads})")
        self.project_frames = nn.Linear(frame_dim, width)
        self.project_lines = nn.Linear(line_dim, width)
        self.to_lines = nn.MultiheadAttention(width, n_heads, dropout, batch_first=True)
        self.to_frames = nn.MultiheadAttention(width, n_heads, dropout, batch_first=True)
        self.norm_frames = nn.LayerNorm(width)
        self.norm_lines = nn.LayerNorm(width)

    def forward(self, frames: Tensor, lines: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """The joined vector, and the frames' attention over lines (B, T, L), averaged over heads.

        Args:
            frames: (B, T, frame_dim).
            lines: (B, L, line_dim); zero rows are padding.
            heard: (B,) bool, whether there are frames.
        """
        padding = (lines == 0).all(2)
        read = ~padding.all(1)
        # A softmax over no key at all is NaN: rows without lines see one, and drop what it gave.
        nothing = padding.all(1, keepdim=True)
        first = torch.arange(padding.shape[1], device=padding.device) == 0
        masked = padding & ~(nothing & first)
        frames, lines = self.project_frames(frames), self.project_lines(lines)
        of_lines, weights = self.to_lines(frames, lines, lines, key_padding_mask=masked)
        of_frames, _ = self.to_frames(lines, frames, frames, need_weights=False)
        both = (read & heard)[:, None, None]
        frames = self.norm_frames(frames + torch.where(both, of_lines, 0.0))
        lines = self.norm_lines(lines + torch.where(both, of_frames, 0.0))
        kept = (~padding)[:, :, None].to(lines.dtype)
        line = (lines * kept).sum(1) / kept.sum(1).clamp_min(1.0)
        frame = torch.where(heard[:, None], frames.mean(1), 0.0)
        return torch.cat([frame, line], 1), weights * both
