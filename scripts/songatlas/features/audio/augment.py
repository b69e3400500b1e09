"""Augmentation of log-mel spectrograms in batch, on whatever device they lie.

All work on spectrograms in dB, (B, n_mels, n_frames) float32, before windows are standardised, and
draw from torch's global random state. Frequency and time are resampled by linear interpolation:
what a pitch shift and a time stretch of the waveform do to its log-mel spectrogram, but for phase.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

FLOOR_DB = 80.0
"""Silence that fills bands and frames lies this far below a window's loudest value."""


@dataclass(frozen=True)
class Strength:
    """Ranges that augmentations draw from; 0 (or 1 for `crop`) switches one off."""

    crop: float = 0.6
    """Shortest excerpt, as a share of the window; it is stretched back to the window's length."""
    gain_db: float = 6.0
    """Largest gain or attenuation."""
    noise_db: float = 30.0
    """Noise lies at least this far below the loudest value (0: none)."""
    eq_db: float = 6.0
    """Largest boost or cut of the equaliser's four bands."""
    pitch_semitones: float = 2.0
    stretch: float = 0.1
    """Time stretch by 1 − `stretch` to 1 + `stretch`."""
    masked_bands: float = 0.15
    """Largest share of mel bands that SpecAugment's frequency mask hides."""
    masked_frames: float = 0.15
    mix: float = 0.2
    """Largest share of power that an excerpt of another window of the batch has."""


def augment(db: Tensor, mel_hz: Tensor, strength: Strength) -> Tensor:
    """Every window augmented on its own: (B, n_mels, n_frames) in dB → the same.

    Args:
        db: log-mel spectrograms in dB.
        mel_hz: (n_mels,) centre frequencies of the bands, for the pitch shift.
        strength: what is drawn from.
    """
    db = db.float()
    floor = db.amax((1, 2), keepdim=True) - FLOOR_DB
    if strength.crop < 1.0 or strength.stretch > 0.0:
        db = crop_and_stretch(db, strength.crop, strength.stretch)
    if strength.pitch_semitones > 0.0:
        db = pitch_shift(db, mel_hz, strength.pitch_semitones, floor)
    if strength.mix > 0.0:
        db = mix(db, strength.mix)
    if strength.eq_db > 0.0:
        db = db + equaliser(len(db), db.shape[1], strength.eq_db, db.device)
    if strength.noise_db > 0.0:
        db = add_noise(db, strength.noise_db)
    if strength.gain_db > 0.0:
        # The floor stays where it is: a quiet window loses what falls below it.
        db = db + _uniform(len(db), -strength.gain_db, strength.gain_db, db.device)[:, None, None]
    db = torch.maximum(db, floor)
    return mask(db, strength.masked_bands, strength.masked_frames)


def crop_and_stretch(db: Tensor, shortest: float, stretch: float) -> Tensor:
    """A random excerpt of each window, played at a random tempo, as long as the window.

    An excerpt that is too short repeats from its start, as music does.
    """
    n, _, frames = db.shape
    share = _uniform(n, min(shortest, 1.0), 1.0, db.device)
    speed = _uniform(n, 1.0 - stretch, 1.0 + stretch, db.device)
    length = (share * frames).clamp_min(2.0)
    start = torch.rand(n, device=db.device) * (frames - length)
    steps = torch.arange(frames, device=db.device)[None] * speed[:, None]
    position = start[:, None] + steps % (length[:, None] - 1.0)
    low = position.floor().long().clamp(0, frames - 2)
    weight = (position - low)[:, None]
    first = db.gather(2, low[:, None].expand(-1, db.shape[1], -1))
    second = db.gather(2, (low + 1)[:, None].expand(-1, db.shape[1], -1))
    return first * (1.0 - weight) + second * weight


