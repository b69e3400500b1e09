"""Which device computes, and in which precision."""

import math
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from songatlas.errors import ConfigError, SongatlasError

Device = Literal["cuda", "mps", "cpu"]
Precision = Literal["bf16-mixed", "16-mixed", "32"]


def choose_device(wanted: Literal["auto", "cuda", "mps", "cpu"]) -> Device:
    """CUDA when there, else Apple MPS, else the CPU, unless config names one.

    Raises:
        ConfigError: when the named device is absent.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted != "auto":
        if not there[wanted]:
            raise ConfigError(f"training.device: {wanted} is not available here; use `auto`")
        return wanted
    for device in ("cuda", "mps", "cpu"):
        if there[device]:
            break
    return device


def choose_precision(
    wanted: Literal["auto", "bf16-mixed", "16-mixed", "32"], device: Device
) -> Precision:
    """bf16 autocast where the device computes in bf16, fp16 on older CUDA cards, else fp32.

    Raises:
        ConfigError: when fp16 is wanted elsewhere than on CUDA.
    """
    if wanted == "16-mixed" and device != "cuda":
        raise ConfigError(f"training.precision: 16-mixed needs CUDA, not {device}; use `auto`")
    if wanted != "auto":
        return wanted
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(False) else "16-mixed"
    if device == "cpu" and _cpu_computes_bf16():
        return "bf16-mixed"
    return "32"


def embedding_precision(
    wanted: Literal["auto", "bf16-mixed", "16-mixed", "32"], device: Device
) -> Precision:
    """That of training on a card; fp32 on a CPU, which embeds the same wherever it runs."""
    return choose_precision(wanted, device) if device == "cuda" else "32"


def _cpu_computes_bf16() -> bool:
    """Whether the CPU has bf16 matrix instructions (AMX or AVX512-BF16)."""
    return any(
        getattr(torch.cpu, name, bool)()
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )


def free_bytes(device: torch.device) -> float:
    """Memory of a device that can still be had; infinite where nobody counts it."""
    if device.type != "cuda":
        return math.inf
    free, _ = torch.cuda.mem_get_info(device)
    # What torch holds and does not use is free to it.
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return float(free + unused)


@contextmanager
def mixed(precision: Precision, device: str) -> Iterator[None]:
    """Autocast as trainings in this precision have it; nothing in fp32."""
    dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
    with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
        yield


def out_of_memory(error: RuntimeError) -> bool:
    """Whether a device had no memory left (MPS and the CPU have no class of error for that)."""
    words = ("out of memory", "can't allocate memory", "alloc_failed")  # cuBLAS, cuDNN
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(word in text for word in words)


@contextmanager
def memory_errors_explained() -> Iterator[None]:
    """Let a device without memory be something that the user can mend.

    Raises:
        SongatlasError: instead of the library's own error.
    """
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        first_line = str(error).strip().split("\n")[0]
        raise SongatlasError(
            "the memory of the device does not hold the model beside what else is on it: free the "
            "device, choose a smaller model or a lower training.batch_size, or set training.device "
            f"to cpu ({first_line})"
        ) from None


def peak_memory_gb(device: Device) -> float:
    """Most memory that was in use: of the GPU with CUDA, else of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
