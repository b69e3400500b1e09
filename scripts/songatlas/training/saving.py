"""Saving a training between two batches, and going on from there."""

import logging
import time
from pathlib import Path
from typing import Any

import torch

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.models.gather import rank
from songatlas.run.interruption import Interrupted, StopSignals
from songatlas.run.plain_weights import load_plain
from songatlas.training.epoch_sums import Epoch
from songatlas.training.passes import Passes
from songatlas.training.random_state import random_state
from songatlas.training.ranks import (
    agreed,
    from_all,
)

logger = logging.getLogger(__name__)


class Saving(Passes):
    """Passes of a training that can be stopped and resumed."""

    resume: Path | None
    resume_every_s: float
    saved_at: float
    started: float
    signals: StopSignals
    state: dict[str, Any]
    totals: dict[str, Epoch]
    history: list[dict[str, Any]]

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
        random = from_all(random_state(self.device))
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
