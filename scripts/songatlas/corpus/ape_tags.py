"""APEv2 tags behind the sound of MP3 files, which neither tinytag nor FFmpeg reads.

The format: https://wiki.hydrogenaud.io/index.php?title=APEv2_specification
"""

import struct
from pathlib import Path
from typing import BinaryIO

MARK = b"APETAGEX"
FOOTER_BYTES = 32
ID3V1_BYTES = 128
MAX_TEXT_BYTES = 1 << 20
"""Longer items are covers, or damage."""

TEXT = 0
"""Kind of item (bits 1 and 2 of its flags) that is text; others are covers and links."""


def read_ape_tags(path: Path) -> dict[str, list[str]]:
    """Values by lower-case name; none where a file has no such tag or it is damaged.

    Bytes that are not UTF-8 stand as lone surrogates.
    """
    try:
        with path.open("rb") as file:
            return _items(file)
    except (OSError, struct.error):
        return {}


def _items(file: BinaryIO) -> dict[str, list[str]]:
    """The items of the tag at the end of a file, or before the ID3v1 tag there."""
    end = file.seek(0, 2)
    file.seek(max(0, end - ID3V1_BYTES - FOOTER_BYTES))
    tail = file.read()
    place = tail.rfind(MARK)
    if place < 0 or len(tail) - place < FOOTER_BYTES:
        return {}
    size, count = struct.unpack_from("<II", tail, place + len(MARK) + 4)
    footer = end - len(tail) + place
    file.seek(max(0, footer + FOOTER_BYTES - size))
    values: dict[str, list[str]] = {}
    for _ in range(count):
        if file.tell() >= footer:
            break
        length, flags = struct.unpack("<II", file.read(8))
        name = _name(file)
        if flags >> 1 & 3 == TEXT and length <= MAX_TEXT_BYTES:
            text = file.read(length).decode("utf-8", "surrogateescape")
            values.setdefault(name.lower(), []).extend(text.split("\0"))
        else:
            file.seek(length, 1)
    return values


def _name(file: BinaryIO) -> str:
    """The name of an item, up to the NUL behind it."""
    name = b""
    while (sign := file.read(1)) not in (b"\0", b"") and len(name) < ID3V1_BYTES:
        name += sign
    return name.decode("ascii", "replace")
