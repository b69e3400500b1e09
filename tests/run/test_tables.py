"""Tables: checked on write and read, atomic, versioned."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from songatlas import tables
from songatlas.errors import TableError


def labels(**columns: list) -> pd.DataFrame:
    names = [name for name in tables.LABELS.columns if name not in columns]
    rows = len(next(iter(columns.values())))
    return pd.DataFrame({**columns, **{name: [None] * rows for name in names}})


def test_a_table_survives_the_round_trip(tmp_path: Path) -> None:
    frame = labels(track_id=["b", "a"], title=["Ünï", None]).assign(factor_tempo=[1.5, 2.0])
    tables.write(frame, tmp_path / "labels.parquet", tables.LABELS, {"note": "x"})
    back = tables.read(tmp_path / "labels.parquet", tables.LABELS)
    assert back["title"][0] == "Ünï"
    assert pd.isna(back["title"][1])
    assert list(back["factor_tempo"]) == [1.5, 2.0]
    assert tables.read_metadata(tmp_path / "labels.parquet")["note"] == "x"


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    frame = labels(track_id=["b", "a"])
    for name in ("one", "two"):
        tables.write(frame, tmp_path / name, tables.LABELS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"track_id": ["a", "a"]}, "key.*row 1"),
        ({"track_id": ["a", None]}, "`track_id`, row 1: null"),
        ({"surprise": [1, 2]}, "`surprise` is not part"),
    ],
)
def test_errors_name_file_column_and_row(tmp_path: Path, change: dict, message: str) -> None:
    frame = labels(track_id=["a", "b"]).assign(**change)
    with pytest.raises(TableError, match=f"x.parquet.*{message}"):
        tables.write(frame, tmp_path / "x.parquet", tables.LABELS)
    assert not (tmp_path / "x.parquet").exists()


def test_closed_lists_are_closed(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["p"], "stage": ["s"], "reason": ["bored"], "detail": [""]})
    with pytest.raises(TableError, match="row 0: `bored` is not one of"):
        tables.write(frame, tmp_path / "x.parquet", tables.REJECTS)


@pytest.mark.parametrize("table", [tables.SCORES, tables.DISENTANGLEMENT, tables.PROBES])
def test_supervision_is_one_of_three_words(tmp_path: Path, table: tables.Table) -> None:
    row = {name: "x" if kind == tables.TEXT else 0 for name, kind in table.columns.items()}
    row |= {name: words[0] for name, words in table.allowed.items()}
    for word in ("none", "elsewhere", "labels"):
        frame = pd.DataFrame([row | {"supervision": word}])
        tables.write(frame, tmp_path / "x.parquet", table)
        assert tables.read(tmp_path / "x.parquet", table)["supervision"].tolist() == [word]
    with pytest.raises(TableError, match="`hearsay` is not one of"):
        tables.write(pd.DataFrame([row | {"supervision": "hearsay"}]), tmp_path / "x", table)


def test_labels_from_before_languages_were_detected_still_read(tmp_path: Path) -> None:
    old = pa.table(
        {n: pa.array(["a"]) for n in tables.LABELS.columns if n not in tables.LABELS.added}
    )
    tables.write_arrow(old, tmp_path / "labels.parquet", "labels")
    back = tables.read(tmp_path / "labels.parquet", tables.LABELS)
    assert set(back) == set(tables.LABELS.columns)
    assert back["language"].tolist() == ["a"]
    assert back["language_source"].isna().all()
    assert back["language_confidence"].dtype == np.float64
    columns = ["track_id", "language_source"]
    some = tables.read(tmp_path / "labels.parquet", tables.LABELS, columns=columns)
    assert list(some) == columns
    tables.write(back, tmp_path / "new.parquet", tables.LABELS)
    frame = back.drop(columns=["language_source", "language_confidence"])
    tables.write(frame, tmp_path / "same.parquet", tables.LABELS)
    assert (tmp_path / "new.parquet").read_bytes() == (tmp_path / "same.parquet").read_bytes()


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="column `license` of table `labels` is missing"):
        tables.write(labels(track_id=["a"]).drop(columns="license"), tmp_path / "x", tables.LABELS)


def test_another_schema_version_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    old = pa.table({"track_id": ["a"]}).replace_schema_metadata({"schema_version": "0"})
    pq.write_table(old, path)
    with pytest.raises(TableError, match=r"schema version 0.*delete the file and run again"):
        tables.read(path, tables.LABELS)


def test_every_table_has_a_schema_version_of_its_own(tmp_path: Path) -> None:
    for table in (tables.LABELS, tables.TRACKS):
        tables.write(tables.empty(table), tmp_path / table.name, table)
    stored = {
        name: pq.read_schema(tmp_path / name).metadata[b"schema_version"]
        for name in ("labels", "tracks")
    }
    assert stored == {"labels": b"1", "tracks": b"2"}


def test_another_table_is_refused(tmp_path: Path) -> None:
    tables.write(labels(track_id=["a"]), tmp_path / "x.parquet", tables.LABELS)
    with pytest.raises(TableError, match="holds the table `labels`, expected `tracks`"):
        tables.read(tmp_path / "x.parquet", tables.TRACKS)


def test_what_is_no_parquet_file_is_a_table_error(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("hello")
    with pytest.raises(TableError, match="not a readable parquet file"):
        tables.read(tmp_path / "x.parquet", tables.LABELS)
    with pytest.raises(TableError, match="no such file"):
        tables.read(tmp_path / "y.parquet", tables.LABELS)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def fail() -> None:
        with tables.atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_features_keep_shape_and_dtype_over_parts(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float16).reshape(4, 2, 3)
    for part, rows in enumerate((slice(0, 3), slice(3, 4))):
        ids = [f"w{i}" for i in range(4)][rows]
        path = tmp_path / f"part-{part:02d}.parquet"
        tables.write_feature(path, "logmel", ids, values[rows], units="dB")
    ids, back = tables.read_feature(sorted(tmp_path.iterdir()))
    assert ids == ["w0", "w1", "w2", "w3"]
    assert back.dtype == np.float16
    np.testing.assert_array_equal(back, values)


def test_an_empty_feature_part_is_valid(tmp_path: Path) -> None:
    empty = np.zeros((0, 2, 3), np.float16)
    tables.write_feature(tmp_path / "part-00.parquet", "logmel", [], empty, units="dB")
    ids, back = tables.read_feature([tmp_path / "part-00.parquet"])
    assert ids == []
    assert back.shape == (0, 2, 3)


def test_a_wrong_feature_shape_is_refused(tmp_path: Path) -> None:
    writer = tables.FeatureWriter(tmp_path / "p", "logmel", (2, 3), "float16", units="dB")
    with pytest.raises(TableError, match="expected \\(1, 2, 3\\)"), writer:
        writer.write(["a"], np.zeros((1, 3, 2), np.float16))
    assert list(tmp_path.iterdir()) == []
