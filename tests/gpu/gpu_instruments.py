"""Instruments of the check: kernel time, synchronisations, ceilings and floors, capped memory."""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from songatlas.training.module import TrainingModule

ASKS_FOR_A_VALUE = (
    "aten._local_scalar_dense",
    "aten.nonzero",
    "aten.masked_select",
    "aten._unique2",
    "aten.unique_dim",
    "aten.equal",
)
"""Operations whose result, or its size, the host has to wait for."""


def synchronise(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def seconds(device: str, work: Callable[[], object]) -> float:
    """How long `work` takes on the device."""
    synchronise(device)
    began = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - began


@contextmanager
def around_steps(
    first: int, n: int, epoch: int, begin: Callable[[], Any], end: Callable[[Any], None]
) -> Iterator[None]:
    """Call `begin` before training step `first` of an epoch, and `end` after the n-th from it."""
    step = TrainingModule.training_step
    held: list[Any] = []

    def watched(self: TrainingModule, batch: dict[str, Tensor], batch_idx: int) -> None:
        if self.epoch == epoch and batch_idx == first:
            held.append(begin())
        step(self, batch, batch_idx)
        if self.epoch == epoch and batch_idx == first + n - 1:
            end(held.pop())

    TrainingModule.training_step = watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        TrainingModule.training_step = step  # type: ignore[method-assign]


@contextmanager
def kernel_seconds(first: int, n: int, epoch: int, found: Counter[str]) -> Iterator[None]:
    """Add up the seconds that each kernel ran during n steps (CUDA alone; else nothing)."""
    if not torch.cuda.is_available():
        yield
        return

    def begin() -> torch.profiler.profile:
        torch.cuda.synchronize()
        profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
        profile.start()
        return profile

    def end(profile: torch.profiler.profile) -> None:
        torch.cuda.synchronize()
        profile.stop()
        for row in profile.key_averages():
            found[row.key] += row.self_device_time_total / 1e6

    with around_steps(first, n, epoch, begin, end):
        yield


class Waits(TorchDispatchMode):
    """Counts operations whose result the host has to wait for, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).rpartition(".")[0]
        if name in ASKS_FOR_A_VALUE:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def synchronisations(first: int, n: int, epoch: int, found: Counter[str]) -> Iterator[None]:
    """Count them over n steps: as CUDA warns of them, by place; elsewhere by operation."""

    def begin() -> Any:
        if not torch.cuda.is_available():
            return Waits().__enter__()
        recorder = warnings.catch_warnings(record=True)
        caught = recorder.__enter__()
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        return recorder, caught

    def end(held: Any) -> None:
        if isinstance(held, Waits):
            held.__exit__(None, None, None)
            found.update(held.found)
            return
        recorder, caught = held
        torch.cuda.set_sync_debug_mode("default")
        recorder.__exit__(None, None, None)
        for warning in caught or []:
            if "synchroniz" in str(warning.message):
                place = "/".join(warning.filename.split("/")[-2:])
                found[f"{place}:{warning.lineno}"] += 1

    with around_steps(first, n, epoch, begin, end):
        yield


def ceilings(device: str, small: bool) -> tuple[float, float]:
    """FLOP/s of a large product of bf16 matrices, and bytes/s of a large copy, both measured."""
    n, size = (256, 2**20) if small else (8192, 2**30)
    a = torch.randn((n, n), device=device, dtype=torch.bfloat16)
    source = torch.empty(size, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    for work in (lambda: a @ a, lambda: target.copy_(source)):
        work()
    products = min(seconds(device, lambda: a @ a) for _ in range(5))
    copies = min(seconds(device, lambda: target.copy_(source)) for _ in range(5))
    return 2.0 * n**3 / products, 2.0 * size / copies


class Roofline(TorchDispatchMode):
    """The least seconds that a step's operations take one after another.

    Each takes the longer of its FLOP and of the bytes that it reads and writes, at the ceilings;
    views take nothing.
    """

    def __init__(self, flop_per_s: float, bytes_per_s: float) -> None:
        super().__init__()
        self.flop_per_s, self.bytes_per_s = flop_per_s, bytes_per_s
        self.seconds = self.flop = self.bytes = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func.is_view or func._schema.name.startswith("aten::detach"):
            return out
        packet = func._overloadpacket
        flop = flop_registry[packet](*args, **kwargs, out_val=out) if packet in flop_registry else 0
        moved = sum(tensor.nbytes for tensor in _distinct((args, kwargs, out)))
        self.flop, self.bytes = self.flop + flop, self.bytes + moved
        self.seconds += max(flop / self.flop_per_s, moved / self.bytes_per_s)
        return out


def _distinct(values: Any) -> list[Tensor]:
    """The tensors in nested values, each storage once."""
    leaves = torch.utils._pytree.tree_leaves(values)
    tensors = {leaf.data_ptr(): leaf for leaf in leaves if isinstance(leaf, Tensor)}
    return list(tensors.values())


@contextmanager
def memory_cap(bytes_: float) -> Iterator[None]:
    """No more memory of the card than this for this process."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, bytes_ / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


@contextmanager
def pretended_cap(n_windows: int) -> Iterator[None]:
    """A device whose memory holds the graph of so many windows: for machines without a card."""
    whole = TrainingModule.parts

    def limited(self: TrainingModule, batch: dict[str, Tensor]) -> list[dict[str, Tensor]]:
        parts = whole(self, batch)
        if max(len(part["row"]) for part in parts) > n_windows:
            raise torch.OutOfMemoryError("out of memory: pretended")
        return parts

    TrainingModule.parts = limited  # type: ignore[method-assign]
    try:
        yield
    finally:
        TrainingModule.parts = whole  # type: ignore[method-assign]
