"""Names of genres: out of tags, and in one spelling each."""

import functools
import io
import re
import unicodedata
from collections.abc import Iterable

import pandas as pd

from songatlas import tables
from songatlas.corpus.result import problem_rows, where

SEPARATORS = re.compile(r"\s*[;/|,\0\n、；／，]\s*")
"""What stands between genres where a tag names several."""

NUMBER = re.compile(r"\((\d{1,3})\)")
"""ID3's way to write the number of a genre: `(17)`, `(17)(18)`, `(17)Rock`."""

NO_GENRE = ("", "genre", "misc", "n/a", "none", "other", "undefined", "unknown", "<unknown>")
"""What taggers write where they know no genre."""


def genres_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Genres in their order, of texts such as `(17)`, `17` and `Rock/Pop; Indie`, each once."""
    parts = [part for text in texts for part in SEPARATORS.split(NUMBER.sub(r"\1;", text))]
    names = [_named(" ".join(part.split())) for part in parts]
    once = {genre_key(name): name for name in reversed(names) if name.lower() not in NO_GENRE}
    return tuple(reversed(once.values()))


def genre_key(name: str) -> str:
    """The form in which genres are compared.

    Case, accents, blanks, hyphens and whether `and` is written out make no other genre.
    """
    text = unicodedata.normalize("NFKD", name.replace("&", " and ")).casefold()
    bare = "".join(sign for sign in text if not _is_accent(sign))
    words = re.split(r"[\s\-_‐‑–.'’+]+", unicodedata.normalize("NFC", bare))
    return "".join("" if word in ("and", "n") else word for word in words) or text


def with_one_spelling(sources: pd.DataFrame, stage: str) -> tuple[pd.Series, pd.DataFrame]:
    """The column `genre` of sources, each genre in its commonest spelling, and the warnings.

    Of spellings that are equally common the first by alphabet counts. A warning for each genre with
    several spellings counts the songs that are spelt otherwise; it names the first of them.
    """
    genres = sources["genre"]
    counts = genres.value_counts()
    spellings: dict[str, list[str]] = {}
    for name in sorted(counts.index, key=lambda name: (-counts[name], name)):
        spellings.setdefault(genre_key(name), []).append(name)
    shown = {name: names[0] for names in spellings.values() for name in names}
    rows = []
    for names in spellings.values():
        others = where(sources)[genres.isin(names[1:])]
        if len(others):
            listed = ", ".join(f"`{name}`" for name in names[1:])
            detail = f"{len(others)} songs have the genre {listed}: read as `{names[0]}`"
            rows.append(problem_rows(tables.WARNINGS, others[:1], stage, "bad_value", detail))
    warnings = pd.concat(rows, ignore_index=True) if rows else tables.empty(tables.WARNINGS)
    return genres.map(shown).astype("str"), warnings


def _is_accent(sign: str) -> bool:
    """Whether a sign is an accent of the Latin, Greek or Cyrillic alphabet; others are vowels."""
    return "\u0300" <= sign <= "\u036f"


def _named(part: str) -> str:
    return _numbered(int(part)) if re.fullmatch(r"\d{1,3}", part) else part


@functools.cache
def _numbered(number: int) -> str:
    """The genre that ID3v1 has under a number; the number itself where it has none.

    tinytag has the list but does not export it: it is asked for the genre of an empty ID3v1 tag.
    """
    from tinytag import TinyTag

    if number > 255:
        return str(number)
    empty = b"ID3\x03" + bytes(6) + b"TAG" + bytes(124) + bytes([number])
    return TinyTag.get(file_obj=io.BytesIO(empty), duration=False).genre or str(number)
