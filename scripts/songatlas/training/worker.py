"""One process of a training that several share; torchrun starts it (see `launch`)."""

import json
import logging
import os
import sys
import traceback
from pathlib import Path

import torch
import torch.distributed as dist

from songatlas.errors import SongatlasError
from songatlas.run.interruption import Interrupted
from songatlas.run.jobs import log_file
from songatlas.run.memory import keep_freed_memory
from songatlas.run.running import watched
from songatlas.training.request import Request, fulfil


def main(folder: Path, log: Path, device: str) -> int:
    """Train with the others; what came of it goes to `folder`, and rank 0's log to `log`."""
    keep_freed_memory()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rank = int(os.environ["RANK"])
    handler = log_file(log) if rank == 0 else logging.NullHandler()
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")

    def say(kind: str, message: str, signum: int | None = None) -> None:
        text = json.dumps({"kind": kind, "message": message, "signal": signum})
        (folder / f"rank-{rank:04d}.json").write_text(text, encoding="utf-8")

    try:
        with watched(log, os.environ):
            done = fulfil(Request.read(folder / "request.json"))
        if rank == 0:
            say("result", done)
        dist.destroy_process_group()
    except Interrupted as stopped:
        # All stop together, which torchrun need not report as a failure.
        say("interrupted", stopped.done, stopped.signum)
    except SongatlasError as error:
        say("error", str(error))
        return 1
    except Exception:
        # Where one process fails, the others fail for want of it.
        say("failed", traceback.format_exc())
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
