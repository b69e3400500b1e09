"""The corpus: what readers found and probing saw, merged into the tables of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from songatlas import tables
from songatlas.config.corpus import DetectLanguage, Split, Windows
from songatlas.corpus.language_check import check_languages, fill_languages, with_sources
from songatlas.corpus.result import Problems, concat, problem_rows, where
from songatlas.corpus.shards import shard_of
from songatlas.corpus.splits import split_exact, split_folds, split_hashed
from songatlas.corpus.timed_lyrics import from_json, lines_from, notes_from
from songatlas.corpus.windows import cut_windows, window_lyrics
from songatlas.errors import SongatlasError

STAGE = "corpus"


@dataclass(frozen=True)
class Corpus:
    """The corpus tables, each sorted, so that equal content gives equal files."""

    tracks: pd.DataFrame
    labels: pd.DataFrame
    windows: pd.DataFrame
    lines: pd.DataFrame
    notes: pd.DataFrame
    rejects: pd.DataFrame
    warnings: pd.DataFrame


def build_corpus(
    sources: pd.DataFrame,
    probed: pd.DataFrame,
    rejects: pd.DataFrame,
    warnings: pd.DataFrame,
    windows: Windows,
    split: Split,
    corpus_path: str | None = None,
    detect_language: DetectLanguage = "fill",
) -> Corpus:
    """Merge sources (`tables.SOURCES`) with what probing saw of them (`probe.PROBED`).

    Every source ends as a track or as a reject. Of songs with the same sound the one that most is
    known of is the track, then the first by path. Detected languages are labels, and play no part
    in the splits.

    Raises:
        SongatlasError: when `probed` does not cover the sources, or no track is left (the message
            names `corpus_path` and counts the reasons).
    """
    songs = _merge(sources, probed)
    songs, rejected = _usable(songs, windows.length_s)
    rejects = concat([rejects, *rejected], tables.REJECTS)
    if songs.empty:
        counts = rejects["reason"].value_counts().sort_index()
        listed = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        raise SongatlasError(
            f"{corpus_path or 'the corpus'}: no usable song ({len(sources)} found; rejected: "
            f"{listed or 'none'}); check corpus_path and the reader that `corpus` names"
        )
    problems = Problems(STAGE)
    songs = songs.sort_values("track_id", ignore_index=True)
    told = [_twins(songs), _probed(songs)]
    lines = _lines(songs, problems)
    notes = _notes(songs, problems)
    timed = lines.groupby("track_id")["text"].agg("\n".join)
    songs["lyrics"] = songs["lyrics"].fillna(songs["track_id"].map(timed))
    songs["status"] = "ok"
    songs["split"] = split_songs(songs, split)
    cut = cut_windows(songs, windows.length_s, windows.hop_s)
    texts = songs.dropna(subset="lyrics").set_index("track_id")["lyrics"]
    cut["lyrics"] = window_lyrics(cut, lines, dict(zip(texts.index, texts, strict=True)))
    songs, contradicted = _with_languages(songs, detect_language)
    missing = _missing(songs, cut, warnings, windows.length_s)
    warnings = concat(
        [warnings, *told, *missing, contradicted, problems.warnings()], tables.WARNINGS
    )
    factors = sorted(str(column) for column in songs if str(column).startswith("factor_"))
    return Corpus(
        tracks=songs[list(tables.TRACKS.columns)],
        labels=songs.reindex(columns=[*tables.LABELS.columns, *factors]),
        windows=cut,
        lines=lines,
        notes=notes,
        rejects=rejects.sort_values(list(rejects.columns), ignore_index=True),
        warnings=warnings.sort_values(list(warnings.columns), ignore_index=True),
    )


def _with_languages(
    songs: pd.DataFrame, detect_language: DetectLanguage
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Songs with the sources of their languages, and warnings where lyrics contradict labels."""
    songs = with_sources(songs)
    if detect_language == "off":
        return songs, tables.empty(tables.WARNINGS)
    contradicted = check_languages(songs, STAGE)
    return fill_languages(songs) if detect_language == "fill" else songs, contradicted


