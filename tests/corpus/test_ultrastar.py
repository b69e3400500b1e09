"""UltraStar songs: times, melody, and the ways in which real files deviate."""

import os
import sys
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from songatlas.corpus.listing import list_files
from songatlas.corpus.named_files import NamedFiles
from songatlas.corpus.readers import read
from songatlas.corpus.result import Problems
from songatlas.corpus.timed_lyrics import Line, Note
from songatlas.corpus.ultrastar import decimal, parse

HEAD = "#TITLE:T\n#ARTIST:A\n#BPM:300\n#GAP:1000\n"
"""At 300 BPM a beat of the file (a quarter) lasts 0.05 s."""


def spans(lines: list[Line]) -> list[tuple[float, float, str]]:
    return [(round(line.start_s, 6), round(line.end_s, 6), line.text) for line in lines]


def test_beats_become_seconds_and_pitches_midi_notes() -> None:
    song = parse(HEAD + ": 0 4 0 Hel\n* 4 6 12 lo\n- 12\n: 20 10 -5 world\nE\n")
    assert spans(song.lines) == [(1.0, 1.5, "Hello"), (2.0, 2.5, "world")]
    assert song.notes == [
        Note(1.0, 1.2, 60, "Hel"), Note(1.2, 1.5, 72, "lo"), Note(2.0, 2.5, 55, "world")
    ]  # fmt: skip
    assert song.problems == []


def test_words_are_told_apart_by_leading_or_trailing_blanks() -> None:
    leading = parse(
        HEAD + ": 0 1 0 Don't\n: 1 1 0  you\n: 2 1 0  be\n: 3 1 0 lieve\n: 4 1 0 ~\nE\n"
    )
    trailing = parse(HEAD + ": 0 1 0 Don't \n: 1 1 0 you \n: 2 1 0 be\n: 3 1 0 lieve \nE\n")
    assert leading.text == trailing.text == "Don't you believe"


def test_decimal_commas_are_numbers() -> None:
    assert decimal("380,4") == decimal("380.4") == 380.4
    assert decimal("-12") == -12
    assert decimal("1,2,3") is decimal("") is decimal(None) is decimal("fast") is None
    song = parse("#TITLE:T\n#BPM:150,0\n#GAP:1500,5\n: 10 10 0 a\nE\n")
    assert spans(song.lines) == [(2.5005, 3.5005, "a")]


def test_freestyle_and_rap_notes_have_words_but_no_pitch() -> None:
    song = parse(HEAD + "F 0 2 -12 Hey\nR 2 2 0  you\nG 4 2 0  there\n: 6 2 0  now\nE\n")
    assert song.text == "Hey you there now"
    assert [note.text for note in song.notes] == ["now"]


def test_relative_beats_count_from_the_last_break() -> None:
    absolute = parse(HEAD + ": 0 4 0 a\n- 8\n: 12 4 0 b\n- 20\n: 22 2 0 c\nE\n")
    relative = parse(HEAD + "#RELATIVE:YES\n: 0 4 0 a\n- 8 10\n: 2 4 0 b\n- 10\n: 2 2 0 c\nE\n")
    assert spans(relative.lines) == spans(absolute.lines)


def test_both_voices_of_a_duet_are_merged_in_time() -> None:
    song = parse(
        HEAD + "P1\n: 0 4 0 mine\n- 5\n: 40 4 0 ours\nP2\n: 20 4 0 yours\n- 25\n: 40 4 0 ours\nE\n"
    )
    assert song.text == "mine\nyours\nours"
    assert [note.midi for note in song.notes] == [60, 60, 60]


def test_tempo_changes_apply_from_their_beat() -> None:
    song = parse(HEAD + ": 0 20 0 a\n- 20\nB 20 150\n: 20 10 0 b\nE\n")
    assert spans(song.lines) == [(1.0, 2.0, "a"), (2.0, 3.0, "b")]


def test_what_follows_the_end_mark_is_ignored() -> None:
    assert parse(HEAD + ": 0 4 0 a\nE\n: 9 4 0 b\n").text == "a"


def test_broken_rows_are_problems_and_the_rest_is_used() -> None:
    song = parse(HEAD + ": 0 4 0 good\n: zero four\n???\n- 8\n: -900 4 0 early\n: 10 4 0 too\nE\n")
    assert song.text == "good\ntoo"
    assert len(song.problems) == 3
    assert parse("#TITLE:T\n#BPM:fast\n: 0 4 0 a\n").problems
    assert parse("#TITLE:T\n#BPM:0\n: 0 4 0 a\n").lines == []


