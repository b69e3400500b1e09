"""The split that songs train, validate or test in: near copies of one recording share one.

Whoever reads the split of a song takes it from here, or from a view that `write_split_views` wrote.
"""

from pathlib import Path

import pandas as pd

from songatlas import tables


def shared_splits(frame: pd.DataFrame, near_copies: str | Path | None) -> pd.DataFrame:
    """Rows with `track_id` and `split` (tracks, windows), near copies in the split of their group.

    `near_copies` (`tables.NEAR_COPIES`) is None where a run looks for none: every song keeps its
    own split.

    Raises:
        TableError: when the table is missing or breaks its schema.
    """
    if near_copies is None:
        return frame
    groups = tables.read(near_copies, tables.NEAR_COPIES, columns=["track_id", "split"])
    of_group = frame["track_id"].map(groups.set_index("track_id")["split"])
    return frame.assign(split=of_group.fillna(frame["split"]))


def recordings(near_copies: str | Path | None) -> dict[str, str]:
    """By song of each group of near copies: the song of it that the run had first.

    Raises:
        TableError: when the table is missing or breaks its schema.
    """
    if near_copies is None:
        return {}
    groups = tables.read(near_copies, tables.NEAR_COPIES)
    first = groups[groups["first"]].set_index("group")["track_id"]
    return dict(zip(groups["track_id"], groups["group"].map(first), strict=True))


def write_split_views(
    near_copies: str | Path,
    *,
    tracks: str | Path,
    windows: str | Path,
    songs_output: str | Path,
    windows_output: str | Path,
) -> None:
    """Write the views `songs` and `audio_windows` of the corpus with shared splits."""
    for path, schema, output in (
        (tracks, tables.TRACKS, songs_output),
        (windows, tables.WINDOWS, windows_output),
    ):
        tables.write(shared_splits(tables.read(path, schema), near_copies), output, schema)
