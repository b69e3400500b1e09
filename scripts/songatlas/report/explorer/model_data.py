"""What the page loads of one model: its maps, clusterings, cards and neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.views import balanced, blocks_of, of_view
from songatlas.config.report import Explorer, Figures
from songatlas.latents.projection import PROJECTION, read_latents
from songatlas.report.explorer import cards, neighbours, projections
from songatlas.report.explorer.catalogue import Catalogue
from songatlas.report.explorer.scripts import packed

NOT_CLUSTERED = -2
"""Label of a point that the clustering did not include; noise is -1."""


@dataclass(frozen=True)
class Labelled:
    """One clustering: `labels` (n,) int16 of the points of its level, in their order."""

    level: str
    algorithm: str
    k: int | None
    labels: np.ndarray
    names: tuple[str, ...] | None = None
    """What its clusters are called, where they were named."""


def named_clustering(
    named: pd.DataFrame, found: Catalogue, points: dict[str, np.ndarray]
) -> list[Labelled]:
    """The consensus clustering that was named; none where there is none.

    Args:
        named: rows of `words.write.NAMED` of one model.
        points: by level, as for `clusterings`.
    """
    if named.empty or not len(points.get("song", ())):
        return []
    labels = np.full(len(found.songs), NOT_CLUSTERED, np.int16)
    of = found.song_rows(named["track_id"])
    labels[of[of >= 0]] = named["cluster"].to_numpy()[of >= 0]
    name_of = dict(zip(named["cluster"], named["name"], strict=True))
    names = tuple(str(name_of.get(cluster, "")) for cluster in range(max(name_of) + 1))
    return [Labelled("song", "consensus", int(named["k"].iloc[0]), labels[points["song"]], names)]


def clusterings(
    clusters: pd.DataFrame, found: Catalogue, points: dict[str, np.ndarray]
) -> list[Labelled]:
    """Clusterings of windows and songs.

    Args:
        clusters: rows of `tables.CLUSTERS` of one model and seed.
        points: by `window` and `song`: rows of the catalogue that the page shows.
    """
    listed = []
    keys = ["level", "algorithm", "k"]
    for (level, algorithm, _), rows in clusters.groupby(keys, dropna=False, sort=False):
        window = level == "window"
        shown = points.get("window" if window else "song")
        if shown is None or not len(shown):
            continue
        of = found.window_rows(rows["window_id"]) if window else found.song_rows(rows["track_id"])
        all_labels = np.full(len(found.windows if window else found.songs), NOT_CLUSTERED, np.int16)
        all_labels[of[of >= 0]] = rows["label"].to_numpy()[of >= 0]
        number = None if rows["k"].isna().any() else int(rows["k"].iloc[0])
        listed.append(Labelled(str(level), str(algorithm), number, all_labels[shown]))
    return listed


WAY_DIM = 32
"""Components of a song in which the page finds ways between songs."""


@dataclass(frozen=True)
class Settings:
    """Sections of the config that the page depends on."""

    explorer: Explorer
    figures: Figures
    seed: int


@dataclass(frozen=True)
class ModelData:
    """`summary` stands in the page's first file, the others in files of the model's own."""

    summary: dict[str, Any]
    data: dict[str, Any]
    cards: list[list[dict[str, Any]]]
    vectors: dict[str, Any]


def model_data(
    latents: str | Path,
    clusters: str | Path,
    umaps: str | Path,
    named: pd.DataFrame,
    found: Catalogue,
    items: Mapping[str, cards.Items],
    settings: Settings,
) -> ModelData:
    """Read one model's tables.

    Args:
        umaps: the table of projections that the maps were drawn from.
        named: rows of `words.write.NAMED`, of any model.
        items: by `window` and `song`, over all rows of the catalogue.

    Raises:
        TableError: when a table is missing or breaks its schema.
        SongatlasError: when latents hold NaN or infinity.
    """
    info = tables.read_metadata(latents)
    drawn = tables.read(umaps, PROJECTION, filters=[("model", "==", info["model"])])
    blocks = blocks_of(info)
    levels: dict[str, Any] = {}
    points: dict[str, np.ndarray] = {}
    vectors: dict[str, np.ndarray] = {}
    near, ways = None, _ways(np.zeros((0, 1)), np.zeros(0, np.int32), {})
    for level in ("window", "song"):
        rows, z, of = read_latents(latents, level, seed=settings.seed)
        rows = rows[rows["level"] == level]
        if rows.empty:
            continue
        ids = rows["window_id"] if level == "window" else rows["track_id"]
        row = found.window_rows(ids) if level == "window" else found.song_rows(ids)
        z, row, ids = z[row >= 0], row[row >= 0], ids[row >= 0]
        points[level], vectors[level] = row, z
        maps = _maps(level, z, ids, drawn, settings)
        levels[level] = {"points": packed(row), "maps": projections.described(maps), "of": of}
        if level == "song":
            ways = _ways(z, row, blocks)
            near = _near(z, row, blocks, items["song"].languages, settings)
    own = named[named["model"] == info["model"]]
    listed = [
        *named_clustering(own, found, points),
        *clusterings(of_view(tables.read(clusters, tables.CLUSTERS)), found, points),
    ]
    made = []
    for one in listed:
        level = "window" if one.level == "window" else "song"
        labels = np.full(len(items[level].songs), NOT_CLUSTERED, np.int64)
        labels[points[level]] = one.labels
        z = np.zeros((len(labels), vectors[level].shape[1]), np.float32)
        z[points[level]] = vectors[level]
        made.append(cards.cards(items[level], labels, z, one.names))
    summary = {
        "name": info["model"],
        "supervision": info.get("supervision", "none"),
        "note": info.get("note") or "",
        "n_songs": len(points.get("song", ())),
        "levels": {level: list(value["maps"]) for level, value in levels.items()},
        "clusterings": [
            {"level": one.level, "algorithm": one.algorithm, "k": one.k, "names": one.names}
            for one in listed
        ],
    }
    data = {
        "levels": levels,
        "labels": [packed(one.labels) for one in listed],
        "neighbours": near,
    }
    return ModelData(summary, data, made, ways)


def _ways(z: np.ndarray, row: np.ndarray, blocks: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Songs and their first principal components, in which the page finds ways between songs."""
    points = balanced(z, blocks) if blocks and len(z) else z
    dim = min(WAY_DIM, points.shape[1])
    components = projections.principal(np.asarray(points, np.float64), dim)
    return {"song": packed(row.astype(np.int32)), "z": packed(components.reshape(-1)), "dim": dim}


