"""Being told to stop: by a batch system's time limit, by Ctrl-C, by a run that has ended."""

import signal
import threading
from types import FrameType
from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""SIGTERM and SIGUSR1 are what batch systems send before a time limit, SIGINT is Ctrl-C."""


class Interrupted(BaseException):
    """The process was told to stop. Not an `Exception`: nothing that handles errors holds it up.

    What is written at that moment is left as it was before (see `tables.atomic`).
    """

    def __init__(self, signum: int, done: str = "nothing half-written is left behind") -> None:
        self.signum, self.done = signum, done
        super().__init__(
            f"stopped by {signal.Signals(signum).name}: {done}; the same command continues the run"
        )

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells count."""
        return 128 + self.signum


class StopSignals:
    """While the block runs, a stop signal is noted in `received`; a second one stops at once.

    Without `deferred` the first one stops at once too; with `patient` no number of them does, for
    processes that several others pass signals on to. In threads other than the main one nothing
    is changed: Python gives signals to the main thread.
    """

    def __init__(self, *, deferred: bool = False, patient: bool = False) -> None:
        self.deferred, self.patient = deferred or patient, patient
        self.received: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            self._before = {some: signal.signal(some, self._handle) for some in STOP_SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for some, handler in self._before.items():
            signal.signal(some, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.deferred and (self.received is None or self.patient):
            self.received = signum
            return
        raise Interrupted(signum)
