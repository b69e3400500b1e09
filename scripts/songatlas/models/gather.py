"""The processes of one training, as seen from inside: who this one is, and what the others have."""

import torch
import torch.distributed as dist
from torch import Tensor


def n_ranks() -> int:
    """Processes that train together; 1 outside of distributed training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process among them."""
    return dist.get_rank() if n_ranks() > 1 else 0


@torch.no_grad()
def gather_rows(values: Tensor) -> list[Tensor]:
    """The values of every rank, in order: (n, ...) each, where n may differ, or scalars.

    Travels as bytes, since not every backend knows every dtype.
    """
    if n_ranks() == 1:
        return [values]
    rows = values.reshape(len(values), -1) if values.dim() else values.reshape(1, 1)
    sizes = [torch.zeros(1, dtype=torch.int64, device=values.device) for _ in range(n_ranks())]
    dist.all_gather(sizes, torch.tensor([len(rows)], device=values.device))
    counts = [int(size) for size in sizes]
    sent = rows.new_zeros((max(counts), rows.shape[1]))
    sent[: len(rows)] = rows
    raw = sent.view(torch.uint8)
    found = [torch.empty_like(raw) for _ in counts]
    dist.all_gather(found, raw)
    shape = values.shape[1:] if values.dim() else values.shape
    return [
        each.view(values.dtype)[:n].reshape((n, *shape) if values.dim() else shape)
        for each, n in zip(found, counts, strict=True)
    ]


def rows_of_all(values: Tensor) -> Tensor:
    """The rows of all ranks, one after the other."""
    return torch.cat(gather_rows(values))
