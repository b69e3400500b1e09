"""Runs through a real Slurm: the demo to its end after a killed job, on after `scancel` or without
a node that was lost, and a training on two nodes."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from pipeline import SMALL, in_background, write_corpus
from slurm import cluster as slurm
from test_interruptions import wait_for

pytestmark = pytest.mark.slow

PROFILE = ROOT / "profiles" / "slurm"
SETTINGS = SMALL + "corpus_path: songs\ninclude: [basic_vae, raw]\n"
TARGET = "results/small/tables/comparison.txt"
WITHIN_S = 900.0
DEMO_WITHIN_S = 5400.0
SHOWN = ("JobId", "Comment", "TRES", "TresPerJob", "NodeList", "TimeLimit", "RunTime", "JobState")


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[slurm.Cluster]:
    """Of one node, or as many as the test says."""
    if reason := slurm.missing():
        pytest.skip(f"no Slurm here: {reason}")
    n_nodes = getattr(request, "param", 1)
    with slurm.cluster(tmp_path_factory.mktemp("slurm"), n_nodes=n_nodes) as running:
        yield running


two_nodes = pytest.mark.parametrize("cluster", [2], indirect=True)


def start(cluster: slurm.Cluster, folder: Path, *what: str) -> subprocess.Popen:
    """The workflow on the cluster, not waited for."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--profile", str(PROFILE), "--latency-wait", "5", "--cores", str(slurm.N_CPUS)]
    # Two seconds between looks at the queue instead of forty: jobs here take seconds.
    command += ["--seconds-between-status-checks", "2", "--slurm-init-seconds-before-status-checks"]
    command += ["2", "--slurm-status-command", "squeue", "--slurm-no-account", *what]
    return in_background(command, folder, cluster.environment)


SMALL_RUN = ("--configfile", "small.yaml", "--", TARGET)


def prepared(folder: Path, settings: str = SETTINGS) -> Path:
    write_corpus(folder / "songs")
    (folder / "small.yaml").write_text(settings, encoding="utf-8")
    return folder


def training(cluster: slurm.Cluster, process: subprocess.Popen) -> str:
    """Number of the running job that trains, which is the first with a GPU."""
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        for line in cluster.run(
            "squeue", "--noheader", "--states=RUNNING", "--Format=JobID:20,tres-per-job:40"
        ).splitlines():
            number, _, asked = line.strip().partition(" ")
            if "gpu" in asked:
                return number
        time.sleep(0.3)
    raise AssertionError("no training was seen")


def outcome(process: subprocess.Popen, folder: Path, within_s: float = WITHIN_S) -> int:
    try:
        return process.wait(within_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        raise AssertionError((folder / "output.txt").read_text()[-4000:]) from None


def test_the_demo_goes_through_slurm_and_a_killed_job_comes_again(
    cluster: slurm.Cluster, tmp_path: Path
) -> None:
    """As `make demo`, but that trainings are saved every second, and one is killed."""
    process = start(cluster, tmp_path, "--config", "compute={save_every_s: 1.0}")
    killed = training(cluster, process)
    of_models = tmp_path / "results" / "demo" / "logs" / "train"

    def trained() -> list[Path]:
        logs = of_models.glob("*.log") if of_models.exists() else []
        return [log for log in logs if "epoch 3:" in log.read_text(encoding="utf-8")]

    wait_for(lambda: bool(trained()), WITHIN_S)
    (log,) = trained()
    # As a node that is lost: its processes end without a word.
    cluster.run("scancel", "--signal=KILL", "--full", killed)
    output = tmp_path / "output.txt"
    assert outcome(process, tmp_path, DEMO_WITHIN_S) == 0, output.read_text()[-6000:]
    found = re.search(r"resuming at epoch (\d+)", log.read_text(encoding="utf-8"))
    assert found is not None
    assert int(found[1]) >= 1
    print(found[0])
    jobs = shown(cluster)
    trainings = [job for job in jobs if trains(job)]
    states = {job["JobId"]: job["JobState"] for job in trainings}
    results = tmp_path / "results" / "demo"
    models = [path.name for path in (results / "models").iterdir()]
    assert len(states) == len(models) + 1, "the training that was killed came again once"
    assert states.pop(killed) in ("CANCELLED", "FAILED")
    assert set(states.values()) == {"COMPLETED"}
    same = [job for job in trainings if job["Comment"] == by_number(trainings)[killed]["Comment"]]
    first, second = sorted(same, key=lambda job: int(job["JobId"]))
    assert first["TimeLimit"] < second["TimeLimit"], "with more time"
    table = (results / "tables" / "comparison.txt").read_text(encoding="utf-8")
    assert all(model in table for model in models)
    assert (results / "report" / "summary.md").is_file()


def shown(cluster: slurm.Cluster) -> list[dict[str, str]]:
    """All jobs, which are printed too."""
    jobs = cluster.jobs()
    for job in jobs:
        print(*(job.get(name) for name in SHOWN), sep=" | ")
    return jobs


def trains(job: dict[str, str]) -> bool:
    """Whether a job trains; embedding with a trained model asks for a GPU too."""
    return "gpu" in job.get("TresPerJob", "") and "train" in job.get("Comment", "")


def by_number(jobs: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {job["JobId"]: job for job in jobs}


def test_a_cancelled_run_is_continued_by_the_next(cluster: slurm.Cluster, tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    process = start(cluster, folder, *SMALL_RUN)
    training(cluster, process)
    process.terminate()
    cluster.run("scancel", "--user=root")
    assert outcome(process, folder) != 0
    spectrograms = folder / "results" / "small" / "features" / "logmel" / "part-00.parquet"
    before = spectrograms.stat().st_mtime_ns
    process = start(cluster, folder, *SMALL_RUN)
    assert outcome(process, folder) == 0, (folder / "output.txt").read_text()[-6000:]
    assert (folder / TARGET).is_file()
    assert spectrograms.stat().st_mtime_ns == before, "what was finished did not run again"


@two_nodes
def test_what_a_lost_node_was_doing_goes_on_at_another(
    cluster: slurm.Cluster, tmp_path: Path
) -> None:
    long = SETTINGS.replace("max_epochs: 2", "max_epochs: 300")
    folder = prepared(tmp_path, long + "compute: {save_every_s: 0.5}\n")
    process = start(cluster, folder, *SMALL_RUN)
    number = training(cluster, process)
    log = folder / "results" / "small" / "logs" / "train" / "basic_vae-seed-0.log"
    wait_for(lambda: log.exists() and "epoch 3:" in log.read_text(encoding="utf-8"), WITHIN_S)
    lost = by_number(cluster.jobs())[number]["NodeList"]
    cluster.lose(lost)
    output = folder / "output.txt"
    assert outcome(process, folder) == 0, output.read_text()[-6000:]
    assert re.search(r"resuming at epoch \d+", log.read_text(encoding="utf-8"))
    jobs = shown(cluster)
    (trained,) = [job for job in jobs if trains(job) and job["JobState"] == "COMPLETED"]
    assert trained["NodeList"] != lost
    assert (folder / TARGET).is_file()


@two_nodes
def test_two_nodes_train_one_model(cluster: slurm.Cluster, tmp_path: Path) -> None:
    folder = prepared(tmp_path, SETTINGS + "trainer: {devices: 1, nodes: 2}\n")
    process = start(cluster, folder, *SMALL_RUN)
    assert outcome(process, folder) == 0, (folder / "output.txt").read_text()[-6000:]
    assert (folder / TARGET).is_file()
    (trained,) = [job for job in shown(cluster) if "train" in job.get("Comment", "")]
    assert trained["NodeList"] == "node[1-2]"
