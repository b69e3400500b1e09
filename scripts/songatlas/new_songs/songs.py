"""New songs from a folder to features, by the code that the run's own songs went through."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from songatlas import tables
from songatlas.config import feature_registry as registry
from songatlas.config.corpus import Split, Windows
from songatlas.corpus import readers
from songatlas.corpus.build import Corpus, build_corpus, shard_frames
from songatlas.corpus.probe import probe_sources
from songatlas.corpus.result import concat, problem_rows, where
from songatlas.errors import SongatlasError

STAGE = "assign"


@dataclass(frozen=True)
class NewSongs:
    """New songs that can be heard: their corpus tables and features, and what was set aside.

    `corpus` is None where no song is left; `features` holds the file of each feature, `whole` that
    of its vectors of songs where it has them.
    """

    corpus: Corpus | None
    features: dict[str, Path]
    rejects: pd.DataFrame
    warnings: pd.DataFrame
    whole: dict[str, Path] = field(default_factory=dict)


def read_songs(
    reader: str,
    path: str,
    known: pd.DataFrame,
    scratch: Path,
    features: Mapping[str, Mapping[str, Any]],
    windows: Windows,
) -> NewSongs:
    """Read, check, cut and describe the songs at `path`; files go to the folder `scratch`.

    Args:
        known: `track_id, source_id` of the run's songs: new ones with the same audio are set aside.
        features: of audio, by name: what decides their values (`Plan.new_song_settings`).

    Raises:
        SongatlasError: when there is no song at all.
    """
    found = readers.read(reader, path)
    sources = found.sources
    if sources.empty:
        raise SongatlasError(
            f"{path}: the reader `{reader}` finds no song there; correct assign.path or "
            "assign.reader"
        )
    probed = probe_sources(sources)
    rejects = [found.rejects]
    left = sources.assign(track_id=probed["track_id"].to_numpy())
    of_run = known.set_index("track_id")["source_id"]
    repeated = left["track_id"].isin(of_run.index)
    copies = left[repeated]
    details = list("the same audio as the run's song " + copies["track_id"].map(of_run).astype(str))
    rejects.append(problem_rows(tables.REJECTS, where(copies), STAGE, "duplicate", details))
    deaf = ~repeated & probed["reject"].isna().to_numpy() & probed["duration_s"].isna().to_numpy()
    rejects.append(
        problem_rows(
            tables.REJECTS,
            where(left[deaf]),
            STAGE,
            "missing_file",
            "no audio; songs are assigned by their audio",
        )
    )
    kept = (~repeated & ~deaf).to_numpy()
    sources, probed = sources[kept], probed[kept]
    if probed["reject"].notna().all():
        bad = probed["reject"].notna().to_numpy()
        details = list(probed.loc[bad, "detail"].fillna(""))
        bad_rows = problem_rows(tables.REJECTS, where(sources[bad]), "probe", "unreadable", details)
        bad_rows["reason"] = list(probed.loc[bad, "reject"])
        rejected = concat([*rejects, bad_rows], tables.REJECTS)
        return NewSongs(None, {}, rejected, found.warnings)
    corpus = build_corpus(
        sources,
        probed,
        concat(rejects, tables.REJECTS),
        found.warnings,
        windows,
        Split(method="hashed"),
        path,
    )
    shard = scratch / "shard.parquet"
    tables.write(shard_frames(corpus, 1)[0], shard, tables.SHARD)
    outputs = {name: _write(name, shard, scratch, features[name]) for name in sorted(features)}
    rejects, warnings = [corpus.rejects], [corpus.warnings]
    for files in outputs.values():
        rejects.append(tables.read(files["rejects"], tables.REJECTS))
        warnings.append(tables.read(files["warnings"], tables.WARNINGS))
    return NewSongs(
        corpus,
        {name: files["part"] for name, files in outputs.items()},
        concat(rejects, tables.REJECTS),
        concat(warnings, tables.WARNINGS),
        {name: files["songs"] for name, files in outputs.items() if "songs" in files},
    )


def _write(name: str, shard: Path, scratch: Path, settings: Mapping[str, Any]) -> dict[str, Path]:
    """Files of one feature, by what they hold."""
    kinds = ["part", "rejects", "warnings", *(["songs"] if registry.feature(name).songs else [])]
    files = {kind: scratch / f"{name}-{kind}.parquet" for kind in kinds}
    registry.write(name, registry.Job({"shard": shard}, files, settings))
    return files
