"""The reader `library`: tags of every container, lyrics, layouts, and what is wrong with them."""

import os
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.corpus.genres import genres_of
from songatlas.corpus.readers import first_lines, listing_digest, read
from songatlas.corpus.tags import interpret, read_tags
from songatlas.errors import SongatlasError
from tagged_audio import (
    MUXERS,
    apev2,
    append_to_aiff,
    append_to_m4a,
    append_to_wav,
    frame,
    id3v1,
    id3v2,
    riff_chunk,
    text_frame,
    write_sound,
)

WRITTEN = {
    "title": "Žluté 歌",
    "artist": "Артист & Co",
    "album_artist": "Gruppe",
    "album": "Álbum",
    "date": "1999-05-01",
    "track": "3/12",
    "genre": "Rock/Pop; Indie",
    "language": "ger",
    "lyrics": "Zeile eins\nZeile zwei",
    "TBPM": "128",
    "TKEY": "Am",
    "compilation": "1",
}
READ = {
    "title": "Žluté 歌",
    "artist": "Артист & Co",
    "album_artist": "Gruppe",
    "album": "Álbum",
    "year": 1999,
    "track_number": 3,
    "genre": "Rock",
    "genres": "Pop; Indie",
    "language": "de",
    "lyrics": "Zeile eins\nZeile zwei",
    "factor_bpm": 128.0,
    "factor_key": "Am",
    "compilation": True,
}
UNWRITTEN = {
    "m4a": {"language", "factor_bpm", "factor_key"},
    "mp4": {"language", "factor_bpm", "factor_key"},
    "wma": set(),
    "wav": {"album_artist", "lyrics", "factor_bpm", "factor_key", "compilation"},
}
"""By container: what FFmpeg does not write into it."""


def songs_of(path: Path) -> pd.DataFrame:
    return read("library", path).sources.set_index("source_id")


