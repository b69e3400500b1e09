"""Near copies: one recording in several encodings (bit rate, encoder, container), found by sound.

Songs that last equally long are compared by their vectors of `musicnn`. Where two are near each
other, the course of the vectors over their windows must agree too: songs that merely sound alike
from beginning to end are no copies. docs/inputs.md has the measured error rates.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables

WIDTH = 400
"""Values of `musicnn` that are compared: both networks' penultimate layers."""

DURATION_S = 1.0
"""Largest difference of two copies' durations: encoders pad, editions cut a little."""

DISTANCE = 3.0
"""Largest Euclidean distance of two copies' vectors of songs."""

COURSE = 0.9
"""Smallest correlation of two copies' courses."""

COURSE_WINDOWS = 3
"""Fewer windows than this have no course: there the distance decides alone."""

SHORT_S = 5.0
SHORT_DISTANCE = 5.0
"""Largest distance of songs that are shorter than `SHORT_S`: one patch of `musicnn` or two, whose
vector depends on the encoding more than the mean of many does."""

BLOCK_ROWS = 1024
CHUNK_ROWS = 16384
"""Songs that are compared at a time: 64 MB of distances."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of songs: `left` and `right` (m,) are rows, `distance` (m,) float64."""

    left: np.ndarray
    right: np.ndarray
    distance: np.ndarray

    def where(self, chosen: np.ndarray) -> "Pairs":
        """The pairs that a mask of shape (m,) chooses."""
        return Pairs(self.left[chosen], self.right[chosen], self.distance[chosen])


def near_copies(
    tracks: pd.DataFrame,
    windows: pd.DataFrame,
    song_parts: Sequence[str | Path],
    window_parts: Sequence[str | Path],
    seen: pd.DataFrame,
) -> pd.DataFrame:
    """Groups of near copies (`tables.NEAR_COPIES`), sorted by group and song.

    Args:
        tracks: `track_id, duration_s, split` of songs.
        windows: `window_id, track_id, start_s`.
        song_parts: the vectors of songs of the feature `musicnn`.
        window_parts: its vectors of windows.
        seen: when the run got each song (`tables.SONGS_SEEN`).

    Raises:
        TableError: when a part is missing or is no feature.
    """
    ids, z = _vectors(song_parts)
    durations_s = tracks.set_index("track_id")["duration_s"].reindex(ids).to_numpy(np.float64)
    pairs = near_pairs(z, durations_s)
    alike = [ids[row] for row in np.union1d(pairs.left, pairs.right)]
    courses = _courses(windows[windows["track_id"].isin(alike)], window_parts)
    agreement = [
        correlation(courses[ids[left]], courses[ids[right]])
        for left, right in zip(pairs.left, pairs.right, strict=True)
    ]
    # Of songs without a course the agreement is NaN, which is not below anything.
    copies = pairs.where(~(np.array(agreement, np.float64) < COURSE))
    return groups(ids, copies, tracks, seen)


def near_pairs(z: np.ndarray, durations_s: np.ndarray) -> Pairs:
    """Songs that last equally long (`DURATION_S`) and sound alike (`DISTANCE`, `SHORT_DISTANCE`).

    Every song is compared with those that last up to `DURATION_S` longer: of a million songs with
    a thousand a second, each with a thousand.

    Args:
        z: (n, d) float32.
        durations_s: (n,), in seconds.
    """
    order = np.argsort(durations_s, kind="stable")
    sorted_z, sorted_s = z[order], durations_s[order]
    reach = np.where(sorted_s < SHORT_S, SHORT_DISTANCE, DISTANCE)
    square = np.einsum("nd,nd->n", sorted_z, sorted_z)
    found = [np.zeros((2, 0), np.int64)]
    for block, chunk in _blocks(sorted_s):
        apart = square[block, None] + square[chunk] - 2.0 * (sorted_z[block] @ sorted_z[chunk].T)
        # A little more than the reach: these are float32, and measured exactly below.
        rows, columns = np.nonzero(apart <= (1.01 * reach[block, None]) ** 2)
        found.append(np.stack([rows + block.start, columns + chunk.start]))
    left, right = np.concatenate(found, axis=1)
    exact = sorted_z[left].astype(np.float64) - sorted_z[right]
    pairs = Pairs(order[left], order[right], np.linalg.norm(exact, axis=1))
    longer_s = sorted_s[right] - sorted_s[left]
    near = (longer_s <= DURATION_S) & (pairs.distance <= reach[right])
    return pairs.where(near & (left < right))


