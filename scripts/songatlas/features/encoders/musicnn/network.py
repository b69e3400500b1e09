"""musicnn's network (Pons & Serra 2019, arXiv:1909.06654), for inference, in float32."""

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn.functional import conv1d, linear, relu

from songatlas.features.encoders.musicnn.filters import TemporalFilters, TimbralFilters, spectra

EPSILON = 1e-3
"""Added to variances: TensorFlow's default."""

Weights = Mapping[str, np.ndarray]
Affine = tuple[torch.Tensor, torch.Tensor]
"""What is multiplied by, and what is added then."""


class Network:
    """A tagger: 200 penultimate units and 50 tags of a patch.

    Front end: timbral and temporal filters, each followed by the maximum over bands. Mid end: three
    convolutions over time, the second and third with what they are given added. Back end: maximum
    and mean over time of everything so far, a layer of 200 units, the tags.

    Args:
        weights: of the original's checkpoint, by their names there.

    Raises:
        KeyError: when one is missing.
    """

    def __init__(self, weights: Weights) -> None:
        self.patch = _normalisation(weights, 0)
        self.timbral = [_Front(weights, index, TimbralFilters) for index in (0, 1)]
        self.temporal = [_Front(weights, index, TemporalFilters) for index in (2, 3, 4)]
        self.mid = [_Convolution(weights, index) for index in (5, 6, 7)]
        self.pooled = _normalisation(weights, 9)
        self.dense = _dense(weights, "dense")
        self.penultimate = _normalisation(weights, 10)
        self.tags = _dense(weights, "dense_1")

    def __call__(self, patch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Penultimate units, float32 of shape (200,), and tags as probabilities, (50,).

        Args:
            patch: log-mel spectrogram as `frontend.log_mel` gives it, float32 of shape (t, 96).
        """
        pooled = self._pooled(self._front(_affine(patch, self.patch)))
        hidden = relu(linear(_affine(pooled, self.pooled), *self.dense))
        penultimate = _affine(hidden, self.penultimate)
        return penultimate, torch.sigmoid(linear(penultimate, *self.tags))

    def _front(self, patch: torch.Tensor) -> torch.Tensor:
        around = spectra(patch)
        timbral = [bank(around) for bank in self.timbral]
        return torch.cat([*timbral, *(bank(patch) for bank in self.temporal)], dim=1).T

    def _pooled(self, front: torch.Tensor) -> torch.Tensor:
        """Maximum and mean over time of every feature, side by side."""
        first = self.mid[0](front)
        second = self.mid[1](first) + first
        third = self.mid[2](second) + second
        features = torch.cat([front, first, second, third])
        return torch.stack([features.amax(dim=1), features.mean(dim=1)], dim=1).flatten()


class _Front:
    """One bank of the front end: the largest value over bands of its normalised activations.

    The maximum is taken first. Where normalisation has a negative scale it is the minimum instead,
    and filters of the other sign make that a maximum.
    """

    def __init__(
        self, weights: Weights, index: int, kind: type[TimbralFilters] | type[TemporalFilters]
    ) -> None:
        kernel, self.bias = _convolution(weights, index)
        self.normal = _normalisation(weights, index + 1)
        self.sign = torch.where(self.normal[0] < 0, -1.0, 1.0)
        self.largest = kind(kernel * self.sign.double().numpy())

    def __call__(self, given: torch.Tensor) -> torch.Tensor:
        """float32 of shape (t, filters), from what the kind of filters is given."""
        return _affine(relu(self.largest(given) * self.sign + self.bias), self.normal)


class _Convolution:
    """A convolution over seven frames of all features, rectified, then normalised."""

    def __init__(self, weights: Weights, index: int) -> None:
        kernel, self.bias = _convolution(weights, index)
        self.kernel = torch.from_numpy(kernel.transpose(2, 1, 0).copy())
        self.normal = _normalisation(weights, index + 1)

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """float32 of shape (filters, t) from (features, t)."""
        found = conv1d(features, self.kernel, self.bias, padding=self.kernel.shape[2] // 2)
        return _affine(relu(found).T, self.normal).T


def _affine(values: torch.Tensor, by: Affine) -> torch.Tensor:
    return values * by[0] + by[1]


def _named(name: str, index: int) -> str:
    """How TensorFlow names layers of a kind: the first without a number."""
    return f"{name}_{index}" if index else name


def _convolution(weights: Weights, index: int) -> tuple[np.ndarray, torch.Tensor]:
    """Kernel of shape (frames, bands or features, filters), and bias."""
    name = _named("conv2d", index)
    return weights[f"{name}/kernel"][:, :, 0], torch.tensor(weights[f"{name}/bias"])


def _normalisation(weights: Weights, index: int) -> Affine:
    """Batch normalisation as it is when the network no longer learns."""
    name = _named("batch_normalization", index)
    mean, variance, gamma, beta = (
        weights[f"{name}/{part}"].astype(np.float64)
        for part in ("moving_mean", "moving_variance", "gamma", "beta")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    return torch.from_numpy(scale).float(), torch.from_numpy(beta - mean * scale).float()


def _dense(weights: Weights, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights of shape (units, features), and bias."""
    return torch.tensor(weights[f"{name}/kernel"].T.copy()), torch.tensor(weights[f"{name}/bias"])
