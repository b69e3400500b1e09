"""What every entry script does around its work: its log, its last line, its way to fail."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from songatlas.errors import SongatlasError
from songatlas.run.jobs import QUIET, job


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`job` takes the whole process over; a test gives it back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.delenv(QUIET, raising=False)
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(threads, "1")
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_finished_job_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results" / "demo" / "logs" / "train" / "beta_vae-seed-0.log"
    with job(path) as log:
        log.info("for the file alone")
        log.result = "20 epochs"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("train beta_vae-seed-0: 20 epochs (")
    assert said[0].endswith(" s)")
    written = path.read_text(encoding="utf-8")
    assert "for the file alone" in written
    assert said[0] in written


def test_a_quiet_run_keeps_the_line_to_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(QUIET, "1")
    with job(tmp_path / "logs" / "corpus.log") as log:
        log.warning("this is worth knowing")
    assert capsys.readouterr().err == "this is worth knowing\n"
    assert "corpus: done (" in (tmp_path / "logs" / "corpus.log").read_text(encoding="utf-8")


def test_a_failed_job_says_why_and_not_that_it_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        with job(tmp_path / "logs" / "train" / "x.log") as log:
            log.result = "all went well"
            raise SongatlasError("config key `k`: too large; lower it")

    with pytest.raises(SystemExit, match="1"):
        run()
    assert capsys.readouterr().err == "config key `k`: too large; lower it\n"


@pytest.mark.parametrize("quiet", [False, True])
def test_snakemake_quiet_keeps_jobs_quiet(tmp_path: Path, quiet: bool) -> None:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--cores", "1", "--config", "include=mean_mel"]
    command += ["--quiet", "all"] if quiet else []
    done = subprocess.run(
        [*command, "--", "results/demo/tables/architectures.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert ("architectures: done (" in done.stderr) is not quiet
