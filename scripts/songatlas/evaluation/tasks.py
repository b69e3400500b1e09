"""What clusterings are compared with: the label of every song, per task."""

from collections.abc import Iterable

import pandas as pd

WINDOW_ONLY = ("song",)
"""Tasks in which every song is its own class: they mean nothing where songs are the points."""


def task_labels(labels: pd.DataFrame, task: str) -> dict[str, str]:
    """Label of every song that has one, by `track_id`.

    `language`, `genre` and `artist` are columns of the labels table; `language_genre` joins two
    ("en / rock") and is unknown where either is; in `song` every song is its own label.
    """
    tracks = labels["track_id"]
    if task == "song":
        values = tracks
    elif task == "language_genre":
        language, genre = _known(labels["language"]), _known(labels["genre"])
        both = pd.notna(language) & pd.notna(genre)
        values = (language.astype(object) + " / " + genre.astype(object)).where(both, None)
    else:
        values = _known(labels[task])
    return {
        str(track_id): str(value)
        for track_id, value in zip(tracks, values, strict=True)
        if pd.notna(value)
    }


def _known(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna() & (column != ""), None)


def n_classes(of_song: dict[str, str], track_ids: Iterable[str]) -> int:
    """Number of classes among these songs."""
    return len({of_song[track_id] for track_id in track_ids if track_id in of_song})
