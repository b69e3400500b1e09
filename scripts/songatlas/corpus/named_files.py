"""Files that a corpus's own tables and headers name: found by name alone, inside the corpus."""

import posixpath
from collections.abc import Iterable
from pathlib import Path

from songatlas.corpus.listing import FileEntry, name_key
from songatlas.corpus.result import Problems, printable


class NamedFiles:
    """The files of a listing by relative path: exactly, else whatever their case and Unicode form.

    Names come from strangers. They are compared with those of the listing and never opened, so none
    leads out of the corpus's folder.
    """

    def __init__(self, folder: Path, entries: Iterable[FileEntry], problems: Problems) -> None:
        self.folder, self.problems = folder, problems
        self._exact: set[str] = set()
        self._used: set[str] = set()
        self._not_unicode: list[str] = []
        self._alike: dict[str, list[str]] = {}
        for entry in entries:
            if not entry.valid:
                self._not_unicode.append(entry.relative)
                continue
            self._exact.add(entry.relative)
            self._alike.setdefault(name_key(entry.relative), []).append(entry.relative)

    def find(self, name: str, named_in: str | Path, below: str = "") -> Path | None:
        """The file that `named_in` calls `name`, a path relative to the corpus's folder `below`.

        Where several names differ from `name` in case or Unicode form alone, the first of them
        counts, and a warning says so.
        """
        relative = posixpath.normpath(posixpath.join(below, name.replace("\\", "/")))
        if relative in self._exact:
            self._used.add(relative)
            return self.folder / relative
        alike = self._alike.get(name_key(relative), [])
        if not alike:
            return None
        if len(alike) > 1:
            listed = ", ".join(alike)
            self.problems.warn(
                named_in, "bad_value", f"`{name}` may be each of {listed}: the first is used"
            )
        self._used.add(alike[0])
        return self.folder / alike[0]

    def tell_unused(self, below: tuple[str, ...] = ("",)) -> None:
        """A warning for every file in the folders `below` that neither was found nor told of."""
        told = {path for path, *_ in (*self.problems.rejected, *self.problems.warned)}
        for relative in sorted([*(self._exact - self._used), *self._not_unicode]):
            if relative.startswith(below) and printable(self.folder / relative) not in told:
                detail = "neither the sound nor the text of a song"
                self.problems.warn(self.folder / relative, "unused_file", detail)
