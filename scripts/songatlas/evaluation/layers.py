"""Which layer of a pretrained encoder stands for it: a number, a mean, or what a probe finds."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config import encoder_cards as cards
from songatlas.config.clustering import Clustering
from songatlas.config.models import Baseline
from songatlas.corpus.folds import resolve
from songatlas.evaluation.factors import Factor
from songatlas.evaluation.probes_table import groups_of
from songatlas.evaluation.probing import Probed, probe
from songatlas.evaluation.tasks import task_labels
from songatlas.features.encoders.base import Layer
from songatlas.features.encoders.features import choose, layers_of
from songatlas.features.vectors.representations import Vectors, read_vectors
from songatlas.latents.baselines import baseline_latents

FOLDS = 5


def write_encoder_latents(
    features: Sequence[str | Path],
    windows_path: str | Path,
    tracks_path: str | Path,
    labels_path: str | Path | None,
    output: str | Path,
    *,
    name: str,
    baseline: Baseline,
    clustering: Clustering,
    seed: int = 0,
    evaluate_on: str = "all",
) -> None:
    """Write the latents of an encoder: of the layer that the baseline names.

    `labels_path` is the table `tables.LABELS` that a probe chooses the layer by. `evaluate_on` are
    the songs that will be scored (`latents.baselines.fitting_rows`).

    Raises:
        SongatlasError: when the encoder has no such layer.
        TableError: when a table is missing, breaks its schema or does not fit the features.
    """
    from threadpoolctl import threadpool_limits

    windows = tables.read(windows_path, tables.WINDOWS, columns=["window_id", "track_id", "split"])
    tracks = tables.read(tracks_path, tables.TRACKS, columns=["track_id", "split"])
    labels = tables.read(labels_path, tables.LABELS) if labels_path else None
    # One thread: sums over several differ in the last digit from run to run.
    with threadpool_limits(1):
        vectors, supervision, told = encoder_vectors(features, baseline, windows, labels, seed)
        frame, note = baseline_latents(
            vectors, baseline, clustering, windows, tracks, seed, evaluate_on=evaluate_on
        )
    note = "; ".join(part for part in (told, note) if part) or None
    z_dim = len(frame["z"].iloc[0]) if len(frame) else 0
    metadata = {"model": name, "supervision": supervision, "z_dim": z_dim, "note": note}
    tables.write(frame, output, tables.LATENTS, metadata)


def encoder_vectors(
    features: Sequence[str | Path],
    baseline: Baseline,
    windows: pd.DataFrame,
    labels: pd.DataFrame | None,
    seed: int,
) -> tuple[Vectors, str, str | None]:
    """Vectors of the layer that a baseline names, their supervision, and a note.

    The supervision is that of the encoder's card, and `labels` where a probe chooses the layer.

    Args:
        features: all parts of the feature.
        windows: columns `window_id`, `track_id`, `split`.
        labels: rows of the labels table; needed where a probe chooses the layer.
        seed: of the branch; in cross-validation it says which fold is held out.

    Raises:
        SongatlasError: when there is no such layer, or no card of the features' encoder.
    """
    about = tables.read_metadata(features[0])
    layers, supervision = layers_of(about), str(cards.card(about["encoder"]).supervision)
    layer, note = baseline.layer, None
    if layer == "probe":
        assert labels is not None
        supervision = "labels"
        ids, values = tables.read_feature(features)
        found = probe_layers(ids, values, layers, windows, labels, baseline.probe_task, seed)
        scores = [one.value for one in found]
        if np.isnan(scores).all():
            return (
                Vectors([], lambda: iter(())),
                supervision,
                f"no layer could be chosen by a probe of {baseline.probe_task}: {found[0].note}",
            )
        layer = int(np.nanargmax(scores))
        note = (
            f"layer {layer} ({layers[layer].name}) of {len(layers)}, from which a linear probe "
            f"reads {baseline.probe_task} of {found[layer].n} training songs best (accuracy "
            f"{scores[layer]:.2f}, chance {found[layer].chance:.2f}, last layer {scores[-1]:.2f})"
        )
    to_vectors = partial(choose, layers=layers, layer=layer)
    return read_vectors(baseline.kind, features, to_vectors), supervision, note


def probe_layers(
    ids: Sequence[str],
    values: np.ndarray,
    layers: Sequence[Layer],
    windows: pd.DataFrame,
    labels: pd.DataFrame,
    task: str,
    seed: int,
) -> list[Probed]:
    """What a linear probe reads from every layer, on training songs alone.

    Args:
        ids: of windows. values: all layers of them, (n, width).
    """
    known = windows.set_index("window_id").loc[list(ids)]
    seen = np.array(resolve(list(known["split"]), seed)) == "train"
    songs, row = np.unique(known["track_id"].to_numpy(dtype=str)[seen], return_inverse=True)
    of_song = task_labels(labels, task)
    names = [of_song.get(song) for song in songs]
    codes = {name: code for code, name in enumerate(sorted({n for n in names if n is not None}))}
    target = Factor(
        task,
        np.array([-1 if name is None else codes[name] for name in names], np.int64),
        categorical=True,
    )
    artists = groups_of(labels, list(songs), apart=task != "artist")
    found = []
    for index in range(len(layers)):
        chosen = choose(values[seen], layers, index)
        sums = np.zeros((len(songs), chosen.shape[1]))
        np.add.at(sums, row, chosen)
        means = sums / np.maximum(np.bincount(row, minlength=len(songs)), 1)[:, None]
        found.append(probe(means, target, artists, folds=FOLDS, seed=seed))
    return found
