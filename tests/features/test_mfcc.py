"""MFCC and derivatives equal librosa's."""

from pathlib import Path

import librosa
import numpy as np
import pytest

from songatlas.config.features import LogMel
from songatlas.corpus.sound.decode import decode_windows
from songatlas.features.audio.descriptors import delta, mfcc
from songatlas.features.audio.logmel import log_mel


def test_equals_librosa_on_real_audio(jamendolyrics: Path) -> None:
    path = sorted(jamendolyrics.glob("mp3/*.mp3"))[0]
    logmel = log_mel(np.stack(list(decode_windows(path, 22050, [20.0, 40.0], 30.0))), LogMel())
    ours = mfcc(logmel, 40)
    assert ours.shape == (2, 40, 1292)
    assert ours.dtype == np.float32
    for window, values in zip(logmel, ours, strict=True):
        static = librosa.feature.mfcc(S=window, n_mfcc=40)
        np.testing.assert_allclose(values, static, atol=1e-3)
        np.testing.assert_allclose(delta(values), librosa.feature.delta(static), atol=1e-3)
        second = librosa.feature.delta(static, order=2)
        np.testing.assert_allclose(delta(values, order=2), second, atol=1e-3)


def test_stored_half_precision_is_enough() -> None:
    logmel = np.random.default_rng(0).uniform(-60, 20, (3, 64, 50)).astype(np.float32)
    np.testing.assert_allclose(mfcc(logmel.astype(np.float16), 20), mfcc(logmel, 20), atol=0.1)


def test_derivative_of_a_ramp_is_its_slope_up_to_the_edges() -> None:
    ramp = np.arange(30.0) * np.array([[2.0], [-0.5]])
    np.testing.assert_allclose(delta(ramp), np.full((2, 30), [[2.0], [-0.5]]), atol=1e-5)
    np.testing.assert_allclose(delta(ramp, order=2), 0.0, atol=1e-5)


def test_too_few_frames_or_bands_are_errors() -> None:
    with pytest.raises(ValueError, match="9 frames"):
        delta(np.zeros((2, 8)))
    with pytest.raises(ValueError, match="16 mel bands"):
        mfcc(np.zeros((16, 20)), 40)
