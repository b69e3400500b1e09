"""Principal components of vectors that are too wide, or too many, to hold at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Blocks = Callable[[], Iterator[np.ndarray]]
"""Called again for every pass over the rows; each block has shape (b, d)."""

HELD_ROWS = 512
"""Rows held in memory while all others stream past: 340 MB of 128×1292 spectrograms."""

FIT_ROWS = 4096
"""Components are fitted on at most this many rows; the cost grows with their square."""


@dataclass(frozen=True)
class Reduction:
    """Vectors `z` of shape (n, r) float64 and, where something was done to them, what."""

    z: np.ndarray
    note: str | None = None


def reduce_width(z: np.ndarray, max_dim: int, pca_dim: int, seed: int = 0) -> Reduction:
    """Principal components of `z` of shape (n, d) where d is above `max_dim`, else `z` itself.

    Keeps min(`pca_dim`, n - 1) components, the most that n centred points can have.
    """
    z = np.asarray(z, np.float64)
    n, width = z.shape
    if width <= max_dim or n < 2 or not np.isfinite(z).all():
        return Reduction(z)
    kept = min(pca_dim, n - 1)
    reduced = principal_components(lambda: iter([z]), kept, seed=seed)
    return Reduction(reduced, f"PCA {width} -> {reduced.shape[1]}")


def reduce_both(
    fitted: np.ndarray, unseen: np.ndarray, max_dim: int, pca_dim: int, seed: int = 0
) -> tuple[Reduction, Reduction]:
    """`reduce_width` of `fitted` (n, d), and `unseen` (m, d) on the same axes."""
    n, width = fitted.shape
    together = np.concatenate([fitted, unseen]).astype(np.float64)
    if width <= max_dim or n < 2 or not np.isfinite(together).all():
        return Reduction(together[:n]), Reduction(together[n:])
    reduced = principal_components(
        lambda: iter([together]), min(pca_dim, n - 1), seed=seed, fit=np.arange(len(together)) < n
    )
    note = f"PCA {width} -> {reduced.shape[1]}"
    return Reduction(reduced[:n], note), Reduction(reduced[n:], note)


def principal_components(
    blocks: Blocks,
    components: int,
    *,
    standardise: bool = False,
    seed: int = 0,
    fit: np.ndarray | None = None,
) -> np.ndarray:
    """Coordinates of all rows along their leading principal axes, shape (n, r) float64.

    Works through the Gram matrix of the centred rows, so that memory grows with the number of rows
    that are fitted and not with their width, and rows are read in passes. With up to `FIT_ROWS`
    rows all are fitted and the result is the exact PCA; beyond, a sample drawn with `seed` is
    fitted and the others are projected.

    Args:
        blocks: gives the rows, block by block, in the same order every time.
        components: how many to keep; r is at most this, and at most the rank.
        standardise: scale each dimension to unit variance first (constant ones become 0).
        seed: of the sample.
        fit: (n,) bool, the rows that mean, scale and axes are of (default: all).
    """
    fitted = blocks if fit is None else some_rows(blocks, fit)
    n, mean, scale = moments(fitted)
    if not standardise:
        scale = np.ones_like(scale)
    total = n if fit is None else len(fit)
    if n < 2:
        return np.zeros((total, 1))
    chosen = np.arange(n) if fit is None else np.flatnonzero(fit)
    if n > FIT_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, FIT_ROWS, replace=False))
    values, vectors = _leading(_gram(blocks, chosen, mean, scale), components)
    if len(chosen) == total:
        return vectors * values
    return _projected(blocks, chosen, mean, scale, values, vectors)


def some_rows(blocks: Blocks, kept: np.ndarray) -> Blocks:
    """The blocks with the rows that `kept` of shape (n,) bool names, and no others."""

    def chosen() -> Iterator[np.ndarray]:
        start = 0
        for block in blocks():
            yield block[kept[start : start + len(block)]]
            start += len(block)

    return chosen


def moments(blocks: Blocks) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of rows, mean and standard deviation (population; 1 where constant) per dimension."""
    n = 0
    mean = squares = np.zeros(0)
    for block in blocks():
        b = len(block)
        if not b:
            continue
        if not n:
            mean, squares = np.zeros(block.shape[1]), np.zeros(block.shape[1])
        # Chan, Golub and LeVeque (1979): merging blocks loses no precision to large means.
        block_mean = block.mean(axis=0, dtype=np.float64)
        shift = block_mean - mean
        block_squares = block.var(axis=0, dtype=np.float64) * b
        squares = squares + block_squares + shift**2 * (n * b / (n + b))
        mean = mean + shift * (b / (n + b))
        n += b
    deviation = np.sqrt(squares / max(n, 1))
    tiny = 1e-7 * np.maximum(np.abs(mean), 1e-30)
    return n, mean, np.where(deviation > tiny, deviation, 1.0)


def _chosen_rows(
    blocks: Blocks, chosen: np.ndarray, mean: np.ndarray, scale: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Centred and scaled rows among `chosen` as (position among the chosen, rows)."""
    start = 0
    for block in blocks():
        low, high = np.searchsorted(chosen, [start, start + len(block)])
        if low < high:
            rows = block[chosen[low:high] - start]
            yield int(low), ((rows - mean) / scale).astype(_working(block))
        start += len(block)


def _working(block: np.ndarray) -> np.dtype:
    return np.dtype(np.float64 if block.dtype == np.float64 else np.float32)


def _gram(blocks: Blocks, chosen: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    n = len(chosen)
    gram = np.zeros((n, n))
    for start in range(0, n, HELD_ROWS):
        some = chosen[start : start + HELD_ROWS]
        stop = start + len(some)
        held = None
        for offset, rows in _chosen_rows(blocks, some, mean, scale):
            if held is None:
                held = np.empty((len(some), len(mean)), rows.dtype)
            held[offset : offset + len(rows)] = rows
        if held is None:
            continue
        for offset, rows in _chosen_rows(blocks, chosen, mean, scale):
            if offset + len(rows) > start:
                gram[offset : offset + len(rows), start:stop] = rows @ held.T
    lower = np.tril(gram)
    return lower + np.tril(lower, -1).T


def _leading(gram: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Singular values and left singular vectors, largest first, signs fixed."""
    squares, vectors = np.linalg.eigh(gram)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    n = len(gram)
    real = squares > max(squares[0], 0.0) * n * np.finfo(np.float32).eps * 1e-3
    kept = max(1, min(components, n - 1, int(real.sum())))
    vectors = vectors[:, :kept]
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(kept)])
    signs[signs == 0] = 1.0
    return np.sqrt(np.maximum(squares[:kept], 0.0)), vectors * signs


def _projected(
    blocks: Blocks,
    chosen: np.ndarray,
    mean: np.ndarray,
    scale: np.ndarray,
    values: np.ndarray,
    vectors: np.ndarray,
) -> np.ndarray:
    left = vectors / np.maximum(values, np.finfo(np.float64).tiny)
    axes = np.zeros((len(mean), len(values)), np.float32)
    for offset, rows in _chosen_rows(blocks, chosen, mean, scale):
        axes += rows.T @ left[offset : offset + len(rows)].astype(rows.dtype)
    projected = [((block - mean) / scale).astype(_working(block)) @ axes for block in blocks()]
    return np.concatenate(projected).astype(np.float64)
