"""Files that a corpus's own tables and headers name: found by name alone, inside the corpus."""

import posixpath
from collections.abc import Iterable
from pathlib import Path

from songatlas.corpus.listing import FileEntry, name_key
from songatlas.corpus.result import Problems


class NamedFiles:
    """The files of a listing by relative path: exactly, else whatever their case and Unicode form.

    Names come from strangers. They are compared with those of the listing and never opened, so none
    leads out of the corpus's folder.
    """

    def __init__(self, folder: Path, entries: Iterable[FileEntry], problems: Problems) -> None:
        self.folder, self.problems = folder, problems
        self._exact: set[str] = set()
        self._alike: dict[str, list[str]] = {}
        for entry in entries:
            if entry.valid:
                self._exact.add(entry.relative)
                self._alike.setdefault(name_key(entry.relative), []).append(entry.relative)

    def find(self, name: str, named_in: str | Path, below: str = "") -> Path | None:
        """The file that `named_in` calls `name`, a path relative to the corpus's folder `below`.

        Where several names differ from `name` in case or Unicode form alone, the first of them
        counts, and a warning says so.
        """
        relative = posixpath.normpath(posixpath.join(below, name.replace("\\", "/")))
        if relative in self._exact:
            return self.folder / relative
        alike = self._alike.get(name_key(relative), [])
        if not alike:
            return None
        if len(alike) > 1:
            listed = ", ".join(alike)
            self.problems.warn(
                named_in, "bad_value", f"`{name}` may be each of {listed}: the first is used"
            )
        return self.folder / alike[0]
