"""Where a folder's songs lie: at `<language>/<genre>/<song>`, or one level off."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LAYOUT = "<language>/<genre>/<song>"


@dataclass(frozen=True)
class Layout:
    """Songs of `folder` that lie at `<language>/<genre>/<song>` below `root`."""

    folder: Path
    root: Path

    def language_and_genre(self, song: PurePosixPath) -> tuple[str, str]:
        """Names of the folders that a song (its path relative to `folder`) lies in."""
        language, genre, _ = (self.folder.resolve() / song).parts[-3:]
        return language, genre

    @property
    def advice(self) -> str:
        """What to say of it in one line."""
        if self.root == self.folder:
            return f"{self.folder}: layout {LAYOUT}: folders name language and genre"
        deep = "deep" if self.root in self.folder.parents else "high"
        return f"{self.folder}: one level too {deep} for {LAYOUT}; set corpus_path to {self.root}"


def layout_of(folder: Path, songs: Collection[PurePosixPath]) -> Layout | None:
    """The layout of songs (paths relative to `folder`) if they have one, told by names alone.

    All songs lie equally deep, and every folder in the place of a language names one. `folder` may
    be one level too deep, or too high.
    """
    folder = folder.resolve()
    depths = {len(song.parts) for song in songs}
    roots = {2: folder.parent, 3: folder, 4: folder / _top(songs)}
    depth = depths.pop() if len(depths) == 1 else 0
    if depth not in roots or not all(
        (folder / song).is_relative_to(roots[depth]) for song in songs
    ):
        return None
    layout = Layout(folder, roots[depth])
    languages = {layout.language_and_genre(song)[0] for song in songs}
    return layout if all(map(_is_language, languages)) else None


def _top(songs: Collection[PurePosixPath]) -> str:
    """The first folder of the first song."""
    return next(iter(next(iter(songs), PurePosixPath()).parts), "")


def _is_language(name: str) -> bool:
    from songatlas.corpus.languages import match_language

    match = match_language(name)
    return match.code is not None and match.close_to is None and not match.others
