"""The singing voice by itself: Hybrid Demucs (Défossez 2021, arXiv:2111.03600) of torchaudio."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from songatlas.errors import SongatlasError
from songatlas.run.plain_weights import load_plain

RATE_HZ = 44_100
STEMS = ("drums", "bass", "other", "vocals")
CHUNK_S = 10.0
OVERLAP_S = 1.0

QUIET_DB = -45.0
"""A second of vocals below this is nobody's."""

BELOW_MIX_DB = -25.0
"""... and so is one that much quieter than all stems together: what leaked from them."""


def load_separator(path: str | Path, device: str) -> Any:
    """The model with the weights of a file of torchaudio's (`hdemucs_high_trained.pt`).

    Raises:
        SongatlasError: when the file is not there or does not hold that model's weights.
    """
    from torchaudio.models import hdemucs_high

    if not Path(path).is_file():
        raise SongatlasError(
            f"transcription.separation: {path} is not there; docs/words.md says where to get it"
        )
    model = hdemucs_high(list(STEMS))
    try:
        model.load_state_dict(load_plain(path))
    except Exception as error:
        first_line = str(error).strip().split("\n")[0]
        raise SongatlasError(
            f"transcription.separation: {path} does not hold the weights of torchaudio's "
            f"hdemucs_high ({first_line})"
        ) from None
    return model.to(device).eval()


@torch.inference_mode()
def vocals(model: Any, wave: np.ndarray, device: str) -> np.ndarray:
    """The voice in a song: `wave` (samples,) float32 mono at `RATE_HZ`, the result too.

    In chunks of ten seconds that overlap by one, faded into each other.
    """
    chunk, overlap = round(CHUNK_S * RATE_HZ), round(OVERLAP_S * RATE_HZ)
    mean, deviation = float(wave.mean()), float(wave.std()) + 1e-8
    scaled = torch.from_numpy((wave - mean) / deviation)
    found = torch.zeros(len(wave))
    weights = torch.zeros(len(wave))
    for start in range(0, max(1, len(wave) - overlap), chunk - overlap):
        part = scaled[start : start + chunk]
        stereo = torch.nn.functional.pad(part, (0, chunk - len(part))).expand(1, 2, -1)
        stems = model(stereo.to(device)).cpu()
        voice = stems[0, STEMS.index("vocals")].mean(0)[: len(part)]
        ramp = torch.ones(len(part))
        faded = min(overlap, len(part))
        if start:
            ramp[:faded] = torch.linspace(0.0, 1.0, faded)
        if start + chunk < len(wave):
            ramp[-faded:] = torch.minimum(ramp[-faded:], torch.linspace(1.0, 0.0, faded))
        found[start : start + len(part)] += voice * ramp
        weights[start : start + len(part)] += ramp
    return np.asarray((found / weights.clamp_min(1e-6) * deviation).numpy(), np.float32)


def sung_share(voice: np.ndarray, mix: np.ndarray, rate_hz: int) -> float:
    """Share of a song's seconds in which somebody sings, from the separated voice."""
    n = len(mix) // rate_hz
    if n == 0:
        return 0.0
    levels = [_level_db(part[: n * rate_hz].reshape(n, rate_hz)) for part in (voice, mix)]
    return float(((levels[0] > QUIET_DB) & (levels[0] > levels[1] + BELOW_MIX_DB)).mean())


def _level_db(seconds: np.ndarray) -> np.ndarray:
    return np.asarray(10.0 * np.log10((seconds.astype(np.float64) ** 2).mean(axis=1) + 1e-12))
