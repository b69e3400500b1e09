"""Lyrics files in any encoding and format; what is wrong with one never stops a run."""

from pathlib import Path

import pytest

from songatlas.corpus.licenses import license_link, normalise_license
from songatlas.corpus.lyrics_files import read_lyrics
from songatlas.corpus.result import Problems
from songatlas.corpus.text_files import TextError, decode_text, read_text
from songatlas.corpus.timed_lyrics import (
    LAST_LINE_S,
    Line,
    Note,
    from_json,
    lines_from,
    notes_from,
    parse_json,
    parse_lrc,
    to_json,
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_unicode_is_decoded_with_and_without_byte_order_mark(encoding: str) -> None:
    assert decode_text("Où est l'été ?\r\nIci\rlà".encode(encoding)).text == (
        "Où est l'été ?\nIci\nlà"
    )


@pytest.mark.parametrize(
    ("language", "encoding", "text"),
    [
        (None, "cp1252", "Größe – “été”"),
        ("de", "cp1252", "Größe"),
        ("ar", "cp1256", "العربية"),
        ("ru", "cp1251", "Привет"),
        ("pl", "cp1250", "Łódź"),
        ("tr", "cp1254", "şarkı"),
        ("ja", "cp932", "日本語の歌"),
        ("zh", "gb18030", "中文歌曲"),
    ],
)
def test_what_is_not_unicode_is_guessed_by_language_and_said(
    language: str | None, encoding: str, text: str
) -> None:
    found = decode_text(text.encode(encoding), language)
    assert (found.text, found.encoding, found.guessed) == (text, encoding, True)


@pytest.mark.parametrize(
    ("language", "data", "text"),
    [
        ("es", "La niña está\n".encode() + b"don\x92t", "La niña está\ndon\ufffdt"),
        ("ja", "夜空に咲いた".encode()[:-1], "夜空に咲い\ufffd"),
        ("zh", "天青色等煙雨".encode("big5"), "天青色等煙雨"),
        ("ja", "君の笑顔".encode("euc-jp"), "君の笑顔"),
        ("ja", "君の笑顔".encode("iso2022_jp"), "君の笑顔"),
        ("ru", "Привет".encode("koi8-r"), "Привет"),
        ("pl", "Życie jest piękne, śpiewam".encode("iso8859_2"), "Życie jest piękne, śpiewam"),
        ("ar", "حبيبي يا نور العين".encode("iso8859_6"), "حبيبي يا نور العين"),
        (None, b"words\n\0", "words\n"),
        (None, "Слова песни".encode("utf-16-le"), "Слова песни"),
        (None, "Слова песни".encode("utf-16-be"), "Слова песни"),
        (None, "夜空に\n咲いた".encode("utf-16-le"), "夜空に\n咲いた"),
        (None, "夜空に\n咲いた".encode("utf-32-be"), "夜空に\n咲いた"),
        (None, "Où est l’été ?".encode().decode("cp1252").encode(), "Où est l’été ?"),
        (None, "Слова песни".encode().decode("latin-1").encode(), "Слова песни"),
        (None, "Ich weiß es nicht, ééé".encode(), "Ich weiß es nicht, ééé"),
    ],
)
def test_what_reads_best_is_taken(language: str | None, data: bytes, text: str) -> None:
    assert decode_text(data, language).text == text


def test_a_declared_encoding_is_no_guess() -> None:
    found = decode_text("Ŝanĝo".encode("iso8859-3"), declared="ISO-8859-3")
    assert (found.text, found.guessed) == ("Ŝanĝo", False)
    assert decode_text("é".encode("cp1252"), declared="no such codec").guessed


def test_bytes_that_no_codec_knows_are_still_text() -> None:
    assert decode_text(b"caf\xe9 \x81 noir").guessed


def test_binary_files_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(TextError, match=r"a\.txt.*not a text file"):
        read_text(path)
    with pytest.raises(TextError, match="No such file"):
        read_text(tmp_path / "gone.txt")


def test_lrc_lines_last_until_the_next_stamp() -> None:
    timed = parse_lrc(
        "[ti: A Title]\n[ar:Somebody]\n\n[00:01.50]first\n[00:04.00][01:00.25]chorus\n"
        "[00:06.5]<00:06.5>word <00:07.0>by <00:07.5>word\n[00:09:00]\n"
    )
    assert timed.tags == {"ti": "A Title", "ar": "Somebody"}
    assert timed.lines == [
        Line(1.5, 4.0, "first"),
        Line(4.0, 6.5, "chorus"),
        Line(6.5, 9.0, "word by word"),
        Line(60.25, 60.25 + LAST_LINE_S, "chorus"),
    ]
    assert timed.problems == []


@pytest.mark.parametrize(
    ("lrc", "lines"),
    [
        ("[00:01.00]<00:01.00>Won<00:01.20>der<00:01.40>ful", [Line(1, 6, "Wonderful")]),
        ("[00:01.00]雪[00:01.20]が[00:02.00]", [Line(1, 2, "雪が")]),
        ("[00:04.50] <00:04.50> When <00:05.00> the", [Line(4.5, 9.5, "When the")]),
        ("[01:02:03.00]a", [Line(3723, 3728, "a")]),
        ("[00: 12.50]b", [Line(12.5, 17.5, "b")]),
        ("[00:12:50]c", [Line(12.5, 17.5, "c")]),
        ("[0:00]b\n[0:00]a\n[0:02]c", [Line(0, 2, "b"), Line(0, 2, "a"), Line(2, 7, "c")]),
    ],
)
def test_stamps_of_many_programs(lrc: str, lines: list[Line]) -> None:
    found = parse_lrc(lrc)
    assert (found.lines, found.problems) == (lines, [])


def test_a_positive_lrc_offset_shows_lyrics_sooner() -> None:
    assert parse_lrc("[offset:+500]\n[00:02.00]a").lines[0].start_s == 1.5
    assert parse_lrc("[offset:-500]\n[00:02.00]a").lines[0].start_s == 2.5
    assert parse_lrc("[offset:9000]\n[00:02.00]a").lines[0].start_s == 0.0
    assert parse_lrc("[offset:soon]\n[00:02.00]a").problems


def test_lines_and_notes_survive_json() -> None:
    lines = [Line(0.1, 2.0, "né"), Line(2.0, 3.0, '"quoted"')]
    notes = [Note(0.1, 0.5, 64.0, "la")]
    assert lines_from(from_json(to_json(lines) or "")) == (lines, [])
    assert notes_from(from_json(to_json(notes) or "")) == (notes, [])
    assert to_json([]) is None


def test_impossible_times_are_left_out_and_said() -> None:
    items = [[0, 1, "ok"], [5, 4, "backwards"], [-1, 2, "early"], ["x", 2, "text"], [1], None]
    items += [{"start_s": float("nan"), "end_s": 2, "text": "nan"}, {"start_s": 1, "end_s": 2}]
    lines, problems = lines_from(items)
    assert [line.text for line in lines] == ["ok", ""]
    assert len(problems) == 6
    assert notes_from([[0, 1, None, "x"], [0, 1, 60, "ok"]])[0] == [Note(0, 1, 60, "ok")]


def test_json_lines_and_arrays_are_the_same() -> None:
    row = '{"start_s": 1, "end_s": 2.5, "text": "a"}'
    assert parse_json(row).lines == parse_json(f"[{row}]").lines == [Line(1, 2.5, "a")]
    with pytest.raises(ValueError, match="Expecting"):
        parse_json("no json")


def reasons(problems: Problems) -> list[str]:
    return sorted(problems.warnings()["reason"])


@pytest.mark.parametrize(
    ("name", "content", "lyrics", "kind", "warned"),
    [
        ("a.txt", b"one\ntwo", "one\ntwo", "file", []),
        ("a.TXT", "été".encode("cp1252"), "été", "file", ["encoding_guessed"]),
        ("a.lrc", b"[00:01.00]one\n[00:02.00]two", "one\ntwo", "timed", []),
        ("a.lrc", b"one\ntwo", "one\ntwo", "file", ["bad_timestamp"]),
        ("a.lrc", b"[00:01.00]one\ntwo", "one", "timed", ["bad_timestamp"]),
        ("a.jsonl", b'{"start_s": 0, "end_s": 1, "text": "one"}', "one", "timed", []),
        ("a.json", b"{broken", None, "none", ["bad_lyrics"]),
        ("a.txt", b"", None, "none", ["bad_lyrics"]),
        ("a.txt", b" \n\t\n", None, "none", ["bad_lyrics"]),
        ("a.txt", bytes(range(32)) * 20, None, "none", ["bad_lyrics"]),
    ],
)
def test_lyrics_files_are_read_or_warned_of(
    tmp_path: Path, name: str, content: bytes, lyrics: str | None, kind: str, warned: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    problems = Problems("x")
    found = read_lyrics(tmp_path / name, None, problems)
    assert (found.lyrics, found.lyrics_source) == (lyrics, kind)
    assert (found.lines is not None) == (kind == "timed")
    assert reasons(problems) == warned


def test_an_absent_lyrics_file_is_a_warning(tmp_path: Path) -> None:
    problems = Problems("x")
    assert read_lyrics(tmp_path / "gone.txt", None, problems).lyrics is None
    assert reasons(problems) == ["bad_lyrics"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("BY-ND", "CC-BY-ND"), ("CC BY-ND", "CC-BY-ND"), ("CC  BY-NC-SA", "CC-BY-NC-SA"),
        ("cc-by-nc-sa", "CC-BY-NC-SA"), ("by_nc_nd", "CC-BY-NC-ND"), ("BY", "CC-BY"),
        ("CC BY 4.0", "CC-BY-4.0"), ("CC-BY-SA-3.0", "CC-BY-SA-3.0"), ("BY-SA-NC", "CC-BY-NC-SA"),
        ("Creative Commons BY-SA", "CC-BY-SA"), ("CC0", "CC0"), ("CC0-1.0", "CC0-1.0"),
        ("http://creativecommons.org/licenses/by-nc-nd/2.0/de/deed.en by X", "CC-BY-NC-ND-2.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("All rights reserved", "All rights reserved"), ("", None), (None, None),
    ],
)  # fmt: skip
def test_licences_have_one_spelling(text: str | None, name: str | None) -> None:
    assert normalise_license(text) == name


def test_the_first_licence_link_counts_and_a_bare_site_is_none() -> None:
    text = (
        "http://creativecommons.org/\nhttp://creativecommons.org/licenses/by-nc/3.0/\n.../by/2.0/"
    )
    assert license_link(text) == "CC-BY-NC-3.0"
    assert license_link("http://creativecommons.org/") is None
