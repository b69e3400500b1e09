"""Patches of a song's log-mel spectrogram, as musicnn was trained on them.

Frames are those of librosa 0.7: centred, the song reflected at its two ends. Patches follow each
other from the song's start. Each is computed from its own samples, so that a song of any length
needs no more memory than a block and a patch.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from songatlas.features.encoders.musicnn import SAMPLE_RATE_HZ

N_FFT, HOP, BANDS = 512, 256, 96
PATCH_FRAMES = 187
HALF = N_FFT // 2

SHORTEST = (PATCH_FRAMES - 1) * HOP
"""Samples of the shortest song that fills a patch."""

STEP = PATCH_FRAMES * HOP
"""Samples from one patch to the next."""

PIECE = SHORTEST + N_FFT
"""Samples that the frames of a patch touch."""

LARGEST_POWER = float(np.finfo(np.float16).max)
"""What is louder is absurd, and would be infinite as float16."""


def pieces(head: np.ndarray, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The samples of every patch in turn, float32 of shape (PIECE,).

    Args:
        head: the song's first samples, float32 of shape (n,), at least `SHORTEST` of them.
        blocks: what follows, float32 of shape (any,).
    """
    held = np.concatenate([head[HALF:0:-1], head])
    while True:
        while len(held) >= PIECE:
            yield held[:PIECE]
            held = held[STEP:]
        block = next(blocks, None)
        if block is None:
            break
        held = np.concatenate([held, block])
    if len(held) >= PIECE - HALF:
        yield np.pad(held, (0, HALF), mode="reflect")[:PIECE]


def mel_power(piece: np.ndarray) -> np.ndarray:
    """Power in mel bands of a patch, float16 of shape (PATCH_FRAMES, BANDS).

    Equals `librosa.feature.melspectrogram(n_fft=512, hop_length=256, n_mels=96)` of librosa 0.7,
    rounded as the original rounds it.

    Raises:
        ValueError: when samples are NaN or infinite.
    """
    if not np.isfinite(piece).all():
        raise ValueError("the song holds NaN or infinite samples; decode it again")
    hann, filters = _constants()
    frames = torch.from_numpy(np.ascontiguousarray(piece)).unfold(0, N_FFT, HOP)
    parts = torch.view_as_real(torch.fft.rfft(frames * hann))
    bands = parts.square().sum(dim=2) @ filters
    return bands.clamp_max_(LARGEST_POWER).half().numpy()


def log_mel(power: np.ndarray) -> torch.Tensor:
    """log10(1 + 10⁴ · power), float32 of the shape of `power`.

    The original multiplies in float32, with the NumPy of its time; later ones overflow in float16.
    """
    return torch.from_numpy(power).float().mul_(1e4).add_(1.0).log10_()


@lru_cache(maxsize=1)
def _constants() -> tuple[torch.Tensor, torch.Tensor]:
    """The Hann window (N_FFT,) and Slaney's mel filters (1 + N_FFT // 2, BANDS)."""
    from librosa.filters import mel

    filters = mel(sr=SAMPLE_RATE_HZ, n_fft=N_FFT, n_mels=BANDS, htk=False, norm="slaney")
    return torch.hann_window(N_FFT, periodic=True), torch.from_numpy(filters.T.copy())
