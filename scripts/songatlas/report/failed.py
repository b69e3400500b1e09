"""What a run that failed prints: each failed job and the last words of its log."""

import re
from collections.abc import Iterable
from pathlib import Path

MOST_JOBS = 10
"""Failed jobs that are shown; of the others their number is said."""
LAST_LINES = 12
"""Lines of a failed job's log that are shown: the end of a traceback, or a message."""

_ERROR = re.compile(r"^Error in rule (?P<rule>\w+):\n(?P<body>(?: {4}.*\n?)*)", re.MULTILINE)
_FINISHED = re.compile(r"^Finished jobid: (\d+)", re.MULTILINE)
_HINT = " (check log file(s) for error details)"


def failed_jobs(snakemake_log: str) -> dict[str, tuple[str, list[Path]]]:
    """Rule and log files of each job that failed and did not succeed in a later attempt, by id."""
    failed: dict[str, tuple[str, list[Path]]] = {}
    for match in _ERROR.finditer(snakemake_log):
        body = match["body"]
        number = re.search(r"^ {4}jobid: (\d+)", body, re.MULTILINE)
        if number is None:
            continue
        named = re.search(r"^ {4}log: (.+)$", body, re.MULTILINE)
        logs = named[1].removesuffix(_HINT).split(", ") if named else []
        failed[number[1]] = (match["rule"], [Path(name) for name in logs])
    for number in _FINISHED.findall(snakemake_log):
        failed.pop(number, None)
    return failed


def failures(snakemake_logs: Iterable[str | Path], folder: str | Path = ".") -> str:
    """The failed jobs of a run, each with the end of its log; empty when no job failed.

    Snakemake says which job failed at that moment; with `keep-going` hundreds of lines follow.
    `folder` is where Snakemake ran.
    """
    whole = [Path(log) for log in snakemake_logs]
    jobs = failed_jobs("\n".join(_text(log) or "" for log in whole))
    if not jobs:
        return ""
    where = ", ".join(str(log) for log in whole)
    lines = [f"{len(jobs)} job{'s' * (len(jobs) != 1)} failed:"]
    for rule, logs in list(jobs.values())[:MOST_JOBS]:
        if not logs:
            lines.append(f"{rule}: it keeps no log; see {where}")
        for log in logs:
            lines += [f"{rule}: {log}", *_end(Path(folder, log))]
    if len(jobs) > MOST_JOBS:
        lines.append(f"and {len(jobs) - MOST_JOBS} more: {where}")
    return "\n".join(lines)


def _end(log: Path) -> list[str]:
    """The last lines of a job's log; a job that was killed has said nothing of its end."""
    text = _text(log)
    if text is None:
        return ["    it left no log: it was killed, or could not start"]
    if not text.strip():
        return ["    its log is empty: it was killed, or could not start"]
    return [f"    {line}" for line in text.rstrip().splitlines()[-LAST_LINES:]]


def _text(log: Path) -> str | None:
    try:
        return log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
