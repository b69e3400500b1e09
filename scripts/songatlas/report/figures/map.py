"""Maps: each representation's songs in the plane, coloured by language or genre."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from songatlas.report.figures import style
from songatlas.report.figures.comparison import SAW
from songatlas.report.figures.save import save
from songatlas.report.figures.style import plain

ATTRIBUTES = ("language", "genre")

OTHER = "other"

WIDTH_IN = 4.6

RASTER_FROM = 5000
"""From this many points on, they are a bitmap inside the SVG, which would be slow to open."""


def classes(values: pd.Series) -> pd.Series:
    """`values` as class names: missing becomes `unknown`; beyond 8, all but the top 7 are `other`.

    Returns:
        A categorical series: classes by falling count (ties by name), then `other`, then `unknown`.
    """
    counts = values.value_counts()
    ordered = sorted(counts.index, key=lambda name: (-counts[name], str(name)))
    top = ordered
    if len(ordered) > style.MAX_CLASSES:
        top = ordered[: style.MAX_CLASSES - 1]
    named = values.where(values.isin(top), OTHER).where(values.notna(), style.UNKNOWN)
    present = set(named)
    tail = [name for name in (OTHER, style.UNKNOWN) if name in present and name not in top]
    return pd.Series(pd.Categorical(named, [*top, *tail]), index=values.index)


def with_numbered_names(labels: pd.DataFrame) -> pd.DataFrame:
    """Labels (`tables.LABELS`) whose genres in scripts without a font are numbered, as figures do.

    The commonest of a script is its first; `report/summary.md` has the key.
    """
    shown = numbered_names(labels["genre"])
    return labels.assign(genre=labels["genre"].map(lambda name: shown.get(name, name)))


def numbered_names(values: pd.Series) -> dict[str, str]:
    """Names in scripts without a font, and what figures call them (`style.numbered`)."""
    counts = values.value_counts()
    return style.numbered(sorted(counts.index, key=lambda name: (-counts[name], str(name))))


def looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of every class: never colour alone."""
    fixed = {style.UNKNOWN: (style.PALE, "."), OTHER: (style.GREY, "d")}
    free = iter(zip(style.CLASS_COLOURS, style.CLASS_MARKERS, strict=True))
    return {name: fixed[name] if name in fixed else next(free) for name in names}


def map_figure(
    points: pd.DataFrame, metadata: Mapping[str, Any], *, attribute: str, corpus_name: str
) -> Figure:
    """One representation's map.

    Args:
        points: `PROJECTION` rows with the column `attribute` joined on: categorical, of the
            `classes` of all songs, so that a class looks the same on every map.
        metadata: of the projection table (`model, method, n_neighbors, points, of,
            trustworthiness, continuity`).
        attribute: `language` or `genre`; names the column and stands in the title.
        corpus_name: stands in the title.
    """
    named = points[attribute]
    handles = _handles(named, "")
    columns, footer_in = style.legend_size([str(h.get_label()) for h in handles], WIDTH_IN)
    with style.context():
        figure = style.canvas(
            WIDTH_IN,
            3.6,
            f"{_model(metadata)} by {attribute} — {plain(corpus_name)}",
            ". ".join(filter(None, (_what(points, metadata), faithful(metadata)))),
            footer_in=footer_in,
        )
        ax = figure.subplots()
        _draw(ax, points, named, 22.0, raster=len(points) >= RASTER_FROM)
        method = metadata["method"]
        axis = "Principal component" if method == "PCA" else f"{method} axis"
        if not points.empty:
            ax.set_xlabel(f"{axis} 1 (no unit)")
            ax.set_ylabel(f"{axis} 2 (no unit)")
        if handles:
            style.legend(figure, handles, columns)
    return figure


def overview_figure(
    maps: Sequence[tuple[pd.DataFrame, Mapping[str, Any]]], *, attribute: str, corpus_name: str
) -> Figure:
    """Small multiples of all representations, with the same colours everywhere.

    Args:
        maps: (points, metadata) of each, as for `map_figure`.
        attribute, corpus_name: as for `map_figure`.
    """
    columns = min(max(len(maps), 1), 5)
    rows = max(math.ceil(len(maps) / columns), 1)
    songs = pd.concat([points[["track_id", attribute]] for points, _ in maps])
    named = songs.drop_duplicates("track_id")[attribute]
    raster = sum(len(points) for points, _ in maps) >= RASTER_FROM
    handles = _handles(named, " songs")
    width_in = max(1.75 * columns, WIDTH_IN)
    per_row, footer_in = style.legend_size([str(h.get_label()) for h in handles], width_in)
    with style.context():
        figure = style.canvas(
            width_in,
            1.85 * rows,
            f"All representations by {attribute} — {plain(corpus_name)}",
            f"{_methods(maps)}Each dot is a window, or a song where a representation has songs "
            "only. Neighbours "
            "are alike; axes, orientation and distances between far groups mean nothing. T, C: "
            "trustworthiness and continuity (15 neighbours).",
            footer_in=footer_in,
        )
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (points, metadata) in zip(grid, maps, strict=False):
            _draw(ax, points, points[attribute], 9.0, raster)
            method = " (PCA)" if metadata["method"] == "PCA" else ""
            trusted = _at_fifteen(metadata)
            ax.set_title(f"{_model(metadata)}{method}{trusted}", size=style.SMALL_SIZE)
        for ax in grid[len(maps) :]:
            ax.set_axis_off()
        if handles:
            style.legend(figure, handles, per_row)
    return figure


