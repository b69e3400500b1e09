"""Promises of the evaluation under a known truth (`make calibrate` writes their table)."""

import pytest

from calibration.promise import Promise, keep
from calibration.promises import PROMISES


def test_a_broken_promise_is_told() -> None:
    broken = Promise("p", "p ≤ .05", "no structure", 0.0, 0.05, lambda seed: seed % 5 == 0)
    found = keep(broken)
    assert found.rate == 0.2
    assert not found.holds
    assert keep(Promise("p", "p ≤ .05", "", 0.0, 0.05, lambda seed: seed % 20 == 0)).holds


def test_promises_have_names_of_their_own() -> None:
    assert len({promise.name for promise in PROMISES}) == len(PROMISES)


@pytest.mark.slow
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_promise_is_kept(promise: Promise) -> None:
    found = keep(promise)
    assert found.holds, f"{found.rate:.3f} [{found.low:.3f}, {found.high:.3f}]"
