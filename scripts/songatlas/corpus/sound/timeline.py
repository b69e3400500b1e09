"""When each packet of a file sounds, where times are missing, wrong or begin again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

JUMP_S = 0.1
"""Packets whose times differ by less from the end of the packet before follow it at once."""


@dataclass(frozen=True)
class Timeline:
    """Where packets stand, in seconds from the first sound on.

    `shifts_s` of shape (packets,), float64: what turns a packet's own time into its place.
    """

    shifts_s: np.ndarray
    end_s: float
    silent: tuple[tuple[float, float], ...]
    """Seconds (start, end) for which there are no packets."""


@dataclass(frozen=True)
class _Run:
    """Packets from `first` on that follow each other, by their own times in seconds."""

    first: int
    start_s: float
    length_s: float


def stamped(
    starts_s: np.ndarray,
    lengths_s: np.ndarray,
    origin_s: float,
    limit_s: float,
    missing_s: float = 0.0,
) -> Timeline:
    """By the packets' own times, which leave out what is broken.

    Times that jump ahead are a hole, unless later ones come back, and times that jump back are the
    beginning of another recording in the same file. No hole reaches beyond `limit_s`, or it is an
    error in the times.

    Args:
        starts_s, lengths_s: of the packets, shape (packets,), as the container says.
        origin_s: the time of the first sound.
        missing_s: seconds before the first sound that are broken.
    """
    runs = _runs(starts_s, lengths_s)
    shifts = np.empty(len(starts_s))
    silent = [(0.0, missing_s)] if missing_s else []
    offset, end = -origin_s, 0.0
    if abs(runs[0].start_s + offset) > JUMP_S:
        offset = -runs[0].start_s
    offset += missing_s
    for index, run in enumerate(runs):
        place = run.start_s + offset
        jump = place - end
        if abs(jump) > JUMP_S and index:
            passing = _comes_back(runs[index:], offset, end)
            inside = run.start_s - origin_s + run.length_s <= limit_s
            if jump > 0 and not passing and inside:
                silent.append((end, place))
            else:
                place = end
            if jump < 0 and not passing:
                offset = end - run.start_s
        shifts[run.first :] = place - run.start_s
        end = place + run.length_s
    return Timeline(shifts, end, tuple(silent))


def _runs(starts_s: np.ndarray, lengths_s: np.ndarray) -> list[_Run]:
    ends_s = starts_s + lengths_s
    breaks = np.flatnonzero(np.abs(starts_s[1:] - ends_s[:-1]) > JUMP_S) + 1
    firsts = [0, *breaks.tolist()]
    lasts = [*(breaks - 1).tolist(), len(starts_s) - 1]
    return [
        _Run(first, float(starts_s[first]), float(ends_s[last] - starts_s[first]))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _comes_back(runs: Sequence[_Run], offset: float, end_s: float) -> bool:
    """Whether packets behind the first run go on where those before it ended, at `end_s`."""
    starts = np.array([run.start_s for run in runs[1:]])
    played = np.cumsum([run.length_s for run in runs[:-1]])
    back = starts + offset >= end_s + played - JUMP_S
    if runs[0].start_s + offset > end_s:
        back &= starts < runs[0].start_s
    return bool(back.any())


def counted(
    starts_s: np.ndarray, lengths_s: np.ndarray, origin_s: float, gaps_s: np.ndarray
) -> Timeline:
    """By counting packets, which have no times of their own.

    Args:
        starts_s, lengths_s, origin_s: as in `stamped`.
        gaps_s: seconds that are broken before each packet, shape (packets,).
    """
    counts = np.concatenate([[0.0], np.cumsum(lengths_s)[:-1]])
    places = counts + np.cumsum(gaps_s) + starts_s[0] - origin_s
    silent = tuple(
        (float(places[at] - gaps_s[at]), float(places[at])) for at in np.flatnonzero(gaps_s)
    )
    return Timeline(places - starts_s, float(places[-1] + lengths_s[-1]), silent)
