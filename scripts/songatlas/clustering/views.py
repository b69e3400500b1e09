"""Views of a model that reads audio and lyrics: clustered by sound, by words, and together.

`sound` and `words` are its latents with the other modality hidden, of the songs that have the one,
as the model scales them. `together` is the whole latent; where it consists of blocks each has equal
variance, since units of sound and of words cannot be compared. What reads one modality has one
view, which is null in tables.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.levels import (
    Attempt,
    Points,
    attempts,
    points_of,
    song_votes,
    voting_songs,
)
from songatlas.config.base import SongSet
from songatlas.config.clustering import Clustering

SOUND, WORDS, TOGETHER = tables.VIEWS


def of_view(frame: pd.DataFrame, view: str = TOGETHER) -> pd.DataFrame:
    """Rows of one view, and of everything that has no views (as in files from before them)."""
    if "view" not in frame:
        return frame
    return frame[frame["view"].isna() | (frame["view"] == view)]


def named_by_view(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the view behind the `model` where there is one: `fusion_late (sound)`."""
    if "view" not in frame:
        return frame
    names = frame["model"].astype(object)
    labels = names + " (" + frame["view"].astype(object) + ")"
    return frame.assign(model=names.where(frame["view"].isna(), labels))


def blocks_of(info: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Named parts of the vectors, as (start, stop), by the metadata of a latents table."""
    return {name: (start, stop) for name, (start, stop) in (info.get("blocks") or {}).items()}


def even(
    points: Points, blocks: Mapping[str, tuple[int, int]], like: Points | None = None
) -> Points:
    """Points whose `blocks` are `balanced`; as they are without blocks or with NaN or infinity."""
    known = points if like is None else like
    if not blocks or not (np.isfinite(points.z).all() and np.isfinite(known.z).all()):
        return points
    return replace(points, z=balanced(points.z, blocks, known.z))


def balanced(
    z: np.ndarray, blocks: Mapping[str, tuple[int, int]], like: np.ndarray | None = None
) -> np.ndarray:
    """Blocks of `z` (n, d) centred and scaled to total variance 1 over rows that have them.

    With `like` (m, d) the means and variances are of its rows. A block of zeros is missing and
    stays zeros, which is the mean of the others: it neither draws its song to a cluster nor away.
    Constant blocks become zeros.
    """
    found = np.zeros_like(np.asarray(z, np.float64))
    for start, stop in blocks.values():
        part = np.asarray(z[:, start:stop], np.float64)
        there = part.any(axis=1)
        known = part[there]
        if like is not None:
            known = np.asarray(like[:, start:stop], np.float64)
            known = known[known.any(axis=1)]
        if not there.any() or not len(known):
            continue
        mean = known.mean(axis=0)
        total = (known - mean).var(axis=0).sum()
        if total > np.finfo(np.float32).eps:
            found[there, start:stop] = (part[there] - mean) / np.sqrt(total)
    return found


def clustered_levels(
    latents: pd.DataFrame,
    view: str | None,
    clustering: Clustering,
    classes_of: Callable[[str, Sequence[str]], list[int]],
    *,
    clustered_on: SongSet,
    fitted_on: SongSet,
    seed: int,
    blocks: Mapping[str, tuple[int, int]],
) -> Iterator[list[Attempt]]:
    """Clusterings of one view level by level, in the order of `clustering.levels`.

    Args:
        latents: rows of the latents table.
        classes_of: by a level and its songs, the tasks' numbers of classes.
        clustered_on, fitted_on: the songs that take clusters, and those that clusterers are fitted
            on.
        blocks: named parts of `latents`, which are brought to equal variance.
    """
    parts = {} if view in (SOUND, WORDS) else blocks
    points, fitted = {}, {}
    for level in ("window", "song"):
        clustered_points = points_of(latents, level, clustered_on, view)
        known = points_of(latents, level, fitted_on) if fitted_on != clustered_on else None
        points[level] = even(clustered_points, parts, known)
        fitted[level] = None if known is None else even(known, parts)
    done: dict[str, list[Attempt]] = {}

    def clustered(level: str) -> list[Attempt]:
        if level not in done:
            classes = classes_of(level, points[level].track_ids)
            done[level] = attempts(points[level], clustering, classes, seed, fitted[level])
        return done[level]

    for level in clustering.levels:
        if level == "song_vote":
            yield song_votes(clustered("window"), voting_songs(points["window"], points["song"]))
        else:
            yield clustered(level)
