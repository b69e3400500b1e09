"""Clusters as cards: size, purity, songs at the centre, sound, words, and a name from these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from songatlas.explorer.attributes import Descriptor
from songatlas.explorer.effects import described, effect_sizes
from songatlas.explorer.purity import purities
from songatlas.explorer.words import Counts, distinctive

CENTRES = 3
"""How many items nearest to the cluster's mean a card plays."""

DOMINANT = 0.6
"""A class with this share of a cluster stands in its name."""

WORDS_IN_NAME = 2


@dataclass(frozen=True)
class Classes:
    """A label with few values: `names`, and the code of every item, shape (n,), -1 unknown."""

    key: str
    names: tuple[str, ...]
    codes: np.ndarray


@dataclass(frozen=True)
class Items:
    """What is clustered at one level (songs or windows), beside their latents.

    `songs` (n,) numbers the song of every item, `descriptors` (n, D) are of `DESCRIPTORS`.
    """

    songs: np.ndarray
    classes: tuple[Classes, ...]
    descriptors: np.ndarray
    names: tuple[Descriptor, ...]
    words: Mapping[str, Counts]


def cards(items: Items, labels: np.ndarray, z: np.ndarray) -> list[dict[str, Any]]:
    """One card per cluster, in order of the labels.

    Args:
        labels: cluster of every item, shape (n,); -1 where it is noise or was not clustered.
        z: latents of the items, shape (n, d); rows of items without one are not looked at.
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    of_class = {
        classes.key: purities(labels, classes.codes, items.songs, len(classes.names))
        for classes in items.classes
    }
    effects = effect_sizes(items.descriptors, labels)
    words = distinctive(items.words, labels)
    found = []
    for cluster in range(n_clusters):
        inside = np.flatnonzero(labels == cluster)
        sound = described(effects[cluster], items.names)
        classes = {key: rows[cluster] for key, rows in of_class.items()}
        found.append(
            {
                "cluster": cluster,
                "size": len(inside),
                "songs": len(np.unique(items.songs[inside])),
                "centre": centre(z, inside, items.songs).tolist(),
                "classes": classes,
                "sound": sound,
                "words": words[cluster],
                "name": name(items.classes, classes, sound),
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


def name(
    classes: Sequence[Classes],
    of_cluster: Mapping[str, Mapping[str, Any]],
    sound: Sequence[Mapping[str, Any]],
) -> str:
    """ "Fast, bright hip-hop in French": the clearest effects, and the classes that dominate."""
    adjectives = [str(item["word"]) for item in sound if item["word"]][:WORDS_IN_NAME]
    dominant = {}
    for item in classes:
        found = of_cluster[item.key]
        if found["purity"] is not None and found["purity"] >= DOMINANT:
            dominant[item.key] = item.names[int(np.argmax(found["counts"]))]
    noun = dominant.get("genre", "songs" if adjectives or "language" in dominant else "mixed songs")
    text = " ".join(part for part in (", ".join(adjectives), noun) if part)
    if "language" in dominant:
        text += f" in {dominant['language']}"
    return text[:1].upper() + text[1:]
