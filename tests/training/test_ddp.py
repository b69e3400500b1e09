"""Several processes train one model: what one process with the same batches would have trained."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import ROOT
from songatlas import tables
from songatlas.config.training import Loss, Trainer, Training
from songatlas.errors import ConfigError, SongatlasError
from songatlas.run.interruption import Interrupted
from songatlas.training import launch as launch_module
from songatlas.training.launch import launch, torchrun, without_step
from songatlas.training.request import Request, fulfil
from test_interruptions import wait_for
from test_parts import PLAIN

BY_ROUNDING: dict[str, tuple[str, dict[str, Any]]] = {
    "attention_vae": ("attention_vae", {"dropout": 0.0}),
    "contrastive_audio": ("contrastive_audio", PLAIN["contrastive_audio"]),
}
"""Group norm, no dropout, no noise. The second one's negatives are windows of every process."""

BY_STATISTICS: dict[str, tuple[str, dict[str, Any]]] = {
    "conv_vae": ("conv_vae", {}),
    "cvae": ("cvae", {"condition_on": "genre"}),
    "vq_vae": ("vq_vae", {}),
    "hierarchical_vae": ("hierarchical_vae", {}),
}
"""Batch norm, whose statistics are each process's own."""


def environment() -> dict[str, str]:
    paths = os.pathsep.join(
        [str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "tests" / "training")]
    )
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def trained_by(n: int, folder: Path, cases: Mapping[str, Any]) -> Path:
    """Train the cases in `n` processes; the folder with what they wrote."""
    folder.mkdir()
    start = torchrun(Trainer(devices=n), {}, n) if n > 1 else [sys.executable]
    command = [*start, str(ROOT / "tests" / "together.py"), str(folder), json.dumps(cases)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


EVERYDAY = ("contrastive_audio", "conv_vae")
"""One of each kind; the others are in the slow suite."""


def names(cases: Mapping[str, Any]) -> list[Any]:
    """Names of cases as parameters of a test."""
    return [n if n in EVERYDAY else pytest.param(n, marks=pytest.mark.slow) for n in cases]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, str], Path]:
    """The folder of what some processes made of a case, and of others that are run with it."""
    parent = tmp_path_factory.mktemp("together")

    def folder_of(n: int, name: str) -> Path:
        everyday = name in EVERYDAY
        folder = parent / f"{n} {'everyday' if everyday else 'others'}"
        if not folder.is_dir():
            cases = BY_ROUNDING | BY_STATISTICS
            trained_by(n, folder, {k: c for k, c in cases.items() if (k in EVERYDAY) is everyday})
        return folder

    return folder_of


def losses(folder: Path, name: str) -> pd.Series:
    history = pd.read_parquet(folder / f"{name}.parquet")
    return history[history["metric"] == "loss"].set_index(["epoch", "split"])["value"]


def distance(one: Path, other: Path, name: str) -> float:
    """Largest relative distance of two loss curves."""
    a, b = losses(one, name), losses(other, name)
    assert list(a.index) == list(b.index)
    assert len(a) == 6
    return float(((a - b).abs() / a.abs()).max())


@pytest.mark.parametrize("name", names(BY_ROUNDING))
def test_two_processes_train_what_one_trains(trained: Callable, name: str) -> None:
    alone, two = trained(1, name), trained(2, name)
    assert distance(alone, two, name) < 1e-9
    ones, twos = torch.load(alone / f"{name}.pt"), torch.load(two / f"{name}.pt")
    for key, values in ones.items():
        torch.testing.assert_close(twos[key], values, atol=1e-6, rtol=1e-6, msg=key)


@pytest.mark.parametrize("name", names(BY_STATISTICS))
def test_with_batch_norm_two_processes_train_nearly_that(trained: Callable, name: str) -> None:
    assert 0.0 < distance(trained(1, name), trained(2, name), name) < 0.05


