"""What a model keeps of the sound: a window's log-mel spectrogram above its reconstruction."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from songatlas import tables
from songatlas.config.features import LogMel
from songatlas.errors import SongatlasError
from songatlas.report.figures import style
from songatlas.report.figures.style import plain

LIMIT_SD = 3.0
"""Ends of the colour scale, in standard deviations of the window."""

TICK_HZ = (0, 250, 500, 1000, 2000, 4000, 8000, 16000)


@dataclass(frozen=True)
class Window:
    """What a figure says of a window: its song (title and artist, else its id) and its start."""

    song: str
    start_s: float


def first_pair(path: str | Path) -> tuple[str, np.ndarray] | None:
    """Id of the first window in a reconstruction file, and its pair (2, n_mels, n_frames).

    None when the file holds no window; `why_nothing` then says why.
    """
    for ids, values in tables.iter_feature([path]):
        return ids[0], values[0]
    return None


def why_nothing(path: str | Path) -> str:
    """Why a reconstruction file is empty, as its writer put it."""
    note = tables.read_metadata(path).get("note")
    if note:
        return str(note)
    return "no window to reconstruct: the songs lack what this model reads"


def no_reconstruction_figure(why: str, *, model: str, corpus_name: str) -> Figure:
    """A page that says why there is no reconstruction by `model`."""
    with style.context():
        figure = style.canvas(
            5.6, 1.2, f"Reconstruction by {plain(model)} — {plain(corpus_name)}", "Nothing to show."
        )
        style.nothing(figure.subplots(), plain(why, 300))
    return figure


def window_of(window_id: str, windows: pd.DataFrame, labels: pd.DataFrame) -> Window:
    """Song and start of a window, from rows of `tables.WINDOWS` and `tables.LABELS`.

    Raises:
        SongatlasError: when the windows table does not have it.
    """
    found = windows[windows["window_id"] == window_id]
    if found.empty:
        raise SongatlasError(
            f"window {window_id} is in the reconstructions but not in corpus/windows.parquet; "
            "run again from the latents"
        )
    track_id = found["track_id"].iloc[0]
    said = labels.loc[labels["track_id"] == track_id, ["title", "artist"]].to_numpy().ravel()
    names = [str(text) for text in said if pd.notna(text) and str(text).strip()]
    return Window(" — ".join(names) or f"song {track_id}", float(found["start_s"].iloc[0]))


def reconstruction_figure(
    pair: np.ndarray, logmel: LogMel, *, model: str, window: Window, corpus_name: str
) -> Figure:
    """Original and reconstruction on one colour scale.

    Args:
        pair: original and reconstruction, shape (2, n_mels, n_frames), float32, standardised within
            the window (zero mean, unit variance).
        logmel: how the spectrogram was computed; gives the axes their units.
        model, corpus_name: stand in the title.
        window: where the sound is from.
    """
    original, reconstruction = np.asarray(pair, np.float64)
    mse = float(np.mean((original - reconstruction) ** 2))
    explained = 1 - mse / max(float(original.var()), 1e-12)
    with style.context():
        figure = style.canvas(
            5.6,
            3.9,
            f"Reconstruction by {plain(model)}, MSE {mse:.2f} — {plain(corpus_name)}",
            f"{max(explained, 0):.0%} of the window's variance kept. "
            f"From {window.start_s:g} s of {plain(window.song, 90)}",
        )
        axes = figure.subplots(2, 1, sharex=True, sharey=True)
        for ax, values, name in zip(
            axes, (original, reconstruction), ("Original", "Reconstruction"), strict=True
        ):
            image = _draw(ax, values, logmel, window.start_s)
            ax.set_title(name, weight="bold")
        axes[1].set_xlabel("Time in the song (s)")
        figure.supylabel("Frequency (Hz, mel scale)", size=style.TEXT_SIZE)
        bar = figure.colorbar(image, ax=list(axes), fraction=0.04, pad=0.02, extend="both")
        bar.set_label("Level (standard deviations\nfrom the window's mean)")
        bar.outline.set_visible(False)
    return figure


def _draw(ax: Axes, values: np.ndarray, logmel: LogMel, start_s: float) -> AxesImage:
    n_mels, n_frames = values.shape
    frame_s = logmel.hop_length / logmel.sample_rate_hz
    image = ax.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="cividis",
        vmin=-LIMIT_SD,
        vmax=LIMIT_SD,
        extent=(start_s - frame_s / 2, start_s + (n_frames - 0.5) * frame_s, -0.5, n_mels - 0.5),
    )
    positions, names = _frequency_ticks(n_mels, logmel)
    ax.set_yticks(positions, names)
    return image


def _frequency_ticks(n_mels: int, logmel: LogMel) -> tuple[list[float], list[str]]:
    """Positions, in mel bands, of round frequencies."""
    import librosa

    top = logmel.f_max_hz or logmel.sample_rate_hz / 2
    ends = librosa.hz_to_mel(np.array([logmel.f_min_hz, top]))
    positions, names = [], []
    for hertz in TICK_HZ:
        # Band b peaks at the (b + 1)-th of n_mels + 2 points that are even in mel.
        share = (librosa.hz_to_mel(hertz) - ends[0]) / (ends[1] - ends[0])
        band = float(share * (n_mels + 1) - 1)
        if -0.5 <= band <= n_mels - 0.5:
            positions.append(band)
            names.append(f"{hertz:,}")
    return positions, names
