"""The parquet tables between stages: schemas, and functions that read, write and check them.

Every file carries its table's name and `schema_version` in the metadata, is written atomically
(temporary name, then rename) and is checked on write and on read.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from songatlas.errors import OtherVersionError, TableError
from songatlas.files import atomic as atomic

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

VERSIONS = {"probed": 2, "tracks": 2}
"""Schema version by table; 1 where none is named. A new nullable column is no new version
(`Table.added`). `tracks` 2: `track_id` is a hash of the coded sound alone."""

REJECT_REASONS = (
    "missing_file",
    "unreadable",
    "empty_file",
    "not_audio",
    "unsupported_codec",
    "truncated",
    "zero_length",
    "too_short",
    "silent",
    "not_finite",
    "duplicate",
    "duplicate_id",
    "changed_while_reading",
    "no_audio_and_no_lyrics",
    "bad_lyrics",
    "bad_row",
    "wrong_place",
)
"""Why an input was set aside (closed list)."""

WARNING_REASONS = (
    "unknown_language",
    "language_mismatch",
    "missing_tags",
    "missing_genre",
    "missing_language",
    "missing_audio",
    "missing_lyrics",
    "bad_lyrics",
    "bad_timestamp",
    "padded",
    "truncated",
    "damaged",
    "clipped",
    "inverted",
    "second_file",
    "twins",
    "encoding_guessed",
    "unused_file",
    "bad_value",
)
"""What was odd about an input that is used all the same (closed list)."""

TEXT = pa.string()
F32 = pa.float32()
F64 = pa.float64()
I32 = pa.int32()
FLAG = pa.bool_()


@dataclass(frozen=True)
class Table:
    """A table's name, columns, which of them may be null, its key and its closed lists."""

    name: str
    columns: Mapping[str, pa.DataType]
    nullable: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()
    allowed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    extra_prefix: str | None = None
    """Further columns may follow when their names start with this."""
    added: frozenset[str] = frozenset()
    """Nullable columns that frames and files from before them lack: null there."""

    @property
    def schema(self) -> pa.Schema:
        return pa.schema(
            [pa.field(name, kind, name in self.nullable) for name, kind in self.columns.items()]
        )


SPLITS = ("train", "validation", "test")
FOLDS = tuple(f"fold-{index}" for index in range(20))
"""Splits of a corpus that is split for cross-validation (see `corpus.folds`)."""
LYRICS_SOURCES = ("file", "timed", "tag", "transcribed", "none")
OF_RELEASES = {
    "album": TEXT,
    "album_artist": TEXT,
    "year": I32,
    "track_number": I32,
    "genres": TEXT,
    "compilation": FLAG,
}
"""What tags say of a song's release, null where they say nothing. `genres` are those behind the
first, separated by `; `; `compilation` says that the album has songs of several artists."""

LEVELS = ("window", "song", "song_vote")
VIEWS = ("sound", "words", "together")
"""By what a model that reads audio and lyrics is clustered; null where it reads one of them."""

SOURCES = Table(
    "sources",
    {
        "source_id": TEXT,
        "audio_path": TEXT,
        "lyrics_path": TEXT,
        "lyrics": TEXT,
        "lyrics_source": TEXT,
        "title": TEXT,
        "artist": TEXT,
        "language": TEXT,
        "genre": TEXT,
        "license": TEXT,
        "source_url": TEXT,
        "lines": TEXT,
        "notes": TEXT,
        **OF_RELEASES,
    },
    nullable=frozenset(
        [
            "audio_path",
            "lyrics_path",
            "lyrics",
            "title",
            "artist",
            "language",
            "genre",
            "license",
            "source_url",
            "lines",
            "notes",
            *OF_RELEASES,
        ]
    ),
    key=("source_id",),
    allowed={"lyrics_source": LYRICS_SOURCES},
    extra_prefix="factor_",
    added=frozenset(OF_RELEASES),
)
"""What a reader found, before any audio was opened: `lines` and `notes` hold JSON arrays."""

