"""What depends on the epoch: KL weight, best weights, when to stop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from songatlas.training.device import free_bytes

SPARE = 2
"""Times the weights' size that must be free for a copy of them to stay on the device."""


@dataclass(frozen=True)
class Schedule:
    """Epochs in order: pretraining (no KL, no scores), KL annealing, full KL weight.

    The annealing is one linear ramp of `kl_warmup_epochs`, or, with `kl_cycles`, as many cycles of
    that length, each of which rises linearly in its first half and stays at the full weight in its
    second (Fu et al. 2019).
    """

    pretrain_epochs: int
    kl_warmup_epochs: int
    max_epochs: int
    """Upper bound on epochs after pretraining."""
    beta: float
    kl_cycles: int = 0
    """0: one linear ramp."""

    @property
    def n_epochs(self) -> int:
        """Upper bound on all epochs."""
        return self.pretrain_epochs + self.max_epochs

    @property
    def first_full_epoch(self) -> int:
        """First epoch with the full KL weight: patience counts from here."""
        return self.pretrain_epochs + self.kl_warmup_epochs * max(self.kl_cycles, 1)

    def pretraining(self, epoch: int) -> bool:
        return epoch < self.pretrain_epochs

    def kl_weight(self, epoch: int) -> float:
        """β × the annealing: 0 in the first epoch after pretraining, 1 from `first_full_epoch`."""
        joint = epoch - self.pretrain_epochs
        if joint < 0:
            return 0.0
        if epoch >= self.first_full_epoch:
            return self.beta
        if not self.kl_cycles:
            return self.beta * joint / self.kl_warmup_epochs
        position = joint % self.kl_warmup_epochs / self.kl_warmup_epochs
        return self.beta * min(1.0, 2.0 * position)


@dataclass
class Best:
    """The best epoch so far, its weights, and whether patience has run out.

    The watched loss is always computed at the full KL weight, so the epochs of the annealing, in
    which the KL term is hardly punished, have no advantage; epochs of pretraining do not count at
    all, and patience counts from the first epoch at full weight.
    """

    patience: int
    schedule: Schedule
    epoch: int = -1
    value: float = float("inf")
    weights: dict[str, Tensor] = field(default_factory=dict)
    placed: bool = False
    """Whether `weights` are where they are to stay."""

    def update(self, epoch: int, value: float, model: nn.Module) -> None:
        """Note an epoch; copy the weights when it is the best so far.

        They stay on the model's device while its memory has room for twice as much.
        """
        if self.schedule.pretraining(epoch) or value >= self.value:
            return
        self.epoch, self.value = epoch, value
        state = model.state_dict()
        if not self.placed:
            self.weights, self.placed = _room_for(state), True
        for name, tensor in state.items():
            self.weights[name].copy_(tensor.detach())

    def give_way(self) -> bool:
        """Move the weights to main memory; whether they were on a device."""
        on_device = any(tensor.device.type != "cpu" for tensor in self.weights.values())
        self.weights = {name: tensor.cpu() for name, tensor in self.weights.items()}
        return on_device

    def exhausted(self, epoch: int) -> bool:
        """Whether `patience` epochs have passed without a better one."""
        since = max(self.epoch, self.schedule.first_full_epoch - 1)
        return epoch - since >= self.patience

    def state(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "value": self.value, "weights": self.weights}

    def restore(self, state: dict[str, Any]) -> None:
        self.epoch, self.value, self.weights = state["epoch"], state["value"], state["weights"]
        self.placed = False


def _room_for(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Room for a copy of weights: on their device, or in main memory where that is scarce."""
    needed = SPARE * sum(tensor.nbytes for tensor in state.values())
    device = next(iter(state.values())).device
    at = device if free_bytes(device) >= needed else torch.device("cpu")
    return {name: torch.empty_like(tensor, device=at) for name, tensor in state.items()}