def write_maps(
    points: pd.DataFrame,
    metadata: Mapping[str, Mapping[str, Any]],
    labels: pd.DataFrame,
    svgs: Sequence[str | Path],
    pngs: Sequence[str | Path],
    *,
    dpi: int,
    corpus_name: str,
    card: str | None = None,
) -> None:
    """Write every representation's two maps, then the two overviews.

    Args:
        points: rows of `PROJECTION`, of all models.
        metadata: by model, in the order of the files.
        labels: rows of `tables.LABELS`.
        svgs, pngs: for each model, then for the overview: by language, by genre.
        dpi: resolution of the PNGs.
        corpus_name: stands in the titles.
        card: the run's provenance card, which the files name (`save`).
    """
    more: dict[str, Any] = {"dpi": dpi, "description": corpus_name, "card": card}
    labels = with_numbered_names(labels)
    row = pd.Index(labels["track_id"]).get_indexer(points["track_id"])
    for attribute in ATTRIBUTES:
        named = classes(labels[attribute]).array.take(row, allow_fill=True)
        points = points.assign(**{attribute: named})
    maps = [(points[points["model"] == model], info) for model, info in metadata.items()]
    files = iter(zip(svgs, pngs, strict=True))
    for pair in maps:
        for attribute in ATTRIBUTES:
            figure = map_figure(*pair, attribute=attribute, corpus_name=corpus_name)
            title = f"{pair[1]['model']} by {attribute}"
            save(figure, *next(files), title=title, **more)
    for attribute in ATTRIBUTES:
        figure = overview_figure(maps, attribute=attribute, corpus_name=corpus_name)
        title = f"All representations by {attribute}"
        save(figure, *next(files), title=title, **more)


def _model(metadata: Mapping[str, Any]) -> str:
    return f"{plain(metadata['model'], 24)}{SAW[metadata['supervision']]}"


def _methods(maps: Sequence[tuple[pd.DataFrame, Mapping[str, Any]]]) -> str:
    """`t-SNE. ` where that is the method; UMAP is what a map is otherwise."""
    return "t-SNE. " if any(info["method"] == "t-SNE" for _, info in maps) else ""


def _what(points: pd.DataFrame, metadata: Mapping[str, Any]) -> str:
    if points.empty:
        return "No vectors"
    things = "windows" if points["level"].iloc[0] == "window" else "songs"
    many = f"{len(points):,} {things}"
    if metadata["of"] > len(points):
        many = f"A sample of {len(points):,} of {metadata['of']:,} {things}"
    if metadata["method"] == "UMAP":
        return f"UMAP ({metadata['n_neighbors']} neighbours) of {many}"
    if metadata["method"] == "t-SNE":
        return f"t-SNE (perplexity {metadata['n_neighbors']:.3g}) of {many}"
    return f"First two principal components (too few distinct vectors for a map) of {many}"


def faithful(metadata: Mapping[str, Any]) -> str:
    """How far neighbours on the map can be believed, in words; empty for a handful of points."""
    words = [
        f"{name} {', '.join(f'{value:.2f}' for value in metadata[name].values())}"
        for name in ("trustworthiness", "continuity")
        if metadata[name]
    ]
    if not words:
        return ""
    return f"{' and '.join(words)} ({', '.join(metadata['continuity'])} neighbours)".capitalize()


def _at_fifteen(metadata: Mapping[str, Any]) -> str:
    trust, continuity = (metadata[name].get("15") for name in ("trustworthiness", "continuity"))
    return "" if trust is None else f"\nT {trust:.2f}, C {continuity:.2f}"


def _draw(ax: Axes, points: pd.DataFrame, named: pd.Series, size: float, raster: bool) -> None:
    if points.empty:
        style.nothing(ax, "no vectors: the songs lack what this representation reads")
        return
    look = looks(list(named.cat.categories))
    # Unknown songs lie lowest; the others are shuffled, so that no class covers another.
    shuffled = points.assign(named=named).sample(frac=1, random_state=0)
    known = shuffled["named"] != style.UNKNOWN
    sns.scatterplot(
        shuffled.loc[known.sort_values(kind="stable").index],
        x="x",
        y="y",
        hue="named",
        style="named",
        hue_order=list(look),
        style_order=list(look),
        palette={name: colour for name, (colour, _) in look.items()},
        markers={name: marker for name, (_, marker) in look.items()},
        s=size,
        linewidth=size / 50,
        edgecolor="white",
        alpha=0.9,
        legend=False,
        rasterized=raster,
        ax=ax,
    )
    ax.set(xlabel="", ylabel="", xticks=[], yticks=[])
    ax.spines[["top", "right"]].set_visible(True)
    for spine in ax.spines.values():
        spine.set_color(style.PALE)
    ax.margins(0.06)


def _handles(named: pd.Series, unit: str) -> list[Line2D]:
    counts = named.value_counts()
    return [
        Line2D(
            [],
            [],
            ls="none",
            marker=marker,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.3,
            ms=6,
            label=f"{plain(name, 24)} ({counts[name]}{unit})",
        )
        for name, (colour, marker) in looks(list(named.cat.categories)).items()
        if counts[name]
    ]
