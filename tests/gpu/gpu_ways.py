"""Three ways to train one network for as many steps: the library's, a plain loop, the study's."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gpu_instruments import seconds
from songatlas.config.training import Loss, Training
from songatlas.models.base import Model
from songatlas.training import fit
from songatlas.training.data import Windows, prepare
from songatlas.training.fit import Trained
from songatlas.training.weights import Description

WARM_UP = 3
"""Steps before those that are timed."""


def train(
    windows: Windows,
    description: Description,
    training: Training,
    loss: Loss,
    device: str,
    epochs: int,
    **more: Any,
) -> Trained:
    """The library's own training for so many epochs."""
    changed = {"device": device, "max_epochs": epochs, "early_stopping_patience": epochs + 100}
    settings = training.model_copy(update={**changed, **more.pop("settings", {})})
    return fit.train(windows, description, settings, loss, name="check", beta=1.0, seed=0, **more)


def epoch_seconds(trained: Trained) -> list[float]:
    """Seconds of every epoch, in order."""
    history = trained.history
    return [float(value) for value in history.loc[history["metric"] == "seconds", "value"]]


class StoredAsFloat32(Dataset):
    """The study's data set: standardised float32 windows in main memory, one at a time."""

    def __init__(self, windows: Windows) -> None:
        rows = np.arange(len(windows))
        ready = prepare({key: v.cpu() for key, v in windows.batch(rows).items()})
        self.fields = {key: v for key, v in ready.items() if key not in ("db", "pair", "pair_db")}

    def __len__(self) -> int:
        return len(self.fields["mel"])

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {key: values[row] for key, values in self.fields.items()}


def study_batches(windows: Windows, batch_size: int) -> Iterator[Mapping[str, Tensor]]:
    """As the study reads them: no workers, pageable memory."""
    yield from DataLoader(StoredAsFloat32(windows), batch_size, shuffle=True, num_workers=0)


def plain_batches(windows: Windows, batch_size: int) -> Iterator[Mapping[str, Tensor]]:
    """Float16 windows from where they are, standardised batch by batch."""
    order = np.random.default_rng(0).permutation(len(windows))
    for rows in np.split(order, range(batch_size, len(order), batch_size)):
        yield prepare(windows.batch(rows))


def loop_seconds(
    model: Model,
    batches: Iterator[Mapping[str, Tensor]],
    training: Training,
    loss: Loss,
    device: str,
    *,
    precision: torch.dtype,
    n_steps: int,
) -> float:
    """Seconds of a step of a loop as textbooks have it, the loss being asked for in every step."""
    model = model.to(device).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    scaler = torch.amp.GradScaler(enabled=device == "cuda" and precision == torch.float16)
    mixed = precision != torch.float32

    def step() -> None:
        batch = {key: values.to(device) for key, values in next(batches).items()}
        with torch.autocast(device, dtype=precision, enabled=mixed):
            terms = model.loss(batch, kl_weight=1.0, scale=loss.scale)
        optimizer.zero_grad()
        scaler.scale(terms["loss"]).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.gradient_clip)
        scaler.step(optimizer)
        scaler.update()
        float(terms["loss"].detach())

    def steps(n: int) -> None:
        for _ in range(n):
            step()

    steps(WARM_UP)
    return seconds(device, lambda: steps(n_steps)) / n_steps
