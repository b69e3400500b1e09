"""Encoders that describe a window, not where in it things happen."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.base import InputSpec
from songatlas.models.blocks import SLOPE, check_dropout

GROUPS = 8
"""Of group normalisation, which neither mixes windows of a batch nor needs running statistics."""


class GroupNorm(nn.GroupNorm):
    """Group normalisation (Wu and He 2018), on the CPU in the memory format that it has a fast
    kernel for: the gradient of bf16 maps in channels_last takes seven times as long there."""

    def forward(self, x: Tensor) -> Tensor:
        # Also of a part of such maps, which is dense in neither format.
        if x.device.type != "cpu" or x.dtype != torch.bfloat16 or x.stride(1) != 1:
            return super().forward(x)
        return super().forward(x.contiguous()).contiguous(memory_format=torch.channels_last)


class FrameEncoder(nn.Module):
    """Strided convolutions, then one vector per time step: (B, 1, F, T) → (B, T', width).

    Both axes are halved by every layer. Mel bands stay in order: what a step sounds like is kept,
    only its place in the window is for pooling to forget.
    """

    def __init__(
        self, spec: InputSpec, width: int, channels: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        check_dropout(dropout)
        if width < 1 or not channels or min(channels) < 1 or any(c % GROUPS for c in channels):
            raise ConfigError(
                f"channels: needs multiples of {GROUPS}, and width a positive number "
                f"(given: {list(channels)}, {width})"
            )
        self.width = width
        self.sizes = [(spec.n_mels, spec.n_frames)]
        """(mel, time) before the first and after every layer."""
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise((1, *channels)):
            mels, frames = self.sizes[-1]
            self.sizes.append(((mels + 1) // 2, (frames + 1) // 2))
            layers += [
                nn.Conv2d(n_in, n_out, kernel_size=3, stride=2, padding=1),
                GroupNorm(GROUPS, n_out),
                nn.LeakyReLU(SLOPE),
                nn.Dropout2d(dropout),
            ]
        self.layers = nn.Sequential(*layers)
        self.n_steps = self.sizes[-1][1]
        self.project = nn.Linear(channels[-1] * self.sizes[-1][0], width)

    def forward(self, mel: Tensor) -> Tensor:
        maps = self.layers(mel)
        steps: Tensor = self.project(maps.flatten(1, 2).transpose(1, 2))
        return steps


def mean_and_deviation(steps: Tensor) -> Tensor:
    """Mean and standard deviation over time: (B, T, D) → (B, 2 D) float32."""
    steps = steps.float()
    return torch.cat([steps.mean(1), (steps.var(1, correction=0) + 1e-5).sqrt()], 1)


class PooledEncoder(nn.Module):
    """`FrameEncoder` pooled by mean and standard deviation over time: (B, 1, F, T) → (B, 2 width).

    Music repeats: which sounds occur and how much they vary says more of a window than their order.
    """

    def __init__(
        self,
        spec: InputSpec,
        width: int = 128,
        channels: Sequence[int] = (32, 64, 128),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.frames = FrameEncoder(spec, width, channels, dropout)
        self.n_features = 2 * width

    def forward(self, mel: Tensor) -> Tensor:
        return mean_and_deviation(self.frames(mel))


class AttentionPooling(nn.Module):
    """Learned queries attend over time: (B, T, width) → (B, n_queries · width).

    Keys carry no position, so the result does not depend on the order of the steps (Lee et al.
    2019, pooling by multi-head attention).
    """

    def __init__(self, width: int, n_queries: int, n_heads: int) -> None:
        super().__init__()
        if n_heads < 1 or width % n_heads:
            raise ConfigError(f"n_heads: must divide width, {width} (given: {n_heads})")
        if n_queries < 1:
            raise ConfigError(f"n_queries: must be at least 1 (given: {n_queries})")
        self.queries = nn.Parameter(torch.randn(n_queries, width) / math.sqrt(width))
        self.attention = nn.MultiheadAttention(width, n_heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.n_features = n_queries * width

    def forward(self, steps: Tensor) -> Tensor:
        steps = self.norm(steps)
        queries = self.queries.expand(len(steps), -1, -1).to(steps.dtype)
        pooled, _ = self.attention(queries, steps, steps, need_weights=False)
        return pooled.flatten(1)


def time_code(n_steps: int, width: int) -> Tensor:
    """Sines and cosines of the position, (n_steps, width) float32 (Vaswani et al. 2017)."""
    position = torch.arange(n_steps, dtype=torch.float32)[:, None]
    rate = torch.exp(-math.log(1e4) * torch.arange(0, width, 2, dtype=torch.float32) / width)
    code = torch.zeros(n_steps, width)
    code[:, 0::2] = torch.sin(position * rate)
    code[:, 1::2] = torch.cos(position * rate[: width // 2])
    return code


class TimeDecoder(nn.Module):
    """The window's latent and the time step together decode each step: (B, n_in) → (B, 1, F, T).

    A latent of the whole window cannot say when things happen; the position lets the decoder have
    a mean that changes over time. Transposed convolutions mirror the encoder.
    """

    def __init__(
        self,
        n_in: int,
        encoder: FrameEncoder,
        channels: Sequence[int],
        dropout: float,
        code_width: int = 32,
    ) -> None:
        super().__init__()
        self.sizes = list(reversed(encoder.sizes))
        self.first = (channels[-1], self.sizes[0][0])
        self.register_buffer("code", time_code(self.sizes[0][1], code_width))
        hidden = encoder.width
        self.expand = nn.Sequential(
            nn.Linear(n_in + code_width, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, self.first[0] * self.first[1]),
        )
        widths = (*reversed(channels), 1)
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(a, b, kernel_size=4, stride=2, padding=1)
            for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(GroupNorm(GROUPS, b) for b in widths[1:-1])
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, z: Tensor) -> Tensor:
        code: Tensor = self.code  # type: ignore[assignment]
        steps = torch.cat(
            [
                z[:, None].expand(-1, len(code), -1),
                code.to(z.dtype).expand(len(z), -1, -1),
            ],
            dim=2,
        )
        maps = self.expand(steps).transpose(1, 2).unflatten(1, self.first)
        for depth, layer in enumerate(self.layers):
            mels, frames = self.sizes[depth + 1]
            maps = layer(maps)[:, :, :mels, :frames]
            if depth < len(self.norms):
                maps = self.norms[depth](maps)
                maps = self.dropout(nn.functional.leaky_relu(maps, SLOPE))
        return maps
