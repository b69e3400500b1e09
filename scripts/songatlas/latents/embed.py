"""Latents and reconstructions of a trained model."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.models.base import InputSpec, Model
from songatlas.training.data import Batches, Windows, needs_pinning, prepare
from songatlas.training.device import Precision, memory_errors_explained, mixed
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
    _write_no_reconstruction(reconstruction, spec, name, note)


def _write_no_reconstruction(path: str | Path, spec: InputSpec, name: str, note: str) -> None:
    tables.write_feature(
        path,
        "reconstruction",
        [],
        np.zeros((0, 2, max(spec.n_mels, 1), max(spec.n_frames, 1)), np.float32),
        units="standardised dB",
        metadata={"model": name, "note": note},
    )


@memory_errors_explained()
@torch.inference_mode()
def write_latents(
    model: Model,
    windows: Windows,
    path: str | Path,
    *,
    name: str,
    device: str = "cpu",
    batch_size: int = 32,
    precision: Precision = "32",
    keep: Literal["mel", "lyrics"] | None = None,
    supervision: str | None = None,
    note: str = "",
) -> None:
    """Write posterior means of every window, and the vector of every song (`embed_song`).

    Where rows are songs there are no windows, and songs' vectors are posterior means.

    `supervision` (default: the model's own) and `note` stand beside every score of these latents.
    `keep` hides the other modality, and leaves out the rows that do not have this one: the ablation
    at inference. A song is then what its windows with this modality make of it.

    `precision` is what the network computes in, once a window.

    Windows (or rows that are songs) of models with clusters of their own carry them as `own_label`.
    """
    rows = rows_with(windows, keep)
    metadata = {
        "model": name,
        "supervision": model.supervision if supervision is None else supervision,
        "z_dim": 0,
        "note": "; ".join(one for one in (note, windows.note) if one),
        "blocks": model.blocks,
    }
    if not len(rows):
        tables.write(tables.empty(tables.LATENTS), path, tables.LATENTS, metadata)
        return
    embedded = []
    pinned = needs_pinning(windows, device)
    batches = Batches(windows, rows, batch_size, pinned=pinned)
    for batch in batches:
        moved = {key: values.to(device, non_blocking=True) for key, values in batch.items()}
        ready = prepare(moved)
        with mixed(precision, device):
            embedded.append(model.embed_once(only(ready, keep) if keep is not None else ready))
    # At the end, since the host waits for every copy.
    latents, summaries = (
        torch.cat([getattr(one, name) for one in embedded]).float().cpu()
        for name in ("z", "summary")
    )
    assigned = [one.cluster.cpu().numpy() for one in embedded if one.cluster is not None]
    # Songs without audio have no window: they are songs alone.
    heard = windows.has_mel[rows] & (not windows.of_songs)
    of_heard = rows[heard]
    z = latents.numpy()[heard]
    own_labels = np.concatenate(assigned) if assigned else None
    of_windows = tables.latents_frame(
        "window",
        [windows.window_ids[row] for row in of_heard],
        [windows.track_ids[row] for row in of_heard],
        [windows.splits[row] for row in of_heard],
        z,
        None if own_labels is None else own_labels[heard],
    )
    songs, first = np.unique(np.array(windows.track_ids, dtype=str)[rows], return_index=True)
    vectors = _song_vectors(model, summaries, windows.track[rows])
    of_songs_splits = windows.song_splits or windows.splits
    splits = [of_songs_splits[row] for row in rows[first]]
    of_rows = own_labels[first] if own_labels is not None and windows.of_songs else None
    of_songs = tables.latents_frame("song", None, list(songs), splits, vectors, of_rows)
    if not (np.isfinite(z).all() and np.isfinite(vectors).all()):
        raise SongatlasError(f"{path}: the model gives latents that are not finite; train it again")
    tables.write(
        pd.concat([of_windows, of_songs], ignore_index=True),
        path,
        tables.LATENTS,
        metadata | {"z_dim": vectors.shape[1]},
    )


def rows_with(windows: Windows, modality: Literal["mel", "lyrics"] | None) -> np.ndarray:
    """Indices of the rows that have a modality, in order; of all rows for None."""
    if modality is None:
        return np.arange(len(windows))
    if modality == "mel":
        return np.flatnonzero(windows.has_mel)
    assert windows.lyrics is not None
    return np.flatnonzero((windows.lyrics != 0).any(1).cpu().numpy())


def only(batch: dict[str, torch.Tensor], modality: str) -> dict[str, torch.Tensor]:
    """A model's batch with one modality, `mel` or `lyrics`, and the other one missing.

    Rows that do not have the one keep what they have: there would be nothing left of them.
    """
    has = {"mel": batch["has_mel"], "lyrics": batch["has_lyrics"]}
    other = "lyrics" if modality == "mel" else "mel"
    lost = has[modality] & has[other]
    blanked = {f"has_{other}": has[other] & ~lost}
    fields = ("mel", "db", "audio") if other == "mel" else ("lyrics", "lyrics_lines")
    for name in set(fields) & set(batch):
        values = batch[name]
        blanked[name] = values.masked_fill(lost.view(-1, *[1] * (values.dim() - 1)), 0.0)
    return {**batch, **blanked}


def _song_vectors(model: Model, summaries: torch.Tensor, track: np.ndarray) -> np.ndarray:
    """`embed_song` of every song in order of its number, (n_songs, d) float32."""
    order = np.argsort(track, kind="stable")
    bounds = np.flatnonzero(np.diff(track[order])) + 1
    device = next(model.parameters()).device
    return np.stack(
        [
            model.embed_song(summaries[torch.from_numpy(rows)].to(device)).float().cpu().numpy()
            for rows in np.split(order, bounds)
        ]
    )


@torch.inference_mode()
def write_reconstruction(
    model: Model, windows: Windows, path: str | Path, *, name: str, device: str = "cpu"
) -> None:
    """Write up to four windows next to what the model decodes from their posterior means.

    Validation windows first, then test, then training, in the order of the windows table. Values
    have the shape (2, n_mels, n_frames): the standardised original, the reconstruction. Models that
    decode nothing, or vectors, leave the table empty, with a note.
    """
    if model.spec.of_vectors:
        _write_no_reconstruction(path, model.spec, name, "this model reads no spectrograms")
        return
    rows = np.concatenate([windows.rows(split) for split in ("validation", "test", "train")])
    rows = rows[windows.has_mel[rows]][:N_RECONSTRUCTIONS]
    batch = {key: values.to(device) for key, values in windows.batch(rows).items()}
    ready = prepare(batch)
    decoded = model.reconstruct(ready)
    if decoded is None:
        _write_no_reconstruction(path, model.spec, name, "this model decodes nothing")
        return
    pairs = torch.cat([ready["mel"], decoded.float()], dim=1).cpu().numpy()
    tables.write_feature(
        path,
        "reconstruction",
        [windows.window_ids[row] for row in rows],
        pairs,
        units="standardised dB",
        metadata={"model": name},
    )
