"""Decoding text files whose encoding nobody wrote down."""

import codecs
import functools
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from songatlas.errors import SongatlasError

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

CYRILLIC = ("cp1251", "koi8_u", "iso8859_5", "cp866", "mac_cyrillic")
CENTRAL = ("cp1250", "iso8859_2", "cp852", "mac_latin2", "iso8859_16")
WESTERN = ("cp1252", "mac_roman", "iso8859_15", "cp850", "iso8859_3", "iso8859_10", "iso8859_14")
LEGACY = {
    **dict.fromkeys(("be", "bg", "mk", "ru", "sr", "uk"), CYRILLIC),
    **dict.fromkeys(("bs", "cs", "hr", "hu", "pl", "ro", "sk", "sl", "sq"), CENTRAL),
    **dict.fromkeys(("ar", "fa", "ur"), ("cp1256", "iso8859_6")),
    **dict.fromkeys(("he", "yi"), ("cp1255", "iso8859_8", "cp862")),
    **dict.fromkeys(("az", "tr"), ("cp1254", "cp857", "mac_turkish")),
    **dict.fromkeys(("et", "lt", "lv"), ("cp1257", "iso8859_13", "iso8859_4", "cp775")),
    **dict.fromkeys(("hak", "nan", "yue"), ("big5hkscs", "gb18030")),
    **dict.fromkeys(("wuu", "zh"), ("gb18030", "big5hkscs")),
    "el": ("cp1253", "iso8859_7", "cp737", "mac_greek"),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949", "johab"),
    "th": ("cp874",),
    "vi": ("cp1258",),
}
"""The encodings that text in a language has where it is not Unicode, the commonest first. Other
languages have `WESTERN` ones."""

COMMON = ("cp1252", "cp1251", "gb18030", "big5hkscs", "cp932", "cp949", "cp1250")
"""The encodings that texts in no known language have most often."""

BY_ESCAPE = ("iso2022_jp_2", "iso2022_kr")
"""Encodings in ASCII alone, where an escape sequence announces letters."""

UTF_16, UTF_32 = ("utf-16-le", "utf-16-be"), ("utf-32-le", "utf-32-be")

LEAST_VALID = 2
"""Text is UTF-8 with damage where it has so many characters beyond ASCII per damaged place."""

RANKED_BYTES = 2000
"""So much of a text says which encoding it has."""

FEW_BYTES = 60
"""Fewer bytes than these do not say which encoding they have."""

ODD_COST = 10.0
"""What it costs an encoding, in nats, if every sign beyond ASCII is odd where it stands."""

RARITY = 0.15
"""So much of an odd sign is it that an encoding is not the commonest; it decides short texts."""

LIKELIEST = 0.1
"""Weight of an encoding's likeliest language beside that of all its languages."""

MOST_ODD = 0.2
"""Share of odd signs from which on bytes are no text in UTF-16."""

QUOTES = "«»‘’“”„‚‹›¿¡…–—"
"""Signs that stand beside letters; of these, an apostrophe alone stands between two."""

FINAL_LETTERS = "ךםןףץةىς"
"""Letters that end words (Hebrew, Arabic, Greek)."""

COMMON_SIGNS = (("gb2312", b"\xd7"), ("big5", b"\xc6"), ("euc_jp", b"\xcf"), ("euc_kr", b"\xc8"))
"""Standards that list common signs first, and the first byte of the last of these."""

LEADING_VOWELS = "เแโใไ"
"""Thai vowels that stand before a consonant."""

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Lyrics are kilobytes: what is larger is no text file, whatever its name says."""


class TextError(SongatlasError):
    """A file that cannot be read as text; the message says why."""


@dataclass(frozen=True)
class Text:
    """Decoded text, its encoding, and whether the encoding was guessed.

    `damaged` counts places that are no text in that encoding; a replacement character marks each.
    """

    text: str
    encoding: str
    guessed: bool
    damaged: int = 0


def read_text(path: Path, language: str | None = None, declared: str | None = None) -> Text:
    """Read and decode a text file.

    Raises:
        TextError: when the file is absent, unreadable, too large or no text.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait
            raise TextError(f"{path}: not a file")
        with path.open("rb") as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise TextError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_TEXT_BYTES:
        raise TextError(f"{path}: larger than {MAX_TEXT_BYTES >> 20} MiB, so not a text file")
    try:
        return decode_text(data, language, declared)
    except ValueError as error:
        raise TextError(f"{path}: {error}") from None


