"""The list of a model's decoded sounds: what the job writes beside them and the page reads."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from songatlas.files import atomic

LIST = "sounds.json"

SOUND_S = 10.0
"""Longest sound, in seconds: the start of a window."""

STEPS = 5
"""Sounds of a journey, its ends included."""

MOST_CLUSTERS = 12
"""So many of the largest clusters are heard."""

NEAR_SONGS = 2
"""Songs that journeys lead to from the medoid of each cluster."""

MOST_RECONSTRUCTIONS = 200
"""Windows of an explorer that are heard as the models reconstruct them, over all its models."""

MOST_SLIDERS, SLIDER_STEPS = 6, 7
"""Of `latents.traverse`, whose dimensions have the sliders."""

BYTES_PER_S = 4000
"""Of the MP3 files."""

SECONDS_PER_VALUE = 2.5e-5
"""Time on one core that a value of a spectrogram takes to be heard (docs/decoded.md)."""


@dataclass(frozen=True)
class Sound:
    """One file."""

    near: str
    """window_id of the nearest window that may be used; it gives level and spread."""
    centroid_hz: float
    """Mean frequency of its power."""


@dataclass(frozen=True)
class Cluster:
    """The decoded centre of a cluster; `sound` counts in `SoundList.sounds`, as everywhere here."""

    cluster: int
    sound: int


@dataclass(frozen=True)
class Journey:
    """Sounds in even steps from the centre of `cluster` to that of `to`.

    Where `to` is None: from the window at the heart of `cluster` to a window of a song near it.
    """

    cluster: int
    to: int | None
    sounds: list[int]


@dataclass(frozen=True)
class Slider:
    """Sounds of one window while one dimension moves, each at one of `steps_sd`."""

    dimension: int
    nats: float
    steps_sd: list[float]
    sounds: list[int]


@dataclass(frozen=True)
class Reconstruction:
    """What the model makes of a window, the `near` of its sound."""

    sound: int
    error_db: float
    """Mean difference between its log-mel spectrogram and the window's own, in dB."""


@dataclass
class SoundList:
    """All sounds of one model; `note` says why where there is none."""

    note: str = ""
    clustering: str = ""
    withheld: int = 0
    """Songs left out because their licence forbids derivatives."""
    silent: int = 0
    """Windows left out because they are silent."""
    sounds: list[Sound] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    journeys: list[Journey] = field(default_factory=list)
    sliders: list[Slider] = field(default_factory=list)
    reconstructions: list[Reconstruction] = field(default_factory=list)


def sound_name(number: int) -> str:
    """The file of a sound in its model's folder; the page makes the same name."""
    return f"{number}.mp3"


def most_sounds(reconstructions: int) -> int:
    """As many sounds as one model with so many reconstructions can have."""
    inner = STEPS - 2
    centres = MOST_CLUSTERS * (1 + inner)
    to_songs = MOST_CLUSTERS * (1 + NEAR_SONGS * (inner + 1))
    return centres + to_songs + MOST_SLIDERS * SLIDER_STEPS + reconstructions


def write_list(sounds: SoundList, folder: Path) -> None:
    """Write `LIST` into the folder of the sounds."""
    with atomic(folder / LIST) as temporary:
        temporary.write_text(json.dumps(asdict(sounds), indent=1), encoding="utf-8")


def read_list(folder: str | Path) -> dict[str, Any]:
    """What `write_list` wrote, as plain values."""
    text = (Path(folder) / LIST).read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values