@pytest.fixture
def mp3(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The sound of an MP3 file without its tags."""
    data = write_sound(tmp_path_factory.mktemp("bare") / "x.mp3").read_bytes()
    return data[data.find(b"\xff\xfb") :]


def values(row: pd.Series, names: set[str]) -> dict[str, object]:
    return {name: row[name] for name in names}


# --- tags -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", sorted(MUXERS.keys() - {"aac", "aif", "aiff", "au"}))
def test_tags_of_every_container_are_read(tmp_path: Path, suffix: str) -> None:
    write_sound(tmp_path / "Artist" / "Album" / f"03 x.{suffix}", WRITTEN)
    song = songs_of(tmp_path).iloc[0]
    names = READ.keys() - UNWRITTEN.get(suffix, set())
    assert values(song, names) == {name: READ[name] for name in names}


def test_raw_tags_of_id3_are_read(tmp_path: Path, mp3: bytes) -> None:
    tag = id3v2(
        text_frame("TIT2", "Títle"),
        text_frame("TPE1", "Исполнитель"),
        text_frame("TPE2", "Various Artists"),
        text_frame("TYER", "2003"),
        text_frame("TRCK", "07"),
        text_frame("TCON", "(17)"),
        text_frame("TLAN", "rus"),
        text_frame("TBPM", "97"),
        text_frame("TKEY", "F#m"),
        text_frame("TCMP", "1"),
        frame("APIC", b"\0image/jpeg\0\x03\0" + bytes(12_000_000)),
        frame("USLT", b"\x01rus" + "".encode("utf-16") + b"\0\0" + "Слова".encode("utf-16")),
    )
    (tmp_path / "a.mp3").write_bytes(tag + mp3)
    song = songs_of(tmp_path).loc["a.mp3"]
    expected = {"title": "Títle", "artist": "Исполнитель", "album_artist": "Various Artists"}
    expected |= {"year": 2003, "track_number": 7, "genre": "Rock", "language": "ru"}
    expected |= {"factor_bpm": 97.0, "factor_key": "F#m", "compilation": True, "lyrics": "Слова"}
    assert values(song, set(expected)) == expected


def test_tags_before_and_behind_the_sound_are_read(tmp_path: Path, mp3: bytes) -> None:
    ape = {"Title": "Ápe", "Artist": "Б", "Album Artist": "C", "Genre": "17", "Lyrics": "l1\nl2"}
    (tmp_path / "ape.mp3").write_bytes(mp3 + apev2(ape))
    (tmp_path / "both.mp3").write_bytes(mp3 + apev2(ape) + id3v1(b"Ape", b"B"))
    info = [
        riff_chunk("INAM", "Täg".encode()),
        riff_chunk("IART", b"B"),
        riff_chunk("IGNR", b"Ska"),
    ]
    append_to_wav(write_sound(tmp_path / "i.wav"), riff_chunk("LIST", b"INFO" + b"".join(info)))
    tag = id3v2(text_frame("TIT2", "Täg"))
    append_to_aiff(write_sound(tmp_path / "i.aiff"), tag)
    append_to_wav(write_sound(tmp_path / "id3.wav"), riff_chunk("id3 ", tag))
    (tmp_path / "a.aac").write_bytes(tag + write_sound(tmp_path / "b.aac").read_bytes())
    songs = songs_of(tmp_path)
    assert songs["title"].to_dict() == {
        "a.aac": "Täg",
        "ape.mp3": "Ápe",
        "b.aac": "b",
        "both.mp3": "Ape",
        "i.aiff": "Täg",
        "i.wav": "Täg",
        "id3.wav": "Täg",
    }
    assert songs.loc["ape.mp3", ["album_artist", "genre", "lyrics"]].tolist() == [
        "C",
        "Rock",
        "l1\nl2",
    ]
    assert songs.loc["i.wav", ["artist", "genre"]].tolist() == ["B", "Ska"]


def test_free_form_tags_of_m4a_are_read(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.m4a", {"title": "T"})
    append_to_m4a(path, {"LANGUAGE": "spa", "initialkey": "Am", "BPM": "97"})
    song = songs_of(tmp_path).loc["a.m4a"]
    expected = {"title": "T", "language": "es", "factor_key": "Am", "factor_bpm": 97.0}
    assert values(song, set(expected)) == expected


@pytest.mark.parametrize(
    ("encoding", "title", "artist"),
    [
        ("cp1251", "Группа крови", "Кино"),
        ("gbk", "天青色等煙雨", "周杰倫"),
        ("cp932", "夜空に咲いた", "宇多田ヒカル"),
        ("utf-8", "Ärger und Übermut", "Die Ärzte"),
        ("cp1252", "Männersäurefabrik", "Björk & Édith"),
    ],
)
def test_tags_in_wrong_encodings_are_mended(
    tmp_path: Path, mp3: bytes, encoding: str, title: str, artist: str
) -> None:
    names = [("TIT2", title), ("TPE1", artist)]
    frames = [text_frame(name, text.encode(encoding)) for name, text in names]
    (tmp_path / "v2.mp3").write_bytes(id3v2(*frames) + mp3)
    (tmp_path / "v1.mp3").write_bytes(mp3 + id3v1(title.encode(encoding), artist.encode(encoding)))
    info = [riff_chunk("INAM", title.encode(encoding)), riff_chunk("IART", artist.encode(encoding))]
    append_to_wav(write_sound(tmp_path / "i.wav"), riff_chunk("LIST", b"INFO" + b"".join(info)))
    songs = songs_of(tmp_path)
    assert songs["title"].tolist() == [title] * 3
    assert songs["artist"].tolist() == [artist] * 3


def test_a_folder_says_which_encoding_one_short_title_has(tmp_path: Path, mp3: bytes) -> None:
    titles = ["Осень", "Звезда по имени Солнце", "Группа крови", "Спокойная ночь", "ДДТ"]
    for number, title in enumerate(titles):
        (tmp_path / f"{number}.mp3").write_bytes(mp3 + id3v1(title.encode("cp1251"), b""))
    assert songs_of(tmp_path)["title"].tolist() == titles


def test_markup_and_control_characters_stay_text_in_one_line(tmp_path: Path, mp3: bytes) -> None:
    text = "<script>alert(1)</script>\x07\x1b[31m\r\nx" + "y" * 1000
    (tmp_path / "a.mp3").write_bytes(id3v2(text_frame("TIT2", text)) + mp3)
    title = songs_of(tmp_path)["title"].iloc[0]
    assert title.startswith("<script>alert(1)</script> [31m xyyy")
    assert title.isprintable()
    assert len(title) <= 300


@pytest.mark.parametrize(
    "tag",
    [
        id3v2(b"TIT2\xff\xff\xff\xff\0\0x"),
        id3v2(frame("USLT", b"\x01"), frame("SYLT", b"\x01\x02"), frame("TXXX", b"")),
        b"ID3\x03\0\x40\x7f\x7f\x7f\x7f" + bytes(40),
        b"ID3\x09\0\0\0\0\0\x20" + bytes(range(32)),
        id3v2(b"\xff\xfe\xfd\xfc" + struct.pack(">IH", 3, 0) + b"abc"),
    ],
    ids=["frame too long", "empty frames", "header too long", "unknown version", "no name"],
)
def test_an_unreadable_tag_never_loses_the_song(tmp_path: Path, mp3: bytes, tag: bytes) -> None:
    (tmp_path / "01 - Künstler - Titel.mp3").write_bytes(tag + mp3)
    found = read("library", tmp_path)
    assert found.sources[["title", "artist"]].to_numpy().tolist() == [["Titel", "Künstler"]]
    assert "missing_tags" in set(found.warnings["reason"])


@pytest.mark.parametrize(
    ("text", "genres"),
    [
        ("(17)", ("Rock",)),
        ("17", ("Rock",)),
        ("(17)(18)", ("Rock", "Techno")),
        ("(17)Rock", ("Rock",)),
        ("Rock/Pop; Indie", ("Rock", "Pop", "Indie")),
        ("ロック", ("ロック",)),
        ("ロック、ポップ", ("ロック", "ポップ")),
        ("R&B", ("R&B",)),
        ("hip hop; Hip-Hop", ("hip hop",)),
        ("Other", ()),
        ("999", ("999",)),
        ("<b>Pop</b>", ("<b>Pop<", "b>")),
    ],
)
def test_genres_of_a_tag(text: str, genres: tuple[str, ...]) -> None:
    assert genres_of([text]) == genres


# --- lyrics -----------------------------------------------------------------------------------


def test_synchronised_lyrics_have_times(tmp_path: Path, mp3: bytes) -> None:
    def line(text: str, ms: int) -> bytes:
        return text.encode("utf-16") + b"\0\0" + struct.pack(">I", ms)

    timed = (
        b"\x01eng\x02\x01" + "".encode("utf-16") + b"\0\0" + line("uno", 1500) + line("dos", 61500)
    )
    untimed = b"\x01eng" + "".encode("utf-16") + b"\0\0" + "uno dos".encode("utf-16")
    (tmp_path / "a.mp3").write_bytes(id3v2(frame("USLT", untimed), frame("SYLT", timed)) + mp3)
    song = songs_of(tmp_path).iloc[0]
    assert (song["lyrics"], song["lyrics_source"]) == ("uno\ndos", "timed")
    assert '"start_s": 61.5' in song["lines"]


@pytest.mark.parametrize(
    ("tag", "files", "lyrics", "source", "unused"),
    [
        ("tag", {}, "tag", "tag", []),
        ("[00:01.00]tag", {}, "tag", "timed", []),
        ("tag", {"txt": "file"}, "file", "file", []),
        ("[00:01.00]tag", {"txt": "file"}, "tag", "timed", ["a.txt"]),
        ("tag", {"lrc": "[00:01.00]file", "txt": "x"}, "file", "timed", ["a.txt"]),
        ("tag", {"lrc": ""}, "tag", "tag", ["a.lrc"]),
        ("", {"lrc": "[ti:x]", "txt": "file"}, "file", "file", ["a.lrc"]),
        ("", {"json": '{"segments": [], "text": ""}', "txt": "file"}, "file", "file", ["a.json"]),
        ("", {"json": '{"segments": [{"start": 0, "end": 4, "text": " w"}]}'}, "w", "timed", []),
        ("", {"srt": "1\n00:00:01,000 --> 00:00:02,500\n<i>w</i>\n"}, "w", "timed", []),
        ("", {"vtt": "WEBVTT\n\n00:01.000 --> 00:02.500\n<v A>w\n"}, "w", "timed", []),
    ],
)
def test_of_several_sources_of_lyrics_the_best_is_taken(
    tmp_path: Path, tag: str, files: dict[str, str], lyrics: str, source: str, unused: list[str]
) -> None:
    write_sound(tmp_path / "a.flac", {"title": "a", "lyrics": tag} if tag else {"title": "a"})
    for suffix, text in files.items():
        (tmp_path / f"a.{suffix}").write_text(text, "utf-8")
    found = read("library", tmp_path)
    song = found.sources.iloc[0]
    assert (song["lyrics"], song["lyrics_source"]) == (lyrics, source)
    not_used = found.warnings[found.warnings["reason"] == "unused_file"]["path"]
    assert sorted(Path(path).name for path in not_used) == unused


def test_five_megabytes_of_lyrics_in_a_tag_are_cut(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.flac", {"title": "a", "lyrics": "la la\n" * 900_000})
    found = read("library", tmp_path)
    assert len(found.sources["lyrics"].iloc[0]) <= 100_000
    assert found.warnings["reason"].tolist() == ["truncated"]


# --- files and folders ------------------------------------------------------------------------


def test_songs_are_told_by_content_and_the_rest_is_unused(tmp_path: Path) -> None:
    write_sound(tmp_path / "x" / "song.dat", {"title": "s"}, kind="opus")
    write_sound(tmp_path / "...Baby.mp3", {"title": "b"})
    write_sound(tmp_path / ".38 Special" / ".45.mp3", {"title": "c"})
    (tmp_path / "broken.wma").write_bytes(b"")
    generator = np.random.default_rng(0)
    rest = {"cover.jpg": b"\xff\xd8\xff\xe0" + generator.bytes(5000), "a.cue": b'FILE "a.wav" WAVE'}
    rest |= {"list.m3u": b"#EXTM3U\nsong.mp3", "Thumbs": generator.bytes(5000), "zero.bin": b""}
    for name, content in rest.items():
        (tmp_path / name).write_bytes(content)
    for name in (".DS_Store", "._song.mp3", "@eaDir/song.mp3", ".Trash-1000/song.mp3"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    found = read("library", tmp_path)
    songs = ["...Baby.mp3", ".38 Special/.45.mp3", "broken.wma", "x/song.dat"]
    assert found.sources["source_id"].tolist() == songs
    unused = found.warnings[found.warnings["reason"] == "unused_file"].set_index("path")["detail"]
    assert {Path(path).name for path in unused.index} == {*rest, tmp_path.name}
    assert unused[str(tmp_path)].startswith("4 files and folders of other programs")


@pytest.mark.parametrize(
    ("name", "title", "artist"),
    [
        ("03 - Artist - Title", "Title", "Artist"),
        ("03. Title", "Title", None),
        ("1-03 Title", "Title", None),
        ("[03] Artist – Title", "Title", "Artist"),
        ("Artist - Album - 03 - Title", "Album - 03 - Title", "Artist"),
        ("99 Luftballons", "Luftballons", None),
        ("1999", "1999", None),
        ("Just Title", "Just Title", None),
    ],
)
def test_names_say_what_tags_do_not(
    tmp_path: Path, name: str, title: str, artist: str | None
) -> None:
    write_sound(tmp_path / f"{name}.wav")
    found = read("library", tmp_path)
    song = found.sources.iloc[0]
    assert (song["title"], None if pd.isna(song["artist"]) else song["artist"]) == (title, artist)
    assert found.warnings["reason"].tolist() == ["missing_tags"]


def layout_example(root: Path) -> Path:
    write_sound(root / "Deutsch" / "Pop" / "a.wav", {"title": "a"})
    write_sound(root / "español" / "Rock" / "b.flac", {"title": "b", "genre": "Ska"})
    return root


def test_folders_say_language_and_genre_where_tags_do_not(tmp_path: Path) -> None:
    found = read("library", layout_example(tmp_path))
    assert found.sources["language"].tolist() == ["de", "es"]
    assert found.sources["genre"].tolist() == ["Pop", "Ska"]
    assert "layout <language>/<genre>/<song>" in found.notes[0]
    assert first_lines("library", tmp_path) == first_lines("folder", tmp_path) == list(found.notes)


def test_a_folder_one_level_off_is_named(tmp_path: Path) -> None:
    root = layout_example(tmp_path / "music" / "songs")
    for off, word in ((root / "Deutsch", "deep"), (tmp_path / "music", "high")):
        found = read("library", off)
        assert set(found.sources["genre"]) <= {"Pop", "Ska"}
        assert f"too {word}" in found.notes[0]
        assert f"set corpus_path to {root}" in found.notes[0]
        with pytest.raises(SongatlasError, match=f"too {word}.*set corpus_path to"):
            read("folder", off)


def test_artists_called_like_languages_are_no_layout(tmp_path: Path) -> None:
    write_sound(tmp_path / "Yes" / "Fragile" / "01.flac", {"title": "Roundabout", "artist": "Yes"})
    found = read("library", tmp_path)
    assert found.notes == ()
    assert found.sources["genre"].isna().all()


def test_a_folder_of_another_layout_is_an_error_of_the_folder_reader(tmp_path: Path) -> None:
    write_sound(tmp_path / "Artist" / "a.flac")
    with pytest.raises(SongatlasError, match="corpus: library"):
        read("folder", tmp_path)


def test_a_tag_of_equal_size_changes_the_digest(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.flac", {"title": "one"})
    before = listing_digest("library", tmp_path)
    path.write_bytes(path.read_bytes().replace(b"one", b"two"))
    assert listing_digest("library", tmp_path) != before


def test_sources_of_a_library_are_a_table(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.flac", WRITTEN)
    write_sound(tmp_path / "b.wav")
    sources = read("library", tmp_path).sources
    tables.write(sources, tmp_path / "sources.parquet", tables.SOURCES)
    back = tables.read(tmp_path / "sources.parquet", tables.SOURCES)
    assert back["year"].tolist()[0] == 1999
    assert back["compilation"].isna().tolist() == [False, True]


def test_pipes_called_like_songs_and_lyrics_are_not_waited_for(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.flac", {"title": "a"})
    for name in ("pipe.mp3", "a.lrc", "pipe", "b.txt"):
        os.mkfifo(tmp_path / name)
    assert listing_digest("library", tmp_path)
    found = read("library", tmp_path)
    assert found.sources["source_id"].tolist() == ["a.flac", "pipe.mp3"]
    told = found.warnings.set_index("path")["reason"].to_dict()
    assert told[str(tmp_path / "a.lrc")] == "bad_lyrics"
    assert told[str(tmp_path / "pipe")] == told[str(tmp_path / "b.txt")] == "unused_file"


def test_reading_tags_never_raises(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    whole = write_sound(tmp_path / "a.m4a", WRITTEN).read_bytes()
    path = tmp_path / "b.m4a"
    for _ in range(60):
        damaged = bytearray(whole)
        for place in generator.integers(0, len(damaged), 40):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged)
        interpret(read_tags(path))
