"""Layers that several architectures are composed of."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.errors import ConfigError
from songatlas.models.base import InputSpec

CHANNELS = (32, 64, 128, 256)
"""Channels of the convolutional encoder; the decoder mirrors them."""

SLOPE = 0.2
"""Of LeakyReLU."""


def check_dropout(dropout: float) -> float:
    """Pass a dropout rate through.

    Raises:
        ConfigError: when it is not in [0, 1).
    """
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"dropout: must be at least 0 and below 1 (given: {dropout})")
    return dropout


def dense(widths: Sequence[int], dropout: float) -> nn.Sequential:
    """Fully connected layers from `widths[0]` to `widths[-1]`: Linear, BatchNorm, ReLU, dropout."""
    check_dropout(dropout)
    if min(widths) < 1 or len(widths) < 2:
        raise ConfigError(f"widths: needs one or more positive numbers (given: {list(widths[1:])})")
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class ConvEncoder(nn.Module):
    """Four strided convolutions: (B, C, n_mels, n_frames) → maps (B, 256, F', T')."""

    def __init__(self, spec: InputSpec, dropout: float, in_channels: int = 1) -> None:
        super().__init__()
        check_dropout(dropout)
        self.sizes = [(spec.n_mels, spec.n_frames)]
        """(mel, time) before the first and after every layer."""
        layers: list[nn.Module] = []
        for n_in, n_out in zip((in_channels, *CHANNELS[:-1]), CHANNELS, strict=True):
            mels, frames = self.sizes[-1]
            self.sizes.append((mels // 2, frames // 2))
            layers += [
                nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1),
                nn.BatchNorm2d(n_out),
                nn.LeakyReLU(SLOPE),
                nn.Dropout2d(dropout),
            ]
        if min(self.sizes[-1]) < 1:
            raise ConfigError(
                f"a spectrogram of {spec.n_mels} × {spec.n_frames} is too small for "
                f"{len(CHANNELS)} convolutions of stride 2, which need 16 × 16: lengthen "
                "windows.length_s, shorten logmel.hop_length or raise logmel.n_mels"
            )
        self.layers = nn.Sequential(*layers)
        self.map_shape = (CHANNELS[-1], *self.sizes[-1])
        self.n_features = CHANNELS[-1] * self.sizes[-1][0] * self.sizes[-1][1]

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.layers(x)
        return maps


class Upsample(nn.ConvTranspose2d):
    """Transposed convolution (kernel 4, stride 2, padding 1) with `odd` as its output padding.

    On a CPU it is computed without output padding, for which there is no fast kernel: where an axis
    asks for one more value, padding is 0 and the first value is cut off, which is the same.
    """

    def __init__(self, n_in: int, n_out: int, odd: tuple[int, int]) -> None:
        super().__init__(n_in, n_out, kernel_size=4, stride=2, padding=1, output_padding=odd)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if x.device.type != "cpu":
            return super().forward(x, output_size)
        mels, frames = self.output_padding
        y = F.conv_transpose2d(x, self.weight, self.bias, stride=2, padding=(1 - mels, 1 - frames))
        # The copy keeps the memory format but is dense, as batch normalisation's fast kernel needs.
        return y[:, :, mels:, frames:].clone() if mels or frames else y


class ConvDecoder(nn.Module):
    """Mirror of an encoder: (B, n_in) → (B, 1, n_mels, n_frames)."""

    def __init__(self, n_in: int, encoder: ConvEncoder, dropout: float) -> None:
        super().__init__()
        self.map_shape = encoder.map_shape
        self.expand = nn.Linear(n_in, encoder.n_features)
        channels = (*reversed(CHANNELS), 1)
        sizes = list(reversed(encoder.sizes))
        layers: list[nn.Module] = []
        for depth, (n_from, n_to) in enumerate(pairwise(channels)):
            # Halving an odd size dropped a row or column; the mirror puts it back.
            (mels, frames), (wanted_mels, wanted_frames) = sizes[depth], sizes[depth + 1]
            odd = (wanted_mels - 2 * mels, wanted_frames - 2 * frames)
            layers.append(Upsample(n_from, n_to, odd))
            if n_to != 1:
                layers += [nn.BatchNorm2d(n_to), nn.LeakyReLU(SLOPE), nn.Dropout2d(dropout)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        maps = self.expand(z).unflatten(1, self.map_shape)
        spectrogram: Tensor = self.layers(maps)
        return spectrogram
