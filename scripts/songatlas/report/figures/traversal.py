"""What one dimension of a latent does to the sound: spectrograms decoded along it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from songatlas import tables
from songatlas.evaluation.factors import LABELS, PREFIX, Factor, factor
from songatlas.report.figures import style
from songatlas.report.figures.reconstruction import LIMIT_SD, Window
from songatlas.report.figures.style import plain

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Match:
    """A factor, and how closely a dimension follows it.

    `effect` is Spearman's ρ (−1 … 1) for numbers, the rank ε² (0 … 1) of Kruskal and Wallis for
    classes; `p` is the chance of that much without a connection.
    """

    name: str
    effect: float
    p: float
    categorical: bool

    @property
    def text(self) -> str:
        """`genre (ε² 0.61)`."""
        symbol = "ε²" if self.categorical else "ρ"
        sign = f"{self.effect:.2f}".replace("-", "−")
        return f"{self.name} ({symbol} {sign})"


def matches(z: np.ndarray, factors: Sequence[Factor]) -> list[Match]:
    """How a dimension (S,) over songs goes with each factor of which something can be said."""
    from scipy.stats import kruskal, spearmanr

    found = []
    for candidate in factors:
        if candidate.problem() is not None:
            continue
        known = candidate.known
        values, target = z[known], candidate.values[known]
        if np.ptp(values) == 0:
            continue
        if candidate.categorical:
            groups = [values[target == code] for code in np.unique(target)]
            h, p = kruskal(*groups)
            effect = max(float(h) - len(groups) + 1, 0.0) / max(len(values) - len(groups), 1)
            found.append(Match(candidate.name, min(effect, 1.0), float(p), True))
        else:
            rho, p = spearmanr(values, target)
            found.append(Match(candidate.name, float(rho), float(p), False))
    return found


def correlation_matches(correlations: Mapping[str, float | None], n: int) -> list[Match]:
    """Matches from Spearman correlations over n songs that were computed before."""
    from scipy.stats import t

    found = []
    for name, rho in correlations.items():
        if rho is None or n < 4:
            continue
        bounded = min(abs(rho), 1.0 - 1e-12)
        statistic = bounded * np.sqrt((n - 2) / (1.0 - bounded**2))
        found.append(Match(name, rho, float(2.0 * t.sf(statistic, n - 2)), False))
    return found


def closest(candidates: Sequence[Match], tests: int) -> Match | None:
    """The most certain match, if it is significant among `tests` of them (Bonferroni)."""
    best = min(candidates, key=lambda match: match.p, default=None)
    return best if best is not None and best.p * tests < SIGNIFICANT else None


WIDTH_IN = 7.2
ROW_IN = 0.72


@dataclass(frozen=True)
class Traversal:
    """Spectrograms (dimensions, steps, n_mels, n_frames) along some dimensions."""

    window_id: str
    tiles: np.ndarray
    dimensions: tuple[int, ...]
    nats: tuple[float, ...]
    steps_sd: tuple[float, ...]
    attributes: dict[str, list[float | None]]
    songs: int


def read_traversal(path: str | Path) -> Traversal | str:
    """A traversal, or why there is none."""
    info: dict[str, Any] = tables.read_metadata(path)
    for ids, values in tables.iter_feature([path]):
        return Traversal(
            ids[0],
            values[0],
            tuple(info["dimensions"]),
            tuple(info["nats"]),
            tuple(info["steps_sd"]),
            info["attributes"],
            info["songs"],
        )
    return str(info["note"])


def names_of(
    traversal: Traversal, latents: pd.DataFrame, labels: pd.DataFrame
) -> list[Match | None]:
    """What each dimension follows most, over songs; None where nothing significantly.

    Args:
        latents: rows of `tables.LATENTS`.
        labels: rows of the corpus view `factors`.
    """
    songs = latents[latents["level"] == "song"].sort_values("track_id")
    z = np.stack(list(songs["z"])).astype(np.float64)
    columns = [str(c).removeprefix(PREFIX) for c in labels if str(c).startswith(PREFIX)]
    factors = [factor(labels, name, list(songs["track_id"])) for name in (*LABELS, *columns)]
    found = []
    for at, dimension in enumerate(traversal.dimensions):
        heard = {name: rho[at] for name, rho in traversal.attributes.items()}
        found.append(
            [*matches(z[:, dimension], factors), *correlation_matches(heard, traversal.songs)]
        )
    tests = sum(map(len, found))
    return [closest(candidates, tests) for candidates in found]


def no_traversal_figure(why: str, *, model: str, corpus_name: str) -> Figure:
    """A page that says why there is no traversal of `model`."""
    with style.context():
        title = f"Latent traversal of {plain(model)} — {plain(corpus_name)}"
        figure = style.canvas(5.6, 1.2, title, "Nothing to show.")
        style.nothing(figure.subplots(), plain(why, 300))
    return figure


def traversal_figure(
    traversal: Traversal,
    names: list[Match | None],
    *,
    model: str,
    window: Window,
    corpus_name: str,
) -> Figure:
    """One row per dimension, one column per step on one colour scale, and last what changed.

    The last column is the last step minus the first, on a scale of its own: what a dimension does
    is often too fine to see from tile to tile.

    Args:
        names: what `names_of` returns.
        model, corpus_name: stand in the title.
        window: the reference, where the other dimensions stay.
    """
    tiles = np.asarray(traversal.tiles, np.float64)
    n_rows, n_steps = tiles.shape[:2]
    steps = [_step(sd) for sd in traversal.steps_sd]
    change = tiles[:, -1] - tiles[:, 0]
    largest = max(float(np.quantile(np.abs(change), 0.99)), 1e-6)
    with style.context():
        figure = style.canvas(
            WIDTH_IN,
            0.75 + ROW_IN * n_rows,
            f"Latent traversal of {plain(model)} — {plain(corpus_name)}",
            "Each row moves one dimension and decodes; the others stay where the window from "
            f"{window.start_s:g} s of {plain(window.song, 60)} has them. Rows: the dimensions that "
            "carry most, in nats a window, and the factor that each follows most over songs where "
            "that is significant (p < 0.05, Bonferroni).",
        )
        axes = figure.subplots(n_rows, n_steps + 1, squeeze=False)
        for at, row in enumerate(axes):
            images = [
                _tile(ax, tile, "cividis", LIMIT_SD)
                for ax, tile in zip(row[:-1], tiles[at], strict=True)
            ]
            changed = _tile(row[-1], change[at], "PuOr_r", largest)
            row[0].set_ylabel(
                _row_name(traversal, at, names[at]),
                rotation=0,
                ha="right",
                va="center",
                size=style.SMALL_SIZE,
                linespacing=1.35,
            )
        for ax, title in zip(axes[0], [*steps, f"{steps[-1]} less {steps[0]}"], strict=True):
            ax.set_title(title, size=style.SMALL_SIZE, loc="center")
        figure.supxlabel(
            "Position along the dimension (standard deviations from its mean); within a tile, time "
            "runs right and frequency up",
            size=style.SMALL_SIZE,
        )
        for image, columns, limit, words in (
            (images[-1], axes[:, :-1], LIMIT_SD, "Level (standard deviations of a window)"),
            (changed, axes[:, -1:], largest, "Change"),
        ):
            bar = figure.colorbar(
                image,
                ax=columns.ravel().tolist(),
                location="bottom",
                fraction=0.03,
                pad=0.015,
                aspect=60 if columns.shape[1] > 1 else 9,
                extend="both",
                ticks=[-limit, 0.0, limit],
                format=lambda value, _: f"{value:.2g}".replace("-", "−"),
            )
            bar.set_label(words, size=style.SMALL_SIZE)
            bar.outline.set_visible(False)
    return figure


def _tile(ax: Axes, values: np.ndarray, colours: str, limit: float) -> AxesImage:
    image = ax.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=colours,
        vmin=-limit,
        vmax=limit,
    )
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)
    return image


def _step(sd: float) -> str:
    return f"{sd:+g}".replace("-", "−") if sd else "0"


def _row_name(traversal: Traversal, at: int, match: Match | None) -> str:
    lines = [f"dimension {traversal.dimensions[at]}", f"{traversal.nats[at]:.2f} nats"]
    if match is not None:
        lines += [plain(match.name, 20), plain(match.text.removeprefix(match.name + " "))]
    return "\n".join(lines)
