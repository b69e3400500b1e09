"""The songs and windows that the page shows, each with its number."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.corpus.shared_splits import shared_splits
from songatlas.report.explorer.scripts import packed


@dataclass(frozen=True)
class Catalogue:
    """`songs`: tracks with their labels; `windows`: with the column `song`, a row of `songs`.

    Both are in order of their ids; everything else on the page refers to their row numbers.
    """

    songs: pd.DataFrame
    windows: pd.DataFrame

    def song_rows(self, track_ids: Sequence[str] | pd.Series) -> np.ndarray:
        """Row of every song, int32; -1 where it is not in the catalogue."""
        return _rows(self.songs["track_id"], track_ids)

    def window_rows(self, window_ids: Sequence[str] | pd.Series) -> np.ndarray:
        """Row of every window, int32; -1 where it is not in the catalogue."""
        return _rows(self.windows["window_id"], window_ids)


def read_catalogue(
    tracks: str | Path,
    labels: str | Path,
    windows: str | Path,
    near_copies: str | Path | None = None,
) -> Catalogue:
    """Join a corpus's tables; near copies are shown in the split that they share.

    Raises:
        TableError: when a table is missing or breaks its schema.
    """
    return catalogue(
        shared_splits(tables.read(tracks, tables.TRACKS), near_copies),
        tables.read(labels, tables.LABELS),
        tables.read(windows, tables.WINDOWS),
    )


def catalogue(tracks: pd.DataFrame, labels: pd.DataFrame, windows: pd.DataFrame) -> Catalogue:
    """Songs in order of `track_id`, windows in order of song and time."""
    songs = tracks.merge(labels, on="track_id", how="left").sort_values("track_id")
    songs = songs.reset_index(drop=True)
    windows = windows.assign(song=_rows(songs["track_id"], windows["track_id"]))
    windows = windows[windows["song"] >= 0].sort_values(["song", "index"])
    return Catalogue(songs, windows.reset_index(drop=True))


def described(found: Catalogue) -> dict[str, Any]:
    """Songs and windows for the page: texts as lists, numbers packed."""
    songs, windows = found.songs, found.windows
    return {
        "songs": {
            "id": list(songs["track_id"]),
            "title": texts(songs["title"]),
            "artist": texts(songs["artist"]),
            "license": texts(songs["license"]),
            "duration_s": packed(songs["duration_s"].to_numpy(np.float32, na_value=np.nan)),
        },
        "windows": {
            "song": packed(windows["song"].to_numpy(np.int32)),
            "start_s": packed(windows["start_s"].to_numpy(np.float32)),
            "end_s": packed(windows["end_s"].to_numpy(np.float32)),
        },
    }


def texts(column: pd.Series) -> list[str | None]:
    """Values as text; None where there is none."""
    return [None if pd.isna(value) or value == "" else str(value) for value in column]


def _rows(ids: pd.Series, wanted: Sequence[str] | pd.Series) -> np.ndarray:
    return pd.Index(ids).get_indexer(pd.Index(wanted)).astype(np.int32)
