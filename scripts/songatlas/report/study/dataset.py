"""What the corpus is made of: a row per language and genre, and one for all of it."""

import pandas as pd

from songatlas.corpus.folds import PREFIX

UNKNOWN = "unknown"
ALL = "all"
COLUMNS = ("language", "genre", "songs", "windows", "hours", "artists", "with_audio", "with_lyrics")
SPLIT_COLUMNS = ("split", "songs", "windows", "with_audio", "artists", "artists_shared")


def dataset_table(
    tracks: pd.DataFrame, labels: pd.DataFrame, windows: pd.DataFrame
) -> pd.DataFrame:
    """`COLUMNS` per language and genre, by name, then the total (`all`).

    `hours` are of audio; `artists` counts names, songs without one not at all; what a song lacks is
    `unknown`.

    Args:
        tracks, labels, windows: rows of the corpus tables.
    """
    songs = _songs(tracks, labels, windows)
    groups = sorted(songs.groupby(["language", "genre"]), key=lambda group: group[0])
    rows = [(*key, *_counts(group)) for key, group in groups]
    return pd.DataFrame([*rows, (ALL, ALL, *_counts(songs))], columns=list(COLUMNS))


def splits_table(tracks: pd.DataFrame, labels: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """`SPLIT_COLUMNS` per split (or fold), then the total.

    `artists_shared` are artists with songs in another split too; null where no artist is known.
    """
    songs = _songs(tracks, labels, windows)
    rows = []
    for split in sorted(songs["split"].unique(), key=_split_order):
        mine, others = songs[songs["split"] == split], songs[songs["split"] != split]
        rows.append((split, *_split_counts(mine, others)))
    several = songs.groupby("artist")["split"].nunique()
    shared = int((several > 1).sum()) if songs["artist"].notna().any() else None
    total = (ALL, *_split_counts(songs, songs[:0])[:-1], shared)
    frame = pd.DataFrame([*rows, total], columns=list(SPLIT_COLUMNS))
    return frame.astype({"artists_shared": "Int64"})


def _songs(tracks: pd.DataFrame, labels: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    described = labels[["track_id", "language", "genre", "artist"]]
    songs = tracks.merge(described, on="track_id", how="left")
    count = windows.groupby("track_id").size()
    return songs.assign(
        windows=songs["track_id"].map(count).fillna(0).astype(int),
        language=_named(songs["language"]),
        genre=_named(songs["genre"]),
        artist=songs["artist"].where(songs["artist"] != ""),
        has_audio=songs["audio_path"].notna(),
        has_lyrics=songs["lyrics"].notna() & (songs["lyrics"] != ""),
    )


def _named(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna() & (column != ""), UNKNOWN)


def _counts(songs: pd.DataFrame) -> tuple[int, int, float, int, int, int]:
    heard = songs[songs["has_audio"]]
    return (
        len(songs),
        int(songs["windows"].sum()),
        float(heard["duration_s"].sum()) / 3600.0,
        int(songs["artist"].nunique()),
        len(heard),
        int(songs["has_lyrics"].sum()),
    )


def _split_counts(
    songs: pd.DataFrame, others: pd.DataFrame
) -> tuple[int, int, int, int, int | None]:
    names = set(songs["artist"].dropna())
    shared = len(names & set(others["artist"].dropna())) if names else None
    heard = int(songs["has_audio"].sum())
    return len(songs), int(songs["windows"].sum()), heard, len(names), shared


def _split_order(split: str) -> tuple[int, str]:
    fixed = {"train": 0, "validation": 1, "test": 2}
    if split.startswith(PREFIX):
        return 3 + int(split.removeprefix(PREFIX)), ""
    return fixed[split], ""
