"""musicnn's first layer: filters that slide over a patch, and the maximum over its bands.

Nine tenths of the network's work. Both kinds are rearranged so that nearly all of it is products of
matrices; results are those of the convolutions but for rounding.
"""

import numpy as np
import torch

from songatlas.features.encoders.musicnn.frontend import BANDS

WIDTH = 7
"""Frames that a timbral filter sees."""

BINS = BANDS // 2 + 1

FRAMES_AT_ONCE = 24
"""Spectra of so many frames under 204 filters stay in the processor's cache."""

TILE = 16
"""Frames whose temporal filters are one matrix."""


def spectra(patch: torch.Tensor) -> torch.Tensor:
    """Spectra along the bands of `WIDTH` frames around every frame, zeros beyond the patch.

    Args:
        patch: float32 of shape (t, BANDS).

    Returns:
        float32 of shape (BINS, t, 2 · WIDTH): real parts, then imaginary parts.
    """
    padded = torch.nn.functional.pad(patch, (0, 0, WIDTH // 2, WIDTH // 2))
    parts = torch.view_as_real(torch.fft.rfft(padded)).unfold(0, WIDTH, 1)
    return parts.permute(1, 0, 2, 3).reshape(BINS, len(patch), 2 * WIDTH)


class TimbralFilters:
    """Filters over `WIDTH` frames and many bands, and their maximum over all positions in bands.

    Sliding over the bands is a product of spectra. A position q above the middle one has the value
    C - S and the one as far below C + S, where C sums cosines and S sums sines. The larger of the
    two is C + |S|, so that half of the inverse transform is enough.

    Args:
        kernel: float64 of shape (WIDTH, height, filters).
    """

    def __init__(self, kernel: np.ndarray) -> None:
        positions = BANDS - kernel.shape[1] + 1
        angles = 2 * np.pi * np.arange(BINS) / BANDS
        to_middle = np.exp(1j * angles * (positions - 1) / 2)
        moved = np.fft.rfft(kernel, BANDS, axis=1).conj() * to_middle[:, None]
        real, imaginary = moved.real.swapaxes(0, 1), moved.imag.swapaxes(0, 1)
        self.to_real = _float32(np.concatenate([real, -imaginary], axis=1))
        self.to_imaginary = _float32(np.concatenate([imaginary, real], axis=1))
        offsets = np.arange((positions + 1) // 2) + (positions - 1) / 2 % 1
        counted = np.where(np.isin(np.arange(BINS), (0, BINS - 1)), 1, 2) / BANDS
        self.cosines = _float32(counted * np.cos(offsets[:, None] * angles))
        self.sines = _float32(counted * np.sin(offsets[:, None] * angles))

    def __call__(self, spectra: torch.Tensor) -> torch.Tensor:
        """Largest values, float32 of shape (t, filters), from what `spectra` gives."""
        parts = spectra.split(FRAMES_AT_ONCE, dim=1)
        return torch.cat([self._largest(part) for part in parts])

    def _largest(self, spectra: torch.Tensor) -> torch.Tensor:
        real = torch.bmm(spectra, self.to_real)
        imaginary = torch.bmm(spectra, self.to_imaginary)
        even = self.cosines @ real.flatten(1)
        odd = self.sines @ imaginary.flatten(1)
        return even.add_(odd.abs_()).amax(dim=0).view(real.shape[1:])


class TemporalFilters:
    """Filters over many frames of one band, and their maximum over all bands.

    The filters at `TILE` successive frames are one matrix, which a tile's frames are multiplied by.

    Args:
        kernel: float64 of shape (width, 1, filters). Frames beyond the patch are zeros: half of
            the width on either side, the larger half behind.
    """

    def __init__(self, kernel: np.ndarray) -> None:
        width, _, self.filters = kernel.shape
        self.before = (width - 1) // 2
        shifted = [np.pad(kernel[:, 0], ((i, TILE - 1 - i), (0, 0))).T for i in range(TILE)]
        self.matrix = _float32(np.concatenate(shifted))

    def __call__(self, patch: torch.Tensor) -> torch.Tensor:
        """Largest values, float32 of shape (t, filters), of a patch of shape (t, BANDS)."""
        tiles = [self._tile(patch, first) for first in range(0, len(patch), TILE)]
        return torch.cat(tiles)[: len(patch)]

    def _tile(self, patch: torch.Tensor, first: int) -> torch.Tensor:
        begin = first - self.before
        inside = slice(max(begin, 0), min(begin + self.matrix.shape[1], len(patch)))
        columns = self.matrix[:, inside.start - begin : inside.stop - begin]
        return (columns @ patch[inside]).amax(dim=1).view(TILE, self.filters)


def _float32(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
