"""Captions that an audio language model writes, beside what was measured."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.words import Names, Transcription
from songatlas.corpus.sound.decode import AudioError, decode_windows
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout
from songatlas.words.transcription.guard import compression_ratio

MOST_REPETITION = Transcription().compression_ratio
"""A text that zlib makes smaller than this repeats itself (Radford et al. 2022, section 4.5)."""

TEMPO_TOLERANCE = 0.08
"""What tempo estimates are forgiven in MIREX's evaluation; an octave beside counts as the same."""

_TEMPO = re.compile(r"(\d{2,3}(?:\.\d+)?)\s*(?:bpm|beats per minute)", re.IGNORECASE)
_KEY = re.compile(
    r"\b([A-G])[\s-]?(♯|♭|#|b(?![a-z])|sharp|flat)?[\s-]*(major|minor)\b(?!\s+(?:key|mode|scale))"
)
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHIFT = {"": 0, "♯": 1, "#": 1, "sharp": 1, "♭": -1, "b": -1, "flat": -1}


def tempi_bpm(text: str) -> list[float]:
    """The tempi that a text names."""
    return [float(found) for found in _TEMPO.findall(text)]


def keys(text: str) -> list[tuple[int, str]]:
    """The keys that a text names: pitch class from C = 0, and `major` or `minor`."""
    return [
        ((_STEPS[letter] + _SHIFT[sign]) % 12, mode) for letter, sign, mode in _KEY.findall(text)
    ]


def objection(caption: str, measured: str) -> str | None:
    """The first reason not to believe a caption; None where there is none.

    Args:
        caption: what a model wrote.
        measured: the caption by template, whose tempo and key were measured.
    """
    if not any(c.isalpha() for c in caption):
        return "says nothing"
    if compression_ratio(caption) > MOST_REPETITION:
        return "repeats itself"
    known = tempi_bpm(measured)
    if known and not all(_same_tempo(said, known[0]) for said in tempi_bpm(caption)):
        return "another tempo than measured"
    key = keys(measured)
    if key and any(said != key[0] for said in keys(caption)):
        return "another key than measured"
    return None


def _same_tempo(said_bpm: float, measured_bpm: float) -> bool:
    return any(
        abs(said_bpm * octave - measured_bpm) <= TEMPO_TOLERANCE * measured_bpm
        for octave in (0.5, 1.0, 2.0)
    )


NOBODY = (
    "names.listener: name the audio language model that is to write captions, for instance "
    "`qwen2-audio-instruct` (docs/words.md)"
)

WRITTEN = tables.Table(
    "captions_by_ear",
    {"track_id": tables.TEXT, "text": tables.TEXT, "reason": tables.TEXT},
    nullable=frozenset(["text", "reason"]),
    key=("track_id",),
)
"""What was written of each song; `reason` says why it is not believed, or was not written."""

COLUMNS = ("track_id", "title", "caption", "source", "written", "reason")


def excerpts(shard: pd.DataFrame, length_s: float) -> pd.DataFrame:
    """The middle of every song of a table `tables.SHARD`.

    Rows with `track_id, audio_path, start_s, length_s`; songs are as long as their windows reach.
    """
    songs = shard.groupby("track_id", sort=True).agg(
        audio_path=("audio_path", "first"), end_s=("end_s", "max")
    )
    start = np.maximum((songs["end_s"] - length_s) / 2.0, 0.0)
    return songs.assign(start_s=start, length_s=np.minimum(length_s, songs["end_s"])).reset_index()


def write_of_songs(
    songs: Iterable[Any],
    measured: dict[str, str],
    load: Callable[[], Any],
    settings: Names,
) -> pd.DataFrame:
    """Rows of `WRITTEN`; one song that cannot be read stops nothing.

    Args:
        songs: rows with `track_id, audio_path, start_s, length_s`.
        measured: the caption by template, by track_id.
        load: gives a `listener.Listener`; called where there is a song.
        settings: request and length.
    """
    listener = None
    rows: list[tuple[str, str | None, str | None]] = []
    for song in songs:
        if listener is None:
            listener = load()
        try:
            (wave,) = decode_windows(
                song.audio_path, listener.sample_rate_hz, [song.start_s], song.length_s
            )
        except AudioError as error:
            rows.append((song.track_id, None, str(error)))
            continue
        facts = measured.get(song.track_id, "")
        text = listener.describe(wave, settings.request, facts, settings.caption_tokens)
        rows.append((song.track_id, text, objection(text, facts)))
    return pd.DataFrame(rows, columns=list(WRITTEN.columns)) if rows else tables.empty(WRITTEN)


def write_captions_by_ear(
    parts: Sequence[str | Path], template: str | Path, *, listener: str | None, csv: str, md: str
) -> str:
    """Write the final captions; a line that says how many are by ear.

    A song has what the model wrote where it is believed, otherwise what was measured.

    Args:
        parts: tables `WRITTEN`, one a shard.
        template: CSV file of captions by template.
        listener: who wrote them.
        csv: table with `COLUMNS`.
        md: the same to read.

    Raises:
        SongatlasError: when nobody was asked to write.
    """
    if listener is None:
        raise SongatlasError(NOBODY)
    said = pd.concat([tables.read(part, WRITTEN) for part in parts]).set_index("track_id")
    frame = pd.read_csv(template, dtype=str, keep_default_na=False)
    written = said.reindex(frame["track_id"])
    believed = written["text"].notna() & written["reason"].isna()
    frame["written"] = written["text"].to_numpy(object)
    frame["reason"] = written["reason"].to_numpy(object)
    frame["source"] = np.where(believed, listener, "template")
    frame["caption"] = np.where(believed, frame["written"], frame["caption"])
    frame = frame[list(COLUMNS)]
    layout.write_csv(frame, csv)
    count = f"{int(believed.sum())} of {len(frame)} captions by {listener}"
    notes = [
        f"{count}; the others by template, each with the reason why what was written is not "
        "believed. Tempo and key were measured and told to the model; a text that contradicts them "
        "is not believed. All else it says is unchecked."
    ]
    shown = frame.drop(columns="track_id").fillna("")
    layout.write_text(layout.markdown(shown, "Captions by ear", notes=notes), md)
    return f"{count}: {md}"
