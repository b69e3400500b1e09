"""The one Lightning module that trains every architecture."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor

from songatlas import tables
from songatlas.config.training import Loss, Training
from songatlas.errors import SongatlasError
from songatlas.models.attributes import attribute_loss, window_attributes
from songatlas.models.base import Model, Pass
from songatlas.models.gather import n_ranks, rank
from songatlas.run.interruption import Interrupted, StopSignals
from songatlas.run.plain_weights import load_plain
from songatlas.training.data import Batches, prepare
from songatlas.training.device import out_of_memory
from songatlas.training.graphs import Step, StepGraph
from songatlas.training.parts import backward_in_parts, forward_in_parts, split_batch
from songatlas.training.posterior import Posterior, widest
from songatlas.training.ranks import (
    agreed,
    backward_over_ranks,
    forward_over_ranks,
    from_all,
    same_latents,
    share_weights,
)
from songatlas.training.schedule import Best, Schedule

logger = logging.getLogger(__name__)

CHECK_EVERY = 20
"""Batches between looks at the loss for NaN, each of which waits for the GPU."""

KL, SQUARED_DB, N_DECODED = "kl per unit", "squared dB", "decoded windows"
"""What is `measured` of a batch beside the terms of its loss."""

RECORDABLE = ("cuda",)
"""Devices that replay recorded steps (see `graphs`)."""

SMALLEST_PART = 2
"""Windows: batch normalisation has no variance over one."""


@torch.no_grad()
def measured(
    model: Model, batch: Mapping[str, Tensor], done: Pass, terms: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Sums over a batch's windows: of each of the `terms`, of `KL`, `SQUARED_DB` and `N_DECODED`.

    `KL` is by latent dimension (D,), in nats; the others are scalars. The last three are there
    where the model has a posterior, or decodes spectrograms.
    """
    found = {name: value.detach() * len(done.mu) for name, value in terms.items()}
    if done.logvar is not None:
        found[KL] = model.kl_per_unit(done.mu, done.logvar).to(widest(done.mu)).sum(0)
    if done.reconstruction is not None and "scale_db" in batch:
        difference = (done.reconstruction - batch["mel"]).flatten(1)
        error = torch.linalg.vector_norm(difference, dim=1).square() / difference.shape[1]
        there = batch["has_mel"]
        found[SQUARED_DB] = (error * batch["scale_db"].square() * there).sum()
        found[N_DECODED] = there.sum()
    return found


