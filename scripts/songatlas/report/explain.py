"""Why each job would run, in words: Snakemake's plan, grouped by reason.

Run as `python -m songatlas.report.explain [Snakemake's arguments]`, or `make explain`.
"""

import ast
import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from songatlas.errors import SongatlasError

FOLLOWS = "Input files updated by another job"
PARAMS = re.compile(
    r"Params have changed since last execution: Union of exclusive params before and now across "
    r"all output: before: (?P<before>.*) now: (?P<now>.*)"
)
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
NOTHING = "<nothing exclusive>"
MAX_LISTED = 6
"""Names listed of a kind of job before the rest is counted."""
MAX_SHOWN = 100
"""Characters of a value."""


@dataclass(frozen=True)
class Job:
    """A job that would run."""

    rule: str
    wildcards: Mapping[str, str]
    reason: str
    """In Snakemake's words."""
    output: Sequence[str]

    @property
    def name(self) -> str:
        """`train beta_vae 0`."""
        return " ".join([self.rule, *self.wildcards.values()])


class _Plan(logging.Filter):
    """Keeps what Snakemake says of each job, and everything else from the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []
        self.problems: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        rule = getattr(record, "rule_name", None)
        if record.levelno >= logging.ERROR:
            self.problems.append(record.getMessage())
        elif rule is not None and hasattr(record, "reason"):
            wildcards = getattr(record, "wildcards", None) or {}
            output = getattr(record, "output", None) or []
            self.jobs.append(Job(rule, dict(wildcards), record.reason, list(output)))
        return False


def planned(arguments: Sequence[str] = ()) -> list[Job]:
    """The jobs that Snakemake would run in the working folder, in its order.

    Raises:
        SongatlasError: when Snakemake cannot plan, with its message.
    """
    from snakemake.cli import main as snakemake
    from snakemake.logging import logger

    plan = _Plan()
    logger.addFilter(plan)
    try:
        snakemake([*arguments, "--dry-run", "--cores", "1", "--nolock"])
    except SystemExit as done:
        if done.code:
            raise SongatlasError("\n".join(plan.problems) or "Snakemake cannot plan") from None
    finally:
        logger.removeFilter(plan)
    return plan.jobs


def why(job: Job) -> list[str]:
    """A job's reasons in words; none where it only follows other jobs."""
    reasons = []
    for reason in re.split(r"; (?=[A-Z])", job.reason):
        if reason.startswith(FOLLOWS) or not reason:
            continue
        changed = PARAMS.fullmatch(reason.strip())
        reasons += _changes(changed["before"], changed["now"]) if changed else [_short(reason)]
    return reasons


def _changes(before: str, now: str) -> list[str]:
    old, new = _literals(before), _literals(now)
    if old is None or new is None:
        return [f"parameters changed ({_shown(before)} -> {_shown(now)})"]
    found = []
    if any(map(_is_fingerprint, old)) and any(map(_is_fingerprint, new)):
        found.append("its code changed")
        old = [value for value in old if not _is_fingerprint(value)]
        new = [value for value in new if not _is_fingerprint(value)]
    parts = []
    for value in old:
        twin = next((other for other in new if _alike(value, other)), None)
        if twin is not None:
            new.remove(twin)
            parts += _differences("", value, twin)
        else:
            parts.append(f"no longer {_shown(value)}")
    parts += [f"now {_shown(value)}" for value in new]
    return [*found, *([f"parameters changed ({', '.join(parts)})"] if parts else [])]


def _literals(text: str) -> list[Any] | None:
    """Values that Snakemake has joined by commas, each as Python writes it."""
    try:
        values = ast.literal_eval(f"[{'' if text.strip() == NOTHING else text}]")
    except (SyntaxError, ValueError):
        return None
    return list(values)


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and FINGERPRINT.fullmatch(value) is not None


def _alike(one: Any, other: Any) -> bool:
    """Whether two values can be those of one parameter: it has lost its name by now."""
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other)
    return isinstance(one, (dict, list)) == isinstance(other, (dict, list))


def _differences(name: str, old: Any, new: Any) -> list[str]:
    """What differs between two values, entry by entry where they have named ones."""
    if isinstance(old, dict) and isinstance(new, dict):
        both = [key for key in old if key in new and old[key] != new[key]]
        return [
            *chain.from_iterable(
                _differences(f"{name} {key}".strip(), old[key], new[key]) for key in both
            ),
            *(f"no longer {name} {key}".replace("  ", " ") for key in old if key not in new),
            *(f"now {name} {key}".replace("  ", " ") for key in new if key not in old),
        ]
    if _named(old) and _named(new):
        before, now = ({item["name"]: item for item in items} for items in (old, new))
        return _differences(name, before, now)
    return [f"{name} {_shown(old)} -> {_shown(new)}".strip()]


def _named(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, dict) and "name" in v for v in value)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _short(reason: str) -> str:
    """Snakemake's reason with a lower first letter and no more than a few files."""
    head, colon, files = reason.partition(": ")
    listed = files.split(", ") if colon else []
    if len(listed) > MAX_LISTED:
        files = ", ".join([*listed[:MAX_LISTED], f"{len(listed) - MAX_LISTED} more"])
    return f"{head[:1].lower()}{head[1:]}{colon}{files}"


def explain(jobs: Iterable[Job]) -> str:
    """The plan in words: jobs with a reason of their own, then those that follow."""
    groups: dict[str, list[Job]] = {}
    following: dict[str, list[Job]] = {}
    # `all` makes nothing; it is where the plan ends.
    for job in (job for job in jobs if job.output):
        reasons = why(job)
        if reasons:
            groups.setdefault("; ".join(reasons), []).append(job)
        else:
            following.setdefault(job.rule, []).append(job)
    if not groups and not following:
        return "Nothing to do: every result is up to date."
    lines = [f"{_listed(members)}: {reason}" for reason, members in groups.items()]
    if following:
        lines.append("then, because of these:")
        lines += [f"  {_listed(members)}" for members in following.values()]
    total = sum(map(len, [*groups.values(), *following.values()]))
    return "\n".join([*lines, f"{total} jobs in all."])


def _listed(jobs: Sequence[Job]) -> str:
    names = [job.name for job in jobs]
    if len(names) <= MAX_LISTED:
        return ", ".join(names)
    return f"{', '.join(names[:MAX_LISTED])} and {len(names) - MAX_LISTED} more"


def main(arguments: Sequence[str]) -> None:
    as_json = "--json" in arguments
    try:
        jobs = planned([argument for argument in arguments if argument != "--json"])
    except SongatlasError as error:
        sys.exit(str(error))
    print(json.dumps([asdict(job) for job in jobs]) if as_json else explain(jobs))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONNOUSERSITE", "1")
    main(sys.argv[1:])