def pitch_shift(db: Tensor, mel_hz: Tensor, semitones: float, floor: Tensor) -> Tensor:
    """Each window moved along the frequency axis by up to ± `semitones`.

    Bands that nothing falls into get `floor` (B, 1, 1).
    """
    shift = _uniform(len(db), -semitones, semitones, db.device)
    # What sounds at f after the shift sounded at f / ratio before it.
    wanted = mel_hz.to(db)[None] / torch.exp2(shift / 12.0)[:, None]
    bands = torch.arange(len(mel_hz), device=db.device, dtype=db.dtype)
    position = _interpolate(wanted, mel_hz.to(db), bands)
    low = position.floor().long().clamp(0, db.shape[1] - 2)
    weight = (position - low)[:, :, None]
    first = db.gather(1, low[:, :, None].expand(-1, -1, db.shape[2]))
    second = db.gather(1, (low + 1)[:, :, None].expand(-1, -1, db.shape[2]))
    shifted = first * (1.0 - weight) + second * weight
    outside = (wanted > mel_hz[-1].to(db))[:, :, None]
    return torch.where(outside, floor, shifted)


def mix(db: Tensor, most: float) -> Tensor:
    """Each window with up to `most` of its power from another window of the batch, in power."""
    share = _uniform(len(db), 0.0, most, db.device)[:, None, None]
    other = db[torch.randperm(len(db), device=db.device)]
    frames = torch.arange(db.shape[2], device=db.device)
    # Drawn where the windows are, so that a recorded step draws it anew.
    other = other[:, :, (frames - torch.randint(len(frames), (), device=db.device)) % len(frames)]
    tiny = torch.finfo(torch.float32).tiny
    kept = db + 10.0 * torch.log10(1.0 - share)
    added = other + 10.0 * torch.log10(share.clamp_min(tiny))
    return power_sum(kept, added)


def add_noise(db: Tensor, distance_db: float) -> Tensor:
    """White noise between `distance_db` and `FLOOR_DB` below each window's loudest value."""
    loudest = db.amax((1, 2), keepdim=True)
    distance = _uniform(len(db), distance_db, max(FLOOR_DB, distance_db), db.device)
    # Power of white noise in one band and frame is exponentially distributed.
    power = torch.empty_like(db).exponential_().clamp_min(1e-6)
    return power_sum(db, loudest - distance[:, None, None] + 10.0 * torch.log10(power))


def power_sum(one: Tensor, other: Tensor) -> Tensor:
    """dB of the sum of two powers given in dB."""
    return torch.logaddexp(one * (math.log(10) / 10), other * (math.log(10) / 10)) * (
        10 / math.log(10)
    )


def equaliser(n: int, n_mels: int, most_db: float, device: torch.device) -> Tensor:
    """Smooth random curves over the bands, (n, n_mels, 1) in dB, from four independent gains."""
    gains = (torch.rand(n, 1, 4, device=device) * 2.0 - 1.0) * most_db
    return F.interpolate(gains, size=n_mels, mode="linear", align_corners=True).transpose(1, 2)


def mask(db: Tensor, bands: float, frames: float) -> Tensor:
    """One frequency and one time mask per window, at its mean (SpecAugment, Park et al. 2019)."""
    mean = db.mean((1, 2), keepdim=True)
    for dim, share in ((1, bands), (2, frames)):
        size = db.shape[dim]
        width = _uniform(len(db), 0.0, share, db.device) * size
        start = torch.rand(len(db), device=db.device) * (size - width)
        place = torch.arange(size, device=db.device)[None]
        hidden = (place >= start[:, None]) & (place < (start + width)[:, None])
        db = torch.where(hidden.unsqueeze(3 - dim), mean, db)
    return db


def mel_frequencies_hz(n_mels: int, f_min_hz: float, f_max_hz: float) -> np.ndarray:
    """Centre frequencies of Slaney's mel bands, (n_mels,) float64."""
    import librosa

    return librosa.mel_frequencies(n_mels + 2, fmin=f_min_hz, fmax=f_max_hz)[1:-1]


def _interpolate(x: Tensor, known_x: Tensor, known_y: Tensor) -> Tensor:
    """Linear interpolation of increasing knots; constant outside them."""
    right = torch.searchsorted(known_x, x.contiguous()).clamp(1, len(known_x) - 1)
    x0, x1 = known_x[right - 1], known_x[right]
    y0, y1 = known_y[right - 1], known_y[right]
    return (y0 + (x - x0) / (x1 - x0) * (y1 - y0)).clamp(known_y[0], known_y[-1])


def _uniform(n: int, low: float, high: float, device: torch.device) -> Tensor:
    return low + (high - low) * torch.rand(n, device=device)
