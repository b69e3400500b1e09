"""Log-mel spectrograms of windows: librosa's definition, several times faster on batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from songatlas.config.features import LogMel
from songatlas.features.audio.extract import WindowFeature, write_window_feature
from songatlas.features.audio.mel import AMIN, mel_filters

FRAMES_AT_ONCE = 256
"""Frames transformed together: their samples and spectra stay in the processor's cache."""

BAND_GROUPS = 8
"""Mel bands are projected in groups of neighbours, each from the few bins that it needs."""


@dataclass(frozen=True)
class _BandGroup:
    """Mel bands [first_band, last_band) from the STFT bins [first_bin, last_bin).

    `weights` of shape (2 · bins, bands) has every bin's row twice: for the squares of its real and
    its imaginary part, which lie side by side. Adding the two first would cost more than the
    product, since vectors of every other value are slow to read.
    """

    first_band: int
    last_band: int
    first_bin: int
    last_bin: int
    weights: torch.Tensor


def log_mel(windows: np.ndarray, config: LogMel) -> np.ndarray:
    """Log-mel spectrograms of windows, in dB.

    Equals, window by window, `librosa.feature.melspectrogram(center=True, pad_mode="constant",
    power=2.0, norm="slaney", htk=False)` followed by `librosa.power_to_db(ref=1.0, amin=1e-10,
    top_db=config.top_db)` to about 0.001 dB.

    Args:
        windows: float32 of shape (n, samples) at `config.sample_rate_hz`.

    Returns:
        float32 of shape (n, n_mels, n_frames) with n_frames = 1 + samples // hop_length.
    """
    samples = torch.from_numpy(np.ascontiguousarray(windows, np.float32))
    half = config.n_fft // 2
    hann, groups = _filters(config)
    n_frames = 1 + samples.shape[1] // config.hop_length
    found = torch.empty(len(samples), config.n_mels, n_frames)
    # One set of buffers for all windows: fresh pages for each would cost as much as the transform.
    padded = torch.zeros(samples.shape[1] + config.n_fft)
    frames = padded.unfold(0, config.n_fft, config.hop_length)
    chunk = torch.empty(FRAMES_AT_ONCE, config.n_fft)
    spectrum = torch.empty(FRAMES_AT_ONCE, half + 1, dtype=torch.complex64)
    parts = torch.view_as_real(spectrum).flatten(1)
    bands = torch.zeros(n_frames, config.n_mels)
    for signal, decibel in zip(samples, found, strict=True):
        padded[half : half + len(signal)] = signal
        for start in range(0, n_frames, FRAMES_AT_ONCE):
            part = frames[start : min(start + FRAMES_AT_ONCE, n_frames)]
            n = len(part)
            torch.mul(part, hann, out=chunk[:n])
            torch.fft.rfft(chunk[:n], out=spectrum[:n])
            squares = parts[:n].square_()
            for group in groups:
                bins = squares[:, 2 * group.first_bin : 2 * group.last_bin]
                out = bands[start : start + n, group.first_band : group.last_band]
                torch.mm(bins, group.weights, out=out)
        decibel.copy_(bands.clamp_min_(AMIN).log10_().mul_(10.0).T)
        decibel.clamp_min_(decibel.max() - config.top_db)
        bands.zero_()
    return found.numpy()


def stored_log_mel(windows: np.ndarray, config: LogMel) -> np.ndarray:
    """`log_mel` as features are stored, float16."""
    # As NumPy rounds, thirty times as fast.
    return torch.from_numpy(log_mel(windows, config)).half().numpy()


def write_logmel(
    shard_path: str | Path,
    output: str | Path,
    length_s: float,
    config: LogMel,
    rejects_path: str | Path | None = None,
    warnings_path: str | Path | None = None,
) -> str:
    """Write the log-mel spectrograms of a shard's windows: raw dB as float16.

    Songs that cannot be decoded are left out and recorded in `rejects_path` (stage `logmel`);
    what is odd about the others goes to `warnings_path`.

    Args:
        shard_path: a table `tables.SHARD`.
        output: feature part, key window_id, shape (n_mels, n_frames).
        length_s: length of every window in seconds.

    Returns:
        How many songs were written and left out, in words.
    """
    feature = WindowFeature(
        name="logmel",
        shape=(config.n_mels, config.n_frames(length_s)),
        dtype="float16",
        units="dB (ref 1.0)",
        metadata={"logmel": config.model_dump(), "length_s": length_s},
        compute=partial(stored_log_mel, config=config),
    )
    return write_window_feature(
        feature,
        shard_path,
        output,
        rejects_path,
        config.sample_rate_hz,
        length_s,
        warnings_path,
    )


@lru_cache(maxsize=4)
def _filters(config: LogMel) -> tuple[torch.Tensor, Sequence[_BandGroup]]:
    """The Hann window and librosa's Slaney mel filters in groups of bands."""
    from librosa.filters import get_window

    weights = mel_filters(config)
    groups = []
    for bands in np.array_split(np.arange(config.n_mels), BAND_GROUPS):
        used = np.flatnonzero(weights[bands].any(axis=0))
        if not len(used):
            continue  # bands narrower than a bin: no power, as librosa has it
        first, last = int(used[0]), int(used[-1]) + 1
        part = torch.from_numpy(np.repeat(weights[bands, first:last].T, 2, axis=0))
        groups.append(_BandGroup(int(bands[0]), int(bands[-1]) + 1, first, last, part))
    hann = torch.from_numpy(get_window("hann", config.n_fft, fftbins=True).astype(np.float32))
    return hann, groups