def split_songs(songs: pd.DataFrame, split: Split) -> pd.Series:
    """The split of each song, by the method that the configuration names."""
    if split.method == "hashed":
        return split_hashed(songs, split.validation, split.test, split.seed)
    with_audio = songs.assign(has_audio=songs["audio_path"].notna())
    if split.method == "folds":
        return split_folds(with_audio, split.folds, split.seed)
    return split_exact(with_audio, split.validation, split.test, split.seed)


def shard_frames(corpus: Corpus, shards: int) -> list[pd.DataFrame]:
    """The windows of songs with audio (`tables.SHARD`) by shard of their track; some are empty."""
    songs = corpus.tracks[["track_id", "audio_path"]].dropna()
    rows = corpus.windows.merge(songs, on="track_id")
    rows = rows.sort_values("window_id", ignore_index=True)[list(tables.SHARD.columns)]
    place = rows["track_id"].map({t: shard_of(t, shards) for t in rows["track_id"].unique()})
    # One pass: a mask per shard would read every row once for each of thousands of shards.
    found = {int(shard): part.reset_index(drop=True) for shard, part in rows.groupby(place)}
    return [found.get(shard, rows.iloc[:0]) for shard in range(shards)]


def write_corpus(
    corpus: Corpus, outputs: Mapping[str, str | Path], shards: Sequence[str | Path]
) -> None:
    """Write every table to the path that `outputs` names for it, and the shards in order."""
    schemas = {
        "tracks": tables.TRACKS,
        "labels": tables.LABELS,
        "windows": tables.WINDOWS,
        "lines": tables.LINES,
        "notes": tables.NOTES,
        "rejects": tables.REJECTS,
        "warnings": tables.WARNINGS,
    }
    for name, schema in schemas.items():
        tables.write(getattr(corpus, name), outputs[name], schema)
    for path, frame in zip(shards, shard_frames(corpus, len(shards)), strict=True):
        tables.write(frame, path, tables.SHARD)


def _merge(sources: pd.DataFrame, probed: pd.DataFrame) -> pd.DataFrame:
    """Sources with their probed columns, by `source_id`."""
    unseen = sorted(set(sources["source_id"]) - set(probed["source_id"]))
    if unseen:
        raise SongatlasError(
            f"{len(unseen)} songs were not probed, `{unseen[0]}` among them; the probed tables are "
            "older than the list of sources: delete corpus/probed and run again"
        )
    return sources.merge(probed, on="source_id", how="left", validate="one_to_one")


def _usable(songs: pd.DataFrame, length_s: float) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Songs that become tracks, with their `twins`; rejects for the others."""
    bad = songs[songs["reject"].notna()]
    rejected = [
        pd.DataFrame(
            {"path": where(bad), "stage": "probe", "reason": bad["reject"], "detail": bad["detail"]}
        )
    ]
    good = songs[songs["reject"].isna()]
    # Nobody knows how long these should be.
    cut = (good["warning"] == "damaged") & good["stated_s"].isna() & (good["duration_s"] < length_s)
    shorter = f"shorter than a window of {length_s:g} s"
    details = [f"{detail}; {shorter}" for detail in good.loc[cut, "detail"]]
    rejected.append(problem_rows(tables.REJECTS, where(good[cut]), STAGE, "truncated", details))
    good = good[~cut]
    good = good.assign(known=_known(good), path=where(good))
    good = good.sort_values(["known", "path", "source_id"], ascending=[False, True, True])
    repeated = good["track_id"].duplicated()
    others = good[repeated]
    first = others["track_id"].map(good[~repeated].set_index("track_id")["path"])
    # Of two rows of a table that name one file, the second is known by its id.
    named = (others["path"] == first) | others["path"].duplicated()
    paths = others["path"].mask(named, others["source_id"])
    details = [f"the same song as {path}" for path in first]
    rejected.append(problem_rows(tables.REJECTS, paths, STAGE, "duplicate", details))
    twins = paths.astype("str").sort_values().groupby(others["track_id"]).agg(", ".join)
    good["twins"] = good["track_id"].map(twins)
    # Audio that probing did not find is a missing modality, not a path to follow.
    good.loc[good["duration_s"].isna(), "audio_path"] = None
    return good[~repeated], rejected


def _known(songs: pd.DataFrame) -> pd.Series:
    """How many of a source's columns say something of each song: tags, lyrics, times."""
    told = [
        column
        for column in map(str, songs.columns)
        if column in tables.SOURCES.columns or column.startswith("factor_")
    ]
    return songs[told].notna().sum(axis=1)


