"""The one Lightning module that trains every architecture."""

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from songatlas.config.training import Loss, Training
from songatlas.errors import SongatlasError
from songatlas.models.base import Model
from songatlas.models.gather import n_ranks, rank
from songatlas.run.interruption import StopSignals
from songatlas.training.data import Batches, prepare
from songatlas.training.epoch_sums import Epoch, to_device
from songatlas.training.graphs import StepGraph
from songatlas.training.random_state import epoch_seed, random_state, set_random_state
from songatlas.training.ranks import (
    agreed,
    share_weights,
)
from songatlas.training.saving import Saving
from songatlas.training.schedule import Best, Schedule

logger = logging.getLogger(__name__)

CHECK_EVERY = 20
"""Batches between looks at the loss for NaN, each of which waits for the GPU."""

RECORDABLE = ("cuda",)
"""Devices that replay recorded steps (see `graphs`)."""


class TrainingModule(Saving):
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

    def on_train_start(self) -> None:
        # After Lightning's own handlers, which this takes the place of.
        self.signals.__enter__()
        if self.state:
            self.plateau.optimizer.load_state_dict(self.state["optimizer"])
            self.plateau.load_state_dict(self.state["plateau"])
            self.trainer.precision_plugin.load_state_dict(self.state["precision"])
            self.model.resume(to_device(self.state["progress"], self.device))
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
        torch.manual_seed(epoch_seed(self.seed, epoch))
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
        torch.manual_seed(epoch_seed(self.seed, epoch, rank()))
        # Of training: a state that is saved during validation is one to train on from.
        self.modes = [part.training for part in self.model.modules()]
        self.begin_recording()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        if batch_idx < self.first_batch:
            return
        if self.random is not None:
            set_random_state(self.random, self.device)
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

    def on_validation_epoch_start(self) -> None:
        # The same noise every epoch: validation losses differ by the weights alone.
        torch.manual_seed(epoch_seed(self.seed, 0, rank()))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        batch = prepare(batch)
        [told] = agreed(self.device, self.signals.received or 0)
        self.stop_if_told(told, len(self.train_batches))
        random = random_state(self.device)
        while (done := self.try_pass(batch)) is None:
            self.make_room(len(batch["row"]))
            set_random_state(random, self.device)
        found = self.measures(batch, done, self.terms(batch, done))
        self.totals["validation"].add(batch["track"], done, found)

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

    def check(self, loss: float, what: str) -> None:
        if not np.isfinite(loss):
            raise SongatlasError(
                f"the {what} loss became {loss} in epoch {self.epoch}: lower "
                f"training.learning_rate (now {self.settings.learning_rate:g}), set "
                "training.gradient_clip, or set training.precision to 32"
            )


def _row(
    epoch: int, metric: str, split: str, value: float, unit: int | None = None
) -> dict[str, Any]:
    return {"epoch": epoch, "metric": metric, "split": split, "unit": unit, "value": value}
