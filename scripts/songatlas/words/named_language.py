"""The languages that a sentence asks songs to be in."""

import csv
import functools
import re
import unicodedata
from collections.abc import Sequence

from songatlas.corpus.languages import RESOURCE

_BEFORE = "in en auf em på i na po op dalam по на"
PREPOSITIONS = frozenset(_BEFORE.split())
"""What stands before the name of a language in languages that queries are written in: in French, en
español, auf Deutsch, em português, på svenska."""

_MUSIC = """
song songs music lyrics track tracks ballad ballads tune tunes singer singers rap pop rock
lied lieder musik texte cancion canciones musica chanson chansons musique paroles canzone
canzoni brano cancao cancoes liedje muziek sang laat piosenka muzyka песня песни музыка
"""
NOUNS = frozenset(_MUSIC.split())
"""Words for music that a language may stand beside: French song, canción española."""

STYLES = frozenset(["latin"])
"""Beside a word for music these name a style; "in Latin" is a language all the same."""

ARTICLES = frozenset(["the", "a", "an", "my", "your", "his", "her", "our", "their", "this", "that"])
"""Between a language and a word for music these say that the language is none: polish the song."""

ENDINGS = 3
"""Letters that a name may be longer by where it is inflected: deutsches, française, española."""

LEAST_LETTERS = 3
LEAST_STEM = 5
"""Shorter names are beginnings of too many words."""


def named_languages(text: str) -> list[str]:
    """Codes of the languages that a text names as ones, in order: `["fr"]` for "songs in French".

    A name counts behind a preposition (in French), beside a word for music (French songs, a French
    love song, chanson française), or alone. "Polish the floor" and "French kiss" name none.
    """
    words = _words(text)
    found = []
    for at, length, code in _names_in(words):
        before, after = words[:at], words[at + length :]
        beside = words[at] not in STYLES
        if not (before or after) or _asked_for(before, after if beside else []):
            found.append(code)
    return list(dict.fromkeys(found))


def _asked_for(before: Sequence[str], after: Sequence[str]) -> bool:
    if before and before[-1] in PREPOSITIONS:
        return True
    if before and before[-1] in ("or", "and", "o", "y", "ou", "et", "und", "oder"):
        return bool(named_languages(" ".join(before[:-1])))
    nearby = [*before[-1:], *_until_article(after[:2])]
    return any(word in NOUNS for word in nearby)


def _until_article(words: Sequence[str]) -> list[str]:
    found = []
    for word in words:
        if word in ARTICLES:
            break
        found.append(word)
    return found


def _names_in(words: Sequence[str]) -> list[tuple[int, int, str]]:
    """Where a language is named, in how many words, and its code; the longest name counts."""
    found, at = [], 0
    while at < len(words):
        for length in (3, 2, 1):
            code = (
                _code_of(" ".join(words[at : at + length])) if at + length <= len(words) else None
            )
            if code is not None:
                found.append((at, length, code))
                at += length
                break
        else:
            at += 1
    return found


@functools.cache
def _code_of(name: str) -> str | None:
    names = _names()
    if name in names:
        return names[name]
    for ending in range(1, ENDINGS + 1):
        stem = name[:-ending]
        if len(stem) >= LEAST_STEM and stem in names:
            return names[stem]
    return None


@functools.cache
def _names() -> dict[str, str]:
    """Codes by every name of a language that is long enough, without accents and case."""
    found: dict[str, str] = {}
    with RESOURCE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not row["code"] and not row["alpha3"]:
                continue  # words that name no language
            for name in (row["english"], row["native"], *row["aliases"].split(";")):
                plain = " ".join(_words(name))
                if len(plain) >= LEAST_LETTERS:
                    found.setdefault(plain, row["code"] or row["alpha3"])
    return found


def _words(text: str) -> list[str]:
    """Lower-case words without accents."""
    spelt = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in spelt if not unicodedata.combining(c))
    return re.findall(r"[^\W\d_]+", plain)
