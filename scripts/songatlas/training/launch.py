"""Start the processes of one training, and pass on to them that they shall stop.

torchrun starts them and lets them find each other; on several machines, Slurm starts one torchrun
on each. Their messages come back through files, since torchrun's own end in a traceback.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch

import songatlas
from songatlas.config.training import Trainer
from songatlas.errors import ConfigError, SongatlasError
from songatlas.run.interruption import Interrupted, StopSignals
from songatlas.training.device import choose_device
from songatlas.training.request import Request

LOOK_EVERY_S = 0.1

FIRST_PORT, PORTS = 20_000, 10_000
"""Of the meeting point of several machines; which one follows from Slurm's number of the job."""


def launch(request: Request, trainer: Trainer, *, log: str | Path, threads: int) -> str:
    """Train in `trainer.processes` processes; the line that rank 0 says at the end.

    Args:
        log: rank 0 appends to it.
        threads: of all processes of a machine together.

    Raises:
        ConfigError: when there are too few GPUs, or several machines without Slurm.
        SongatlasError: what a process raised.
        Interrupted: when a stop signal came.
    """
    device = choose_device(request.training["device"])
    if device == "mps":
        raise ConfigError("trainer.devices: several processes need CUDA or the CPU, not mps")
    if device == "cuda" and torch.cuda.device_count() < trainer.devices:
        raise ConfigError(
            f"trainer.devices: {trainer.devices} GPUs are asked for, this machine shows "
            f"{torch.cuda.device_count()} to the job"
        )
    with tempfile.TemporaryDirectory(prefix="songatlas-", dir=_shared(request)) as folder:
        request.write(Path(folder) / "request.json")
        command = torchrun(trainer, os.environ, threads)
        command += ["-m", "songatlas.training.worker", folder, str(Path(log).absolute()), device]
        environment = {
            **(os.environ if trainer.nodes == 1 else without_step(os.environ)),
            "OMP_NUM_THREADS": str(max(1, threads // trainer.devices)),
            "PYTHONPATH": os.pathsep.join(
                [str(Path(songatlas.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
            ),
        }
        with (Path(folder) / "torchrun.log").open("w", encoding="utf-8") as own:
            code, received = _run(command, environment, own)
        return _outcome(Path(folder), code, received)


def torchrun(trainer: Trainer, environment: Mapping[str, str], threads: int) -> list[str]:
    """The command before `-m`, on one machine or, as a step of a Slurm job, on several.

    Raises:
        ConfigError: for several machines outside a Slurm job.
    """
    run = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={trainer.devices}"]
    if trainer.nodes == 1:
        return [*run, "--standalone"]
    job = environment.get("SLURM_JOB_ID")
    if job is None:
        raise ConfigError(
            f"trainer.nodes: {trainer.nodes} machines need a Slurm job (profiles/slurm), and this "
            "is none; set it to 1"
        )
    # The batch step, and so this process, runs on the first machine of the job.
    endpoint = f"{socket.gethostname()}:{FIRST_PORT + int(job) % PORTS}"
    return [
        *("srun", "--overlap", f"--nodes={trainer.nodes}", f"--ntasks={trainer.nodes}"),
        *("--ntasks-per-node=1", f"--cpus-per-task={threads}"),
        *run,
        f"--nnodes={trainer.nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={endpoint}",
        f"--rdzv-id={job}",
    ]


def without_step(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a Slurm job instead of that of one of its steps.

    Snakemake's plugin runs a job's script as a step of one task on the first machine. Slurm's
    variables then speak of that step, and srun would place a step within it.
    """
    of_job = ("SLURM_JOB_ID", "SLURM_CONF")
    return {
        name: value
        for name, value in environment.items()
        if name in of_job or not name.startswith(("SLURM_", "SRUN_"))
    }


def _shared(request: Request) -> Path:
    """A folder that every machine of the job sees."""
    folder = Path(request.resume).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(command: list[str], environment: Mapping[str, str], own: object) -> tuple[int, int | None]:
    """Exit code, and the stop signal that came meanwhile."""
    # A session of its own: a signal to the whole group would reach the processes twice.
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdout=own,  # type: ignore[call-overload]
        stderr=None if sys.stderr.isatty() else own,
        start_new_session=True,
    )
    passed_on = False
    try:
        with StopSignals(deferred=True) as signals:
            while (code := process.poll()) is None:
                if signals.received is not None and not passed_on:
                    process.send_signal(signal.SIGTERM)
                    passed_on = True
                time.sleep(LOOK_EVERY_S)
            return code, signals.received
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _outcome(folder: Path, code: int, received: int | None) -> str:
    said = sorted(folder.glob("rank-*.json"))
    outcomes = [json.loads(path.read_text(encoding="utf-8")) for path in said]
    stopped = [o for o in outcomes if o["kind"] == "interrupted"]
    if stopped:
        raise Interrupted(received or stopped[0]["signal"], stopped[0]["message"])
    if received is not None:
        raise Interrupted(received)
    errors = [o["message"] for o in outcomes if o["kind"] == "error"]
    if errors:
        raise SongatlasError(errors[0])
    results = [o["message"] for o in outcomes if o["kind"] == "result"]
    failed = [o["message"] for o in outcomes if o["kind"] == "failed"]
    if failed:
        raise SongatlasError("a process of the training failed:\n" + failed[0])
    if code or not results:
        last = (folder / "torchrun.log").read_text(encoding="utf-8", errors="replace")[-4000:]
        raise SongatlasError(f"a process of the training ended with code {code}:\n{last}")
    return str(results[0])
