"""The small run in pods that share no file, with its results in object storage that falters."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from pipeline import SMALL, copy_repository, snakemake, write_corpus
from pods import storage as object_storage

SETTINGS = SMALL + "include: [basic_vae, raw]\n"
TABLE = "results/small/tables/comparison.csv"
PROFILES = ROOT / "profiles"
PREFIX = "s3://atlas/run"


def profile(name: str) -> dict:
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text(encoding="utf-8"))


def test_jobs_ask_kubernetes_for_what_they_ask_slurm() -> None:
    slurm, pods = profile("slurm"), profile("kubernetes")
    assert pods["groups"] == slurm["groups"]
    assert pods["cores"] == slurm["cores"]
    assert pods["group-components"] == slurm["group-components"]
    assert slurm["default-resources"].items() <= pods["default-resources"].items()
    for rule, resources in slurm["set-resources"].items():
        assert resources.items() <= pods["set-resources"][rule].items(), rule


def test_pods_that_get_a_gpu_have_limits() -> None:
    """The plugin asks for a GPU by request alone otherwise, which Kubernetes refuses."""
    with_gpu = set()
    for path in (ROOT / "rules").glob("*.smk"):
        for rule in path.read_text(encoding="utf-8").split("\nrule ")[1:]:
            if "gpu=" in rule:
                with_gpu.add(rule.split(":")[0])
    assert "train" in with_gpu
    limited = {
        rule for rule, asked in profile("kubernetes")["set-resources"].items() if "scale" in asked
    }
    assert limited == with_gpu


@pytest.fixture(scope="module")
def storage() -> Iterator[object_storage.Storage]:
    if reason := object_storage.missing():
        pytest.skip(f"not installed: {reason}")
    with object_storage.storage() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the settings of the run; its songs lie on what would be a volume."""
    volume, clone = tmp_path_factory.mktemp("volume"), tmp_path_factory.mktemp("clone")
    write_corpus(volume / "songs")
    copy_repository(clone)
    settings = f"{SETTINGS}corpus_path: {volume / 'songs'}\n"
    (clone / "small.yaml").write_text(settings, encoding="utf-8")
    # Pods get what git knows of.
    for command in ("init --quiet", "add --all"):
        subprocess.run(["git", *command.split()], cwd=clone, check=True)
    return clone


def run(
    storage: object_storage.Storage, folder: Path, *arguments: str
) -> subprocess.CompletedProcess:
    pods = folder.parent / "pods"
    pods.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--configfile", "small.yaml", *arguments]
    command += ["--default-storage-prefix", PREFIX, "--", TABLE]
    plugin = os.pathsep.join([str(ROOT / "tests" / "pods" / "plugin"), *sys.path])
    environment = {**storage.environment, "SONGATLAS_PODS": str(pods), "PYTHONPATH": plugin}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_profile_plans_the_run(storage: object_storage.Storage, folder: Path) -> None:
    image = ["--container-image", "registry/songatlas:0.1.0"]
    done = run(storage, folder, "--profile", "profiles/kubernetes", *image, "-n")
    assert done.returncode == 0, done.stderr
    assert f"{PREFIX}/results/small/corpus/tracks.parquet" in done.stdout + done.stderr


@pytest.mark.slow
def test_pods_without_a_shared_folder_make_the_run(
    storage: object_storage.Storage, folder: Path, tmp_path: Path
) -> None:
    """The executor is the tests' own, of which a pod is a folder; all else is the profile."""
    options = ["--profile", "profiles/kubernetes", "--executor", "pods", "--jobs", "2"]
    done = run(storage, folder, *options, "--seconds-between-status-checks", "1")
    logs = "\n".join(
        path.read_text(encoding="utf-8", errors="replace")[-1500:]
        for path in (folder.parent / "pods").glob("*.log")
    )
    assert done.returncode == 0, f"{done.stderr[-4000:]}\n{logs}"
    assert f"results  {PREFIX}/results/small" in done.stdout
    assert not (folder / "results" / "small").exists()
    counts = Counter(storage.answers)
    print(f"answers of the storage: {dict(counts)}")
    assert counts[503] > 20
    # What the pods wrote is what one machine writes.
    copy_repository(tmp_path)
    (tmp_path / "small.yaml").write_bytes((folder / "small.yaml").read_bytes())
    snakemake(tmp_path, "--configfile", "small.yaml", "--", TABLE, repository=tmp_path)
    assert stored(storage) == (tmp_path / TABLE).read_bytes()
    again = run(storage, folder, *options, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr


def stored(storage: object_storage.Storage) -> bytes:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=storage.url,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        region_name="us-east-1",
    )
    bucket, _, prefix = PREFIX.removeprefix("s3://").partition("/")
    found: bytes = client.get_object(Bucket=bucket, Key=f"{prefix}/{TABLE}")["Body"].read()
    return found
