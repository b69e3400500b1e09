"""What benchmarks share: turns, medians and spreads, a watched process, JSON."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "results" / "benchmarks"

WATCH = """
import json, os, subprocess, sys, time
started = time.monotonic()
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print("WATCHED", json.dumps({
    "wall_s": round(time.monotonic() - started, 2),
    "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
    "peak_mb": round(usage.ru_maxrss / 1024),
}))
sys.exit(status != 0)
"""
"""A small process between: a child's peak memory begins with that of the process it comes from."""


@dataclass(frozen=True)
class Sample:
    """Seconds of one way in all turns."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def in_turns(ways: Mapping[str, Callable[[], float]], turns: int) -> dict[str, Sample]:
    """Seconds that each way says it took, A B A B: what else runs on the machine hits them alike.

    A first turn warms up (compilation, caches, allocator) and does not count.
    """
    for way in ways.values():
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            times[name].append(way())
    return {name: Sample(tuple(values)) for name, values in times.items()}


def ratio(slow: Sample, fast: Sample) -> dict[str, Any]:
    """How many times as fast, from medians, with the least and largest of the turns' own ratios."""
    each = [a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)]
    return {
        "ratio": round(slow.median / fast.median, 3),
        "least": round(min(each), 3),
        "largest": round(max(each), 3),
        "slow_s": round(slow.median, 4),
        "fast_s": round(fast.median, 4),
        "turns": len(each),
    }


def timed(call: Callable[[], Any]) -> float:
    """Wall seconds of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def watch(
    command: Sequence[str], *, threads: int | None = None, cwd: Path | None = None
) -> tuple[dict[str, Any], str]:
    """Wall and CPU seconds and peak memory of a process, and what it wrote.

    Raises:
        SystemExit: with its last words, where it fails.
    """
    environment = dict(os.environ)
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(threads)
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *command],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return said(done.stdout, "WATCHED"), done.stdout + done.stderr


def said(output: str, word: str) -> dict[str, Any]:
    """The JSON behind `word`, which one line of `output` begins with."""
    [line] = [line for line in output.splitlines() if line.startswith(f"{word} ")]
    found: dict[str, Any] = json.loads(line.removeprefix(f"{word} "))
    return found


def watched_child(command: Sequence[str]) -> dict[str, Any]:
    """`watch` of a benchmark's child, and what that measured itself."""
    found, output = watch(command)
    return {**found, **said(output, "CHILD")}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    import torch

    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "bf16": bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 2),
    }


def write_json(name: str, found: Mapping[str, Any]) -> Path:
    """Keep `found` under results/benchmarks, and print it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    text = json.dumps({"machine": machine(), **found}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    print(text, flush=True)
    return path
