"""The one interface of every pretrained encoder: windows in, the time-mean of every layer out."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.errors import SongatlasError

if TYPE_CHECKING:
    import torch

UNUSED = ("masked_spec_embed", "logit_scale_a", "logit_scale_t")
"""Ends of the names of weights that training alone uses."""

SHORTEST_REST_S = 1.0
"""What is left of a window behind its last whole clip counts where it is at least so long."""


@dataclass(frozen=True)
class Layer:
    """A vector that an encoder gives per window: its name and number of dimensions."""

    name: str
    dim: int


@dataclass(frozen=True)
class Setting:
    """How an encoder is run: `device` as torch names it; `half` computes in half precision.

    `runs_remote_code`: code that comes with its weights runs in place of what is used here.
    """

    device: str = "cpu"
    half: bool = False
    batch_size: int = 8
    runs_remote_code: bool = False


class AudioEncoder(ABC):
    """A frozen pretrained model of audio; one subclass per family, fed by its own processor.

    Subclasses load everything from `folder` in `__init__` and set `layers`, which come in the order
    that the model computes them; the last is what the model itself gives as its result.

    Args:
        folder: a checkpoint in the model's own format on this machine; nothing is fetched.
        card: its card.
        setting: device, precision and batch size.
    """

    layers: Sequence[Layer]
    model: Any

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        self.folder, self.card, self.setting = folder, card, setting
        self.sample_rate_hz = card.sample_rate_hz
        self.clip_s = card.clip_s

    @property
    def width(self) -> int:
        """Dimensions of all layers together."""
        return sum(layer.dim for layer in self.layers)

    @property
    def dtype(self) -> "torch.dtype":
        """What weights and activations are held in."""
        import torch

        return torch.float16 if self.setting.half else torch.float32

    @abstractmethod
    def forward(self, clips: np.ndarray) -> "list[torch.Tensor]":
        """Per layer the mean over time of some clips, each of shape (b, dim of the layer).

        Args:
            clips: float32 of shape (b, samples) at `sample_rate_hz`, no longer than `clip_s`.
        """

    def embed_audio(self, windows: np.ndarray) -> np.ndarray:
        """All layers of windows, float32 of shape (n, width), the layers after one another.

        A window longer than `clip_s` is cut into clips, whose vectors count by their lengths; a
        rest shorter than a second is left out.

        Args:
            windows: float32 of shape (n, samples) at `sample_rate_hz`.
        """
        import torch

        windows = np.ascontiguousarray(windows, np.float32)
        sums = np.zeros((len(windows), self.width), np.float64)
        samples = 0
        for start, end in self.clips(windows.shape[1]):
            for first in range(0, len(windows), self.setting.batch_size):
                some = slice(first, first + self.setting.batch_size)
                with torch.inference_mode():
                    parts = self.forward(windows[some, start:end])
                joined = torch.cat([part.detach().float().cpu() for part in parts], dim=1)
                sums[some] += (end - start) * joined.numpy()
            samples += end - start
        return (sums / max(samples, 1)).astype(np.float32)

    def clips(self, samples: int) -> Iterator[tuple[int, int]]:
        """First sample and end of every clip of a window of so many samples."""
        longest = samples if self.clip_s is None else round(self.clip_s * self.sample_rate_hz)
        for start in range(0, samples, max(longest, 1)):
            end = min(start + longest, samples)
            if start == 0 or end - start >= SHORTEST_REST_S * self.sample_rate_hz:
                yield start, end

    def ready(self, model: Any) -> Any:
        """A model on the device, in the precision asked for, frozen."""
        return model.to(self.setting.device, self.dtype).eval().requires_grad_(False)

    def on_device(self, inputs: Any) -> dict[str, Any]:
        """A processor's tensors on the device, floating ones in the model's precision."""
        return on_device(inputs, self.setting.device, self.dtype)


class JointEncoder(AudioEncoder):
    """An encoder that embeds texts into the space of its last layer."""

    @abstractmethod
    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """Texts in the joint space, float32 of shape (n, dim of the last layer), unit length."""


def from_pretrained(kind: Any, folder: Path, **options: Any) -> Any:
    """A model of a class of transformers from its checkpoint, with every weight that it uses.

    transformers only warns where a checkpoint lacks weights, and draws them at random.

    Raises:
        SongatlasError: for a checkpoint of another family; naming the first weight that is missing.
    """
    if "config" not in options:
        check_family(getattr(kind, "config_class", None), folder)
    model, found = kind.from_pretrained(
        folder, local_files_only=True, output_loading_info=True, **options
    )
    trained = {name for name, _ in model.named_parameters()}
    lost = {*found["missing_keys"], *(str(key[0]) for key in found["mismatched_keys"])} & trained
    lost = {name for name in lost if not name.endswith(UNUSED)}
    if lost:
        raise SongatlasError(
            f"{folder}: no weights of {type(model).__name__}: {min(lost)} is missing ({len(lost)} "
            "are); give weights of this family, or fetch them again"
        )
    return model


def on_device(inputs: Any, device: str, dtype: "torch.dtype") -> dict[str, Any]:
    """A processor's tensors on a device, floating ones as `dtype`."""
    return {
        key: value.to(device, dtype) if value.is_floating_point() else value.to(device)
        for key, value in inputs.items()
    }


def check_family(config_class: Any, folder: Path) -> None:
    """Refuse a checkpoint whose config is not of a class of transformers' configs.

    transformers only warns, and makes a model of the class's default size, which may be larger than
    the memory.

    Raises:
        SongatlasError: naming both families.
    """
    path = folder / "config.json"
    if config_class is None or not path.is_file():
        return
    stated = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    if stated is not None and stated != config_class.model_type:
        raise SongatlasError(
            f"{path}: weights of `{stated}`, where `{config_class.model_type}` is needed; name "
            "another folder or repository in pretrained.weights"
        )


def token_means(
    states: "Sequence[torch.Tensor]", tokens: int | None = None
) -> "list[torch.Tensor]":
    """Mean of hidden states (b, t, d) over their tokens, or over the first `tokens` of them."""
    return [state[:, :tokens].float().mean(dim=1) for state in states]


def layers_named(prefix: str, dims: Sequence[int]) -> list[Layer]:
    """One layer per number of dimensions: `prefix 0` is what the first block is given."""
    return [Layer(f"{prefix} {index}", dim) for index, dim in enumerate(dims)]
