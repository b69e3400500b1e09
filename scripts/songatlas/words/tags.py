"""Tags of songs by musicnn's two networks, doubles joined, and which of them may be shown."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.evaluation import layout
from songatlas.files import PROJECT

RESOURCES = PROJECT / "resources"

MOST = 10
"""Tags of a song in the table."""

TAGS_OF_SONG = 5
"""A tag takes part in names where some song has it among so many of its likeliest."""

COLUMNS = ("track_id", "title", "tag", "probability", "rank")


@dataclass(frozen=True)
class SongTags:
    """`probabilities` (n, T) float64: how sure the networks are of each of `names` for each song.

    `songs` are n track ids, `names` T tags; of doubles the largest probability counts.
    """

    songs: tuple[str, ...]
    names: tuple[str, ...]
    probabilities: np.ndarray

    def shown(self) -> "SongTags":
        """Without the tags that are never shown."""
        chosen = [i for i, name in enumerate(self.names) if name not in never_shown()]
        names = tuple(self.names[i] for i in chosen)
        return SongTags(self.songs, names, self.probabilities[:, chosen])


NO_TAGS = SongTags((), (), np.zeros((0, 0)))
"""Of a run without musicnn."""


@functools.cache
def joined_names() -> dict[str, str]:
    """What each tag of a network is called here: `female voice` for `woman`."""
    frame = pd.read_csv(RESOURCES / "tags.csv", dtype=str, keep_default_na=False)
    return dict(zip(frame["tag"], frame["name"], strict=True))


@functools.cache
def spellings() -> dict[str, tuple[str, ...]]:
    """Every way to write each tag: `hip-hop`, `Hip-Hop`, `hiphop`, `rap`."""
    frame = pd.read_csv(RESOURCES / "tag_spellings.csv", dtype=str, keep_default_na=False)
    ways = {name: [name] for name in joined_names().values()}
    for tag, name in joined_names().items():
        ways[name].append(tag)
    for name, spelling in zip(frame["name"], frame["spelling"], strict=True):
        ways[name].append(spelling)
    return {name: tuple(dict.fromkeys(own)) for name, own in ways.items()}


@functools.cache
def never_shown() -> frozenset[str]:
    """Tags that name no group: opinions, decades, and what holds of every song."""
    frame = pd.read_csv(RESOURCES / "tags_never_shown.csv", dtype=str, keep_default_na=False)
    return frozenset(frame["name"])


def song_tags(parts: Sequence[str | Path]) -> SongTags:
    """Tags of all songs, in order of their ids.

    Args:
        parts: the vectors of songs of the feature `musicnn`.
    """
    ids, values = tables.read_feature(parts)
    order = np.argsort(ids)
    given = tables.read_metadata(parts[0])["tags"] if parts else []
    called = np.array([joined_names()[tag] for tag in given])
    names = tuple(dict.fromkeys(called.tolist()))
    by_network = values[order][:, values.shape[1] - len(given) :].astype(np.float64)
    joined = [by_network[:, called == name].max(axis=1) for name in names]
    probabilities = np.stack(joined, axis=1) if names else np.zeros((len(ids), 0))
    return SongTags(tuple(ids[row] for row in order), names, probabilities)


def taking_part(of: SongTags) -> np.ndarray:
    """Numbers of the tags that some song has among its likeliest, rising."""
    return np.unique(np.argsort(-of.probabilities, axis=1, kind="stable")[:, :TAGS_OF_SONG])


def top_tags(of: SongTags, most: int = MOST) -> pd.DataFrame:
    """Rows `track_id, tag, probability, rank` of each song's likeliest tags, rank from 1."""
    most = min(most, len(of.names))
    order = np.argsort(-of.probabilities, axis=1, kind="stable")[:, :most]
    return pd.DataFrame(
        {
            "track_id": np.repeat(np.array(of.songs, object), most),
            "tag": np.array(of.names, object)[order].reshape(-1),
            "probability": np.take_along_axis(of.probabilities, order, axis=1).reshape(-1),
            "rank": np.tile(np.arange(1, most + 1), len(of.songs)),
        }
    )


def write_song_tags(parts: Sequence[str | Path], titles: str | Path, csv: str | Path) -> str:
    """Write the table of every song's tags (`COLUMNS`); a line that says of how many songs.

    Args:
        parts: the vectors of songs of the feature `musicnn`.
        titles: a table `tables.LABELS`.
    """
    of = song_tags(parts)
    named = tables.read(titles, tables.LABELS, columns=["track_id", "title"])
    frame = top_tags(of).merge(named, on="track_id", how="left")
    layout.write_csv(frame.round({"probability": 4})[list(COLUMNS)], csv)
    return f"tags of {len(of.songs)} songs: {csv}"