def _near(
    z: np.ndarray,
    row: np.ndarray,
    blocks: Mapping[str, tuple[int, int]],
    languages: np.ndarray,
    settings: Settings,
) -> dict[str, Any]:
    """Neighbours for the page by which languages count; any alone where fewer than two are sung."""
    own = languages[row]
    several = len(np.unique(own[own >= 0])) > 1
    most, seed = settings.explorer.neighbours, settings.seed
    return {
        scope: neighbours.described(neighbours.neighbours(z, most, blocks, seed, own, scope), row)
        for scope in (neighbours.SCOPES if several else neighbours.SCOPES[:1])
    }


def _maps(
    level: str, z: np.ndarray, ids: pd.Series, drawn: pd.DataFrame, settings: Settings
) -> dict[str, np.ndarray]:
    """The maps of one level; the UMAP that the figures show is the page's too."""
    methods = list(settings.explorer.projections)
    ready = drawn[drawn["level"] == level]
    key = "window_id" if level == "window" else "track_id"
    at = pd.Index(ready[key]).get_indexer(pd.Index(ids))
    umap = None
    if "umap" in methods and len(at) and (at >= 0).all():
        umap = ready[["x", "y"]].to_numpy(np.float32)[at]
        methods.remove("umap")
    found = projections.maps(z, methods, settings.figures, settings.seed) if methods else {}
    return {**({"umap": umap} if umap is not None else {}), **found}
