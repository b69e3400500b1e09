"""Readers turn folders, tables and data sets into sources, rejects and warnings."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.corpus import READERS
from songatlas.corpus.manifest_paths import referenced
from songatlas.corpus.readers import listing_digest, module_of, modules_of, read
from songatlas.corpus.result import sources_frame
from songatlas.errors import SongatlasError

COLUMNS = "song_id,title,language,genre,filename,audio_path,lyrics_path,has_lyrics"


def put(path: Path, content: str | bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def by_reason(frame: pd.DataFrame) -> dict[str, list[str]]:
    grouped = frame.groupby("reason")["path"]
    return {str(reason): sorted(Path(p).name for p in paths) for reason, paths in grouped}


# --- the registry -----------------------------------------------------------------------------


def test_every_reader_of_the_config_has_a_module_with_read() -> None:
    for reader in {*READERS, "mirdata:gtzan_genre"} - {"several"}:
        module = __import__(module_of(reader), fromlist=["read"])
        assert callable(module.read)


@pytest.mark.parametrize("reader", ["nothing", "mirdata", "mirdata:", "folder:x", ""])
def test_an_unknown_reader_is_refused_with_the_known_ones(reader: str, tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match="jamendolyrics"):
        read(reader, tmp_path)


@pytest.mark.parametrize("reader", [*READERS, "mirdata:gtzan_genre"])
def test_an_absent_corpus_is_an_error_that_names_the_path(reader: str, tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match="not-there"):
        read(reader, tmp_path / "not-there")


def test_planning_a_run_does_not_import_pandas() -> None:
    code = "import sys, songatlas.corpus.readers; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_demo_reader_reads_the_table_that_the_synthesis_wrote(tmp_path: Path) -> None:
    rows = [{"source_id": "b", "language": "hi"}, {"source_id": "a", "language": "ar"}]
    songs = sources_frame(rows).assign(factor_tempo=[90.0, 120.0])
    tables.write(songs, tmp_path / "songs.parquet", tables.SOURCES)
    found = read("demo", tmp_path).sources
    assert found["source_id"].tolist() == ["a", "b"]
    assert found["factor_tempo"].tolist() == [120.0, 90.0]


# --- folder -----------------------------------------------------------------------------------


def test_folders_name_language_and_genre(tmp_path: Path) -> None:
    put(tmp_path / "English" / "Pop" / "A Song.MP3")
    put(tmp_path / "English" / "Pop" / "A Song.txt", "words")
    put(tmp_path / "español" / "rock" / "b.flac")
    put(tmp_path / "español" / "rock" / "b.lrc", "[ar:Alguien]\n[00:01.00]uno")
    for suffix in ("wav", "ogg", "m4a"):
        put(tmp_path / "hi" / "hip-hop" / f"c-{suffix}.{suffix}")
    found = read("folder", tmp_path)
    songs = found.sources.set_index("source_id")
    assert songs.index.tolist() == [
        "English/Pop/A Song",
        "español/rock/b",
        "hi/hip-hop/c-m4a",
        "hi/hip-hop/c-ogg",
        "hi/hip-hop/c-wav",
    ]
    assert songs["language"].tolist() == ["en", "es", "hi", "hi", "hi"]
    assert songs["genre"].tolist() == ["Pop", "rock", "hip-hop", "hip-hop", "hip-hop"]
    assert songs["lyrics"].fillna("-").tolist() == ["words", "uno", "-", "-", "-"]
    assert songs["lyrics_source"].tolist() == ["file", "timed", "none", "none", "none"]
    assert songs.loc["español/rock/b", "artist"] == "Alguien"
    assert songs.loc["English/Pop/A Song", "audio_path"] == str(
        tmp_path / "English" / "Pop" / "A Song.MP3"
    )
    assert found.rejects.empty
    assert found.warnings.empty


def test_files_that_are_no_song_are_listed(tmp_path: Path) -> None:
    put(tmp_path / "en" / "pop" / "a.mp3")
    put(tmp_path / "en" / "pop" / "a.txt", "plain")
    put(tmp_path / "en" / "pop" / "a.lrc", "[00:01.00]timed")
    put(tmp_path / "en" / "pop" / "alone.txt")
    put(tmp_path / "en" / "pop" / "cover.jpg")
    put(tmp_path / "en" / "outside.txt")
    put(tmp_path / "README.txt")
    put(tmp_path / "en" / "pop" / "._a.mp3")
    put(tmp_path / "en" / "pop" / ".45.mp3")
    found = read("folder", tmp_path)
    assert found.sources["title"].tolist() == [".45", "a"]
    assert found.sources["lyrics"].tolist()[1] == "timed"
    unused = ["README.txt", "a.txt", "alone.txt", "cover.jpg", "outside.txt", tmp_path.name]
    assert by_reason(found.warnings) == {"unused_file": sorted(unused)}
    assert "1 files and folders of other programs" in " ".join(found.warnings["detail"])
    assert found.rejects.empty


def test_audio_elsewhere_than_at_language_and_genre_is_rejected(tmp_path: Path) -> None:
    for place in ("top.mp3", "en/outside.FLAC", "en/pop/album/deep.wav", "en/pop/song.mp3"):
        put(tmp_path / place)
    found = read("folder", tmp_path)
    assert found.sources["source_id"].tolist() == ["en/pop/song"]
    assert by_reason(found.rejects) == {"wrong_place": ["deep.wav", "outside.FLAC", "top.mp3"]}
    assert found.warnings.empty
    tables.write(found.rejects, tmp_path / "r.parquet", tables.REJECTS)


@pytest.fixture
def case_sensitive(tmp_path: Path) -> Path:
    put(tmp_path / "probe" / "case")
    if (tmp_path / "probe" / "CASE").exists():
        pytest.skip("this file system ignores case")
    return tmp_path / "corpus"


def test_songs_whose_names_differ_in_case_keep_their_own_lyrics(case_sensitive: Path) -> None:
    folder = case_sensitive / "en" / "pop"
    for name in ("song", "SONG", "Song"):
        put(folder / f"{name}.mp3")
    put(folder / "song.TXT", "small")
    put(folder / "song.txt", "also small")
    put(folder / "SONG.txt", "large")
    found = read("folder", case_sensitive)
    songs = found.sources.set_index("source_id")["lyrics"].fillna("-")
    assert songs.to_dict() == {"en/pop/song": "small", "en/pop/SONG": "large", "en/pop/Song": "-"}
    assert by_reason(found.warnings) == {"unused_file": ["song.txt"]}


def test_lyrics_that_fit_two_songs_but_for_case_go_to_one_with_a_warning(
    case_sensitive: Path,
) -> None:
    folder = case_sensitive / "en" / "pop"
    put(folder / "SONG.mp3")
    put(folder / "song.mp3")
    put(folder / "Song.txt", "words")
    found = read("folder", case_sensitive)
    songs = found.sources.set_index("source_id")["lyrics"].fillna("-")
    assert songs.to_dict() == {"en/pop/SONG": "words", "en/pop/song": "-"}
    assert by_reason(found.warnings) == {"bad_value": ["Song.txt"]}


def test_of_lyrics_that_differ_in_case_from_a_song_all_but_one_are_reported(
    case_sensitive: Path,
) -> None:
    folder = case_sensitive / "en" / "pop"
    put(folder / "song.mp3")
    put(folder / "SONG.txt", "first")
    put(folder / "Song.txt", "second")
    found = read("folder", case_sensitive)
    assert found.sources["lyrics"].tolist() == ["first"]
    assert by_reason(found.warnings) == {"unused_file": ["Song.txt"]}


def test_two_audio_files_of_one_name_are_one_song_and_one_reject(tmp_path: Path) -> None:
    put(tmp_path / "en" / "pop" / "a.mp3")
    put(tmp_path / "en" / "pop" / "a.wav")
    found = read("folder", tmp_path)
    assert found.sources["audio_path"].str.endswith("a.mp3").tolist() == [True]
    assert by_reason(found.rejects) == {"duplicate_id": ["a.wav"]}


def test_lyrics_are_found_whatever_the_unicode_form_of_their_name(tmp_path: Path) -> None:
    put(tmp_path / "fr" / "pop" / (unicodedata.normalize("NFD", "été") + ".mp3"))
    put(tmp_path / "fr" / "pop" / (unicodedata.normalize("NFC", "été") + ".txt"), "là")
    assert read("folder", tmp_path).sources["lyrics"].tolist() == ["là"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_unicode_are_rejected_not_fatal(tmp_path: Path) -> None:
    put(tmp_path / "en" / "pop" / "ok.mp3")
    for name in (b"caf\xe9.mp3", b"caf\xe9.txt"):
        Path(os.fsdecode(os.fsencode(tmp_path / "en" / "pop") + b"/" + name)).write_bytes(b"x")
    found = read("folder", tmp_path)
    tables.write(found.rejects, tmp_path / "r.parquet", tables.REJECTS)
    tables.write(found.warnings, tmp_path / "w.parquet", tables.WARNINGS)
    assert len(found.sources) == 1
    assert found.rejects["reason"].tolist() == ["unreadable"]
    assert found.warnings["reason"].tolist() == ["unused_file"]
    assert listing_digest("folder", tmp_path)


def test_linked_folders_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "a.mp3")
    corpus = tmp_path / "corpus"
    (corpus / "en").mkdir(parents=True)
    (corpus / "en" / "pop").symlink_to(tmp_path / "elsewhere")
    (corpus / "en" / "circle").symlink_to(corpus)
    assert read("folder", corpus).sources["source_id"].tolist() == ["en/pop/a"]


def test_a_link_to_itself_and_an_unreadable_folder_are_one_reject_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "en" / "pop" / "a.mp3")
    (tmp_path / "en" / "pop" / "live.mp3").symlink_to("live.mp3")
    locked = tmp_path / "en" / "locked"
    put(locked / "b.mp3")
    scandir = os.scandir

    def refuse(folder: Path) -> object:
        if folder == locked:
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    found = read("folder", tmp_path)
    assert found.sources["source_id"].tolist() == ["en/pop/a", "en/pop/live"]
    assert found.rejects[["path", "reason"]].to_numpy().tolist() == [[str(locked), "unreadable"]]
    assert len(listing_digest("folder", tmp_path)) == 16


def test_genres_that_differ_in_spelling_are_one_in_the_commonest(tmp_path: Path) -> None:
    for number, genre in enumerate(["Hip Hop", "Hip-Hop", "hip-hop", "Hip-Hop", "Rock", "R&B"]):
        put(tmp_path / "en" / genre / f"{number}.mp3")
    for number, form in enumerate(["NFC", "NFC", "NFD"]):
        put(tmp_path / "es" / unicodedata.normalize(form, "Canción") / f"{number}.mp3")
    put(tmp_path / "en" / "R and B" / "x.mp3")
    put(tmp_path / "en" / "Rap" / "x.mp3")
    found = read("folder", tmp_path)
    genres = {"Hip-Hop": 4, "Canción": 3, "R and B": 2, "Rock": 1, "Rap": 1}
    assert found.sources["genre"].value_counts().to_dict() == genres
    assert found.warnings["reason"].tolist() == ["bad_value"] * 3
    assert "2 songs have the genre `Hip Hop`, `hip-hop`: read as `Hip-Hop`" in set(
        found.warnings["detail"]
    )


def test_unknown_language_folders_keep_their_songs(tmp_path: Path) -> None:
    put(tmp_path / "Dothraki" / "pop" / "a.mp3")
    found = read("folder", tmp_path)
    assert found.sources["language"].isna().all()
    assert by_reason(found.warnings) == {"unknown_language": ["a.mp3"]}


# --- manifest ---------------------------------------------------------------------------------


def manifest(folder: Path, *rows: str, header: str = COLUMNS, name: str = "manifest.csv") -> Path:
    return put(folder / name, "\n".join([header, *rows]) + "\n")


def test_the_studys_layout_reads_as_is(tmp_path: Path) -> None:
    put(tmp_path / "data" / "audio" / "english" / "pop" / "one.mp3")
    put(tmp_path / "data" / "lyrics" / "one.txt", "words")
    manifest(
        tmp_path,
        's1,"One, two",English,pop,one.mp3,data/audio/english/pop/one.mp3,data/lyrics/one.txt,True',
        "s2,Two,Hindi,rock,two.mp3,data/audio/hindi/rock/two.mp3,,False",
        name="dataset_metadata.csv",
    )
    found = read("manifest", tmp_path)
    songs = found.sources.set_index("source_id")
    assert songs["title"].tolist() == ["One, two", "Two"]
    assert songs["language"].tolist() == ["en", "hi"]
    assert songs["lyrics"].fillna("-").tolist() == ["words", "-"]
    assert songs.loc["s1", "audio_path"] == f"{tmp_path}/data/audio/english/pop/one.mp3"
    assert found.rejects.empty
    assert found.warnings.empty


def test_a_manifest_inside_the_tree_that_its_paths_start_from(tmp_path: Path) -> None:
    put(tmp_path / "data" / "audio" / "one.mp3")
    file = manifest(tmp_path / "data", "s1,One,en,pop,one.mp3,data/audio/one.mp3,,False")
    found = read("manifest", file)
    assert Path(found.sources["audio_path"].item()).is_file()
    assert by_reason(found.warnings) == {"bad_value": ["manifest.csv"]}


def test_missing_columns_are_an_error_that_names_file_and_column(tmp_path: Path) -> None:
    file = manifest(tmp_path, "s1,One", header="song_id,title,genre,audio_path,lyrics_path")
    with pytest.raises(SongatlasError, match=r"manifest\.csv: column `language` missing"):
        read("manifest", file)
    frame = pd.DataFrame({"song_id": ["s"], "language": ["en"]})
    frame.to_parquet(tmp_path / "manifest.parquet")
    with pytest.raises(SongatlasError, match=r"manifest\.parquet: columns `title`, `genre`"):
        read("manifest", tmp_path / "manifest.parquet")


def test_bad_rows_become_rejects_and_the_others_are_read(tmp_path: Path) -> None:
    file = manifest(
        tmp_path,
        "s1,One,en,pop,,a.mp3,,False",
        "s2,too,few",
        "s3,Too,en,pop,,b.mp3,,False,more,cells",
        ",No id,en,pop,,c.mp3,,False",
        "s1,Again,en,pop,,d.mp3,,False",
        "s5,Nothing,en,pop,,,,False",
        "s6,Six,en,pop,,f.mp3,,False",
    )
    found = read("manifest", file)
    assert found.sources["source_id"].tolist() == ["s1", "s6"]
    assert found.sources["title"].tolist() == ["One", "Six"]
    assert by_reason(found.rejects) == {
        "bad_row": ["manifest.csv:3", "manifest.csv:4", "manifest.csv:5"],
        "duplicate_id": ["manifest.csv:6"],
        "no_audio_and_no_lyrics": ["manifest.csv:7"],
    }
    duplicate = found.rejects[found.rejects["reason"] == "duplicate_id"]["detail"].item()
    assert "s1" in duplicate
    assert "row 2" in duplicate


def test_ids_that_look_like_paths_are_only_data(tmp_path: Path) -> None:
    ids = ["../../etc/passwd", "/etc/passwd", "..", "C:\\x", "a b/é?*"]
    file = manifest(tmp_path, *(f"{i},T,en,pop,,a.mp3,," for i in ids))
    found = read("manifest", file)
    assert sorted(found.sources["source_id"]) == sorted(ids)
    assert (found.sources["audio_path"] == f"{tmp_path}/a.mp3").all()


def test_paths_may_be_absolute_or_written_on_windows(tmp_path: Path) -> None:
    file = manifest(tmp_path, "s1,T,en,pop,,/music/a.mp3,,", "s2,T,en,pop,,data\\x\\b.mp3,,")
    assert read("manifest", file).sources["audio_path"].tolist() == [
        "/music/a.mp3",
        f"{tmp_path}/data/x/b.mp3",
    ]


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "music" / "en" / "pop" / "a.mp3")
    assert read("folder", "~/music").sources["source_id"].tolist() == ["en/pop/a"]
    assert listing_digest("folder", "~/music") == listing_digest("folder", tmp_path / "music")
    file = manifest(
        tmp_path / "table",
        "s1,T,en,pop,,~/music/en/pop/a.mp3,,",
        "s2,T,en,pop,,~tilde.mp3,,",
    )
    assert read("manifest", "~/table").sources["audio_path"].tolist() == [
        f"{tmp_path}/music/en/pop/a.mp3",
        f"{tmp_path}/table/~tilde.mp3",
    ]
    with pytest.raises(SongatlasError, match="~nobody-of-this-name"):
        read("folder", "~nobody-of-this-name/music")
    before = listing_digest("manifest", "~/table/manifest.csv")
    put(tmp_path / "music" / "en" / "pop" / "a.mp3", b"another size")
    assert listing_digest("manifest", file) != before


def test_semicolons_tabs_encodings_and_quoted_lines_are_read(tmp_path: Path) -> None:
    for delimiter in (";", "\t"):
        rows = ["s1,Été,français,pop,,a.mp3,,".replace(",", delimiter)]
        text = "\n".join([COLUMNS.replace(",", delimiter), *rows])
        file = put(tmp_path / "x.csv", text.encode("cp1252"))
        found = read("manifest", file)
        assert found.sources[["title", "language"]].values.tolist() == [["Été", "fr"]]
        assert by_reason(found.warnings) == {"encoding_guessed": ["x.csv"]}
    file = manifest(tmp_path, 's1,"two\nlines",en,pop,,a.mp3,,', "bad", "s2,T,en,pop,,b.mp3,,")
    found = read("manifest", file)
    assert found.sources["title"].tolist() == ["two\nlines", "T"]
    assert len(found.rejects) == 1
    with pytest.raises(SongatlasError, match=r"x\.csv"):
        read("manifest", put(tmp_path / "x.csv", b"\0\1\2\3" * 100))


def test_a_table_out_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    header = COLUMNS.replace(",", ";") + ";factor_tempo;;"
    rows = "a;T;de;Pop;x;été.mp3;;WAHR;1,5;;\nb;U;de;Pop;x;b.mp3;;FALSCH;120;;\n"
    put(tmp_path / unicodedata.normalize("NFD", "été.mp3"))
    put(tmp_path / "b.mp3")
    put(tmp_path / "manifest.csv", "\ufeffsep=;\n" + header + "\n" + rows)
    found = read("manifest", tmp_path)
    assert found.sources["factor_tempo"].tolist() == [1.5, 120.0]
    assert all(Path(path).exists() for path in found.sources["audio_path"])
    assert found.warnings["detail"].tolist() == ["has_lyrics is true without lyrics_path"]
    before = listing_digest("manifest", tmp_path)
    put(tmp_path / unicodedata.normalize("NFD", "été.mp3"), b"another size")
    assert listing_digest("manifest", tmp_path) != before


def test_rows_may_lack_the_empty_columns_behind_the_last(tmp_path: Path) -> None:
    rows = ["s0,T0,en,pop,,0.mp3,,,,", "s1,T1,en,pop,,1.mp3,,", 's2,"T, 2",en,pop,,2.mp3,,']
    rows += ["s3,T3,en,pop,,3.mp3", "s4,T,4,en,pop,,4.mp3,,", "s5,T5,en,pop,,5.mp3,,,,x"]
    found = read("manifest", manifest(tmp_path, *rows, header=COLUMNS + ",,"))
    assert found.sources["title"].tolist() == ["T0", "T1", "T, 2", "T5"]
    assert by_reason(found.rejects) == {"bad_row": ["manifest.csv:5", "manifest.csv:6"]}


def test_a_table_in_a_cyrillic_encoding_names_its_files(tmp_path: Path) -> None:
    put(tmp_path / "Группа крови.mp3")
    row = "a,Группа крови,ru,Рок,x,Группа крови.mp3,,0"
    put(tmp_path / "manifest.csv", f"{COLUMNS}\n{row}\n".encode("cp1251"))
    found = read("manifest", tmp_path)
    assert Path(found.sources["audio_path"].item()).exists()
    assert found.warnings["reason"].tolist() == ["encoding_guessed"]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("Ёж.mp3", "cp1251"), ("Ёж.mp3", "cp866"), ("été.mp3", "mac_roman"), ("夜.mp3", "euc_jp")],
)
def test_files_that_exist_say_which_encoding_a_table_has(
    tmp_path: Path, name: str, encoding: str
) -> None:
    put(tmp_path / name)
    put(tmp_path / "manifest.csv", f"{COLUMNS}\na,A,en,x,x,{name},,0\n".encode(encoding))
    found = read("manifest", tmp_path)
    assert found.sources["audio_path"].tolist() == [str(tmp_path / name)]
    assert by_reason(found.warnings) == {"encoding_guessed": ["manifest.csv"]}
    before = listing_digest("manifest", tmp_path)
    put(tmp_path / name, b"another size")
    assert listing_digest("manifest", tmp_path) != before


ROWS = [f"s{n},T{n},en,pop,,{n}.mp3,," for n in range(9)]


@pytest.mark.parametrize(
    ("row", "later", "reads"),
    [
        ('s2,"T2,en,pop,,2.mp3,,', "", True),
        ('s2,"T2,en,pop,,2.mp3,,', 's7,"T7",en,pop,,7.mp3,,', True),
        ('s2,"T2,en,pop,,2.mp3,,', 's7,T7 12",en,pop,,7.mp3,,', True),
        ('s2,"T2,en,pop,,2.mp3,,', 's7,"T7,en,pop,,7.mp3,,', True),
        ('s2,T2,en,pop,,2.mp3,,"', "", True),
        ('s2,"T2,en,pop,,2.mp3', "", False),
        ('s2,"T2,and,more,en,pop,,2.mp3,,', 's7,"7, or seven",en,pop,,7.mp3,,', False),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_an_open_quote_costs_no_other_row(
    tmp_path: Path, row: str, later: str, reads: bool, delimiter: str
) -> None:
    rows = [*ROWS[:2], row, *ROWS[3:7], later or ROWS[7], ROWS[8]]
    file = manifest(tmp_path, *(r.replace(",", delimiter) for r in rows))
    file.write_text(file.read_text().replace(COLUMNS, COLUMNS.replace(",", delimiter)))
    found = read("manifest", file)
    assert found.sources["source_id"].tolist() == [f"s{n}" for n in range(9) if reads or n != 2]
    assert found.sources["audio_path"].str.endswith(".mp3").all()
    told = found.warnings if reads else found.rejects
    path = tmp_path / "2.mp3" if reads else f"{file}:4"
    detail = told.loc[told["path"] == str(path), "detail"].item()
    assert "a quote that is never closed" in detail
    named = {str(path) for _, path in referenced(file)}
    assert set(found.sources["audio_path"]) <= named


def test_closed_quotes_hold_whatever_they_held(tmp_path: Path) -> None:
    rows = ['s1,"a\n""b"", c\n\nd",en,pop,,1.mp3,,', 's2,12" mix,en,pop,,2.mp3,,']
    rows += ['"s3","T",en,pop,,3.mp3,,"two\nlines"', *ROWS[4:]]
    found = read("manifest", manifest(tmp_path, *rows))
    assert found.sources["title"].tolist()[:3] == ['a\n"b", c\n\nd', '12" mix', "T"]
    assert len(found.sources) == len(rows)
    assert found.warnings.empty


def test_parquet_manifests_keep_optional_columns_and_factors(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "song_id": [1, 2],
            "title": ["a", None],
            "language": ["en", None],
            "genre": ["pop", "nan"],
            "audio_path": ["a.mp3", "b.mp3"],
            "lyrics_path": [None, None],
            "has_lyrics": [False, True],
            "artist": ["A", "B"],
            "license": ["CC  BY-NC-SA", None],
            "factor_tempo": [120.0, None],
        }
    )
    frame.to_parquet(tmp_path / "manifest.parquet")
    found = read("manifest", tmp_path)
    assert found.sources["source_id"].tolist() == ["1", "2"]
    assert found.sources["license"].fillna("-").tolist() == ["CC-BY-NC-SA", "-"]
    assert found.sources["artist"].tolist() == ["A", "B"]
    assert found.sources[["title", "language", "genre"]].iloc[1].isna().all()
    assert found.sources["factor_tempo"].iloc[0] == 120.0
    assert by_reason(found.warnings) == {"bad_value": ["b.mp3"]}


def test_factors_of_a_csv_are_numbers_where_they_can_be(tmp_path: Path) -> None:
    header = COLUMNS + ",factor_tempo,factor_key"
    file = manifest(
        tmp_path, "s1,T,en,pop,,a.mp3,,,120,C", "s2,T,en,pop,,b.mp3,,,,D", header=header
    )
    found = read("manifest", file).sources
    tables.write(found, tmp_path / "s.parquet", tables.SOURCES)
    assert found["factor_tempo"].tolist()[0] == 120.0
    assert found["factor_key"].tolist() == ["C", "D"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_hokkien_and_norwegian_are_languages_of_a_manifest(tmp_path: Path, suffix: str) -> None:
    rows = ["s1,T,nan,pop,,a.mp3,,", "s2,T,no,pop,,b.mp3,,", "s3,T,,pop,,c.mp3,,"]
    file = manifest(tmp_path, *rows)
    if suffix == "parquet":
        frame = pd.read_csv(file, keep_default_na=False, na_values=[""])
        file = tmp_path / "manifest.parquet"
        frame.to_parquet(file)
    languages = read("manifest", file).sources["language"]
    assert languages.tolist()[:2] == ["nan", "no"]
    assert pd.isna(languages[2])


def test_nan_is_no_language_where_a_manifest_uses_it_for_nothing(tmp_path: Path) -> None:
    rows = ["s1,T,nan,nan,,a.mp3,,", "s2,T,nan,pop,,b.mp3,,", "s3,T,NaN,pop,,c.mp3,,"]
    assert read("manifest", manifest(tmp_path, *rows)).sources["language"].isna().all()
    alone = manifest(tmp_path / "x", "s3,T,NaN,pop,,c.mp3,,")
    assert read("manifest", alone).sources["language"].isna().all()


@pytest.mark.parametrize("language", ["nan", "no"])
def test_hokkien_and_norwegian_are_languages_of_a_folder(tmp_path: Path, language: str) -> None:
    put(tmp_path / language / "pop" / "a.mp3")
    assert read("folder", tmp_path).sources["language"].tolist() == [language]


def test_an_empty_manifest_gives_empty_tables(tmp_path: Path) -> None:
    found = read("manifest", manifest(tmp_path))
    tables.write(found.sources, tmp_path / "s.parquet", tables.SOURCES)
    assert found.sources.empty
    assert found.rejects.empty


def test_a_folder_without_a_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match=r"dataset_metadata\.csv"):
        read("manifest", tmp_path)


# --- jamendolyrics ----------------------------------------------------------------------------


def test_jamendolyrics_gives_79_songs_ten_of_them_with_audio(jamendolyrics: Path) -> None:
    found = read("jamendolyrics", jamendolyrics)
    songs = found.sources
    assert len(songs) == 79
    assert songs["audio_path"].notna().sum() == 10
    assert songs["language"].value_counts().to_dict() == {"en": 20, "de": 20, "es": 20, "fr": 19}
    assert songs[["lyrics", "lines", "genre", "artist", "source_url"]].notna().all().all()
    assert (songs["lyrics_source"] == "timed").all()
    assert set(songs["license"]) == {
        "CC-BY", "CC-BY-NC", "CC-BY-NC-ND", "CC-BY-NC-SA", "CC-BY-ND", "CC-BY-SA"
    }  # fmt: skip
    assert found.rejects.empty


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_jamendolyrics_names_may_lie_in_either_unicode_form(tmp_path: Path, form: str) -> None:
    def named(name: str) -> str:
        return unicodedata.normalize(form, name)

    put(
        tmp_path / "JamendoLyrics.csv",
        "URL,Filepath,Artist,Title,Genre,LicenseType,Language\n"
        "http://x,Séculaire.mp3,saru,Séculaire,Hip-Hop,CC  BY-NC-SA,French\n"
        "http://y,Ohne_Ton.mp3,X,Ohne Ton,Pop,BY,German\n"
        ",,,,,,\n"
        "http://z,Séculaire.mp3,again,again,Pop,BY,French\n",
    )
    put(tmp_path / "mp3" / named("Séculaire.mp3"))
    put(tmp_path / "lyrics" / named("Séculaire.txt"), "où\n")
    lines = "start_time,end_time,lyrics_line\n1.0,2.5,où\n3,2,rückwärts\n"
    put(tmp_path / "annotations" / "lines" / named("Séculaire.csv"), lines)
    found = read("jamendolyrics", tmp_path)
    songs = found.sources.set_index("source_id")
    assert Path(songs.loc["Séculaire", "audio_path"]).is_file()
    assert songs.loc["Séculaire", "lines"] == '[{"start_s": 1.0, "end_s": 2.5, "text": "où"}]'
    assert songs.loc["Ohne_Ton"][["audio_path", "lyrics"]].isna().all()
    assert by_reason(found.rejects) == {
        "bad_row": ["JamendoLyrics.csv:4"],
        "duplicate_id": ["JamendoLyrics.csv:5"],
    }
    assert list(by_reason(found.warnings)) == ["bad_timestamp"]


def jamendo_table(folder: Path, *files: str) -> None:
    rows = [f"http://x,{file},A,T,Pop,BY,English" for file in files]
    header = "URL,Filepath,Artist,Title,Genre,LicenseType,Language"
    put(folder / "JamendoLyrics.csv", "\n".join([header, *rows]) + "\n")


def test_jamendolyrics_tells_names_apart_that_differ_in_case(case_sensitive: Path) -> None:
    jamendo_table(case_sensitive, "Song.mp3", "song.mp3", "SONG.mp3")
    for name in ("Song", "song"):
        put(case_sensitive / "mp3" / f"{name}.mp3")
        put(case_sensitive / "lyrics" / f"{name}.txt", f"{name} words")
    found = read("jamendolyrics", case_sensitive)
    songs = found.sources.set_index("source_id")
    assert songs.loc["Song", "lyrics"] == "Song words"
    assert songs.loc["song", "lyrics"] == "song words"
    assert Path(songs.loc["song", "audio_path"]).name == "song.mp3"
    # Nothing is called SONG: which of the two is meant is a guess, which two warnings admit.
    assert songs.loc["SONG", "lyrics"] == "Song words"
    assert by_reason(found.warnings) == {"bad_value": ["JamendoLyrics.csv:4"] * 2}
    assert found.rejects.empty


def test_jamendolyrics_file_names_lead_nowhere_else(tmp_path: Path) -> None:
    put(tmp_path / "secret.mp3")
    jamendo_table(tmp_path / "corpus", "/etc/passwd", "../../secret.mp3", "..", "C:\\x.mp3")
    found = read("jamendolyrics", tmp_path / "corpus")
    assert len(found.sources) == 4
    assert found.sources[["audio_path", "lyrics"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("reader", "wanted"),
    [("jamendolyrics", "JamendoLyrics.csv"), ("manifest", "manifest.csv")],
)
def test_a_folder_of_another_kind_is_an_error_that_says_what_to_set(
    tmp_path: Path, reader: str, wanted: str
) -> None:
    with pytest.raises(SongatlasError, match=rf"{wanted}.*set corpus_path"):
        read(reader, tmp_path)


@pytest.mark.parametrize("reader", ["folder", "jamendolyrics", "manifest", "ultrastar"])
@pytest.mark.parametrize("name", ["not-there", "nul\0"])
def test_planning_with_an_absent_corpus_says_what_to_set(
    tmp_path: Path, reader: str, name: str
) -> None:
    with pytest.raises(SongatlasError, match="set corpus_path"):
        listing_digest(reader, tmp_path / name)


# --- listing_digest ---------------------------------------------------------------------------


def test_the_digest_sees_what_is_added_removed_renamed_or_edited(tmp_path: Path) -> None:
    song = put(tmp_path / "en" / "pop" / "a.mp3", b"12")
    text = put(tmp_path / "en" / "pop" / "a.txt", "one")
    seen = [listing_digest("folder", tmp_path)]

    def changed() -> bool:
        seen.append(listing_digest("folder", tmp_path))
        return seen[-1] not in seen[:-1]

    text.write_text("two")
    assert changed()
    song.write_bytes(b"123")
    assert changed()
    put(tmp_path / "en" / "pop" / "b.mp3")
    assert changed()
    song.rename(song.with_name("c.mp3"))
    assert changed()
    text.unlink()
    assert changed()


def test_the_digest_does_not_depend_on_times_or_on_where_the_corpus_lies(tmp_path: Path) -> None:
    put(tmp_path / "one" / "en" / "pop" / "a.txt", "words")
    before = listing_digest("folder", tmp_path / "one")
    os.utime(tmp_path / "one" / "en" / "pop" / "a.txt", (1, 1))
    (tmp_path / "one").rename(tmp_path / "two")
    assert listing_digest("folder", tmp_path / "two") == before


def test_the_digest_of_a_manifest_covers_the_files_that_it_names(tmp_path: Path) -> None:
    song, words = put(tmp_path / "a.mp3", b"12"), put(tmp_path / "a.txt", "one")
    file = manifest(tmp_path, "s1,T,en,pop,,a.mp3,a.txt,True")
    put(tmp_path / "unrelated.mp3")
    seen = {listing_digest("manifest", file)}
    put(tmp_path / "unrelated.mp3", b"another size")
    assert listing_digest("manifest", tmp_path) in seen
    for change in (
        lambda: song.write_bytes(b"123"),
        lambda: words.write_text("two"),
        lambda: manifest(tmp_path, "s1,T,en,rock,,a.mp3,a.txt,True"),
        song.unlink,
    ):
        change()
        digest = listing_digest("manifest", file)
        assert digest not in seen
        seen.add(digest)


def test_the_digest_of_real_corpora_is_stable(jamendolyrics: Path, ultrastar: Path) -> None:
    for reader, path in (("jamendolyrics", jamendolyrics), ("ultrastar", ultrastar)):
        assert listing_digest(reader, path) == listing_digest(reader, str(path))


# --- several corpora at once ------------------------------------------------------------------


def two_corpora(tmp_path: Path) -> str:
    put(tmp_path / "own" / "en" / "rock" / "song.mp3")
    put(tmp_path / "own" / "notes.xyz", "what is this?")
    jamendo_table(tmp_path / "jam", "song.mp3")
    put(tmp_path / "jam" / "mp3" / "song.mp3")
    return f"jamendolyrics={tmp_path / 'jam'},folder={tmp_path / 'own'}"


def test_several_corpora_are_merged_under_the_names_of_their_readers(tmp_path: Path) -> None:
    path = two_corpora(tmp_path)
    merged = read("several", path)
    alone = [
        (name, read(name, tmp_path / folder))
        for name, folder in (("folder", "own"), ("jamendolyrics", "jam"))
    ]
    expected = [f"{name}/{song}" for name, part in alone for song in part.sources["source_id"]]
    assert merged.sources["source_id"].tolist() == expected
    assert len(expected) == 2
    paths = [audio for _, part in alone for audio in part.sources["audio_path"]]
    assert merged.sources["audio_path"].tolist() == paths
    for problems in ("rejects", "warnings"):
        assert len(getattr(merged, problems)) == sum(len(getattr(p, problems)) for _, p in alone)
    assert len(merged.warnings)


def test_planning_with_several_corpora_notices_each_and_covers_both_readers(
    tmp_path: Path,
) -> None:
    path = two_corpora(tmp_path)
    before = listing_digest("several", path)
    assert listing_digest("several", path) == before
    put(tmp_path / "own" / "en" / "rock" / "another.mp3")
    assert listing_digest("several", path) != before
    expected = ("songatlas.corpus.jamendolyrics", "songatlas.corpus.folder")
    assert modules_of("several", path) == expected
    with pytest.raises(SongatlasError, match=r"corpus_path: `nowhere` is not <reader>=<path>"):
        read("several", "nowhere")
    with pytest.raises(SongatlasError, match="absent"):
        listing_digest("several", f"folder={tmp_path / 'absent'}")
