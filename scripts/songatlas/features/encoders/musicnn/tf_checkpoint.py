"""Reading TensorFlow checkpoints without TensorFlow.

A checkpoint is two files. The index is a sorted string table of LevelDB: blocks of entries whose
keys share prefixes, each block with a checksum, and a footer that says where the index of blocks
lies. An entry names a tensor; its value is the protocol buffer BundleEntryProto, which gives shape,
place and checksum. The data file holds the tensors, raw and little-endian, after one another.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

FLOAT32 = 1
"""DataType of float32."""

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
TRAILER_BYTES = 5
"""Behind every block: how it is compressed, one byte, and its checksum."""

MASK = 0xA282EAD8
"""Added to a rotated CRC-32C, so that a checksum of data that hold checksums stays a good one."""

TRAINING_ONLY = ("/Adam", "/Adam_1", "beta1_power", "beta2_power")
"""Ends of the names of tensors that only training needs: Adam's moments and their decay."""


class DamagedError(ValueError):
    """Bytes are not those of a checkpoint, or no longer; the message says which part is not."""


@dataclass(frozen=True)
class _Entry:
    """Where a float32 tensor lies in the data file, in bytes, and its masked checksum."""

    shape: tuple[int, ...]
    offset: int
    size: int
    checksum: int


def read_bundle(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """The weights of a checkpoint by name, float32; what only training needs is left out.

    Args:
        index: the file `.index`.
        data: the file `.data-00000-of-00001`.

    Raises:
        DamagedError: where a checksum is wrong or a part is missing.
    """
    try:
        entries = dict(_table(index))
        entries.pop(b"", None)  # the header of the whole checkpoint
        return {
            name.decode(): _tensor(name.decode(), _entry(value), data)
            for name, value in entries.items()
            if not name.decode().endswith(TRAINING_ONLY)
        }
    except DamagedError:
        raise
    except (LookupError, ValueError, OverflowError, struct.error) as error:
        raise DamagedError(f"the index makes no sense ({error})") from None


def masked_crc32c(content: bytes) -> int:
    """The checksum of LevelDB and TensorFlow: CRC-32C, rotated and shifted by a constant."""
    from google_crc32c import value

    crc = int(value(content))
    return ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF


def _tensor(name: str, entry: _Entry, data: bytes) -> np.ndarray:
    content = data[entry.offset : entry.offset + entry.size]
    if len(content) != entry.size or masked_crc32c(content) != entry.checksum:
        raise DamagedError(f"the checksum of the tensor {name} is wrong")
    return np.frombuffer(content, "<f4").reshape(entry.shape)


def _entry(value: bytes) -> _Entry:
    """A BundleEntryProto: 1 type, 2 shape, 4 offset, 5 size, 6 checksum; zeros are left out."""
    found = dict(_fields(value))
    if found.get(1) != FLOAT32:
        raise DamagedError(f"a tensor is of type {found.get(1)}, not of float32")
    # A TensorShapeProto: 2 a dimension, in which 1 is its size.
    dims = [
        dict(_fields(dim)).get(1, 0) for number, dim in _fields(found.get(2, b"")) if number == 2
    ]
    return _Entry(tuple(dims), found.get(4, 0), found.get(5, 0), found[6])


def _table(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All entries of a sorted string table."""
    footer = index[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != MAGIC:
        raise DamagedError("the index does not end as a sorted string table does")
    meta, at = _handle(footer, 0)
    _block(index, *meta)  # holds nothing that is needed, but damage is damage
    blocks, _ = _handle(footer, at)
    for _, handle in _entries(_block(index, *blocks)):
        place, _ = _handle(handle, 0)
        yield from _entries(_block(index, *place))


def _handle(content: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and where the next handle begins."""
    offset, at = _varint(content, at)
    size, at = _varint(content, at)
    return (offset, size), at


def _block(index: bytes, offset: int, size: int) -> bytes:
    """The content of a block, its checksum compared."""
    content = index[offset : offset + size + 1]
    checksum = struct.unpack_from("<I", index, offset + size + 1)[0]
    if masked_crc32c(content) != checksum:
        raise DamagedError(f"the checksum of the index's block at byte {offset} is wrong")
    if content[-1]:
        raise DamagedError(f"the index's block at byte {offset} is compressed")
    return content[:-1]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; behind them lie places to start from, and their number."""
    [restarts] = struct.unpack("<I", block[-4:])
    end, at, key = len(block) - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        size, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, lowest first, and where what follows begins."""
    value = shift = 0
    while True:
        value |= (content[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not content[at - 1] & 0x80:
            return value, at


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and values (integers or bytes) of a protocol buffer's fields, in order."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _READERS[key & 7](message, at)
        yield key >> 3, value


def _sized(message: bytes, at: int) -> tuple[bytes, int]:
    size, at = _varint(message, at)
    return message[at : at + size], at + size


def _fixed32(message: bytes, at: int) -> tuple[int, int]:
    return struct.unpack_from("<I", message, at)[0], at + 4


_READERS: dict[int, Callable[[bytes, int], tuple]] = {0: _varint, 2: _sized, 5: _fixed32}
"""By the wire type of a field; checkpoints use no other."""
