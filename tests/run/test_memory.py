"""Memory that is freed is used again, without asking the system for it."""

import subprocess
import sys

import pytest

from songatlas.run.memory import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from songatlas.run.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
np.ones(2**24)  # the first block is new either way
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="set for the GNU C library alone")
def test_large_blocks_are_not_mapped_anew() -> None:
    kept, anew = faults("keep"), faults("leave")
    assert kept < anew / 20, (kept, anew)


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
