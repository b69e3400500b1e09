"""Latent traversals: what a model decodes while one dimension moves and the others stay."""

from pathlib import Path

import numpy as np
import torch

from songatlas import tables
from songatlas.models.attributes import ATTRIBUTES, window_attributes
from songatlas.models.base import VAE, InputSpec, Model
from songatlas.training.data import Batches, Windows, prepare

STEPS_SD = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Where a dimension goes, in standard deviations from its mean over all windows."""

AT_ONCE = 1024
"""Windows whose attributes are measured at a time."""

MAX_DIMENSIONS = 6
NO_PRIOR = "not a variational model: its latent has no prior to move through"


def informative_dimensions(
    mu: np.ndarray, variance: np.ndarray, count: int = MAX_DIMENSIONS
) -> tuple[np.ndarray, np.ndarray]:
    """The dimensions that say most of a window, and how much in nats, the most first.

    Args:
        mu, variance: posterior means and variances, (n, d).

    A dimension's nats are ½ log(1 + Var(mu) / mean variance): what a Gaussian channel of that
    signal and noise carries. Unlike the KL from N(0, 1) it is the same whatever the prior's scale
    (VaDE learns its own).
    """
    noise = np.maximum(variance.mean(0), 1e-12)
    nats = 0.5 * np.log1p(mu.var(0) / noise)
    order = np.argsort(-nats, kind="stable")[:count]
    return order, nats[order]


@torch.inference_mode()
def posteriors(
    model: VAE, windows: Windows, device: str = "cpu", batch_size: int = 32
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and variances of every window, both (n, latent_dim) float64."""
    means, variances = [], []
    for batch in Batches(windows, np.arange(len(windows)), batch_size):
        ready = prepare({key: values.to(device) for key, values in batch.items()})
        mu, logvar = model.encode(ready)
        means.append(mu.cpu().double().numpy())
        variances.append(logvar.cpu().double().exp().numpy())
    return np.concatenate(means), np.concatenate(variances)


@torch.inference_mode()
def write_traversal(
    model: Model,
    windows: Windows,
    path: str | Path,
    *,
    name: str,
    frame_rate_hz: float,
    device: str = "cpu",
) -> None:
    """Write what `model` decodes while each of its most informative dimensions moves.

    The reference is a validation window (else test, else training), the first in the order of the
    windows table. Its posterior mean is decoded with one dimension at −3 … +3 standard deviations
    (of the posterior averaged over windows, which is 1 where it matches the prior N(0, 1)) from
    that dimension's mean.

    The file has one row, the reference window, of shape (dimensions, steps, n_mels, n_frames) in
    standardised dB. Its metadata name the dimensions, their nats, the steps, and each dimension's
    Spearman correlation over songs with the attributes of the sound (`attributes`, `songs`).
    """
    if not isinstance(model, VAE) or model.deterministic:
        write_no_traversal(path, model.spec, name=name, note=NO_PRIOR)
        return
    mu, variance = posteriors(model, windows, device)
    dimensions, nats = informative_dimensions(mu, variance)
    mean, sd = mu.mean(0), np.sqrt(mu.var(0) + variance.mean(0))
    rows = np.concatenate([windows.rows(split) for split in ("validation", "test", "train")])
    row = int(rows[0])
    batch = windows.batch(np.full(len(STEPS_SD), row))
    ready = prepare({key: values.to(device) for key, values in batch.items()})
    tiles = []
    for dimension in dimensions:
        z = np.tile(mu[row], (len(STEPS_SD), 1))
        z[:, dimension] = mean[dimension] + np.array(STEPS_SD) * sd[dimension]
        decoded = model.decode(torch.as_tensor(z, dtype=torch.float32, device=device), ready)
        tiles.append(decoded.float().squeeze(1).cpu().numpy())
    songs, correlations = _attribute_correlations(windows, mu[:, dimensions], frame_rate_hz)
    tables.write_feature(
        path,
        "traversal",
        [windows.window_ids[row]],
        np.stack(tiles)[None].astype(np.float32),
        units="standardised dB",
        metadata={
            "model": name,
            "dimensions": [int(dimension) for dimension in dimensions],
            "nats": [float(value) for value in nats],
            "steps_sd": list(STEPS_SD),
            "attributes": correlations,
            "songs": songs,
            "note": "",
        },
    )


def write_no_traversal(path: str | Path, spec: InputSpec, *, name: str, note: str) -> None:
    """Write an empty file that says why there is no traversal."""
    shape = (0, MAX_DIMENSIONS, len(STEPS_SD), spec.n_mels, spec.n_frames)
    tables.write_feature(
        path,
        "traversal",
        [],
        np.zeros(shape, np.float32),
        units="standardised dB",
        metadata={"model": name, "note": note},
    )


def _attribute_correlations(
    windows: Windows, mu: np.ndarray, frame_rate_hz: float
) -> tuple[int, dict[str, list[float | None]]]:
    """Number of songs, and by attribute the Spearman correlation of each column of `mu` (n, d).

    Over songs (means of their windows), which are independent of one another; None: undefined.
    """
    import pandas as pd

    values = np.concatenate(
        [
            window_attributes(windows.mel[rows], list(ATTRIBUTES), frame_rate_hz).cpu().numpy()
            for rows in torch.arange(len(windows.mel)).split(AT_ONCE)
        ]
    )
    of_song = pd.DataFrame(np.hstack([values, mu])).groupby(list(windows.track_ids)).mean()
    ranked = of_song.rank()
    found: dict[str, list[float | None]] = {}
    for at, name in enumerate(ATTRIBUTES):
        rho = [ranked[at].corr(ranked[len(ATTRIBUTES) + column]) for column in range(mu.shape[1])]
        found[name] = [None if np.isnan(value) else float(value) for value in rho]
    return len(of_song), found
