"""A Slurm on this machine, for tests: munge, slurmctld and a slurmd for each node, on loopback.

    python tests/slurm/cluster.py FOLDER [NODES]    start one, say how to reach it, wait for Ctrl-C

Needs Debian's slurm-wlm and root, no systemd and no cgroups: processes are tracked by group, the
GPU is /dev/null, ports are not Slurm's own, and the configuration is named by an absolute path.
Nodes are names: all are this machine, whose cores and memory each counts as its own.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
STARTS_WITHIN_S = 30.0

N_CPUS = 2
"""Of a node."""

USUAL = Path("/etc/slurm/slurm.conf")
"""Where Slurm looks for its configuration when no variable names it. Snakemake's plugin takes all
of Slurm's variables from a job's environment, so steps within jobs look there."""

CONFIGURATION = """\
ClusterName=songatlas
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdTimeout=20
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/%n.log
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_interval=1
KillWait=10
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

NODE = """\
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} \
RealMemory={memory_mb} Gres=gpu:1 State=UNKNOWN
"""


def missing() -> str | None:
    """Why no cluster can be started here; None where one can."""
    absent = [name for name in PROGRAMS if which(name) is None]
    if absent:
        return f"{', '.join(absent)}: not installed (Debian: slurm-wlm)"
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "Snakemake's plugin for Slurm is not installed (make slurm)"
    if os.geteuid() != 0:
        return "slurmd starts jobs of users, for which it must be root"
    if USUAL.exists():
        return f"{USUAL}: this machine has a Slurm of its own"
    return None


def which(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


@dataclass(frozen=True)
class Cluster:
    """A running Slurm."""

    folder: Path
    nodes: dict[str, subprocess.Popen] = field(default_factory=dict)
    """The slurmd of each."""

    @property
    def environment(self) -> dict[str, str]:
        """What its commands need."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        """Output of a Slurm command."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def jobs(self) -> list[dict[str, str]]:
        """All jobs since the start: `JobId`, `JobState`, `Comment` (the rule), `TresPerJob`, ..."""
        lines = self.run("scontrol", "show", "job", "--oneliner").splitlines()
        return [
            dict(part.split("=", 1) for part in line.split() if "=" in part)
            for line in lines
            if line.startswith("JobId=")
        ]

    def lose(self, node: str) -> None:
        """As when its power fails: the slurmd and the node's jobs end at once, without a word."""
        jobs = self.run("squeue", "--noheader", f"--nodelist={node}", "--format=%A").split()
        self.nodes[node].kill()
        # Steps are nobody's children, and carry the job's number in their title.
        for step in psutil.process_iter(["cmdline"]):
            title = " ".join(step.info["cmdline"] or [])
            if any(title.startswith(f"slurmstepd: [{job}.") for job in jobs):
                for process in [step, *step.children(recursive=True)]:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _write(folder: Path, nodes: list[str], cpus: int, memory_mb: int) -> None:
    for name in ("run", "state", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # munge trusts its socket only where others can reach and not change the folder.
    folder.chmod(0o755)
    (folder / "run").chmod(0o755)
    host = socket.gethostname().split(".")[0]
    text = CONFIGURATION.format(
        host=host,
        folder=folder,
        controller_port=_free_port(),
    )
    for node in nodes:
        port = _free_port()
        text += NODE.format(node=node, host=host, port=port, cpus=cpus, memory_mb=memory_mb)
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    gpus = "".join(f"NodeName={node} Name=gpu File=/dev/null\n" for node in nodes)
    (folder / "gres.conf").write_text(gpus)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)


@contextmanager
def cluster(
    folder: Path, *, n_nodes: int = 1, cpus: int = N_CPUS, memory_mb: int = 16_000
) -> Iterator[Cluster]:
    """Start a Slurm in `folder`, which must not be inside a folder that others can change."""
    folder = folder.resolve()
    nodes = [f"node{i}" for i in range(1, n_nodes + 1)]
    _write(folder, nodes, cpus, memory_mb)
    USUAL.parent.mkdir(parents=True, exist_ok=True)
    USUAL.unlink(missing_ok=True)  # a link to what a killed test left
    USUAL.symlink_to(folder / "slurm.conf")
    started = Cluster(folder)
    munge = [
        *(str(which("munged")), "--foreground", "--force", f"--key-file={folder}/munge.key"),
        *(f"--socket={folder}/run/munge.socket", f"--pid-file={folder}/run/munged.pid"),
        *(f"--log-file={folder}/log/munged.log", f"--seed-file={folder}/run/munge.seed"),
    ]
    commands = [
        munge,
        [str(which("slurmctld")), "-D", "-f", f"{folder}/slurm.conf"],
        *([str(which("slurmd")), "-D", "-N", n, "-f", f"{folder}/slurm.conf"] for n in nodes),
    ]
    daemons = []
    try:
        with (folder / "log" / "daemons.txt").open("w") as output:
            for command in commands:
                daemons.append(
                    subprocess.Popen(
                        command,
                        env=started.environment,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,
                    )
                )
                time.sleep(1.0)
        started.nodes.update(zip(nodes, daemons[-n_nodes:], strict=True))
        _wait(started)
        yield started
    finally:
        USUAL.unlink(missing_ok=True)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _wait(started: Cluster) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    state = ""
    while time.monotonic() < until:
        try:
            # One line for each state that a node is in.
            state = started.run("sinfo", "--noheader", "--format=%t").strip()
        except subprocess.CalledProcessError as error:
            state = error.stderr
        if state == "idle":
            return
        time.sleep(0.5)
    logs = "\n".join(path.read_text()[-2000:] for path in (started.folder / "log").glob("*"))
    raise RuntimeError(f"Slurm did not start ({state}):\n{logs}")


if __name__ == "__main__":
    with cluster(Path(sys.argv[1]), n_nodes=int((sys.argv[2:] or ["1"])[0])) as running:
        print(f"export SLURM_CONF={running.folder}/slurm.conf", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
