"""Latents to sound: what a model decodes, in dB, and the waveform that has this spectrogram."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from songatlas.config.features import LogMel
from songatlas.features.audio.loudness import integrated_loudness, true_peak
from songatlas.features.audio.mel import AMIN, mel_filters
from songatlas.models.base import Model
from songatlas.training.data import Windows, prepare

AT_ONCE = 16
"""Spectrograms decoded together."""

SPREAD_STEPS = 10
"""Multiplicative steps that spread the power of mel bands over STFT bins."""

PHASE_STEPS = 32
"""Steps of Griffin-Lim; in the second half magnitudes follow the estimate, too."""

MOMENTUM = 0.99
MOST_CORRECTION = 1e3
"""Most that one step changes the power of a bin by."""

LOUDNESS_LUFS = -20.0
"""Integrated loudness of every sound (EBU R 128), unless its peak forbids it."""

TRUE_PEAK = 10 ** (-1.5 / 20)
"""No sample of a sound, nor the curve between samples, goes beyond -1.5 dB of full scale."""


@torch.inference_mode()
def decode(
    model: Model, windows: Windows, z: np.ndarray, rows: np.ndarray, device: str = "cpu"
) -> np.ndarray:
    """Log-mel spectrograms in dB that a model decodes from latents.

    A model decodes spectrograms of zero mean and unit variance. Each gets the level and the spread
    in dB of a real window, which also brings the label that a conditioned model is shown.

    Args:
        z: latents, (n, latent_dim).
        rows: of `windows`, (n,): the real window of each latent.

    Returns:
        float32 of shape (n, n_mels, n_frames).

    Raises:
        ValueError: when the model decodes nothing from its latent.
    """
    parts = []
    for start in range(0, len(z), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        batch = {name: values.to(device) for name, values in windows.batch(rows[some]).items()}
        ready = prepare(batch)
        latents = torch.as_tensor(z[some], dtype=torch.float32, device=device)
        decoded = model.decode(latents, ready)
        if decoded is None:
            raise ValueError(f"{type(model).__module__} decodes nothing from its latent")
        level = ready["db"].float().mean(dim=(-2, -1), keepdim=True)
        parts.append((level + ready["scale_db"][:, None, None] * decoded.squeeze(1)).cpu())
    return torch.cat(parts).float().numpy()


@torch.inference_mode()
def waveforms(db: np.ndarray, config: LogMel, device: str = "cpu") -> np.ndarray:
    """Sounds whose log-mel spectrograms are nearly those given.

    Power goes from mel bands to STFT bins by the multiplicative updates that minimise the
    Kullback-Leibler divergence (Lee & Seung 2001), which keep it positive. Phases are found by
    Griffin-Lim with momentum (Perraudin, Balazs & Søndergaard 2013) from phases that are drawn with
    a fixed seed: the same spectrogram gives the same sound. In the second half of the steps
    magnitudes are the estimate's own, corrected to give the mel bands asked for.

    Args:
        db: (n, n_mels, n_frames) with at least two frames, as `features.audio.logmel.log_mel`
            gives it.

    Returns:
        float32 of shape (n, (n_frames - 1) * hop_length) at `config.sample_rate_hz`.
    """
    parts = [
        _griffin_lim(torch.from_numpy(db[start : start + AT_ONCE]).to(device), config).cpu()
        for start in range(0, len(db), AT_ONCE)
    ]
    return torch.cat(parts).numpy()


def _griffin_lim(db: Tensor, config: LogMel) -> Tensor:
    filters = torch.tensor(mel_filters(config), device=db.device)
    weight = filters.sum(0).clamp_min(1e-9)[:, None]
    power = 10.0 ** (db / 10.0)

    def correction(bins: Tensor) -> Tensor:
        """What bins must be multiplied by to give the mel bands asked for."""
        return filters.T @ ((power + AMIN) / (filters @ bins + AMIN)) / weight

    bins = filters.T @ power / weight + AMIN
    for _ in range(SPREAD_STEPS):
        bins = bins * correction(bins)
    magnitude = bins.sqrt()
    size: dict[str, Any] = {"n_fft": config.n_fft, "hop_length": config.hop_length}
    size["window"] = torch.hann_window(config.n_fft, device=db.device)
    length = (db.shape[-1] - 1) * config.hop_length
    # One draw for all, on the processor: the phases depend on neither the batch nor the device.
    generator = torch.Generator().manual_seed(0)
    turn = torch.rand(magnitude.shape[1:], generator=generator).to(db.device)
    phase = torch.polar(torch.ones_like(turn), 2 * torch.pi * turn).expand(magnitude.shape)
    before = torch.zeros_like(phase)
    for step in range(PHASE_STEPS):
        sound = torch.istft(magnitude * phase, length=length, **size)
        spectrum = torch.stft(sound, pad_mode="constant", return_complex=True, **size)
        moved = spectrum - MOMENTUM / (1 + MOMENTUM) * before
        phase = moved / (moved.abs() + 1e-16)
        before = spectrum
        if step >= PHASE_STEPS // 2:
            own = spectrum.abs().square()
            change = correction(own).clamp(1 / MOST_CORRECTION, MOST_CORRECTION)
            magnitude = (own * change).sqrt()
    return torch.istft(magnitude * phase, length=length, **size)


def equally_loud(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """The same sound at `LOUDNESS_LUFS`, or softer where its true peak would pass `TRUE_PEAK`.

    What is silent to EBU R 128 becomes silence.

    Args:
        samples: (n,) float32 at `rate_hz`.
    """
    measured = integrated_loudness(samples, rate_hz)
    if not np.isfinite(measured):
        return np.zeros_like(samples)
    gain = 10 ** ((LOUDNESS_LUFS - measured) / 20)
    return samples * np.float32(min(gain, TRUE_PEAK / true_peak(samples)))
