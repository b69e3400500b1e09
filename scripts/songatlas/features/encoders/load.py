"""Making an encoder from its card: which class, which folder, which device."""

import importlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from songatlas.config import encoder_cards as cards
from songatlas.config.features import Pretrained
from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import AudioEncoder, JointEncoder, Setting
from songatlas.features.encoders.weights import locate

logger = logging.getLogger(__name__)

Model = TypeVar("Model")


def module_of(name: str) -> str:
    """The module of an encoder's family, which fingerprints count by its name."""
    return f"songatlas.features.encoders.{cards.card(name).family}"


def load_encoder(name: str, settings: Pretrained) -> AudioEncoder:
    """An encoder with its weights, on the device that the settings name.

    Raises:
        SongatlasError: when the settings refuse it, its package is not installed, its weights are
            not on this machine, or they do not load.
    """
    return _build(name, weights_folder(name, settings), settings)


def weights_folder(name: str, settings: Pretrained) -> Path:
    """Where the weights of an encoder that the settings allow are; from here on nothing is fetched.

    Raises:
        SongatlasError: when the settings refuse it, or its weights are not on this machine.
    """
    # Libraries read it when they are imported, which is below.
    os.environ["HF_HUB_OFFLINE"] = "1"
    problems = cards.problems(
        name,
        allow_restricted=settings.allow_restricted,
        remote_code=tuple(settings.remote_code),
    )
    if problems:
        raise SongatlasError("; ".join(problems))
    if name in settings.remote_code:
        logger.warning("REMOTE CODE IS ON: `%s` runs code that comes with the model", name)
    return locate(settings.weights.get(name) or cards.card(name).repository, settings.lock)


def _build(name: str, folder: Path, settings: Pretrained) -> AudioEncoder:
    from safetensors import SafetensorError

    card = cards.card(name)
    family = importlib.import_module(module_of(name))
    try:
        encoder: AudioEncoder = family.Encoder(folder, card, setting(name, settings))
    except ModuleNotFoundError as error:
        raise SongatlasError(
            f"the encoder `{name}` needs the package `{card.package or error.name}`, which is not "
            f"installed (no module `{error.name}`): pip install {card.package or error.name}"
        ) from None
    except (OSError, ValueError, SafetensorError) as error:
        first_line = str(error).strip().split("\n")[0]
        raise SongatlasError(
            f"{folder}: the weights of `{name}` cannot be loaded as {card.model} "
            f"({type(error).__name__}: {first_line}); fetch them again"
        ) from None
    processor = getattr(encoder, "processor", None)
    stated = getattr(getattr(processor, "feature_extractor", processor), "sampling_rate", None)
    if stated is not None:
        # The checkpoint's own processor knows best: a variant may have another rate.
        encoder.sample_rate_hz = int(stated)
    return encoder


def load_joint_encoder(name: str, settings: Pretrained) -> JointEncoder:
    """An encoder that embeds texts too.

    Raises:
        SongatlasError: as `load_encoder`, or when it has no text branch.
    """
    joint = [one.name for one in cards.CARDS.values() if one.joint]
    if name not in joint:
        raise SongatlasError(
            f"the encoder `{name}` does not embed texts; those that do: {', '.join(joint)}"
        )
    encoder = load_encoder(name, settings)
    assert isinstance(encoder, JointEncoder)
    return encoder


def load_whole(
    name: str, settings: Pretrained, make: Callable[[Path, Setting], Model], model: str
) -> Model:
    """What `make` builds of the whole checkpoint of a card, of which an encoder is a part.

    Args:
        name: of the card.
        settings: where its weights are, and the device.
        make: gets the folder and how to run it.
        model: the checkpoint's name, for messages.

    Raises:
        SongatlasError: when its weights are not on this machine, or do not load.
    """
    folder = weights_folder(name, settings)
    from transformers.utils import logging as its_logging

    # It warns of its own internal calls, several lines a song.
    its_logging.set_verbosity_error()
    try:
        return make(folder, setting(name, settings))
    except (OSError, ValueError) as error:
        first_line = str(error).strip().split("\n")[0]
        raise SongatlasError(
            f"{folder}: this is no whole checkpoint of {model} ({first_line}); fetch its weights "
            "(snakemake fetch_weights), or name another folder in pretrained.weights"
        ) from None


def setting(name: str, settings: Pretrained) -> Setting:
    """Device, precision and batch size; half precision only on CUDA.

    Raises:
        SongatlasError: when the device that the settings name is absent.
    """
    import torch

    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    device: str = settings.device
    if device == "auto":
        device = next(name for name, present in there.items() if present)
    if not there[device]:
        raise SongatlasError(f"pretrained.device: {device} is not available here; use `auto`")
    return Setting(
        device,
        settings.half_precision and device == "cuda",
        settings.batch_size,
        runs_remote_code=name in settings.remote_code,
    )
