"""A batch in parts, for a device whose memory does not hold what the whole batch leaves behind.

Losses here are no means over windows: the decoder's variance is calibrated on the batch, and the
negatives of a contrastive loss are the batch's. Adding up the gradients of the parts' own losses
would train something else. So outputs come first: all parts pass without a graph, the loss is that
of the whole batch's outputs, and a second pass of every part carries the outputs' gradients on to
the weights (as Gao et al. 2021 do for contrastive losses). A step costs about a third more.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from songatlas.models.base import Model, Pass

FIELDS = ("mu", "logvar", "z", "reconstruction")
OF_BATCH = ("song", "song_size")


def split_batch(
    batch: Mapping[str, Tensor], size: int, *, whole_songs: bool = False
) -> list[dict[str, Tensor]]:
    """Consecutive parts of about `size` windows, none of one window where the batch has more.

    With `whole_songs` a part holds all windows of its songs, which stand side by side.
    """
    n = len(batch["row"])
    starts = [int(part[0]) for part in np.array_split(np.arange(n), _n_parts(n, size))]
    if whole_songs:
        track = batch["track"].cpu().numpy()
        begins = np.flatnonzero(np.append(True, track[1:] != track[:-1]))
        starts = sorted({int(begins[np.searchsorted(begins, at, "right") - 1]) for at in starts})
    pairs = zip(starts, [*starts[1:], n], strict=True)
    # What a batch says of its songs as a whole holds for none of its parts.
    by_row = {name: value for name, value in batch.items() if name not in OF_BATCH}
    return [{name: value[a:b] for name, value in by_row.items()} for a, b in pairs]


def _n_parts(n: int, size: int) -> int:
    return max(1, min(-(-n // size), n // 2))


def join(passes: Sequence[Pass]) -> Pass:
    """One pass of a batch from those of its parts: rows in order, scalars averaged over rows."""
    shares = _shares(passes)
    found: dict[str, Tensor | None] = {}
    for name in FIELDS:
        values = [getattr(done, name) for done in passes]
        found[name] = None if values[0] is None else torch.cat(values)
    extra = None
    if passes[0].extra is not None:
        extra = {
            name: _joined([done.extra[name] for done in passes if done.extra is not None], shares)
            for name in passes[0].extra
        }
    assert found["mu"] is not None
    return Pass(found["mu"], found["logvar"], found["z"], found["reconstruction"], extra)


def _joined(values: list[Tensor], shares: list[float]) -> Tensor:
    if values[0].dim():
        return torch.cat(values)
    return torch.stack([value * share for value, share in zip(values, shares, strict=True)]).sum()


def _shares(passes: Sequence[Pass]) -> list[float]:
    total = sum(len(done.mu) for done in passes)
    return [len(done.mu) / total for done in passes]


def forward_in_parts(model: Model, parts: Sequence[Mapping[str, Tensor]]) -> Pass:
    """A pass of the whole batch without a graph."""
    with torch.no_grad():
        return join([model(part) for part in parts])


def backward_in_parts(
    model: Model,
    parts: Sequence[Mapping[str, Tensor]],
    terms: Callable[[Pass], dict[str, Tensor]],
    backward: Callable[[Tensor], object],
    rewind: Callable[[], None],
) -> tuple[Pass, dict[str, Tensor]]:
    """Add the gradients of the whole batch's loss to the weights; its pass and its terms.

    `terms` gives the named terms of a pass of the whole batch, `backward` starts from its loss, and
    `rewind` brings back the random state and the buffers from before the first pass, so that the
    second one repeats it. What the loss itself adds to buffers is added again.
    """
    whole = leaves(forward_in_parts(model, parts))
    before = [buffer.clone() for buffer in model.buffers()]
    found = terms(whole)
    added = _since(model, before)
    backward(found["loss"])
    rewind()
    at = 0
    for part in parts:
        done = model(part)
        carry_back(done, whole, at)
        at += len(done.mu)
    for buffer, value in added:
        buffer += value
    return whole, found


def _since(model: Model, before: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """What was added to each floating-point buffer (a mixture counts whom its components have)."""
    pairs = zip(model.buffers(), before, strict=True)
    return [(now, now - then) for now, then in pairs if now.is_floating_point()]


def carry_back(done: Pass, whole: Pass, at: int, weight: float = 1.0) -> None:
    """Carry the gradients of a batch's outputs `whole` back through the pass of one of its parts.

    The part's first row is the batch's row `at`; the gradients are multiplied by `weight`.
    """
    n = len(done.mu)
    outputs, gradients = [], []
    for name, output in _tensors(done).items():
        gradient = _tensors(whole)[name].grad
        if gradient is not None and output.requires_grad:
            outputs.append(output)
            share = gradient[at : at + n] if output.dim() else gradient * (n / len(whole.mu))
            gradients.append(share if weight == 1.0 else share * weight)
    with torch.autocast(done.mu.device.type, enabled=False):
        torch.autograd.backward(outputs, gradients)


def _tensors(done: Pass) -> dict[str, Tensor]:
    named = {name: getattr(done, name) for name in FIELDS}
    named |= {f"extra.{name}": value for name, value in (done.extra or {}).items()}
    return {name: value for name, value in named.items() if value is not None}


def leaves(done: Pass) -> Pass:
    """The same pass, whose tensors collect gradients."""
    for value in _tensors(done).values():
        if value.is_floating_point():
            value.requires_grad_()
    return done
