"""Languages normalise to BCP 47 primary subtags, and nothing is guessed silently."""

import csv
import subprocess
import sys

import pandas as pd
import pytest

from songatlas.corpus.languages import (
    RESOURCE,
    LanguageMatch,
    match_language,
    normalise_language,
    normalise_languages,
)
from songatlas.corpus.result import sources_frame


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("English", "en"), ("ENGLISH ", "en"), ("Englisch", "en"), ("inglés", "en"),
        ("anglais", "en"), ("الإنجليزية", "en"), ("en", "en"), ("eng", "en"), ("en-US", "en"),
        ("en_GB.UTF-8", "en"), ("English (US)", "en"), ("英語", "en"),
        ("español", "es"), ("Espanol", "es"), ("castellano", "es"), ("spa", "es"),
        ("es-419", "es"), ("Spanisch", "es"),
        ("العربية", "ar"), ("Arabic", "ar"), ("arabe", "ar"), ("arz", "ar"),
        ("हिन्दी", "hi"), ("हिंदी", "hi"), ("Hindi", "hi"), ("hin", "hi"),
        ("ger", "de"), ("deu", "de"), ("Deutsch", "de"), ("allemand", "de"),
        ("français", "fr"), ("Francais", "fr"), ("fre", "fr"), ("fra", "fr"), ("fr-CA", "fr"),
        ("zh-Hant-TW", "zh"), ("Mandarin", "zh"), ("中文", "zh"),
        ("pt_BR", "pt"), ("Brazilian Portuguese", "pt"), ("日本語", "ja"), ("한국어", "ko"),
        ("русский", "ru"), ("Українська", "uk"), ("Türkçe", "tr"), ("TÜRKÇE", "tr"),
        ("İngilizce", "en"), ("Farsi", "fa"), ("فارسی", "fa"), ("עברית", "he"), ("iw", "he"),
        ("Filipino", "tl"), ("Norwegian Bokmål", "nb"), ("norsk", "no"), ("ελληνικά", "el"),
        ("தமிழ்", "ta"), ("Tamil", "ta"), ("Swahili", "sw"), ("isiZulu", "zu"),
        ("Cantonese", "yue"), ("廣東話", "yue"), ("粤语", "yue"), ("zh-yue", "yue"),
        ("Chinese (Cantonese)", "yue"), ("台語", "nan"), ("Hokkien", "nan"), ("Minnan", "nan"),
        ("nan", "nan"), ("zh-min-nan", "nan"), ("Hakka", "hak"), ("客家話", "hak"),
        ("i-hak", "hak"), ("Shanghainese", "wuu"), ("上海话", "wuu"), ("国语", "zh"),
        ("cmn", "zh"), ("cmn-Hans-CN", "zh"), ("Castellano", "es"), ("no", "no"), ("NO", "no"),
        ("luo", "luo"), ("Dholuo", "luo"), ("bem", "bem"), ("Sepedi", "nso"), ("nso", "nso"),
        ("tum", "tum"), ("guz", "guz"), ("Ekegusii", "guz"), ("Kabyle", "kab"),
        ("Romani", "rom"), ("Sorbian", "hsb"), ("Hawaiian", "haw"), ("Klingon", "tlh"),
        ("Serbo-Croatian", "sh"), ("hbs", "sh"), ("Old English", "ang"), ("Aromanian", "rup"),
        ("kantonesisch", "yue"), ("Urhobo", "urh"), ("Mooré", "mos"), ("sgn-us", "ase"),
        ("čeština", "cs"), ("c\u030ces\u030ctina", "cs"), ("espan\u0303ol", "es"),
    ],
)  # fmt: skip
def test_names_codes_and_locales_are_understood(text: str, code: str) -> None:
    assert match_language(text).code == code
    assert match_language(text).close_to is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Portuguesse", "pt"),
        ("Spainish", "es"),
        ("Germna", "de"),
        ("Japenese", "ja"),
        ("Arbic", "ar"),
    ],
)
def test_a_misspelling_close_to_one_name_is_corrected_and_said(text: str, code: str) -> None:
    match = match_language(text)
    assert match.code == code
    assert match.close_to


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "unknown", "und", "mul", "zxx", "xx", "qqq", "instrumental", "other", "mixed",
        "no-name", "is-land", "Indian", "latino", "123", "Spanglish", "Roman", "Latina",
        "n/a", "na na na", "none", "various", "love song", "no lyrics", "not applicable", "qaa",
        "music", "karaoke", "metal", "samba", "flamenco", "pop", "rap", "ska", "Rock/Pop",
        "rock and roll", "hip hop", "yes/no", "male", "unk", "tba", "art", "Dothraki",
        "Ireland", "Poland", "India", "English, love song",
    ],
)  # fmt: skip
def test_what_names_no_language_is_not_guessed(text: str) -> None:
    assert normalise_language(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Spanish, English", "es"),
        ("English/French", "en"),
        ("en/de", "en"),
        ("English; Spanish", "en"),
        ("English and Spanish", "en"),
        ("Deutsch und Englisch", "de"),
        ("español y inglés", "es"),
        ("Cantonese & Mandarin", "yue"),
        ("Germna + English", "de"),
    ],
)
def test_of_several_languages_the_first_is_taken_and_said(text: str, code: str) -> None:
    assert match_language(text) == LanguageMatch(code, others=True)
    _, warnings = normalise_languages(
        sources_frame([{"source_id": "a", "language": text}]), "list_sources"
    )
    assert warnings["reason"].tolist() == ["bad_value"]
    assert f"`{text}` names several; read as {code}" in warnings["detail"].item()


