"""Draw the figures of docs/performance.md from docs/performance.json.

python docs/performance_figures.py [--collect] docs/performance.json docs/images

With `--collect`, what `make bench` left under results/benchmarks is first gathered in that file.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from drawing import figure_in

from songatlas.report.figures import style

BENCHMARKS = Path(__file__).resolve().parents[1] / "results" / "benchmarks"
ALGORITHMS = ("kmeans", "agglomerative", "gmm", "dbscan", "hdbscan", "spectral")
PANELS = {
    "clustering algorithms": tuple(f"cluster:{name}" for name in ALGORITHMS),
    "scores": ("score:agreement", "score:shape"),
    "passes over audio": ("extract:logmel", "pass:train", "pass:embed"),
}
COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE, style.PURPLE, style.SKY)
MARKERS = "osD^vP"


def growth(found: dict[str, Any], folder: Path) -> None:
    """Seconds and peak memory by songs, with the fitted exponent of time."""
    with figure_in(
        folder, "performance_growth", "Time and memory by number of songs", 2, 3, figsize=(7.2, 5.2)
    ) as axes:
        for column, (title, stages) in zip(axes.T, PANELS.items(), strict=True):
            for stage, colour, marker in zip(stages, COLOURS, MARKERS, strict=False):
                points = found["stages"][stage]["points"]
                name = stage.split(":")[1]
                label = f"{name} ({found['stages'][stage]['exponent']:g})"
                songs = [point["songs"] for point in points]
                for panel, key in zip(column, ("seconds", "peak_mb"), strict=True):
                    values = [max(point[key], 1e-4) for point in points]
                    panel.plot(songs, values, color=colour, marker=marker, label=label)
            column[0].set(xscale="log", yscale="log", title=title, ylabel="seconds")
            column[1].set(xscale="log", yscale="log", xlabel="songs", ylabel="peak memory (MB)")
            where = "lower right" if len(stages) > 3 else "upper left"
            small = {"fontsize": 6, "title_fontsize": 6}
            column[0].legend(frameon=False, title="(exponent)", loc=where, **small)


def precision(found: dict[str, Any], folder: Path) -> None:
    """Validation loss of bf16 and fp32 by epoch."""
    models = found["models"]
    with figure_in(
        folder,
        "performance_precision",
        "Loss curves of bf16 and fp32",
        1,
        len(models),
        figsize=(7.2, 2.6),
    ) as axes:
        for panel, (name, row) in zip(axes, models.items(), strict=True):
            ways = (("32", "fp32", style.BLUE, "o"), ("bf16-mixed", "bf16", style.VERMILLION, "x"))
            for key, label, colour, marker in ways:
                curve = row["curves"][key]["validation"]
                epochs = range(1, len(curve) + 1)
                panel.plot(epochs, curve, color=colour, marker=marker, label=label)
            # A loss that explodes for an epoch would leave nothing of the others to see.
            if max(row["curves"]["32"]["validation"]) > 10:
                panel.set_yscale("log")
            worst = max(row["difference_after_5_epochs"].values())
            panel.set(title=f"{name}: {worst:.2%} apart", xlabel="epoch")
        axes[0].set_ylabel("validation loss")
        axes[-1].legend(frameon=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--collect", action="store_true")
    arguments = parser.parse_args()
    if arguments.collect:
        names = ("extraction", "steps", "steps_without_bf16", "epoch", "precision", "growth")
        names += ("clustering_1000000_1000000", "jobs")
        there = [name for name in names if (BENCHMARKS / f"{name}.json").is_file()]
        found = {name: json.loads((BENCHMARKS / f"{name}.json").read_text()) for name in there}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    numbers = json.loads(arguments.json.read_text(encoding="utf-8"))
    growth(numbers["growth"], arguments.folder)
    precision(numbers["precision"], arguments.folder)


if __name__ == "__main__":
    main()