@pytest.mark.parametrize("name", names(BY_ROUNDING | BY_STATISTICS))
def test_all_processes_have_the_same_model(trained: Callable, name: str) -> None:
    two = trained(2, name)
    digests = {path.read_text(encoding="utf-8") for path in two.glob(f"{name}-rank-*.txt")}
    assert len(list(two.glob(f"{name}-rank-*.txt"))) == 2
    assert len(digests) == 1
    assert json.loads((two / f"{name}.json").read_text(encoding="utf-8"))["processes"] == 2


def test_a_process_without_a_part_of_a_small_batch_changes_nothing(
    trained: Callable, tmp_path: Path
) -> None:
    # The last batch has 3 windows: one part, of 3 processes two are idle.
    name = "contrastive_audio"
    three = trained_by(3, tmp_path / "3", {name: BY_ROUNDING[name]})
    assert distance(trained(1, name), three, name) < 1e-9
    assert len({path.read_text(encoding="utf-8") for path in three.glob("*-rank-*.txt")}) == 1


# --- jobs --------------------------------------------------------------------------------------


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    """A training of 40 windows, from files."""
    n, shape = 40, (16, 20)
    ids = [f"w{i:02d}" for i in range(n)]
    frame = pd.DataFrame(
        {
            "window_id": ids,
            "track_id": [f"t{i // 2:02d}" for i in range(n)],
            "index": 0,
            "start_s": 0.0,
            "end_s": 1.0,
            "split": ["train"] * 30 + ["validation"] * 10,
            "padded": False,
            "lyrics": None,
        }
    )
    tables.write(frame, tmp_path / "windows.parquet", tables.WINDOWS)
    mel = np.random.default_rng(0).normal(-40, 10, (n, *shape)).astype(np.float16)
    tables.write_feature(tmp_path / "mel.parquet", "logmel", ids, mel, units="dB")
    training = Training(
        max_epochs=3, batch_size=8, learning_rate=1e-3, device="cpu", precision="32"
    )
    return Request(
        inputs={
            "windows": str(tmp_path / "windows.parquet"),
            "logmel": [f"{tmp_path}/mel.parquet"],
        },
        outputs={
            "weights": f"{tmp_path}/weights.ckpt",
            "history": f"{tmp_path}/history.parquet",
            "summary": f"{tmp_path}/summary.json",
        },
        model="mine",
        declared={
            "architecture": "attention_vae",
            "latent_dim": 8,
            "beta": 1.0,
            "control": None,
            "control_of": None,
        },
        options={"dropout": 0.0},
        spec={"n_mels": 16, "n_frames": 20, "lyrics_dim": 4, "max_lines": 3},
        training=training.model_dump(),
        loss=Loss(kl_warmup_epochs=1).model_dump(),
        seed=0,
        resume=str(tmp_path / "resume"),
        save_every_s=120.0,
        code="",
        tensorboard=None,
    )


def start(request: Request, devices: int = 2, nodes: int = 1) -> str:
    log = Path(request.outputs["summary"]).parent / "train.log"
    return launch(request, Trainer(devices=devices, nodes=nodes), log=log, threads=2)


def test_a_job_in_two_processes_writes_one_model_and_one_log(
    request_: Request, tmp_path: Path
) -> None:
    said = start(request_)
    assert said.startswith("3 epochs, best at ")
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["processes"] == 2
    assert (tmp_path / "weights.ckpt").is_file()
    log = (tmp_path / "train.log").read_text(encoding="utf-8")
    assert log.count("epoch 2: train") == 1
    assert list((tmp_path / "resume").iterdir()) == []


def test_what_a_process_says_of_a_fault_is_what_the_job_says(
    request_: Request, tmp_path: Path
) -> None:
    (tmp_path / "mel.parquet").unlink()
    ids = [f"w{i:02d}" for i in range(40)]
    broken = np.full((40, 16, 20), np.nan, np.float16)
    tables.write_feature(tmp_path / "mel.parquet", "logmel", ids, broken, units="dB")
    with pytest.raises(SongatlasError, match="window w00 holds NaN"):
        start(request_)


