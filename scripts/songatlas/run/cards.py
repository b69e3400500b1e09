"""The machine's cards, found without torch, and how every job gets one of its own.

A lock per card lies in the user's runtime folder, under the card's UUID, so that two runs and two
clones see it (see `running` for such locks). What a scheduler has chosen is final.
"""

import logging
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from songatlas.run.running import Held, hold, living, myself

logger = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
ASK = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
ASK_WITHIN_S = 30.0
LOOK_EVERY_S = 1.0


def nvidia_cards() -> list[str]:
    """UUIDs of the cards, in the order of their numbers; none where there is no driver."""
    try:
        answer = subprocess.run(ASK, capture_output=True, text=True, timeout=ASK_WITHIN_S)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = answer.stdout.splitlines() if answer.returncode == 0 else []
    return [line.strip() for line in lines if line.startswith("GPU-")]


def has_card() -> bool:
    """Whether models can compute on a card here: NVIDIA's, or Apple's own."""
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return apple or bool(nvidia_cards())


@contextmanager
def own_cards(n: int) -> Iterator[None]:
    """Show this process `n` cards that no other job has, or as many as there are.

    It waits until they are free. Where `CUDA_VISIBLE_DEVICES` is set, it stays as it is.
    """
    there = nvidia_cards() if n and VISIBLE not in os.environ else []
    if not there:
        yield
        return
    locks = _wait_for(there, min(n, len(there)))
    os.environ[VISIBLE] = ",".join(lock.path.stem for lock in locks)
    try:
        yield
    finally:
        del os.environ[VISIBLE]
        for lock in locks:
            lock.release()


def _wait_for(cards: Sequence[str], n: int) -> list[Held]:
    said = False
    while len(locks := _take(cards, n)) < n:
        if not said:
            logger.info("waiting for a card: %s", "; ".join(_owners(cards)))
            said = True
        time.sleep(LOOK_EVERY_S)
    return locks


def _take(cards: Sequence[str], n: int) -> list[Held]:
    """Locks of n free cards; none where fewer are free, so that nobody waits with half of them."""
    locks: list[Held] = []
    for card in cards:
        lock = hold(_lock_of(card), myself("a card")) if len(locks) < n else None
        locks += [lock] if lock else []
    if len(locks) < n:
        for lock in locks:
            lock.release()
        return []
    return locks


def _owners(cards: Sequence[str]) -> list[str]:
    return [f"{card} belongs to {living(_lock_of(card))}" for card in cards]


def _lock_of(card: str) -> Path:
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"{tempfile.gettempdir()}/user-{os.getuid()}"
    return Path(folder) / "songatlas" / f"{card}.lock"
