"""Vectors of songs and of their windows by musicnn, each patch computed once."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from songatlas.errors import SongatlasError
from songatlas.features.audio.patches import patches_of_windows, spread
from songatlas.features.encoders.musicnn import SAMPLE_RATE_HZ
from songatlas.features.encoders.musicnn.frontend import (
    HOP,
    PATCH_FRAMES,
    SHORTEST,
    STEP,
    log_mel,
    mel_power,
    pieces,
)
from songatlas.features.encoders.musicnn.network import Network
from songatlas.features.encoders.musicnn.tf_checkpoint import read_bundle
from songatlas.features.encoders.wheels import FETCH

NETWORKS = ("MSD", "MTT")

DAMAGES = (
    *(OSError, EOFError, ValueError, LookupError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error),
)
"""What reading a damaged wheel, or the checkpoint in it, may raise."""

BLOCK = 1 << 18
"""Samples of a whole song that are looked at together."""


@dataclass(frozen=True)
class Patches:
    """Patches of a song that were computed, in order.

    `middles_s`: float64 of shape (p,), seconds from the song's start. `values`: float32 of shape
    (p, VALUES), in the order of `LAYERS`. `repeated`: the song is shorter than a patch, and was
    repeated to fill it.
    """

    middles_s: np.ndarray
    values: np.ndarray
    repeated: bool


class Musicnn:
    """Both networks, read from the published wheel.

    Args:
        wheel: as `wheels.checked_wheel("musicnn")` gives it.

    Raises:
        SongatlasError: when the wheel or a checkpoint in it is damaged.
    """

    def __init__(self, wheel: Path) -> None:
        self.networks = [_read_network(wheel, name) for name in NETWORKS]

    def embed_song(
        self, samples: np.ndarray | Iterable[np.ndarray], excerpts: int | None = None
    ) -> Patches:
        """Patches of a song: `PATCH_FRAMES` frames each, one after another from its start.

        A rest shorter than a patch is left out. A song given in blocks is never whole in memory.

        Args:
            samples: float32 of shape (n,) at `SAMPLE_RATE_HZ`, mono; or blocks of them in turn.
            excerpts: so many patches, spread evenly; None: all. Until their number is known, all
                patches are held as mel power (12 kB a second of the song).

        Raises:
            ValueError: for no samples, samples that are no numbers, or `excerpts` below 1.
        """
        if excerpts is not None and excerpts < 1:
            raise ValueError(f"excerpts: {excerpts}, but at least one patch is needed")
        blocks = _blocks(samples)
        head = _head(blocks)
        repeated = len(head) < SHORTEST
        if repeated:
            head = np.resize(head, SHORTEST)
        chosen = _spread(map(mel_power, pieces(head, blocks)), excerpts)
        numbers, values = zip(*((i, self._embed(power)) for i, power in chosen), strict=True)
        middles = np.array(numbers) * STEP + (PATCH_FRAMES - 1) // 2 * HOP
        return Patches(middles / SAMPLE_RATE_HZ, np.stack(values), repeated)

    @torch.inference_mode()
    def _embed(self, power: np.ndarray) -> np.ndarray:
        """float32 of shape (VALUES,), from a patch's mel power."""
        patch = log_mel(power)
        units, tags = zip(*(network(patch) for network in self.networks), strict=True)
        return np.asarray(torch.cat([*units, *tags]).numpy())


def window_means(patches: Patches, starts_s: Sequence[float], length_s: float) -> np.ndarray:
    """Mean of the patches whose middle lies in each window, else the patch nearest to its middle.

    Args:
        patches: of the song.
        starts_s: of w windows, in seconds.
        length_s: of each.

    Returns:
        float32 of shape (w, VALUES).
    """
    found = np.empty((len(starts_s), patches.values.shape[1]), np.float32)
    for row, inside in enumerate(patches_of_windows(patches.middles_s, starts_s, length_s)):
        found[row] = patches.values[inside].mean(axis=0)
    return found


def song_mean(patches: Patches) -> np.ndarray:
    """Mean of all patches, float32 of shape (VALUES,)."""
    return np.asarray(patches.values.mean(axis=0))


def _blocks(samples: np.ndarray | Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """float32 blocks of a song, whichever way it was given."""
    if isinstance(samples, np.ndarray):
        samples = np.split(samples, range(BLOCK, len(samples), BLOCK))
    return (np.asarray(block, np.float32) for block in samples)


def _head(blocks: Iterator[np.ndarray]) -> np.ndarray:
    """The first blocks together: at least `SHORTEST` samples, unless the song has fewer."""
    found, samples = [], 0
    for block in blocks:
        found.append(block)
        samples += len(block)
        if samples >= SHORTEST:
            break
    if not samples:
        raise ValueError("the song holds no samples")
    return np.concatenate(found)


def _spread(powers: Iterator[np.ndarray], excerpts: int | None) -> Iterable[tuple[int, np.ndarray]]:
    """Patches with their numbers: all, or so many spread evenly."""
    if excerpts is None:
        return enumerate(powers)
    held = list(powers)
    return [(int(number), held[number]) for number in spread(len(held), excerpts)]


def _read_network(wheel: Path, name: str) -> Network:
    """One of the networks in the wheel, which is not unpacked."""
    folder = f"musicnn/{name}_musicnn"
    try:
        with zipfile.ZipFile(wheel) as archive:
            index = archive.read(f"{folder}/.index")
            data = archive.read(f"{folder}/.data-00000-of-00001")
        return Network(read_bundle(index, data))
    except DAMAGES as error:
        raise SongatlasError(
            f"{wheel}: cannot be read ({folder}: {error}); delete the file and {FETCH}"
        ) from None
