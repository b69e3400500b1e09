"""Decoding text files whose encoding nobody wrote down."""

import codecs
import re
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

LEGACY = {
    "ar": "cp1256", "fa": "cp1256", "ur": "cp1256",
    "he": "cp1255", "yi": "cp1255",
    "be": "cp1251", "bg": "cp1251", "mk": "cp1251", "ru": "cp1251", "sr": "cp1251", "uk": "cp1251",
    "bs": "cp1250", "cs": "cp1250", "hr": "cp1250", "hu": "cp1250", "pl": "cp1250",
    "ro": "cp1250", "sk": "cp1250", "sl": "cp1250", "sq": "cp1250",
    "el": "cp1253",
    "az": "cp1254", "tr": "cp1254",
    "et": "cp1257", "lt": "cp1257", "lv": "cp1257",
    "vi": "cp1258",
    "ja": "cp932", "ko": "cp949", "th": "cp874",
    "zh": "gb18030", "wuu": "gb18030",
    "yue": "big5hkscs", "nan": "big5hkscs", "hak": "big5hkscs",
}  # fmt: skip
"""The encoding that text in a language has most often where it is not Unicode."""

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Lyrics are kilobytes: what is larger is no text file, whatever its name says."""


class TextError(SongatlasError):
    """A file that cannot be read as text; the message says why."""


@dataclass(frozen=True)
class Text:
    """Decoded text, its encoding, and whether the encoding was guessed."""

    text: str
    encoding: str
    guessed: bool


def read_text(path: Path, language: str | None = None, declared: str | None = None) -> Text:
    """Read and decode a text file.

    Raises:
        TextError: when the file is absent, unreadable, too large or no text.
    """
    try:
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
    """Decode by byte order mark, else as UTF-8, else as `declared`, else by `language`.

    What is no UTF-8 and declares nothing is read in the language's usual legacy encoding
    (Windows-1252 by default), and `guessed` says so. Line ends become `\\n`.

    Raises:
        ValueError: when the bytes are no text (they hold NUL or mostly control characters).
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return Text(_clean(data[len(mark) :].decode(encoding, "replace")), encoding, False)
    zeros = data[:4096].count(0)
    if zeros:
        # Every second byte of UTF-16 text in a Latin alphabet is zero.
        if zeros < len(data[:4096]) // 3:
            raise ValueError("holds NUL bytes, so it is not a text file")
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        return Text(_clean(data.decode(encoding, "replace")), encoding, True)
    try:
        return Text(_clean(data.decode("utf-8")), "utf-8", False)
    except UnicodeDecodeError:
        pass
    known = _codec(declared)
    candidates = [(known, False)] if known else []
    candidates += [(LEGACY.get(language or "", "cp1252"), True), ("cp1252", True)]
    for encoding, guessed in candidates:
        try:
            return Text(_clean(data.decode(encoding)), encoding, guessed)
        except UnicodeDecodeError:
            continue
    return Text(_clean(data.decode("latin-1")), "latin-1", True)


def _codec(name: str | None) -> str | None:
    try:
        return codecs.lookup(name.strip()).name if name and name.strip().isascii() else None
    except LookupError:
        return None


def _clean(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    control = len(re.findall(r"[\x00-\x08\x0e-\x1f\x7f]", text))
    if control > max(1, len(text) // 50):
        raise ValueError("holds mostly control characters, so it is not a text file")
    return re.sub(r"[\x00-\x08\x0e-\x1f\x7f]", "", text)
