"""What is said of a training: `summary.json`, and one line of it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from songatlas.tables import atomic
from songatlas.training.control_notes import UNTRAINED


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Facts of one training, by the keys of `summary.json`; null where there is none.

    Losses are those of the epoch that was kept. `note` says why a model was not trained.
    """

    model: str
    architecture: str
    seed: int
    latent_dim: int
    loss_scale: str
    device: str
    precision: str
    processes: int
    n_train_windows: int
    n_validation_windows: int
    supervision: str
    control: str
    control_of: str
    note: str | None = None
    parameters: int | None = None
    epochs: int = 0
    stopped_early: bool = False
    best_epoch: int | None = None
    best_validation_loss: float | None = None
    monitor: str = "train"
    monitor_reason: str | None = None
    batch_note: str | None = None
    time_note: str | None = None
    reconstruction: float | None = None
    reconstruction_db: float | None = None
    kl: float | None = None
    mutual_information: float | None = None
    active_units: int | None = None
    kl_per_unit: tuple[float, ...] = ()
    variance_per_unit: tuple[float, ...] = ()
    seconds: float = 0.0
    seconds_per_epoch: float | None = None
    peak_memory_gb: float | None = None
    n_components: int | None = None
    """Components that were chosen by the bound, and the bound of every number that was tried."""
    bounds: dict[int, float] | None = None

    def write(self, path: str | Path) -> None:
        """Write it as JSON, atomically."""
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def in_words(self) -> str:
        """The training in one line."""
        if self.note:
            return self.note
        if self.control == UNTRAINED:
            return f"untrained: the control of {self.control_of}"
        assert self.best_epoch is not None
        best = f"best at {self.best_epoch + 1}"
        if self.best_validation_loss is not None:
            best += f" (validation loss {self.best_validation_loss:.4g})"
        parts = [f"{self.epochs} epochs", best]
        if self.active_units is not None:
            parts.append(f"{self.active_units} of {self.latent_dim} units active")
        return ", ".join([*parts, f"{self.device} {self.precision}"])
