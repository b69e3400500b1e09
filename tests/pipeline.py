"""Running the workflow from tests: a small corpus on disk, and Snakemake in its own process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from conftest import ROOT
from songatlas.report.failed import failures

SMALL = """\
run: small
corpus: folder
shards: 2
windows: {length_s: 8.0, hop_s: 4.0}
logmel: {n_mels: 32, hop_length: 2048}
training: {max_epochs: 2, learning_rate: 1.0e-3}
loss: {kl_warmup_epochs: 1}
models:
  cvae_language: {n_classes: null}
  cvae_genre: {n_classes: null}
  vade: {widths: [32, 16], n_components: 4, pretrain_epochs: 1}
  vade_small: {n_components: 4, pretrain_epochs: 1}
  vade_musicnn: {n_components: 3, training: {max_epochs: 2}}
  multimodal_vade: {n_components: 3, pretrain_epochs: 1, training: {max_epochs: 2}}
clustering: {k: [2, 3], n_init: 2}
evaluation: {permutations: 20, bootstraps: 20}
consensus: {k_max: 4, draws: 4, references: 3}
"""
"""A run of every stage in little time: everything not named here is the demo's."""

WORDS = {
    "english": "the moon is over the river and we are walking home again tonight",
    "español": "la luna sobre el río y nosotros caminando otra vez hacia la casa",
}


def write_song(path: Path, genre: str, seed: int, seconds: float = 17.0) -> None:
    """A song of plucked tones (pop) or of noise bursts (rock)."""
    rng = np.random.default_rng(seed)
    rate = 22050
    time = np.arange(int(seconds * rate)) / rate
    pulse = np.exp(-((time * (2.0 if genre == "pop" else 3.0)) % 1.0) * 6.0)
    tone = np.sin(2 * np.pi * (220.0 + 20.0 * seed) * time)
    signal = pulse * (tone if genre == "pop" else rng.standard_normal(time.size))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.3 * signal, rate)


def write_corpus(folder: Path) -> None:
    """Twelve songs, two languages, two genres; lyrics; one file that is no audio."""
    for language, words in WORDS.items():
        for genre in ("pop", "rock"):
            for number in range(3):
                seed = 100 * (language == "english") + 10 * (genre == "pop") + number
                path = folder / language / genre / f"song {number} d'été.wav"
                write_song(path, genre, seed)
                shuffled = np.random.default_rng(seed).permutation(words.split())
                path.with_suffix(".txt").write_text("\n".join(shuffled), encoding="utf-8")
    (folder / "english" / "pop" / "broken.mp3").write_text("this is no audio")


def snakemake(
    folder: Path, *arguments: str, check: bool = True, repository: Path = ROOT
) -> subprocess.CompletedProcess:
    """Run Snakemake with the workflow of `repository` (this one, or a copy) in `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
    command += ["--cores", "2", "--resources", "gpu=1", *arguments]
    own = [] if repository == ROOT else [str(repository / "scripts")]
    # No process reaches another machine, and none may try.
    path = os.pathsep.join([str(ROOT / "tests" / "guard"), *own])
    network = folder / "network.log"
    environment = {**os.environ, "PYTHONPATH": path, "SONGATLAS_NETWORK_LOG": str(network)}
    environment["MPLBACKEND"] = "agg"
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert not network.exists(), network.read_text(encoding="utf-8")
    if check and done.returncode:
        logs = sorted(folder.glob(".snakemake/log/*.log"))
        failed = failures(logs[-1:], folder)
        # Last, since a report may keep the end alone.
        raise AssertionError(f"{done.stdout[-4000:]}\n{done.stderr[-6000:]}\n{failed}")
    return done


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Snakemake as `snakemake` starts it, in a process group of its own, not waited for."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--cores", "2", "--resources", "gpu=1", *arguments]
    return in_background(command, folder, dict(os.environ))


def in_background(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.Popen:
    """A command in `folder`, not waited for, its output in output.txt there."""
    with (folder / "output.txt").open("w") as file:
        return subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**environment, "PYTHONPATH": "", "MPLBACKEND": "agg"},
            cwd=folder,
            start_new_session=True,
        )


def copy_repository(folder: Path) -> None:
    """What git knows of this repository, and new files that it does not ignore, in `folder`."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def plan_in(folder: Path, *arguments: str) -> list[dict]:
    """The jobs that the repository copied to `folder` would run there: rule, wildcards, reason."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "scripts")}
    command = [sys.executable, "-m", "songatlas.report.explain", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def planned(folder: Path, *arguments: str) -> list[tuple[str, int]]:
    """Rules that a dry run would run, and how many jobs of each."""
    text = snakemake(folder, *arguments, "--dry-run").stdout
    table = text.split("Job stats:")[1].split("\n\n")[0] if "Job stats:" in text else ""
    rows = (line.split() for line in table.splitlines())
    return [(row[0], int(row[1])) for row in rows if len(row) == 2 and row[1].isdigit()]