def test_a_process_that_dies_ends_the_job(
    request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    dies = [*command, "--no-python", "sh", "-c", "kill -9 $$"]
    monkeypatch.setattr(launch_module, "torchrun", lambda *_: dies)
    with pytest.raises(SongatlasError, match="a process of the training ended with code 1"):
        start(request_)


def test_machines_need_slurm(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(ConfigError, match=r"trainer\.nodes: 2 machines need a Slurm job"):
        start(request_, nodes=2)


def test_a_step_of_the_job_gets_the_jobs_machines() -> None:
    """As on a real Slurm (workflow/test_slurm.py), where the script is a step on one of two."""
    step = {
        "SLURM_NNODES": "1",
        "SLURM_NTASKS": "1",
        "SLURM_JOB_NODELIST": "node1",
        "SRUN_DEBUG": "3",
    }
    job = {"SLURM_JOB_ID": "5", "SLURM_CONF": "/etc/slurm.conf", "PATH": "/usr/bin"}
    assert without_step({**step, **job}) == job
    command = torchrun(Trainer(devices=4, nodes=2), job, 8)
    assert command[0] == "srun"
    assert {"--overlap", "--nodes=2", "--ntasks=2", "--cpus-per-task=8"} < set(command)
    assert {"--nnodes=2", "--nproc-per-node=4", "--rdzv-id=5"} < set(command)


def test_gpus_that_are_not_there_are_named(
    request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    request_.training["device"] = "cuda"
    with pytest.raises(ConfigError, match=r"trainer\.devices: 2 GPUs are asked for, .* 1"):
        start(request_)


SRUN = """\
#!/bin/sh
# Slurm with two machines that are both this one.
[ "$1 $2 $3 $4" = "--overlap --nodes=2 --ntasks=2 --ntasks-per-node=1" ] || exit 2
shift 5
"$@" & first=$!
"$@" & second=$!
wait $first || exit 1
wait $second
"""


@pytest.mark.slow
def test_two_machines_meet(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(SRUN, encoding="utf-8")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", f"{srun.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", str(os.getpid()))
    start(request_, devices=1, nodes=2)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["processes"] == 2


JOB = """
import sys
from pathlib import Path
from songatlas.run.jobs import job
with job("train.log", 2) as log:
    from songatlas.config.training import Trainer
    from songatlas.training.launch import launch
    from songatlas.training.request import Request
    print("ready", flush=True)
    request = Request.read(Path("request.json"))
    log.result = launch(request, Trainer(devices=2), log="train.log", threads=2)
"""


@pytest.mark.slow
def test_told_to_stop_they_save_together_and_go_on_as_if_nothing_had_been(
    request_: Request, tmp_path: Path
) -> None:
    request_.training["max_epochs"] = 60
    request_.training["early_stopping_patience"] = 60
    request_.write(tmp_path / "request.json")
    process = subprocess.Popen(
        [sys.executable, "-c", JOB],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    log = tmp_path / "train.log"
    wait_for(lambda: log.exists() and "epoch 3:" in log.read_text(encoding="utf-8"))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM: training is saved before batch" in said.decode()
    assert "Traceback" not in said.decode()
    [saved] = (tmp_path / "resume").glob("last-*.ckpt")
    start(request_)
    assert f"from {saved}" in log.read_text(encoding="utf-8")
    resumed = pd.read_parquet(tmp_path / "history.parquet")
    saved.unlink()
    start(request_)
    whole = pd.read_parquet(tmp_path / "history.parquet")
    kept = whole["metric"] != "seconds"
    pd.testing.assert_frame_equal(resumed[kept], whole[kept])


def test_interrupted_elsewhere_is_interrupted_here(tmp_path: Path) -> None:
    outcome = {"kind": "interrupted", "message": "saved", "signal": 15}
    (tmp_path / "rank-0000.json").write_text(json.dumps(outcome), encoding="utf-8")
    with pytest.raises(Interrupted, match="stopped by SIGTERM: saved"):
        launch_module._outcome(tmp_path, 0, None)


def test_one_process_needs_no_launcher(request_: Request, tmp_path: Path) -> None:
    fulfil(request_)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["processes"] == 1
