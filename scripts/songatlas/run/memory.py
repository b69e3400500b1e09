"""How a process keeps the memory that it frees. Imports nothing heavy."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Names of the GNU C library's settings (mallopt(3))."""

LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let large blocks that are freed be used again instead of going back to the system.

    A batch's tensors are freed and allocated anew in every step. By default each allocation above a
    few megabytes is mapped afresh, and the system fills its pages with zeros at the first touch,
    which can take a third of a training step. Peaks stay what they are; between them the
    process holds what it would have given back. No result depends on it.

    Returns:
        Whether the C library took the settings (GNU/Linux; elsewhere nothing is done).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, LARGEST))
