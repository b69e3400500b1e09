"""Records that travel with results: what every file is, and what Snakemake knows about its making.

Snakemake keeps one record per output under `.snakemake/metadata`: rule, parameters, inputs and
their checksums. Without it a restored file would be judged by its time alone, so each DVC stage
writes the records of its outputs, with their hashes, into one JSON file that is an output too.
"""

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from songatlas.errors import SongatlasError
from songatlas.run.versions.state import read_record
from songatlas.tables import atomic

FORMAT = 1


class RecordsError(SongatlasError):
    """A file of records is unreadable or does not name what is there."""


@dataclass(frozen=True)
class Fingerprint:
    """A file's content and time: `md5` is what DVC calls it, `mtime_ns` when it was made."""

    sha256: str
    md5: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Records:
    """Files of one stage, and Snakemake's record of every output among them (or folder of them)."""

    files: dict[str, Fingerprint]
    made: dict[str, dict[str, Any]]

    def write(self, path: Path) -> None:
        """As JSON, the same bytes for the same records."""
        content = {
            "format": FORMAT,
            "files": {name: asdict(item) for name, item in sorted(self.files.items())},
            "made": dict(sorted(self.made.items())),
        }
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", "utf-8")


def read(path: Path) -> Records:
    """Records that `Records.write` wrote.

    Raises:
        RecordsError: when the file is damaged, of another format or names files outside results.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise RecordsError(f"{path}: record format {content['format']}, expected {FORMAT}")
        records = Records(
            {name: Fingerprint(**item) for name, item in content["files"].items()},
            dict(content["made"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordsError(f"{path}: not a file of records ({error})") from None
    for name in (*records.files, *records.made):
        if not name.startswith("results/") or ".." in Path(name).parts:
            raise RecordsError(f"{path}: names {name}, which is not under results/")
    return records


def of_folder(run: str) -> Path:
    """Where the records of a run lie that is versioned as one folder."""
    return Path("results") / f"{run}.records.json"


def of_run(run: str) -> list[Path]:
    """Every file of records of a run that there is."""
    stages = sorted((Path("results") / run / "provenance").glob("*.json"))
    return [path for path in (of_folder(run), *stages) if path.is_file()]


def collect(paths: Iterable[Path]) -> Records:
    """Records of every file in `paths` (files, or folders with all below), relative to here.

    Raises:
        RecordsError: when a path is absent.
    """
    files: dict[str, Fingerprint] = {}
    made: dict[str, dict[str, Any]] = {}
    for path in paths:
        if not path.exists():
            raise RecordsError(f"{path}: absent; run `snakemake` to make it")
        for item in below(path):
            if item.is_file():
                files[item.as_posix()] = identify(item)
            record = read_record(item.as_posix())
            if record is not None:
                made[item.as_posix()] = record
    return Records(files, made)


def below(path: Path) -> Iterator[Path]:
    """A path and everything under it, sorted."""
    yield path
    if path.is_dir():
        yield from sorted(path.rglob("*"))


def identify(path: Path) -> Fingerprint:
    """Hashes, size and time of a file."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            md5.update(block)
    stat = path.stat()
    return Fingerprint(sha256.hexdigest(), md5.hexdigest(), stat.st_size, stat.st_mtime_ns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path, help="file to write")
    parser.add_argument("paths", type=Path, nargs="+", help="files and folders to record")
    arguments = parser.parse_args()
    collect(arguments.paths).write(arguments.records)


if __name__ == "__main__":
    main()
