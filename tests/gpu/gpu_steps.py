"""The steps of the check, each a generator of rows; `check.py` runs them in a process of its own.

Names of steps come line by line on standard input; rows go out as lines of JSON, and `finished`.
"""

import argparse
import gc
import importlib.metadata
import json
import logging
import math
import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

import gpu_instruments as instruments
import gpu_ways as ways
from gpu_corpus import (
    FULL,
    SMALL,
    Sizes,
    Studied,
    every_architecture,
    labelled,
    make_windows,
    paper,
    started,
    windows_of,
)
from songatlas.latents.embed import write_latents
from songatlas.models.base import Model
from songatlas.training.data import Windows, prepare
from songatlas.training.fit import Trained
from songatlas.training.graphs import StepGraph

CARD_GB = 12.0
"""The card that a training has to fit."""

PROFILED_STEPS = 20
LONGEST_KERNELS = 5
WATCHED_STEPS = 4
COMPILE_LIMIT_S = 60

RECORDED_STEPS = 8
"""Steps an epoch of the trainings that are recorded."""

FP16_SCALE = 1024.0
"""Of the loss, so that small gradients do not vanish (a GradScaler finds its own)."""

Row = dict[str, Any]


@dataclass
class Bench:
    """What the steps share: the device, the sizes, the corpus, the study's models."""

    device: str
    small: bool
    folder: Path
    turns: int = 2
    _windows: dict[int, Windows] = field(default_factory=dict)

    @property
    def sizes(self) -> Sizes:
        return SMALL if self.small else FULL

    def windows(self, n: int | None = None) -> Windows:
        """The corpus, or its first n windows, on the device."""
        n = n or self.sizes.n_windows
        if n not in self._windows:
            self._windows = {n: make_windows(self.sizes, n).to(self.device)}
        return self._windows[n]

    def of(self, studied: Studied, n: int | None = None) -> Windows:
        condition = studied.model.model_extra or {}
        return labelled(self.windows(n), condition.get("condition_on")).to(self.device)

    def train(self, studied: Studied, n: int | None, epochs: int, **more: Any) -> Trained:
        """`epochs` of joint training, after one of pretraining where the model has one."""
        _, training, loss = paper()
        # What the training before left in cycles would count as this one's memory.
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
        options = {"pretrain_epochs": 1} if "vade" in studied.name else {}
        changed = more.pop("options", {})
        description = studied.description(self.sizes, **options, **changed)
        size = {"batch_size": self.sizes.batch_size}
        settings = {**size, **more.pop("settings", {})}
        return ways.train(
            self.of(studied, n), description, training, loss, self.device, epochs,
            settings=settings, **more,
        )  # fmt: skip


def attempt(what: str, work: Callable[[], Row]) -> Row:
    """The row of one model; where it fails, what it said."""
    try:
        return {"what": what, **work()}
    except ModuleNotFoundError as error:
        return {"what": what, "skipped": f"no module {error.name}"}
    except Exception as error:
        return {"what": what, "error": f"{type(error).__name__}: {str(error).strip()[:500]}"}


# --- the steps ---------------------------------------------------------------------------------


def versions(bench: Bench) -> Iterator[Row]:
    """(a) What runs here, and how fast the device is at most."""
    names = ("torch", "lightning", "numpy", "pandas", "pyarrow", "pydantic", "scikit-learn")
    row: Row = {"python": platform.python_version(), "cores": os.cpu_count()}
    row |= {name: importlib.metadata.version(name) for name in names if name != "pydantic"}
    if bench.device == "cuda":
        card = torch.cuda.get_device_properties(0)
        row |= {"card": card.name, "memory_gb": card.total_memory / 1e9, "cuda": torch.version.cuda}
        row |= {"bf16": torch.cuda.is_bf16_supported(False)}
    yield {"what": "versions", **row}
    yield attempt("ceilings", lambda: _ceilings(bench))


def _ceilings(bench: Bench) -> Row:
    flop_per_s, bytes_per_s = instruments.ceilings(bench.device, bench.small)
    return {"tflop_per_s": flop_per_s / 1e12, "gb_per_s": bytes_per_s / 1e9}


