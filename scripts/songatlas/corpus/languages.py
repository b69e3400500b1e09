"""Language names, codes and misspellings as ISO 639-1 codes (data: `resources/languages.csv`)."""

import csv
import difflib
import functools
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from songatlas import tables
from songatlas.corpus.result import concat, problem_rows, where

RESOURCE = Path(__file__).resolve().parents[3] / "resources" / "languages.csv"

CLOSENESS = 0.82
"""Smallest similarity (difflib) at which a word counts as the misspelling of a name."""

MIN_MISSPELT = 5
"""Shorter words are near too many names."""

SCRIPTS = re.compile(
    "arab|armn|beng|cyrl|deva|ethi|geor|grek|gujr|guru|hang|hans|hant|hebr|hira|jpan|kana|khmr|knda"
    "|kore|laoo|latn|mlym|mong|mymr|orya|sinh|taml|telu|tfng|thaa|thai|tibt"
)
"""Script subtags (ISO 15924) that may stand in a locale such as zh-Hant-TW."""


@dataclass(frozen=True)
class LanguageMatch:
    """What a text was read as: an ISO 639-1 code or None, and the name it is a misspelling of."""

    code: str | None
    close_to: str | None = None


def normalise_language(text: str | None) -> str | None:
    """ISO 639-1 code of a language name, native name, code, locale or misspelling.

    None when the text names no language, several, or one that has no ISO 639-1 code.
    """
    return match_language(text).code


@functools.lru_cache(maxsize=4096)
def match_language(text: str | None) -> LanguageMatch:
    """As `normalise_language`, and whether the text was taken for a misspelling."""
    if text is None or not str(text).strip():
        return LanguageMatch(None)
    names = _names()
    key = _key(str(text))
    for candidate in (key, _bare(key), _base(key), _without_parentheses(key)):
        if candidate and candidate in names:
            return LanguageMatch(names[candidate])
    return _misspelt(_bare(key))


def normalise_languages(sources: pd.DataFrame, stage: str) -> tuple[pd.Series, pd.DataFrame]:
    """Codes of the column `language` of sources, and a warning for each that is not certain.

    An unknown language is null with a warning `unknown_language`, a misspelling is corrected with a
    warning `bad_value`.
    """
    language = sources["language"]
    matches = {text: match_language(text) for text in language.dropna().unique()}
    codes = language.map({text: match.code for text, match in matches.items()}).astype("str")
    paths = where(sources)
    warnings = []
    for text, match in sorted(matches.items()):
        if not text.strip() or (match.code and not match.close_to):
            continue
        reason = "bad_value" if match.code else "unknown_language"
        detail = f"language `{text}` "
        if match.code:
            detail += f"read as {match.code} ({match.close_to})"
        else:
            detail += "is no language that ISO 639-1 has a code for"
        rows = paths[language == text]
        warnings.append(problem_rows(tables.WARNINGS, rows, stage, reason, detail))
    return codes, concat(warnings, tables.WARNINGS)


@functools.cache
def _names() -> dict[str, str | None]:
    """Every spelling in lookup form, with its code (None: a language without ISO 639-1 code)."""
    names: dict[str, str | None] = {}
    bare: dict[str, str | None] = {}
    with RESOURCE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            spellings = [row["code"], *row["alpha3"].split("/"), row["english"], row["native"]]
            for spelling in [*spellings, *row["aliases"].split(";")]:
                if key := _key(spelling):
                    names.setdefault(key, row["code"] or None)
                    bare.setdefault(_bare(key), row["code"] or None)
    # Spellings without accents come second: they never hide another language's true name.
    return {**bare, **names}


@functools.cache
def _misspellable() -> list[str]:
    return sorted(name for name in _names() if len(name) >= MIN_MISSPELT)


def _misspelt(key: str) -> LanguageMatch:
    """The one language that a name is close to, or None when there is none or more than one."""
    if len(key) < MIN_MISSPELT:
        return LanguageMatch(None)
    close = difflib.get_close_matches(key, _misspellable(), n=20, cutoff=CLOSENESS)
    codes = {_names()[name] for name in close} - {None}
    if len(codes) != 1 or _names()[close[0]] is None:
        return LanguageMatch(None)
    return LanguageMatch(codes.pop(), close[0])


def _key(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    # casefold can undo the composition ("İ"), and language names join words in three ways.
    text = unicodedata.normalize("NFC", text.replace("_", " ")).strip(" .;,")
    return " ".join(text.split())


def _bare(key: str) -> str:
    """Latin letters without their accents; marks of other scripts carry vowels and stay."""
    kept: list[str] = []
    base = ""
    for character in unicodedata.normalize("NFD", key):
        if not unicodedata.combining(character):
            base = character
        elif base.isascii():
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def _base(key: str) -> str | None:
    """The language of a locale: `pt-br` is pt, `zh-hant-tw` zh, `en gb.utf-8` en."""
    language, *subtags = re.split(r"[- ]", re.split(r"[.@]", key)[0])
    if not re.fullmatch(r"[a-z]{2,3}", language) or not subtags:
        return None
    regions = [tag for tag in subtags if not SCRIPTS.fullmatch(tag)]
    if len(regions) > 1 or not all(re.fullmatch(r"[a-z]{2}|\d{3}", tag) for tag in regions):
        return None
    return language


def _without_parentheses(key: str) -> str | None:
    """`english (us)` without the variant."""
    match = re.fullmatch(r"([^()\[\]]+?)\s*[(\[][^()\[\]]*[)\]]", key)
    return match[1] if match else None