def _blocks(sorted_s: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Rows, and rows not before them, that hold every pair within `DURATION_S`."""
    for start in range(0, len(sorted_s), BLOCK_ROWS):
        block = slice(start, min(start + BLOCK_ROWS, len(sorted_s)))
        last = sorted_s[block.stop - 1] + DURATION_S
        stop = int(np.searchsorted(sorted_s, last, side="right"))
        for first in range(start, stop, CHUNK_ROWS):
            yield block, slice(first, min(first + CHUNK_ROWS, stop))


def correlation(left: np.ndarray, right: np.ndarray) -> float:
    """How the courses (w, d) of two songs agree, from -1 to 1; NaN where one has no course.

    A course is what a song's windows have beyond their mean; a surplus window at the end of one
    song is left out.
    """
    n = min(len(left), len(right))
    if n < COURSE_WINDOWS:
        return np.nan
    one, two = (each[:n] - each[:n].mean(axis=0) for each in (left, right))
    size = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float((one * two).sum() / size) if size else np.nan


def groups(
    ids: Sequence[str], copies: Pairs, tracks: pd.DataFrame, seen: pd.DataFrame
) -> pd.DataFrame:
    """Songs that are copies of each other, or of a copy (`tables.NEAR_COPIES`).

    A group takes the split of the song that the run had first, of several the smallest id.
    """
    nearest = _nearest(copies)
    frame = pd.DataFrame(
        {
            "track_id": [ids[row] for row in nearest],
            "component": _components(len(ids), copies)[list(nearest)],
            "distance": list(nearest.values()),
        }
    )
    frame = frame.merge(tracks[["track_id", "split"]], on="track_id").merge(seen, on="track_id")
    frame = frame.sort_values(["first_seen", "track_id"], ignore_index=True)
    frame["split"] = frame.groupby("component")["split"].transform("first")
    frame["first"] = ~frame["component"].duplicated()
    frame["group"] = frame.groupby("component", sort=False).ngroup()
    frame = frame.sort_values(["group", "first", "track_id"], ascending=[True, False, True])
    return frame[list(tables.NEAR_COPIES.columns)].reset_index(drop=True)


def _nearest(copies: Pairs) -> dict[int, float]:
    """By row of every copy: the distance to its nearest copy."""
    nearest: dict[int, float] = {}
    for ends in (copies.left, copies.right):
        for row, distance in zip(ends.tolist(), copies.distance.tolist(), strict=True):
            nearest[row] = min(distance, nearest.get(row, np.inf))
    return nearest


def _components(n: int, copies: Pairs) -> np.ndarray:
    """The number of the connected component of every row, (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(copies.left)), (copies.left, copies.right)), shape=(n, n))
    return np.asarray(connected_components(edges, directed=False)[1])


def songs_seen(tracks: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """When the run got each song (`tables.SONGS_SEEN`), given what it wrote `before`.

    `first_seen` is 0 of the songs that it began with, and counts on whenever others come. Songs
    that have left are remembered: one that comes back is no newcomer.
    """
    before = tables.empty(tables.SONGS_SEEN) if before is None else before
    new = sorted(set(tracks["track_id"]) - set(before["track_id"]))
    number = 0 if before.empty else int(before["first_seen"].max()) + 1
    added = pd.DataFrame({"track_id": new, "first_seen": number})
    parts = [part for part in (before, added) if len(part)]
    return pd.concat(parts).sort_values("track_id", ignore_index=True)


def _vectors(parts: Sequence[str | Path]) -> tuple[list[str], np.ndarray]:
    """Ids and (n, WIDTH) float32 of the rows whose values are finite, sorted by id."""
    ids, values = tables.read_feature(parts)
    values = values.reshape(len(values), -1)[:, :WIDTH]
    finite = np.flatnonzero(np.isfinite(values).all(axis=1))
    order = sorted(finite.tolist(), key=ids.__getitem__)
    return [ids[row] for row in order], values[order]


def _courses(windows: pd.DataFrame, parts: Sequence[str | Path]) -> Mapping[str, np.ndarray]:
    """By song: the vectors (w, WIDTH) of its windows in order of time."""
    wanted = set(windows["window_id"])
    vector_of: dict[str, np.ndarray] = {}
    for ids, values in tables.iter_feature(parts if wanted else []):
        vector_of |= {i: v[:WIDTH] for i, v in zip(ids, values, strict=True) if i in wanted}
    in_order = windows[windows["window_id"].isin(set(vector_of))].sort_values("start_s")
    return {
        str(song): np.stack([vector_of[window] for window in rows["window_id"]])
        for song, rows in in_order.groupby("track_id")
    }
