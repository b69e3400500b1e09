"""A run's folder by name, its size by stage, and removing it.

`python -m songatlas.run.versions.run disk RUN` and `... clean RUN` (`make disk`, `make clean-run`).
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

from songatlas.config.base import NAME_PATTERN
from songatlas.errors import SongatlasError
from songatlas.run.running import living, run_lock
from songatlas.run.versions.state import delete_record

RESERVED = ("corpora", "compare")
"""Folders under `results/` that are no runs."""


class RunError(SongatlasError):
    """There is no such run, or its name is none."""


def folder_of(run: str) -> Path:
    """`results/<run>`.

    Raises:
        RunError: when the name could lead elsewhere, is reserved, or the folder is absent.
    """
    if not re.fullmatch(NAME_PATTERN[1:-1], run) or run in RESERVED:
        raise RunError(
            f"`{run}` is not the name of a run: letters, digits, `-` and `_` only, "
            f"and not {' or '.join(RESERVED)}"
        )
    folder = Path("results") / run
    if folder.is_symlink() or not folder.is_dir():
        runs = sorted(p.name for p in Path("results").glob("*/") if p.name not in RESERVED)
        raise RunError(f"{folder}: no such run (there are: {', '.join(runs) or 'none'})")
    return folder


def clean(run: str) -> int:
    """Remove a run's folder and Snakemake's records of it; bytes that were freed.

    Raises:
        RunError: when there is no such run, or somebody works on it.
    """
    folder = folder_of(run)
    owner = living(run_lock(run))
    if owner is not None:
        raise RunError(f"{folder}: {owner} works on this run; end it first")
    files = list(folder.rglob("*"))
    freed = sum(path.lstat().st_size for path in files if not path.is_dir())
    shutil.rmtree(folder)
    for path in files:
        delete_record(path.as_posix())
    for path in run_lock(run).parent.glob(f"{run}.*"):
        path.unlink()
    return freed


def disk(run: str) -> list[tuple[str, int, int]]:
    """What a run holds: (stage, files, bytes), largest first; files beside the folders are `.`."""
    folder = folder_of(run)
    sums: dict[str, list[int]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            parts = path.relative_to(folder).parts
            entry = sums.setdefault(parts[0] if len(parts) > 1 else ".", [0, 0])
            entry[0] += 1
            entry[1] += path.stat().st_size
    return sorted(
        ((stage, count, size) for stage, (count, size) in sums.items()), key=lambda row: -row[2]
    )


def report(run: str) -> str:
    """`disk` as a table."""
    rows = disk(run)
    lines = [f"{'stage':<14} {'files':>8} {'MB':>10}"]
    total = ("total", sum(row[1] for row in rows), sum(row[2] for row in rows))
    lines += [
        f"{stage:<14} {count:>8} {size / 1e6:>10.1f}" for stage, count, size in (*rows, total)
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Size of a run, or its removal.")
    parser.add_argument("action", choices=("disk", "clean"))
    parser.add_argument("run")
    parsed = parser.parse_args()
    try:
        if parsed.action == "disk":
            print(report(parsed.run))
        else:
            print(f"results/{parsed.run} removed ({clean(parsed.run) / 1e6:.1f} MB)")
    except SongatlasError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
