"""Cutting songs into windows, and giving each window the lyrics that are sung in it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from songatlas import tables

TOLERANCE = 1e-9
"""In hops: durations that are a whole number of hops but for rounding count as that."""


def window_counts(durations_s: np.ndarray, length_s: float, hop_s: float) -> np.ndarray:
    """Windows per song: floor((duration - length) / hop) + 1, and one padded window if shorter.

    Args:
        durations_s: Shape (n,), in seconds.

    Returns:
        Integers of shape (n,), at least 1.
    """
    hops = (np.asarray(durations_s, np.float64) - length_s) / hop_s
    return np.maximum(np.floor(hops + TOLERANCE), 0).astype(np.int64) + 1


def cut_windows(tracks: pd.DataFrame, length_s: float, hop_s: float) -> pd.DataFrame:
    """Windows (`tables.WINDOWS`, `lyrics` null) of the tracks that have a duration, in order.

    A song shorter than a window gets one window, flagged `padded`, that reaches beyond its end.
    """
    songs = tracks[tracks["duration_s"].notna()]
    if songs.empty:
        return tables.empty(tables.WINDOWS)
    durations = songs["duration_s"].to_numpy(np.float64)
    counts = window_counts(durations, length_s, hop_s)
    index = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    start = index * hop_s
    song = songs.iloc[np.repeat(np.arange(len(songs)), counts)].reset_index(drop=True)
    return pd.DataFrame(
        {
            "window_id": song["track_id"]
            + "-"
            + pd.Series([f"{i:04d}" for i in index], dtype="str"),
            "track_id": song["track_id"],
            "index": index.astype(np.int32),
            "start_s": start,
            "end_s": start + length_s,
            "split": song["split"],
            "padded": np.repeat((durations - length_s) / hop_s < -TOLERANCE, counts),
            "lyrics": pd.Series(None, range(len(index)), "str"),
        }
    )


def window_lyrics(
    windows: pd.DataFrame, lines: pd.DataFrame, song_lyrics: Mapping[str, str]
) -> pd.Series:
    """Lyrics of each window: the lines that overlap it where its song has time stamps.

    A window of a song with time stamps in which nothing is sung has none; a song without time
    stamps gives each of its windows the whole text.

    Args:
        windows: `tables.WINDOWS`.
        lines: `tables.LINES`, sorted by track and start.
        song_lyrics: Text by track id, of the songs that have lyrics.
    """
    groups = {
        str(track_id): (group["start_s"].to_numpy(), group["end_s"].to_numpy(), list(group["text"]))
        for track_id, group in lines.groupby("track_id", sort=False)
    }
    texts: list[str | None] = []
    spans = zip(windows["track_id"], windows["start_s"], windows["end_s"], strict=True)
    for track_id, start, end in spans:
        if track_id not in groups:
            texts.append(song_lyrics.get(track_id))
            continue
        starts, ends, words = groups[track_id]
        # A line without duration sounds in the window that it begins in.
        inside = (starts < end) & ((ends > start) | (starts >= start))
        texts.append(_joined(words, np.flatnonzero(inside)))
    return pd.Series(texts, index=windows.index, dtype="str")


def _joined(words: Sequence[str], places: np.ndarray) -> str | None:
    return "\n".join(words[place] for place in places) if len(places) else None