def _twins(songs: pd.DataFrame) -> pd.DataFrame:
    """Warnings for songs that lie in the corpus more than once."""
    several = songs[songs["twins"].notna()]
    details = [
        f"the same song as {paths}; their tags and lyrics are not used"
        for paths in several["twins"]
    ]
    return problem_rows(tables.WARNINGS, several["path"], STAGE, "twins", details)


def _probed(songs: pd.DataFrame) -> pd.DataFrame:
    """Warnings for songs of which probing saw that something is missing or left out."""
    rows = []
    for reason in ("damaged", "second_file"):
        odd = songs[songs["warning"] == reason]
        details = list(odd["detail"])
        rows.append(problem_rows(tables.WARNINGS, odd["path"], "probe", reason, details))
    return concat(rows, tables.WARNINGS)


def _missing(
    songs: pd.DataFrame, windows: pd.DataFrame, warnings: pd.DataFrame, length_s: float
) -> list[pd.DataFrame]:
    """Warnings for what songs lack, and for songs shorter than a window."""
    paths = where(songs)

    def rows(mask: pd.Series, reason: str, detail: pd.Series | str) -> pd.DataFrame:
        details = detail if isinstance(detail, str) else list(detail[mask])
        return problem_rows(tables.WARNINGS, paths[mask], STAGE, reason, details)

    def told(reason: str) -> pd.Series:
        return paths.isin(warnings.loc[warnings["reason"] == reason, "path"])

    # Readers say themselves which language nobody recognised, and which named audio is absent.
    not_given = songs["language_source"].isna() | (songs["language_source"] == "detected")
    detected = "no language given; detected as " + songs["language"]
    without_audio = songs["audio_path"].isna() & ~told("missing_audio")
    padded = songs["track_id"].isin(windows.loc[windows["padded"], "track_id"])
    short = songs["duration_s"].map("{:.3f} s of ".format) + f"{length_s:g} s; filled with silence"
    return [
        rows(
            not_given & ~told("unknown_language"),
            "missing_language",
            detected.fillna("no language"),
        ),
        rows(songs["genre"].isna(), "missing_genre", "no genre"),
        rows(songs["lyrics"].isna(), "missing_lyrics", "no lyrics"),
        rows(
            without_audio,
            "missing_audio",
            songs["detail"].fillna("no audio; only its lyrics are used"),
        ),
        rows(padded, "padded", short),
    ]


def _lines(songs: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    rows = []
    timed = songs[songs["lines"].notna()]
    for path, track_id, duration, text in zip(
        where(timed), timed["track_id"], timed["duration_s"], timed["lines"], strict=True
    ):
        try:
            lines, wrong = lines_from(from_json(text))
        except ValueError as error:
            problems.warn(path, "bad_timestamp", f"lines: {error}")
            continue
        late = [line.start_s for line in lines if line.start_s >= duration]
        wrong += [f"one begins at {start:.1f} s, after the song's end" for start in late]
        _tell(wrong, path, "lines", problems)
        rows += [(track_id, line.start_s, line.end_s, line.text) for line in lines]
    return _frame(rows, tables.LINES)


def _notes(songs: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    rows = []
    noted = songs[songs["notes"].notna()]
    for path, track_id, text in zip(where(noted), noted["track_id"], noted["notes"], strict=True):
        try:
            notes, wrong = notes_from(from_json(text))
        except ValueError as error:
            problems.warn(path, "bad_timestamp", f"notes: {error}")
            continue
        _tell(wrong, path, "notes", problems)
        rows += [(track_id, note.start_s, note.end_s, note.midi, note.text) for note in notes]
    return _frame(rows, tables.NOTES)


def _tell(wrong: Sequence[str], path: str, what: str, problems: Problems) -> None:
    if wrong:
        problems.warn(path, "bad_timestamp", f"{len(wrong)} {what}: {wrong[0]}")


def _frame(rows: Sequence[tuple[object, ...]], table: tables.Table) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(table.columns)) if rows else tables.empty(table)
