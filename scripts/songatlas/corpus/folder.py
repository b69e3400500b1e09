"""A folder of songs: `<language>/<genre>/<song>.<audio>` with lyrics beside them."""

from pathlib import Path, PurePosixPath

from songatlas.corpus.languages import normalise_language
from songatlas.corpus.listing import AUDIO_SUFFIXES, FileEntry, list_files, name_key
from songatlas.corpus.lyrics_files import NOTHING, SUFFIXES, read_lyrics
from songatlas.corpus.result import Problems, ReaderResult, sources_frame

STAGE = "list_sources"
LAYOUT = "<language>/<genre>/<song>"


def read(path: Path) -> ReaderResult:
    """Read a folder; files that are no song and no song's lyrics become warnings."""
    problems = Problems(STAGE)
    songs: dict[str, PurePosixPath] = {}
    lyrics: dict[str, dict[str, PurePosixPath]] = {}
    unused: list[tuple[PurePosixPath, str]] = []
    for entry in list_files(path):
        relative = PurePosixPath(entry.relative)
        suffix = relative.suffix.lower()
        stem = entry.relative[: len(entry.relative) - len(relative.suffix)]
        if not _usable(entry, relative, suffix, problems, path):
            continue
        if len(relative.parts) != 3 or suffix not in (*AUDIO_SUFFIXES, *SUFFIXES):
            unused.append((relative, f"not an audio or lyrics file at {LAYOUT}"))
        elif suffix in SUFFIXES:
            lyrics.setdefault(name_key(stem), {}).setdefault(suffix, relative)
        elif stem in songs:
            problems.reject(
                path / relative,
                "duplicate_id",
                f"{songs[stem].name} has the same name without suffix and is used instead",
            )
        else:
            songs[stem] = relative
    rows = []
    for source_id, audio in songs.items():
        language, genre, _ = audio.parts
        candidates = lyrics.pop(name_key(source_id), {})
        chosen = next((candidates.pop(s) for s in SUFFIXES if s in candidates), None)
        unused += [(other, f"{chosen} is used instead") for other in candidates.values()]
        found = NOTHING
        if chosen is not None:
            found = read_lyrics(path / chosen, normalise_language(language), problems)
        rows.append(
            {
                "source_id": source_id,
                "audio_path": str(path / audio),
                "lyrics_path": str(path / chosen) if chosen else None,
                "lyrics": found.lyrics,
                "lyrics_source": found.lyrics_source,
                "lines": found.lines,
                "title": found.tags.get("ti") or audio.stem,
                "artist": found.tags.get("ar"),
                "language": language,
                "genre": genre,
            }
        )
    for rest in lyrics.values():
        unused += [(other, "no audio file of this name beside it") for other in rest.values()]
    for relative, why in sorted(unused):
        problems.warn(path / relative, "unused_file", why)
    return ReaderResult(sources_frame(rows), problems.rejects(), problems.warnings())


def _usable(
    entry: FileEntry, relative: PurePosixPath, suffix: str, problems: Problems, path: Path
) -> bool:
    """Names that are not Unicode cannot stand in a table: songs are rejected, others warned of."""
    if entry.valid:
        return True
    detail = "the file's name is not valid UTF-8; rename it"
    if suffix in AUDIO_SUFFIXES and len(relative.parts) == 3:
        problems.reject(path / relative, "unreadable", detail)
    else:
        problems.warn(path / relative, "unused_file", detail)
    return False
