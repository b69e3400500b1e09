"""Writing figures by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from songatlas.errors import SongatlasError
from songatlas.report.figures.save import save


def write_figures(
    figures: Mapping[str, Figure],
    paths: Sequence[str | Path],
    *,
    dpi: int,
    corpus_name: str,
    card: str,
) -> None:
    """Write every figure to the SVG and the PNG of its name among `paths`.

    Raises:
        SongatlasError: when names and paths do not agree.
    """
    files = {Path(path) for path in paths}
    for name, figure in figures.items():
        mine = {path.suffix: path for path in files if path.stem == name}
        if set(mine) != {".svg", ".png"}:
            raise SongatlasError(f"the figure {name} has no SVG and PNG among {sorted(files)}")
        title = f"{name.replace('_', ' ').capitalize()}"
        save(
            figure,
            mine[".svg"],
            mine[".png"],
            dpi=dpi,
            title=title,
            description=corpus_name,
            card=card,
        )
        files -= set(mine.values())
    if files:
        raise SongatlasError(f"{min(files)}: no figure of that name is drawn")
