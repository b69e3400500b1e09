"""Lyrics for the page: lines with times where they are known, else the text alone."""

from typing import Any

import pandas as pd

from songatlas.report.explorer.catalogue import Catalogue

SONGS_PER_FILE = 500


def lyrics_of_songs(found: Catalogue, lines: pd.DataFrame) -> list[list[list[Any]]]:
    """Per song its lines as [start_s, end_s, text]; times are None where nothing timed them."""
    rows = found.song_rows(lines["track_id"])
    timed: dict[int, list[list[Any]]] = {}
    ordered = lines.assign(song=rows).sort_values(["song", "start_s"], kind="stable")
    for song, start, end, text in zip(
        ordered["song"], ordered["start_s"], ordered["end_s"], ordered["text"], strict=True
    ):
        timed.setdefault(int(song), []).append([round(start, 2), round(end, 2), text])
    listed = []
    for song, text in enumerate(found.songs["lyrics"]):
        if song in timed:
            listed.append(timed[song])
        elif isinstance(text, str):
            listed.append([[None, None, line] for line in text.splitlines() if line.strip()])
        else:
            listed.append([])
    return listed


def chunks(listed: list[list[list[Any]]]) -> list[list[list[list[Any]]]]:
    """The same in parts of `SONGS_PER_FILE` songs, each a file that the page loads on demand."""
    return [listed[at : at + SONGS_PER_FILE] for at in range(0, len(listed), SONGS_PER_FILE)]
