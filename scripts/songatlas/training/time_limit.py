"""The time limit of a training: `training.max_minutes`."""

from datetime import timedelta
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Timer

from songatlas.training.module import TrainingModule


class TimeLimit(Timer):
    """Ends a training at the end of the epoch in which its time runs out.

    Pretraining always ends first: before, there are no best weights to keep. What a training spent
    before an interruption counts.
    """

    def __init__(self, minutes: float | None, module: TrainingModule) -> None:
        """No limit where `minutes` is None."""
        limit = None if minutes is None else timedelta(minutes=minutes)
        super().__init__(limit, interval="epoch", verbose=False)
        self.minutes, self.reached = minutes, False
        epochs = (row["value"] for row in module.history if row["metric"] == "seconds")
        spent_s = sum(epochs) + module.state.get("seconds", 0.0)
        self.load_state_dict({"time_elapsed": {"train": spent_s}})

    def on_fit_start(self, trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
        """Nothing: an interrupted training goes on to the end of its epoch."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: TrainingModule) -> None:  # type: ignore[override]
        """Stop where the time is up (before the module's own hook, which notes the epoch)."""
        if not module.schedule.pretraining(module.epoch):
            super().on_train_epoch_end(trainer)
            self.reached = trainer.should_stop

    def note(self, epochs: int) -> str | None:
        """What the training table says of a training that the limit ended after `epochs`."""
        if not self.reached:
            return None
        return (
            f"ended by training.max_minutes ({self.minutes:g} min) after {epochs} epochs: how far "
            "it came depends on the machine"
        )
