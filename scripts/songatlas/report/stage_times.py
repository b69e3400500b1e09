"""How long each stage of a run took, from the benchmark file that every job leaves."""

import csv
from collections.abc import Mapping
from pathlib import Path

SHOWN = 8
"""Stages that are named; the others are one sum."""


def seconds_of_stages(
    benchmarks: Path, stage_of_rule: Mapping[str, str], since_s: float = 0.0
) -> dict[str, float]:
    """Seconds that the jobs of each stage took together, the longest stage first.

    Args:
        benchmarks: folder with `<rule>.tsv` or `<rule>/<job>.tsv`, as rules declare them.
        stage_of_rule: the stage of every rule.
        since_s: time (seconds since the epoch) before which a file belongs to an earlier run.
    """
    seconds: dict[str, float] = {}
    for path in sorted(benchmarks.rglob("*.tsv")):
        if path.stat().st_mtime >= since_s:
            rule = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
            stage = stage_of_rule.get(rule, rule)
            seconds[stage] = seconds.get(stage, 0.0) + _seconds(path)
    return dict(sorted(seconds.items(), key=lambda item: (-item[1], item[0])))


def stage_times(seconds: Mapping[str, float]) -> str:
    """One line: the longest stages with their share of all jobs' time; empty without a job."""
    if not seconds:
        return ""
    listed = list(seconds.items())
    named = listed[:SHOWN]
    others = sum(value for _, value in listed[SHOWN:])
    if others:
        named.append(("others", others))
    parts = ", ".join(f"{stage} {duration(value)}" for stage, value in named)
    return f"{duration(sum(seconds.values()))} of jobs: {parts}"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s` or `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _seconds(path: Path) -> float:
    """The seconds in a benchmark file; 0 where a job ended before it wrote them."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        return sum(float(row["s"]) for row in rows)
    except (KeyError, TypeError, ValueError):
        return 0.0
