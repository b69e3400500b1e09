"""Who works on a run: one Snakemake at a time, and jobs that do not outlive theirs.

A lock is a file under `.snakemake/songatlas/` that its owner holds with `flock`: the kernel lets go
of it when the owner ends, however it ends, so a lock that can be taken is nobody's. What stands in
the file (process, host, time) is for messages, and for file systems that several hosts share.

Snakemake has locks of its own (`.snakemake/locks/`), which say nothing of their owner and stay
behind when it is killed; those of dead runs are removed here.
"""

import fcntl
import json
import os
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from songatlas.errors import OtherVersionError, SongatlasError, TableError
from songatlas.files import PROJECT, atomic, partial_files

FOLDER = Path(".snakemake/songatlas")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
LOCK_VARIABLE = "SONGATLAS_RUN_LOCK"
OWNER_VARIABLE = "SONGATLAS_RUN_OWNER"
LOOK_EVERY_S = 0.5
"""How often a job looks for its Snakemake."""
PATIENCE_S = 90.0
"""How long a run waits for jobs of the one before it, which stop between two batches."""
RUN_IN_PATH = re.compile(r"^results/([^/]+)/")


class RunningError(SongatlasError):
    """Somebody else works on the run."""


@dataclass(frozen=True)
class Owner:
    """A process that holds a lock."""

    pid: int
    host: str
    started: str
    """Local time, ISO 8601."""
    token: str
    """Nobody else's, ever."""
    what: str
    """What it does: a run's name, or a job's log file."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started.replace('T', ' ')}"


def lend_library() -> None:
    """Let the processes of jobs, whose scripts lie in folders of their own, import this package."""
    folders = [str(PROJECT / "scripts"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)


def myself(what: str) -> Owner:
    now = datetime.now().isoformat(timespec="seconds")
    return Owner(os.getpid(), socket.gethostname(), now, uuid.uuid4().hex, what)


class Held:
    """A lock file that this process holds until `release`, or its end."""

    def __init__(self, path: Path, file: IO[str], owner: Owner) -> None:
        self.path, self.file, self.owner = path, file, owner

    def release(self) -> None:
        """Let go; the file goes first, so that nobody takes an old one."""
        self.path.unlink(missing_ok=True)
        self.file.close()


def hold(path: Path, owner: Owner) -> Held | None:
    """Take a lock; None where somebody else holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("a+", encoding="utf-8")
        if not _flock(file, fcntl.LOCK_EX):
            file.close()
            return None
        # Between opening and locking its last owner may have removed it.
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            break
        file.close()
    file.truncate(0)
    file.write(json.dumps(asdict(owner)))
    file.flush()
    return Held(path, file, owner)


def _flock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise RunningError(
            f"{file.name}: this file system keeps no locks ({error.strerror}), so two runs at once "
            "could not be told apart; work in a folder on another one"
        ) from None
    return True


def written_in(path: Path) -> Owner | None:
    """The owner that a lock file names, dead or alive; None where it names none."""
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def living(path: Path) -> Owner | None:
    """The owner of a lock file who is alive.

    On another host nobody can be looked after: that owner counts as alive.
    """
    owner = written_in(path)
    try:
        # Shared, so that those who look do not take each other for the owner.
        with path.open(encoding="utf-8") as file:
            free = _flock(file, fcntl.LOCK_SH)
    except OSError:
        return None
    if not free:
        return owner or Owner(0, "?", "?", "", "")
    if owner is not None and owner.host != socket.gethostname():
        return owner
    return None


# --- a run -------------------------------------------------------------------------------------


def run_lock(run: str) -> Path:
    return FOLDER / f"{run}.lock"


def job_locks(run: str) -> list[Path]:
    return sorted((FOLDER / "jobs" / run).glob("*.lock"))


def take(run: str, patience_s: float = PATIENCE_S) -> "RunLock":
    """Become the one who works on `run`, once all jobs of a dead owner have ended.

    Raises:
        RunningError: when another process works on it, or its jobs do not end.
    """
    path = run_lock(run)
    before = living(path)
    if before is not None and before.host not in (socket.gethostname(), "?"):
        raise RunningError(
            f"results/{run}: {before} works on this run, or did when it was killed; if it no "
            f"longer runs there, delete {path} and start again"
        )
    until = time.monotonic() + LOOK_EVERY_S
    while (held := hold(path, myself(run))) is None:
        # Who only looks whether there is an owner holds the lock for a moment too.
        if time.monotonic() > until:
            raise RunningError(
                f"results/{run}: another Snakemake works on this run ({living(path)}); wait for "
                "it, or give this one another name (--config run=...)"
            )
        time.sleep(0.02)
    try:
        _wait_for_jobs(run, patience_s)
    except RunningError:
        held.release()
        raise
    return RunLock(run, held)


