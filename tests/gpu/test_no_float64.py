"""Apple's devices know no float64 and no QR: what needs them is computed on the CPU."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

sys.path.insert(0, str(Path(__file__).parent))

from gpu_corpus import SMALL, every_architecture, make_windows, started
from songatlas.extras.vade_estimator import VaDE
from songatlas.latents.traverse import posteriors
from songatlas.models import towers
from songatlas.models.mixture import MixturePrior
from songatlas.models.towers import IsometricTower
from songatlas.training.data import prepare

torch.set_num_threads(1)

WIDENING = (torch.Tensor.double, torch.Tensor.to, torch.Tensor.type)


class WithoutFloat64(TorchFunctionMode):
    """Pretends that tensors are on such a device until `.cpu()` has brought them back."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        asked = any(value is torch.float64 for value in (*args, *kwargs.values()))
        wide = func is torch.Tensor.double or asked
        if func in WIDENING and wide and not getattr(args[0], "on_cpu", False):
            raise TypeError("this device has no float64")
        if func is torch.linalg.qr and not getattr(args[0], "on_cpu", False):
            raise NotImplementedError("this device has no QR")
        out = func(*args, **kwargs)
        if func is torch.Tensor.cpu:
            out = out.view_as(out)
            out.on_cpu = True
        return out


def test_the_pretended_device_refuses_float64() -> None:
    with WithoutFloat64():
        torch.zeros(2).cpu().double()
        with pytest.raises(TypeError):
            torch.zeros(2).double()
        with pytest.raises(TypeError):
            torch.zeros(2).to(torch.float64)


def test_a_mixture_starts_looks_and_restarts() -> None:
    latents = np.random.default_rng(0).normal(size=(40, 3))
    prior = MixturePrior(4, 3)
    with WithoutFloat64():
        prior.initialise(latents, 0)
        prior.mass.copy_(torch.tensor([10.0, 0.0, 10.0, 10.0]))
        assert list(prior.empty()) == [1]
        prior.restart(np.array([1]), latents, 0)
    assert prior.means.isfinite().all()


def test_a_contrastive_encoder_finishes() -> None:
    (variant,) = [v for v in every_architecture(SMALL) if v.name == "contrastive_audio"]
    windows = make_windows(SMALL, 14)
    model = started(variant.description, windows).eval()
    batch = prepare(windows.batch(np.arange(14)))
    with WithoutFloat64(), torch.no_grad():
        model.finish(lambda: [batch])
    assert float(model.shift.abs().max()) > 0.0  # type: ignore[operator, union-attr]


def test_posteriors_of_a_traversal() -> None:
    (variant,) = [v for v in every_architecture(SMALL) if v.name == "basic_vae"]
    windows = make_windows(SMALL, 8)
    model = started(variant.description, windows).eval()
    with WithoutFloat64():
        mu, variance = posteriors(model, windows)  # type: ignore[arg-type]
    assert mu.dtype == variance.dtype == np.float64


def test_the_estimator_fits_and_predicts() -> None:
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    with WithoutFloat64():
        found = VaDE(3, latent_dim=2, widths=(8,), pretrain_epochs=2, epochs=4).fit(X)
        assert found.predict_proba(X).shape == (60, 3)


def test_a_tower_decomposes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    tower = IsometricTower(6, 3, 4, 4, 0.0)
    expected = tower.projection()
    with WithoutFloat64():
        with pytest.raises(NotImplementedError):
            tower.projection()
        monkeypatch.setattr(towers, "WITHOUT_QR", ("cpu",))
        found: Tensor = tower.projection()
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert tower.directions.grad is not None
