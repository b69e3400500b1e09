"""Restoring a run: pull it, check every file against its records, give Snakemake its records.

Run as `python -m songatlas.run.versions.restore RUN` (`make restore RUN=...`). With `--here`
nothing is pulled: DVC's stages do that first, because DVC exchanges files behind Snakemake's back
(`dvc checkout`, `dvc exp run`) and Snakemake's records hold no checksums of outputs.

What lies there is never blessed: a file whose content is not the recorded one is set aside, so
that it is made anew; so is a file whose recorded inputs are not those on disk; and parameters and
code are compared by Snakemake itself, from the records.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from songatlas.errors import SongatlasError
from songatlas.run.versions import records, store
from songatlas.run.versions.records import Records, RecordsError, identify
from songatlas.run.versions.state import delete_record, made_here, read_record, write_record
from songatlas.tables import atomic


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


def restore(run: str, keep_local: bool = False) -> Outcome:
    """Verify `results/<run>` and all that its records name; put Snakemake's records back.

    A file that was made here again since, to the same bytes, has two records that are both true:
    the restored version's is taken, or with `keep_local` the one from here.

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
    hashes = verify(Records(files, made), folder, outcome, keep_local)
    if outcome.problems:
        refuse_unrecorded(folder, files, outcome)
    give_back(Records(files, made), hashes, folder, outcome, keep_local)
    notice_other_inputs(made, hashes, outcome)
    return outcome


def verify(recorded: Records, folder: Path, outcome: Outcome, keep_local: bool) -> dict[str, str]:
    """Compare every recorded file with what is on disk; the hashes (sha256) of those that agree."""
    folders = tuple(f"{name}/" for name in recorded.made if name not in recorded.files)
    hashes = {}
    for name, expected in sorted(recorded.files.items()):
        path = Path(name)
        if not path.is_file() and not from_cache(expected, path):
            outcome.missing.append(name)
            continue
        actual = identify(path)
        local = read_record(name) != recorded.made.get(name) and made_here(name)
        if actual.sha256 == expected.sha256:
            outcome.verified.append(name)
            outcome.size += actual.size
            hashes[name] = actual.sha256
        elif keep_local and name not in recorded.made and not name.startswith(folders):
            # A log or a benchmark of a job that has run again.
            continue
        elif local:
            outcome.local.append(name)
            hashes[name] = actual.sha256
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
    """Set aside what was pulled but whose records are damaged: nothing vouches for it."""
    keep = {folder / name for name in ("provenance", "set-aside", "logs", "benchmarks", "resume")}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(parent in keep for parent in path.parents):
            continue
        name = path.as_posix()
        if name not in files and not made_here(name):
            outcome.unrecorded.append(name)
            set_aside(path, folder)


def give_back(
    recorded: Records,
    hashes: Mapping[str, str],
    folder: Path,
    outcome: Outcome,
    keep_local: bool,
) -> None:
    """Snakemake's records of verified files, and of folders all of whose files are verified."""
    spoiled = [*outcome.corrupted, *outcome.missing]
    for name in outcome.verified:
        record, local = recorded.made.get(name), read_record(name)
        if record is not None and local is not None and local != record and made_here(name):
            # Of two true records, one whose inputs are gone would make the file anew.
            fits, local_fits = inputs_fit(record, hashes), inputs_fit(local, hashes)
            if (not fits and local_fits) or (keep_local and fits == local_fits):
                continue
        # The time that Snakemake saw: it compares folders and very large files by time.
        time_ns = recorded.files[name].mtime_ns
        os.utime(name, ns=(time_ns, time_ns))
        if record is not None:
            write_record(name, record)
    for name in sorted({*recorded.made} - {*outcome.verified, *outcome.local}):
        path = Path(name)
        if not path.is_dir():
            delete_record(name)
        elif any(file.startswith(name + "/") for file in spoiled):
            # Part of the folder is gone: Snakemake must not take the rest for the whole.
            delete_record(name)
            outcome.problems.append(f"incomplete, set aside: {name}")
            set_aside(path, folder)
        else:
            write_record(name, recorded.made[name])


def inputs_fit(record: Mapping[str, Any], hashes: Mapping[str, str]) -> bool:
    """Whether the inputs on disk have the content that a record names."""
    checksums = (record.get("input_checksums") or {}).items()
    return not [source for source, checksum in checksums if differs(source, checksum, hashes)]


def differs(source: str, checksum: str, hashes: Mapping[str, str]) -> bool:
    """Whether an input is known to have another content than `checksum` says."""
    return source in hashes and checksum not in (hashes[source], f"sha256:{hashes[source]}")


def notice_other_inputs(
    made: Mapping[str, dict[str, Any]], hashes: Mapping[str, str], outcome: Outcome
) -> None:
    """Find outputs whose recorded inputs differ from those on disk, and make that visible.

    Snakemake compares the content of an input only when it is newer than the output.
    """
    for name in sorted(made):
        record = read_record(name)
        if name not in hashes or record is None:
            continue
        for source, checksum in sorted((record.get("input_checksums") or {}).items()):
            if differs(source, checksum, hashes):
                outcome.outdated.append(f"{name} (from another {source})")
                # Not the input's time: it says where the input was made (`made_here`).
                older = min(Path(name).stat().st_mtime, Path(source).stat().st_mtime - 1)
                os.utime(name, (older, older))


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
    parser.add_argument("--here", action="store_true", help="pull nothing; no records are no error")
    parsed = parser.parse_args()
    run = parsed.run
    try:
        if parsed.here:
            if records.of_run(run):
                restore(run, keep_local=True)
            return 0
        store.pull(run)
        outcome = restore(run)
    except SongatlasError as error:
        print(error, file=sys.stderr)
        return 1
    print(outcome.text(run))
    return 0 if outcome.complete else 3


if __name__ == "__main__":
    sys.exit(main())
