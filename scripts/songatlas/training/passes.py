"""Passes and steps of a training, in parts where memory ends, replayed where one is recorded."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor

from songatlas.config.training import Loss, Training
from songatlas.errors import SongatlasError
from songatlas.models.attributes import attribute_loss, window_attributes
from songatlas.models.base import Model, Pass
from songatlas.models.gather import n_ranks
from songatlas.training.data import Batches, prepare
from songatlas.training.device import out_of_memory
from songatlas.training.epoch_sums import measured
from songatlas.training.graphs import Step, StepGraph
from songatlas.training.parts import backward_in_parts, forward_in_parts, split_batch
from songatlas.training.random_state import random_state, set_random_state
from songatlas.training.ranks import (
    backward_over_ranks,
    forward_over_ranks,
    same_latents,
)
from songatlas.training.schedule import Best, Schedule

logger = logging.getLogger(__name__)

SMALLEST_PART = 2
"""Windows: batch normalisation has no variance over one."""


class Passes(lightning.LightningModule):
    """A model's passes under the settings of its training."""

    model: Model
    settings: Training
    schedule: Schedule
    loss: Loss
    best: Best
    plateau: torch.optim.lr_scheduler.ReduceLROnPlateau
    latent_batches: Batches
    first_epoch: int
    kl_weight: float
    part_size: int | None
    graph: StepGraph | None
    modes: list[bool]

    @property
    def epoch(self) -> int:
        """Number of the epoch, those before a resume included."""
        return self.first_epoch + self.current_epoch

    def replayed_step(self, graph: StepGraph, batch: dict[str, Tensor]) -> Step:
        """A step of the optimiser whose gradients are a recorded graph's."""
        optimizer: Any = self.optimizers()
        found: list[Step] = []
        optimizer.step(closure=lambda: found.append(graph.step(batch, self.kl_weight)))
        return found[0]

    def recorded_gradients(self, stored: Mapping[str, Tensor], kl_weight: Tensor) -> Step:
        """What a graph records of a step, from a batch as it is stored."""
        batch = prepare(stored)
        done: Pass = self.model(batch)
        terms = self.terms(batch, done, kl_weight)
        with torch.autocast(self.device.type, enabled=False):
            terms["loss"].backward()
        return done, terms["loss"].detach(), self.measures(batch, done, terms)

    def begin_recording(self) -> None:
        """Drop the recorded step where the modes or the places of tensors are others now."""
        if self.graph is None:
            return
        tensors = [*self.model.state_dict(keep_vars=True).values(), *self.model.progress().values()]
        pointers = tuple(tensor.data_ptr() for tensor in tensors)
        self.graph.begin_epoch((self.model.pretraining, tuple(self.modes), pointers))

    def step(self, batch: dict[str, Tensor]) -> tuple[Pass, dict[str, Tensor]]:
        """A step of the optimiser, its pass and terms; in parts where memory ends."""
        rewind = self.rewinder()
        while (found := self.try_step(batch, rewind)) is None:
            self.make_room(len(batch["row"]))
            rewind()
        return found

    def try_step(
        self, batch: dict[str, Tensor], rewind: Callable[[], None]
    ) -> tuple[Pass, dict[str, Tensor]] | None:
        """A step of the optimiser, its pass and terms; None where its own state has no memory."""
        optimizer: Any = self.optimizers()
        state = self.plateau.optimizer.state
        first, found = not state, []
        try:
            # A closure, so that fp16's scaling is taken off before gradients are clipped.
            optimizer.step(closure=lambda: found.append(self.gradients(batch, rewind)))
        except RuntimeError as error:
            # Later steps allocate nothing that lasts, and may have changed weights before they end.
            if not (first and out_of_memory(error)):
                raise
            state.clear()
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)
            if scaler is not None:
                scaler.update()  # it takes the scale off gradients once between two updates
            return None
        return found[0]

    def gradients(
        self, batch: dict[str, Tensor], rewind: Callable[[], None]
    ) -> tuple[Pass, dict[str, Tensor]]:
        """Gradients of a batch's loss; in parts from where on the memory does not hold it whole."""
        while (found := self.try_gradients(batch, rewind)) is None:
            self.make_room(len(batch["row"]))
            rewind()
        return found

    def try_gradients(
        self, batch: dict[str, Tensor], rewind: Callable[[], None]
    ) -> tuple[Pass, dict[str, Tensor]] | None:
        """The pass and its terms, gradients being added to the weights; None without memory.

        It returns, so that whatever failed is freed before the next try.
        """
        self.plateau.optimizer.zero_grad()
        try:
            if n_ranks() > 1:
                return backward_over_ranks(
                    self.model, batch, lambda done: self.terms(batch, done), self.backwards
                )
            parts = self.parts(batch)
            if len(parts) > 1:
                return backward_in_parts(
                    self.model, parts, lambda done: self.terms(batch, done), self.backwards, rewind
                )
            done: Pass = self.model(batch)
            terms = self.terms(batch, done)
            self.backwards(terms["loss"])
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            return None
        return done, terms

    def parts(self, batch: dict[str, Tensor]) -> list[dict[str, Tensor]]:
        if self.part_size is None or len(batch["row"]) <= self.part_size:
            return [batch]
        return split_batch(batch, self.part_size, whole_songs=self.model.whole_songs)

    def backwards(self, loss: Tensor) -> None:
        # `training_step` runs under autocast, which gradients must not.
        with torch.autocast(self.device.type, enabled=False):
            self.manual_backward(loss)

    def make_room(self, n: int) -> None:
        """Drop the recorded step; then move the best weights to main memory; then halve the parts.

        `n` windows are the batch.

        Raises:
            SongatlasError: as `lower_part_size`.
        """
        self.plateau.optimizer.zero_grad()
        if self.graph is not None:
            recorded, self.graph = self.graph.recorded, None
            if recorded is not None:
                return
        # One of several processes cannot try again without the others.
        if n_ranks() > 1 or not self.best.give_way():
            self.lower_part_size(n)

    def lower_part_size(self, n: int) -> None:
        """Halve the parts of a batch of `n` windows.

        Raises:
            SongatlasError: when they cannot be smaller, or other processes have parts too.
        """
        if n_ranks() > 1:
            raise SongatlasError(
                f"the memory of the device ({self.device}) does not hold its share of a batch "
                f"({-(-n // n_ranks())} of {n} windows): lower training.batch_size, raise "
                "trainer.devices, or choose a smaller model"
            )
        tried = n if self.part_size is None else min(n, self.part_size)
        size = -(-tried // 2)
        if size < SMALLEST_PART:
            raise SongatlasError(
                f"the memory of the device ({self.device}) does not hold {SMALLEST_PART} windows "
                "at a time: choose a smaller model, free the device, or set training.device to cpu"
            )
        self.part_size = size
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        logger.warning(
            "epoch %d: out of memory on %s; batches go on in parts of at most %d windows, with the "
            "gradients of a whole batch in every step",
            self.epoch,
            self.device,
            size,
        )

    def rewinder(self) -> Callable[[], None]:
        """What brings back the random state and the buffers of now."""
        random = random_state(self.device)
        buffers = [buffer.clone() for buffer in self.model.buffers()]

        @torch.no_grad()
        def rewind() -> None:
            set_random_state(random, self.device)
            for buffer, before in zip(self.model.buffers(), buffers, strict=True):
                buffer.copy_(before)

        return rewind

    def try_pass(self, batch: dict[str, Tensor]) -> Pass | None:
        """A pass without gradients; None without memory."""
        try:
            if n_ranks() > 1:
                return forward_over_ranks(self.model, batch)
            parts = self.parts(batch)
            found: Pass = (
                forward_in_parts(self.model, parts) if len(parts) > 1 else self.model(batch)
            )
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            return None
        return found

    def terms(
        self, batch: dict[str, Tensor], done: Pass, kl_weight: float | Tensor | None = None
    ) -> dict[str, Tensor]:
        """The terms of the model's loss under the settings, at the epoch's KL weight or another."""
        terms = self.model.terms(
            batch,
            done,
            kl_weight=self.kl_weight if kl_weight is None else kl_weight,
            scale=self.loss.scale,
            free_bits=self.loss.free_bits,
        )
        if self.loss.attributes:
            z = done.mu if done.z is None else done.z
            found = attribute_loss(
                z,
                window_attributes(
                    batch["db"], list(self.loss.attributes), self.model.spec.frame_rate_hz
                ),
                list(self.loss.attributes.values()),
                self.loss.attribute_delta,
            )
            terms["loss"] = terms["loss"] + self.loss.attribute_weight * found
            terms["attributes"] = found.detach()
        return terms

    def measures(
        self, batch: Mapping[str, Tensor], done: Pass, terms: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """What an epoch adds up of a batch (see `measured`), its loss at the full KL weight."""
        return measured(self.model, batch, done, self.at_full_weight(terms))

    def at_full_weight(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The terms with `loss` at the full KL weight, whatever the annealing has reached."""
        shown = {name: value for name, value in terms.items() if name not in ("distortion", "rate")}
        if "rate" in terms:
            shown["loss"] = terms["distortion"] + self.schedule.beta * terms["rate"]
            if "attributes" in terms:
                shown["loss"] = shown["loss"] + self.loss.attribute_weight * terms["attributes"]
        return shown

    @torch.no_grad()
    def latents(self) -> np.ndarray:
        """`embed` of every training window, in order, (n, latent_dim)."""
        self.model.eval()
        z = [self.embed(batch) for batch in self.latent_batches]
        self.model.train()
        return same_latents(torch.cat(z).cpu().numpy())

    def embed(self, batch: dict[str, Tensor]) -> Tensor:
        """`embed` of a batch as it is stored, in parts where the memory does not hold it whole."""
        while (found := self.try_embed(batch)) is None:
            self.make_room(len(batch["row"]))
        return found

    def try_embed(self, batch: dict[str, Tensor]) -> Tensor | None:
        """`embed` of a batch; None without memory."""
        try:
            ready = prepare({key: values.to(self.device) for key, values in batch.items()})
            return torch.cat([self.model.embed(part) for part in self.parts(ready)])
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        return None
