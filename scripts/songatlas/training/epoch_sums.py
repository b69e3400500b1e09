"""What an epoch adds up over its batches: losses, KL, errors in dB."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from songatlas.models.base import Model, Pass
from songatlas.training.posterior import Posterior, widest

KL, SQUARED_DB, N_DECODED = "kl per unit", "squared dB", "decoded windows"
"""What is `measured` of a batch beside the terms of its loss."""


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
        moved = to_device(state, device)
        vars(self.posterior).update(moved.pop("posterior"))
        vars(self).update(moved)


def to_device(values: Any, device: torch.device) -> Any:
    """Tensors in dicts, lists and tuples, moved to a device."""
    if isinstance(values, Tensor):
        return values.to(device)
    if isinstance(values, Mapping):
        return {name: to_device(value, device) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)(to_device(value, device) for value in values)
    return values
