"""What of an epoch is no optimiser step, and what memory training takes beside the model.

    python tests/benchmarks/epoch.py [model ...]

Simulated windows of 128 × 1292 (2,107, as the study has) are read from parquet and trained on by
what the rule `train` calls. `outside` is the time of an epoch but the passes of training (forward,
backward, clipping, optimiser) and of validation: loading, standardising, sums for the history, best
weights, state to resume from. Memory is the peak of a process that trains on all windows, less that
of one that trains on two batches of them: what the data take.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from harness import ROOT, watched_child, write_json

WINDOWS, FEW = 2107, 72
MODELS = {"basic_vae": 2, "conv_vae": 1, "attention_vae": 1}
"""Epochs of each model; the first of several warms up."""


def write(folder: Path, n: int) -> None:
    """Tables and a log-mel part of `n` simulated windows, ten a song."""
    import pandas as pd

    from songatlas import tables
    from songatlas.config.features import LogMel
    from songatlas.config.corpus import Windows
    from songatlas.corpus import simulated

    cut = Windows()
    songs = [f"{i // 10:016x}" for i in range(n)]
    ids = [f"{song}-{i % 10:04d}" for i, song in enumerate(songs)]
    simulated.write_logmel_part(ids, folder / "logmel.parquet", LogMel(), cut.length_s)
    frame = pd.DataFrame(
        {
            "window_id": ids,
            "track_id": songs,
            "index": [i % 10 for i in range(n)],
            "start_s": [i % 10 * cut.hop_s for i in range(n)],
            "end_s": [i % 10 * cut.hop_s + cut.length_s for i in range(n)],
            "split": ["validation" if i // 10 % 10 == 9 else "train" for i in range(n)],
            "padded": False,
            "lyrics": None,
        }
    )
    tables.write(frame, folder / "windows.parquet", tables.WINDOWS)


def child(folder: Path, name: str, epochs: int) -> None:
    """Train, and print where the time went."""
    from songatlas.run.memory import keep_freed_memory

    keep_freed_memory()  # as the job does
    from songatlas.config.yaml_files import load_yaml
    from songatlas.models.base import InputSpec
    from songatlas.training import module
    from songatlas.training.data import read_inputs
    from songatlas.training.fit import train
    from songatlas.training.weights import Description

    settings = load_yaml(ROOT / "config" / "config.yaml", ROOT / "config" / "latents.yaml")
    declared = settings.models[name]
    spent = dict.fromkeys(("training_step", "validation_step", "measures"), 0.0)

    def clocked(method: str) -> None:
        call: Callable[..., Any] = getattr(module.TrainingModule, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                spent[method] += time.perf_counter() - began

        setattr(module.TrainingModule, method, timed)

    for method in spent:
        clocked(method)
    started = module.TrainingModule.on_train_epoch_start

    def reset(self: Any) -> None:
        spent.update(dict.fromkeys(spent, 0.0))
        started(self)

    module.TrainingModule.on_train_epoch_start = reset  # type: ignore[method-assign]
    files = {"windows": folder / "windows.parquet", "logmel": [folder / "logmel.parquet"]}
    began = time.perf_counter()
    windows, spec = read_inputs(files, InputSpec(128, 1292, 0, 0))
    read_s = time.perf_counter() - began
    trained = train(
        windows,
        Description(declared.architecture, spec, declared.latent_dim, declared.options),
        settings.training.model_copy(update={"max_epochs": epochs}),
        settings.loss,
        name=name,
        beta=declared.beta,
        seed=0,
        resume_folder=folder / "resume",
    )
    history = trained.history
    seconds = history.loc[history["metric"] == "seconds", "value"].iloc[-1]
    passes = spent["training_step"] + spent["validation_step"] - spent["measures"]
    print(
        "CHILD",
        json.dumps(
            {
                "windows": len(windows),
                "read_s": round(read_s, 2),
                "epoch_s": round(seconds, 2),
                "passes_s": round(passes, 2),
                "history_s": round(spent["measures"], 2),
                "outside": round(1 - passes / seconds, 4),
            }
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--windows", type=int, default=WINDOWS)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.models[0], arguments.epochs)
        return
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folders = {n: Path(name) / str(n) for n in (FEW, arguments.windows)}
        for n, folder in folders.items():
            folder.mkdir(parents=True)
            write(folder, n)
        for model in arguments.models:
            runs = {}
            for n, folder in folders.items():
                epochs = MODELS[model] if n != FEW else 1
                command = [sys.executable, __file__, model, "--child", str(folder)]
                runs[n] = watched_child([*command, "--epochs", str(epochs)])
            found[model] = {
                **runs[arguments.windows],
                "data_mb": runs[arguments.windows]["peak_mb"] - runs[FEW]["peak_mb"],
            }
            print(model, found[model], flush=True)
    write_json("epoch", {"models": found})


if __name__ == "__main__":
    main()
