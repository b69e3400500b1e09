"""Lyrics in the space of a published encoder of audio and texts."""

from pathlib import Path

import numpy as np

from songatlas import tables
from songatlas.config.features import Pretrained
from songatlas.features.lyrics.clean import clean
from songatlas.features.lyrics.features import spread
from songatlas.words.scores import unit


def write_lyrics_vectors(
    tracks: str | Path, path: str | Path, *, encoder: str, settings: Pretrained, max_lines: int
) -> str:
    """Write every song's lyrics as one vector of an encoder's joint space: a feature by track_id.

    These encoders learned from phrases, not from whole lyrics, and read a few hundred words at
    most: a song is the mean over its lines (at most `max_lines`, at even distances) of their unit
    vectors.

    Args:
        tracks: a table `tables.TRACKS`.
        path: of the feature.
        encoder: name of its card.
        settings: where its weights are, and the device.
        max_lines: lines of a song that are read.

    Returns:
        A line that says how many songs have lyrics.

    Raises:
        SongatlasError: as `load_joint_encoder`.
    """
    from songatlas.features.encoders.load import load_joint_encoder

    songs = tables.read(tracks, tables.TRACKS, columns=["track_id", "lyrics"]).dropna()
    lines_of = {}
    for track, lyrics in songs.sort_values("track_id").itertuples(index=False):
        lines = [line for line in clean(lyrics).split("\n") if line.strip()]
        if lines:
            lines_of[str(track)] = spread(lines, max_lines)
    joint = load_joint_encoder(encoder, settings)
    dim = joint.layers[-1].dim
    said = list(dict.fromkeys(line for lines in lines_of.values() for line in lines))
    vectors = unit(joint.embed_text(said)) if said else np.zeros((0, dim))
    row_of = {line: row for row, line in enumerate(said)}
    means = [vectors[[row_of[line] for line in lines]].mean(axis=0) for lines in lines_of.values()]
    values = np.array(means, np.float32).reshape(len(lines_of), dim)
    tables.write_feature(
        path, f"lyrics-{encoder}", list(lines_of), values, key="track_id", units="1"
    )
    return f"{len(lines_of)} songs with lyrics, {len(said)} lines"
