"""What librosa and UMAP compile at first use is compiled by one process at a time.

numba keeps compiled functions on disk beside the packages. Two processes that compile different
variants of a function at once may write over one another's (numba 0.68: the number of a new variant
is chosen before its file is written); whoever loads such a file crashes.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def lock_path() -> Path:
    """The file that whoever compiles on this machine holds; one per user, as caches are."""
    return Path(tempfile.gettempdir()) / f"songatlas-compiles-{os.getuid()}.lock"


@contextmanager
def compiling() -> Iterator[None]:
    """While the block runs, no other process of this user on this machine is in such a block.

    Raises:
        OSError: when the lock file cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(lock_path(), flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
