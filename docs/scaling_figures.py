"""Draw the figures of docs/scaling.md from docs/scaling.json.

python docs/scaling_figures.py docs/scaling.json docs/images
"""

import json
import sys
from pathlib import Path
from typing import Any

from drawing import figure_in

from songatlas.report.figures import style

LIMIT_S, LIMIT_MB = 60.0, 2000.0
"""What planning a million songs may take."""


def planning(found: dict[str, Any], folder: Path) -> None:
    """Time and memory of `snakemake --dry-run` by number of songs."""
    rows = sorted(found["plan"].values(), key=lambda row: row["songs"])
    kinds = (
        ("from_manifest", "before the corpus stage", style.BLUE, "o"),
        ("with_corpus", "with the corpus known", style.VERMILLION, "s"),
    )
    with figure_in(
        folder, "scaling_planning", "Planning by number of songs", 1, 2, figsize=(6.8, 2.8)
    ) as axes:
        panels = (
            ("wall_s", "planning time (s)", LIMIT_S),
            ("peak_mb", "peak memory (MB)", LIMIT_MB),
        )
        for panel, (key, label, limit) in zip(axes, panels, strict=True):
            for kind, name, colour, marker in kinds:
                some = [row for row in rows if kind in row]
                songs = [row["songs"] for row in some]
                values = [row[kind][key] for row in some]
                panel.plot(songs, values, color=colour, marker=marker, label=name)
            panel.axhline(limit, color=style.GREY, linestyle="--", linewidth=0.8)
            panel.annotate("aim at 10⁶ songs", (1e3, limit), color=style.GREY, va="bottom")
            panel.set(xscale="log", yscale="log", xlabel="songs", ylabel=label)
        axes[0].legend(frameon=False, loc="lower right")


def false_alarms(found: dict[str, Any], folder: Path) -> None:
    """Stated and reached false-alarm rates."""
    colours = {"real": style.BLUE, "demo": style.ORANGE}
    with figure_in(
        folder,
        "scaling_false_alarms",
        "False alarms of assign",
        1,
        2,
        figsize=(6.8, 3.0),
        sharey=True,
    ) as axes:
        for panel, kind in zip(axes, ("held_out", "all"), strict=True):
            for corpus, colour in colours.items():
                for model, marker in (("mean_mel", "o"), ("descriptors", "s")):
                    reached = found["assign"][corpus][model]["false_alarms"][kind]
                    points = [(float(rate), value) for rate, value in reached.items()]
                    known = [point for point in points if point[1] is not None]
                    panel.plot(
                        *zip(*known, strict=True),
                        color=colour,
                        marker=marker,
                        label=f"{corpus}, {model}",
                    )
            panel.plot([0, 0.22], [0, 0.22], color=style.GREY, linestyle="--", linewidth=0.8)
            panel.annotate("stated rate", (0.15, 0.12), color=style.GREY)
            panel.set(xlabel="stated rate", title=f"calibrate_on: {kind}")
        axes[0].set_ylabel("share of new songs flagged")
        axes[1].legend(frameon=False, loc="upper left")


if __name__ == "__main__":
    numbers = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    planning(numbers, Path(sys.argv[2]))
    false_alarms(numbers, Path(sys.argv[2]))
