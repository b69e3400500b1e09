"""Snakemake's record of each output: rule, parameters, inputs and their checksums.

Kept under `.snakemake/metadata`, one JSON file per output, named by the URL-safe base64 of the
output's relative path (longer names than the file system's limit are spread over folders).
Read and written here without Snakemake, which is not in every job's environment.
"""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from songatlas.tables import atomic

METADATA = Path(".snakemake/metadata")
NAME_MAX = 255
"""Longest file name, on every file system that matters (Snakemake asks the file system)."""

CLOCK_S = 2.0
"""What file systems' clocks may differ by, in seconds."""


def record_path(output: str) -> Path:
    """Where Snakemake keeps the record of an output."""
    name = urlsafe_b64encode(output.encode()).decode()
    pieces = [name[start : start + NAME_MAX - 1] for start in range(0, len(name), NAME_MAX - 1)]
    return METADATA.joinpath(*("@" + piece for piece in pieces[:-1]), pieces[-1])


def read_record(output: str) -> dict[str, Any] | None:
    """Snakemake's record of an output; None where it has none or a damaged one."""
    try:
        record: dict[str, Any] = json.loads(record_path(output).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record


def write_record(output: str, record: dict[str, Any]) -> None:
    """Give Snakemake a record of an output."""
    # Where this folder is absent Snakemake takes the records for those of an older version.
    METADATA.with_name("incomplete").mkdir(parents=True, exist_ok=True)
    with atomic(record_path(output)) as temporary:
        temporary.write_text(json.dumps(record), encoding="utf-8")


def made_here(output: str) -> bool:
    """Whether the file is the one that Snakemake's record is of, and not exchanged since (by DVC).

    A record holds no checksum of the output, but when its job ran.
    """
    record = read_record(output)
    if record is None or not record.get("starttime") or not record.get("endtime"):
        return False
    written = Path(output).stat().st_mtime
    started, ended = float(record["starttime"]), float(record["endtime"])
    return started - CLOCK_S <= written <= ended + CLOCK_S


def delete_record(output: str) -> None:
    """Make Snakemake forget an output."""
    record_path(output).unlink(missing_ok=True)