def write_song(folder: Path, header: str, encoding: str = "utf-8", license: str = "") -> None:
    folder.mkdir(parents=True)
    body = f"#TITLE:Été\n#ARTIST:Künstler\n#BPM:300\n{header}: 0 4 0 où\nE\n"
    (folder / "song.txt").write_bytes(body.encode(encoding))
    (folder / "audio.mp3").write_bytes(b"not opened here")
    if license:
        (folder / "license.txt").write_text(license)


def test_encodings_languages_and_licences_vary_between_files(tmp_path: Path) -> None:
    link = "see http://creativecommons.org/licenses/by-nc-sa/2.5/"
    write_song(tmp_path / "a", "#MP3:audio.mp3\n#LANGUAGE:Englisch\n", "utf-8-sig", link)
    write_song(tmp_path / "b", "#MP3:AUDIO.MP3\n#LANGUAGE:français\n", "cp1252")
    write_song(tmp_path / "c", "#MP3:audio.mp3\n#ENCODING:CP1252\n#GENRE:Pop\n", "cp1252")
    write_song(tmp_path / "d", "#MP3:gone.mp3\n#LICENSE:CC BY 4.0\n")
    found = read("ultrastar", tmp_path)
    songs = found.sources.set_index("source_id")
    assert songs["title"].tolist() == ["Été"] * 4
    assert songs["lyrics"].tolist() == ["où"] * 4
    assert songs["language"].fillna("-").tolist() == ["en", "fr", "-", "-"]
    assert songs["license"].fillna("-").tolist() == ["CC-BY-NC-SA-2.5", "-", "-", "CC-BY-4.0"]
    assert songs["audio_path"].notna().tolist() == [True, True, True, False]
    warned = found.warnings.groupby("reason")["path"].apply(list).to_dict()
    assert warned == {
        "encoding_guessed": [str(tmp_path / "b" / "song.txt")],
        "missing_audio": [str(tmp_path / "d" / "song.txt")],
        "unused_file": [str(tmp_path / "d" / "audio.mp3")],
    }


@pytest.mark.parametrize(
    "named",
    [
        "/etc/hostname",
        "../../outside.mp3",
        "../../../../../../etc/hostname",
        "",
        ".",
        "..",
        "C:\\music\\audio.mp3",
        "\\\\server\\share\\audio.mp3",
        "..\\..\\outside.mp3",
    ],
)
def test_audio_outside_of_the_corpus_is_missing_audio(tmp_path: Path, named: str) -> None:
    (tmp_path / "outside.mp3").write_bytes(b"x")
    write_song(tmp_path / "corpus" / "a", f"#MP3:{named}\n")
    write_song(tmp_path / "corpus" / "b", "#MP3:audio.mp3\n")
    found = read("ultrastar", tmp_path / "corpus")
    assert found.sources["audio_path"].notna().tolist() == [False, True]
    assert found.sources["lyrics"].tolist() == ["où", "où"]
    told = found.warnings.set_index("reason")
    assert told["path"].to_dict() == {
        "missing_audio": str(tmp_path / "corpus" / "a" / "song.txt"),
        "unused_file": str(tmp_path / "corpus" / "a" / "audio.mp3"),
    }
    assert (f"`{named}`" if named else "#MP3") in told.loc["missing_audio", "detail"]


def test_audio_elsewhere_in_the_corpus_is_found(tmp_path: Path) -> None:
    write_song(tmp_path / "a", "#MP3:..\\b/./AUDIO.mp3\n")
    write_song(tmp_path / "b", "#AUDIO:audio.mp3\n")
    found = read("ultrastar", tmp_path)
    assert set(found.sources["audio_path"]) == {str(tmp_path / "b" / "audio.mp3")}


def test_a_song_file_with_nul_is_rejected_or_read_without_it(tmp_path: Path) -> None:
    write_song(tmp_path / "a", "#MP3:audio\0.mp3\n")
    write_song(tmp_path / "b", "#MP3:audio\0.mp3\n", "utf-16")
    found = read("ultrastar", tmp_path)
    assert found.rejects[["path", "reason"]].values.tolist() == [
        [str(tmp_path / "a" / "song.txt"), "bad_lyrics"]
    ]
    assert found.sources["audio_path"].tolist() == [str(tmp_path / "b" / "audio.mp3")]
    files = NamedFiles(tmp_path, list_files(tmp_path), Problems("test"))
    assert files.find("a/audio.mp3\0", "a test") is None