def _wait_for_jobs(run: str, patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while True:
        alive = {path: living(path) for path in job_locks(run)}
        for path, owner in alive.items():
            if owner is None:
                path.unlink(missing_ok=True)
        left = [str(owner.what) + f" ({owner})" for owner in alive.values() if owner is not None]
        if not left:
            return
        if time.monotonic() > until:
            raise RunningError(
                f"results/{run}: jobs of a run that was killed still work: {'; '.join(left)}; "
                "wait for them or end them, then start again"
            )
        time.sleep(LOOK_EVERY_S)


class RunLock:
    """The right to work on a run, until this process ends or lets go."""

    def __init__(self, run: str, held: Held) -> None:
        self.run, self.held = run, held

    @property
    def environment(self) -> dict[str, str]:
        """What jobs need to know to look for their Snakemake."""
        lock = str(self.held.path.absolute())
        return {LOCK_VARIABLE: lock, OWNER_VARIABLE: self.held.owner.token}

    def stop_jobs(self) -> None:
        """Let all jobs of this run save what they have and stop."""
        stop_file(self.held.path).write_text(self.held.owner.token, encoding="utf-8")

    def stop_jobs_on_signals(self) -> None:
        """Pass a stop signal on to the jobs, before whatever else this process does on it.

        Snakemake alone would wait for its jobs to finish, which may take hours.
        """

        def handler(before: object, signum: int) -> None:
            self.stop_jobs()
            if signum == signal.SIGINT or not callable(before):
                raise KeyboardInterrupt
            # Snakemake's handler takes a lock that the interrupted code may hold.
            threading.Thread(target=before, args=(signum, None), daemon=True).start()

        on_term = signal.getsignal(signal.SIGTERM)
        for some in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(some, lambda signum, _: handler(on_term, signum))

    def release(self) -> None:
        stop_file(self.held.path).unlink(missing_ok=True)
        self.held.release()


def stop_file(lock: Path) -> Path:
    return lock.with_suffix(".stop")


def begin(
    run: str, folder: Path, config: Mapping[str, Any], environment: MutableMapping[str, str]
) -> RunLock:
    """Take a run, remove what its dead predecessors had begun to write, let jobs find this process.

    `config` is kept beside the lock: `make resume` goes on with it.

    Raises:
        RunningError: when somebody else works on it.
    """
    lock = take(run)
    stop_file(lock.held.path).unlink(missing_ok=True)
    sweep(folder)
    with atomic(lock.held.path.with_suffix(".yaml")) as temporary:
        # JSON is YAML.
        temporary.write_text(json.dumps(dict(config), indent=1) + "\n", encoding="utf-8")
    environment.update(lock.environment)
    lock.stop_jobs_on_signals()
    return lock


def refuse_older(folder: Path) -> None:
    """Leave a run alone whose songs have other ids than this Songatlas gives them.

    Raises:
        RunningError: naming the run's folder, before any job.
    """
    path = folder / "corpus" / "tracks.parquet"
    if not path.is_file():
        return
    from songatlas import tables

    try:
        tables.read_metadata(path)
    except OtherVersionError as error:
        raise RunningError(
            f"{folder}: an earlier Songatlas made this run and knows its songs by other ids, so it "
            "stays as it is and nothing of it is computed again; give the new one another name "
            f"(--config run=...), or delete this folder ({error})"
        ) from None
    except TableError:
        return  # whoever reads it says what is wrong


def begun_with(run: str) -> Any:
    """The config that a run was begun with; None where there is no such run.

    Of a run that was restored from elsewhere: the one that it ended with.
    """
    results, begun = Path("results") / run, run_lock(run).with_suffix(".yaml")
    if not results.is_dir():
        return None
    if begun.is_file():
        return json.loads(begun.read_text(encoding="utf-8"))
    if not (ended := results / "config.yaml").is_file():
        return None
    import yaml

    return yaml.safe_load(ended.read_text(encoding="utf-8"))


def before_start(run: str) -> list[str]:
    """Clear what dead runs locked; what there is to say of that and of who works on `run`."""
    said = [
        f"results/{name}: the run was killed and is not worked on; its lock is removed"
        for name in clear_snakemake_locks()
    ]
    owner = living(run_lock(run))
    if owner is not None and owner.pid != os.getpid():
        said.append(f"results/{run}: {owner} works on this run")
    return said


# --- a job -------------------------------------------------------------------------------------


@contextmanager
def watched(log: str | Path, environment: Mapping[str, str]) -> Iterator[None]:
    """While the block runs, send this process SIGTERM when its Snakemake ends or says so.

    A job of a killed Snakemake would go on and write beside the same job of the next one.
    """
    lock, token = environment.get(LOCK_VARIABLE), environment.get(OWNER_VARIABLE)
    if not lock or not token:
        yield  # not started by a run
        return
    path = Path(lock)
    owner = myself(str(log))
    job = hold(path.parent / "jobs" / path.stem / f"{owner.host}-{owner.pid}.lock", owner)
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_EVERY_S):
            if left_alone(path, token):
                os.kill(os.getpid(), signal.SIGTERM)
                return

    watcher = threading.Thread(target=look, name="watches Snakemake", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        if job is not None:
            job.release()


def left_alone(lock: Path, token: str) -> bool:
    """Whether the owner with this token is dead, gave the run up, or asks its jobs to stop."""
    owner = living(lock)
    if owner is None or owner.token != token:
        return True
    try:
        return stop_file(lock).read_text(encoding="utf-8") == token
    except OSError:
        return False


# --- what dead runs left -----------------------------------------------------------------------


def clear_snakemake_locks() -> list[str]:
    """Remove Snakemake's locks of runs that nobody works on; names of those runs.

    A lock that names no run (only the demo corpus, say) goes when nobody works on any run.
    """
    cleared = set()
    for path in sorted(SNAKEMAKE_LOCKS.glob("*.lock")):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        found = {match[1] for line in lines if (match := RUN_IN_PATH.match(line))} - {"corpora"}
        runs = found or {lock.stem for lock in FOLDER.glob("*.lock")}
        if all(living(run_lock(run)) is None for run in runs):
            path.unlink(missing_ok=True)
            cleared |= found
    return sorted(cleared)


def sweep(folder: Path) -> list[Path]:
    """Remove what killed jobs had begun to write in a run's folder; only for who holds the run."""
    left = partial_files(folder)
    for path in left:
        path.unlink(missing_ok=True)
    return left
