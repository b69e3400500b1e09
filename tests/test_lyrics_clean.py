"""Cleaning keeps what is sung and removes what is not."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from songatlas.lyrics.clean import clean


@pytest.mark.parametrize(
    "heading",
    [
        "[Chorus]", "[Verse 1]", "[Verse 2: Ana & Bob]", "[Pre-Chorus x2]", "[Intro]", "[x2]",
        "[Bridge]", "(x2)", "(2x)", "(Chorus)", "(Refrain 2x)", "(repeat chorus x 4)", "(bis)",
        "Verse 1:", "VERSE 2", "Chorus", "CHORUS:", "Refrain:", "- Refrain -", "Bridge:",
        "Part 2", "x3", "[?]", "Verse IV", "**Chorus**", "[Repeat Chorus]", "(3 times)",
        "[Coro]", "Coro:", "Estribillo", "[Estribillo x2]", "Estrofa 1:", "(Estribillo)",
        "Pre-Coro:", "Puente:", "[Introducción]", "(se repite)", "(2 veces)",
        "[Couplet 1]", "Couplet 2 :", "[Pré-refrain]", "Pont :", "(bis x2)", "(2 fois)",
        "[Strophe 1]", "Strophe 2:", "Kehrvers", "[Zwischenspiel]", "Brücke:", "(2 mal)",
        "[المقطع الأول]", "اللازمة", "اللازمة:", "(كورس)", "[الجسر]", "مقدمة:",
        "[मुखड़ा]", "अंतरा 1", "अंतरा:", "[कोरस]", "(मुखड़ा)", "स्थायी:",
    ],
)  # fmt: skip
def test_headings_are_removed(heading: str) -> None:
    assert clean(f"one line\n{heading}\nanother line") == "one line\nanother line"


@pytest.mark.parametrize(
    "line",
    [
        "Solo", "solo tú", "(solo)", "I, I, I (I)", "(ooh, la la)", "chorus of angels sing",
        "Every verse I write", "The bridge over the river", "(bridge over troubled water)",
        "I called you 3 times", "10 x 10 is love", "Fin de semana", "break", "Ich bin dein Teil",
        "I <3 you", "B&W", "R&notes", "AT&T &co", "5:30 in the morning", "love [sic] me",
        "versed in love", "Don't stop", "l'été à la plage", "¿Qué pasa?", "½ of 1º …",
        "هذا المقطعُ جميل", "أنا وأنت في الطريق", "मेरा दिल गाता है", "अंतराल में", "نمی\u200cخواهم",
        "क्\u200dष", "part of me", "x marks the spot", "v i x",
    ],
)  # fmt: skip
def test_what_is_sung_stays(line: str) -> None:
    assert clean(line) == unicodedata.normalize("NFC", line)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Verse 1: I walk alone", "I walk alone"),
        ("Refrain : Viens avec moi", "Viens avec moi"),
        ("La la la (x2)", "La la la"),
        ("La la la x4", "La la la"),
        ("[Chorus] Oh my love", "Oh my love"),
        ("Hey (Chorus) you", "Hey you"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<p>one</p><div class='a'>two</div>", "one\ntwo"),
        ("<i>so</i>ng &amp; d&eacute;j&agrave; &#39;vu&#x27;", "song & déjà 'vu'"),
        ("&lt;br&gt;x &amp;amp; y", "x & y"),
        ("<script>alert(1)</script>hello<!-- hidden -->", "hello"),
        ("[00:12.34]one\n[01:02]two", "one\ntwo"),
        ("[00:12.34]<00:12.34>one <00:13.00>two", "one two"),
        ("[ar:Someone]\n[ti:Song]\n[offset:+500]\n[00:01.00][00:31.00]Hey", "Hey"),
        ("a\u00a0 b\tc   d  ", "a b c d"),
        ("one\r\n\r\n\r\ntwo\u2028three\x0bfour", "one\ntwo\nthree\nfour"),
        ("\ufeffbell\x07 null\x00 esc\x1b", "bell null esc"),
        ("\u202bأنا\u202c \u200fأغني\u200e\u2067", "أنا أغني"),
        ("so\u00adft zero\u200bwidth", "soft zerowidth"),
        ("e\u0301te\u0301", "été"),
        ("ﻻ ﷲ ＡＢＣ", "لا الله ABC"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("", ""),
        (" \n\t\n", ""),
        ("[Chorus]\n(x2)", ""),
    ],
)  # fmt: skip
def test_examples(text: str, wanted: str) -> None:
    assert clean(text) == wanted


def test_right_to_left_letters_keep_their_order() -> None:
    text = "يا ليل يا عين\nשיר של אהבה"
    assert clean(text) == text


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=20),
            st.sampled_from(
                ["[Chorus]", "(x2)", "<br>", "&amp;", "&lt;", "gt;", "[00:01.5]", "Verse 1:", "[",
                 "]", "(", ")", "\u202e", "\u200d", "\r", "अंतरा", "اللازمة", "&#91;", "&#x3c;"]
            ),
        ),
        max_size=12,
    ).map("".join)
)  # fmt: skip
@example("&amp;amp;lt;br&amp;gt;")
@example("[[Chorus]Chorus]")
def test_result_is_clean_whatever_the_text(text: str) -> None:
    result = clean(text)
    assert clean(result) == result
    assert unicodedata.is_normalized("NFC", result)
    result.encode("utf-8")
    for line in result.split("\n") if result else []:
        assert line.strip()
        assert "  " not in line
        assert line == line.strip()
    categories = {unicodedata.category(character) for character in result.replace("\n", "")}
    assert not categories & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(result) & set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2069")


@given(st.lists(st.text(st.characters(categories=["Lu", "Ll", "Lo"]), min_size=1), min_size=1))
def test_letters_survive_in_their_order(words: list[str]) -> None:
    words = [unicodedata.normalize("NFC", word) for word in words]
    words = [word for word in words if not any("\ufb50" <= c <= "\uffee" for c in word)]
    marked = "\n".join(f"q{word}q [Chorus]\x00 \u202b" for word in words)
    expected = [unicodedata.normalize("NFC", f"q{word}q") for word in words]
    assert clean(marked).split() == " ".join(expected).split()


@pytest.mark.parametrize(
    "text",
    [
        "(" + "1" * 50_000,
        "(" + "interlude instrumental " * 5_000,
        "Chorus" + "-" * 50_000 + "a",
        " " * 50_000 + "x",
        "<!--" * 20_000,
        "[" * 50_000,
        "&" * 50_000,
        "(" * 50_000 + "x2",
        "<script>" * 10_000,
        "[" + "chorus " * 10_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_is_cleaned_all_the_same(text: str) -> None:
    # A pattern that backtracks exponentially would not return within the life of the test run.
    result = clean(text)
    assert clean(result) == result


def test_real_lyrics_lose_no_line(jamendolyrics: Path) -> None:
    for path in sorted(jamendolyrics.glob("lyrics/*.txt")):
        text = path.read_text(encoding="utf-8")
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        assert clean(text).split("\n") == [unicodedata.normalize("NFC", line) for line in lines]
