"""The image: linted, and it holds what a run reads. It is built where there is an engine."""

import fnmatch
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from conftest import ROOT
from pipeline import SMALL, snakemake, write_corpus

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_dockerfile_passes_the_linter() -> None:
    done = subprocess.run(
        ["hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_its_versions_are_those_of_the_project() -> None:
    assert f'image.version="{PROJECT["version"]}"' in DOCKERFILE
    images = set(re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.M))
    [base] = images
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base)
    assert PROJECT["requires-python"].startswith(">=3.11")
    assert re.findall(r"torch==[\d.]+", DOCKERFILE) == []


def test_nothing_runs_as_root() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, flags=re.M) == ["1000"]
    assert DOCKERFILE.rindex("\nUSER ") < DOCKERFILE.rindex("\nCMD ")


def in_the_image(path: str) -> bool:
    """Whether `.dockerignore` lets a file of the repository in (its last fitting line decides)."""
    found = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = path.split("/")
        starts = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        names = parts if "**/" in line else starts
        if any(fnmatch.fnmatchcase(name, pattern) for name in names):
            found = line.startswith("!")
    return found


def test_what_goes_into_the_image_plans_the_demo(tmp_path: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    if not listed[0]:
        pytest.skip("no git repository")
    chosen = [path for path in listed if path and in_the_image(path)]
    assert not [path for path in chosen if path.startswith(("tests/", ".git", "docs/"))]
    for path in chosen:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    done = snakemake(tmp_path, "-n", repository=tmp_path)
    assert "Synthesising the demo corpus" in done.stdout + done.stderr


@pytest.mark.slow
def test_the_image_is_built_and_plans_the_demo() -> None:
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine runs here")
    subprocess.run(["docker", "build", "--tag", "songatlas:test", "."], cwd=ROOT, check=True)
    plan = ["docker", "run", "--rm", "songatlas:test", "snakemake", "-n", "--quiet"]
    subprocess.run(plan, check=True)


APPTAINER = """\
#!/bin/sh
# Apptainer without containers: says its version, and runs the command behind the image.
case "$1" in
    --version) echo "apptainer version 1.3.4" ;;
    exec) echo "$*" >> "$APPTAINER_LOG"
        while [ "$1" != "$APPTAINER_IMAGE" ]; do shift; done
        shift; exec "$@" ;;
esac
"""


def test_with_apptainer_jobs_run_in_the_configured_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, program = tmp_path / "songatlas.sif", tmp_path / "bin" / "apptainer"
    image.touch()
    program.parent.mkdir()
    program.write_text(APPTAINER, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("APPTAINER_IMAGE", str(image))
    monkeypatch.setenv("APPTAINER_LOG", str(tmp_path / "apptainer.log"))
    write_corpus(tmp_path / "songs")
    settings = f"{SMALL}corpus_path: songs\ncompute: {{container: {image}}}\n"
    (tmp_path / "small.yaml").write_text(settings, encoding="utf-8")
    target = "results/small/corpus/sources.parquet"
    snakemake(tmp_path, "--configfile", "small.yaml", "--sdm", "apptainer", "--", target)
    assert (tmp_path / target).is_file()
    [call] = (tmp_path / "apptainer.log").read_text(encoding="utf-8").splitlines()
    assert f" {image} " in call
