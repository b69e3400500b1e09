"""NMI of every model with every algorithm in every task, as numbers on a scale of one hue."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from songatlas.report.figures import style
from songatlas.report.figures.style import plain
from songatlas.report.study.figures import marks

CHANCE = "mean chance"
LIGHT_FROM = 0.45
"""From this value on the colour is light enough for dark letters."""


def heat_map_figure(
    means: pd.DataFrame, names: list[str], *, corpus_name: str, words: str
) -> Figure:
    """Rows: models and, last, the mean chance level. Columns: algorithms within tasks.

    Args:
        means: columns `model, task, algorithm, value, chance` of NMI (`over_seeds`).
        names: models from top to bottom.
        corpus_name, words: as for `ranking_figure`.
    """
    title = f"NMI of every model, task and algorithm — {plain(corpus_name)}"
    if not names or means.empty:
        return marks.empty(title, marks.NOTHING)
    tasks = list(dict.fromkeys(means["task"]))
    algorithms = sorted(means["algorithm"].unique())
    columns = [(task, algorithm) for task in tasks for algorithm in algorithms]
    values = means.pivot_table(index="model", columns=["task", "algorithm"], values="value")
    chance = means.groupby(["task", "algorithm"])["chance"].mean()
    cells = np.vstack(
        [
            values.reindex(index=names, columns=pd.MultiIndex.from_tuples(columns)).to_numpy(float),
            chance.reindex(columns).to_numpy(float),
        ]
    )
    rows = [*names, CHANCE]
    width_in = max(1.7 + 0.46 * len(columns), 5.0)
    with style.context():
        figure = style.canvas(width_in, 0.95 + 0.2 * len(rows), title, f"Means over seeds. {words}")
        ax = figure.subplots()
        image = ax.imshow(cells, cmap="cividis", vmin=0.0, vmax=1.0, aspect="auto")
        for y, x in np.ndindex(*cells.shape):
            value = cells[y, x]
            text = "–" if np.isnan(value) else f"{value:.2f}".removeprefix("0")
            ax.text(
                x,
                y,
                text,
                ha="center",
                va="center",
                size=6.4,
                color=style.INK if np.isnan(value) or value > LIGHT_FROM else "white",
            )
        for x in range(len(algorithms), len(columns), len(algorithms)):
            ax.axvline(x - 0.5, color="white", lw=2.5)
        ax.axhline(len(names) - 0.5, color="white", lw=2.5)
        ax.set_yticks(range(len(rows)), [plain(name, 26) for name in rows])
        labels = [marks.ALGORITHM_NAMES.get(name, name) for _, name in columns]
        ax.set_xticks(range(len(columns)), labels, rotation=45, ha="right")
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        for i, task in enumerate(tasks):
            ax.text(
                (i + 0.5) * len(algorithms) - 0.5,
                -0.75,
                marks.task_name(task),
                ha="center",
                va="bottom",
                weight="bold",
            )
        bar = figure.colorbar(image, ax=ax, fraction=0.04, pad=0.02)
        bar.set_label("NMI (0 to 1)")
        bar.outline.set_visible(False)
    return figure
