"""Which bytes of a file are sound: the file without tags, padding and what is broken.

Tags (ID3v1, ID3v2, APEv2, Lyrics3) stand before, behind and, where files were joined, between the
sound. Streams of frames (MPEG audio, ADTS, WavPack) have nothing that says where a frame begins but
its first bytes, so their frames are followed one by one: what lies between is a tag, or was sound.

Sources: ISO/IEC 11172-3 2.4.1.3 and 13818-3 (MPEG audio headers), ISO/IEC 13818-7 6.2 (ADTS),
id3.org (ID3v2.4.0 3, Lyrics3 v2.00), wiki.hydrogenaud.io (APEv2), wavpack.com (block header).
"""

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

CHUNK_BYTES = 1 << 20

SEARCHED_BYTES = 1 << 18
"""So far behind its tags a file is searched for the beginning of its sound."""

LARGEST_TAG_BYTES = 1 << 26
"""ID3v2 at the very end, which only its beginning gives away, is looked for so far before it."""

KEPT_ZEROS = 16
"""Zeros that may belong to the last frame: a checksum, or its padding to whole bytes."""

BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""Boxes that an MP4 file may begin with, behind four bytes of length."""

SIZED = (b"RIFF", b"RF64", b"FORM", b"caff", b"riff", b".snd", b"\x1aE\xdf\xa3", b"0&\xb2u")
"""First bytes of containers that say where their sound ends: nothing behind it needs to be cut."""

FRAMED = (b"fLaC", b"OggS", b"wvpk", b"MAC ", b"TTA1", b"TTA2", b"MPCK", b"MP+", b"#!AMR", b"\x0bw")
"""First bytes of formats that end where the file ends."""


@dataclass(frozen=True)
class SoundBytes:
    """`pieces` (first byte, end) of a file that hold sound, in order, and what is `lost` between.

    `lost` gives, by offsets into the joined pieces, how many bytes of sound are broken there.
    `kind` is a kind of frames (`FRAME_BYTES`), `sized` or `framed`; None where nothing is known to
    begin so.
    """

    pieces: tuple[tuple[int, int], ...]
    kind: str | None
    lost: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        return sum(end - start for start, end in self.pieces)


class SoundView(io.RawIOBase):
    """A file-like view of the joined pieces, for decoders."""

    def __init__(self, file: BinaryIO, sound: SoundBytes) -> None:
        super().__init__()
        self._file, self._sound, self._place = file, sound, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._sound.size}
        self._place = max(base[whence] + offset, 0)
        return self._place

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer than `size` at the end of a piece."""
        before = 0
        for start, end in self._sound.pieces:
            inside = self._place - before
            if inside < end - start:
                self._file.seek(start + inside)
                left = end - start - inside
                data = self._file.read(left if size < 0 else min(size, left))
                self._place += len(data)
                return data
            before += end - start
        return b""


def sound_bytes(file: BinaryIO) -> SoundBytes:
    """The bytes of an open file that a decoder should see."""
    end = file.seek(0, os.SEEK_END)
    start = _after_tags(file, 0, end)
    head = _at(file, start, min(SEARCHED_BYTES, end - start))
    kind = "sized" if head.startswith(SIZED) or head[4:8] in BOXES else None
    if kind is None:
        kind, place = _beginning(head)
        start += place
    if kind in FRAME_BYTES:
        return _walk(file, start, end, kind)
    if kind == "framed":
        end = _before_tags(file, start, end)
    return SoundBytes(((start, end),), kind)


def _beginning(head: bytes) -> tuple[str | None, int]:
    """Kind of the sound that begins in `head`, and at which byte; None and 0 where none does."""
    places = {name: head.find(name) for name in (*SIZED, *FRAMED) if len(name) >= 4}
    places[b"ftyp"] = head.find(b"ftyp", 4) - 4
    first = {place: name for name, place in places.items() if place >= 0}
    place = min(first, default=len(head))
    if 0 in first:
        return ("wavpack" if first[0] == b"wvpk" else "framed"), 0
    for kind in ("mpeg", "adts"):
        synced = _resync(head, 0, FRAME_BYTES[kind])
        if 0 <= synced < place:
            # A valid header at the very beginning: the frames between are broken, not foreign.
            return kind, 0 if FRAME_BYTES[kind](head, 0) else synced
    if place == len(head):
        return None, 0
    name = first[place]
    return ("wavpack" if name == b"wvpk" else "framed" if name in FRAMED else "sized"), place


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(max(offset, 0))
    return file.read(size)


# --- tags -----------------------------------------------------------------------------------------


