"""Two-dimensional maps of one model's latents: UMAP, and t-SNE and PCA as alternatives."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from songatlas.config.report import Figures
from songatlas.latents.projection import Tsne, Umap, project

Method = Literal["umap", "tsne", "pca"]

TSNE_POINTS = 5000
"""Of more points than this t-SNE takes minutes; UMAP and PCA remain."""


def maps(
    z: np.ndarray, methods: Sequence[Method], figures: Figures, seed: int
) -> dict[str, np.ndarray]:
    """Points of shape (n, 2), float32, by method; those that n points allow.

    Raises:
        SongatlasError: when `z` holds NaN or infinity.
    """
    found = {}
    by_neighbours: dict[str, Umap | Tsne] = {
        "umap": Umap(figures.umap_neighbors, figures.umap_min_dist),
        "tsne": Tsne(figures.tsne_perplexity),
    }
    for method in methods:
        if method == "pca":
            found["pca"] = principal(z, 2)
        elif method == "umap" or len(z) <= TSNE_POINTS:
            mapped = project(z, by_neighbours[method], seed)
            if mapped.method not in ("PCA", "none"):
                found[method] = mapped.points
    return found or {"pca": principal(z, 2)}


def principal(z: np.ndarray, dim: int) -> np.ndarray:
    """Coordinates along the first principal axes, shape (n, dim) float32, zeros beyond the rank."""
    from sklearn.decomposition import PCA

    points = np.zeros((len(z), dim), np.float32)
    rank = min(dim, len(z) - 1, z.shape[1]) if len(z) else 0
    if rank > 0:
        scale = float(np.abs(z).max()) or 1.0
        with np.errstate(invalid="ignore", divide="ignore"):  # shares of a total variance of 0
            points[:, :rank] = PCA(rank, svd_solver="full").fit_transform(
                np.asarray(z, np.float64) / scale
            )
    return points


def framed(points: np.ndarray) -> np.ndarray:
    """Points centred in the square from -1 to 1, both axes in the same units: (2n,) float32."""
    if not len(points):
        return np.zeros(0, np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    half = float((high - low).max()) / 2 or 1.0
    return np.asarray((points - (low + high) / 2) / half, np.float32).reshape(-1)


def described(found: dict[str, np.ndarray]) -> dict[str, Any]:
    """For the page: framed coordinates by method."""
    from songatlas.report.explorer.scripts import packed

    return {method: packed(framed(points)) for method, points in found.items()}