def architectures(bench: Bench) -> Iterator[Row]:
    """(b) Loss and gradients of every architecture beside those in fp32 on the CPU."""
    # The spectrograms are narrower than the study's: the CPU has to compute them too.
    sizes = SMALL if bench.small else Sizes(n_frames=256, lyrics_dim=64, max_lines=8)
    windows = make_windows(sizes, 16)
    for variant in every_architecture(sizes):
        mine = windows_of(variant.description, windows)
        yield attempt(variant.name, lambda: _beside_the_cpu(bench, variant.description, mine))  # noqa: B023


def _beside_the_cpu(bench: Bench, description: Any, windows: Windows) -> Row:
    expected = _loss_and_gradient(description, windows, "cpu", None)
    row: Row = {}
    for name, dtype in (("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)):
        loss, gradient = _loss_and_gradient(description, windows, bench.device, dtype)
        row[f"loss_{name}"] = abs(loss - expected[0]) / max(abs(expected[0]), 1e-6)
        row[f"cosine_{name}"] = float(torch.cosine_similarity(gradient, expected[1], dim=0))
    if not all(math.isfinite(value) for value in row.values()):
        raise ValueError(f"not finite: {row}")
    return row


def _loss_and_gradient(
    description: Any, windows: Windows, device: str, dtype: torch.dtype | None
) -> tuple[float, Tensor]:
    """With draws from the CPU and no dropout, so that devices differ by rounding alone."""
    model = started(description, windows)
    _without_dropout(model)
    batch = windows.batch(np.arange(len(windows)))
    pair = windows.mel[torch.arange(len(windows)).flip(0)]
    model = model.to(device)
    model.resume({name: values.to(device) for name, values in model.progress().items()})
    torch.manual_seed(0)
    with _DrawnOnTheCPU(), torch.autocast(device, dtype=dtype, enabled=dtype is not None):
        ready = prepare({key: v.to(device) for key, v in {**batch, "pair": pair}.items()})
        loss = model.loss(ready, kl_weight=1.0, scale="elbo")["loss"]
    scale = FP16_SCALE if dtype == torch.float16 else 1.0
    (loss * scale).backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return float(loss.detach()), torch.cat(gradients).cpu().double() / scale


def _without_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0


LIKE = {torch.randn_like: torch.randn, torch.rand_like: torch.rand}
FRESH = (torch.randn, torch.rand, torch.randint, torch.randperm)


class _DrawnOnTheCPU(torch.overrides.TorchFunctionMode):
    """Random draws come from the CPU's generator, whatever device asks."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in LIKE:
            return LIKE[func](args[0].shape).to(args[0])
        if func is Tensor.exponential_:
            return args[0].copy_(torch.empty(args[0].shape).exponential_())
        if func in FRESH:
            device = kwargs.pop("device", None)
            return func(*args, **kwargs).to(device)
        return func(*args, **kwargs)


def fifty_steps(bench: Bench) -> Iterator[Row]:
    """(c) Seconds of a step: the library's training, a plain loop, the study's; in turns."""
    sizes = bench.sizes
    n = (sizes.n_steps + ways.WARM_UP) * sizes.batch_size
    for turn in range(1, 1 + bench.turns):
        for studied in paper()[0]:
            yield {"turn": turn, **attempt(studied.name, lambda: _three_ways(bench, studied, n))}  # noqa: B023


def _three_ways(bench: Bench, studied: Studied, n: int) -> Row:
    _, training, loss = paper()
    windows, sizes = bench.of(studied, n), bench.sizes
    trained = bench.train(studied, n, 2)
    own = ways.epoch_seconds(trained)[-1] / (n // sizes.batch_size)

    def loop(batches: Iterator[Mapping[str, Tensor]], precision: torch.dtype) -> float:
        torch.manual_seed(0)
        model: Model = studied.description(sizes).build()
        return ways.loop_seconds(
            model, batches, training, loss, bench.device, precision=precision, n_steps=sizes.n_steps
        )

    plain = loop(ways.plain_batches(windows, sizes.batch_size), torch.float32)
    half = torch.float16 if bench.device == "cuda" else torch.bfloat16
    study = loop(ways.study_batches(windows, sizes.batch_size), half)
    return {
        "ms_library": 1e3 * own,
        "ms_plain_fp32": 1e3 * plain,
        "ms_study": 1e3 * study,
        "times_study": study / own,
        "precision": trained.summary.precision,
    }


def epochs(bench: Bench) -> Iterator[Row]:
    """(d) An epoch of the whole corpus: seconds, how busy the card is, memory at its peak."""
    rows = []
    for studied in paper()[0]:
        rows.append(attempt(studied.name, lambda: _one_epoch(bench, studied)))  # noqa: B023
        yield rows[-1]
    total = sum(row.get("seconds", math.nan) for row in rows)
    yield {"what": "all", "minutes_of_100_epochs": 100 * total / 60}
    yield attempt("floor of a step of conv_vae", lambda: _floor(bench))


def _one_epoch(bench: Bench, studied: Studied) -> Row:
    n_steps = bench.sizes.n_windows // bench.sizes.batch_size
    profiled, last = min(PROFILED_STEPS, n_steps - 1), 2 + ("vade" in studied.name)
    kernels: Counter[str] = Counter()
    with instruments.kernel_seconds(1, profiled, last, kernels):
        trained = bench.train(studied, None, 3)
    took = ways.epoch_seconds(trained)[-2]
    row: Row = {"seconds": took, "peak_memory_gb": trained.summary.peak_memory_gb}
    row["whole_training_s"] = trained.summary.seconds
    if kernels:
        row["kernel_ms_a_step"] = 1e3 * kernels.total() / profiled
        row["busy"] = kernels.total() / profiled * n_steps / took
        longest = kernels.most_common(LONGEST_KERNELS)
        row["longest_kernels_ms"] = {name[:80]: 1e3 * s / profiled for name, s in longest}
    return row


def _floor(bench: Bench) -> Row:
    models, training, loss = paper()
    studied = next(one for one in models if one.name == "conv_vae")
    model = studied.description(bench.sizes).build().to(bench.device)
    if bench.device == "cuda":
        model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    windows = bench.of(studied)
    batch = windows.batch(np.arange(bench.sizes.batch_size))

    def step() -> None:
        with torch.autocast(bench.device, dtype=torch.bfloat16):
            terms = model.loss(prepare(batch), kl_weight=1.0, scale=loss.scale)
        optimizer.zero_grad()
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.gradient_clip)
        optimizer.step()

    for _ in range(3):
        step()
    counted = instruments.Roofline(*instruments.ceilings(bench.device, bench.small))
    with counted:
        step()
    took = min(instruments.seconds(bench.device, step) for _ in range(10))
    floor = {"floor_ms": 1e3 * counted.seconds, "gflop": counted.flop / 1e9}
    return {**floor, "gb": counted.bytes / 1e9, "ms": 1e3 * took, "times": took / counted.seconds}


def synchronisations(bench: Bench) -> Iterator[Row]:
    """(e) How often the host waits in a step that is not logged."""
    for studied in paper()[0]:
        yield attempt(studied.name, lambda: _waits(bench, studied))  # noqa: B023


def _waits(bench: Bench, studied: Studied) -> Row:
    found: Counter[str] = Counter()
    n_batches = WATCHED_STEPS + 2
    last = 0 + ("vade" in studied.name)
    with instruments.synchronisations(1, WATCHED_STEPS, last, found):
        # A replayed step launches one graph: what waits shows in single steps.
        settings = {"cuda_graphs": False}
        bench.train(studied, n_batches * bench.sizes.batch_size, 1, settings=settings)
    return {"a_step": sum(found.values()) / WATCHED_STEPS, "where": dict(found.most_common(5))}


def recorded(bench: Bench) -> Iterator[Row]:
    """Replayed steps beside single ones, of every architecture: weights, the curve of the loss."""
    sizes = SMALL if bench.small else Sizes(n_frames=256, lyrics_dim=64, max_lines=8)
    windows = make_windows(sizes, RECORDED_STEPS * sizes.batch_size).to(bench.device)
    for variant in every_architecture(sizes):
        mine = windows_of(variant.description, windows).to(bench.device)
        yield attempt(variant.name, lambda: _replayed(bench, variant.description, mine))  # noqa: B023


def _replayed(bench: Bench, description: Any, windows: Windows) -> Row:
    _, training, loss = paper()
    found, n_replayed = [], 0
    step = StepGraph.step

    def counted(self: StepGraph, *arguments: Any) -> Any:
        nonlocal n_replayed
        n_replayed += 1
        return step(self, *arguments)

    with patch.object(StepGraph, "step", counted):
        for cuda_graphs in (False, True):
            settings = {"cuda_graphs": cuda_graphs, "deterministic": True}
            settings["batch_size"] = bench.sizes.batch_size
            found.append(
                ways.train(windows, description, training, loss, bench.device, 3, settings=settings)
            )
    single, replayed = found
    apart = max(abs(a - b) / abs(a) for a, b in zip(*map(_losses, found), strict=True))
    differ = [k for k, v in single.weights.items() if not torch.equal(v, replayed.weights[k])]
    return {"replayed": n_replayed, "relative": apart, "tensors_that_differ": len(differ)}


def memory(bench: Bench) -> Iterator[Row]:
    """(f) A card of 12 GB holds every model; where it does not, batches go on in parts."""
    n = 4 * bench.sizes.batch_size
    for studied in paper()[0]:
        yield attempt(f"{studied.name} within {CARD_GB:g} GB", lambda: _capped(bench, studied, n))  # noqa: B023
    conv = next(one for one in paper()[0] if one.name == "conv_vae")
    yield attempt("conv_vae in parts", lambda: _in_parts(bench, conv, n))


def _cap(bench: Bench, bytes_: float) -> AbstractContextManager[None]:
    if bench.device == "cuda":
        return instruments.memory_cap(bytes_)
    return instruments.pretended_cap(bench.sizes.batch_size)


def _capped(bench: Bench, studied: Studied, n: int) -> Row:
    with _cap(bench, CARD_GB * 1e9):
        summary = bench.train(studied, n, 1).summary
    row = {"peak_memory_gb": summary.peak_memory_gb, "note": summary.batch_note}
    if summary.batch_note:
        raise ValueError(f"in parts: {row}")
    return row


def _in_parts(bench: Bench, studied: Studied, n: int) -> Row:
    settings = {"precision": "32"}
    options = {"dropout": 0.0}
    bench.windows(n)
    whole = bench.train(studied, n, 1, settings=settings, options=options)
    peak = whole.summary.peak_memory_gb * 1e9
    least = 20.0 * whole.summary.parameters + bench.windows(n).mel.nbytes
    for share in (0.7, 0.5, 0.35, 0.25, 0.15):
        with _cap_in_parts(bench, least + share * (peak - least)):
            parts = bench.train(studied, n, 1, settings=settings, options=options)
        if parts.summary.batch_note:
            return _same_loss(whole, parts, share)
    raise ValueError("every cap held whole batches")


def _cap_in_parts(bench: Bench, bytes_: float) -> AbstractContextManager[None]:
    if bench.device == "cuda":
        return instruments.memory_cap(bytes_)
    return instruments.pretended_cap(bench.sizes.batch_size // 2)


def _same_loss(whole: Trained, parts: Trained, share: float) -> Row:
    one, other = _losses(whole)[-1], _losses(parts)[-1]
    row = {"loss_whole": one, "loss_in_parts": other, "note": parts.summary.batch_note}
    return {**row, "share_of_memory": share, "relative": abs(one - other) / abs(one)}


def _losses(trained: Trained) -> list[float]:
    history = trained.history
    rows = (history["metric"] == "loss") & (history["split"] == "train")
    return [float(value) for value in history.loc[rows, "value"]]


RESUMED_EPOCHS = 3


def resume(bench: Bench) -> Iterator[Row]:
    """(g) A training that is killed goes on as if nothing had been."""
    yield attempt("basic_vae", lambda: _killed_and_resumed(bench))
    for studied in paper()[0]:
        yield attempt(f"{studied.name} twice", lambda: _twice(bench, studied))  # noqa: B023


def _killed_and_resumed(bench: Bench) -> Row:
    basic = next(one for one in paper()[0] if one.name == "basic_vae")
    n = 6 * bench.sizes.batch_size
    folder = bench.folder / "resume"
    command = [sys.executable, __file__, "--device", bench.device, "--folder", str(folder)]
    command += ["--die"] + (["--small"] if bench.small else [])
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code != -signal.SIGKILL or not list(folder.glob("last-*.ckpt")):
        raise ValueError(f"the training that was to be killed ended with code {code}")
    resumed = bench.train(basic, n, RESUMED_EPOCHS, resume_folder=folder)
    whole = bench.train(basic, n, RESUMED_EPOCHS)
    one, other = _losses(whole), _losses(resumed)
    if len(one) != len(other):
        raise ValueError(f"{len(one)} epochs whole, {len(other)} resumed")
    apart = max(abs(a - b) / abs(a) for a, b in zip(one, other, strict=True))
    return {"epochs": len(one), "largest_relative_difference": apart}


def _twice(bench: Bench, studied: Studied) -> Row:
    """Two trainings that are asked for the same bits."""
    n, settings = 2 * bench.sizes.batch_size, {"deterministic": True}
    one, other = (bench.train(studied, n, 1, settings=settings).weights for _ in range(2))
    differ = [name for name, values in one.items() if not torch.equal(values, other[name])]
    if differ:
        raise ValueError(f"{len(differ)} of {len(one)} tensors differ, {differ[0]} first")
    return {"same_bits": len(one)}


def die(bench: Bench) -> None:
    """Train, save in every step, and end without a word in the middle of the second epoch."""
    basic = next(one for one in paper()[0] if one.name == "basic_vae")

    def end(_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with instruments.around_steps(3, 1, 1, lambda: None, end):
        n = 6 * bench.sizes.batch_size
        bench.train(basic, n, RESUMED_EPOCHS, resume_folder=bench.folder, resume_every_s=0.0)


def latents(bench: Bench) -> Iterator[Row]:
    """(h) Latents of every window."""
    yield attempt("conv_vae", lambda: _latents(bench))


def _latents(bench: Bench) -> Row:
    conv = next(one for one in paper()[0] if one.name == "conv_vae")
    model = conv.description(bench.sizes).build().to(bench.device).eval()
    windows = make_windows(bench.sizes)
    path = bench.folder / "latents.parquet"

    def write() -> None:
        write_latents(model, windows, path, name="conv_vae", device=bench.device)

    took = min(instruments.seconds(bench.device, write) for _ in range(2))
    return {"seconds": took, "windows": len(windows), "windows_per_s": len(windows) / took}


def musicnn(bench: Bench) -> Iterator[Row]:
    """(i) musicnn with random weights: times real time. It computes on the CPU."""
    yield attempt("musicnn", lambda: _musicnn(bench))


def _musicnn(bench: Bench) -> Row:
    from songatlas.features.encoders.musicnn.frontend import BANDS, PATCH_FRAMES, log_mel
    from songatlas.features.encoders.musicnn.network import Network

    networks = [Network(_random_weights(seed)) for seed in (0, 1)]
    power = np.random.default_rng(0).random((PATCH_FRAMES, BANDS)).astype(np.float16)
    n = 2 if bench.small else 60

    @torch.inference_mode()
    def embed() -> None:
        for _ in range(n):
            for network in networks:
                network(log_mel(power))

    embed()
    song_s = n * PATCH_FRAMES * 256 / 16000
    return {
        "times_real_time": song_s / instruments.seconds("cpu", embed),
        "networks": 2,
        "on": "cpu",
    }


def _random_weights(seed: int) -> dict[str, np.ndarray]:
    """Shapes of the original's checkpoint."""
    random = np.random.default_rng(seed)
    convolutions = [
        *((7, height, 1, 204) for height in (86, 38)),
        *((length, 1, 1, 51) for length in (128, 64, 32)),
        *((7, n_in, 1, 64) for n_in in (561, 64, 64)),
    ]
    weights: dict[str, np.ndarray] = {}
    for index, shape in enumerate(convolutions):
        name = f"conv2d_{index}" if index else "conv2d"
        weights[f"{name}/kernel"] = random.normal(0, 0.05, shape).astype(np.float32)
        weights[f"{name}/bias"] = np.zeros(shape[3], np.float32)
    widths = [1, *(shape[3] for shape in convolutions), 1506, 200]
    for index, width in enumerate(widths):
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        for part, value in (("moving_mean", 0.0), ("moving_variance", 1.0)):
            weights[f"{name}/{part}"] = np.full(width, value, np.float32)
        for part, value in (("gamma", 1.0), ("beta", 0.0)):
            weights[f"{name}/{part}"] = np.full(width, value, np.float32)
    for name, shape2 in (("dense", (1506, 200)), ("dense_1", (200, 50))):
        weights[f"{name}/kernel"] = random.normal(0, 0.05, shape2).astype(np.float32)
        weights[f"{name}/bias"] = np.zeros(shape2[1], np.float32)
    return weights


def compile_(bench: Bench) -> Iterator[Row]:
    """(j) What torch.compile gains on two models, and after how many steps it has paid."""
    for studied in paper()[0]:
        if studied.name in ("basic_vae", "conv_vae"):
            yield attempt(studied.name, lambda: _compiled(bench, studied))  # noqa: B023


def _compiled(bench: Bench, studied: Studied) -> Row:
    _, training, loss = paper()
    sizes = bench.sizes
    windows = bench.of(studied, (sizes.n_steps + ways.WARM_UP) * sizes.batch_size)

    def loop(compiled: bool) -> tuple[float, float]:
        torch.manual_seed(0)
        model: Model = studied.description(sizes).build()
        if compiled:
            model.compile()
        began = time.perf_counter()
        step = ways.loop_seconds(
            model, ways.plain_batches(windows, sizes.batch_size), training, loss, bench.device,
            precision=torch.bfloat16, n_steps=sizes.n_steps,
        )  # fmt: skip
        return step, time.perf_counter() - began - step * sizes.n_steps

    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(COMPILE_LIMIT_S)
    try:
        eager, _ = loop(False)
        compiled, compiling = loop(True)
    finally:
        signal.alarm(0)
    gained = eager - compiled
    pays = compiling / gained if gained > 0 else None
    row = {"ms_eager": 1e3 * eager, "ms_compiled": 1e3 * compiled, "compiling_s": compiling}
    return {**row, "pays_after_steps": pays}


def _too_long(*_: object) -> None:
    raise TimeoutError(f"not compiled within {COMPILE_LIMIT_S} s")


STEPS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "versions": versions,
    "architectures": architectures,
    "fifty_steps": fifty_steps,
    "epochs": epochs,
    "synchronisations": synchronisations,
    "recorded": recorded,
    "memory": memory,
    "resume": resume,
    "latents": latents,
    "musicnn": musicnn,
    "compile": compile_,
}


def say(answers: TextIO, row: Row) -> None:
    answers.write(json.dumps(row) + "\n")
    answers.flush()


def serve(bench: Bench, answers: TextIO) -> None:
    say(answers, {"finished": "start"})
    for line in sys.stdin:
        step = line.strip()
        began = time.perf_counter()
        try:
            for row in STEPS[step](bench):
                took = round(time.perf_counter() - began, 2)
                say(answers, {"step": step, **row, "after_s": took})
        except Exception as error:
            say(answers, {"step": step, "error": f"{type(error).__name__}: {error}"})
        say(answers, {"finished": step})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--die", action="store_true")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    bench = Bench(arguments.device, arguments.small, arguments.folder, arguments.turns)
    if arguments.die:
        die(bench)
        return
    # Whatever a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(bench, answers)


if __name__ == "__main__":
    main()
