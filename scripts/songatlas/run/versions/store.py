"""Pushing and pulling runs with DVC.

The run that `config/config.yaml` describes is a pipeline of stages (`dvc.yaml`); any other run is
one folder (`results/<run>.dvc`) and its records. Run as
`python -m songatlas.run.versions.store RUN` to push (`make push RUN=...`).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import yaml

from songatlas.errors import SongatlasError
from songatlas.run.versions import records
from songatlas.run.versions.records import identify
from songatlas.run.versions.run import folder_of

CACHE = Path(".dvc/cache/files/md5")

OWN = ("set-aside", "resume")
"""Folders of a run that belong to no version; `.dvcignore` names them too."""

SHOWN = 10
"""Files listed of those in the way; their number is always given."""


class StoreError(SongatlasError):
    """DVC could not do what was asked; its own message stands above."""


def pipeline_run() -> str:
    """The run that `dvc.yaml` describes: the one of `config/config.yaml`."""
    content = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    return str(content.get("run", "demo"))


def push(run: str) -> None:
    """Bring DVC's account of a finished run up to date, and upload it.

    Raises:
        StoreError: when DVC fails.
        RunError: when there is no such run.
    """
    if run == pipeline_run():
        # Runs each stage's Snakemake target: nothing to do for a finished run.
        dvc("repro")
        dvc("push", "--quiet", "dvc.yaml")
        return
    folder = folder_of(run)
    # Beside the folder: DVC leaves out a whole folder that lacks a single file.
    target = records.of_folder(run)
    versioned = [path for path in sorted(folder.iterdir()) if path.name not in OWN]
    records.collect(versioned).write(target)
    dvc("add", "--quiet", folder.as_posix(), target.as_posix())
    dvc("push", "--quiet", f"{folder}.dvc", f"{target}.dvc")


def pull(run: str) -> None:
    """Download a run; what the remote lacks is left out (restoring names it).

    Raises:
        StoreError: when the run is not versioned, or local files are in the way.
    """
    if run == pipeline_run():
        targets = ["dvc.yaml"]
    else:
        targets = [f"results/{run}.dvc", f"{records.of_folder(run)}.dvc"]
        for target in targets:
            if not Path(target).is_file():
                raise StoreError(
                    f"{target}: absent; `make push RUN={run}` where the run is, and commit it"
                )
    dvc("fetch", *targets, check=False)
    obstacles = in_the_way(run)
    if obstacles:
        more = len(obstacles) - SHOWN
        listed = [*obstacles[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
        raise StoreError(
            f"results/{run}: {len(obstacles)} files here are in no version, and restoring would "
            "overwrite or remove them:\n"
            + "\n".join(f"  {name}" for name in listed)
            + f"\nNothing was changed. Keep them (make push RUN={run}, then git commit) or remove "
            f"them (make clean-run RUN={run}, or these files alone), then restore again."
        )
    # Closed input: DVC must not ask.
    dvc("checkout", "--allow-missing", *targets, check=False, stdin=subprocess.DEVNULL)


def in_the_way(run: str) -> list[str]:
    """Files of a run that `dvc checkout` would overwrite or remove but DVC's cache does not hold.

    Raises:
        StoreError: when DVC cannot compare what is here with its account.
    """
    command = [sys.executable, "-m", "dvc", "data", "status", "--granular", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise StoreError(f"dvc data status: failed\n{done.stderr.strip()}")
    changed = json.loads(done.stdout).get("uncommitted", {})
    own = (f"results/{run}/", records.of_folder(run).as_posix(), "results/corpora/")
    files = [
        Path(name)
        for kind in ("added", "modified")
        for name in changed.get(kind, [])
        if name.startswith(own)
    ]
    return sorted(
        path.as_posix()
        for path in files
        if path.is_file() and not cached(identify(path).md5).is_file()
    )


def remake(run: str) -> str:
    """What a user types to make missing files of a run anew."""
    if not Path(f"results/{run}.dvc").is_file():
        return "dvc repro"
    return "snakemake --cores all --resources gpu=1 (your --configfile and --config) -- FILES"


def dvc(*arguments: str, check: bool = True, stdin: int | None = None) -> None:
    """Run DVC here, with its own output on the screen.

    Raises:
        StoreError: when it fails.
    """
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], stdin=stdin)
    if check and done.returncode:
        raise StoreError(f"dvc {' '.join(arguments)}: failed with exit code {done.returncode}")


def cached(md5: str) -> Path:
    """Where DVC's cache holds a content."""
    return CACHE / md5[:2] / md5[2:]


def drop_if_corrupted(md5: str) -> None:
    """Remove an object from DVC's cache when its content is not what its name says.

    DVC would take it for stored, and never store the right one.
    """
    path = cached(md5)
    if path.is_file() and identify(path).md5 != md5:
        path.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description="Push a finished run to the default remote.")
    parser.add_argument("run")
    try:
        push(parser.parse_args().run)
    except SongatlasError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
