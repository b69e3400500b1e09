"""The one Lightning module that trains every architecture."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor

from songatlas import tables
from songatlas.config import Loss, Training
from songatlas.errors import SongatlasError
from songatlas.models.attributes import attribute_loss, window_attributes
from songatlas.models.base import Model, Pass
from songatlas.training.data import Batches, prepare
from songatlas.training.posterior import Posterior
from songatlas.training.schedule import Best, Schedule

logger = logging.getLogger(__name__)

CHECK_EVERY = 20
"""Batches between looks at the loss for NaN, each of which waits for the GPU."""


class Epoch:
    """Sums over the windows of one pass through the data, kept on the device."""

    def __init__(self) -> None:
        self.n = 0
        self.sums: dict[str, Tensor] = {}
        self.posterior = Posterior()
        self.n_decoded = 0
        self.squared_db: Tensor | float = 0.0

    def add(self, model: Model, batch: Mapping[str, Tensor], done: Pass) -> None:
        """Add a batch: its posterior and how far its reconstruction is off."""
        units = None if done.logvar is None else model.kl_per_unit(done.mu, done.logvar)
        self.posterior.add(done.mu, batch["track"], logvar=done.logvar, z=done.z, kl=units)
        if done.reconstruction is not None:
            error = (done.reconstruction.detach().float() - batch["mel"]).square().mean((1, 2, 3))
            there = batch["has_mel"]
            self.squared_db = self.squared_db + (error * batch["scale_db"].square() * there).sum()
            self.n_decoded += int(there.sum())

    def add_terms(self, terms: Mapping[str, Tensor], n: int) -> None:
        """Add the mean terms of a batch of `n` windows."""
        for name, value in terms.items():
            self.sums[name] = value.detach() * n + self.sums.get(name, 0.0)
        self.n += n

    def means(self) -> dict[str, float]:
        """Mean of every term, and the measures of the posterior.

        `reconstruction_db` is the root mean squared error in dB, `active_units` a count,
        `mutual_information` in nats.
        """
        named = {name: float(value / self.n) for name, value in self.sums.items()}
        if self.n_decoded:
            named["reconstruction_db"] = float(self.squared_db / self.n_decoded) ** 0.5
        named["active_units"] = float(self.posterior.active_units())
        information = self.posterior.mutual_information()
        if information is not None:
            named["mutual_information"] = information
        return named


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
        self.model = model
        self.settings, self.schedule, self.loss, self.seed = training, schedule, loss, seed
        self.train_batches, self.latent_batches = train_batches, latent_batches
        self.validated, self.precision, self.resume = validated, precision, resume
        self.resume_every_s = resume_every_s
        self.best = Best(training.early_stopping_patience, schedule)
        self.history: list[dict[str, Any]] = []
        self.first_epoch = 0
        self.state: dict[str, Any] = {}

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

    def configure_gradient_clipping(self, *_: Any, **__: Any) -> None:
        """Clip by norm; Lightning's own clipping refuses the fused optimiser."""
        if self.settings.gradient_clip > 0.0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip)

    # --- one epoch -----------------------------------------------------------------------------

    def on_train_start(self) -> None:
        if self.state:
            self.plateau.optimizer.load_state_dict(self.state["optimizer"])
            self.plateau.load_state_dict(self.state["plateau"])
            self.trainer.precision_plugin.load_state_dict(self.state["precision"])
            self.state = {}
        self.saved_at = time.monotonic()

    def on_train_epoch_start(self) -> None:
        epoch = self.epoch
        if self.current_epoch > 0 and time.monotonic() - self.saved_at >= self.resume_every_s:
            self.save()
        self.started = time.monotonic()
        # Everything random in an epoch follows from its number, so that a resumed run repeats it.
        torch.manual_seed(_epoch_seed(self.seed, epoch))
        self.train_batches.epoch = epoch
        self.model.pretraining = self.schedule.pretraining(epoch)
        if 0 < self.schedule.pretrain_epochs == epoch:
            self.model.start_joint_training(self.latents(), self.seed)
            if self.model.joint_learning_rate != 1.0:
                self.plateau.optimizer.state.clear()
                for group in self.plateau.optimizer.param_groups:
                    group["lr"] *= self.model.joint_learning_rate
        if epoch >= self.schedule.pretrain_epochs:
            self.model.start_epoch(epoch, self.latent_batches.rows, self.latents)
            # What a model draws in its hook must not shift the noise of the epoch.
            torch.manual_seed(_epoch_seed(self.seed, epoch))
        self.kl_weight = self.schedule.kl_weight(epoch)
        self.totals = {"train": Epoch(), "validation": Epoch()}

    def on_after_batch_transfer(
        self, batch: dict[str, Tensor], dataloader_idx: int
    ) -> dict[str, Tensor]:
        return prepare(batch)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        done: Pass = self.model(batch)
        terms = self.terms(batch, done)
        if batch_idx % CHECK_EVERY == 0:
            self.check(float(terms["loss"].detach()), "training")
        self.note("train", batch, done, terms)
        return terms["loss"]

    def on_validation_epoch_start(self) -> None:
        # The same noise every epoch: validation losses differ by the weights alone.
        torch.manual_seed(_epoch_seed(self.seed, 0))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        done: Pass = self.model(batch)
        self.note("validation", batch, done, self.terms(batch, done))

    def terms(self, batch: dict[str, Tensor], done: Pass) -> dict[str, Tensor]:
        """The terms of the model's loss under the settings."""
        terms = self.model.terms(
            batch,
            done,
            kl_weight=self.kl_weight,
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

    @torch.no_grad()
    def note(
        self, split: str, batch: dict[str, Tensor], done: Pass, terms: dict[str, Tensor]
    ) -> None:
        """Add a batch to the epoch's sums."""
        self.totals[split].add_terms(self.at_full_weight(terms), len(done.mu))
        self.totals[split].add(self.model, batch, done)

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
        self.trainer.should_stop = self.best.exhausted(epoch) or self.converged(epoch)

    def converged(self, epoch: int) -> bool:
        """Whether the model says that it has arrived."""
        return not self.schedule.pretraining(epoch) and self.model.converged

    def at_full_weight(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
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
        z = [
            self.model.embed(prepare({k: v.to(self.device) for k, v in batch.items()}))
            for batch in self.latent_batches
        ]
        self.model.train()
        return torch.cat(z).cpu().numpy()

    # --- resuming ------------------------------------------------------------------------------

    def save(self) -> None:
        """Write everything that the epochs to come depend on."""
        if self.resume is None:
            return
        state = {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "progress": dict(self.model.progress()),
            "optimizer": self.plateau.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "precision": self.trainer.precision_plugin.state_dict(),
            "best": self.best.state(),
            "history": self.history,
        }
        with tables.atomic(self.resume) as temporary:
            torch.save(state, temporary)
        self.saved_at = time.monotonic()

    def load(self) -> None:
        """Continue from the file that `save` wrote, where there is one."""
        if self.resume is None or not self.resume.is_file():
            return
        self.state = torch.load(self.resume, map_location="cpu", weights_only=True)
        self.model.load_state_dict(self.state.pop("model"))
        self.model.resume(self.state.pop("progress"))
        self.best.restore(self.state.pop("best"))
        self.history = self.state.pop("history")
        self.first_epoch = self.state.pop("epoch")
        logger.info("resuming at epoch %d from %s", self.first_epoch, self.resume)


def _row(
    epoch: int, metric: str, split: str, value: float, unit: int | None = None
) -> dict[str, Any]:
    return {"epoch": epoch, "metric": metric, "split": split, "unit": unit, "value": value}


def _epoch_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
