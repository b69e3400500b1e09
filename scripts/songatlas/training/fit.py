"""Train one model with one seed."""

import hashlib
import json
import logging
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Timer, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor

from songatlas import tables
from songatlas.config.training import Loss, Training
from songatlas.errors import NotApplicable, SongatlasError
from songatlas.models.base import Model, parameter_count
from songatlas.models.gather import n_ranks
from songatlas.training.collapse import collapsed
from songatlas.training.control_notes import UNTRAINED
from songatlas.training.data import Batches, Windows, needs_pinning, prepare
from songatlas.training.device import (
    Device,
    choose_device,
    choose_precision,
    free_bytes,
    memory_errors_explained,
    peak_memory_gb,
)
from songatlas.training.module import TrainingModule
from songatlas.training.posterior import Posterior
from songatlas.training.schedule import Schedule
from songatlas.training.stored import StoredSpectrograms
from songatlas.training.summary import Summary
from songatlas.training.weights import Description, save_weights


class TimeLimit(Timer):
    """Ends a training at the end of the epoch in which its time runs out.

    Pretraining always ends first: before, there are no best weights to keep. What a training spent
    before an interruption counts.
    """

    def __init__(self, minutes: float | None, module: TrainingModule) -> None:
        """No limit where `minutes` is None."""
        limit = None if minutes is None else timedelta(minutes=minutes)
        super().__init__(limit, interval="epoch", verbose=False)
        self.minutes, self.reached = minutes, False
        epochs = (row["value"] for row in module.history if row["metric"] == "seconds")
        spent_s = sum(epochs) + module.state.get("seconds", 0.0)
        self.load_state_dict({"time_elapsed": {"train": spent_s}})

    def on_fit_start(self, trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
        """Nothing: an interrupted training goes on to the end of its epoch."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: TrainingModule) -> None:  # type: ignore[override]
        """Stop where the time is up (before the module's own hook, which notes the epoch)."""
        if not module.schedule.pretraining(module.epoch):
            super().on_train_epoch_end(trainer)
            self.reached = trainer.should_stop

    def note(self, epochs: int) -> str | None:
        """What the training table says of a training that the limit ended after `epochs`."""
        if not self.reached:
            return None
        return (
            f"ended by training.max_minutes ({self.minutes:g} min) after {epochs} epochs: how far "
            "it came depends on the machine"
        )


logger = logging.getLogger(__name__)

ON_GPU_BYTES = 4 * 2**30
"""Windows up to this size are kept on the GPU during training, where it has room for them."""

TRAINING_COPIES = 5
"""Copies of a model's weights in training: themselves, gradients, two moments, the best so far."""

WORKING_BYTES = 2**30
"""What a step leaves behind, beside them, at least."""

NO_VALIDATION = "no song with audio is left for validation"

VALIDATION_ORDER = 0
"""Seed of the order of validation windows, which is that of every training and epoch."""

IN_PARTS = (
    "out of memory at {batch} windows: every step still has the gradients of {batch} windows, "
    "computed in parts of at most {part}; batch normalisation, codebooks and random draws see each "
    "part by itself, the loss (negatives of contrastive models included) the whole batch"
)
"""Said of a training whose batches had to be split."""


@dataclass(frozen=True)
class Trained:
    """A trained model: its best weights and how it got there."""

    description: Description
    weights: dict[str, Tensor]
    history: pd.DataFrame
    summary: Summary

    def write(self, weights: str | Path, history: str | Path, summary: str | Path) -> None:
        """Write `weights.ckpt`, `history.parquet` and `summary.json`, each atomically."""
        save_weights(weights, self.description, self.weights)
        tables.write(self.history, history, tables.HISTORY)
        self.summary.write(summary)


@memory_errors_explained()
def train(
    windows: Windows,
    description: Description,
    training: Training,
    loss: Loss,
    *,
    name: str,
    beta: float,
    seed: int,
    resume_folder: str | Path | None = None,
    resume_every_s: float = 120.0,
    identity: str = "",
    progress_bar: bool = False,
    tensorboard: str | Path | None = None,
) -> Trained:
    """Train `description`'s architecture on the training windows.

    AdamW with gradient clipping; the learning rate falls when the watched loss stands still, and
    training stops when it has not improved for `early_stopping_patience` epochs; the best epoch's
    weights are kept. The watched loss is the validation loss at the full KL weight; where no song
    with audio fell to validation it is the training loss, and the summary says so. The same seed
    on the same machine with as many threads gives the same weights (on a GPU but for rounding,
    unless `training.deterministic`), unless `max_minutes` end the training (see `time_limit`). The
    global random state of torch is set.

    With `resume_folder`, `last-<digest>.ckpt` there is written between batches at most every
    `resume_every_s` seconds, and when a stop signal comes; a run that was interrupted continues
    from it with the result of an uninterrupted one. The digest is of the settings, the data and
    `identity` (of the code), so that what another run left is not used. The caller deletes the
    folder.

    Where the device's memory does not hold a batch, its gradients are computed in parts (see
    `parts`), and the summary's `batch_note` says so.

    With `tensorboard`, every epoch's measures are logged there as they come in.

    In a process group (see `launch`) the processes train one model together; all return it.

    The control `untrained` keeps the weights that a training of this seed starts with, those of the
    model's `begin` included; what `finish` measures on the training windows is measured for it too.
    Its history has no rows.

    Raises:
        NotApplicable: when there are fewer than two training windows.
        SongatlasError: when the loss becomes NaN, or no batch fits into memory.
        Interrupted: when a stop signal came and the state was saved.
    """
    started = time.monotonic()
    rows, validation_rows = windows.rows("train"), windows.rows("validation")
    if len(rows) < 2:
        raise NotApplicable(
            f"not trained: {len(rows)} training windows, at least 2 are needed (add songs, or "
            "lower split.validation and split.test)"
        )
    validated = len(validation_rows) > 0
    if not validated:
        logger.warning(
            "%s: %s; early stopping and the learning rate watch the training loss",
            name,
            NO_VALIDATION,
        )
    device = choose_device(training.device)
    precision = choose_precision(training.precision, device)
    if device == "cpu" and training.device == "auto":
        logger.warning("%s: no GPU found, training on the CPU (%s)", name, precision)
    description = _with_classes(description, windows)
    if description.control == UNTRAINED:
        return _untrained(windows, description, training, loss, device, name=name, seed=seed)
    resume = None
    if resume_folder is not None:
        settings = [asdict(description), training.model_dump(), loss.model_dump(), beta, seed]
        settings.append(n_ranks())
        resume = Path(resume_folder) / f"last-{_digest(settings, identity, windows)}.ckpt"
    torch.manual_seed(seed)
    model = description.build()
    if model.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    windows = _near(windows, model, device)
    pinned = needs_pinning(windows, device)
    schedule = Schedule(
        pretrain_epochs=model.pretrain_epochs,
        kl_warmup_epochs=loss.kl_warmup_epochs,
        max_epochs=training.max_epochs,
        beta=beta,
        kl_cycles=loss.kl_cycles if loss.kl_schedule == "cyclic" else 0,
    )
    size = training.batch_size
    module = TrainingModule(
        model,
        training,
        schedule,
        loss,
        seed,
        Batches(
            windows,
            rows,
            size,
            seed,
            pairs=model.pairs,
            whole_songs=model.whole_songs,
            pinned=pinned,
        ),
        Batches(windows, rows, size, pinned=pinned),
        validated=validated,
        precision=precision,
        resume=resume,
        resume_every_s=resume_every_s,
    )
    module.load()
    if description.spec.of_vectors and not module.first_epoch and not module.state:
        _begin(model, Batches(windows, rows, size), device)
    held_out = validation_batches(windows, validation_rows, size, model, pinned=pinned)
    limit = TimeLimit(training.max_minutes, module)
    _fit(module, held_out, device, precision, progress_bar, tensorboard, limit)
    model.load_state_dict(module.best.weights)
    _finish(model, Batches(windows, rows, size), device)
    history = pd.DataFrame(module.history)
    summary = replace(
        _about(
            description,
            training,
            loss,
            name=name,
            seed=seed,
            n_train_windows=len(rows),
            n_validation_windows=len(validation_rows),
        ),
        parameters=parameter_count(model),
        batch_note=_batch_note(module, size),
        time_note=limit.note(int(history["epoch"].max()) + 1),
        stopped_early=int(history["epoch"].max()) + 1 < module.schedule.n_epochs,
        monitor_reason=None if validated else NO_VALIDATION,
        peak_memory_gb=peak_memory_gb(device),
        **_of_best_epoch(history, module.best.epoch, validated),
    )
    posterior = _posterior(model, windows, size, device)
    # Without a posterior the scale of a latent is anybody's choice: no threshold means anything.
    active = None if summary.mutual_information is None else posterior.active_units()
    units = posterior.variance()
    if collapsed(active, len(units)):
        logger.warning(
            "%s: the posterior has collapsed: %d of %d latent dimensions are active (KL %.2f "
            "nats); lower beta, use loss.scale elbo or loss.free_bits, or train longer",
            name,
            active,
            len(units),
            summary.kl,
        )
    weights = {key: tensor.cpu() for key, tensor in model.state_dict().items()}
    summary = replace(
        summary,
        active_units=active,
        variance_per_unit=tuple(units.tolist()),
        seconds=time.monotonic() - started,
    )
    return Trained(description, weights, history, summary)


def _about(
    description: Description,
    training: Training,
    loss: Loss,
    *,
    name: str,
    seed: int,
    n_train_windows: int = 0,
    n_validation_windows: int = 0,
) -> Summary:
    """What is known of a training before it starts."""
    device = choose_device(training.device)
    return Summary(
        model=name,
        architecture=description.architecture,
        seed=seed,
        latent_dim=description.latent_dim,
        loss_scale=loss.scale,
        device=device,
        precision=choose_precision(training.precision, device),
        processes=n_ranks(),
        n_train_windows=n_train_windows,
        n_validation_windows=n_validation_windows,
        supervision=description.supervision,
        control=description.control,
        control_of=description.control_of,
    )


def _of_best_epoch(history: pd.DataFrame, epoch: int, validated: bool) -> dict[str, Any]:
    """What the history says of the epoch that was kept, by the summary's keys."""
    watched = "validation" if validated else "train"
    at_best = history[history["epoch"] == epoch]
    measured = at_best[at_best["split"] == watched]
    whole = measured[measured["unit"].isna()]
    best = dict(zip(whole["metric"], whole["value"], strict=True))
    # Few validation windows would bound it from above by the logarithm of their number.
    informed = at_best.loc[
        (at_best["split"] == "train") & (at_best["metric"] == "mutual_information"), "value"
    ].tolist()
    seconds = history.loc[history["metric"] == "seconds", "value"]
    return {
        "epochs": int(history["epoch"].max()) + 1,
        "best_epoch": epoch,
        "best_validation_loss": best["loss"] if validated else None,
        "monitor": watched,
        "reconstruction": best.get("reconstruction"),
        "reconstruction_db": best.get("reconstruction_db"),
        "kl": best.get("kl"),
        "mutual_information": informed[0] if informed else None,
        "kl_per_unit": tuple(measured.loc[measured["metric"] == "kl_per_unit", "value"]),
        "seconds_per_epoch": float(seconds.mean()),
    }


def _untrained(
    windows: Windows,
    description: Description,
    training: Training,
    loss: Loss,
    device: Device,
    *,
    name: str,
    seed: int,
) -> Trained:
    """The weights that a training of this seed starts with."""
    started = time.monotonic()
    torch.manual_seed(seed)
    model = description.build().to(device)
    rows = windows.rows("train")
    if description.spec.of_vectors:
        _begin(model, Batches(windows, rows, training.batch_size), device)
    _finish(model, Batches(windows, rows, training.batch_size), device)
    variance = _posterior(model, windows, training.batch_size, device).variance()
    summary = replace(
        _about(
            description,
            training,
            loss,
            name=name,
            seed=seed,
            n_train_windows=len(rows),
            n_validation_windows=len(windows.rows("validation")),
        ),
        parameters=parameter_count(model),
        variance_per_unit=tuple(variance.tolist()),
        seconds=time.monotonic() - started,
        peak_memory_gb=peak_memory_gb(device),
    )
    weights = {key: tensor.cpu() for key, tensor in model.state_dict().items()}
    return Trained(description, weights, tables.empty(tables.HISTORY), summary)


def not_trained(
    description: Description,
    training: Training,
    loss: Loss,
    *,
    name: str,
    seed: int,
    note: str,
) -> Trained:
    """What stands for a model that this corpus gives nothing to train on: no weights, a note."""
    about = _about(description, training, loss, name=name, seed=seed)
    summary = replace(about, note=note, monitor_reason=note)
    return Trained(replace(description, note=note), {}, tables.empty(tables.HISTORY), summary)


def _near(windows: Windows, model: Model, device: str) -> Windows:
    """The windows on the card, where they are few and its memory holds them beside the training."""
    if device != "cuda" or windows.mel.device.type == device or windows.nbytes > ON_GPU_BYTES:
        return windows
    needed = windows.nbytes + TRAINING_COPIES * 4 * parameter_count(model) + WORKING_BYTES
    if free_bytes(torch.device(device)) < needed:
        logger.info("windows stay in main memory: the card has little left")
        return windows
    return windows.to(device)


def _batch_note(module: TrainingModule, batch_size: int) -> str | None:
    if module.part_size is None:
        return None
    return IN_PARTS.format(batch=batch_size, part=module.part_size)


def _with_classes(description: Description, windows: Windows) -> Description:
    """Let `n_classes: null` be as many as the corpus has."""
    if windows.label is None:
        return description
    wanted, there = description.options.get("n_classes"), len(windows.classes)
    if wanted is not None and wanted < there:
        raise SongatlasError(
            f"n_classes: the model has room for {wanted} classes, the corpus has {there} "
            f"({', '.join(windows.classes)}); raise it or set it to null"
        )
    options = {**description.options, "n_classes": wanted or there}
    return replace(description, options=options, labels=windows.classes)


class Together(DDPStrategy):
    """Lightning's processes and devices, without its wrapper: gradients are summed in `ranks`."""

    def configure_ddp(self) -> None:
        pass


def _processes(device: str) -> dict[str, Any]:
    """What tells Lightning of the processes that torchrun started, if it did."""
    if n_ranks() == 1:
        return {"devices": 1}
    devices = int(os.environ["LOCAL_WORLD_SIZE"])
    return {
        "devices": devices,
        "num_nodes": n_ranks() // devices,
        "strategy": Together(),
        # There is no such layer for CPUs.
        "sync_batchnorm": device == "cuda",
    }


def _fit(
    module: TrainingModule,
    validation: Batches,
    device: str,
    precision: str,
    progress_bar: bool,
    tensorboard: str | Path | None,
    limit: TimeLimit,
) -> None:
    if tensorboard is not None and module.first_epoch == 0:
        # What an earlier training left there would be drawn as the same curve.
        shutil.rmtree(tensorboard, ignore_errors=True)
    left = module.schedule.n_epochs - module.first_epoch
    callbacks = [limit, *([TQDMProgressBar()] if progress_bar else [])]
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    deterministic = torch.are_deterministic_algorithms_enabled()
    with warnings.catch_warnings():
        # Our batches come from memory, where workers would only copy them.
        warnings.filterwarnings("ignore", module="lightning")
        trainer = lightning.Trainer(
            accelerator=device if device != "cuda" else "gpu",
            **_processes(device),
            precision=precision,  # type: ignore[arg-type]
            max_epochs=left,
            callbacks=callbacks,
            **_kernels(device, module.settings.deterministic),
            logger=TensorBoardLogger(tensorboard, name="", version="") if tensorboard else False,
            enable_checkpointing=False,
            enable_progress_bar=progress_bar,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        try:
            trainer.fit(module, module.train_batches, validation if module.validated else None)
        finally:
            module.signals.__exit__()
            torch.use_deterministic_algorithms(deterministic)


def _kernels(device: str, deterministic: bool) -> dict[str, Any]:
    """What tells Lightning which kernels a card may choose; a CPU's are deterministic."""
    if device != "cuda":
        return {}
    # Otherwise every torch.empty would be filled with NaN.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return {"deterministic": "warn" if deterministic else False, "benchmark": not deterministic}


def validation_batches(
    windows: Windows, rows: np.ndarray, batch_size: int, model: Model, *, pinned: bool = False
) -> Batches:
    """Batches in one shuffled order that is the same in every epoch.

    In the table's order the windows of a song share a batch, so that contrastive losses would have
    few songs to tell apart, and none in a batch that one long song fills.
    """
    return Batches(
        windows,
        rows,
        batch_size,
        VALIDATION_ORDER,
        pairs=model.pairs,
        whole_songs=model.whole_songs,
        pinned=pinned,
    )


def _begin(model: Model, batches: Batches, device: str) -> None:
    model.to(device).begin(lambda: _ready(batches, device))


@torch.no_grad()
def _finish(model: Model, batches: Batches, device: str) -> None:
    model.to(device).eval().finish(lambda: _ready(batches, device))


def _ready(batches: Batches, device: str) -> Iterator[dict[str, Tensor]]:
    for batch in batches:
        yield prepare({key: values.to(device) for key, values in batch.items()})


@torch.no_grad()
def _posterior(model: Model, windows: Windows, batch_size: int, device: str) -> Posterior:
    """Posterior means of the finished model over training and validation windows."""
    model = model.to(device).eval()
    sums = Posterior(windows.n_songs)
    for batch in Batches(windows, windows.rows("train", "validation"), batch_size):
        ready = prepare({key: values.to(device) for key, values in batch.items()})
        sums.add(model.embed(ready), ready["track"])
    return sums


def _digest(settings: Any, identity: str, windows: Windows) -> str:
    """What a run's course depends on: settings, code, and the windows (a sample of each)."""
    digest = hashlib.sha256(json.dumps([settings, identity], sort_keys=True).encode())
    digest.update("\n".join((*windows.window_ids, *windows.splits)).encode())
    if isinstance(windows.mel, StoredSpectrograms):
        digest.update(windows.mel.identity())
    else:
        flat = windows.mel.flatten(1)  # songs without audio have none
        digest.update(np.ascontiguousarray(flat[:, ::997].cpu().numpy()).tobytes())
    for values in (
        windows.label,
        windows.audio,
        windows.lyrics,
        windows.lyrics_lines,
        windows.descriptors,
    ):
        if values is not None:
            digest.update(np.ascontiguousarray(values.cpu().numpy()).tobytes())
    return digest.hexdigest()[:16]
