"""Latents in two dimensions, for the maps."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.latents.faithfulness import mean_values
from songatlas.run.compiled import compiling
from songatlas.tables import F32, TEXT, Table

PROJECTION = Table(
    "projection",
    {"model": TEXT, "level": TEXT, "window_id": TEXT, "track_id": TEXT, "x": F32, "y": F32},
    nullable=frozenset(["window_id"]),
    allowed={"level": ("window", "song")},
)
"""One point per latent vector; the metadata has what `project_latents` says, by model."""

MIN_UMAP = 5
"""With fewer vectors there are no neighbourhoods to preserve."""

MAX_DIM = 50
"""Wider latents are reduced to their principal components first, as is usual before UMAP."""


@dataclass(frozen=True)
class Umap:
    """McInnes, Healy and Melville 2018; at most n - 1 neighbours are used."""

    n_neighbors: int = 15
    min_dist: float = 0.1


@dataclass(frozen=True)
class Tsne:
    """van der Maaten and Hinton 2008; the perplexity used is at most (n - 1) / 3."""

    perplexity: float = 30.0


Method = Umap | Tsne

MAX_POINTS = 20_000
"""More vectors than this are sampled: a map of more dots shows no more."""


@dataclass(frozen=True)
class Projection:
    """Points of shape (n, 2) and how they came about.

    `method` is `UMAP` or `t-SNE`, `PCA` (too few or identical vectors for either) or `none` (no
    vectors); `n_neighbors` is UMAP's number of neighbours or t-SNE's perplexity.
    """

    points: np.ndarray
    method: str
    n_neighbors: float | None = None


def project(z: np.ndarray, method: Method, seed: int) -> Projection:
    """Project `z` of shape (n, d) to the plane.

    By UMAP or t-SNE, from the first two principal components, which keeps the large-scale layout
    (Kobak and Linderman 2021). Below 5 vectors, or where all are the same, it is PCA. The same
    input and seed give the same points.

    Raises:
        SongatlasError: when `z` holds NaN or infinity.
    """
    if not np.isfinite(z).all():
        raise SongatlasError("latent vectors hold NaN or infinity; the model behind them diverged")
    n = len(z)
    if n == 0:
        return Projection(np.zeros((0, 2), np.float32), "none")
    scale = float(np.abs(z).max()) or 1.0
    z = np.asarray(z, np.float64) / scale
    reduced = _principal(z, min(MAX_DIM, z.shape[1], n))
    if n < MIN_UMAP or len(np.unique(reduced.round(9), axis=0)) < MIN_UMAP:
        return Projection(_plane(reduced), "PCA")
    if isinstance(method, Tsne):
        perplexity = min(method.perplexity, (n - 1) / 3)
        return Projection(_tsne(reduced, perplexity, seed), "t-SNE", perplexity)
    neighbors = min(method.n_neighbors, n - 1)
    return Projection(_umap(reduced, neighbors, method.min_dist, seed), "UMAP", neighbors)


def _principal(z: np.ndarray, dim: int) -> np.ndarray:
    """Coordinates along the first `dim` principal axes, signs fixed: shape (n, dim)."""
    from sklearn.decomposition import PCA

    if len(z) == 1:
        return np.zeros((1, dim))
    with np.errstate(invalid="ignore", divide="ignore"):  # shares of a total variance of 0
        return np.asarray(PCA(dim, svd_solver="full").fit_transform(z))


def _plane(reduced: np.ndarray) -> np.ndarray:
    points = np.zeros((len(reduced), 2), np.float32)
    points[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    return points


def _tsne(reduced: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    mapper = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    return np.asarray(mapper.fit_transform(reduced.astype(np.float32)), np.float32)


def import_umap() -> Any:
    """The module umap, which compiles most of its functions then, under the lock."""
    with compiling(), warnings.catch_warnings():
        # umap tells every importer that tensorflow is absent; only its parametric variant uses it.
        warnings.filterwarnings("ignore", category=ImportWarning)
        import umap
    return umap


def _umap(reduced: np.ndarray, neighbors: int, min_dist: float, seed: int) -> np.ndarray:
    umap = import_umap()
    start = _plane(reduced)
    spread = float(start.std(axis=0).max()) or 1.0
    # A second axis without any spread would be divided by zero.
    noise = np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)
    mapper = umap.UMAP(
        n_neighbors=neighbors,
        min_dist=min_dist,
        init=(start / spread + noise).astype(np.float32),
        random_state=seed,
        n_jobs=1,
        low_memory=False,
    )
    return np.asarray(mapper.fit_transform(reduced.astype(np.float32)), np.float32)


def read_latents(
    path: str | Path, preferred: str = "window", limit: int = MAX_POINTS, seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Latents of one level: the preferred one where the file has it, else the other.

    The file is streamed; of more than `limit` vectors a random sample is kept, in file order.

    Returns:
        Rows without `z`, `z` of shape (n, d) float32, and how many vectors the file has.
    """
    ids = tables.read(path, tables.LATENTS, columns=["level", "window_id", "track_id", "split"])
    present = set(ids["level"])
    level = next((name for name in (preferred, "window", "song") if name in present), preferred)
    rows = np.flatnonzero((ids["level"] == level).to_numpy())
    of = len(rows)
    if of > limit:
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    return ids.iloc[rows].reset_index(drop=True), _rows_of_z(path, rows), of


def _rows_of_z(path: str | Path, rows: np.ndarray) -> np.ndarray:
    kept: list[np.ndarray] = []
    start = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024, columns=["z"]):
            stop = start + len(batch)
            inside = rows[(rows >= start) & (rows < stop)] - start
            kept += [np.asarray(batch["z"][int(i)].values, np.float32) for i in inside]
            start = stop
    return np.stack(kept) if kept else np.zeros((0, 0), np.float32)


def project_latents(
    path: str | Path,
    preferred: str,
    method: Method,
    seed: int,
    limit: int = MAX_POINTS,
) -> tuple[pd.DataFrame, dict[str, object]]:
    """The projection table of one latents file, and the metadata that is stored with it.

    Raises:
        SongatlasError: naming the file, when its latents are not finite.
    """
    info = tables.read_metadata(path)
    rows, z, of = read_latents(path, preferred, limit, seed)
    try:
        projection = project(z, method, seed)
    except SongatlasError as error:
        raise SongatlasError(f"{path}: {error}") from None
    frame = pd.DataFrame(
        {
            "model": [info["model"]] * len(rows),
            "level": rows["level"],
            "window_id": rows["window_id"],
            "track_id": rows["track_id"],
            "x": projection.points[:, 0],
            "y": projection.points[:, 1],
        }
    )
    return frame, {
        "model": info["model"],
        "supervision": info["supervision"],
        "method": projection.method,
        "n_neighbors": projection.n_neighbors,
        "points": len(rows),
        "of": of,
        **mean_values(z, projection.points, seed),
    }


def project_all(
    latents: Mapping[str, str | Path],
    *,
    preferred: str,
    method: Method,
    seed: int,
    limit: int = MAX_POINTS,
) -> tuple[pd.DataFrame, dict[str, dict[str, object]]]:
    """Project every representation (latents file by name); one table and metadata by name.

    Raises:
        SongatlasError: when a file holds another model's latents, or they are not finite.
    """
    frames, metadata = [], {}
    for name, path in latents.items():
        frame, info = project_latents(path, preferred, method, seed, limit)
        if info["model"] != name:
            raise SongatlasError(f"{path}: holds latents of `{info['model']}`, expected `{name}`")
        frames.append(frame)
        metadata[name] = info
    return pd.concat(frames, ignore_index=True), metadata