def _after_tags(file: BinaryIO, start: int, end: int) -> int:
    """The first byte at or behind `start` that neither is zero nor belongs to a tag."""
    while start < end:
        after = _after_zeros(file, start, end)
        for first in range(max(after - 3, start), after):
            if _at(file, first + 4, 4) in BOXES:
                return first  # zeros of the box's length
        size = tag_bytes(_at(file, after, 32))
        if not size or after + size > end:
            return after if after < end else start
        start = after + size
    return start


def _after_zeros(file: BinaryIO, start: int, end: int) -> int:
    while start < end:
        chunk = _at(file, start, min(CHUNK_BYTES, end - start))
        if not chunk:
            return end
        if left := len(chunk.lstrip(b"\0")):
            return start + len(chunk) - left
        start += len(chunk)
    return end


def tag_bytes(head: bytes) -> int:
    """Size of the tag that begins with `head` (32 bytes); 0 where none does."""
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] < 0xFF and max(head[6:10]) < 0x80:
        footer = 10 if head[5] & 0x10 else 0
        return 10 + _syncsafe(head[6:10]) + footer
    if head[:8] == b"APETAGEX" and len(head) == 32 and head[23] & 0x20:
        return 32 + int.from_bytes(head[12:16], "little")
    return 128 if head[:3] == b"TAG" else 0


def _is_tag(data: bytes, at: int) -> bool:
    return tag_bytes(data[at : at + 32]) > 0


def _syncsafe(four: bytes) -> int:
    return sum(byte << 7 * place for place, byte in enumerate(reversed(four)))


def _before_tags(file: BinaryIO, start: int, end: int) -> int:
    """The end of what lies before the tags and zeros at the end of a file."""
    while end > start:
        kept = _before_zeros(file, start, end)
        size = _tag_bytes_before(file, start, kept)
        if not size:
            return min(end, kept + KEPT_ZEROS)
        end = kept - size
    return end


def _before_zeros(file: BinaryIO, start: int, end: int) -> int:
    while end > start:
        size = min(CHUNK_BYTES, end - start)
        left = len(_at(file, end - size, size).rstrip(b"\0"))
        if left:
            return end - size + left
        end -= size
    return end


def _tag_bytes_before(file: BinaryIO, start: int, end: int) -> int:
    """Size of the tag that ends at `end`, or in the zeros behind it; 0 where none does."""
    # Tags may end in zeros of their own: a footer of APEv2 has eight, ID3v1 a field of thirty.
    tail = _at(file, max(end - 256, start), min(256, end - start) + 128)
    inside = len(tail) - len(_at(file, end, 128))
    for at in range(inside - 1, -1, -1):
        if tail[at : at + 8] == b"APETAGEX" and at + 24 >= inside:
            footer = tail[at : at + 32].ljust(32, b"\0")
            header = 32 if footer[23] & 0x80 else 0
            size = int.from_bytes(footer[12:16], "little") + header
            return size - 32 + inside - at
        if tail[at : at + 3] == b"TAG" and tail[at - 3 : at] != b"APE" and at + 128 >= inside:
            return inside - at
    head = tail[:inside]
    if head.endswith(b"3DI", 0, inside - 7):
        return 20 + _syncsafe(head[-4:])
    if head.endswith(b"LYRICS200") and head[-15:-9].isdigit():
        return 15 + int(head[-15:-9])
    if head.endswith(b"LYRICSEND"):
        before = _at(file, max(end - 5200, start), min(5200, end - start))
        return len(before) - max(before.rfind(b"LYRICSBEGIN"), 0)
    return _id3_before(file, start, end)


def _id3_before(file: BinaryIO, start: int, end: int) -> int:
    """Size of an ID3v2 tag without a footer that ends at `end`, or in the zeros behind it."""
    first = max(end - LARGEST_TAG_BYTES, start)
    tail = _at(file, first, end - first)
    at = tail.rfind(b"ID3")
    while at >= 0:
        if 0 <= first + at + tag_bytes(tail[at : at + 32]) - end <= file.seek(0, os.SEEK_END) - end:
            return len(tail) - at
        at = tail.rfind(b"ID3", 0, at)
    return 0


# --- frames ---------------------------------------------------------------------------------------