def test_songs_whose_names_differ_in_case_are_all_read(tmp_path: Path) -> None:
    for folder in ("c", "C"):
        if (tmp_path / folder).exists():
            pytest.skip("this file system ignores case")
        write_song(tmp_path / folder, "#MP3:audio.mp3\n", license=f"CC BY-{folder}")
    (tmp_path / "C" / "audio.mp3").rename(tmp_path / "C" / "AUDIO.mp3")
    (tmp_path / "C" / "Audio.mp3").write_bytes(b"x")
    (tmp_path / "c" / "song.TXT").write_bytes((tmp_path / "c" / "song.txt").read_bytes())
    found = read("ultrastar", tmp_path)
    songs = found.sources.set_index("source_id")["audio_path"]
    assert songs.to_dict() == {
        "C/song": str(tmp_path / "C" / "AUDIO.mp3"),
        "c/song": str(tmp_path / "c" / "audio.mp3"),
    }
    # In C two names fit `audio.mp3`; in c the suffix alone tells two song files apart.
    warned = found.warnings[["path", "reason"]].values.tolist()
    assert warned == [
        [str(tmp_path / "C" / "Audio.mp3"), "unused_file"],
        [str(tmp_path / "C" / "song.txt"), "bad_value"],
    ]
    assert "Audio.mp3" in found.warnings["detail"].iloc[1]
    assert found.rejects[["path", "reason"]].values.tolist() == [
        [str(tmp_path / "c" / "song.txt"), "duplicate_id"]
    ]


def test_songs_whose_names_differ_in_unicode_form_are_all_read(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        folder = tmp_path / unicodedata.normalize(form, "été")
        if folder.exists():
            pytest.skip("this file system normalises names")
        write_song(folder, "#MP3:audio.mp3\n")
    found = read("ultrastar", tmp_path)
    assert len(found.sources) == found.sources["audio_path"].nunique() == 2
    assert found.warnings.empty


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_songs_whose_names_are_not_unicode_are_rejected(tmp_path: Path) -> None:
    write_song(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")), "#MP3:audio.mp3\n")
    found = read("ultrastar", tmp_path)
    assert found.sources.empty
    assert found.rejects["reason"].tolist() == ["unreadable"]


def test_other_text_files_are_no_songs(tmp_path: Path) -> None:
    write_song(tmp_path / "a", "#MP3:audio.mp3\n")
    (tmp_path / "README.txt").write_text("# A heading\nand words")
    assert read("ultrastar", tmp_path).sources["source_id"].tolist() == ["a/song"]


@pytest.fixture(scope="module")
def real(ultrastar: Path) -> pd.DataFrame:
    found = read("ultrastar", ultrastar)
    assert found.rejects.empty
    return found.sources


def test_the_nine_real_songs_are_read(real: pd.DataFrame) -> None:
    assert len(real) == 9
    assert (real["language"] == "en").all()
    assert real["genre"].notna().sum() == 3
    assert real[["audio_path", "lyrics", "lines", "notes"]].notna().all().all()
    assert real["license"].str.startswith("CC-BY").all()
    assert real["artist"].value_counts().max() == 4


def test_real_lyrics_read_as_words(real: pd.DataFrame) -> None:
    text = real.set_index("title")["lyrics"]
    assert text["Monkey Shines"].split("\n")[0] == "When it gets bad do you believe"
    assert "~" not in "".join(text)


def test_the_sound_that_is_there_is_used(tmp_path: Path) -> None:
    write_song(tmp_path / "a", "#MP3:gone.mp3\n#AUDIO:audio.mp3\n")
    write_song(tmp_path / "b", "#AUDIO:gone.mp3\n#MP3:audio.mp3\n")
    found = read("ultrastar", tmp_path)
    assert (
        found.sources["audio_path"].map(lambda path: Path(path).name).tolist() == ["audio.mp3"] * 2
    )
    assert found.warnings.empty


def test_the_second_text_of_a_sound_is_unused(tmp_path: Path) -> None:
    write_song(tmp_path / "a", "#MP3:audio.mp3\n")
    text = (tmp_path / "a" / "song.txt").read_bytes()
    (tmp_path / "a" / "song [DUET].txt").write_bytes(text)
    found = read("ultrastar", tmp_path)
    assert found.sources["source_id"].tolist() == ["a/song [DUET]"]
    assert found.warnings[["path", "reason"]].to_numpy().tolist() == [
        [str(tmp_path / "a" / "song.txt"), "unused_file"]
    ]


def test_several_genres_and_languages_are_split(tmp_path: Path) -> None:
    write_song(tmp_path / "a", "#MP3:audio.mp3\n#LANGUAGE:English, German\n#GENRE:Pop, Rock\n")
    song = read("ultrastar", tmp_path).sources.iloc[0]
    assert song[["language", "genre", "genres"]].tolist() == ["en", "Pop", "Rock"]


@pytest.mark.parametrize("row", ["-", "- ", " -", "-\t", "--", "- soon", "- 8.5"])
def test_a_break_without_a_time_ends_the_line(row: str) -> None:
    song = parse(f"#BPM:200\n: 0 4 5 Hel\n: 4 4 5 lo\n{row}\n: 12 4 5 world\nE\n")
    assert [line.text for line in song.lines] == ["Hello", "world"]
    assert len(song.problems) == (row.strip() not in ("-", ""))
