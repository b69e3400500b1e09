"""The decoded sounds of one model: which are made, and their files beside a list of them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import soxr

from songatlas.clustering.views import of_view
from songatlas.config.features import LogMel
from songatlas.features.audio.standardise import standardise_with_scale
from songatlas.latents.decode import AT_ONCE, decode, equally_loud, waveforms
from songatlas.latents.traverse import STEPS_SD
from songatlas.models.base import Model
from songatlas.report.explorer.audio import PREVIEW_RATE_HZ, forbids_derivatives, write_mp3
from songatlas.report.explorer.sound_list import (
    BYTES_PER_S,
    MOST_CLUSTERS,
    NEAR_SONGS,
    SECONDS_PER_VALUE,
    SOUND_S,
    STEPS,
    Cluster,
    Journey,
    Reconstruction,
    Slider,
    Sound,
    SoundList,
    sound_name,
    write_list,
)
from songatlas.run.jobs import progress
from songatlas.training.data import Windows

COMMON_K = 4
"""Where no cluster is named, those of the clustering of songs with k nearest to this are heard."""

NOTHING_LEFT = "no sounding window is of a song whose licence allows derivatives"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Space:
    """The windows that sounds may be made from, and their latents.

    `rows` (n,) of `windows`, `z` (n, d) float64 and `songs` (n,), the track_ids, are in one order.
    """

    windows: Windows
    rows: np.ndarray
    z: np.ndarray
    songs: np.ndarray
    withheld: int
    """Songs that are left out because their licence forbids derivatives."""
    silent: int
    """Windows that are left out because they are silent."""

    def nearest(self, z: np.ndarray) -> int:
        """Number of the window whose latent is nearest to `z` (d,)."""
        return int(self.by_distance(z)[0])

    def by_distance(self, z: np.ndarray) -> np.ndarray:
        """Numbers of all windows, the nearest to `z` (d,) first."""
        order: np.ndarray = ((self.z - z) ** 2).sum(1).argsort(kind="stable")
        return order


def read_space(
    windows: Windows, latents: pd.DataFrame, licenses: Mapping[str, str | None]
) -> Space:
    """The windows that are not silent, of songs that allow derivatives.

    Args:
        latents: rows of `tables.LATENTS` of the level `window`.
        licenses: by track_id; a song without a licence forbids nothing.
    """
    row_of = {window_id: row for row, window_id in enumerate(windows.window_ids)}
    latents = latents[latents["window_id"].isin(row_of)]
    rows = latents["window_id"].map(row_of).to_numpy(np.int64)
    songs = latents["track_id"].to_numpy(str)
    forbidden = [song for song in set(songs) if forbids_derivatives(licenses.get(song))]
    allowed = ~np.isin(songs, forbidden)
    sounding = np.zeros(len(rows), bool)
    for some in np.split(np.arange(len(rows)), np.arange(1024, len(rows), 1024)):
        _, spread = standardise_with_scale(windows.batch(rows[some])["mel"])
        sounding[some] = spread.cpu().numpy() > 0
    z = np.stack(list(latents["z"])).astype(np.float64) if len(latents) else np.zeros((0, 1))
    use = allowed & sounding
    silent = int((allowed & ~sounding).sum())
    return Space(windows, rows[use], z[use], songs[use], len(forbidden), silent)


def heard_clusters(
    model: str, named: pd.DataFrame, clusters: pd.DataFrame
) -> tuple[str, dict[str, int]]:
    """What clustering of songs is heard, in words, and the cluster of each song, by track_id.

    The named one; where none is, k-means (else another) with k near `COMMON_K`, without its noise.

    Args:
        named: rows of `words.write.NAMED`, of any model.
        clusters: rows of `tables.CLUSTERS` of the model.
    """
    own = named[named["model"] == model]
    if not own.empty:
        return "consensus", dict(zip(own["track_id"], own["cluster"].astype(int), strict=True))
    of_songs = of_view(clusters)
    of_songs = of_songs[(of_songs["level"] == "song") & of_songs["k"].notna()]
    if of_songs.empty:
        return "", {}
    keys = of_songs[["algorithm", "k"]].drop_duplicates()
    algorithm, k = min(
        zip(keys["algorithm"], keys["k"].astype(int), strict=True),
        key=lambda one: (one[0] != "kmeans", abs(one[1] - COMMON_K), one),
    )
    chosen = of_songs[(of_songs["algorithm"] == algorithm) & (of_songs["k"] == k)]
    chosen = chosen[chosen["label"] >= 0]
    labels = dict(zip(chosen["track_id"], chosen["label"].astype(int), strict=True))
    return f"{algorithm}, k = {k}", labels


def cluster_centres(space: Space, cluster_of: Mapping[str, int]) -> dict[int, np.ndarray]:
    """Means of the songs of the `MOST_CLUSTERS` largest clusters, (d,), by cluster.

    A song is the mean of its windows. Songs that are left out of the space do not count: of a
    cluster that has no others the mean would be a derivative of them.
    """
    songs = pd.DataFrame(space.z).groupby(space.songs).mean()
    cluster = np.array([cluster_of.get(song, -1) for song in songs.index], int)
    numbers, sizes = np.unique(cluster[cluster >= 0], return_counts=True)
    largest = numbers[np.argsort(-sizes, kind="stable")][:MOST_CLUSTERS]
    return {int(one): songs[cluster == one].to_numpy().mean(0) for one in sorted(largest)}


@dataclass
class _Wanted:
    """Latents to decode, and the window of the space that is nearest to each."""

    space: Space
    z: list[np.ndarray] = field(default_factory=list)
    near: list[int] = field(default_factory=list)
    of_window: dict[int, int] = field(default_factory=dict)

    def latent(self, z: np.ndarray, near: int | None = None) -> int:
        """The number of one more sound, at `z` (d,)."""
        self.z.append(z)
        self.near.append(self.space.nearest(z) if near is None else near)
        return len(self.z) - 1

    def window(self, window: int) -> int:
        """The number of the sound of a window's own latent."""
        if window not in self.of_window:
            self.of_window[window] = self.latent(self.space.z[window], window)
        return self.of_window[window]

    def way(self, start: int, end: int) -> list[int]:
        """The numbers of `STEPS` sounds in even steps from one sound to another."""
        shares = np.linspace(0.0, 1.0, STEPS)[1:-1]
        between = [(1 - share) * self.z[start] + share * self.z[end] for share in shares]
        return [start, *map(self.latent, between), end]


