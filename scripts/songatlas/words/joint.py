"""Songs in the joint space of a published encoder of audio and texts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.words.scores import Pairs, unit


def songs_of_encoder(
    parts: Sequence[str | Path], windows: pd.DataFrame, dim: int
) -> tuple[list[str], np.ndarray]:
    """Songs and the mean of their windows' vectors in a joint space of `dim`, (n, dim) float64.

    Args:
        parts: the encoder's feature, whose last `dim` values are the joint space.
        windows: `window_id, track_id`.
    """
    track_of = dict(zip(windows["window_id"], windows["track_id"], strict=True))
    sums: dict[str, np.ndarray] = {}
    for ids, block in tables.iter_feature(parts):
        joint = unit(np.asarray(block).reshape(len(ids), -1)[:, -dim:])
        for window_id, vector in zip(ids, joint, strict=True):
            track = track_of[window_id]
            sums[track] = sums.get(track, 0.0) + vector
    songs = sorted(sums)
    return songs, unit(np.stack([sums[song] for song in songs]) if songs else np.zeros((0, dim)))


def encoded_pairs(parts: Sequence[str | Path], windows: pd.DataFrame, lyrics: str | Path) -> Pairs:
    """Songs with audio and lyrics in an encoder's joint space; it was trained on none of them.

    Args:
        parts: the encoder's feature.
        windows: `window_id, track_id`.
        lyrics: the feature of `write_lyrics_vectors`, of songs that have lyrics.
    """
    read = {
        track: vector
        for ids, block in tables.iter_feature([lyrics])
        for track, vector in zip(ids, np.asarray(block, np.float64), strict=True)
    }
    dim = int(tables.read_metadata(lyrics)["shape"][0])
    songs, heard = songs_of_encoder(parts, windows, dim)
    both = [row for row, track in enumerate(songs) if track in read]
    tracks = tuple(songs[row] for row in both)
    words = np.array([read[track] for track in tracks]).reshape(len(tracks), dim)
    return Pairs(tracks, np.ones(len(tracks), bool), heard[both], words)