TRACKS = Table(
    "tracks",
    {
        "track_id": TEXT,
        "source_id": TEXT,
        "audio_path": TEXT,
        "duration_s": F64,
        "sample_rate_hz": I32,
        "channels": I32,
        "lyrics": TEXT,
        "lyrics_source": TEXT,
        "split": TEXT,
        "status": TEXT,
    },
    nullable=frozenset(["audio_path", "duration_s", "sample_rate_hz", "channels", "lyrics"]),
    key=("track_id",),
    allowed={
        "split": (*SPLITS, *FOLDS),
        "lyrics_source": LYRICS_SOURCES,
        "status": ("ok", *REJECT_REASONS),
    },
)
"""Songs that the corpus stage accepted: `status` is that stage's, so always `ok`. What later stages
cannot use stands in their own rejects (`features/*/rejects-*.parquet`), which `tracks` keeps."""

LABELS = Table(
    "labels",
    {
        "track_id": TEXT,
        "title": TEXT,
        "artist": TEXT,
        "language": TEXT,
        "language_source": TEXT,
        "language_confidence": F64,
        "genre": TEXT,
        "license": TEXT,
        "source_url": TEXT,
        **OF_RELEASES,
    },
    nullable=frozenset(
        [
            "title",
            "artist",
            "language",
            "language_source",
            "language_confidence",
            "genre",
            "license",
            "source_url",
            *OF_RELEASES,
        ]
    ),
    key=("track_id",),
    allowed={"language_source": ("given", "detected")},
    extra_prefix="factor_",
    added=frozenset(["language_source", "language_confidence", *OF_RELEASES]),
)
"""What is known of songs. `language_source` says whether the language was `given` or `detected`
(null counts as given), `language_confidence` how probable a detected one is, from 0 to 1."""

WINDOWS = Table(
    "windows",
    {
        "window_id": TEXT,
        "track_id": TEXT,
        "index": I32,
        "start_s": F64,
        "end_s": F64,
        "split": TEXT,
        "padded": FLAG,
        "lyrics": TEXT,
    },
    nullable=frozenset(["lyrics"]),
    key=("window_id",),
    allowed={"split": (*SPLITS, *FOLDS)},
)

LINES = Table("lines", {"track_id": TEXT, "start_s": F64, "end_s": F64, "text": TEXT})

NOTES = Table("notes", {"track_id": TEXT, "start_s": F64, "end_s": F64, "midi": F64, "text": TEXT})

REJECTS = Table(
    "rejects",
    {"path": TEXT, "stage": TEXT, "reason": TEXT, "detail": TEXT},
    allowed={"reason": REJECT_REASONS},
)

WARNINGS = Table(
    "warnings",
    {"path": TEXT, "stage": TEXT, "reason": TEXT, "detail": TEXT},
    allowed={"reason": WARNING_REASONS},
)

SHARD = Table(
    "shard",
    {
        "window_id": TEXT,
        "track_id": TEXT,
        "audio_path": TEXT,
        "start_s": F64,
        "end_s": F64,
    },
    key=("window_id",),
)
"""The windows of one shard's songs: all that the audio features read."""

SONGS_SEEN = Table("songs_seen", {"track_id": TEXT, "first_seen": I32}, key=("track_id",))
"""When a run got each song: 0 of those that it began with, then counting on as songs come."""

NEAR_COPIES = Table(
    "near_copies",
    {"group": I32, "track_id": TEXT, "first": FLAG, "split": TEXT, "distance": F64},
    key=("track_id",),
    allowed={"split": (*SPLITS, *FOLDS)},
)
"""Songs that are one recording in several encodings, by `group`. `first` marks the song that the
run had first, whose split the group takes; `distance` is that to the song's nearest copy."""

LATENTS = Table(
    "latents",
    {
        "level": TEXT,
        "window_id": TEXT,
        "track_id": TEXT,
        "split": TEXT,
        "z": pa.list_(F32),
        "own_label": I32,
    },
    nullable=frozenset(["window_id", "own_label"]),
    allowed={"level": ("window", "song"), "split": SPLITS},
)

