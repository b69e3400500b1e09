"""A small explorer whose songs have musical time that is made up, so that it is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import explorer_page
from songatlas import tables
from songatlas.features.audio.beats import STEADY, Rhythm
from songatlas.features.audio.key import Key
from songatlas.features.audio.musical_time import CURVES, RATE_HZ, MusicalTime, write_table
from songatlas.features.encoders.musicnn import VALUES, tags
from songatlas.report.explorer.page import write_page

LENGTH_S = 7.0
FAST_BPM = 200.0
FLICKERS_HZ = 5.0

FAST, NO_BEAT, SLOW, WITH_A_GAP, UNMEASURED, CLOSED, NO_AUDIO = 0, 1, 2, 3, 4, 6, 7
"""Songs: 200 beats a minute with sound that flickers; no steady beat; slow; beats that stop and
begin again; nothing measured; a licence without derivatives; no file."""

GAP_S = (2.5, 4.5)
SUNG = (0.9, 0.1, 0.2)
"""How probable a voice is in the windows of the song `SLOW`, whose lines have no times."""


def beats(bpm: float) -> np.ndarray:
    return np.arange(0.3, LENGTH_S - 0.1, 60.0 / bpm)


def song(beats_s: np.ndarray, flickers_hz: float = 0.0) -> MusicalTime:
    """Curves between their extremes, `flickers_hz` times a second, else still."""
    time_s = (np.arange(round(LENGTH_S * RATE_HZ)) + 0.5) / RATE_HZ
    up = np.sin(2 * np.pi * flickers_hz * time_s) > 0 if flickers_hz else time_s > 0
    steady = len(beats_s) > 0
    bpm = 60.0 / float(np.median(np.diff(beats_s))) if steady else np.nan
    curves = {
        "onset": np.where(up, 8.0, 0.5),
        "loudness": np.where(up, -8.0, -40.0),
        "brightness": np.where(up, 6000.0, 300.0),
        "bass": np.where(up, -6.0, -60.0),
        "tempo": np.full(len(time_s), bpm),
        "confidence": np.full(len(time_s), 0.6 if steady else STEADY / 2),
    }
    assert curves.keys() == CURVES.keys()
    rhythm = Rhythm(time_s, curves["tempo"], curves["confidence"], beats_s, bpm if steady else None)
    return MusicalTime(LENGTH_S, curves, rhythm, Key("F#", "minor", 0.2, 0.1) if steady else None)


def songs() -> dict[int, MusicalTime]:
    slow = beats(90.0)
    return {
        FAST: song(beats(FAST_BPM), FLICKERS_HZ),
        NO_BEAT: song(np.zeros(0)),
        SLOW: song(slow),
        WITH_A_GAP: song(slow[(slow < GAP_S[0]) | (slow > GAP_S[1])]),
        CLOSED: song(slow),
    }


def write_music_page(folder: Path) -> Path:
    """Write inputs and page under `folder`; the page's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = explorer_page.write_inputs(folder)
    write_table({f"{n:016x}": one for n, one in songs().items()}, folder / "time.parquet")
    values = np.zeros((len(SUNG), VALUES), np.float32)
    values[:, VALUES - len(tags()) + tags().index("female vocalists")] = SUNG
    ids = [f"{SLOW:016x}-{index:04d}" for index in range(len(SUNG))]
    voice = str(folder / "voice.parquet")
    tables.write_feature(voice, "musicnn", ids, values, units="1", metadata={"tags": tags()})
    page = folder / "report" / "explorer"
    inputs = replace(inputs, musical_time=[str(folder / "time.parquet")], voice=[voice])
    write_page(inputs, page, explorer_page.settings(), run="small", corpus_name="Tests")
    return page


def lines_of(found: pd.DataFrame, number: int) -> list[tuple[float, float]]:
    """Times of a song's lines."""
    own = found[found["track_id"] == f"{number:016x}"]
    return list(zip(own["start_s"], own["end_s"], strict=True))
