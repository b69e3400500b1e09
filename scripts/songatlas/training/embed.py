"""Latents and reconstructions of a trained model."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.models.base import Model
from songatlas.training.data import Batches, Windows, prepare
from songatlas.training.weights import Description

N_RECONSTRUCTIONS = 4


def check_labels(description: Description, windows: Windows) -> None:
    """Refuse a corpus whose labels are numbered otherwise than the model learned them.

    Raises:
        SongatlasError: naming both lists.
    """
    if description.labels != windows.classes:
        raise SongatlasError(
            f"the model was trained with the labels {', '.join(description.labels)}, the corpus "
            f"has {', '.join(windows.classes)}; train it again"
        )


def write_nothing(
    latents: str | Path, reconstruction: str | Path, description: Description, *, name: str
) -> None:
    """Write empty tables that say why, for a model that its corpus gave nothing to train on."""
    spec, note = description.spec, description.note
    metadata = {"model": name, "supervision": description.supervision, "z_dim": 0, "note": note}
    tables.write(tables.empty(tables.LATENTS), latents, tables.LATENTS, metadata)
    tables.write_feature(
        reconstruction,
        "reconstruction",
        [],
        np.zeros((0, 2, spec.n_mels, spec.n_frames), np.float32),
        units="standardised dB",
        metadata={"model": name, "note": note},
    )


@torch.inference_mode()
def write_latents(
    model: Model,
    windows: Windows,
    path: str | Path,
    *,
    name: str,
    device: str = "cpu",
    batch_size: int = 32,
) -> None:
    """Write posterior means of every window, and of every song as the mean over its windows.

    Windows of models with clusters of their own carry them as `own_label`.
    """
    latents, assigned = [], []
    for batch in Batches(windows, np.arange(len(windows)), batch_size):
        ready = prepare({key: values.to(device) for key, values in batch.items()})
        latents.append(model.embed(ready).cpu().numpy())
        own = model.assign(ready)
        if own is not None:
            assigned.append(own.cpu().numpy())
    z = np.concatenate(latents)
    if not np.isfinite(z).all():
        raise SongatlasError(f"{path}: the model gives latents that are not finite; train it again")
    own_labels = np.concatenate(assigned) if assigned else None
    of_windows = tables.latents_frame(
        "window", windows.window_ids, windows.track_ids, windows.splits, z, own_labels
    )
    track_ids = np.array(windows.track_ids)
    songs, first, song_of_window = np.unique(track_ids, return_index=True, return_inverse=True)
    means = np.zeros((len(songs), z.shape[1]))
    np.add.at(means, song_of_window, z)
    means /= np.bincount(song_of_window)[:, None]
    splits = [windows.splits[row] for row in first]
    of_songs = tables.latents_frame("song", None, list(songs), splits, means)
    tables.write(
        pd.concat([of_windows, of_songs], ignore_index=True),
        path,
        tables.LATENTS,
        {
            "model": name,
            "supervision": model.supervision,
            "z_dim": z.shape[1],
            "note": "",
        },
    )


@torch.inference_mode()
def write_reconstruction(
    model: Model, windows: Windows, path: str | Path, *, name: str, device: str = "cpu"
) -> None:
    """Write up to four windows next to what the model decodes from their posterior means.

    Validation windows first, then test, then training, in the order of the windows table. Values
    have the shape (2, n_mels, n_frames): the standardised original, the reconstruction.
    """
    rows = np.concatenate([windows.rows(split) for split in ("validation", "test", "train")])
    rows = rows[:N_RECONSTRUCTIONS]
    batch = {key: values.to(device) for key, values in windows.batch(rows).items()}
    ready = prepare(batch)
    decoded = model.decode(model.embed(ready), ready)
    pairs = torch.cat([ready["mel"], decoded.float()], dim=1).cpu().numpy()
    tables.write_feature(
        path,
        "reconstruction",
        [windows.window_ids[row] for row in rows],
        pairs,
        units="standardised dB",
        metadata={"model": name},
    )
