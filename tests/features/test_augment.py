"""Augmentation of log-mel spectrograms."""

from dataclasses import fields, replace

import librosa
import numpy as np
import pytest
import torch

from songatlas.features.audio import augment as module
from songatlas.features.audio.augment import (
    Strength,
    add_noise,
    augment,
    crop_and_stretch,
    equaliser,
    mask,
    mel_frequencies_hz,
    mix,
    pitch_shift,
    power_sum,
)

torch.set_num_threads(1)

RATE, N_FFT, HOP, N_MELS = 22050, 2048, 512, 64
MEL_HZ = torch.as_tensor(mel_frequencies_hz(N_MELS, 0.0, RATE / 2))
NOTHING = Strength(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def logmel(signal: np.ndarray) -> torch.Tensor:
    power = librosa.feature.melspectrogram(
        y=signal, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS
    )
    return torch.as_tensor(librosa.power_to_db(power, ref=1.0, top_db=80.0))[None]


def tone(pitch_hz: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * pitch_hz * h * time) / h for h in (1, 2, 3, 4)).astype(np.float32)


def noise(*shape: int) -> torch.Tensor:
    return 10.0 * torch.randn(*shape) - 40.0


def test_centres_are_the_peaks_of_librosas_filters() -> None:
    filters = librosa.filters.mel(sr=RATE, n_fft=16384, n_mels=N_MELS)
    peaks = filters.argmax(1) * RATE / 16384
    np.testing.assert_allclose(MEL_HZ, peaks, atol=RATE / 16384 + 1e-6)


@pytest.mark.parametrize("semitones", [-2.0, 2.0])
def test_pitch_shift_is_what_a_shifted_tone_looks_like(
    semitones: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "_uniform", lambda n, low, high, device: torch.full((n,), semitones)
    )
    low, high = logmel(tone(440.0)), logmel(tone(440.0 * 2 ** (semitones / 12)))
    floor = low.amax((1, 2), keepdim=True) - 80.0
    shifted = pitch_shift(low, MEL_HZ, 2.0, floor)
    loud = high[0, :, 40] > high.max() - 30.0
    before = (low - high)[0, loud, 40].abs().mean()
    after = (shifted - high)[0, loud, 40].abs().mean()
    assert after < 0.35 * before


def test_stretching_moves_clicks_to_their_new_times(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([1.0, 1.1])  # the whole window, a tenth faster
    monkeypatch.setattr(
        module, "_uniform", lambda n, low, high, device: torch.full((n,), next(draws))
    )
    db = torch.full((1, 4, 111), -80.0)
    db[:, :, 55] = 0.0
    stretched = crop_and_stretch(db, 1.0, 0.1)
    assert int(stretched[0, 0].argmax()) == 50


def test_powers_add() -> None:
    assert float(power_sum(torch.tensor(-20.0), torch.tensor(-20.0))) == pytest.approx(
        -20.0 + 10 * np.log10(2), abs=1e-4
    )
    assert float(power_sum(torch.tensor(0.0), torch.tensor(-80.0))) == pytest.approx(0.0, abs=1e-4)


def test_mixing_keeps_at_least_its_share_of_a_window() -> None:
    torch.manual_seed(0)
    db = noise(8, 6, 10)
    mixed = mix(db, 0.2)
    assert (mixed >= db + 10 * np.log10(0.8) - 1e-3).all()
    assert not torch.equal(mixed, db)


def test_noise_lies_as_far_below_the_loudest_value_as_asked_for() -> None:
    torch.manual_seed(0)
    silent = torch.full((64, 8, 200), -200.0)
    silent[:, 0, 0] = 0.0
    noisy = add_noise(silent, 30.0)[:, 1:]
    power = 10 * torch.log10((10 ** (noisy / 10)).mean((1, 2)))
    assert float(power.max()) < -29.0
    assert float(power.min()) > -81.0


def test_the_equaliser_is_smooth_and_within_its_range() -> None:
    torch.manual_seed(0)
    curves = equaliser(100, 64, 6.0, torch.device("cpu"))
    assert curves.shape == (100, 64, 1)
    assert float(curves.abs().max()) <= 6.0
    assert float(curves.diff(dim=1).abs().max()) < 12.0 / 20


def test_masks_hide_bands_and_frames_with_the_mean() -> None:
    torch.manual_seed(1)
    db = noise(50, 20, 30)
    masked = mask(db, 0.5, 0.0)
    hidden = masked != db
    assert (hidden.any(2) == hidden.all(2)).all()
    assert 0 < int(hidden.any(2).sum(1).max()) <= 10
    torch.testing.assert_close(masked[hidden], db.mean((1, 2), keepdim=True).expand_as(db)[hidden])


def test_nothing_changes_when_everything_is_off() -> None:
    db = noise(3, N_MELS, 50).clamp_min(-60.0)
    db[:, 0, 0] = 0.0
    torch.testing.assert_close(augment(db, MEL_HZ, NOTHING), db)


@pytest.mark.parametrize("name", [field.name for field in fields(Strength)])
def test_every_augmentation_alone_changes_windows_and_keeps_them_finite(name: str) -> None:
    torch.manual_seed(0)
    db = noise(4, N_MELS, 50)
    one = replace(NOTHING, **{name: getattr(Strength(), name)})
    changed = augment(db, MEL_HZ, one)
    assert changed.shape == db.shape
    assert changed.isfinite().all()
    assert not torch.allclose(changed, db)


def test_the_seed_decides_and_windows_differ() -> None:
    db = noise(1, N_MELS, 50).expand(6, -1, -1)
    views = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        views.append(augment(db, MEL_HZ, Strength()))
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])
    assert not torch.equal(views[0][0], views[0][1])


def test_silence_stays_finite() -> None:
    silent = torch.full((2, N_MELS, 20), -100.0)
    assert augment(silent, MEL_HZ, Strength()).isfinite().all()
