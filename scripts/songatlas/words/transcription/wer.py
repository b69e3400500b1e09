"""Word error rate of transcripts, where songs have lyrics too."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout
from songatlas.features.lyrics.clean import clean
from songatlas.words.transcription.tables import SEGMENTS
from songatlas.words.words import tokens

COLUMNS = ("title", "language", "words", "heard", "errors", "wer")


def words(text: str) -> list[str]:
    """Lower-case words without punctuation: letters with their marks, digits, inner apostrophes."""
    return tokens(text, "LMN")


def errors(reference: list[str], heard: list[str]) -> int:
    """Substitutions, deletions and insertions of the shortest way from one to the other."""
    from torchaudio.functional import edit_distance

    return int(edit_distance(reference, heard))


def error_rates(
    references: Mapping[str, tuple[str, str | None, str]], heard: Mapping[str, str]
) -> pd.DataFrame:
    """A row with `COLUMNS` per song.

    Args:
        references: title, language and lyrics by source.
        heard: transcripts by source; a song without one was heard as silence.
    """
    rows = []
    for source, (title, language, lyrics) in sorted(references.items()):
        reference, written = words(clean(lyrics)), words(heard.get(source, ""))
        if not reference:
            continue
        wrong = errors(reference, written)
        rate = wrong / len(reference)
        rows.append((title, language, len(reference), len(written), wrong, rate))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def overall(frame: pd.DataFrame) -> pd.DataFrame:
    """All songs, and those of each language: errors over words, not a mean of songs' rates."""
    parts = [("all", frame), *frame.groupby("language")]
    rows = [
        (name, len(part), int(part["words"].sum()), part["errors"].sum() / part["words"].sum())
        for name, part in parts
        if len(part)
    ]
    return pd.DataFrame(rows, columns=["language", "songs", "words", "wer"])


def write_wer(
    sources_path: str | Path,
    segments: list[str],
    *,
    songs: str,
    csv: str | Path,
    md: str | Path,
) -> str:
    """Write the rates of all songs that have lyrics of their own; a line with the overall one.

    Raises:
        SongatlasError: when songs with lyrics were not transcribed, or no song has any.
    """
    if songs != "all":
        raise SongatlasError(
            "wer: only songs without lyrics are transcribed; set transcription.songs to `all`"
        )
    sources = tables.read(sources_path, tables.SOURCES)
    believed = pd.concat([tables.read(path, SEGMENTS) for path in segments])
    believed = believed[believed["reason"].isna()].sort_values(["source_id", "start_s"])
    heard: dict[str, str] = {}
    for one in believed.to_dict("records"):
        source = str(one["source_id"])
        heard[source] = f"{heard.get(source, '')} {one['text']}"
    known = sources[sources["lyrics"].notna() & sources["audio_path"].notna()]
    references = {
        str(one["source_id"]): (
            str(one["source_id"] if pd.isna(one["title"]) else one["title"]),
            None if pd.isna(one["language"]) else str(one["language"]),
            str(one["lyrics"]),
        )
        for one in known.to_dict("records")
    }
    frame = error_rates(references, heard)
    if frame.empty:
        raise SongatlasError("wer: no song has both audio and lyrics to compare with")
    whole = overall(frame)
    layout.write_csv(frame, csv)
    notes = [
        "errors: substitutions, deletions and insertions of words; wer: errors over words of the "
        "lyrics, above 1 where more was invented than there is. Lower case, no punctuation."
    ]
    text = layout.markdown(whole, "Word error rate", notes=notes)
    text += "\n" + layout.markdown(frame, "By song")
    layout.write_text(text, md)
    return f"word error rate {whole['wer'].iloc[0]:.3f} of {len(frame)} songs: {md}"
