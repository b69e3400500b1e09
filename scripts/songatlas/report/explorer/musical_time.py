"""Musical time for the page: a file a song, and what of it stands beside the song's labels."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.features.audio.musical_time import CURVES, MUSICAL_TIME, RATE_HZ, UNKNOWN
from songatlas.report.explorer import scripts
from songatlas.report.explorer.attributes import MISSING
from songatlas.report.explorer.audio import forbids_derivatives
from songatlas.report.explorer.catalogue import Catalogue, texts
from songatlas.report.explorer.scripts import packed
from songatlas.words.tags import joined_names

VOICES = ("singing", "female voice", "male voice", "choir")
"""Tags that say that somebody sings; the likeliest counts."""

SUNG = UNKNOWN - 1
"""Code of a voice that is surely there."""

OF_SONGS = {
    "tempo_bpm": ("Tempo of the song", "bpm"),
    "beat_strength": ("Beat strength", "0 to 1"),
    "key": ("Key", ""),
    "key_confidence": ("Key confidence", "correlation"),
    "mode": ("Mode of the song", ""),
    "mode_confidence": ("Mode confidence", "correlation"),
}
"""Columns of songs that colour the map, with labels and units."""

Lines = Sequence[Sequence[Any]]
"""Lines of a song as [start_s, end_s, text]; times are None where nothing timed them."""


@dataclass(frozen=True)
class Musical:
    """`summary` stands in the page's first file; `attributes` colour the map."""

    summary: dict[str, Any] | None
    attributes: list[dict[str, Any]]


NOT_MEASURED = Musical(None, [])
"""Of a run whose config leaves the view out."""


def file_of(song: int) -> str:
    """Name of a song's data; the page makes the same name."""
    return f"time/{song // 1000}/{song}"


def write_musical_time(
    parts: Sequence[str | Path],
    voice_parts: Sequence[str | Path],
    lines: Sequence[Lines],
    found: Catalogue,
    folder: str | Path,
) -> Musical:
    """Write the data of every song that was measured.

    Args:
        parts: tables `MUSICAL_TIME`.
        voice_parts: the feature `musicnn` of windows, for songs whose lines have no times.
        lines: of every song of the catalogue.

    Raises:
        TableError: when a table is missing or breaks its schema.
    """
    if not parts:
        return NOT_MEASURED
    voices = _voices_of_windows(voice_parts, found)
    measured = np.zeros(len(found.songs), np.uint8)
    of_songs = []
    for part in parts:
        frame = tables.read(part, MUSICAL_TIME)
        of_songs.append(frame[["track_id", *OF_SONGS]])
        songs = found.song_rows(frame["track_id"]).tolist()
        for song, row in zip(songs, frame.to_dict("records"), strict=True):
            if song < 0:
                continue
            measured[song] = 1
            voice = _voice(lines[song], found, song, voices, len(row["loudness"]))
            name = file_of(song)
            data = {"rate_hz": RATE_HZ, "voice": voice, **_described(row)}
            scripts.write(Path(folder) / "data" / f"{name}.js", name, data)
    known = pd.concat(of_songs).set_index("track_id").reindex(found.songs["track_id"])
    licences = texts(found.songs["license"])
    exports = np.array([not forbids_derivatives(one) for one in licences], np.uint8)
    summary = {"measured": packed(measured), "exports": packed(exports)}
    return Musical(summary, _attributes(known))


def _described(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    """A song's row for the page; curves as codes with offset and scale."""
    curves = {
        name: {
            "codes": packed(np.asarray(row[name], np.uint8)),
            "offset": row[f"{name}_offset"],
            "scale": row[f"{name}_scale"],
            "unit": unit,
        }
        for name, unit in CURVES.items()
    }
    beats = packed(np.asarray(row["beats_s"], np.float32))
    songs = {name: row[name] for name in OF_SONGS}
    return {"duration_s": row["duration_s"], "beats_s": beats, "curves": curves, **songs}


def _voice(
    lines: Lines, found: Catalogue, song: int, voices: np.ndarray | None, values: int
) -> dict[str, Any] | None:
    """Codes of the voice, 0 to `SUNG`, by lines with times, else by tags; None where neither is."""
    timed = [(start, end) for start, end, _ in lines if start is not None]
    if timed:
        codes = np.zeros(values, np.uint8)
        for start, end in timed:
            codes[round(start * RATE_HZ) : round(end * RATE_HZ)] = SUNG
        return {"codes": packed(codes), "source": "lines"}
    if voices is None:
        return None
    windows = found.windows[found.windows["song"] == song]
    probability = voices[windows.index]
    at = np.isfinite(probability)
    if not at.any():
        return None
    middles_s = ((windows["start_s"] + windows["end_s"]) / 2).to_numpy()
    curve = np.interp(np.arange(values) / RATE_HZ, middles_s[at], probability[at])
    return {"codes": packed(np.round(SUNG * curve).astype(np.uint8)), "source": "tags"}


def _voices_of_windows(parts: Sequence[str | Path], found: Catalogue) -> np.ndarray | None:
    """How probable a voice is in every window, NaN where unknown; None of a run without tags."""
    if not parts:
        return None
    tags = tables.read_metadata(parts[0])["tags"]
    sung = np.isin([joined_names()[tag] for tag in tags], VOICES)
    probability = np.full(len(found.windows), np.nan)
    for ids, values in tables.iter_feature(parts):
        rows = found.window_rows(ids)
        likeliest = values[:, values.shape[1] - len(tags) :][:, sung].max(axis=1)
        probability[rows[rows >= 0]] = likeliest[rows >= 0]
    return probability


def _attributes(known: pd.DataFrame) -> list[dict[str, Any]]:
    """What colours the map, in the order of the catalogue's songs."""
    described = []
    for column, (label, unit) in OF_SONGS.items():
        attribute = {"key": f"time_{column}", "label": label, "group": "Musical time"}
        if column in ("key", "mode"):
            names = sorted(known[column].dropna().unique())
            codes = pd.Index(names, dtype=object).get_indexer(known[column].astype(object))
            codes = np.where(codes < 0, MISSING, codes).astype(np.uint16)
            described.append({**attribute, "names": names, "codes": packed(codes)})
        else:
            numbers = known[column].to_numpy(np.float32, na_value=np.nan)
            described.append({**attribute, "unit": unit, "song": packed(numbers)})
    return described
