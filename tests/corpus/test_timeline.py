"""When packets sound: holes, times that are wrong for a while, and times that begin again."""

import numpy as np
import pytest

from songatlas.corpus.sound.timeline import counted, stamped


def places(starts: list[float], limit_s: float = 100.0) -> tuple[list[float], list, float]:
    """Where packets of a second with these times stand."""
    times = np.array(starts, float)
    line = stamped(times, np.ones(len(times)), times[0], limit_s)
    return (times + line.shifts_s).round(6).tolist(), list(line.silent), line.end_s


@pytest.mark.parametrize(
    ("starts", "wanted", "silent"),
    [
        ([0, 1, 2], [0, 1, 2], []),
        ([7, 8, 9], [0, 1, 2], []),
        ([0, 1, 4, 5], [0, 1, 4, 5], [(2, 4)]),
        ([0, 1, 0, 1, 2], [0, 1, 2, 3, 4], []),
        ([0, 1, 2, 3, 0, 1, 3], [0, 1, 2, 3, 4, 5, 7], [(6, 7)]),
        ([0, 1, 60, 3, 4], [0, 1, 2, 3, 4], []),
        ([0, 1, 60, 61, 4, 5], [0, 1, 2, 3, 4, 5], []),
        ([0, 1, 0, 4, 5], [0, 1, 2, 4, 5], [(3, 4)]),
        ([0, 1, 2, 1e9], [0, 1, 2, 3], []),
    ],
    ids=[
        "plain",
        "begins late",
        "a hole",
        "two files",
        "two files, a hole in the second",
        "one wrong time",
        "two wrong times",
        "one time that is zero, and a hole",
        "an absurd time at the end",
    ],
)
def test_packets_stand_where_they_sound(starts: list, wanted: list, silent: list) -> None:
    assert places(starts) == (wanted, silent, wanted[-1] + 1)


def test_times_that_are_rounded_are_no_holes() -> None:
    times = np.array([0.0, 0.023, 0.046, 0.07])
    line = stamped(times, np.full(4, 0.02), 0.0, 9.0)
    assert not line.silent
    assert line.end_s == pytest.approx(0.09)


def test_packets_without_times_are_counted_behind_what_is_broken() -> None:
    line = counted(np.arange(4.0), np.ones(4), 0.0, np.array([0, 0, 2.5, 0]))
    assert (np.arange(4) + line.shifts_s).tolist() == [0, 1, 4.5, 5.5]
    assert line.silent == ((2.0, 4.5),)
    assert line.end_s == 6.5
