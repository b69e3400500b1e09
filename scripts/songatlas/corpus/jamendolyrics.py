"""The JamendoLyrics MultiLang data set (Durand, Stoller, Ewert: ICASSP 2023)."""

import csv
from pathlib import Path

from songatlas.corpus.csv_files import read_csv
from songatlas.corpus.languages import normalise_language
from songatlas.corpus.licenses import normalise_license
from songatlas.corpus.listing import list_files
from songatlas.corpus.lyrics_files import read_lyrics
from songatlas.corpus.named_files import NamedFiles
from songatlas.corpus.result import Problems, ReaderResult, sources_frame
from songatlas.corpus.text_files import TextError, read_text
from songatlas.corpus.timed_lyrics import Line, lines_from, to_json
from songatlas.errors import SongatlasError

STAGE = "list_sources"
CSV = "JamendoLyrics.csv"
REQUIRED = ("URL", "Filepath", "Artist", "Title", "Genre", "LicenseType", "Language")


def read(path: Path) -> ReaderResult:
    """Read the folder: songs without audio keep their lyrics and labels (a missing modality).

    Raises:
        SongatlasError: when `path` is no folder, or its table is absent or lacks a column.
    """
    problems = Problems(STAGE)
    files = NamedFiles(path, list_files(path, problems), problems)
    if not (path / CSV).is_file():
        raise SongatlasError(
            f"{path}: holds no {CSV}; set corpus_path to the folder of the data set that holds it"
        )
    rows = []
    seen: dict[str, int] = {}
    songs = read_csv(path / CSV, REQUIRED, problems)
    for song in songs.to_dict("records"):
        number, name = song["row"], song["Filepath"].strip()
        row_name = f"{path / CSV}:{number}"
        if not name:
            problems.reject(row_name, "bad_row", "Filepath is empty")
            continue
        source_id = Path(name).stem
        if source_id in seen:
            first = seen[source_id]
            problems.reject(row_name, "duplicate_id", f"{source_id} stands in row {first} too")
            continue
        seen[source_id] = number
        language = normalise_language(song["Language"])
        text_path = files.find(f"lyrics/{source_id}.txt", row_name)
        lyrics, lyrics_source = None, "none"
        if text_path:
            found = read_lyrics(text_path, language, problems)
            lyrics, lyrics_source = found.lyrics, found.lyrics_source
        lines = _lines(files.find(f"annotations/lines/{source_id}.csv", row_name), problems)
        if lines:
            lyrics = lyrics or "\n".join(line.text for line in lines)
            lyrics_source = "timed"
        audio = files.find(f"mp3/{name}", row_name)
        rows.append(
            {
                "source_id": source_id,
                "audio_path": str(audio) if audio else None,
                "lyrics_path": str(text_path) if text_path else None,
                "lyrics": lyrics,
                "lyrics_source": lyrics_source,
                "title": song["Title"],
                "artist": song["Artist"],
                "language": song["Language"],
                "genre": song["Genre"],
                "license": normalise_license(song["LicenseType"]),
                "source_url": song["URL"],
                "lines": to_json(lines),
            }
        )
    files.tell_unused(("mp3/", "lyrics/"))
    return ReaderResult(sources_frame(rows), problems.rejects(), problems.warnings())


def _lines(path: Path | None, problems: Problems) -> list[Line]:
    """Lines of an annotation file (`start_time,end_time,lyrics_line`, in seconds)."""
    if path is None:
        return []
    try:
        rows = csv.DictReader(read_text(path).text.split("\n"))
        items = [[r.get("start_time"), r.get("end_time"), r.get("lyrics_line")] for r in rows]
    except (TextError, csv.Error) as error:
        problems.warn(path, "bad_lyrics", str(error))
        return []
    lines, wrong = lines_from(items)
    if wrong:
        problems.warn(path, "bad_timestamp", f"{len(wrong)} lines left out: {wrong[0]}")
    return lines
