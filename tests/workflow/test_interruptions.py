"""Runs that are killed, told to stop, or started twice: real processes, real signals."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from pipeline import snakemake, start, write_corpus
from songatlas import tables
from songatlas.config.yaml_files import load_yaml
from songatlas.errors import SongatlasError
from songatlas.files import PARTIAL, partial_files
from songatlas.run import running
from songatlas.run.interruption import Interrupted, StopSignals
from songatlas.run.versions.run import clean

SLOW = pytest.mark.slow
CONFIG = """\
run: small
corpus: folder
corpus_path: songs
shards: 1
windows: {length_s: 8.0, hop_s: 4.0}
logmel: {n_mels: 32, hop_length: 2048}
training: {max_epochs: 60, learning_rate: 1.0e-3, batch_size: 8, device: cpu, precision: "32"}
loss: {kl_warmup_epochs: 5}
include: [conv_vae, vade_small, mean_mel]
models:
  conv_vae: {latent_dim: 16}
  vade_small: {n_components: 4, pretrain_epochs: 10, latent_dim: 16}
compute: {save_every_s: 0.3}
"""
ARGUMENTS = ("--configfile", "small.yaml", "--")
LATENTS = [f"results/small/latents/{name}/seed-0.parquet" for name in ("conv_vae", "vade_small")]
KILLS = 20


# --- signals -----------------------------------------------------------------------------------


def test_a_run_of_other_ids_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "results" / "old"
    (folder / "corpus").mkdir(parents=True)
    running.refuse_older(folder)
    tracks = folder / "corpus" / "tracks.parquet"
    tables.write(tables.empty(tables.TRACKS), tracks, tables.TRACKS)
    running.refuse_older(folder)
    monkeypatch.setitem(tables.VERSIONS, "tracks", 3)
    with pytest.raises(running.RunningError, match=r"results/old: an earlier.*another name"):
        running.refuse_older(folder)


def test_a_stop_signal_interrupts_what_handles_errors() -> None:
    def careless() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5.0)
        except Exception:
            pytest.fail("an interruption is no error")

    with StopSignals(), pytest.raises(Interrupted, match="stopped by SIGTERM") as stopped:
        careless()
    assert stopped.value.exit_code == 143


def test_deferred_the_first_signal_waits_and_the_second_does_not() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(deferred=True) as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.received == signal.SIGUSR1
        with pytest.raises(Interrupted, match="stopped by SIGINT"):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


JOB = """
import sys
sys.path[:0] = [{tests!r}, {training!r}]
from songatlas.run.jobs import job
with job("logs/train/model.log"):
    from songatlas.config.training import Training
    from test_training import make_windows, run
    settings = Training(max_epochs=100000, batch_size=8, device="cpu", precision="32",
                        early_stopping_patience=100000)
    print("ready", flush=True)
    trained = run(make_windows(400, 40), "conv_vae", settings, resume_folder="resume")
    trained.write("weights.ckpt", "history.parquet", "summary.json")
"""


@pytest.mark.parametrize(
    "signum",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=SLOW),
        pytest.param(signal.SIGUSR1, marks=SLOW),
    ],
)
def test_told_to_stop_a_training_saves_its_state_and_says_so(
    signum: signal.Signals, tmp_path: Path
) -> None:
    code = JOB.format(tests=str(ROOT / "tests"), training=str(ROOT / "tests" / "training"))
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    log = tmp_path / "logs" / "train" / "model.log"
    assert process.stdout is not None
    process.stdout.readline()
    wait_for(lambda: "epoch 1:" in log.read_text(encoding="utf-8"))
    process.send_signal(signum)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signum
    assert f"stopped by {signum.name}: training is saved before batch" in said.decode()
    assert "Traceback" not in said.decode() + log.read_text(encoding="utf-8")
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert len(left) == 2
    assert left[1] == "model.log"
    assert re.fullmatch(r"last-[0-9a-f]{16}\.ckpt", left[0])


def wait_for(condition: object, patience_s: float = 120.0) -> None:
    until = time.monotonic() + patience_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


# --- locks -------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from songatlas.run import running
running.PATIENCE_S = 0.5
try:
    lock = running.take("demo", 0.5)
except running.RunningError as error:
    sys.exit(str(error))
print("mine", flush=True)
time.sleep(60.0)
"""