class Epoch:
    """Sums over the windows of one pass through the data, kept on the device."""

    def __init__(self, n_songs: int) -> None:
        self.n = 0
        self.sums: dict[str, Tensor] = {}
        self.posterior = Posterior(n_songs)
        self.n_decoded: Tensor | int = 0
        self.squared_db: Tensor | float = 0.0

    def add(self, track: Tensor, done: Pass, found: Mapping[str, Tensor]) -> None:
        """Add a batch: the songs of its windows (B,), its pass, and what is `measured` of it."""
        terms = dict(found)
        kl = terms.pop(KL, None)
        self.posterior.add(done.mu, track, logvar=done.logvar, z=done.z, kl=kl)
        if SQUARED_DB in terms:
            self.squared_db = self.squared_db + terms.pop(SQUARED_DB)
            self.n_decoded = self.n_decoded + terms.pop(N_DECODED)
        for name, value in terms.items():
            self.sums[name] = value + self.sums.get(name, 0.0)
        self.n += len(track)

    def means(self) -> dict[str, float]:
        """Mean of every term, and the measures of the posterior.

        `reconstruction_db` is the root mean squared error in dB, `active_units` a count,
        `mutual_information` in nats.
        """
        named = {name: float(value / self.n) for name, value in self.sums.items()}
        if n_decoded := int(self.n_decoded):
            named["reconstruction_db"] = float(self.squared_db / n_decoded) ** 0.5
        named["active_units"] = float(self.posterior.active_units())
        information = self.posterior.mutual_information()
        if information is not None:
            named["mutual_information"] = information
        return named

    def state(self) -> dict[str, Any]:
        """The sums, for an interrupted epoch."""
        return {**vars(self), "posterior": dict(vars(self.posterior))}

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Take back what `state` gave."""
        moved = _to_device(state, device)
        vars(self.posterior).update(moved.pop("posterior"))
        vars(self).update(moved)


class TrainingModule(lightning.LightningModule):
    """Trains one model; what it learned on the way stands in `history` and `best`."""

    def __init__(
        self,
        model: Model,
        training: Training,
        schedule: Schedule,
        loss: Loss,
        seed: int,
        train_batches: Batches,
        latent_batches: Batches,
        *,
        validated: bool,
        precision: str,
        resume: Path | None,
        resume_every_s: float,
    ) -> None:
        """`latent_batches` are the training windows in order, for `start_joint_training`."""
        super().__init__()
        # The step is ours: it has to be repeated in parts where the memory does not hold a batch.
        self.automatic_optimization = False
        self.model = model
        self.settings, self.schedule, self.loss, self.seed = training, schedule, loss, seed
        self.train_batches, self.latent_batches = train_batches, latent_batches
        self.validated, self.precision, self.resume = validated, precision, resume
        self.resume_every_s = resume_every_s
        self.best = Best(training.early_stopping_patience, schedule)
        self.history: list[dict[str, Any]] = []
        self.first_epoch = 0
        self.part_size: int | None = None
        self.graph: StepGraph | None = None
        self.state: dict[str, Any] = {}
        self.random: list[Tensor] | None = None
        self.modes: list[bool] = []
        self.signals = StopSignals(deferred=True, patient=n_ranks() > 1)

    @property
    def epoch(self) -> int:
        """Number of the epoch, those before a resume included."""
        return self.first_epoch + self.current_epoch

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
            # The fused step unscales gradients itself, which clipping under fp16 cannot follow.
            fused=self.precision != "16-mixed",
        )
        # Stepped by hand: not before the KL weight has reached its full size.
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            factor=self.settings.plateau_factor,
            patience=self.settings.plateau_patience,
        )
        return optimizer

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip by norm, once fp16's scaling has been taken off the gradients."""
        if self.settings.gradient_clip > 0.0:
            weights = optimizer.param_groups[0][
                "params"
            ]  # walking through the modules takes longer
            torch.nn.utils.clip_grad_norm_(weights, self.settings.gradient_clip)

    # --- one epoch -----------------------------------------------------------------------------

    def on_train_start(self) -> None:
        # After Lightning's own handlers, which this takes the place of.
        self.signals.__enter__()
        if self.state:
            self.plateau.optimizer.load_state_dict(self.state["optimizer"])
            self.plateau.load_state_dict(self.state["plateau"])
            self.trainer.precision_plugin.load_state_dict(self.state["precision"])
            self.model.resume(_to_device(self.state["progress"], self.device))
        self.saved_at = time.monotonic()
        # fp16 scales its losses by what the steps before have shown.
        recordable = self.device.type in RECORDABLE and self.precision != "16-mixed"
        if recordable and self.settings.cuda_graphs and n_ranks() == 1:
            self.graph = StepGraph(self.recorded_gradients, self.model.parameters())

    def on_train_epoch_start(self) -> None:
        epoch = self.epoch
        self.train_batches.epoch = epoch
        self.model.pretraining = self.schedule.pretraining(epoch)
        self.kl_weight = self.schedule.kl_weight(epoch)
        n_songs = self.train_batches.windows.n_songs
        self.totals = {"train": Epoch(n_songs), "validation": Epoch(n_songs)}
        self.started = time.monotonic()
        self.first_batch, self.random = 0, None
        if self.state:
            # The epoch began before the interruption: what its beginning does has been done.
            self.modes = self.state["modes"]
            for part, training in zip(self.model.modules(), self.modes, strict=True):
                part.training = training
            self.totals["train"].restore(self.state["totals"], self.device)
            self.started -= self.state["seconds"]
            self.first_batch, self.random = self.state["batch"], self.state["random"][rank()]
            self.state = {}
            self.begin_recording()
            return
        # Everything random in an epoch follows from its number.
        torch.manual_seed(_epoch_seed(self.seed, epoch))
        if 0 < self.schedule.pretrain_epochs == epoch:
            self.model.start_joint_training(self.latents(), self.seed)
            if self.model.joint_learning_rate != 1.0:
                self.plateau.optimizer.state.clear()
                for group in self.plateau.optimizer.param_groups:
                    group["lr"] *= self.model.joint_learning_rate
        if epoch >= self.schedule.pretrain_epochs:
            self.model.start_epoch(epoch, self.latent_batches.rows, self.latents)
            share_weights(self.model)
        # What a model draws in its hook must not shift the noise of the epoch.
        torch.manual_seed(_epoch_seed(self.seed, epoch, rank()))
        # Of training: a state that is saved during validation is one to train on from.
        self.modes = [part.training for part in self.model.modules()]
        self.begin_recording()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        if batch_idx < self.first_batch:
            return
        if self.random is not None:
            _set_random_state(self.random, self.device)
            self.random = None
        self.pause(batch_idx)
        if self.graph is not None and self.graph.ready(batch):
            done, loss, found = self.replayed_step(self.graph, batch)
        else:
            ready = prepare(batch)
            done, terms = self.step(ready)
            loss, found = terms["loss"].detach(), self.measures(ready, done, terms)
        if batch_idx % CHECK_EVERY == 0:
            self.check(float(loss), "training")
        self.totals["train"].add(batch["track"], done, found)

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
        random = _random_state(self.device)
        buffers = [buffer.clone() for buffer in self.model.buffers()]

        @torch.no_grad()
        def rewind() -> None:
            _set_random_state(random, self.device)
            for buffer, before in zip(self.model.buffers(), buffers, strict=True):
                buffer.copy_(before)

        return rewind

    def on_validation_epoch_start(self) -> None:
        # The same noise every epoch: validation losses differ by the weights alone.
        torch.manual_seed(_epoch_seed(self.seed, 0, rank()))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        batch = prepare(batch)
        [told] = agreed(self.device, self.signals.received or 0)
        self.stop_if_told(told, len(self.train_batches))
        random = _random_state(self.device)
        while (done := self.try_pass(batch)) is None:
            self.make_room(len(batch["row"]))
            _set_random_state(random, self.device)
        found = self.measures(batch, done, self.terms(batch, done))
        self.totals["validation"].add(batch["track"], done, found)

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

    def on_train_epoch_end(self) -> None:
        """Note the epoch; step the schedule; stop when patience has run out."""
        epoch = self.epoch
        found = {split: sums.means() for split, sums in self.totals.items() if sums.n}
        for split, means in found.items():
            self.check(means["loss"], split)
            self.history += [_row(epoch, metric, split, value) for metric, value in means.items()]
            self.history += [
                _row(epoch, "kl_per_unit", split, value, unit)
                for unit, value in enumerate(self.totals[split].posterior.kl_per_unit())
            ]
        watched = found["validation" if self.validated else "train"]["loss"]
        rate = self.plateau.optimizer.param_groups[0]["lr"]
        self.best.update(epoch, watched, self.model)
        if epoch >= self.schedule.first_full_epoch:
            self.plateau.step(watched)
        for metric, value in (
            ("learning_rate", rate),
            ("seconds", time.monotonic() - self.started),
        ):
            self.history.append(_row(epoch, metric, "train", value))
        logger.info(
            "epoch %d: %s, KL weight %.3g, learning rate %.3g",
            epoch,
            "; ".join(
                f"{split} "
                + ", ".join(f"{metric.replace('_', ' ')} {v:.4g}" for metric, v in means.items())
                for split, means in found.items()
            ),
            self.kl_weight,
            rate,
        )
        self.log("watched_loss", watched, prog_bar=True, logger=False)
        if self.logger is not None:
            curves = {
                f"{metric}/{split}": value
                for split, means in found.items()
                for metric, value in means.items()
            }
            self.logger.log_metrics({**curves, "learning_rate": rate}, step=epoch)
        done = self.best.exhausted(epoch) or self.converged(epoch)
        # A time limit may have set it.
        self.trainer.should_stop |= bool(agreed(self.device, done)[0])

    def converged(self, epoch: int) -> bool:
        """Whether the model says that it has arrived."""
        return not self.schedule.pretraining(epoch) and self.model.converged

    def at_full_weight(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The terms with `loss` at the full KL weight, whatever the annealing has reached."""
        shown = {name: value for name, value in terms.items() if name not in ("distortion", "rate")}
        if "rate" in terms:
            shown["loss"] = terms["distortion"] + self.schedule.beta * terms["rate"]
            if "attributes" in terms:
                shown["loss"] = shown["loss"] + self.loss.attribute_weight * terms["attributes"]
        return shown

    def check(self, loss: float, what: str) -> None:
        if not np.isfinite(loss):
            raise SongatlasError(
                f"the {what} loss became {loss} in epoch {self.epoch}: lower "
                f"training.learning_rate (now {self.settings.learning_rate:g}), set "
                "training.gradient_clip, or set training.precision to 32"
            )

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

    # --- resuming ------------------------------------------------------------------------------

    def pause(self, batch: int) -> None:
        """Between batches: stop when told to, save what would be lost by a sudden end."""
        due = rank() == 0 and time.monotonic() - self.saved_at >= self.resume_every_s
        told, due_anywhere = agreed(self.device, self.signals.received or 0, due)
        self.stop_if_told(told, batch)
        if due_anywhere:
            self.save(batch)

    def stop_if_told(self, signal: float, batch: int) -> None:
        """Save and stop, where a `signal` (else 0) has come, before this training batch.

        Raises:
            Interrupted: saying what was saved.
        """
        if not signal:
            return
        self.save(batch)
        where = f"before batch {batch} of epoch {self.epoch}"
        saved = f"training is saved {where} in {self.resume}"
        raise Interrupted(
            int(signal), saved if self.resume else f"{where}, where nothing was to save"
        )

    def save(self, batch: int) -> None:
        """Write everything that the training from this batch on depends on."""
        if self.resume is None:
            return
        random = from_all(_random_state(self.device))
        self.saved_at = time.monotonic()
        if rank():
            return
        state = {
            "epoch": self.epoch,
            "batch": batch,
            "part_size": self.part_size,
            "random": random,
            "modes": self.modes,
            "totals": self.totals["train"].state(),
            "seconds": time.monotonic() - self.started,
            "model": self.model.state_dict(),
            "progress": dict(self.model.progress()),
            "optimizer": self.plateau.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "precision": self.trainer.precision_plugin.state_dict(),
            "best": self.best.state(),
            "history": self.history,
        }
        with tables.atomic(self.resume) as temporary, temporary.open("wb") as file:
            torch.save(state, file)

    def load(self) -> None:
        """Continue from the file that `save` wrote, where there is one that can be read."""
        if self.resume is None or not self.resume.is_file():
            return
        try:
            self.state = load_plain(self.resume)
        except (RuntimeError, OSError, SongatlasError) as error:
            logger.warning(
                "%s cannot be read (%s); training starts from its beginning",
                self.resume,
                str(error).strip().split("\n")[0],
            )
            self.resume.unlink(missing_ok=True)
            return
        self.model.load_state_dict(self.state.pop("model"))
        self.best.restore(self.state.pop("best"))
        self.history = self.state.pop("history")
        self.first_epoch = self.state.pop("epoch")
        self.part_size = self.state.pop("part_size")
        logger.info(
            "resuming at epoch %d, batch %d from %s",
            self.first_epoch,
            self.state["batch"],
            self.resume,
        )


def _random_state(device: torch.device) -> list[Tensor]:
    """State of what draws on the CPU and, where it is another, on the device."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    elif device.type == "mps":
        states.append(torch.mps.get_rng_state())
    return states


def _set_random_state(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states[1])


def _to_device(values: Any, device: torch.device) -> Any:
    """Tensors in dicts, lists and tuples, moved to a device."""
    if isinstance(values, Tensor):
        return values.to(device)
    if isinstance(values, Mapping):
        return {name: _to_device(value, device) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)(_to_device(value, device) for value in values)
    return values


def _row(
    epoch: int, metric: str, split: str, value: float, unit: int | None = None
) -> dict[str, Any]:
    return {"epoch": epoch, "metric": metric, "split": split, "unit": unit, "value": value}


def _epoch_seed(seed: int, epoch: int, of_rank: int = 0) -> int:
    """Rank 0 draws what a process alone would, the others something else."""
    others = [of_rank] if of_rank else []
    return int(np.random.SeedSequence([seed, epoch, *others]).generate_state(1)[0])