def _choose(
    space: Space,
    cluster_of: Mapping[str, int],
    dimensions: Mapping[int, float],
    reconstructions: int,
) -> tuple[SoundList, _Wanted]:
    """The list, without sounds and errors, and the latents of the sounds.

    Args:
        cluster_of: by track_id.
        dimensions: those that have a slider, with their nats.
        reconstructions: at most so many windows.
    """
    wanted, found = _Wanted(space), SoundList(withheld=space.withheld, silent=space.silent)
    centres = cluster_centres(space, cluster_of)
    sound_of = {cluster: wanted.latent(z) for cluster, z in centres.items()}
    found.clusters = [Cluster(cluster, sound) for cluster, sound in sound_of.items()]
    for a, b in nearest_pairs(centres):
        found.journeys.append(Journey(a, b, wanted.way(sound_of[a], sound_of[b])))
    cluster = np.array([cluster_of.get(song, -1) for song in space.songs])
    for number, centre in centres.items():
        own = [window for window in space.by_distance(centre) if cluster[window] == number]
        for other in nearest_songs(space, own[0]) if own else []:
            way = wanted.way(wanted.window(int(own[0])), wanted.window(other))
            found.journeys.append(Journey(number, None, way))
    mean, deviation = space.z.mean(0), space.z.std(0)
    middle = space.nearest(mean)
    for dimension, nats in dimensions.items():
        sounds = []
        for step in STEPS_SD:
            z = space.z[middle].copy()
            z[dimension] = mean[dimension] + step * deviation[dimension]
            sounds.append(wanted.latent(z, middle))
        found.sliders.append(Slider(dimension, nats, list(STEPS_SD), sounds))
    for window in middle_windows(space.songs, reconstructions):
        found.reconstructions.append(Reconstruction(wanted.window(window), np.nan))
    return found, wanted


def nearest_pairs(centres: Mapping[int, np.ndarray]) -> list[tuple[int, int]]:
    """Each cluster with the one whose centre is nearest to its own, every pair once."""
    pairs = set()
    for a, centre in centres.items():
        others = [b for b in centres if b != a]
        if others:
            b = min(others, key=lambda other: float(((centres[other] - centre) ** 2).sum()))
            pairs.add((min(a, b), max(a, b)))
    return sorted(pairs)


