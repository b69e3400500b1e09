"""Measures every promise and writes docs/calibration.md; fails where one is broken."""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from calibration.promise import CONFIDENCE, Kept, keep
from calibration.promises import PROMISES

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"
INTRODUCTION = f"""# Calibration

What the evaluation promises, measured on simulated songs whose truth is known (`make calibrate`
writes this page; seeds are fixed). A promise is broken where the {CONFIDENCE:.1%} interval of the
rate lies outside the promised range; `make test-slow` fails then. The simulations are in
`tests/calibration/promises.py`, one entry each.

Intervals of scores are held to 90%, not to their nominal 95%: a bootstrap of 12 to 200 songs is a
little short.

| promise | event | truth | promised rate | rate | its interval | repeats |
| --- | --- | --- | --- | --- | --- | --- |
"""


def row(kept: Kept) -> str:
    promise = kept.promise
    mark = "" if kept.holds else " **broken**"
    cells = (
        promise.about,
        promise.event,
        promise.truth,
        f"{promise.low:g} to {promise.high:g}",
        f"{kept.rate:.3f}{mark}",
        f"{kept.low:.3f} to {kept.high:.3f}",
        str(promise.repeats),
    )
    return f"| {' | '.join(cells)} |"


def measured(place: int) -> Kept:
    return keep(PROMISES[place])


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as workers:
        rows = []
        broken = 0
        for place, kept in enumerate(workers.map(measured, range(len(PROMISES)))):
            rows.append(row(kept))
            broken += not kept.holds
            print(f"{place + 1}/{len(PROMISES)} {rows[-1]}", flush=True)
    PAGE.write_text(INTRODUCTION + "\n".join(rows) + "\n", encoding="utf-8")
    sys.exit(f"{broken} promises are broken: {PAGE}" if broken else 0)
