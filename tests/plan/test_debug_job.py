"""`make debug`: the job that makes a file of a finished run, in one process."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from finished import Run

FILE = "results/small/scores/descriptors/seed-0.parquet"


def debug(
    run: Run, *arguments: str, typed: str = "", **variables: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "songatlas.plan.debug_job", *arguments],
        cwd=run.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), **variables},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def digests(folder: Path) -> dict[Path, str]:
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_job_runs_again_into_a_scratch_folder(finished: Run, tmp_path: Path) -> None:
    before = digests(finished.results)
    done = debug(finished, FILE, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "clusters wrote" in done.stdout
    (scratch,) = tmp_path.glob("clusters-*")
    assert str(scratch) in done.stdout
    made = digests(scratch)
    tables = [path for path in made if path.suffix == ".parquet"]
    assert len(tables) == 3
    for path in tables:
        assert made[path] == before[path.relative_to("results/small")], path
    assert digests(finished.results) == before


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("results/other/scores/descriptors/seed-0.parquet", "is of no run here"),
        ("tables.csv", "is of no run here"),
        ("results/small/nothing.parquet", "No rule to produce"),
    ],
)
def test_a_file_that_no_job_makes(finished: Run, file: str, message: str) -> None:
    done = debug(finished, file)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_opens_the_debugger_where_it_was_raised(finished: Run, tmp_path: Path) -> None:
    run = finished.copy(tmp_path / "copy")
    (run.results / "latents" / "descriptors" / "seed-0.parquet").write_bytes(b"no table")
    done = debug(run, FILE, "--pdb", typed="p str(path)[-23:]\nq\n")
    assert done.returncode == 1
    assert "not a readable parquet file" in done.stderr
    assert "'descriptors/seed-0.parquet'"[-20:] in done.stdout