CLUSTERS = Table(
    "clusters",
    {
        "level": TEXT,
        "view": TEXT,
        "window_id": TEXT,
        "track_id": TEXT,
        "algorithm": TEXT,
        "k": I32,
        "label": I32,
        "probability": F32,
    },
    nullable=frozenset(["view", "window_id", "k", "probability"]),
    allowed={"level": LEVELS, "view": VIEWS},
    added=frozenset(["view"]),
)

CONTINUITY = Table(
    "continuity",
    {
        "level": TEXT,
        "algorithm": TEXT,
        "k": I32,
        "old_number": I32,
        "new_number": I32,
        "songs_shared": I32,
        "share": F64,
    },
    nullable=frozenset(["k", "old_number", "new_number", "share"]),
    allowed={"level": ("song", "song_vote")},
)
"""Clusters beside those that they continue. `songs_shared` are in both; `share` is their share of
the songs that were clustered both times and are in either. `old_number` is null of a new cluster,
`new_number` of one that is gone."""

SUPERVISION = ("none", "elsewhere", "labels")
"""Whose labels a representation saw: nobody's, other people's (pretrained weights), this corpus's.

Only those that saw this corpus's labels do not compete for the best.
"""

SCORES = Table(
    "scores",
    {
        "model": TEXT,
        "seed": I32,
        "split": TEXT,
        "level": TEXT,
        "view": TEXT,
        "algorithm": TEXT,
        "k": I32,
        "task": TEXT,
        "metric": TEXT,
        "value": F64,
        "ci_low": F64,
        "ci_high": F64,
        "chance": F64,
        "n": I32,
        "supervision": TEXT,
        "note": TEXT,
    },
    nullable=frozenset(["view", "k", "value", "ci_low", "ci_high", "chance", "note"]),
    allowed={"level": LEVELS, "view": VIEWS, "supervision": SUPERVISION},
    added=frozenset(["view"]),
)

DISENTANGLEMENT = Table(
    "disentanglement",
    {
        "model": TEXT,
        "seed": I32,
        "level": TEXT,
        "factor": TEXT,
        "metric": TEXT,
        "value": F64,
        "chance": F64,
        "n": I32,
        "supervision": TEXT,
        "note": TEXT,
    },
    nullable=frozenset(["value", "chance", "note"]),
    key=("level", "factor", "metric"),
    allowed={"level": ("window", "song"), "supervision": SUPERVISION},
)
"""How far one model's dimensions stand for one factor each; `factor` `all` is all of them."""

PROBES = Table(
    "probes",
    {
        "model": TEXT,
        "seed": I32,
        "task": TEXT,
        "probe": TEXT,
        "metric": TEXT,
        "value": F64,
        "ci_low": F64,
        "ci_high": F64,
        "chance": F64,
        "n": I32,
        "classes": I32,
        "supervision": TEXT,
        "note": TEXT,
    },
    nullable=frozenset(["value", "ci_low", "ci_high", "chance", "classes", "note"]),
    key=("task", "probe"),
    allowed={"supervision": SUPERVISION, "metric": ("accuracy", "r_squared")},
)
"""What probes read from one model's vectors of songs, by task."""

HISTORY = Table(
    "history",
    {"epoch": I32, "metric": TEXT, "split": TEXT, "unit": I32, "value": F64},
    nullable=frozenset(["unit"]),
    allowed={"split": ("train", "validation")},
)
"""Training curves, tidy: one row per epoch, metric and split; `unit` numbers the latent dimension
that a value belongs to (`kl_per_unit`), null where it is the whole model's."""

CONSENSUS = Table(
    "consensus",
    {"k": I32, "track_id": TEXT, "label": I32, "confidence": F64},
    nullable=frozenset(["confidence"]),
    key=("k", "track_id"),
)
"""Consensus partitions of the songs, one per k; `confidence` is null in clusters of one song."""

CHOICE = Table(
    "choice",
    {"criterion": TEXT, "k": I32, "value": F64, "sd": F64, "chosen": FLAG, "note": TEXT},
    nullable=frozenset(["k", "value", "sd", "note"]),
    allowed={"criterion": ("stability", "silhouette", "gap", "bic", "joint")},
)
"""What each criterion says of each number of clusters; `joint` holds their mean ranks."""

