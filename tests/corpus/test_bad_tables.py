"""Tables that people and older versions made: read, told of, or refused with what to do."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from hostile import music
from pipeline import SMALL, snakemake, write_song
from songatlas import tables
from songatlas.config.corpus import Split, Windows
from songatlas.corpus.build import build_corpus, write_corpus
from songatlas.corpus.probe import probe_sources
from songatlas.corpus.readers import read
from songatlas.errors import SongatlasError, TableError

HEADER = "song_id,title,language,genre,filename,audio_path,lyrics_path,has_lyrics"


def manifest(folder: Path, *rows: str, header: str = HEADER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "manifest.csv"
    file.write_text("\n".join([header, *rows]), encoding="utf-8")
    return file


def test_columns_that_are_not_read_are_told(tmp_path: Path) -> None:
    header = HEADER + ",lisence,artist"
    found = read("manifest", manifest(tmp_path, "s1,T,en,pop,a.mp3,a.mp3,,,CC-BY,A", header=header))
    assert found.sources["artist"].tolist() == ["A"]
    (told,) = found.warnings.itertuples()
    assert told.reason == "bad_value"
    assert "columns that are not read: `lisence`" in told.detail
    assert "license" in told.detail.split(";")[1]


def test_cells_of_any_type_become_text(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "song_id": [1.5, 2.0],
            "title": [b"bytes", None],
            "language": [7, 8],
            "genre": [["a", "list"], []],
            "audio_path": [3, 4],
            "lyrics_path": [pd.Timestamp("2020-01-01"), pd.NaT],
        }
    )
    frame.to_parquet(tmp_path / "manifest.parquet")
    found = read("manifest", tmp_path)
    tables.write(found.sources, tmp_path / "s.parquet", tables.SOURCES)
    assert found.sources["source_id"].tolist() == ["1.5", "2.0"]
    assert (found.warnings["reason"] == "unknown_language").sum() == 2
    assert probe_sources(found.sources)["reject"].tolist() == ["missing_file"] * 2


def test_ids_write_nothing_outside_the_run(tmp_path: Path) -> None:
    ids = ["../../up", "/tmp/absolute", "..", ".", "a/b", "a\\b", "nul", "-rf", "~", "$HOME", "*"]
    for number, _ in enumerate(ids):
        soundfile.write(tmp_path / f"{number}.wav", music(1.0, seed=number), 22050)
    rows = [f"{name},T,en,pop,,{number}.wav,," for number, name in enumerate(ids)]
    found = read("manifest", manifest(tmp_path, *rows))
    probed = probe_sources(found.sources)
    corpus = build_corpus(found.sources, probed, found.rejects, found.warnings, Windows(), Split())
    assert sorted(corpus.tracks["source_id"]) == sorted(ids)
    # Everything that is ever written is named by these, never by what a table says.
    assert corpus.tracks["track_id"].str.fullmatch("[0-9a-f]{16}").all()
    assert corpus.windows["window_id"].str.fullmatch("[0-9a-f]{16}-[0-9]{4}").all()
    before = set(tmp_path.rglob("*"))
    run = tmp_path / "results" / "run"
    names = ("tracks", "labels", "windows", "lines", "notes", "rejects", "warnings")
    write_corpus(corpus, {name: run / f"{name}.parquet" for name in names}, [run / "00.parquet"])
    new = set(tmp_path.rglob("*")) - before - {tmp_path / "results", run}
    assert new == {run / f"{name}.parquet" for name in (*names, "00")}


def test_two_rows_of_one_file_are_a_track_and_a_duplicate_of_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", music(1.0), 22050)
    rows = ("s1,T,en,pop,,a.wav,,", "s2,T,en,pop,,a.wav,,")
    found = read("manifest", manifest(tmp_path, *rows))
    probed = probe_sources(found.sources)
    corpus = build_corpus(found.sources, probed, found.rejects, found.warnings, Windows(), Split())
    assert corpus.tracks["source_id"].tolist() == ["s1"]
    assert corpus.rejects[["path", "reason"]].values.tolist() == [["s2", "duplicate"]]


def test_many_rows_are_read_by_columns_not_one_by_one(tmp_path: Path) -> None:
    """Python calls per row: a million rows take seconds only where they are few."""
    calls = []
    for count in (1000, 21_000):
        rows = [f"s{i},Song {i},en,g{i % 7},,a/{i}.mp3,," for i in range(count)]
        file = manifest(tmp_path / str(count), *rows)
        total = 0

        def count_calls(_frame: object, event: str, _argument: object) -> None:
            nonlocal total
            total += event == "call"

        sys.setprofile(count_calls)
        try:
            found = read("manifest", file)
        finally:
            sys.setprofile(None)
        assert len(found.sources) == count
        calls.append(total)
    assert (calls[1] - calls[0]) / 20_000 < 12, calls


@pytest.mark.parametrize("reader", ["folder", "manifest"])
def test_an_empty_corpus_says_so(tmp_path: Path, reader: str) -> None:
    if reader == "manifest":
        manifest(tmp_path)
    found = read(reader, tmp_path)
    probed = probe_sources(found.sources)
    with pytest.raises(SongatlasError, match=r"songs: no usable song \(0 found.*check corpus_path"):
        build_corpus(
            found.sources, probed, found.rejects, found.warnings, Windows(), Split(), "songs"
        )


def test_features_of_another_schema_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    tables.write_feature(path, "logmel", ["w"], np.zeros((1, 2), np.float16), units="dB")
    table = pq.read_table(path)
    old = {**table.schema.metadata, b"schema_version": b"0"}
    pq.write_table(table.replace_schema_metadata(old), path)
    with pytest.raises(TableError, match=r"part\.parquet: written with table schema version 0.*"):
        tables.read_feature([path])
    pq.write_table(pa.table({"window_id": ["w"]}), path)
    with pytest.raises(TableError, match="schema version none"):
        tables.read_feature([path])


@pytest.mark.slow
def test_one_language_and_fewer_songs_than_clusters_leave_null_rows_with_notes(
    tmp_path: Path,
) -> None:
    for number in range(3):
        write_song(tmp_path / "songs" / "english" / "pop" / f"{number}.wav", "pop", number, 17.0)
    config = SMALL.replace("k: [2, 3]", "k: [2, 15]").replace("max_epochs: 2", "max_epochs: 1")
    (tmp_path / "small.yaml").write_text(config, encoding="utf-8")
    include = "include=basic_vae,cvae_language,mean_mel,lyrics_tfidf"
    more = ("--configfile", "small.yaml", "--config", "corpus_path=songs", include)
    snakemake(tmp_path, *more, "--", "results/small/tables/comparison.csv")
    table = pd.read_csv(tmp_path / "results" / "small" / "tables" / "comparison.csv")
    assert table["nmi_mean"].isna().all()
    assert table["note"].notna().all()
