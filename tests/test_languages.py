"""Languages normalise to ISO 639-1, and nothing is guessed silently."""

import csv

import pandas as pd
import pytest

from songatlas.corpus.languages import (
    RESOURCE,
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
        ("zh-Hant-TW", "zh"), ("Mandarin", "zh"), ("中文", "zh"), ("Cantonese", "zh"),
        ("pt_BR", "pt"), ("Brazilian Portuguese", "pt"), ("日本語", "ja"), ("한국어", "ko"),
        ("русский", "ru"), ("Українська", "uk"), ("Türkçe", "tr"), ("TÜRKÇE", "tr"),
        ("İngilizce", "en"), ("Farsi", "fa"), ("فارسی", "fa"), ("עברית", "he"), ("iw", "he"),
        ("Filipino", "tl"), ("Norwegian Bokmål", "nb"), ("norsk", "no"), ("ελληνικά", "el"),
        ("தமிழ்", "ta"), ("Tamil", "ta"), ("Swahili", "sw"), ("isiZulu", "zu"),
        ("čeština", "cs"), ("c\u030ces\u030ctina", "cs"), ("espan\u0303ol", "es"),
    ],
)  # fmt: skip
def test_names_codes_and_locales_are_understood(text: str, code: str) -> None:
    assert match_language(text).code == code
    assert match_language(text).close_to is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Portugese", "pt"),
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
        "Spanish, English", "no-name", "is-land", "English/French", "Indian", "latino", "123",
        "Romani", "Sorbian", "Hawaiian", "Klingon", "Serbo-Croatian",
        "Aramaic", "Aromanian", "Norman", "Spanglish", "Roman", "Latina", "Old English",
    ],
)  # fmt: skip
def test_what_names_no_single_language_with_a_code_is_not_guessed(text: str) -> None:
    assert normalise_language(text) is None


def test_a_misspelling_close_to_two_languages_is_not_guessed() -> None:
    assert normalise_language("Albonisch") is None  # Albanisch or Bosnisch


def test_every_iso_639_1_code_and_name_of_the_resource_resolves_to_itself() -> None:
    with RESOURCE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    codes = [row["code"] for row in rows if row["code"]]
    assert len(codes) == len(set(codes)) == 184
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
            {"source_id": "a", "audio_path": "a.mp3", "language": "Klingonish"},
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