def test_one_language_that_is_named_twice_is_certain() -> None:
    assert match_language("Spanish; Castilian") == LanguageMatch("es")


def test_a_missing_value_is_not_hokkien() -> None:
    assert match_language(float("nan")).code is None  # type: ignore[arg-type]
    codes, _ = normalise_languages(
        sources_frame(
            [{"source_id": "a", "language": "nan"}, {"source_id": "b", "language": None}]
        ),
        "x",
    )
    assert codes.isna().tolist() == [False, True]


def test_reading_languages_does_not_load_langcodes_before_it_is_needed() -> None:
    program = (
        "import sys; from songatlas.corpus.languages import normalise_language as n; n('English');"
        "assert 'langcodes' not in sys.modules; n('Urhobo'); assert 'langcodes' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_misspelling_close_to_two_languages_is_not_guessed() -> None:
    assert normalise_language("Albonisch") is None  # Albanisch or Bosnisch


def test_every_code_and_name_of_the_resource_resolves_to_itself() -> None:
    with RESOURCE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    codes = [row["code"] for row in rows if row["code"]]
    assert len(codes) == len(set(codes))
    assert sum(len(code) == 2 for code in codes) == 185  # with `sh`
    for row in rows:
        for spelling in (row["english"], row["native"], *row["alpha3"].split("/")):
            if spelling:
                expected = row["code"] or None
                assert normalise_language(spelling) == expected, (row["code"], spelling)


def test_no_spelling_belongs_to_two_languages() -> None:
    owner: dict[str, str] = {}
    with RESOURCE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            names = [row["code"], *row["alpha3"].split("/"), row["english"], row["native"]]
            for name in {n.casefold() for n in [*names, *row["aliases"].split(";")] if n}:
                assert owner.setdefault(name, row["code"]) == row["code"], name


def test_unknown_languages_become_null_with_a_warning_for_each_song() -> None:
    sources = sources_frame(
        [
            {"source_id": "a", "audio_path": "a.mp3", "language": "Dothrakish"},
            {"source_id": "b", "audio_path": None, "lyrics_path": "b.txt", "language": "Frensh"},
            {"source_id": "c", "language": "en"},
            {"source_id": "d", "language": None},
        ]
    )
    codes, warnings = normalise_languages(sources, "list_sources")
    assert codes.fillna("null").tolist() == ["null", "fr", "en", "null"]
    assert set(zip(warnings["path"], warnings["reason"], strict=True)) == {
        ("a.mp3", "unknown_language"),
        ("b.txt", "bad_value"),
    }
    assert warnings.loc[warnings["path"] == "b.txt", "detail"].item().count("Frensh") == 1


def test_language_columns_without_any_language_stay_null() -> None:
    codes, warnings = normalise_languages(sources_frame([{"source_id": "a"}]), "x")
    assert pd.isna(codes[0])
    assert warnings.empty
