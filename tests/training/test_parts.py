"""Out of memory: a step in parts has the gradients of the whole batch."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from float64 import in_float64
from songatlas.config.training import Loss, Training
from songatlas.errors import SongatlasError
from songatlas.models.base import Model, Pass
from songatlas.training import fit
from songatlas.training.data import Batches, Windows, prepare
from songatlas.training.device import out_of_memory
from songatlas.training.fit import Trained
from songatlas.training.module import TrainingModule
from songatlas.training.parts import backward_in_parts, split_batch
from songatlas.training.weights import Description
from test_training import QUICK, SPEC, make_windows, run

torch.set_num_threads(1)

SETTINGS = QUICK.model_copy(update={"batch_size": 8, "max_epochs": 3})

PLAIN: dict[str, dict[str, Any]] = {
    "attention_vae": {"dropout": 0.0},
    "contrastive_audio": {
        "positives": "song",
        **dict.fromkeys(("gain_db", "eq_db", "pitch_semitones", "stretch", "mix"), 0.0),
        **dict.fromkeys(("masked_bands", "masked_frames"), 0.0),
        "crop": 1.0,
        "noise_db": 0.0,
    },
}
"""Architectures without batch normalisation, their own randomness but for the latent's taken out:
what is left is drawn window by window on the CPU, in parts as at once."""


def windows_of(architecture: str) -> Windows:
    windows = make_windows(n_train=16, n_validation=8)
    if architecture == "fusion":
        random = torch.Generator().manual_seed(0)
        lyrics = torch.randn(24, 4, generator=random)
        lines = torch.randn(24, 3, 4, generator=random)
        return replace(windows, lyrics=lyrics, lyrics_lines=lines)
    return windows


def small_memory(monkeypatch: pytest.MonkeyPatch, most: int, where: str = "forward") -> list[int]:
    """A device on which no graph of more than `most` windows fits; the sizes that were tried."""
    tried: list[int] = []
    whole = TrainingModule.try_gradients

    def wrapped(self: TrainingModule, batch: dict, rewind: Callable[[], None]) -> Any:
        if where == "forward":
            limit(self.model, most, tried)
        else:
            backwards = TrainingModule.backwards

            def fail(self: TrainingModule, loss: torch.Tensor) -> None:
                # Half of the gradients are there when the memory ends.
                if self.part_size is None:
                    backwards(self, loss)
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
                backwards(self, loss)

            monkeypatch.setattr(self, "backwards", fail.__get__(self))
        return whole(self, batch, rewind)

    monkeypatch.setattr(TrainingModule, "try_gradients", wrapped)
    return tried


def limit(model: Model, most: int, tried: list[int]) -> None:
    if hasattr(model, "limited"):
        return
    model.limited = True
    forward = model.forward

    def limited(batch: dict[str, torch.Tensor]) -> Pass:
        tried.append(len(batch["row"]))
        done = forward(batch)  # batch statistics and random draws have moved when it fails
        if torch.is_grad_enabled() and len(batch["row"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return done

    model.forward = limited  # type: ignore[method-assign]


def largest_difference(one: Trained, other: Trained) -> float:
    """Of all weights, those above 1 in size relative to the largest of their tensor.

    The whitening is no trained weight: an inverse square root of a covariance, with entries of 4,
    which rounds by more than weights do.
    """
    return max(
        float((one.weights[name].float() - other.weights[name].float()).abs().max())
        / max(1.0, float(one.weights[name].float().abs().max()))
        for name in one.weights
    )


@in_float64()
@pytest.mark.parametrize("scale", ["elbo", "paper"])
@pytest.mark.parametrize("architecture", list(PLAIN))
def test_in_parts_training_arrives_where_whole_batches_do(
    architecture: str,
    scale: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def go() -> Trained:
        loss = Loss(scale=scale, kl_warmup_epochs=1, free_bits=0.05)  # type: ignore[arg-type]
        windows = windows_of(architecture)
        return run(windows, architecture, SETTINGS, loss, options=PLAIN[architecture])

    whole = go()
    tried = small_memory(monkeypatch, most=2)
    with caplog.at_level(logging.WARNING):
        parts = go()
    assert {8, 4, 2} <= set(tried)
    assert "batches go on in parts of at most 2 windows" in caplog.text
    assert largest_difference(whole, parts) < 1e-9
    moved = max(
        float((whole.weights[name].float() - start.float()).abs().max())
        for name, start in fresh(whole).items()
    )
    assert moved > 1e-3
    assert whole.summary.batch_note is None
    assert parts.summary.batch_note == fit.IN_PARTS.format(batch=8, part=2)


def fresh(trained: Trained) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return trained.description.build().state_dict()


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("architecture", ["conv_vae", "vq_vae", "hierarchical_vae", "fusion"])
def test_every_kind_of_model_trains_on_where_memory_ends(
    architecture: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_memory(monkeypatch, most=4, where=where)
    trained = run(windows_of(architecture), architecture, SETTINGS)
    assert "in parts of at most 4" in trained.summary.batch_note
    assert all(values.isfinite().all() for values in trained.weights.values())


def test_where_two_windows_do_not_fit_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    small_memory(monkeypatch, most=1)
    with pytest.raises(SongatlasError, match="does not hold 2 windows at a time: choose a smaller"):
        run(windows_of("attention_vae"), "attention_vae", SETTINGS)


def test_another_error_is_not_taken_for_missing_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: TrainingModule, loss: torch.Tensor) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(TrainingModule, "backwards", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run(training=SETTINGS)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5.41 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
    ],
)
def test_missing_memory_is_known_by_its_words(error: RuntimeError, expected: bool) -> None:
    assert out_of_memory(error) is expected


def test_gradients_in_parts_are_those_of_the_whole_batch() -> None:
    """To float32's rounding, for a loss that is no mean over windows (NT-Xent over the batch)."""
    windows = windows_of("contrastive_audio")
    torch.manual_seed(0)
    options = PLAIN["contrastive_audio"]
    model = Description("contrastive_audio", SPEC, 8, options).build().train()
    batches = Batches(windows, np.arange(16), 16, seed=0, pairs=True)
    batch = prepare(next(iter(batches)))

    def terms(done: Pass) -> dict[str, torch.Tensor]:
        return model.terms(batch, done, kl_weight=1.0, scale="elbo")

    terms(model(batch))["loss"].backward()
    expected = gradients(model)
    model.zero_grad()
    parts = split_batch(batch, 5)
    assert [len(part["row"]) for part in parts] == [4, 4, 4, 4]
    backward_in_parts(model, parts, terms, lambda loss: loss.backward(), lambda: None)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-7)


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    found = model.named_parameters()
    return {name: p.grad.clone() for name, p in found if p.grad is not None}


def test_parts_are_never_of_one_window_and_keep_songs_whole() -> None:
    windows = make_windows(n_train=9, n_validation=0)
    batch = prepare(windows.batch(np.arange(9)))
    for size in range(2, 10):
        parts = split_batch(batch, size)
        assert min(len(part["row"]) for part in parts) >= 2
        assert torch.cat([part["row"] for part in parts]).tolist() == list(range(9))
        songs = [set(part["track"].tolist()) for part in split_batch(batch, size, whole_songs=True)]
        assert not any(a & b for i, a in enumerate(songs) for b in songs[i + 1 :])


def test_a_device_that_is_full_from_the_start_is_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(fit, "_posterior", full)
    with pytest.raises(SongatlasError, match=r"free the device, .* lower training\.batch_size"):
        run(training=Training(max_epochs=1, device="cpu", precision="32"))
