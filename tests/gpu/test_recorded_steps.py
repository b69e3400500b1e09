"""Recorded steps train as single steps do: with recordings that a CPU pretends to make."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))

from gpu_corpus import SMALL, Variant, every_architecture, make_windows, windows_of
from songatlas.config.training import Loss, Training
from songatlas.errors import SongatlasError
from songatlas.models.base import Pass
from songatlas.training import fit, graphs
from songatlas.training import module as training_module
from songatlas.training.fit import Trained
from songatlas.training.graphs import Step
from songatlas.training.module import TrainingModule

torch.set_num_threads(1)

N_WINDOWS = 51
"""Six batches of eight and one of three."""

VARIANTS = list(every_architecture(SMALL))


def pretended(module: TrainingModule, work: Callable[[], Step]) -> tuple[Step, Callable[[], None]]:
    """Computes in every replay what a card would only launch; the recording computes nothing."""
    parameters = list(module.model.parameters())
    rewind = module.rewinder()
    step = copied(work())
    gradients = [parameter.grad for parameter in parameters]
    rewind()

    def replay() -> None:
        for parameter in parameters:
            parameter.grad = None
        for there, fresh in zip(tensors(step), tensors(copied(work())), strict=True):
            there.copy_(fresh)
        for gradient, parameter in zip(gradients, parameters, strict=True):
            if gradient is not None:
                gradient.copy_(parameter.grad)
        for parameter in parameters:
            parameter.grad = None

    return step, replay


def copied(step: Step) -> Step:
    done, loss, found = step
    fields = (copy(value) for value in (done.mu, done.logvar, done.z))
    return Pass(*fields), copy(loss), {name: copy(value) for name, value in found.items()}


def copy(values: Any) -> Any:
    return values.detach().clone() if isinstance(values, Tensor) else values


def tensors(step: Step) -> list[Tensor]:
    done, loss, found = step
    values = [*vars(done).values(), loss, *found.values()]
    return [value for value in values if isinstance(value, Tensor)]


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lets a CPU replay steps; a number for each that it replayed."""
    counted: list[int] = []
    start = TrainingModule.on_train_start

    def started(self: TrainingModule) -> None:
        def record(work: Callable[[], Step]) -> tuple[Step, Callable[[], None]]:
            step, replay = pretended(self, work)
            return step, lambda: (counted.append(1), replay())[1]

        monkeypatch.setattr(graphs, "record", record)
        start(self)

    monkeypatch.setattr(TrainingModule, "on_train_start", started)
    monkeypatch.setattr(training_module, "RECORDABLE", ("cpu",))
    return counted


def trained(variant: Variant, *, recorded: bool, **settings: Any) -> Trained:
    windows = windows_of(variant.description, make_windows(SMALL, N_WINDOWS))
    windows = replace(windows, splits=("train",) * 43 + ("validation",) * 8)
    training = Training(
        max_epochs=4, batch_size=8, device="cpu", precision="32", cuda_graphs=recorded, **settings
    )
    loss = Loss(kl_warmup_epochs=2)
    return fit.train(windows, variant.description, training, loss, name="model", beta=1.0, seed=0)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_replayed_steps_train_as_single_steps_do(variant: Variant, replays: list[int]) -> None:
    single = trained(variant, recorded=False)
    assert not replays
    recorded = trained(variant, recorded=True)
    assert replays
    for name, values in single.weights.items():
        torch.testing.assert_close(recorded.weights[name], values, rtol=0.0, atol=0.0)
    measured = [
        one.history[one.history["metric"] != "seconds"]["value"].to_numpy()
        for one in (single, recorded)
    ]
    torch.testing.assert_close(*map(torch.tensor, measured), equal_nan=True)


@pytest.fixture
def refused(replays: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose recordings fail."""
    start = TrainingModule.on_train_start

    def refuse(work: Callable[[], Step]) -> None:
        torch.rand(1)
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    def started(self: TrainingModule) -> None:
        start(self)
        monkeypatch.setattr(graphs, "record", refuse)

    monkeypatch.setattr(TrainingModule, "on_train_start", started)


BASIC = next(one for one in VARIANTS if one.name == "basic_vae")


@pytest.mark.usefixtures("refused")
def test_what_cannot_be_recorded_goes_on_step_by_step(caplog: pytest.LogCaptureFixture) -> None:
    single = trained(BASIC, recorded=False)
    recorded = trained(BASIC, recorded=True)
    assert caplog.text.count("not permitted when stream is capturing") == 1
    for name, values in single.weights.items():
        torch.testing.assert_close(recorded.weights[name], values, rtol=0.0, atol=0.0)


@pytest.mark.usefixtures("refused")
def test_a_device_that_a_recording_broke_names_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*shape: object, **options: object) -> None:
        raise RuntimeError("Offset increment outside graph capture")

    monkeypatch.setattr(graphs.torch, "rand", broken)
    with pytest.raises(SongatlasError, match=r"set training\.cuda_graphs to false"):
        trained(BASIC, recorded=True)


def test_draws_on_the_processor_are_not_recorded(
    replays: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gradients = TrainingModule.recorded_gradients

    def drawing(self: TrainingModule, *arguments: Any) -> Any:
        drawn.append(float(torch.rand(())))
        return gradients(self, *arguments)

    drawn: list[float] = []
    monkeypatch.setattr(TrainingModule, "recorded_gradients", drawing)
    monkeypatch.setattr(TrainingModule, "rewinder", lambda self: lambda: None)
    trained(BASIC, recorded=True)
    assert len(drawn) == 1
    assert not replays
    assert "draws random numbers on the processor" in caplog.text
