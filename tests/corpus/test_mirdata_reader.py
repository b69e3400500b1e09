"""mirdata's data sets: read where they lie, never downloaded, never unpickled unguarded."""

import gzip
import json
import pickle
import sys
import types
from pathlib import Path

import pytest

from songatlas.corpus.dali_annotations import read_annotations
from songatlas.corpus.readers import read
from songatlas.corpus.result import Problems
from songatlas.errors import SongatlasError

GTZAN_INDEX = "gtzan_genre_index_1.0.json"


def write_gtzan(folder: Path, index: bool = True) -> None:
    """The layout that mirdata expects: gtzan_genre/genres/<genre>/<genre>.<n>.wav and an index."""
    tracks = {}
    for genre in ("hiphop", "rock"):
        name = f"gtzan_genre/genres/{genre}/{genre}.00000.wav"
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(b"not opened here")
        tracks[f"{genre}.00000"] = {
            "audio": [name, ""],
            "beats": [None, None],
            "tempo": [None, None],
        }
    if index:
        (folder / GTZAN_INDEX).write_text(json.dumps({"version": "1.0", "tracks": tracks}))


def test_gtzan_is_read_with_its_genres(tmp_path: Path) -> None:
    write_gtzan(tmp_path)
    songs = read("mirdata:gtzan_genre", tmp_path).sources
    assert songs["source_id"].tolist() == ["hiphop.00000", "rock.00000"]
    assert songs["genre"].tolist() == ["hip-hop", "rock"]
    assert all(Path(path).is_file() for path in songs["audio_path"])
    assert songs["language"].isna().all()


def test_a_data_set_without_its_index_or_audio_says_how_to_fetch_it(tmp_path: Path) -> None:
    write_gtzan(tmp_path, index=False)
    with pytest.raises(SongatlasError, match=r'index.*download\(\["index"\]\)'):
        read("mirdata:gtzan_genre", tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    tracks = {"rock.1": {"audio": ["r.wav", ""], "beats": [None] * 2, "tempo": [None] * 2}}
    (empty / GTZAN_INDEX).write_text(json.dumps({"version": "1.0", "tracks": tracks}))
    with pytest.raises(SongatlasError, match=r"none of the 1 audio files.*download\(\)"):
        read("mirdata:gtzan_genre", empty)


def test_an_unknown_data_set_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match="gtzan_genre"):
        read("mirdata:gtzan", tmp_path)


def write_index(folder: Path, name: str, track: dict[str, str | None], track_id: str = "1") -> None:
    """mirdata's index of one track, beside the data."""
    import mirdata

    paths = {key: [path, None] for key, path in track.items()}
    file = Path(mirdata.initialize(name, data_home=str(folder)).index_path).name
    (folder / file).write_text(json.dumps({"version": "1.0", "tracks": {track_id: paths}}))


def test_vocadito_is_read_with_language_and_lyrics(tmp_path: Path) -> None:
    (tmp_path / "v.wav").write_bytes(b"not opened here")
    (tmp_path / "v.txt").write_text("una luna\nsobre el mar")
    row = "track_id,singer_id,average_pitch,language\n1,S1,60,Spanish\n"
    (tmp_path / "vocadito_metadata.csv").write_text(row)
    track = {"audio": "v.wav", "lyrics": "v.txt", "f0": None, "notesA1": None, "notesA2": None}
    write_index(tmp_path, "vocadito", track)
    found = read("mirdata:vocadito", tmp_path)
    song = found.sources.iloc[0]
    assert song[["language", "lyrics"]].tolist() == ["es", "una luna\nsobre el mar"]
    assert song["lyrics_source"] == "file"
    assert found.warnings.empty


def test_time_stamped_words_become_lines_between_pauses(tmp_path: Path) -> None:
    (tmp_path / "i.wav").write_bytes(b"not opened here")
    (tmp_path / "i.lab").write_text("1000 1500 wo\n1600 2000 ai\n9000 9500 ni\n", encoding="utf-8")
    track = {"audio": "i.wav", "lyrics": "i.lab", "pitch": None, "notes_pyin": None}
    write_index(tmp_path, "ikala", track, "10161_chorus")
    song = read("mirdata:ikala", tmp_path).sources.iloc[0]
    assert song["lyrics_source"] == "timed"
    assert [line["text"] for line in json.loads(song["lines"])] == ["wo ai", "ni"]


def test_what_a_loader_cannot_read_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "v.wav").write_bytes(b"not opened here")
    track = {"audio": "v.wav", "lyrics": "gone.txt", "f0": None, "notesA1": None, "notesA2": None}
    write_index(tmp_path, "vocadito", track)
    found = read("mirdata:vocadito", tmp_path)
    assert len(found.sources) == 1
    assert found.warnings["reason"].tolist() == ["bad_value", "bad_value"]
    assert found.warnings["path"].tolist() == ["vocadito:1", "vocadito:1"]


