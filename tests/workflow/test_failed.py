"""The end of a run that failed: which jobs, and what they said last."""

import subprocess
import sys
from pathlib import Path

from songatlas.report.failed import LAST_LINES, MOST_JOBS, failed_jobs, failures

WORKFLOW = """\
from songatlas.report.failed import failures

rule all:
    input: "good", "bad", "killed", "mended", "silent"

rule good:
    output: "good"
    log: "logs/good.log"
    shell: "echo all well > {log}; touch {output}"

rule bad:
    output: "bad"
    log: "logs/bad.log"
    shell: "echo models.x.widths: no such key > {log}; exit 1"

rule killed:
    output: "killed"
    log: "logs/killed.log"
    shell: "touch {log}; kill -9 $$"

rule mended:
    output: "mended"
    log: "logs/mended.log"
    retries: 1
    shell: "if [ -f once ]; then touch {output}; else touch once; echo not yet > {log}; exit 1; fi"

rule silent:
    output: "silent"
    shell: "exit 1"

onerror:
    print(failures(log))
"""


def test_a_run_ends_with_its_failed_jobs_and_their_last_words(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--keep-going"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode
    said = done.stdout[done.stdout.index("3 jobs failed:") :]
    assert "bad: logs/bad.log\n    models.x.widths: no such key\n" in said
    assert "killed: logs/killed.log\n    its log is empty: it was killed, or could not" in said
    assert "silent: it keeps no log; see " in said
    assert "good" not in said
    assert "mended" not in said, "the second attempt succeeded"
    logs = (tmp_path / ".snakemake" / "log").glob("*.log")
    assert "models.x.widths: no such key" in failures(logs, tmp_path)


def error(number: int, log: Path) -> str:
    hint = "(check log file(s) for error details)"
    return f"Error in rule train:\n    jobid: {number}\n    log: {log} {hint}\n\n"


def test_of_a_long_log_its_end_and_of_many_jobs_the_first(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("\n".join(f"line {number}" for number in range(100)), encoding="utf-8")
    whole = tmp_path / "snakemake.log"
    whole.write_text("".join(error(number, log) for number in range(MOST_JOBS + 3)))
    lines = failures([whole]).splitlines()
    assert lines[0] == f"{MOST_JOBS + 3} jobs failed:"
    assert lines[1] == f"train: {log}"
    assert lines[2] == f"    line {100 - LAST_LINES}"
    assert lines[1 + LAST_LINES] == "    line 99"
    assert lines[-1] == f"and 3 more: {whole}"


def test_a_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    whole = tmp_path / "snakemake.log"
    whole.write_text(error(1, tmp_path / "no.log"))
    assert "it left no log: it was killed" in failures([whole])
    assert failures([tmp_path / "none.log"]) == ""


def test_nothing_failed_nothing_said(tmp_path: Path) -> None:
    whole = tmp_path / "snakemake.log"
    whole.write_text("Finished jobid: 3 (Rule: train)\n")
    assert failures([whole]) == ""
    assert failed_jobs("Error in rule x:\n    output: a\n") == {}
