"""A folder of songs: `<language>/<genre>/<song>.<audio>` with lyrics beside them."""

from pathlib import Path, PurePosixPath

from songatlas.corpus.audio_files import is_song
from songatlas.corpus.languages import normalise_language
from songatlas.corpus.layout import LAYOUT, layout_of
from songatlas.corpus.listing import AUDIO_SUFFIXES, FileEntry, list_files
from songatlas.corpus.lyrics_files import SUFFIXES, by_song, choose_lyrics
from songatlas.corpus.result import Problems, ReaderResult, sources_frame
from songatlas.errors import SongatlasError

STAGE = "list_sources"


def read(path: Path) -> ReaderResult:
    """Read a folder; audio elsewhere becomes rejects, files of other kinds become warnings.

    Raises:
        SongatlasError: when all audio lies elsewhere.
    """
    problems = Problems(STAGE)
    songs: dict[str, PurePosixPath] = {}
    lyrics: dict[str, list[PurePosixPath]] = {}
    elsewhere: list[PurePosixPath] = []
    unused: list[tuple[PurePosixPath, str]] = []
    for entry in list_files(path, problems):
        relative = PurePosixPath(entry.relative)
        suffix = relative.suffix.lower()
        stem = entry.relative[: len(entry.relative) - len(relative.suffix)]
        if not _usable(entry, relative, suffix, problems, path):
            continue
        if len(relative.parts) != 3 and suffix in AUDIO_SUFFIXES:
            detail = f"not at {LAYOUT}, so of no language and genre; move it there"
            problems.reject(path / relative, "wrong_place", detail)
            elsewhere.append(relative)
        elif len(relative.parts) != 3 or not (suffix in SUFFIXES or is_song(path / relative)):
            unused.append((relative, f"not an audio or lyrics file at {LAYOUT}"))
        elif suffix in SUFFIXES:
            lyrics.setdefault(stem, []).append(relative)
        elif stem in songs:
            problems.reject(
                path / relative,
                "duplicate_id",
                f"{songs[stem].name} has the same name without suffix and is used instead",
            )
        else:
            songs[stem] = relative
    if elsewhere and not songs:
        raise _wrong_folder(path, elsewhere)
    rows = []
    candidates = by_song(lyrics, songs, problems, path)
    for source_id, audio in songs.items():
        language, genre, _ = audio.parts
        files = [path / file for file in candidates.pop(source_id, [])]
        code = normalise_language(language)
        chosen, found = choose_lyrics(files, (), path / audio, code, problems)
        rows.append(
            {
                "source_id": source_id,
                "audio_path": str(path / audio),
                "lyrics_path": str(chosen) if chosen else None,
                "lyrics": found.lyrics,
                "lyrics_source": found.lyrics_source,
                "lines": found.lines,
                "title": found.tags.get("ti") or audio.stem,
                "artist": found.tags.get("ar"),
                "language": language,
                "genre": genre,
            }
        )
    for rest in candidates.values():
        unused += [(other, "no audio file of this name without lyrics") for other in rest]
    for relative, why in sorted(unused):
        problems.warn(path / relative, "unused_file", why)
    return ReaderResult(sources_frame(rows), problems.rejects(), problems.warnings())


def _wrong_folder(path: Path, elsewhere: list[PurePosixPath]) -> SongatlasError:
    layout = layout_of(path, elsewhere)
    if layout:
        return SongatlasError(layout.advice)
    return SongatlasError(
        f"{path}: none of its {len(elsewhere)} songs lies at {LAYOUT} (`{elsewhere[0]}` does not); "
        "set corpus_path to the folder above the languages, or read any layout with `corpus: "
        "library`"
    )


def _usable(
    entry: FileEntry, relative: PurePosixPath, suffix: str, problems: Problems, path: Path
) -> bool:
    """Names that are not Unicode cannot stand in a table: songs are rejected, others warned of."""
    if entry.valid:
        return True
    detail = "the file's name is not valid UTF-8; rename it"
    if suffix in AUDIO_SUFFIXES:
        problems.reject(path / relative, "unreadable", detail)
    else:
        problems.warn(path / relative, "unused_file", detail)
    return False