@cache
def _mpeg_frame_bytes(version: int, layer: int, bits: int) -> int:
    """Bytes of a frame of MPEG audio by its header's fields; 0 where they are not valid.

    `version` 0 is MPEG 2.5, 2 is MPEG 2, 3 is MPEG 1; `layer` 1 is III, 2 is II, 3 is I; `bits`
    are the third byte: bit rate, sampling rate, padding.
    """
    rate, padding = bits >> 2 & 3, bits >> 1 & 1
    if version == 1 or layer == 0 or rate == 3 or not 0 < bits >> 4 < 15:
        return 0
    kilobits = BITRATES[version == 3, layer][bits >> 4]
    hertz = (44100, 48000, 32000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    if layer == 3:
        return (12000 * kilobits // hertz + padding) * 4
    samples = 576 if layer == 1 and version != 3 else 1152
    return samples * 125 * kilobits // hertz + padding


BITRATES = {
    (True, 3): tuple(range(0, 449, 32)),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits per second by MPEG 1 or not, and by layer."""


def _mpeg(data: bytes, at: int) -> int:
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] < 0xE0:
        return 0
    second = data[at + 1]
    return _mpeg_frame_bytes(second >> 3 & 3, second >> 1 & 3, data[at + 2])


def _adts(data: bytes, at: int) -> int:
    if len(data) < at + 6 or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return 0
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    return size if size > 7 and data[at + 2] >> 2 & 15 < 13 else 0


def _wavpack(data: bytes, at: int) -> int:
    if data[at : at + 4] != b"wvpk" or len(data) < at + 10 or data[at + 9] != 4:
        return 0
    return 8 + int.from_bytes(data[at + 4 : at + 8], "little")


FRAME_BYTES: dict[str, Callable[[bytes, int], int]] = {
    "mpeg": _mpeg,
    "adts": _adts,
    "wavpack": _wavpack,
}
"""Bytes of the frame that begins at an offset, by kind of stream; 0 where none does."""


def _resync(data: bytes, at: int, frame_bytes: Callable[[bytes, int], int]) -> int:
    """The first offset from `at` on where three frames of one kind follow each other; -1: none.

    Two do at the end of the data.
    """
    mark = b"wvpk" if frame_bytes is _wavpack else b"\xff"
    while (at := data.find(mark, at)) >= 0:
        first = frame_bytes(data, at)
        second = frame_bytes(data, at + first) if first else 0
        third = at + first + second
        alike = second and data[at + 1] == data[at + first + 1]
        if alike and (third >= len(data) or frame_bytes(data, third) or _is_tag(data, third)):
            return at
        at += 1
    return -1


def _walk(file: BinaryIO, start: int, end: int, kind: str) -> SoundBytes:
    """Follow the frames from `start` to `end`; tags and broken bytes between them are left out."""
    pieces: list[tuple[int, int]] = []
    lost: list[tuple[int, int]] = []
    size = 0
    for first, after, broken in _runs(file, start, end, FRAME_BYTES[kind]):
        if pieces and broken:
            lost.append((size, broken))
        pieces.append((first, after))
        size += after - first
    return SoundBytes(tuple(pieces), kind, tuple(lost))


def _runs(
    file: BinaryIO, start: int, end: int, frame_bytes: Callable[[bytes, int], int]
) -> Iterator[tuple[int, int, int]]:
    """Runs of frames: first byte, end, and broken bytes before it."""
    place, broken = start, 0
    while place < end:
        first = place
        place = _follow(file, place, end, frame_bytes)
        if place > first:
            yield first, place, broken
            broken = 0
        after = _after_tags(file, place, end)
        if after > place and (after >= end or frame_bytes(_at(file, after, 16), 0)):
            place = after
            continue
        place, gap = _next_run(file, place, end, frame_bytes)
        broken += gap


def _follow(file: BinaryIO, place: int, end: int, frame_bytes: Callable[[bytes, int], int]) -> int:
    """The end of the frames that follow each other from `place` on."""
    data, base = b"", place
    while place < end:
        if place - base + 16 > len(data):
            data, base = _at(file, place, CHUNK_BYTES), place
        size = frame_bytes(data, place - base)
        if not size:
            return place
        place = min(place + size, end)
    return place


def _next_run(
    file: BinaryIO, place: int, end: int, frame_bytes: Callable[[bytes, int], int]
) -> tuple[int, int]:
    """Where frames begin again behind `place`, and how many bytes of sound are broken before.

    Nothing is, where a tag that has only an end stands there.
    """
    first = place
    while place < end:
        data = _at(file, place, min(2 * CHUNK_BYTES, end - place))
        at = _resync(data, 0, frame_bytes)
        if at >= 0:
            between = _at(file, first, place + at - first)
            a_tag = any(name in between for name in (b"APETAGEX", b"LYRICSBEGIN", b"ID3"))
            return place + at, 0 if a_tag else len(between)
        place += CHUNK_BYTES
    return end, 0
