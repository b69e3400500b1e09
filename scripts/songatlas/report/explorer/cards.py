"""Clusters as cards: size, purity, songs at the centre, tags, sound, words, and a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from songatlas.evaluation.bootstrap import clopper_pearson
from songatlas.words.describe import Difference, differences
from songatlas.words.measures import Kind, Measured
from songatlas.words.words import Counts, distinctive


def purities(
    labels: np.ndarray, codes: np.ndarray, songs: np.ndarray, n_classes: int
) -> list[dict[str, Any]]:
    """Per cluster: `counts` of classes, and `purity`, the largest class's share.

    The interval (95%, Clopper and Pearson 1934) is that of a share of the cluster's songs: windows
    of one song are alike, so it does not shrink with their number. Items without a class are left
    out; a cluster without any class has `purity` None.

    Args:
        labels: cluster of every item, shape (n,); -1 is noise.
        codes: class of every item, -1 where unknown.
        songs: song of every item.
    """
    found = []
    for cluster in range(int(labels.max(initial=-1)) + 1):
        inside = (labels == cluster) & (codes >= 0)
        counts = np.bincount(codes[inside], minlength=n_classes)
        row: dict[str, Any] = {"counts": counts.tolist(), "purity": None, "ci": None}
        if counts.sum():
            purity = float(counts.max() / counts.sum())
            n_songs = len(np.unique(songs[inside]))
            low, high = clopper_pearson(purity * n_songs, n_songs)
            row["purity"] = round(purity, 4)
            row["ci"] = [round(max(low, 1.0 / n_classes), 4), round(high, 4)]  # none is below that
        found.append(row)
    return found


CENTRES = 3
"""How many items nearest to the cluster's mean a card plays."""

MOST_DIFFERENCES = 4
"""Tags of a card, and words for its sound."""


@dataclass(frozen=True)
class Classes:
    """A label with few values: `names`, and the code of every item, shape (n,), -1 unknown."""

    key: str
    names: tuple[str, ...]
    codes: np.ndarray


@dataclass(frozen=True)
class Items:
    """What is clustered at one level (songs or windows), beside their latents.

    `songs` (n,) numbers the song of every item, `measured` holds their tags and descriptors.
    """

    songs: np.ndarray
    classes: tuple[Classes, ...]
    measured: Measured
    words: Mapping[str, Counts]

    @property
    def languages(self) -> np.ndarray:
        """Code of every item's language, shape (n,); -1 where it is not known."""
        found = [one.codes for one in self.classes if one.key == "language"]
        return found[0] if found else np.full(len(self.songs), -1)


def cards(
    items: Items, labels: np.ndarray, z: np.ndarray, names: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """One card per cluster, in order of the labels.

    Args:
        labels: cluster of every item, shape (n,); -1 where it is noise or was not clustered.
        z: latents of the items, shape (n, d); rows of items without one are not looked at.
        names: what the clusters are called, where they were named.
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    of_class = {
        classes.key: purities(labels, classes.codes, items.songs, len(classes.names))
        for classes in items.classes
    }
    apart = differences(items.measured, labels)
    words = distinctive(items.words, labels)
    found = []
    for cluster in range(n_clusters):
        inside = np.flatnonzero(labels == cluster)
        found.append(
            {
                "cluster": cluster,
                "size": len(inside),
                "songs": len(np.unique(items.songs[inside])),
                "centre": centre(z, inside, items.songs).tolist(),
                "classes": {key: rows[cluster] for key, rows in of_class.items()},
                "tags": shown(apart[cluster], "tag"),
                "sound": shown(apart[cluster], "sound"),
                "words": words[cluster],
                "name": None if names is None else names[cluster],
            }
        )
    return found


def centre(z: np.ndarray, inside: np.ndarray, songs: np.ndarray) -> np.ndarray:
    """The items nearest to their mean, at most one of a song.

    The first is the medoid under the squared distance: no item is nearer to all others together.
    """
    if not len(inside):
        return inside
    distance = ((z[inside] - z[inside].mean(axis=0)) ** 2).sum(axis=1)
    ordered = inside[np.argsort(distance, kind="stable")]
    _, first = np.unique(songs[ordered], return_index=True)
    return ordered[np.sort(first)[:CENTRES]]


def shown(apart: Sequence[Difference], kind: Kind) -> list[dict[str, Any]]:
    """A cluster's clearest differences of one kind; `g` is None where nothing varies within."""
    chosen = [one for one in apart if one.measure.kind == kind][:MOST_DIFFERENCES]
    return [
        {
            "label": one.measure.label,
            "word": one.word,
            "g": round(one.g, 2) if np.isfinite(one.g) else None,
        }
        for one in chosen
    ]
