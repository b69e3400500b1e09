"""Restoring a run: pull it, check every file against its records, give Snakemake its records.

Run as `python -m songatlas.versioning.restore RUN` (`make restore RUN=...`).

What lies there is never blessed: a file whose content is not the recorded one is set aside, so
that it is made anew; so is a file whose recorded inputs are not those on disk; and parameters and
code are compared by Snakemake itself, from the records.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from songatlas.errors import SongatlasError
from songatlas.tables import atomic
from songatlas.versioning import records, store
from songatlas.versioning.records import Records, RecordsError, identify
from songatlas.versioning.state import delete_record, read_record, write_record


@dataclass
class Outcome:
    """What restoring found: names of files by what became of them."""

    verified: list[str] = field(default_factory=list)
    corrupted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything was there as recorded."""
        return not (
            self.corrupted
            or self.missing
            or self.unrecorded
            or self.outdated
            or self.local
            or self.problems
        )

    def text(self, run: str) -> str:
        """One line per finding, then the sum and what to do."""
        lines = [
            *self.problems,
            *(f"corrupted, set aside: {name}" for name in self.corrupted),
            *(f"missing: {name}" for name in self.missing),
            *(f"without a record, set aside: {name}" for name in self.unrecorded),
            *(f"made from other inputs than those here: {name}" for name in self.outdated),
            *(f"made here, not restored: {name}" for name in self.local),
            f"{len(self.verified)} files verified ({self.size / 1e6:.1f} MB)",
        ]
        if not self.complete:
            lines.append(f"To make anew what is named above: {store.remake(run)}")
        return "\n".join(lines)


def restore(run: str) -> Outcome:
    """Verify `results/<run>` and all that its records name; put Snakemake's records back.

    Raises:
        RecordsError: when the run has no records at all.
    """
    folder = Path("results") / run
    found = records.of_run(run)
    if not found:
        raise RecordsError(
            f"{folder}: no records in its folder provenance/ or in {records.of_folder(run)}; is "
            f"`{run}` versioned, and was it pushed?"
        )
    outcome = Outcome()
    files: dict[str, records.Fingerprint] = {}
    made: dict[str, dict[str, Any]] = {}
    for path in found:
        try:
            stage = records.read(path)
        except RecordsError as error:
            outcome.problems.append(f"{error}; set aside")
            set_aside(path, folder)
            continue
        files |= stage.files
        made |= stage.made
    hashes = verify(Records(files, made), folder, outcome)
    refuse_unrecorded(folder, files, outcome)
    give_back(made, hashes, folder, outcome)
    notice_other_inputs(made, hashes, outcome)
    return outcome


def verify(recorded: Records, folder: Path, outcome: Outcome) -> dict[str, str]:
    """Compare every recorded file with what is on disk; the hashes (sha256) of those that agree."""
    hashes = {}
    for name, expected in sorted(recorded.files.items()):
        path = Path(name)
        if not path.is_file() and not from_cache(expected, path):
            outcome.missing.append(name)
            continue
        actual = identify(path)
        here = read_record(name)
        if actual.sha256 == expected.sha256:
            outcome.verified.append(name)
            outcome.size += actual.size
            hashes[name] = actual.sha256
            # The time that Snakemake saw: it compares folders and very large files by time.
            os.utime(path, ns=(expected.mtime_ns, expected.mtime_ns))
        elif here is not None and here != recorded.made.get(name):
            outcome.local.append(name)
        else:
            outcome.corrupted.append(name)
            set_aside(path, folder)
            store.drop_if_corrupted(expected.md5)
    return hashes


def from_cache(expected: records.Fingerprint, path: Path) -> bool:
    """Put a file back from DVC's cache: DVC leaves out a folder that lacks a single file."""
    cached = store.cached(expected.md5)
    if not cached.is_file() or identify(cached).sha256 != expected.sha256:
        return False
    with atomic(path) as temporary:
        shutil.copyfile(cached, temporary)
    return True


def refuse_unrecorded(
    folder: Path, files: Mapping[str, records.Fingerprint], outcome: Outcome
) -> None:
    """Set aside results that no record vouches for, neither a restored nor a local one."""
    keep = {folder / name for name in ("provenance", "set-aside", "logs", "benchmarks", "resume")}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(parent in keep for parent in path.parents):
            continue
        if path.as_posix() not in files and read_record(path.as_posix()) is None:
            outcome.unrecorded.append(path.as_posix())
            set_aside(path, folder)


def give_back(
    made: Mapping[str, dict[str, Any]], hashes: Mapping[str, str], folder: Path, outcome: Outcome
) -> None:
    """Snakemake's records of verified files, and of folders all of whose files are verified."""
    spoiled = [*outcome.corrupted, *outcome.missing]
    for name, record in sorted(made.items()):
        path = Path(name)
        is_folder = any(file.startswith(name + "/") for file in (*hashes, *spoiled))
        if name in hashes or (
            is_folder and not any(file.startswith(name + "/") for file in spoiled)
        ):
            write_record(name, record)
        elif name not in outcome.local:
            delete_record(name)
            if path.is_dir():
                # Part of the folder is gone: Snakemake must not take the rest for the whole.
                outcome.problems.append(f"incomplete, set aside: {name}")
                set_aside(path, folder)


def notice_other_inputs(
    made: Mapping[str, dict[str, Any]], hashes: Mapping[str, str], outcome: Outcome
) -> None:
    """Find outputs whose recorded inputs differ from those on disk, and make that visible.

    Snakemake compares the content of an input only when it is newer than the output.
    """
    now = time.time()
    for name, record in sorted(made.items()):
        if name not in hashes:
            continue
        for source, checksum in sorted((record.get("input_checksums") or {}).items()):
            if source in hashes and checksum not in (hashes[source], f"sha256:{hashes[source]}"):
                outcome.outdated.append(f"{name} (from another {source})")
                os.utime(source, (now, now))


def set_aside(path: Path, folder: Path) -> None:
    """Move a file or folder out of the way, under `<folder>/set-aside/`."""
    target = folder / "set-aside" / path.as_posix()
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    path.replace(target)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run")
    run = parser.parse_args().run
    try:
        store.pull(run)
        outcome = restore(run)
    except SongatlasError as error:
        print(error, file=sys.stderr)
        return 1
    print(outcome.text(run))
    return 0 if outcome.complete else 3


if __name__ == "__main__":
    sys.exit(main())
