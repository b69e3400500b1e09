"""Draw the rule graph of a finished demo run: `make rulegraph`.

Reads Snakemake's own graph (`snakemake --rulegraph`, in the DOT language) from standard input and
writes the picture to the path given. Only a finished run shows it in full: what depends on the
corpus checkpoint is unknown before. Arrows that a longer path implies are left out.
"""

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
from matplotlib.figure import Figure

from songatlas.report.figures import style
from songatlas.report.figures.save import save

STAGES = (
    ("corpus", "#E69F00", {"demo_corpus": 4, "list_sources": 3, "probe": 2, "corpus": 1}),
    ("features", "#56B4E9", {"logmel": 3, "lyrics_features": 2, "descriptors": 1}),
    ("training", "#E78A5A", {"train": 3, "architectures": 0}),
    (
        "latents",
        "#009E73",
        {"ablated_latents": 4.1, "traversals": 3.3, "latents": 2.4, "baseline_latents": 1.4},
    ),
    ("clusters, scores", "#CC79A7", {"consensus": 2.8, "clusters": 1, "disentanglement": -0.4}),
    (
        "tables",
        "#F0E442",
        {
            "modalities": 4.1,
            "training_table": 3.3,
            "consensus_tables": 2.2,
            "comparison": 0.4,
            "disentanglement_table": -0.4,
        },
    ),
    (
        "figures, report",
        "#FFFFFF",
        {
            "figure_traversal": 4.2,
            "figure_training": 3.55,
            "figure_reconstruction": 2.9,
            "maps": 2.25,
            "figure_confusion": 1.6,
            "figure_comparison": 0.95,
            "summary": 0.3,
            "figure_choice_of_k": -0.35,
        },
    ),
)
"""Columns of the picture: name, colour, and the height at which each rule stands."""

NOT_DRAWN = ("all", "provenance", "metrics", "fates")
"""The end, and what describes the run as a whole."""

COLUMN = 2.0


def read_graph(text: str) -> nx.DiGraph:
    """Rules and their dependencies, without `NOT_DRAWN` and without implied arrows."""
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', text))
    graph = nx.DiGraph()
    graph.add_nodes_from(names.values())
    graph.add_edges_from((names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", text))
    graph.remove_nodes_from(NOT_DRAWN)
    return nx.transitive_reduction(graph)


def main(target: Path) -> None:
    graph = read_graph(sys.stdin.read())
    if not graph.has_edge("logmel", "train"):
        sys.exit("the graph is incomplete: finish a demo run first (make demo)")
    with style.context():
        figure = draw(graph)
    save(figure, target, target.with_suffix(".png"), dpi=110, title="Rules of Songatlas")


def draw(graph: nx.DiGraph) -> Figure:
    """One box per rule, one column per stage, arrows from what is read to what reads it.

    Rules without a place in `STAGES` stand at the foot of the last column.
    """
    placed = [rule for _, _, rules in STAGES for rule in rules]
    figure, axes = plt.subplots(figsize=(13, 4.2))
    axes.set(xlim=(-1, COLUMN * (len(STAGES) - 1) + 1.1), ylim=(-0.9, 5.2))
    axes.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    boxes = {}
    for column, (stage, colour, rules) in enumerate(STAGES):
        more = sorted(set(graph) - set(placed)) if column == len(STAGES) - 1 else []
        axes.text(COLUMN * column, 4.85, stage, ha="center", fontweight="bold", fontsize=9)
        for rule, height in {**rules, **dict.fromkeys(more, -0.6)}.items():
            box = {"boxstyle": "round,pad=0.4", "edgecolor": "#333333", "facecolor": colour}
            place = (COLUMN * column, height)
            boxes[rule] = axes.text(*place, rule, ha="center", va="center", fontsize=8.5, bbox=box)
    figure.canvas.draw()  # only now do the boxes have a size, where arrows can end
    to_data = axes.transData.inverted()
    sizes = {
        rule: text.get_bbox_patch().get_window_extent().transformed(to_data)
        for rule, text in boxes.items()
    }
    for source, end in graph.edges:
        one, other = sizes[source], sizes[end]
        level = abs(one.x0 + one.x1 - other.x0 - other.x1) < COLUMN / 2  # the same column
        middle = (one.y0 + one.y1) / 2, (other.y0 + other.y1) / 2
        start = ((one.x0 + one.x1) / 2, one.y0) if level else (one.x1, middle[0])
        stop = ((other.x0 + other.x1) / 2, other.y1) if level else (other.x0, middle[1])
        arrow = {"arrowstyle": "-|>", "color": "#777777", "shrinkA": 0, "shrinkB": 1}
        axes.annotate("", xy=stop, xytext=start, arrowprops=arrow)
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]))
