"""What songs are measured by: descriptors with plain words, or tags by a joint model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.features import Pretrained
from songatlas.features.audio.descriptors import PITCHES
from songatlas.words.joint import songs_of_encoder
from songatlas.words.scores import unit
from songatlas.words.vocabulary import Tag

SIGNS = dict(
    zip(PITCHES, ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"), strict=True)
)
"""Pitches as musicians write them, by their names among the descriptors."""


def descriptor_values(parts: Sequence[str | Path], windows: pd.DataFrame) -> pd.DataFrame:
    """Means of every descriptor over the windows of each song; index: track_id, sorted.

    Args:
        parts: the feature `descriptors`.
        windows: `window_id, track_id`.
    """
    names = tables.read_metadata(parts[0])["names"]
    track_of = dict(zip(windows["window_id"], windows["track_id"], strict=True))
    blocks = [
        pd.DataFrame(
            np.asarray(block).reshape(len(ids), -1),
            index=[track_of[window_id] for window_id in ids],
            columns=names,
        )
        for ids, block in tables.iter_feature(parts)
    ]
    if not blocks:
        return pd.DataFrame(columns=names)
    return pd.concat(blocks).groupby(level=0).mean()


def tagged(
    parts: Sequence[str | Path],
    windows: pd.DataFrame,
    tags: Sequence[Tag],
    encoder: str,
    settings: Pretrained,
) -> tuple[list[str], np.ndarray]:
    """Songs, and their similarity to every tag, (n, T).

    A tag is the mean of its prompts' unit vectors (Radford et al. 2021).

    Raises:
        SongatlasError: as `load_joint_encoder`.
    """
    from songatlas.features.encoders.load import load_joint_encoder

    joint = load_joint_encoder(encoder, settings)
    vectors = unit(np.stack([unit(joint.embed_text(tag.prompts)).mean(axis=0) for tag in tags]))
    songs, audio = songs_of_encoder(parts, windows, vectors.shape[1])
    return songs, audio @ vectors.T


def key_of(row: pd.Series) -> str | None:
    """`G major`: the key whose profile correlates most with the song; None where unknown."""
    names = [f"key_{pitch}_{mode}" for mode in ("major", "minor") for pitch in PITCHES]
    known = row.reindex(names).astype(float)
    if not np.isfinite(known).any():
        return None
    _, pitch, mode = str(known.idxmax()).split("_")
    return f"{SIGNS[pitch]} {mode}"
