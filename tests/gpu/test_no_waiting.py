"""A training step asks the device for no value: `meta`, a device that has none, can do it."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

sys.path.insert(0, str(Path(__file__).parent))

from gpu_corpus import SMALL, Variant, every_architecture, make_windows, started, windows_of
from songatlas.config.training import Loss, Training
from songatlas.models.base import Model
from songatlas.models.deep_clustering import DeepClustering
from songatlas.models.quantiser import Quantiser
from songatlas.training import module as training_module
from songatlas.training.data import Batches, Windows, prepare
from songatlas.training.module import Epoch, TrainingModule
from songatlas.training.schedule import Schedule

torch.set_num_threads(1)

N_WINDOWS = 16
VARIANTS = list(every_architecture(SMALL))


@pytest.fixture(autouse=True)
def autocast_of_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Autocast, which the step switches off in places, does not know the device."""
    autocast = torch.autocast

    def known(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return nullcontext() if device_type == "meta" else autocast(device_type, *args, **kwargs)

    monkeypatch.setattr(torch, "autocast", known)


@pytest.fixture(autouse=True)
def backward_without_a_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(self: TrainingModule, loss: Tensor) -> None:
        loss.backward()

    monkeypatch.setattr(TrainingModule, "backwards", backwards)


def batches(model: Model, windows: Windows) -> Batches:
    rows = np.arange(len(windows))
    return Batches(windows, rows, N_WINDOWS, 0, pairs=model.pairs, whole_songs=model.whole_songs)


def on_meta(model: Model, windows: Windows) -> tuple[Model, Iterator[dict[str, Tensor]]]:
    """The model and its batches, where nothing has a value."""
    # What happens in the first step alone (a codebook's start) may ask.
    model(prepare(next(iter(batches(model, windows)))))
    moved = model.to("meta")
    if isinstance(model, DeepClustering) and model.target is not None:
        model.target = model.target.to(torch.device("meta"))
    for part in moved.modules():
        if isinstance(part, Quantiser):
            part._seen_version = part.initialised._version
    return moved, iter(batches(model, windows.to("meta")))


def on_device(model: Model, loss: Loss) -> TrainingModule:
    """The module that trains the model."""
    training = Training(precision="16-mixed", gradient_clip=0.5)
    schedule = Schedule(model.pretrain_epochs, 1, 2, 1.0)
    windows = make_windows(SMALL, N_WINDOWS)
    unused = Batches(windows, np.arange(N_WINDOWS), N_WINDOWS)
    module = TrainingModule(
        model, training, schedule, loss, 0, unused, unused,
        validated=False, precision="16-mixed", resume=None, resume_every_s=1e9,
    ).to("meta")  # fmt: skip
    module.kl_weight, module.totals = 0.5, {"train": Epoch(windows.n_songs)}
    return module


def gradients_of(model: Model, batch: dict[str, Tensor]) -> None:
    """What is recorded of a step."""
    module = on_device(model, Loss(scale="elbo"))
    module.recorded_gradients(batch, torch.empty((), device="meta"))


def whole_step(model: Model, batch: dict[str, Tensor], loss: Loss) -> Epoch:
    """What `training_step` does with a batch, the epoch's sums included."""
    module = on_device(model, loss)
    optimizer = module.configure_optimizers()
    ready = prepare(batch)
    done, terms = module.gradients(ready, module.rewinder())
    module.on_before_optimizer_step(optimizer)
    optimizer.step()
    found = module.measures(ready, done, terms)
    module.totals["train"].add(ready["track"], done, found)
    return module.totals["train"]


class Uploads(TorchDispatchMode):
    """Names operations that take a tensor of the processor to the device.

    No graph can record the copy. What `values[index] = 1` copies is not seen: `meta` needs no copy.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        devices = {leaf.device.type for leaf in tree_leaves((args, out)) if hasattr(leaf, "device")}
        if devices == {"cpu", "meta"}:
            self.found.append(str(func))
        return out


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_step_takes_nothing_of_the_processor(variant: Variant) -> None:
    """Neither values nor random draws, so that a card can record it."""
    windows = windows_of(variant.description, make_windows(SMALL, N_WINDOWS))
    model, given = on_meta(started(variant.description, windows), windows)
    batch = next(given)
    drawn = torch.get_rng_state()
    with Uploads() as uploads:
        gradients_of(model, batch)
    assert uploads.found == []
    assert torch.equal(torch.get_rng_state(), drawn)


def test_an_upload_is_seen() -> None:
    there = torch.zeros(3, device="meta")
    with Uploads() as uploads:
        there.copy_(torch.ones(3))
    assert uploads.found == ["aten.copy_.default"]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_step_needs_no_value_of_the_device(variant: Variant) -> None:
    windows = windows_of(variant.description, make_windows(SMALL, N_WINDOWS))
    model, given = on_meta(started(variant.description, windows), windows)
    sums = whole_step(model, next(given), Loss(scale="elbo", free_bits=0.1))
    assert sums.n == N_WINDOWS
    assert all(value.device.type == "meta" for value in sums.sums.values())
    sums.posterior.add_waiting()
    assert sums.posterior.sums is not None
    assert sums.posterior.sums.device.type == "meta"


def test_a_step_with_bound_attributes_needs_no_value_either() -> None:
    (variant,) = [variant for variant in VARIANTS if variant.name == "basic_vae"]
    windows = make_windows(SMALL, N_WINDOWS)
    model, given = on_meta(started(variant.description, windows), windows)
    loss = Loss(attributes={"tempo": 0, "brightness": 1, "loudness": 2})
    assert "attributes" in whole_step(model, next(given), loss).sums


def test_meta_refuses_a_step_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above would miss, were the device to answer."""
    add = Epoch.add

    def asking(self: Epoch, track: Tensor, *rest: Any) -> None:
        int(track.sum())
        add(self, track, *rest)

    monkeypatch.setattr(training_module.Epoch, "add", asking)
    (variant,) = [variant for variant in VARIANTS if variant.name == "basic_vae"]
    windows = make_windows(SMALL, N_WINDOWS)
    model, given = on_meta(started(variant.description, windows), windows)
    with pytest.raises(RuntimeError, match="meta"):
        whole_step(model, next(given), Loss())
