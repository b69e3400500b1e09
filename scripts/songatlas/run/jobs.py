"""What every entry script shares: its log, its progress bar, its last line, its ways to end."""

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from songatlas.errors import SongatlasError
from songatlas.files import DiskFullError, is_disk_full
from songatlas.run.cards import own_cards
from songatlas.run.interruption import Interrupted, StopSignals
from songatlas.run.memory import keep_freed_memory
from songatlas.run.running import watched

T = TypeVar("T")

QUIET = "SONGATLAS_QUIET"
"""Environment variable that keeps finished jobs from saying so (`snakemake --quiet` sets it)."""


UNCAUGHT = "SONGATLAS_UNCAUGHT"
"""Environment variable that lets errors of a job reach its caller (`debug_job` sets it)."""


class JobLog(logging.LoggerAdapter[logging.Logger]):
    """The job's logger; what stands in `result` at the end is the job's line on the screen."""

    result: str = "done"


class _Plain(logging.Formatter):
    """Names of files and songs stand in messages: what would steer a terminal is spelled out."""

    def format(self, record: logging.LogRecord) -> str:
        return "".join(
            c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode()
            for c in super().format(record)
        )


def log_file(log: str | Path) -> logging.FileHandler:
    """What appends to a job's log, also from processes that the job starts."""
    handler = logging.FileHandler(log, mode="a", encoding="utf-8")
    handler.setFormatter(_Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


@contextmanager
def job(
    log: str | Path, threads: int = 1, *, keep_memory: bool = False, gpus: int = 0
) -> Iterator[JobLog]:
    """Log to `log` and to standard error; keep numerical libraries to `threads` threads.

    A finished job says so in one line: its name, its `result`, its time. A `SongatlasError` ends
    the process with its message alone, any other exception with its traceback; both are in the log
    file. A stop signal ends it with a message and the code that shells give (143 for SIGTERM), and
    so does the end of the Snakemake that started it. Import numerical libraries inside or after
    this block's start, since most read their thread count once. `keep_memory` is for jobs that
    allocate large blocks again and again (see `memory.keep_freed_memory`). `gpus` cards are this
    job's alone while it runs (see `cards.own_cards`).
    """
    started = time.monotonic()
    if keep_memory:
        keep_freed_memory()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("MPLBACKEND", "agg")
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    Path(log).write_bytes(b"")
    to_file = log_file(log)
    to_screen = logging.StreamHandler(sys.stderr)
    to_screen.setFormatter(_Plain("%(message)s"))
    to_screen.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_screen], force=True)
    logging.captureWarnings(True)
    # Python's own warnings go to the log file; on the screen they would hide the progress bar.
    to_screen.addFilter(lambda record: record.name != "py.warnings")
    logger = JobLog(logging.getLogger("songatlas"), {})
    try:
        with StopSignals(), watched(log, os.environ), own_cards(gpus):
            yield logger
        line = f"{_name(Path(log))}: {logger.result} ({time.monotonic() - started:.1f} s)"
        logger.info("%s", line)
        if not os.environ.get(QUIET):
            # One call, so that lines of jobs that end together do not mix.
            sys.stderr.write(f"{line}\n")
    except Interrupted as stopped:
        logger.warning("%s", stopped)
        sys.exit(stopped.exit_code)
    except SongatlasError as error:
        logger.error("%s", error)
        if os.environ.get(UNCAUGHT):
            raise
        sys.exit(1)
    except Exception as error:
        if os.environ.get(UNCAUGHT):
            raise
        named = getattr(error, "filename", None) or log
        if is_disk_full(error, Path(str(named)).parent):
            logger.error("%s", DiskFullError(named))
        else:
            logger.error("%s", traceback.format_exc())
        sys.exit(1)
    finally:
        logging.shutdown()


def _name(log: Path) -> str:
    """`train beta_vae-seed-0` for `results/demo/logs/train/beta_vae-seed-0.log`."""
    folders = log.with_suffix("").parts
    last = len(folders) - 1 - folders[::-1].index("logs") if "logs" in folders else -1
    return " ".join(folders[last + 1 :])


def progress(items: Iterable[T], description: str, unit: str = "song") -> Iterator[T]:
    """A progress bar with rate and time left, on terminals only."""
    from tqdm import tqdm

    total = len(items) if isinstance(items, Sized) else None
    yield from tqdm(
        items, desc=description, total=total, unit=unit, disable=not sys.stderr.isatty()
    )