# --- DALI -------------------------------------------------------------------------------------


class Annotations:
    """Shaped like the class that DALI pickles."""

    def __init__(self, lines: list[dict], notes: list[dict]) -> None:
        self.info = {"id": "x", "artist": "A"}
        self.annotations = {"type": "horizontal", "annot": {"lines": lines, "notes": notes}}
        self.errors = None


LINE = {"text": "hello world", "time": [1.0, 3.0], "freq": [440.0, 880.0], "index": 0}
NOTE = {"text": "hel", "time": [1.0, 1.5], "freq": [440.0, 440.0], "index": 0}


def write_pickle(path: Path, value: object) -> Path:
    """As DALI does it: protocol 2, gzipped, class `DALI.Annotations.Annotations`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    package, module = types.ModuleType("DALI"), types.ModuleType("DALI.Annotations")
    module.Annotations = Annotations  # type: ignore[attr-defined]
    before = Annotations.__module__
    sys.modules |= {"DALI": package, "DALI.Annotations": module}
    try:
        Annotations.__module__ = "DALI.Annotations"
        path.write_bytes(gzip.compress(pickle.dumps(value, protocol=2)))
    finally:
        Annotations.__module__ = before
        del sys.modules["DALI"], sys.modules["DALI.Annotations"]
    return path


def test_dali_annotations_are_read_without_running_what_is_in_them(tmp_path: Path) -> None:
    problems = Problems("x")
    path = write_pickle(tmp_path / "a.gz", Annotations([LINE], [NOTE]))
    lines, notes = read_annotations(path, problems)
    assert [(line.start_s, line.end_s, line.text) for line in lines] == [(1.0, 3.0, "hello world")]
    assert [(note.midi, note.text) for note in notes] == [(69.0, "hel")]
    assert problems.warnings().empty


def test_numbers_that_numpy_computed_are_read(tmp_path: Path) -> None:
    import numpy as np

    note = NOTE | {"freq": [np.float64(220.0)] * 2, "time": [np.float64(1.0), np.float64(2.0)]}
    path = write_pickle(tmp_path / "a.gz", Annotations([], [note]))
    assert read_annotations(path, Problems("x"))[1][0].midi == 57.0


class Evil:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("value", [Evil(), [Evil()], {"a": Path("x")}])
def test_foreign_classes_in_dali_pickles_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    monkeypatch.chdir(tmp_path)
    problems = Problems("x")
    assert read_annotations(write_pickle(tmp_path / "a.gz", value), problems) == ([], [])
    assert problems.warnings()["reason"].tolist() == ["bad_lyrics"]
    assert not (tmp_path / "ran").exists()


def test_broken_dali_files_are_warned_of(tmp_path: Path) -> None:
    good = write_pickle(tmp_path / "a.gz", Annotations([LINE], [NOTE])).read_bytes()
    for content in (b"no gzip", good[:40], gzip.compress(b"no pickle"), gzip.compress(b"")):
        (tmp_path / "b.gz").write_bytes(content)
        problems = Problems("x")
        assert read_annotations(tmp_path / "b.gz", problems) == ([], [])
        assert problems.warnings()["reason"].tolist() == ["bad_lyrics"]
    problems = Problems("x")
    write_pickle(tmp_path / "c.gz", Annotations([{"text": "no time"}], []))
    assert read_annotations(tmp_path / "c.gz", problems) == ([], [])
    assert len(problems.warnings()) == 1


def test_dali_is_read_through_mirdata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pickle(tmp_path / "annotation" / "1.gz", Annotations([LINE], [NOTE]))
    # mirdata's loader imports the package `DALI` for its class alone, which is not needed here.
    package = types.ModuleType("DALI")
    package.Annotations = Annotations  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "DALI", package)
    monkeypatch.delitem(sys.modules, "mirdata.datasets.dali", raising=False)
    (tmp_path / "1.mp3").write_bytes(b"not opened here")
    write_index(tmp_path, "dali", {"audio": "1.mp3", "annot": "annotation/1.gz"})
    metadata = {"artist": "A", "title": "T", "metadata": {"language": "english", "genres": ["Pop"]}}
    (tmp_path / "dali_metadata.json").write_text(json.dumps({"1": metadata}))
    song = read("mirdata:dali", tmp_path).sources.iloc[0]
    assert song[["artist", "title", "language", "genre"]].tolist() == ["A", "T", "en", "Pop"]
    assert song[["lyrics", "lyrics_source"]].tolist() == ["hello world", "timed"]
    assert json.loads(song["notes"])[0]["midi"] == 69.0


def test_dali_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "DALI", None)
    monkeypatch.delitem(sys.modules, "mirdata.datasets.dali", raising=False)
    with pytest.raises(SongatlasError, match=r"pip install 'mirdata\[dali\]'"):
        read("mirdata:dali", tmp_path)