WATCHED = """
import os, sys, time
from songatlas.run.jobs import job
with job("logs/slow.log"):
    print("ready", flush=True)
    time.sleep(60.0)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python(code: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen]:
    """A process that works on the run `demo`."""
    process = python(HOLDER)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_on_one_run_is_refused_and_another_run_is_not(holder: subprocess.Popen) -> None:
    second = python(HOLDER)
    _, said = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"another Snakemake works on this run (process {holder.pid} on" in said
    assert running.before_start("demo") == [
        f"results/demo: {running.living(running.run_lock('demo'))} works on this run"
    ]
    running.take("other").release()


def test_a_run_that_is_worked_on_is_not_removed(holder: subprocess.Popen, folder: Path) -> None:
    (folder / "results" / "demo").mkdir(parents=True)
    with pytest.raises(SongatlasError, match=f"process {holder.pid} on .* works on this run"):
        clean("demo")
    holder.kill()
    holder.wait()
    clean("demo")
    assert not (folder / "results" / "demo").exists()
    assert not running.run_lock("demo").exists()


def test_of_many_that_start_at_once_one_gets_the_run(folder: Path) -> None:
    racing = [python(HOLDER) for _ in range(6)]
    wait_for(lambda: sum(process.poll() is not None for process in racing) == 5)
    for process in racing:
        process.kill()
    said = [process.communicate() for process in racing]
    assert [out for out, _ in said].count("mine\n") == 1
    assert sum("another Snakemake works on this run" in error for _, error in said) == 5


def snakemake_lock(name: str, *paths: str) -> Path:
    path = running.SNAKEMAKE_LOCKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(paths) + "\n")
    return path


def test_locks_of_snakemake_go_when_their_owner_is_dead_and_not_before(
    holder: subprocess.Popen,
) -> None:
    mine = snakemake_lock("0.output.lock", "results/demo/corpus/tracks.parquet", "songs/a.wav")
    other = snakemake_lock("1.output.lock", "results/other/corpus/tracks.parquet")
    shared = snakemake_lock("2.output.lock", "results/corpora/demo/songs.parquet")
    assert running.clear_snakemake_locks() == ["other"]
    assert mine.exists()
    assert shared.exists()
    assert not other.exists()
    holder.kill()
    holder.wait()
    assert running.before_start("demo") == [
        "results/demo: the run was killed and is not worked on; its lock is removed"
    ]
    assert not mine.exists()
    assert not shared.exists()
    running.take("demo").release()


def test_an_owner_on_another_host_is_not_taken_for_dead(folder: Path) -> None:
    path = running.run_lock("demo")
    path.parent.mkdir(parents=True)
    owner = running.Owner(1, "node-17", "2026-01-01T00:00:00", "abc", "demo")
    path.write_text(json.dumps(vars(owner)))
    lock = snakemake_lock("0.output.lock", "results/demo/corpus/tracks.parquet")
    assert running.clear_snakemake_locks() == []
    assert lock.exists()
    with pytest.raises(running.RunningError, match=r"process 1 on node-17.* delete .*demo\.lock"):
        running.take("demo")


def test_a_job_stops_when_its_snakemake_is_killed(holder: subprocess.Popen) -> None:
    lock = running.run_lock("demo")
    owner = running.living(lock)
    assert owner is not None
    names = {running.LOCK_VARIABLE: str(lock.absolute()), running.OWNER_VARIABLE: owner.token}
    job = python(WATCHED, **names)
    assert job.stdout is not None
    assert job.stdout.readline() == "ready\n"
    assert len(running.job_locks("demo")) == 1
    holder.kill()
    holder.wait()
    # Who starts at once waits for the job to end.
    running.take("demo", patience_s=20.0).release()
    assert job.wait(timeout=10) == 143
    assert "stopped by SIGTERM" in job.communicate()[1]


def test_jobs_stop_when_their_run_says_so(folder: Path) -> None:
    lock = running.take("demo")
    job = python(WATCHED, **lock.environment)
    assert job.stdout is not None
    assert job.stdout.readline() == "ready\n"
    lock.stop_jobs()
    assert job.wait(timeout=10) == 143
    assert running.job_locks("demo") == []
    lock.release()


def test_a_job_that_does_not_end_keeps_the_next_run_from_starting(folder: Path) -> None:
    path = running.FOLDER / "jobs" / "demo" / "here-1.lock"
    held = running.hold(path, running.myself("logs/train/vae.log"))
    assert held is not None
    with pytest.raises(running.RunningError, match=r"still work: logs/train/vae\.log \(process"):
        running.take("demo", patience_s=0.1)
    held.release()
    running.take("demo", patience_s=0.1).release()


def test_what_killed_jobs_had_begun_is_swept_and_nothing_else(folder: Path) -> None:
    results = folder / "results" / "demo"
    (results / "models").mkdir(parents=True)
    kept = results / "models" / "weights.ckpt"
    begun = results / "models" / f"{PARTIAL}x1y2z3-weights.ckpt"
    for path in (kept, begun, results / ".hidden"):
        path.write_text("x")
    assert running.sweep(results) == [begun]
    assert kept.exists()
    assert (results / ".hidden").exists()


def test_a_run_keeps_the_config_that_it_was_begun_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_yaml(ROOT / "config" / "config.yaml")
    monkeypatch.setattr(running.RunLock, "stop_jobs_on_signals", lambda _: None)
    environment: dict[str, str] = {}
    values = config.model_dump(mode="json")
    running.begin("demo", folder / "results" / "demo", values, environment).release()
    assert set(environment) == {running.LOCK_VARIABLE, running.OWNER_VARIABLE}
    assert load_yaml(running.FOLDER / "demo.yaml") == config


# --- whole runs --------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    write_corpus(folder / "songs")
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    prepare(folder)
    snakemake(folder, *ARGUMENTS, *LATENTS)
    return folder


@pytest.fixture
def begun(uninterrupted: Path, tmp_path: Path) -> Path:
    """The same corpus with its features, nothing trained."""
    shutil.copytree(uninterrupted, tmp_path / "run", symlinks=True)
    forget(tmp_path / "run")
    return tmp_path / "run"


def forget(folder: Path) -> None:
    for name in ("models", "latents", "logs/train"):
        shutil.rmtree(folder / "results" / "small" / name, ignore_errors=True)


def training_jobs(folder: Path) -> list[running.Owner]:
    """Living training jobs of the run."""
    found = []
    for path in (folder / running.FOLDER / "jobs" / "small").glob("*.lock"):
        owner = running.living(path)
        if owner is not None and "train" in owner.what:
            found.append(owner)
    return found


def largest_difference(folder: Path, reference: Path) -> float:
    """Over all latents of both runs; every row has to be there."""
    found = []
    for name in LATENTS:
        one, other = (tables.read(base / name, tables.LATENTS) for base in (folder, reference))
        pd.testing.assert_frame_equal(one.drop(columns="z"), other.drop(columns="z"))
        found.append(np.abs(np.stack(one["z"]) - np.stack(other["z"])).max())
    return float(max(found))


def output(folder: Path) -> str:
    return (folder / "output.txt").read_text(encoding="utf-8")


def train_log(folder: Path) -> str:
    logs = (folder / "results" / "small" / "logs" / "train").glob("*.log")
    return "\n".join(path.read_text(encoding="utf-8") for path in logs)


@SLOW
def test_twenty_kills_at_random_moments_change_nothing(uninterrupted: Path, begun: Path) -> None:
    """-9 to a training job, to Snakemake alone, and to the whole process group, in turn."""
    moments = random.Random(0)
    killed: dict[str, int] = {"job": 0, "snakemake": 0, "group": 0}
    resumed = finished = 0
    differences = []
    while sum(killed.values()) < KILLS or not differences:
        kind = min(killed, key=lambda name: killed[name])
        shutil.rmtree(begun / "results" / "small" / "logs" / "train", ignore_errors=True)
        run = start(begun, *ARGUMENTS, *LATENTS)
        if sum(killed.values()) < KILLS:
            if sum(killed.values()) // 3 % 2:  # any moment from the start on
                time.sleep(moments.uniform(0.5, 12.0))
            else:  # any moment of training
                wait_for(lambda run=run: "epoch" in train_log(begun) or run.poll() is not None)
                time.sleep(moments.uniform(0.0, 4.0))
            if kind == "job":
                wait_for(lambda run=run: training_jobs(begun) or run.poll() is not None)
            jobs = training_jobs(begun)
            if run.poll() is None and (kind != "job" or jobs):
                killed[kind] += 1
                if kind == "job":
                    os.kill(jobs[0].pid, signal.SIGKILL)
                elif kind == "snakemake":
                    os.kill(run.pid, signal.SIGKILL)
                else:
                    os.killpg(run.pid, signal.SIGKILL)
        code = run.wait(timeout=600)
        resumed += train_log(begun).count("resuming at epoch")
        if code == 0:
            finished += 1
            differences.append(largest_difference(begun, uninterrupted))
            assert partial_files(begun / "results") == []
            assert not list((begun / "results" / "small" / "resume").rglob("*.ckpt"))
            forget(begun)
    print(f"\nkilled {killed}, resumed {resumed}, finished {finished}, off by {max(differences)}")
    assert sum(killed.values()) == KILLS
    assert resumed >= 5
    assert max(differences) <= 1e-6


@SLOW
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_snakemake_told_to_stop_lets_its_jobs_save(
    signum: signal.Signals, uninterrupted: Path, begun: Path
) -> None:
    run = start(begun, *ARGUMENTS, *LATENTS)
    wait_for(lambda: "epoch 3:" in train_log(begun))
    run.send_signal(signum)
    assert run.wait(timeout=60) not in (0, -signum)
    assert "training is saved before batch" in train_log(begun)
    assert not list((begun / "results" / "small" / "models").rglob("weights.ckpt"))
    snakemake(begun, *ARGUMENTS, *LATENTS)
    assert "resuming at epoch" in train_log(begun)
    assert largest_difference(begun, uninterrupted) <= 1e-6


@SLOW
def test_two_runs_at_once_in_one_folder(uninterrupted: Path, begun: Path) -> None:
    first = start(begun, *ARGUMENTS, *LATENTS)
    wait_for(lambda: training_jobs(begun))
    second = snakemake(begun, *ARGUMENTS, *LATENTS, check=False)
    assert second.returncode != 0
    assert f"process {first.pid} on" in second.stdout + second.stderr
    # Nor where Snakemake's own locks are switched off, or both start in the same moment.
    third = snakemake(begun, "--nolock", *ARGUMENTS, *LATENTS, check=False)
    assert third.returncode != 0
    assert "another Snakemake works on this run" in third.stdout + third.stderr
    # To look is allowed.
    assert snakemake(begun, "--dry-run", *ARGUMENTS, *LATENTS).returncode == 0
    assert first.wait(timeout=600) == 0
    assert largest_difference(begun, uninterrupted) <= 1e-6
