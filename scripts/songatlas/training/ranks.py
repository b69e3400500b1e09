"""One training in several processes, each with a part of every batch.

Losses here are no means over windows (see `parts`), so that averaging the processes' own gradients,
as data-parallel training commonly does, would train something else: negatives of a contrastive loss
would be a process's alone. Here every process passes its part forward, all gather the outputs of
all, each computes the loss of the whole batch, and carries the outputs' gradients back through its
own part; the sums of these are the gradients of one process with the whole batch. What an epoch
measures is then the same everywhere, and nothing else needs to be agreed on.

Without layers or noise that see a part by itself (batch normalisation, dropout, sampling) training
differs from that of one process by rounding alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from songatlas.models.base import Model, Pass
from songatlas.models.gather import gather_rows, n_ranks, rank
from songatlas.training.parts import FIELDS, carry_back, join, leaves, split_batch

AVERAGED = (nn.modules.batchnorm._BatchNorm,)
"""Layers whose buffers are statistics of a process's own parts; other buffers follow rank 0."""


def gather_pass(done: Pass) -> list[Pass]:
    """The passes of all ranks, in order, without a graph."""
    found: dict[str, list[Tensor] | None] = {}
    for name in FIELDS:
        value = getattr(done, name)
        found[name] = None if value is None else gather_rows(value.detach())
    extra = {name: gather_rows(value.detach()) for name, value in (done.extra or {}).items()}
    return [
        Pass(
            *(None if found[name] is None else found[name][i] for name in FIELDS),  # type: ignore
            None if done.extra is None else {name: values[i] for name, values in extra.items()},
        )
        for i in range(n_ranks())
    ]


def forward_over_ranks(model: Model, batch: Mapping[str, Tensor]) -> Pass:
    """A pass of the whole batch without a graph, computed a part on each rank."""
    parts = _parts(model, batch)
    with torch.no_grad():
        return join(gather_pass(model(parts[_own(parts)]))[: len(parts)])


def backward_over_ranks(
    model: Model,
    batch: Mapping[str, Tensor],
    terms: Callable[[Pass], dict[str, Tensor]],
    backward: Callable[[Tensor], object],
) -> tuple[Pass, dict[str, Tensor]]:
    """Add the gradients of the whole batch's loss to the weights of every rank.

    As `parts.backward_in_parts`, a part on each rank. Gradients must have been zeroed.
    """
    parts = _parts(model, batch)
    own = _own(parts)
    done = model(parts[own])
    whole = leaves(join(gather_pass(done)[: len(parts)]))
    found = terms(whole)
    backward(found["loss"])
    # What the loss itself asks of the weights, every rank has computed.
    for weight in model.parameters():
        if weight.grad is not None:
            weight.grad /= n_ranks()
    # Idle ranks too, since layers may exchange something on the way back.
    at = sum(len(part["row"]) for part in parts[:own])
    carry_back(done, whole, at, weight=float(own == rank()))
    sum_gradients(model)
    share_buffers(model)
    return whole, found


def _parts(model: Model, batch: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    size = -(-len(batch["row"]) // n_ranks())
    return split_batch(batch, size, whole_songs=model.whole_songs)


def _own(parts: list[dict[str, Tensor]]) -> int:
    """Number of the part of this rank; the last one, for ranks that a small batch leaves idle."""
    return min(rank(), len(parts) - 1)


@torch.no_grad()
def sum_gradients(model: nn.Module) -> None:
    """Let every rank have the sum of all ranks' gradients; weights without one anywhere keep none.

    In one exchange: it is a few million values.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    there = torch.tensor([float(w.grad is not None) for w in weights], device=weights[0].device)
    values = [w.grad if w.grad is not None else torch.zeros_like(w) for w in weights]
    flat = torch.cat([there, *(value.flatten().float() for value in values)])
    dist.all_reduce(flat)
    at = len(weights)
    for weight, ranks_with_one in zip(weights, flat[:at].tolist(), strict=True):
        summed = flat[at : at + weight.numel()].view(weight.shape)
        at += weight.numel()
        # In the weight's memory format: fused optimisers go through both as they lie.
        weight.grad = torch.empty_like(weight).copy_(summed) if ranks_with_one else None


@torch.no_grad()
def share_buffers(model: nn.Module) -> None:
    """Give all ranks the same buffers: means of batch statistics, else those of rank 0."""
    for module in model.modules():
        for buffer in module.buffers(recurse=False):
            if isinstance(module, AVERAGED) and buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer /= n_ranks()
            else:
                dist.broadcast(buffer, 0)


@torch.no_grad()
def share_weights(model: nn.Module) -> None:
    """Give all ranks the weights and buffers of rank 0."""
    if n_ranks() > 1:
        for values in (*model.parameters(), *model.buffers()):
            dist.broadcast(values, 0)


def agreed(device: torch.device, *values: float) -> list[float]:
    """The largest of each value over all ranks."""
    if n_ranks() == 1:
        return list(values)
    found = torch.tensor(values, device=device)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return [float(value) for value in found]


def from_all(value: Any) -> list[Any]:
    """A picklable value of every rank, in order."""
    if n_ranks() == 1:
        return [value]
    found: list[Any] = [None] * n_ranks()
    dist.all_gather_object(found, value)
    return found


def same_latents(z: np.ndarray) -> np.ndarray:
    """Rank 0's, for what starts from them: k-means on others that differ by rounding may differ."""
    if n_ranks() == 1:
        return z
    found = [z]
    dist.broadcast_object_list(found, 0)
    return found[0]
