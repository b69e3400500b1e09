"""The songs nearest to each song under one model, and which modality makes them near."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from songatlas.clustering.views import balanced
from songatlas.report.explorer.scripts import packed

Scope = Literal["any", "same", "other"]
"""Which songs count: all, those in the song's language, those in another one."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

NOBODY = -1
"""Stands where a song has fewer neighbours than others have."""

CHUNK = 256
"""Songs whose distances are computed at a time."""


@dataclass(frozen=True)
class Neighbours:
    """`rows` (n, m) are the nearest songs, nearest first, `distances` (n, m) how far they are.

    Where a song has fewer, the rest is `NOBODY` at an infinite distance.

    `shares` (n, m, b) splits each squared distance by block; its last axis sums to 1. Distances are
    Euclidean in units of the median distance between two songs.
    """

    rows: np.ndarray
    distances: np.ndarray
    blocks: tuple[str, ...]
    shares: np.ndarray


def neighbours(
    z: np.ndarray,
    most: int,
    blocks: Mapping[str, tuple[int, int]] | None = None,
    seed: int = 0,
    languages: np.ndarray | None = None,
    scope: Scope = "any",
) -> Neighbours:
    """The `most` nearest of every row of `z` (n, d).

    With `blocks` (name -> columns from, to) each is brought to total variance 1 first, as before
    clustering (`clustering.views`); a block that a song lacks is zero, the mean of the others.
    `languages` (n,) are codes, -1 unknown; a `scope` but for `any` compares with them, and a song
    whose language is not known is in no language and in no other.
    """
    names = tuple(blocks or ())
    points = balanced(z, blocks) if blocks else np.asarray(z, np.float64)
    n = len(points)
    most = max(min(most, n - 1), 0)
    rows = np.zeros((n, most), np.int32)
    distances = np.zeros((n, most), np.float32)
    squares = (points**2).sum(axis=1)
    for start in range(0, n, CHUNK) if most else ():
        some = points[start : start + CHUNK]
        d2 = np.maximum(squares[start : start + CHUNK, None] + squares - 2 * some @ points.T, 0.0)
        d2[np.arange(len(some)), start + np.arange(len(some))] = np.inf
        if languages is not None and scope != "any":
            d2[~_in_scope(languages[start : start + CHUNK], languages, scope)] = np.inf
        best = np.argpartition(d2, most - 1, axis=1)[:, :most]
        near = np.take_along_axis(d2, best, axis=1)
        order = np.lexsort((best, near), axis=1)
        near = np.take_along_axis(near, order, axis=1)
        best = np.take_along_axis(best, order, axis=1)
        rows[start : start + CHUNK] = np.where(np.isfinite(near), best, NOBODY)
        distances[start : start + CHUNK] = np.sqrt(near)
    shares = np.zeros((n, most, len(names)), np.float32)
    for column, block in enumerate(names):
        first, last = (blocks or {})[block]
        apart = points[:, None, first:last] - points[rows, first:last]
        shares[..., column] = (apart**2).sum(axis=-1)
    total = shares.sum(axis=-1, keepdims=True)
    shares = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
    return Neighbours(rows, distances / typical_distance(points, seed), names, shares)


def _in_scope(own: np.ndarray, all_of: np.ndarray, scope: Scope) -> np.ndarray:
    """Whether each of all songs is in the language of each of some, or in another; bool."""
    same = own[:, None] == all_of[None, :]
    known = (own[:, None] >= 0) & (all_of[None, :] >= 0)
    return np.asarray(known & (same if scope == "same" else ~same))


def typical_distance(points: np.ndarray, seed: int) -> float:
    """Median distance between two rows, of at most 2,000 random pairs; 1 where it is zero."""
    if len(points) < 2:
        return 1.0
    pairs = np.random.default_rng(seed).integers(0, len(points), (2000, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    apart = np.sqrt(((points[pairs[:, 0]] - points[pairs[:, 1]]) ** 2).sum(axis=1))
    return float(np.median(apart)) or 1.0


def described(found: Neighbours, songs: np.ndarray) -> dict[str, Any]:
    """For the page; `songs` (n,) numbers the rows of `z` in the catalogue."""
    return {
        "song": packed(songs.astype(np.int32)),
        "most": found.rows.shape[1],
        "near": packed(np.where(found.rows < 0, NOBODY, songs[found.rows]).astype(np.int32)),
        "distance": packed(found.distances),
        "blocks": list(found.blocks),
        "share": packed(np.round(found.shares * 255).astype(np.uint8)),
    }