QUALITY = Table(
    "quality",
    {
        "k": I32,
        "cluster": I32,
        "size": I32,
        "confidence": F64,
        "silhouette": F64,
        "nearest": I32,
        "separation": F64,
        "medoid": TEXT,
        "task": TEXT,
        "n": I32,
        "majority": TEXT,
        "purity": F64,
        "ci_low": F64,
        "ci_high": F64,
        "chance": F64,
        "note": TEXT,
    },
    nullable=frozenset(
        [
            "confidence",
            "silhouette",
            "nearest",
            "separation",
            "majority",
            "purity",
            "ci_low",
            "ci_high",
            "chance",
            "note",
        ]
    ),
    key=("k", "cluster", "task"),
)
"""One row per consensus cluster and task."""

ASSIGNMENTS = Table(
    "assignments",
    {
        "track_id": TEXT,
        "source_id": TEXT,
        "title": TEXT,
        "model": TEXT,
        "seed": I32,
        "algorithm": TEXT,
        "k": I32,
        "label": I32,
        "probability": F32,
        "agreement": F64,
        "distance": F64,
        "p_novel": F64,
        "novel": FLAG,
        "nearest": TEXT,
        "note": TEXT,
    },
    nullable=frozenset(["title", "k", "probability", "agreement", "p_novel", "novel", "note"]),
    key=("track_id", "model", "seed", "algorithm", "k"),
)
"""New songs in the clusters of a finished run. `agreement`: the share of the run's own songs that
the same assignment gives back the cluster that they have there. `distance`: the mean distance to
the `nearest` songs (track ids, nearest first, separated by blanks); `p_novel`: of a distance as
large among songs like the run's; null where there are too few songs to tell."""

ASSIGNED_LATENTS = Table(
    "assigned_latents",
    {"model": TEXT, "seed": I32, "sample": TEXT, "track_id": TEXT, "z": pa.list_(F32)},
    key=("model", "seed", "sample", "track_id"),
    allowed={"sample": ("run", "new")},
)
"""Vectors of new songs and of the run's songs that they are compared with, in a space that was
fitted on neither (`assign.calibrate_on: all`: on the run's)."""


def empty(table: Table) -> "pd.DataFrame":
    """A frame with the table's columns and no rows."""
    return table.schema.empty_table().to_pandas()


