"""Attributes of the sound, and the loss that binds dimensions of a latent to them."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from songatlas.config.features import LogMel
from songatlas.config.run import Config
from songatlas.config.training import Loss
from songatlas.features.audio.logmel import log_mel
from songatlas.models.attributes import (
    ATTRIBUTES,
    attribute_loss,
    brightness,
    loudness,
    onset_tempo,
    window_attributes,
)

# Tiny tensors: more threads only wait for one another.
torch.set_num_threads(1)

RATE_HZ = 22050 / 1024


def one_band(band: int, level_db: float = -10.0, n_mels: int = 40) -> torch.Tensor:
    mel = torch.full((1, n_mels, 30), -90.0)
    mel[:, band] = level_db
    return mel


def test_brightness_is_the_centroid_of_the_power() -> None:
    mel = torch.cat([one_band(5), one_band(30), torch.maximum(one_band(10), one_band(20))])
    assert brightness(mel) == pytest.approx([5.0, 30.0, 15.0], abs=0.01)
    # Louder by as much everywhere is as bright.
    assert torch.allclose(brightness(mel + 7.0), brightness(mel), atol=1e-4)


def test_silence_has_no_brightness_and_no_tempo() -> None:
    silence = torch.full((2, 40, 400), -100.0)
    assert brightness(silence).isnan().all()
    assert onset_tempo(silence, RATE_HZ).isnan().all()
    assert loudness(silence) == pytest.approx([-100.0, -100.0], abs=1e-3)


def test_loudness_is_the_mean_power_in_decibels() -> None:
    mel = torch.full((1, 10, 10), -20.0)
    assert float(loudness(mel)) == pytest.approx(-20.0, abs=1e-4)
    mel[:, :5] = -math.inf
    assert float(loudness(mel)) == pytest.approx(-20.0 - 10 * math.log10(2), abs=1e-4)
    assert float(loudness(mel.half() + 6)) == pytest.approx(-17.01, abs=0.02)


def clicks(bpm: float, between: float, seconds: float = 10.0) -> np.ndarray:
    """A click on every beat over quiet noise, and half way between beats one `between` as loud."""
    rate = 22050
    rng = np.random.default_rng(round(bpm))
    signal = 1e-3 * rng.standard_normal(int(seconds * rate)).astype(np.float32)
    for number in range(int(seconds * bpm / 60 * 2)):
        at = int(number * 30.0 / bpm * rate)
        burst = rng.standard_normal(min(800, len(signal) - at))
        signal[at : at + 800] += (between if number % 2 else 1.0) * burst.astype(np.float32)
    return signal


@pytest.mark.parametrize(
    ("bpm", "between"), [([64.0, 90.0, 117.0, 150.0], 0.0), ([90.0, 117.0, 133.0], 0.3)]
)
def test_tempo_of_clicks_within_two_percent(bpm: list[float], between: float) -> None:
    config = LogMel(n_mels=16, hop_length=1024)
    mel = torch.from_numpy(log_mel(np.stack([clicks(value, between) for value in bpm]), config))
    assert onset_tempo(mel, RATE_HZ).tolist() == pytest.approx(bpm, rel=0.02)


def test_a_slow_beat_with_strong_half_beats_is_heard_at_twice_its_tempo() -> None:
    """The known limit of an estimate without a metre."""
    mel = torch.from_numpy(log_mel(clicks(72.0, 0.9)[None], LogMel(n_mels=16, hop_length=1024)))
    assert float(onset_tempo(mel, RATE_HZ)) == pytest.approx(144.0, rel=0.02)


def test_tempo_follows_the_frame_rate_and_needs_two_beats() -> None:
    mel = torch.full((1, 20, 400), -60.0)
    mel[:, :, ::10] = -20.0
    assert float(onset_tempo(mel, 20.0)) == pytest.approx(120.0, rel=0.02)
    assert float(onset_tempo(mel, 15.0)) == pytest.approx(90.0, rel=0.02)
    assert onset_tempo(mel[:, :, :40], 20.0).isnan().all()


def test_window_attributes_are_the_functions_in_the_order_of_their_names() -> None:
    mel = torch.randn(300, 12, 120, generator=torch.Generator().manual_seed(0)).half() * 10 - 40
    found = window_attributes(mel, ["loudness", "brightness"], RATE_HZ)
    assert torch.allclose(found, torch.stack([loudness(mel), brightness(mel)], 1), atol=1e-4)
    assert window_attributes(mel, list(ATTRIBUTES), RATE_HZ).shape == (300, 3)
    assert window_attributes(mel[:0], ["tempo"], RATE_HZ).shape == (0, 1)


# --- the loss ----------------------------------------------------------------------------------


def by_hand(z: np.ndarray, a: np.ndarray, delta: float) -> float:
    errors = [
        abs(np.tanh(delta * (z[i] - z[j])) - np.sign(a[i] - a[j]))
        for i in range(len(z))
        for j in range(len(z))
        if i != j and np.isfinite(a[i]) and np.isfinite(a[j])
    ]
    return float(np.mean(errors)) if errors else 0.0


def test_loss_is_the_mean_over_known_pairs_summed_over_attributes() -> None:
    rng = np.random.default_rng(0)
    z, a = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    a[2, 0] = np.nan
    a[3, 1] = a[4, 1]
    loss = attribute_loss(torch.tensor(z), torch.tensor(a), [3, 1], delta=2.0)
    expected = by_hand(z[:, 3], a[:, 0], 2.0) + by_hand(z[:, 1], a[:, 1], 2.0)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_loss_is_zero_in_order_and_two_in_reverse() -> None:
    a = torch.arange(5.0)[:, None]
    assert float(attribute_loss(100 * a, a**3, [0])) == pytest.approx(0.0, abs=1e-6)
    assert float(attribute_loss(-100 * a, a, [0])) == pytest.approx(2.0, abs=1e-6)


def test_unknown_attributes_and_single_windows_add_nothing_and_no_nan_gradient() -> None:
    z = torch.randn(4, 3, requires_grad=True)
    unknown = torch.full((4, 2), math.nan)
    unknown[:, 1] = torch.arange(4.0)
    loss = attribute_loss(z, unknown, [0, 1])
    loss.backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
    assert (z.grad[:, [0, 2]] == 0).all()
    assert (z.grad[:, 1] != 0).any()
    assert float(attribute_loss(z[:1], unknown[:1], [0, 1]).detach()) == 0.0


def test_descending_the_loss_orders_a_dimension() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(40, 1, generator=generator)
    z = torch.randn(40, 2, generator=generator, requires_grad=True)
    before = z.detach().clone()
    optimiser = torch.optim.Adam([z], 0.05)
    for _ in range(150):
        optimiser.zero_grad()
        attribute_loss(z, a, [1]).backward()
        optimiser.step()
    ranks = torch.stack([a[:, 0].argsort().argsort(), z[:, 1].argsort().argsort()]).float()
    assert float(torch.corrcoef(ranks)[0, 1]) > 0.95
    assert torch.equal(z[:, 0].detach(), before[:, 0])


# --- the config --------------------------------------------------------------------------------


def test_attributes_name_known_attributes_and_dimensions_of_their_own() -> None:
    assert Loss(attributes={"tempo": 0, "loudness": 2}).attributes == {"tempo": 0, "loudness": 2}
    with pytest.raises(ValidationError, match="brightness"):
        Loss(attributes={"warmth": 0})
    with pytest.raises(ValidationError, match="two attributes to one dimension"):
        Loss(attributes={"tempo": 1, "loudness": 1})
    assert set(ATTRIBUTES) == {"tempo", "brightness", "loudness"}


def test_a_bound_dimension_must_be_one_that_the_model_has() -> None:
    model = {"architecture": "conv_vae", "latent_dim": 8}
    bound = model | {"loss": {"attributes": {"tempo": 8}}}
    with pytest.raises(ValidationError, match=r"models.m: .*dimension 8, but latent_dim is 8"):
        Config.model_validate({"models": {"m": bound}})
    with pytest.raises(ValidationError, match="dimension 9"):
        Config.model_validate({"models": {"m": model}, "loss": {"attributes": {"tempo": 9}}})
    # A model's own mapping stands in place of the common one.
    both = {"models": {"m": bound | {"loss": {"attributes": {"tempo": 7}}}}}
    found = Config.model_validate(both | {"loss": {"attributes": {"loudness": 9}}})
    assert found.loss_for("m").attributes == {"tempo": 7}