def decode_text(data: bytes, language: str | None = None, declared: str | None = None) -> Text:
    """Decode by byte order mark, else as UTF-8, else as `declared`, else by what reads best.

    What is no UTF-8 and declares nothing is decoded in every encoding in use for the language (a
    primary subtag; None: for any), and py3langid says which text is the likeliest: `guessed` says
    so. Text that is UTF-8 but for a few bytes stays UTF-8. Line ends become `\\n`.

    Raises:
        ValueError: when the bytes are no text (they hold NUL or mostly control characters).
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return Text(_clean(data[len(mark) :].decode(encoding, "replace")), encoding, False)
    content = data.rstrip(b"\0")
    if _has_controls(content):
        found = _wide(data)
        if found is None:
            raise ValueError("holds NUL or control characters, so it is not a text file")
        return found
    return (
        _escaped(content)
        or _utf8(content)
        or decode_as(content, declared)
        or _likeliest(content, _encodings(language), language)
    )


def decode_as(data: bytes, name: str | None) -> Text | None:
    """Bytes in the encoding of a name; None where there is no such one, or they are not in it."""
    encoding = _codec(name)
    text = _decoded(data, encoding) if encoding else None
    return Text(_clean(text), str(encoding), False) if text else None


def mended(texts: Sequence[str], language: str | None = None, more: bytes = b"") -> list[str]:
    """Texts of one source without mojibake: read in a wrong encoding, or encoded twice.

    Bytes that were no Unicode stand as lone surrogates (`errors="surrogateescape"`) or as their
    letters in Latin-1. All together they say which encoding they have; where they are few, `more`
    bytes of the same encoding help.
    """
    import ftfy

    raw = [misread_bytes(text) for text in texts]
    together = b"\n".join(content for content in raw if content)
    if len(together) < FEW_BYTES:
        together += b"\n" + more
    encoding = _legacy_of(together, language) if any(raw) else "utf-8"
    return [
        ftfy.fix_encoding(text) if content is None else _clean(content.decode(encoding, "replace"))
        for text, content in zip(texts, raw, strict=True)
    ]


def _legacy_of(data: bytes, language: str | None) -> str:
    found = _utf8(data) or _likeliest(data, _encodings(language), language)
    return found.encoding


def misread_bytes(text: str) -> bytes | None:
    """The bytes of a text that was read in a wrong encoding; None where it looks right."""
    if re.search("[\udc80-\udcff]", text):
        return text.encode("utf-8", "surrogateescape")
    if not re.search("[\x80-\x9f]|[^\x00-\x7f«»‘’“”„‚‹›¿¡…–—]{3}", text):
        return None
    for encoding in ("latin-1", "cp1252"):
        try:
            return text.encode(encoding)
        except UnicodeEncodeError:
            continue
    return None


def _utf8(data: bytes) -> Text | None:
    """Text that is UTF-8 but for a few places; what was encoded twice is mended."""
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd") - data.count("\ufffd".encode())
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore")) - damaged
    if damaged and beyond_ascii < LEAST_VALID * damaged:
        return None
    once = mended([text])[0] if beyond_ascii and not damaged else text
    return Text(_clean(once), "utf-8", once != text, damaged)


def _escaped(data: bytes) -> Text | None:
    texts = ((encoding, _decoded(data, encoding)) for encoding in BY_ESCAPE if b"\x1b$" in data)
    return next((Text(_clean(text), name, True) for name, text in texts if text), None)


def _wide(data: bytes) -> Text | None:
    """UTF-16 or UTF-32 without a mark; None where bytes are neither."""
    for encoding in UTF_32:
        if text := _decoded(data, encoding):
            return Text(_clean(text), encoding, True)
    data = data[: len(data) // 2 * 2]
    # Of a character's two bytes, the one that names its alphabet varies less.
    varied = {encoding: len(set(data[1 - at :: 2])) for at, encoding in enumerate(UTF_16)}
    likely = [name for name in UTF_16 if varied[name] == min(varied.values())]
    found = _likeliest(data, likely, None)
    signs = _odd_signs(found.text)
    is_text = not found.damaged and signs <= MOST_ODD * len(found.text)
    return found if is_text else None


def _likeliest(data: bytes, encodings: Sequence[str], language: str | None) -> Text:
    """The text in the encoding that reads best; of equals, in the first."""
    sample = data[: RANKED_BYTES // 4 * 4]
    scores = {encoding: _plausibility(sample, encoding, language) for encoding in encodings}
    best = max(scores, key=scores.__getitem__)
    text = unicodedata.normalize("NFC", data.decode(best, "replace"))
    return Text(_clean(text), best, True, text.count("\ufffd"))


def _plausibility(sample: bytes, encoding: str, language: str | None) -> float:
    """Log-probability that py3langid gives the language, less what speaks against the encoding."""
    # The sample may end inside a character.
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    odd = _odd_signs(text) / max(1, sum(sign > "\x7f" for sign in text))
    rarity = RARITY * _rarity(encoding, language) / max(1, sum(byte > 0x7F for byte in sample))
    return math.log(_probability(text, encoding, language) + 1e-4) - ODD_COST * (odd + rarity)


@functools.cache
def _rarity(encoding: str, language: str | None) -> int:
    """0 for the commonest encoding of a language, then 1 and 2; of all languages up to 3."""
    if language:
        return min(2, [*LEGACY.get(language, WESTERN), encoding].index(encoding))
    if encoding in COMMON:
        return int(encoding != COMMON[0])
    return 2 if any(encoding == names[0] for names in LEGACY.values()) else 3


def _probability(text: str, encoding: str, language: str | None) -> float:
    """Probability of the language; without one, of those that the encoding is in use for.

    A few words do not tell Russian from Bulgarian, so that of these all count together; and a
    little how sure the likeliest is.
    """
    from songatlas.corpus.language_id import languages, probabilities

    shares = dict(zip(languages(), probabilities([_of_one_script(text)])[0].tolist(), strict=True))
    if language in shares:
        return round(shares[language], 2)
    in_use = [shares[code] for code in _languages_of(encoding, tuple(shares))]
    return round(sum(in_use) * max(in_use) ** LIKELIEST, 2)


def _of_one_script(text: str) -> str:
    """Text without its words in ASCII, where most other letters are of another alphabet.

    A table's header, or an English chorus, says nothing of the language that is to be told.
    """
    letters = [sign for sign in text if sign > "\x7f" and sign.isalpha()]
    if 2 * sum(map(_is_latin, letters)) >= len(letters):
        return text
    return "\n".join(
        " ".join(re.findall(r"[^\s,;\t]*[^\x00-\x7f][^\s,;\t]*", line)) for line in text.split("\n")
    )


@functools.cache
def _languages_of(encoding: str, codes: tuple[str, ...]) -> list[str]:
    known = [code for code in codes if encoding in LEGACY.get(code, WESTERN)]
    return known or list(codes)


def _encodings(language: str | None) -> list[str]:
    """Encodings in use for a language (None: for any), and the commonest of all."""
    return [*LEGACY.get(language, WESTERN), "cp1252"] if language else all_encodings()


def all_encodings() -> list[str]:
    """Every encoding in use that is not Unicode, each once."""
    return list(dict.fromkeys([*WESTERN, *(name for names in LEGACY.values() for name in names)]))


def _odd_signs(text: str) -> int:
    """Signs beyond ASCII that stand where such signs do not stand in text.

    That are controls, unassigned and private signs; symbols beside a letter; quotes between two;
    capitals behind a small letter; accents in rows; letters of another alphabet beside a Latin one;
    final letters inside words; vowels without a consonant; rare signs of East Asia.
    """
    neighbours = zip(" " + text, text, text[1:] + " ", strict=False)
    return sum(_is_odd(*three) for three in neighbours if three[1] > "\x7f")


def _is_odd(before: str, sign: str, after: str) -> bool:
    category = unicodedata.category(sign)
    if category[0] in "LM":
        return _is_odd_letter(before, sign, after)
    if category in ("Cc", "Cn", "Co", "Cs") or sign == "\ufffd":
        return True
    if sign == "’" or _is_east_asian(sign):
        return False
    return before.isalpha() + after.isalpha() > (sign in QUOTES)


def _is_odd_letter(before: str, sign: str, after: str) -> bool:
    if unicodedata.category(sign)[0] == "M":
        return unicodedata.category(before)[0] not in "LM"
    if "一" <= sign <= "鿿" or "가" <= sign <= "힣":
        return not _is_common(sign)
    beside_latin = any(other.isascii() and other.isalpha() for other in (before, after))
    among_accents = all(other > "\x7f" and _is_latin(other) for other in (before, after))
    return (
        (sign.isupper() and before.islower())
        or (sign in FINAL_LETTERS and after.isalpha())
        or (sign in LEADING_VOWELS and (after in LEADING_VOWELS or not after.isalpha()))
        or (beside_latin and not _is_latin(sign) and not _is_east_asian(sign))
        or (among_accents and _is_latin(sign))
    )


@functools.cache
def _is_common(sign: str) -> bool:
    """Whether a Chinese character or a Korean syllable is among the common ones of a standard."""
    codes = ((sign.encode(encoding, "ignore")[:1], last) for encoding, last in COMMON_SIGNS)
    return any(b"\x80" <= code <= last for code, last in codes)


def _is_east_asian(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in "WFH"


@functools.cache
def _is_latin(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith("LATIN")


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _codec(name: str | None) -> str | None:
    try:
        return codecs.lookup(name.strip()).name if name and name.strip().isascii() else None
    except LookupError:
        return None


def _has_controls(data: bytes) -> bool:
    controls = len(re.findall(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", data))
    return b"\0" in data or controls > max(1, len(data) // 50)


def _clean(text: str) -> str:
    """Text with `\\n` between lines, without a mark at its beginning and control characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return re.sub(r"[\x00-\x08\x0e-\x1f\x7f]", "", text)