def write(
    frame: "pd.DataFrame", path: str | Path, table: Table, metadata: Mapping[str, Any] | None = None
) -> None:
    """Check `frame` against `table` and write it atomically as zstd parquet.

    Columns are put into the schema's order; `metadata` is stored as JSON under `songatlas`.

    Raises:
        TableError: naming the file, the column and the first offending row.
    """
    path = Path(path)
    frame = frame.assign(**dict.fromkeys(table.added.difference(frame.columns)))
    _check_columns(list(frame.columns), table, path)
    extra = [column for column in frame.columns if column not in table.columns]
    schema = table.schema
    ordered = frame[[*table.columns, *extra]]
    try:
        arrow = pa.Table.from_pandas(
            ordered[list(table.columns)],
            schema=pa.schema([item.with_nullable(True) for item in schema]),
            preserve_index=False,
            safe=False,
        )
        for column in extra:
            arrow = arrow.append_column(column, pa.array(ordered[column], from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TableError(f"{path}: {error}") from None
    _check_values(arrow, table, path)
    write_arrow(arrow, path, table.name, metadata)


def read(
    path: str | Path, table: Table, columns: Sequence[str] | None = None, filters: Any = None
) -> "pd.DataFrame":
    """Read a table (some columns, some rows by pyarrow `filters`) after checking its schema.

    Raises:
        TableError: when the file is absent, was written by another schema version, or is another
            table.
    """
    path = Path(path)
    info = read_metadata(path)
    if info["table"] != table.name:
        raise TableError(f"{path}: holds the table `{info['table']}`, expected `{table.name}`")
    present = pq.read_schema(path).names
    absent = sorted(table.added.difference(present))
    _check_columns([*present, *absent], table, path)
    wanted = None if columns is None else [name for name in columns if name not in absent]
    arrow = pq.read_table(path, columns=wanted, filters=filters)
    for name in absent if columns is None else set(absent).intersection(columns):
        arrow = arrow.append_column(name, pa.nulls(len(arrow), table.columns[name]))
    return arrow.to_pandas()


def read_previous(path: str | Path, table: Table) -> "pd.DataFrame | None":
    """What a job wrote to its own output before; None where there is nothing that it can read.

    A table of another version, or a damaged one, is said in the job's log and counts as nothing:
    the job is about to replace it.
    """
    if not Path(path).exists():
        return None
    try:
        return read(path, table)
    except TableError as error:
        logger.warning("starts anew without what it wrote before: %s", error)
        return None


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Name of the table and whatever was given to `write` as `metadata`.

    Raises:
        TableError: when the file is absent, is no parquet file, or has another schema version.
    """
    path = Path(path)
    try:
        raw = pq.read_schema(path).metadata or {}
    except FileNotFoundError:
        raise TableError(f"{path}: no such file; run the stage that writes it") from None
    except pa.ArrowInvalid as error:
        raise TableError(f"{path}: not a readable parquet file ({error})") from None
    name, version = raw.get(b"table", b"?").decode(), raw.get(b"schema_version", b"none").decode()
    if version != _version(name):
        raise OtherVersionError(
            f"{path}: written with table schema version {version}, this Songatlas reads version "
            f"{_version(name)}; delete the file and run again, or choose another `run`"
        )
    return {"table": name, **json.loads(raw.get(b"songatlas", b"{}"))}


def _version(name: str) -> str:
    return str(VERSIONS.get(name, 1))


def write_arrow(
    arrow: pa.Table, path: str | Path, name: str, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write an Arrow table atomically, with schema version, name and metadata."""
    arrow = arrow.replace_schema_metadata(_stored_metadata(name, metadata))
    with atomic(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd")


def _stored_metadata(name: str, metadata: Mapping[str, Any] | None) -> dict[str, str]:
    return {
        "schema_version": _version(name),
        "table": name,
        "songatlas": json.dumps(dict(metadata or {}), sort_keys=True),
    }


class FeatureWriter:
    """Write one part of a feature piece by piece; each piece becomes a row group.

    `values` of shape (n, ...) are stored as a fixed-size list of their dtype; shape and units stand
    in the metadata. The file appears under its name only when the block ends without error.
    """

    def __init__(
        self,
        path: str | Path,
        feature: str,
        shape: Sequence[int],
        dtype: str,
        *,
        key: str = "window_id",
        units: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if key not in ("window_id", "track_id"):
            raise TableError(f"{path}: feature key must be window_id or track_id, not {key}")
        self.path, self.key, self.shape = Path(path), key, tuple(shape)
        self.width = int(np.prod(self.shape))
        self.dtype = np.dtype(dtype)
        info = {"feature": feature, "shape": list(shape), "units": units, "key": key}
        values = pa.list_(pa.from_numpy_dtype(self.dtype), self.width)
        self.schema = pa.schema(
            {key: TEXT, "values": values},
            metadata=_stored_metadata(f"features/{feature}", {**info, **(metadata or {})}),
        )

    def __enter__(self) -> "FeatureWriter":
        self._atomic = atomic(self.path)
        self._writer = pq.ParquetWriter(
            self._atomic.__enter__(),
            self.schema,
            compression="zstd",
            use_dictionary=[self.key],
            write_statistics=[self.key],  # of the values nobody asks for a smallest one
        )
        return self

    def write(self, ids: Sequence[str], values: np.ndarray) -> None:
        """Append rows.

        Raises:
            TableError: when the shape is not the declared one or there are not as many ids.
        """
        if values.shape != (len(ids), *self.shape):
            raise TableError(
                f"{self.path}: {len(ids)} ids with values of shape {values.shape}, "
                f"expected ({len(ids)}, {', '.join(map(str, self.shape))})"
            )
        if not len(ids):
            return
        flat = pa.array(np.ascontiguousarray(values, self.dtype).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, self.width)
        self._writer.write_table(pa.table([pa.array(list(ids), TEXT), column], schema=self.schema))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        try:
            self._writer.close()
        except OSError as failed:  # the end of the file did not fit
            kind, error = type(failed), error or failed
        self._atomic.__exit__(kind, error, trace)
        if isinstance(error, OSError):
            raise error


def write_feature(
    path: str | Path,
    feature: str,
    ids: Sequence[str],
    values: np.ndarray,
    *,
    key: str = "window_id",
    units: str,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write one part of a feature at once: `values` of shape (n, ...) in row order of `ids`."""
    with FeatureWriter(
        path, feature, values.shape[1:], str(values.dtype), key=key, units=units, metadata=metadata
    ) as writer:
        writer.write(ids, values)


def iter_feature(paths: Sequence[str | Path]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Stream a feature part by part and row group by row group as (ids, values (n, ...))."""
    for path in sorted(map(str, paths)):
        info = read_metadata(path)
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                arrow = file.read_row_group(group)
                yield arrow[info["key"]].to_pylist(), feature_values(arrow, info["shape"])


def feature_values(arrow: pa.Table, shape: Sequence[int]) -> np.ndarray:
    """Values of a feature's rows, (n, ...) with the feature's `shape` behind n."""
    flat = arrow["values"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat.reshape(len(arrow), *shape))


def read_feature(paths: Sequence[str | Path]) -> tuple[list[str], np.ndarray]:
    """All parts of a feature in memory: ids and values of shape (n, ...), sorted by part."""
    ids: list[str] = []
    blocks = []
    for some, values in iter_feature(paths):
        ids += some
        blocks.append(values)
    if not blocks:
        shape = read_metadata(paths[0])["shape"] if paths else []
        return [], np.zeros((0, *shape), np.float32)
    return ids, np.concatenate(blocks)


def latents_frame(
    level: str,
    window_ids: Sequence[str] | None,
    track_ids: Sequence[str],
    splits: Sequence[str],
    z: np.ndarray,
    own_labels: np.ndarray | None = None,
) -> "pd.DataFrame":
    """Rows of the latents table from `z` of shape (n, d).

    `own_labels` of shape (n,) are the cluster assignments of models that have their own (VaDE).
    """
    import pandas as pd

    return pd.DataFrame(
        {
            "level": level,
            "window_id": list(window_ids) if window_ids is not None else [None] * len(z),
            "track_id": list(track_ids),
            "split": list(splits),
            "z": list(np.asarray(z, np.float32)),
            "own_label": pd.array(
                [None] * len(z) if own_labels is None else list(own_labels), dtype="Int32"
            ),
        }
    )


def _check_columns(columns: Sequence[str], table: Table, path: Path) -> None:
    missing = [column for column in table.columns if column not in columns]
    if missing:
        raise TableError(f"{path}: column `{missing[0]}` of table `{table.name}` is missing")
    for column in columns:
        known = column in table.columns
        allowed = table.extra_prefix is not None and column.startswith(table.extra_prefix)
        if not known and not allowed:
            raise TableError(f"{path}: column `{column}` is not part of table `{table.name}`")


def _check_values(arrow: pa.Table, table: Table, path: Path) -> None:
    for column in table.columns:
        values = arrow[column]
        if column not in table.nullable and values.null_count:
            row = pc.index(pc.is_null(values), True).as_py()
            raise TableError(f"{path}: column `{column}`, row {row}: null is not allowed")
        if column in table.allowed:
            known = pc.is_in(values, pa.array(table.allowed[column], values.type))
            bad = pc.and_(pc.is_valid(values), pc.invert(known))
            row = pc.index(bad, True).as_py()
            if row >= 0:
                raise TableError(
                    f"{path}: column `{column}`, row {row}: `{values[row].as_py()}` is not one of "
                    f"{', '.join(table.allowed[column])}"
                )
    if table.key:
        keys = arrow.select(list(table.key)).to_pandas()
        repeated = keys.duplicated()
        if repeated.any():
            row = int(np.flatnonzero(repeated)[0])
            value = tuple(keys.iloc[row])
            raise TableError(
                f"{path}: key {table.key}, row {row}: {value} stands in an earlier row too"
            )
