"""Files below a folder, in an order that depends on nothing but their names."""

import fnmatch
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from songatlas.errors import SongatlasError

if TYPE_CHECKING:
    from songatlas.corpus.result import Problems

AUDIO_SUFFIXES = (
    *(".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".dsf"),
    *(".flac", ".m4a", ".m4b", ".mka", ".mp2", ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus"),
    *(".spx", ".tak", ".tta", ".w64", ".wav", ".weba", ".webm", ".wma", ".wv"),
)
"""What names of songs end in. A name proposes; whether a file is a song, its content says."""

SYSTEM_NAMES = (
    # macOS
    *("._*", ".DS_Store", ".AppleDB", ".AppleDesktop", ".AppleDouble", ".DocumentRevisions-V100"),
    *(".Spotlight-V100", ".TemporaryItems", ".VolumeIcon.icns", ".apdisk", ".fseventsd"),
    *(".localized", "Icon\r", "Network Trash Folder", "Temporary Items", "__MACOSX"),
    # Windows
    *("$RECYCLE.BIN", "RECYCLER", "System Volume Information", "desktop.ini", "Thumbs.db"),
    *("ehthumbs.db", "ehthumbs_vista.db"),
    # Linux
    *(".Trash", ".Trash-*", ".Trashes", ".directory", ".fuse_hidden*", ".nfs[0-9]*", ".nomedia"),
    *(".thumbnails", "lost+found"),
    # network storage and synchronisation
    *("@Recently-Snapshot", "@Recycle", "@eaDir", "#recycle", "#snapshot", ".dropbox"),
    *(".dropbox.attr", ".dropbox.cache", ".stfolder*", ".stignore", ".stversions", ".sync"),
    *(".syncthing.*.tmp", "~syncthing~*.tmp"),
    # programs
    *(".dvc", ".dvcignore", ".git", ".gitattributes", ".gitignore", ".hg", ".idea"),
    *(".ipynb_checkpoints", ".snakemake", ".svn", ".vscode", "__pycache__"),
)
"""Names of other programs' files and folders, which hold no music. A name that begins with a dot
may be music's (`...Baby One More Time.mp3`)."""

_SYSTEM = re.compile("|".join(map(fnmatch.translate, SYSTEM_NAMES)), re.IGNORECASE)


@dataclass(frozen=True)
class FileEntry:
    """A file: its path relative to the folder (POSIX separators) and its size in bytes."""

    relative: str
    size: int

    @property
    def valid(self) -> bool:
        """Whether the name is valid Unicode; other names cannot stand in a table."""
        return is_unicode(self.relative)


def list_files(folder: Path, problems: "Problems | None" = None) -> list[FileEntry]:
    """Every file below `folder`, sorted by path; linked folders are followed, once each.

    Files and folders of other programs (`SYSTEM_NAMES`) are left out. `problems` is told how many
    they are, and of every folder inside that cannot be read, which is left out too.

    Raises:
        SongatlasError: when `folder` itself is not a folder that can be read.
    """
    if not is_folder(folder):
        raise SongatlasError(f"{folder}: no such folder; set corpus_path to the corpus's folder")
    walk = _Walk()
    entries = list(walk.files(folder, "", frozenset()))
    if folder in walk.unreadable:
        raise SongatlasError(
            f"{folder}: cannot list this folder ({walk.unreadable[folder]}); mend its permissions"
        )
    if problems is not None:
        walk.tell(folder, problems)
    return sorted(entries, key=lambda entry: os.fsencode(entry.relative))


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder, also where a folder above may not be entered."""
    return os.path.isdir(path)  # noqa: PTH112 - `Path.is_dir` raises there


def expanded(path: str | Path) -> str:
    """`path` with `~` at its beginning as the home folder, unless there is no such user."""
    return os.path.expanduser(path)  # noqa: PTH111 - `Path.expanduser` raises then


class _Walk:
    """A walk through a folder; `unreadable` and `left_out` are what it passed by."""

    def __init__(self) -> None:
        self.unreadable: dict[Path, str] = {}
        self.left_out: list[str] = []

    def files(
        self, folder: Path, prefix: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[FileEntry]:
        """The files below `folder`, whose names begin with `prefix`."""
        try:
            here = folder.stat()
            with os.scandir(folder) as entries:
                children = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            self.unreadable[folder] = error.strerror or str(error)
            return
        identity = (here.st_dev, here.st_ino)
        if identity in above:  # a link to a folder above: its files are listed there
            return
        for entry in children:
            if _SYSTEM.fullmatch(entry.name):
                self.left_out.append(entry.name)
            elif _is_folder(entry):
                yield from self.files(
                    Path(entry.path), f"{prefix}{entry.name}/", above | {identity}
                )
            else:
                yield FileEntry(prefix + entry.name, _size(entry))

    def tell(self, folder: Path, problems: "Problems") -> None:
        """Reject unreadable folders, count what was left out."""
        for path, why in self.unreadable.items():
            detail = f"cannot list this folder ({why}); mend its permissions"
            problems.reject(path, "unreadable", detail)
        if self.left_out:
            names = ", ".join(sorted(set(self.left_out))[:5])
            detail = f"{len(self.left_out)} files and folders of other programs left out: {names}"
            problems.warn(folder, "unused_file", detail)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


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
