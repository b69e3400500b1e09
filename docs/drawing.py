"""What the scripts that draw this folder's figures share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from songatlas.report.figures import style
from songatlas.report.figures.save import save


@contextmanager
def figure_in(folder: Path, name: str, title: str, *grid: int, **options: Any) -> Iterator[Any]:
    """Panels (`plt.subplots(*grid, **options)`), saved when the block ends."""
    with style.context():
        figure, axes = plt.subplots(*grid, layout="constrained", **options)
        yield axes
        save(figure, folder / f"{name}.svg", folder / f"{name}.png", dpi=150, title=title)
        plt.close(figure)