def nearest_songs(space: Space, window: int) -> list[int]:
    """One window, the nearest, of each of the `NEAR_SONGS` other songs nearest to `window`."""
    order = space.by_distance(space.z[window])
    order = order[space.songs[order] != space.songs[window]]
    _, first = np.unique(space.songs[order], return_index=True)
    return [int(order[at]) for at in sorted(first)[:NEAR_SONGS]]


def middle_windows(songs: np.ndarray, most: int) -> list[int]:
    """The middle window of each song, of `most` songs spread evenly where there are more.

    Args:
        songs: the song of each window, (n,).
    """
    middles = [np.flatnonzero(songs == song) for song in np.unique(songs)]
    windows = [int(rows[len(rows) // 2]) for rows in middles]
    chosen = np.linspace(0, len(windows) - 1, min(most, len(windows))).round().astype(int)
    return [windows[at] for at in chosen]


def write_sounds(
    model: Model,
    space: Space,
    folder: Path,
    *,
    clustering: str,
    cluster_of: Mapping[str, int],
    dimensions: Mapping[int, float],
    reconstructions: int,
    logmel: LogMel,
    device: str,
) -> int:
    """Write a model's sounds and their list into `folder`; the number of sounds.

    How many they are, how large and how long they take is logged before.

    Args:
        clustering, cluster_of: of `heard_clusters`.
        dimensions: those that have a slider, with their nats.
        reconstructions: at most so many windows.
    """
    if not len(space.rows):
        empty = SoundList(note=NOTHING_LEFT, withheld=space.withheld, silent=space.silent)
        write_list(empty, folder)
        return 0
    found, wanted = _choose(space, cluster_of, dimensions, reconstructions)
    found.clustering = clustering
    n_frames = min(space.windows.mel.shape[-1], logmel.n_frames(SOUND_S))
    logger.info("%s", _cost(len(wanted.z), n_frames, logmel))
    rows = space.rows[wanted.near]
    z = np.stack(wanted.z)
    of_window = {sound: window for window, sound in wanted.of_window.items()}
    errors = {}
    for start in progress(range(0, len(z), AT_ONCE), "sounds", "batch"):
        some = slice(start, start + AT_ONCE)
        db = decode(model, space.windows, z[some], rows[some], device)
        own = space.windows.batch(rows[some])["mel"].float().cpu().numpy()
        for number, difference in enumerate(np.abs(db - own).mean((1, 2)), start):
            if number in of_window:
                errors[number] = float(difference)
        db = db[:, :, :n_frames]
        for number, samples in enumerate(waveforms(db, logmel, device), start):
            resampled = soxr.resample(samples, logmel.sample_rate_hz, PREVIEW_RATE_HZ)
            write_mp3(folder / sound_name(number), equally_loud(resampled, PREVIEW_RATE_HZ))
        near = [space.windows.window_ids[row] for row in rows[some]]
        found.sounds += [Sound(*one) for one in zip(near, centroids(db, logmel), strict=True)]
    found.reconstructions = [
        Reconstruction(one.sound, errors[one.sound]) for one in found.reconstructions
    ]
    write_list(found, folder)
    return len(found.sounds)


def centroids(db: np.ndarray, logmel: LogMel) -> list[float]:
    """Mean frequency of the power of each spectrogram (n, n_mels, n_frames) in dB, in Hz."""
    from librosa import mel_frequencies

    highest = logmel.f_max_hz or logmel.sample_rate_hz / 2
    hz = mel_frequencies(logmel.n_mels + 2, fmin=logmel.f_min_hz, fmax=highest)[1:-1]
    power = (10.0 ** (db / 10)).mean(2)
    return [float(value) for value in power @ hz / power.sum(1)]


def _cost(number: int, n_frames: int, logmel: LogMel) -> str:
    seconds = n_frames * logmel.hop_length / logmel.sample_rate_hz
    size_mb = number * seconds * BYTES_PER_S / 1e6
    time_s = number * n_frames * logmel.n_mels * SECONDS_PER_VALUE
    return (
        f"{number} sounds of {seconds:.0f} s follow: about {size_mb:.1f} MB and {time_s:.0f} s on "
        "one core"
    )
