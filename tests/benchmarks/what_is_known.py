"""What mixture priors over pretrained features add to k-means on the same features.

    python tests/benchmarks/what_is_known.py results/demo [results/real ...]

Of finished features of runs it trains `vade_musicnn` and, where there are lyrics, `multimodal_vade`
as `config/config.yaml` declares them, with as many components as the task has classes; it leaves
out tasks without three songs a class. Per run and task it prints the mean and the standard
deviation over seeds of the scores of the models' own clusters and of k-means on what they read, and
what tells of a collapse: components without a song, active latent dimensions, nats of each.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from songatlas import tables
from songatlas.config.training import Loss, Training
from songatlas.models.base import InputSpec
from songatlas.training.data import Windows, prepare, read_inputs
from songatlas.training.fit import Trained, train
from songatlas.training.weights import Description
from songatlas.plan.workflow import Plan

SEEDS = range(5)
SONGS_PER_CLASS = 3
TASKS = {"vade_musicnn": ["genre"], "multimodal_vade": ["language", "language × genre"]}
CONFIG = Path(__file__).resolve().parents[2] / "config" / "config.yaml"


@dataclass(frozen=True)
class Found:
    """What one training or one k-means made of the songs."""

    labels: np.ndarray
    k: int
    trained: Trained | None = None


def read(folder: Path, reads: dict[str, str], spec: InputSpec) -> tuple[Windows, InputSpec]:
    """Vectors of a run's songs."""
    files: dict = {name: folder / "corpus" / f"{name}.parquet" for name in ("windows", "tracks")}
    for modality, feature in reads.items():
        files[modality] = sorted((folder / "features" / feature).glob("part-*.parquet"))
    files["audio_songs"] = sorted((folder / "features" / reads["audio"]).glob("songs-*.parquet"))
    return read_inputs(files, spec)


def own_clusters(model: dict, windows: Windows, spec: InputSpec, k: int, seed: int) -> Found:
    options = {**model["options"], "n_components": k}
    trained = train(
        windows,
        Description(model["architecture"], spec, model["latent_dim"], options),
        Training(**{**model["training"], "device": "cpu"}),
        Loss(**model["loss"]),
        name=model["model"],
        beta=model["beta"],
        seed=seed,
    )
    built = trained.description.build()
    built.load_state_dict(trained.weights)
    with torch.no_grad():
        labels = built.eval().assign(prepare(windows.batch(np.arange(len(windows)))))
    assert labels is not None
    return Found(labels.numpy(), k, trained)


def inputs(windows: Windows, spec: InputSpec) -> np.ndarray:
    """Both vectors at an equal variance, side by side; a missing one is the mean."""
    blocks = []
    for name in ("audio", "lyrics"):
        values = getattr(windows, name)
        if values is not None:
            z = values.numpy().astype(np.float64)
            there = (z != 0).any(axis=1)
            z[~there] = z[there].mean(axis=0)
            variance = z.var(axis=0)
            scale = np.sqrt(variance.sum() if name in spec.one_unit else variance * len(variance))
            blocks.append((z - z.mean(axis=0)) / np.where(scale > 0, scale, 1.0))
    return np.hstack(blocks)


def tasks(folder: Path, songs: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Labels of the songs, "" where unknown, of tasks that have enough songs."""
    labels = tables.read(folder / "corpus" / "labels.parquet", tables.LABELS)
    frame = labels.set_index("track_id").reindex(songs)[["genre", "language"]].fillna("")
    known = {name: frame[name].to_numpy(str) for name in frame}
    pairs = zip(*known.values(), strict=True)
    both = [f"{genre}/{language}" if genre and language else "" for genre, language in pairs]
    named = known | {"language × genre": np.array(both)}
    return {
        name: values
        for name, values in named.items()
        if 2 <= len(classes(values)) <= (values != "").sum() / SONGS_PER_CLASS
    }


def classes(values: np.ndarray) -> set[str]:
    return set(values) - {""}


def scored(of_seeds: list[Found], values: np.ndarray) -> str:
    """NMI and AMI over seeds."""
    songs = values != ""
    shown = []
    for measure in (normalized_mutual_info_score, adjusted_mutual_info_score):
        scores = [measure(values[songs], found.labels[songs]) for found in of_seeds]
        shown.append(f"{np.mean(scores):.3f} ± {np.std(scores):.3f}")
    return " / ".join(shown)


def watched(of_seeds: list[Found]) -> str:
    """Empty components, active latent dimensions and nats a dimension: the range over seeds."""
    summaries = [found.trained.summary for found in of_seeds if found.trained]
    empty = [found.k - len(set(found.labels)) for found in of_seeds]
    active = [summary.active_units for summary in summaries]
    nats = np.concatenate([summary.kl_per_unit for summary in summaries])
    return (
        f"{min(empty)} to {max(empty)} | {min(active)} to {max(active)} of "
        f"{summaries[0]['latent_dim']} | {nats.min():.2f} to {nats.max():.2f}"
    )


def of_run(folder: Path, plan: Plan) -> None:
    for name, of_model in TASKS.items():
        model, reads = plan.model(name), dict(plan.config.models[name].vectors)
        if any(not (folder / "features" / feature).is_dir() for feature in reads.values()):
            continue
        windows, spec = read(folder, reads, InputSpec(**model["spec"]))
        known = tasks(folder, windows.track_ids)
        for task in (task for task in of_model if task in known):
            values = known[task]
            k = len(classes(values))
            z = inputs(windows, spec)
            means = [
                Found(KMeans(k, n_init=10, random_state=seed).fit_predict(z), k) for seed in SEEDS
            ]
            own = [own_clusters(model, windows, spec, k, seed) for seed in SEEDS]
            print(
                f"| {folder.name}: {len(windows)} songs | {task}, k = {k} | `{name}` | "
                f"{scored(own, values)} | {scored(means, values)} | {watched(own)} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    plan = Plan(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    print(
        "| corpus | task | model | NMI / AMI of its clusters | of k-means on what it reads |",
        end="",
    )
    print(" empty components | active dimensions | nats a dimension |")
    print("| --- " * 8 + "|")
    for folder in parser.parse_args().runs:
        of_run(folder, plan)


if __name__ == "__main__":
    main()
