"""The finished small run that several test files share: they read it, or change copies of it."""

import csv
import shutil
import subprocess
from pathlib import Path
from typing import Self

from pipeline import WORDS, copy_repository, snakemake, write_song

CONFIG = """\
run: small
corpus: manifest
corpus_path: songs
shards: 2
windows: {length_s: 8.0, hop_s: 4.0}
logmel: {n_mels: 32, hop_length: 2048}
training: {max_epochs: 1}
loss: {kl_warmup_epochs: 1}
models:
  beta_vae: {architecture: conv_vae, beta: 4.0, latent_dim: 8}
  cvae_genre: {architecture: cvae, condition_on: genre, latent_dim: 8}
  cvae_language: {architecture: cvae, condition_on: language, latent_dim: 8}
  fusion_late: {architecture: fusion, fusion: late}
baselines:
  mean_mel: {kind: mean_mel}
  descriptors: {kind: descriptors}
  lyrics_tfidf: {kind: lyrics_tfidf, standardise: false}
clustering: {algorithms: [kmeans, agglomerative, gmm], k: [2], n_init: 1}
evaluation: {permutations: 5, bootstraps: 5}
consensus: {k_max: 3, draws: 3, references: 2}
"""
MODELS = ("beta_vae", "cvae_genre", "cvae_language", "fusion_late")
BASELINES = ("mean_mel", "descriptors", "lyrics_tfidf")
COLUMNS = ("song_id", "title", "language", "genre", "audio_path", "lyrics_path")


class Run:
    """A finished run, in a copy of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results" / "small"

    def copy(self, folder: Path) -> Self:
        """The same run elsewhere, with its times. Nothing is linked: jobs truncate their logs."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return type(self)(folder)

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Snakemake in this run's folder, with its own copy of the workflow."""
        return snakemake(self.folder, *arguments, check=check, repository=self.folder)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} has `{old}` {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def configure(self, old: str, new: str) -> None:
        self.edit("config/config.yaml", old, new)

    def rebuild_corpus(self) -> None:
        """Run up to the checkpoint: only then does Snakemake know what lies behind it."""
        target = "results/small/corpus/tracks.parquet"
        self.snakemake("--", target)

    def songs(self) -> list[dict[str, str]]:
        with (self.folder / "songs" / "manifest.csv").open(encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def write_songs(self, rows: list[dict[str, str]]) -> None:
        with (self.folder / "songs" / "manifest.csv").open("w", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    def add_song(self, language: str, genre: str, number: int) -> dict[str, str]:
        """The files of a song, and its row of the manifest."""
        name = f"{language}-{genre}-{number}"
        audio, lyrics = f"audio/{name}.wav", f"lyrics/{name}.txt"
        seed = 100 * (language == "en") + 10 * (genre == "pop") + number
        write_song(self.folder / "songs" / audio, genre, seed, seconds=13.0)
        words = WORDS["english" if language == "en" else "español"].split()
        path = self.folder / "songs" / lyrics
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(words[number:]), encoding="utf-8")
        cells = (name, name, language, genre, audio, lyrics)
        return dict(zip(COLUMNS, cells, strict=True))


def finished_run(folder: Path) -> Run:
    """Twelve songs in two languages and two genres, and a file that is no audio, run to the end."""
    run = Run(folder)
    copy_repository(run.folder)
    (run.folder / "config" / "config.yaml").write_text(CONFIG, encoding="utf-8")
    kinds = [(language, genre) for language in ("en", "es") for genre in ("pop", "rock")]
    rows = [run.add_song(*kind, number) for kind in kinds for number in range(3)]
    broken = dict(rows[0], song_id="broken", audio_path="audio/broken.mp3", lyrics_path="")
    (run.folder / "songs" / "audio" / "broken.mp3").write_text("this is no audio")
    run.write_songs([*rows, broken])
    run.snakemake()
    return run
