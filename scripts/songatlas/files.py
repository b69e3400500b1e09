"""Files that are there whole or not at all."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

from songatlas.errors import SongatlasError

PROJECT = Path(__file__).resolve().parents[2]
"""The folder of the project: `Snakefile`, `rules`, `scripts`, `config`, `resources`."""

PARTIAL = ".partial-"
"""How the name of a file begins that is still being written."""

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_BYTES = 64 * 1024
"""With less than this left, a write that failed has failed for want of space, whatever a library
calls it."""


class DiskFullError(SongatlasError):
    """A file could not be written for want of space; the message names it and says what to do."""

    def __init__(self, path: str | Path) -> None:
        folder = Path(path).parent
        super().__init__(
            f"{path}: no space left to write it ({free_bytes(folder) / 1e6:.1f} MB free under "
            f"{folder}, or the quota is reached); nothing half-written is left. Free some space "
            "(`make disk` says what a run takes, `make clean-run RUN=...` removes one), then run "
            "the same command again"
        )


def free_bytes(folder: str | Path) -> int:
    """Bytes that may still be written under a folder, or under where it will be."""
    folder = Path(folder).absolute()
    while not folder.is_dir():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def is_disk_full(error: BaseException, folder: str | Path) -> bool:
    """Whether a write under `folder` failed for want of space."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    # Some libraries tell of a failed write without its reason.
    return isinstance(error, OSError | RuntimeError | SystemError) and (
        free_bytes(folder) < FULL_BYTES
    )


class atomic:  # noqa: N801 - used as a context manager, like `open`
    """Give a temporary path beside `path` that replaces it when the block ends without error.

    Raises:
        DiskFullError: when there is no space for it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __enter__(self) -> Path:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                prefix=PARTIAL, suffix=f"-{self.path.name}", dir=self.path.parent
            )
        except OSError as error:
            if is_disk_full(error, self.path.parent):
                raise DiskFullError(self.path) from None
            raise
        os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind: type[BaseException] | None, error: object, _: object) -> None:
        if kind is None:
            mode = 0o666 & ~_umask()
            self.temporary.chmod(mode)
            self.temporary.replace(self.path)
            return
        # Before the temporary file is gone, and its space with it.
        full = isinstance(error, BaseException) and is_disk_full(error, self.path.parent)
        self.temporary.unlink(missing_ok=True)
        if full:
            raise DiskFullError(self.path) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def partial_files(folder: str | Path) -> list[Path]:
    """Files under a folder whose writer was killed; where it may still be at work, its own too."""
    return sorted(path for path in Path(folder).rglob(f"{PARTIAL}*") if path.is_file())
