"""Language names, codes and misspellings as BCP 47 primary subtags.

A primary subtag is a language's ISO 639-1 code where it has one, else its ISO 639-3 code. What
`resources/languages.csv` does not know, the tables of langcodes may (IANA's registry and Unicode's
names of languages).
"""

import csv
import difflib
import functools
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from songatlas import tables
from songatlas.corpus.result import concat, problem_rows, where
from songatlas.files import PROJECT

RESOURCE = PROJECT / "resources" / "languages.csv"

CLOSENESS = 0.82
"""Smallest similarity (difflib) at which a word counts as the misspelling of a name."""

MIN_MISSPELT = 5
"""Shorter words are near too many names."""

SCRIPTS = re.compile(
    "arab|armn|beng|cyrl|deva|ethi|geor|grek|gujr|guru|hang|hans|hant|hebr|hira|jpan|kana|khmr|knda"
    "|kore|laoo|latn|mlym|mong|mymr|orya|sinh|taml|telu|tfng|thaa|thai|tibt"
)
"""Script subtags (ISO 15924) that may stand in a locale such as zh-Hant-TW."""


LANGUAGES, TERRITORIES = "und/name_to_language", "en/name_to_territory"
"""Names that langcodes has: of languages in any language, of countries in English."""

SEPARATORS = re.compile(r"\s*[,;/|+&]\s*|\s+(?:and|und|et|y|e|och|og|en|и)\s+")
"""What stands between languages where a text names several."""

NO_LANGUAGE = re.compile("und|mul|zxx|mis|art|bat|map|sgn|q[a-t][a-z]")
"""Valid subtags that name no single language: unknown, several, none, families that are words too,
and those for private use."""


@dataclass(frozen=True)
class LanguageMatch:
    """What a text was read as: a primary subtag or None.

    `close_to` is the name that the text is a misspelling of; `others` says that it names more
    languages, of which `code` is the first.
    """

    code: str | None
    close_to: str | None = None
    others: bool = False


def normalise_language(text: str | None) -> str | None:
    """Primary subtag of a language name, native name, code, locale or misspelling.

    The first of several languages; None when the text names none.
    """
    return match_language(text).code


@functools.lru_cache(maxsize=4096)
def match_language(text: str | None) -> LanguageMatch:
    """As `normalise_language`, and whether the text names several or is misspelt."""
    key = _key(text) if isinstance(text, str) else ""  # a missing value's text is Hokkien's code
    code, known = _exact(key)
    if known or not key:
        return LanguageMatch(code)
    several = [_exact(part)[0] or _misspelt(_bare(part)).code for part in SEPARATORS.split(key)]
    if len(several) > 1 and all(several):
        return LanguageMatch(several[0], others=len(set(several)) > 1)
    return _misspelt(_bare(key))


def normalise_languages(sources: pd.DataFrame, stage: str) -> tuple[pd.Series, pd.DataFrame]:
    """Codes of the column `language` of sources, and a warning for each that is not certain.

    An unknown language is null with a warning `unknown_language`; a misspelling is corrected, and
    of several languages the first is taken, with a warning `bad_value`.
    """
    language = sources["language"]
    matches = {text: match_language(text) for text in language.dropna().unique()}
    codes = language.map({text: match.code for text, match in matches.items()}).astype("str")
    paths = where(sources)
    warnings = []
    for text, match in sorted(matches.items()):
        certain = match.code and not match.close_to and not match.others
        if not text.strip() or certain:
            continue
        reason = "bad_value" if match.code else "unknown_language"
        rows = paths[language == text]
        warnings.append(problem_rows(tables.WARNINGS, rows, stage, reason, _detail(text, match)))
    return codes, concat(warnings, tables.WARNINGS)


def given_languages(labels: pd.DataFrame) -> pd.Series:
    """`language` of a labels table, null where it was detected.

    What is scored counts given ones alone: a language that was detected in lyrics would tell models
    that read lyrics what they read.
    """
    if "language_source" not in labels:
        return labels["language"]
    return labels["language"].mask(labels["language_source"] == "detected")


def _detail(text: str, match: LanguageMatch) -> str:
    if match.code is None:
        return f"language `{text}` is no language that is known"
    if match.others:
        return f"language `{text}` names several; read as {match.code}, the first"
    return f"language `{text}` read as {match.code} ({match.close_to})"


def _exact(key: str) -> tuple[str | None, bool]:
    """Code of a name, code or locale, and whether the text is known (if to mean no language)."""
    names = _names()
    for candidate in (key, _bare(key), _base(key), _without_parentheses(key)):
        if candidate and candidate in names:
            return names[candidate], True
    code = _of_tag(key.replace(" ", "-")) or _of_name(key)
    return code, code is not None


def _of_tag(tag: str) -> str | None:
    """Primary subtag of a BCP 47 tag, of older codes and of extended languages (`zh-yue`: yue)."""
    import langcodes

    if not re.fullmatch("[a-z]{2,3}(-[a-z0-9]+)*|i-[a-z]+", tag) or not langcodes.tag_is_valid(tag):
        return None
    return _own(langcodes.Language.get(tag).language)


def _of_name(key: str) -> str | None:
    """Primary subtag of a name that langcodes knows exactly; it would guess from a beginning.

    Some languages call a country's language by the country: that is too little to go by.
    """
    import langcodes
    from language_data.names import normalize_name

    name = normalize_name(key)
    if name not in _more_names(LANGUAGES) or name in _more_names(TERRITORIES):
        return None
    return _own(langcodes.find(key).language)


@functools.cache
def _more_names(kind: str) -> Collection[str]:
    """Names of one kind, thousands of them, as a search tree on disk."""
    from language_data.names import load_trie
    from language_data.util import data_filename

    names: Collection[str] = load_trie(data_filename(f"trie/{kind}.marisa"))
    return names


def _own(code: str | None) -> str | None:
    """The code that labels have for one of langcodes; None where it names no single language."""
    if code is None or NO_LANGUAGE.fullmatch(code):
        return None
    return _names().get(code, code)


@functools.cache
def _names() -> dict[str, str | None]:
    """Every spelling in lookup form, with its code (None: words that name no language)."""
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
