"""Cleaning keeps what is sung and removes what is not."""

import contextlib
import re
import signal
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from songatlas.features.lyrics import clean as module
from songatlas.features.lyrics.clean import MAX_PASSES, clean


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
        ("&amp;amp;#38;lt;i&amp;gt;x &amp;notit; &lt 3 &nosuch;", "x &notit; &lt 3 &nosuch;"),
        ("la la x2 (x3) *x4*", "la la"),
        ("Verse 1: Chorus: la x2 la (x2 (x2", "la x2 la"),
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


HOSTILE = {
    "repeats": lambda n: "(x2 " * (n // 4),
    "repeats inside": lambda n: "x2 " * (n // 3) + "a",
    "prefixes": lambda n: "verse: " * (n // 7),
    "prefixes inside": lambda n: "verse 1: " * (n // 9) + "[",
    "escaped": lambda n: "&" + "amp;" * (n // 4) + "lt;b>",
    "escaped by number": lambda n: "&" + "#38;#x26;" * (n // 9),
    "escaped letters": lambda n: "&" + "&#97;mp;" * (n // 8),
    "nested headings": lambda n: "[chorus" * (n // 8) + "]" * (n // 8),
    "nested tags": lambda n: "<a" * (n // 3) + ">" * (n // 3),
    "nested times": lambda n: "[" * (n // 7) + "00:01]" * (n // 7),
    "open tag and blanks": lambda n: "<" + " " * n,
    "blanks": lambda n: " " * n + "x",
    "digits": lambda n: "(" + "1" * n,
    "words": lambda n: "(" + "interlude instrumental " * (n // 23),
    "heading in brackets": lambda n: "[" + "chorus " * (n // 7),
    "dashes": lambda n: "Chorus" + "-" * n + "a",
    "comments": lambda n: "<!--" * (n // 4),
    "scripts": lambda n: "<script>" * (n // 8),
    "square": lambda n: "[" * n,
    "round": lambda n: "(" * n + "x2",
    "ampersands": lambda n: "&" * n,
    "joiners": lambda n: "x2 \u200d" * (n // 4),
}  # fmt: skip
"""Texts of about n characters on which careless patterns take quadratic time or worse."""


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise `TimeoutError` in the block after so long (a pattern at work looks for signals)."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def processor_seconds(text: str) -> float:
    start = time.process_time()
    clean(text)
    return time.process_time() - start


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs POSIX signals")
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_time_grows_with_the_length_of_a_hostile_text(make: Callable[[int], str]) -> None:
    with time_limit(30):
        short = processor_seconds(make(250_000))
        # Four times the text: linear time is fourfold, quadratic time sixteenfold.
        assert processor_seconds(make(1_000_000)) < 8 * short + 0.5


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_is_cleaned_all_the_same(make: Callable[[int], str]) -> None:
    result = clean(make(3_000))
    assert clean(result) == result


@pytest.mark.parametrize("depth", [1, 3, 9, 40])
def test_what_is_nested_deeply_is_clean_too(depth: int) -> None:
    result = clean("la la\n" + "[" * depth + "Chorus" + "]Chorus" * (depth - 1) + "]\n(ooh) hey")
    assert clean(result) == result
    assert result.split()[:2] == ["la", "la"]
    assert "hey" in result
    assert ("(ooh)" in result) == (depth < MAX_PASSES)


def test_real_lyrics_lose_no_line(jamendolyrics: Path) -> None:
    for path in sorted(jamendolyrics.glob("lyrics/*.txt")):
        text = path.read_text(encoding="utf-8")
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        assert clean(text).split("\n") == [unicodedata.normalize("NFC", line) for line in lines]


def test_no_group_is_possessive() -> None:
    """`(...)*+` matches wrongly before Python 3.11.5; an atomic group says the same."""
    patterns = [value.pattern for value in vars(module).values() if isinstance(value, re.Pattern)]
    assert len(patterns) > 8
    assert [p for p in patterns if re.search(r"\)[*+?]\+", p)] == []


@pytest.mark.parametrize(
    "mark",
    [
        *("[Куплет 1]", "[サビ]", "[副歌]", "[Zwrotka 1]", "[후렴]", "Припев:", "[Бридж: Имя]"),
        *("【サビ】", "［サビ］", "[第一段]", "[Säkeistö 1]", "[ท่อนแยก]", "[Տուն 1]", "(Refräng)"),
    ],
)
def test_section_marks_of_other_scripts_are_no_words(mark: str) -> None:
    assert clean(f"{mark}\nla la") == "la la"


@pytest.mark.parametrize(
    "head",
    [
        "12 ContributorsTranslationsEspañolDeutschA Song Lyrics",
        "ContributorsTranslationsPortuguêsA Song Lyrics[Verse 1]\n",
        "1 ContributorЗвезда Lyrics[Куплет 1]\n",
        "3 Contributors\n",
        "ContributorsTranslations…\n",
        "",
    ],
)
@pytest.mark.parametrize("end", ["3Embed", "Embed", "\n1.2KEmbed\n", " 12Embed", ""])
def test_what_a_lyrics_site_writes_around_a_song_is_no_words(head: str, end: str) -> None:
    between = "You might also like[Chorus]\n" if head or end else "[Chorus]\n"
    assert clean(f"{head}I walk\n{between}alone{end}") == "I walk\nalone"


def test_words_that_a_lyrics_site_writes_too_are_sung() -> None:
    for words in ("Watch me Embed", "embed", "You might also like\nme", "Contributors to my pain"):
        assert clean(words) == words
