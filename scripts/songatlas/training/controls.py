"""Controls: the same model on windows or labels that were dealt out at random, or untrained."""

import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from songatlas.training.control_notes import UNTRAINED
from songatlas.training.data import Windows


def controlled(windows: Windows, control: str, seed: int) -> Windows:
    """What a control is trained on and embeds; `control` is empty for a model that is none.

    A function of the songs, the control and, for labels, the training's seed, so that training and
    embedding see the same. Windows are dealt once for all seeds, as songs are split once: scores of
    several seeds are then of the same windows.

    Raises:
        ValueError: for a control that does not exist.
    """
    if not control or control == UNTRAINED:
        return windows
    own = zlib.crc32(control.encode())
    if control == "random_windows":
        return _deal_windows(windows, np.random.default_rng(own))
    if control == "shuffled_labels":
        return _shuffle_labels(windows, np.random.default_rng([seed, own]))
    raise ValueError(f"unknown control `{control}`")


def _deal_windows(windows: Windows, rng: np.random.Generator) -> Windows:
    """Permute the splits between windows: each split keeps its number of windows.

    Songs without audio are no windows and keep their split; so does, as a whole, every song.
    """
    splits = np.array(windows.splits, dtype=object)
    heard = windows.has_mel
    splits[heard] = rng.permutation(splits[heard])
    return replace(windows, splits=tuple(splits), song_splits=windows.splits)


def _shuffle_labels(windows: Windows, rng: np.random.Generator) -> Windows:
    """Permute the labels between the songs that have one; a song's windows share its new one."""
    if windows.label is None:
        raise ValueError("shuffled_labels: the model is shown no label")
    of_song = pd.Series(windows.label.numpy(), index=list(windows.track_ids))
    of_song = of_song[~of_song.index.duplicated()].sort_index()
    known = of_song >= 0
    of_song[known] = rng.permutation(of_song[known].to_numpy())
    label = of_song.loc[list(windows.track_ids)].to_numpy()
    return replace(windows, label=torch.from_numpy(label.copy()))
