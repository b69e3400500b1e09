"""One process of several that train together, for `test_ddp`; alone, it trains alone.

`python together.py <folder> <json>`: trains every case and, as rank 0, writes `<name>.parquet` (its
history) and `<name>.pt` (its weights) to the folder. Noise is taken out, since processes draw
different noise. Every rank writes a digest of its weights, which must be the same. In float64.
"""

import hashlib
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from float64 import in_float64
from songatlas.config.training import Loss, Training
from songatlas.models.gather import rank
from songatlas.training.data import Windows
from test_training import make_windows, run

SETTINGS = Training(max_epochs=3, batch_size=8, learning_rate=1e-3, device="cpu", precision="32")


def windows(architecture: str) -> Windows:
    """19 training and 7 validation windows: no number of processes divides their batches."""
    found = make_windows(n_train=19, n_validation=7)
    random = torch.Generator().manual_seed(0)
    n = len(found)
    if architecture == "cvae":
        return replace(found, label=torch.arange(n) // 2 % 2, classes=("a", "b"))
    return replace(
        found,
        lyrics=torch.randn(n, 4, generator=random),
        lyrics_lines=torch.randn(n, 3, 4, generator=random),
    )


def train_case(name: str, architecture: str, options: dict[str, Any], folder: Path) -> None:
    trained = run(
        windows(architecture), architecture, SETTINGS, Loss(kl_warmup_epochs=2), options=options
    )
    values = b"".join(trained.weights[key].numpy().tobytes() for key in sorted(trained.weights))
    digest = hashlib.sha256(values).hexdigest()
    (folder / f"{name}-rank-{rank()}.txt").write_text(digest, encoding="utf-8")
    if rank() == 0:
        trained.history.to_parquet(folder / f"{name}.parquet")
        torch.save(trained.weights, folder / f"{name}.pt")
        (folder / f"{name}.json").write_text(json.dumps(asdict(trained.summary)), encoding="utf-8")


def main() -> None:
    folder, cases = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    torch.randn_like = torch.zeros_like
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    with in_float64():
        for name, (architecture, options) in cases.items():
            train_case(name, architecture, options, folder)
    if "RANK" in os.environ:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
