"""What became of every input of a run: used, used with a warning, not used, or set aside.

One table over all stages, so that nothing is lost: `tables/fates.csv`.
"""

from pathlib import Path

import pandas as pd

from songatlas.corpus.result import where
from songatlas.errors import SongatlasError

FATES = ("used", "warned", "unused", "rejected")
"""`warned`: used, and something is odd about it. `unused`: a file that belongs to no song."""

COLUMNS = ("path", "fate", "stage", "reason", "detail")


def fates(
    sources: pd.DataFrame, tracks: pd.DataFrame, rejects: pd.DataFrame, warnings: pd.DataFrame
) -> pd.DataFrame:
    """Every input path with its one fate, and a row per reason for it (`COLUMNS`, sorted).

    Inputs are the audio and lyrics files of `sources` (`tables.SOURCES`), or the song's id where it
    names neither, and whatever else `rejects` and `warnings` (of all stages) name: rows of tables,
    files that belong to no song. A path that some stage rejected is `rejected`, however far it got.

    Raises:
        SongatlasError: when a source is neither a track nor rejected (no corpus has such a one).
    """
    rejects = rejects.drop_duplicates(["path", "reason"]).assign(fate="rejected")
    warnings = warnings.drop_duplicates(["path", "reason", "detail"]).assign(fate="warned")
    warnings = warnings[~warnings["path"].isin(rejects["path"])]
    odd = set(warnings.loc[warnings["reason"] != "unused_file", "path"])
    unused = (warnings["reason"] == "unused_file") & ~warnings["path"].isin(odd)
    warnings["fate"] = warnings["fate"].mask(unused, "unused")
    told = pd.concat([rejects, warnings], ignore_index=True)
    named = _named(sources)
    rest = named[~named["path"].isin(told["path"])]
    is_track = rest["source_id"].isin(tracks["source_id"])
    heard = tracks.loc[tracks["audio_path"].notna(), "source_id"]
    absent = is_track & (rest["kind"] == "audio") & ~rest["source_id"].isin(heard)
    parts = [
        told,
        rest[is_track & ~absent].assign(fate="used", stage=None, reason=None, detail=None),
        rest[absent].assign(
            fate="warned",
            stage="corpus",
            reason="missing_audio",
            detail="no such file; only the song's lyrics are used",
        ),
        _with_their_songs(rest[~is_track], rejects),
    ]
    frame = pd.concat([part[list(COLUMNS)] for part in parts if len(part)] or [told])
    return frame[list(COLUMNS)].drop_duplicates().sort_values(list(COLUMNS), ignore_index=True)


def read_fates(path: str | Path) -> pd.DataFrame:
    """The table as it was written; cells without a value are null."""
    frame = pd.read_csv(path, dtype="str", keep_default_na=False)
    return frame.mask(frame == "")


def _named(sources: pd.DataFrame) -> pd.DataFrame:
    """`source_id, path, kind, song` of every file that a source names, or of the source itself."""
    song = where(sources)
    parts = [
        pd.DataFrame(
            {
                "source_id": sources["source_id"],
                "path": sources[column],
                "kind": column.removesuffix("_path"),
                "song": song,
            }
        ).dropna(subset="path")
        for column in ("audio_path", "lyrics_path")
    ]
    bare = sources["audio_path"].isna() & sources["lyrics_path"].isna()
    ids = sources.loc[bare, "source_id"]
    parts.append(pd.DataFrame({"source_id": ids, "path": ids, "kind": "row", "song": ids}))
    return pd.concat(parts, ignore_index=True)


def _with_their_songs(files: pd.DataFrame, rejects: pd.DataFrame) -> pd.DataFrame:
    """Lyrics files of rejected songs share their fate."""
    first = rejects.drop_duplicates("path").set_index("path")
    key = files["song"].where(files["song"].isin(first.index), files["source_id"])
    lost = ~key.isin(first.index)
    if lost.any():
        raise SongatlasError(
            f"{files['path'][lost].iloc[0]}: neither a track nor set aside; the corpus tables do "
            "not belong together: delete the run's corpus folder and run again"
        )
    return files.assign(
        fate="rejected",
        stage=key.map(first["stage"]),
        reason=key.map(first["reason"]),
        detail="belongs to " + files["song"] + ", which is set aside",
    )
