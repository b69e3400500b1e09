"""Files below a folder, in an order that depends on nothing but their names."""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from songatlas.errors import SongatlasError

AUDIO_SUFFIXES = (".flac", ".m4a", ".mp3", ".ogg", ".wav")


@dataclass(frozen=True)
class FileEntry:
    """A file: its path relative to the folder (POSIX separators) and its size in bytes."""

    relative: str
    size: int

    @property
    def valid(self) -> bool:
        """Whether the name is valid Unicode; other names cannot stand in a table."""
        return is_unicode(self.relative)


def list_files(folder: Path) -> list[FileEntry]:
    """Every file below `folder`, sorted by path; linked folders are followed, once each.

    Hidden files and folders (`.DS_Store`, `._song.mp3`, `.git`) belong to other programs and are
    left out.

    Raises:
        SongatlasError: when `folder` is not a folder that can be read.
    """
    if not is_folder(folder):
        raise SongatlasError(f"{folder}: no such folder; set corpus_path to the corpus's folder")
    return sorted(_walk(folder, "", frozenset()), key=lambda entry: os.fsencode(entry.relative))


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder, also where a folder above may not be entered."""
    return os.path.isdir(path)  # noqa: PTH112 - `Path.is_dir` raises there


def expanded(path: str | Path) -> str:
    """`path` with `~` at its beginning as the home folder, unless there is no such user."""
    return os.path.expanduser(path)  # noqa: PTH111 - `Path.expanduser` raises then


def _walk(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[FileEntry]:
    try:
        here = folder.stat()
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise SongatlasError(
            f"{folder}: cannot list this folder ({error.strerror}); mend its permissions"
        ) from None
    identity = (here.st_dev, here.st_ino)
    if identity in above:  # a link to a folder above: its files are listed there
        return
    for entry in found:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", above | {identity})
        else:
            yield FileEntry(prefix + entry.name, _size(entry))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # a link that leads nowhere: probing says what is wrong with it
        return -1


def is_unicode(text: str) -> bool:
    """Whether text can be written as UTF-8 (names of files need not be)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def name_key(name: str) -> str:
    """A name in the form in which names are compared: macOS stores NFD where Linux stores NFC."""
    return unicodedata.normalize("NFC", name).casefold()
