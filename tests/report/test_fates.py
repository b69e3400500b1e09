"""Every input is a track, a duplicate, a reject or an unused file, exactly once."""

import os
import shutil
import tempfile
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile import write_audio, write_lyrics
from songatlas import tables
from songatlas.config.corpus import Split, Windows
from songatlas.config.features import LogMel
from songatlas.corpus.build import build_corpus, shard_frames
from songatlas.corpus.listing import list_files
from songatlas.corpus.probe import probe_sources
from songatlas.corpus.readers import read
from songatlas.corpus.result import Problems, concat, sources_frame
from songatlas.errors import SongatlasError
from songatlas.features.audio.logmel import write_logmel
from songatlas.report.ending import ending
from songatlas.report.fates import COLUMNS, FATES, fates, read_fates
from songatlas.report.stage_times import duration, seconds_of_stages, stage_times

RATE = 8000
TINY = LogMel(sample_rate_hz=4000, n_mels=16, n_fft=256, hop_length=256)


def noise(seed: int, seconds: float = 1.2) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE))


def audio(content: tuple[str, int], path: Path) -> None:
    """One file of a kind; equal seeds of `good` give equal bytes."""
    kind, seed = content
    samples, subtype = noise(seed), "PCM_16"
    if kind == "silent":
        samples = np.zeros(RATE)
    elif kind == "nan":
        samples[RATE // 2], subtype = np.nan, "FLOAT"
    elif kind == "clipped":
        samples = np.clip(noise(seed) * 100, -1, 1)
    elif kind == "short":
        samples = noise(seed, 0.2)
    elif kind == "no samples":
        samples = np.zeros(0)
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text(f"words, not music {seed}\n" * 9)
    elif kind == "dangling":
        path.symlink_to(path.parent / "nowhere" / "gone.wav")
    else:
        soundfile.write(path, samples, RATE, subtype, format="WAV")
        if kind == "cut":
            path.write_bytes(path.read_bytes()[:40])


KINDS = ["good", "good", "good", "silent", "nan", "clipped", "short", "no samples"]
KINDS += ["empty", "text", "dangling", "cut"]
LYRICS = {
    "words": b"la la la\nand so on",
    "nothing": b"",
    "binary": bytes(range(256)) * 9,
    "latin": "déjà vu à Köln".encode("latin-1"),
    "other language": ("Wir gehen heute Abend noch einmal durch die dunklen Straßen\n"
                       "und singen leise von der Sonne, die morgen wieder scheinen wird\n"
                       "Niemand hört uns zu, aber der Mond steht über den Dächern\n").encode(),
}  # fmt: skip
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=12,
).filter(lambda name: not name.startswith("."))
STEMS = st.one_of(st.sampled_from(["a", "b", "A", "é", "e\u0301", "x\ny", "q'\"$(x)"]), NAMES)
FOLDERS = st.sampled_from(
    ["en/pop", "en/rock", "spanish/pop", "dothraki/pop", "en", "", "en/pop/deep"]
)
FILES = st.one_of(
    st.tuples(
        FOLDERS,
        STEMS,
        st.sampled_from([".wav", ".mp3", ".FLAC"]),
        st.tuples(st.sampled_from(KINDS), st.integers(0, 2)),
    ),
    st.tuples(
        FOLDERS, STEMS, st.sampled_from([".txt", ".lrc", ".json"]), st.sampled_from(list(LYRICS))
    ),
    st.tuples(FOLDERS, STEMS, st.sampled_from([".pdf", "", ".jpg"]), st.just("words")),
)
SONGS = st.builds(
    lambda place, stem, kind, seed, words: [
        (place, stem, ".wav", (kind, seed)), (place, stem, ".txt", words)
    ],
    st.sampled_from(["en/pop", "spanish/pop"]), STEMS, st.sampled_from(KINDS), st.integers(0, 2),
    st.sampled_from(list(LYRICS)),
)  # fmt: skip
"""Songs with lyrics beside them, whatever becomes of either."""


def write_files(folder: Path, files: list) -> None:
    for place, stem, suffix, content in files:
        path = folder / place / f"{stem}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            continue
        if isinstance(content, tuple):
            audio(content, path)
        else:
            path.write_bytes(LYRICS[content])


def fates_of(folder: Path | str, scratch: Path, reader: str = "folder") -> pd.DataFrame:
    """What becomes of a corpus's inputs, through the functions that the rules call."""
    found = read(reader, folder)
    probed = probe_sources(found.sources)
    windows = Windows(length_s=0.5, hop_s=0.5)
    corpus = build_corpus(found.sources, probed, found.rejects, found.warnings, windows, Split())
    rejects, warned = [corpus.rejects], [corpus.warnings]
    for shard, frame in enumerate(shard_frames(corpus, 2)):
        paths = [scratch / f"{shard}-{name}.parquet" for name in ("shard", "part", "r", "w")]
        tables.write(frame, paths[0], tables.SHARD)
        write_logmel(paths[0], paths[1], 0.5, TINY, paths[2], paths[3])
        rejects.append(tables.read(paths[2], tables.REJECTS))
        warned.append(tables.read(paths[3], tables.WARNINGS))
    tables.write(corpus.tracks, scratch / "tracks.parquet", tables.TRACKS)
    return fates(
        found.sources,
        corpus.tracks,
        concat(rejects, tables.REJECTS),
        concat(warned, tables.WARNINGS),
    )


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(files=st.lists(FILES, max_size=8), songs=st.lists(SONGS, max_size=3))
def test_every_file_of_any_folder_has_exactly_one_fate(files: list, songs: list) -> None:
    files = [*files, *chain.from_iterable(songs)]
    base = Path(tempfile.mkdtemp())
    try:
        folder, scratch = base / "songs", base / "scratch"
        write_files(folder, [("en/pop", "one that is good", ".wav", ("good", 99)), *files])
        scratch.mkdir()
        frame = fates_of(folder, scratch)
        present = [path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]
        assert set(frame["path"]) == {str(path) for path in present}
        assert (frame.groupby("path")["fate"].nunique() == 1).all()
        assert set(frame["fate"]) <= set(FATES)
        assert (frame["reason"].isna() == (frame["fate"] == "used")).all()
        # Exactly once: the audio that is used is that of the tracks, and no two are the same.
        tracks = tables.read(scratch / "tracks.parquet", tables.TRACKS)
        assert tracks["track_id"].is_unique
        suffixes = (".wav", ".mp3", ".flac")
        heard = frame[frame["path"].str.lower().str.endswith(suffixes)]
        heard = heard[heard["fate"].isin(["used", "warned"])]
        # Of a link to nothing the song's lyrics alone are used, which its warning says.
        heard = heard[heard["reason"] != "missing_audio"]
        later = frame.loc[frame["stage"] == "logmel"]
        later = later.loc[later["fate"] == "rejected", "path"]
        assert set(heard["path"]) | set(later) == set(tracks["audio_path"].dropna())
    finally:
        shutil.rmtree(base)


# --- every reader ---------------------------------------------------------------------------------


def files_below(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


def hostile(folder: Path) -> set[str]:
    write_audio(folder)
    write_lyrics(folder)
    return files_below(folder)


def manifest(folder: Path) -> set[str]:
    """Rows of every kind; what each is known by in the table of fates."""
    for seed, name in enumerate("abcdef"):
        audio(("good", seed), folder / f"{name}.wav")
    audio(("text", 0), folder / "text.wav")
    (folder / "words.txt").write_bytes(LYRICS["words"])
    (folder / "latin.txt").write_bytes(LYRICS["latin"])
    (folder / "other.txt").write_bytes(LYRICS["other language"])
    rows = {
        "1,A,en,pop,a.wav,words.txt,true": ["a.wav", "words.txt"],
        '2,"B,en,pop,b.wav,,': ["b.wav"],
        "3,C,en,pop,c.wav,,WAHR": ["c.wav"],
        "4,gone,en,pop,gone.wav,,": ["gone.wav"],
        "5,gone but for words,en,pop,gone too.wav,latin.txt,": ["gone too.wav", "latin.txt"],
        "6,words alone,de,pop,,other.txt,": ["other.txt"],
        "7,D,en,Pop,d.wav,gone.txt,": ["d.wav", "gone.txt"],
        "8,text,xx,pop,text.wav,,": ["text.wav"],
        "9,a again,en,pop,a.wav,,": ["9"],
        "1,an id again,en,pop,e.wav,,": ["manifest.csv:11"],
        "10,too,few": ["manifest.csv:12"],
        "11,too,many,en,pop,e.wav,,,,": ["manifest.csv:13"],
        ",no id,en,pop,e.wav,,": ["manifest.csv:14"],
        "12,neither,en,pop,,,": ["manifest.csv:15"],
        '13,"open, and,few': ["manifest.csv:16"],
        '14,"two\nlines",en,pop,f.wav,,': ["f.wav"],
    }
    header = "song_id,title,language,genre,audio_path,lyrics_path,has_lyrics"
    (folder / "manifest.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    return {
        name if name == "9" else str(folder / name) for names in rows.values() for name in names
    }


def ultrastar(folder: Path) -> set[str]:
    def text(name: str, header: str, body: str = ": 0 4 0 où\nE\n", encoding: str = "utf-8"):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        content = f"#TITLE:{name}\n#BPM:300\n{header}\n{body}"
        file.write_bytes(content.encode(encoding))

    for seed, name in enumerate(("a", "b", "c", "unnamed", "duet")):
        (folder / name).mkdir()
        audio(("good", seed), folder / name / "sound.mp3")
    audio(("empty", 0), folder / "a" / "empty.mp3")
    text("a/a.txt", "#MP3:sound.mp3\n#COVER:cover.jpg")
    text("a/broken.txt", "#MP3:empty.mp3")
    text("b/b.txt", "#AUDIO:sound.mp3", encoding="cp1252")
    text("c/c.txt", "#MP3:gone.mp3")
    text("c/C.TXT", "#MP3:sound.mp3", "no notes")
    text("duet/one.txt", "#MP3:sound.mp3")
    text("duet/two.txt", "#MP3:sound.mp3", "P1\n: 0 4 0 où\nP2\n: 9 4 0 là\nE\n")
    (folder / "a" / "cover.jpg").write_bytes(b"a picture")
    (folder / "a" / "notes.txt").write_text("no song")
    (folder / "b" / "binary.txt").write_bytes(LYRICS["binary"])
    return files_below(folder)


def jamendolyrics(folder: Path) -> set[str]:
    (folder / "mp3").mkdir()
    (folder / "lyrics").mkdir()
    for seed, name in enumerate("ab"):
        audio(("good", seed), folder / "mp3" / f"{name}.mp3")
        (folder / "lyrics" / f"{name}.txt").write_bytes(LYRICS["words"])
    audio(("good", 3), folder / "mp3" / "of no row.mp3")
    (folder / "lyrics" / "of no row.txt").write_bytes(LYRICS["words"])
    (folder / "lyrics" / "silent.txt").write_bytes(LYRICS["words"])
    names = ("a.mp3", "b.mp3", "silent.mp3", "nothing.mp3", "", "a.mp3")
    rows = [f"http://x,{name},A,T,Pop,BY,English" for name in names]
    header = "URL,Filepath,Artist,Title,Genre,LicenseType,Language"
    table = folder / "JamendoLyrics.csv"
    table.write_text("\n".join([header, *rows, "too,few"]) + "\n", encoding="utf-8")
    files = files_below(folder) - {str(table)}
    return files | {"nothing", f"{table}:6", f"{table}:7", f"{table}:8"}


CORPORA = {
    "folder": hostile,
    "library": hostile,
    "manifest": manifest,
    "ultrastar": ultrastar,
    "jamendolyrics": jamendolyrics,
}
"""By reader: writes a corpus with what it may meet, and gives the names of all inputs."""


@pytest.mark.parametrize("reader", CORPORA)
def test_every_input_of_every_reader_has_one_fate(tmp_path: Path, reader: str) -> None:
    folder, scratch = tmp_path / "corpus", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    inputs = CORPORA[reader](folder)
    frame = fates_of(folder, scratch, reader)
    told = frame.groupby("path")["fate"].nunique()
    assert set(told.index) == inputs
    assert (told == 1).all()
    assert len(inputs) == frame.drop_duplicates("path")["fate"].value_counts().sum()


def test_every_input_of_several_corpora_has_one_fate(tmp_path: Path) -> None:
    inputs = set()
    for reader in ("manifest", "jamendolyrics", "ultrastar"):
        (tmp_path / reader).mkdir()
        inputs |= CORPORA[reader](tmp_path / reader)
    (tmp_path / "scratch").mkdir()
    path = ",".join(f"{name}={tmp_path / name}" for name in ("manifest", "jamendolyrics"))
    frame = fates_of(f"{path},ultrastar={tmp_path / 'ultrastar'}", tmp_path / "scratch", "several")
    names = {"nothing": "jamendolyrics/nothing", "9": "manifest/9"}
    told = frame.groupby("path")["fate"].nunique()
    assert (told == 1).all()
    assert len(told) == len(inputs)
    assert {names.get(name, name) for name in inputs} >= set(told.index) - inputs


@pytest.mark.parametrize("reader", ["ultrastar", "jamendolyrics"])
def test_every_file_of_real_corpora_has_one_fate(
    request: pytest.FixtureRequest, reader: str
) -> None:
    folder: Path = request.getfixturevalue(reader)
    found = read(reader, folder)
    named = [*found.sources["audio_path"].dropna(), *found.sources["lyrics_path"].dropna()]
    told = [*found.rejects["path"], *found.warnings["path"]]
    folders = ("",) if reader == "ultrastar" else ("mp3/", "lyrics/")
    files = {
        str(folder / entry.relative)
        for entry in list_files(folder)
        if entry.relative.startswith(folders) and not entry.relative.endswith("license.txt")
    }
    assert files <= {*named, *told}
    assert len(named) == len(set(named))


# --- single cases ---------------------------------------------------------------------------------


def frames(reject: list, warn: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    problems = Problems("corpus")
    for row in reject:
        problems.reject(*row)
    for row in warn:
        problems.warn(*row)
    return problems.rejects(), problems.warnings()


def tracks_of(*ids: str, silent: tuple[str, ...] = ()) -> pd.DataFrame:
    paths = [None if name in silent else f"{name}.mp3" for name in ids]
    return pd.DataFrame({"source_id": list(ids), "audio_path": paths})


def fate_of(frame: pd.DataFrame, path: str) -> list[tuple]:
    rows = frame[frame["path"] == path]
    return [(r.fate, None if pd.isna(r.reason) else r.reason) for r in rows.itertuples()]


def test_a_reject_outweighs_warnings_and_lyrics_follow_their_song() -> None:
    sources = sources_frame(
        [{"source_id": s, "audio_path": f"{s}.mp3", "lyrics_path": f"{s}.txt"} for s in "ab"]
    )
    rejects, warnings = frames(
        [("b.mp3", "not_audio", "words")],
        [("b.mp3", "missing_genre", "no genre"), ("a.txt", "bad_lyrics", "empty")],
    )
    frame = fates(sources, tracks_of("a"), rejects, warnings)
    assert list(frame) == list(COLUMNS)
    assert fate_of(frame, "a.mp3") == [("used", None)]
    assert fate_of(frame, "a.txt") == [("warned", "bad_lyrics")]
    assert fate_of(frame, "b.mp3") == [("rejected", "not_audio")]
    assert fate_of(frame, "b.txt") == [("rejected", "not_audio")]


def test_a_song_that_two_stages_reject_for_one_reason_has_one_row() -> None:
    sources = sources_frame([{"source_id": "a", "audio_path": "a.mp3"}])
    rejects, warnings = frames([("a.mp3", "silent", "x")], [])
    both = pd.concat([rejects.assign(stage="logmel"), rejects.assign(stage="descriptors")])
    assert fate_of(fates(sources, tracks_of("a"), both, warnings), "a.mp3") == [
        ("rejected", "silent")
    ]


def test_absent_audio_of_a_song_with_lyrics_is_told() -> None:
    sources = sources_frame([{"source_id": "a", "audio_path": "a.mp3", "lyrics_path": "a.txt"}])
    frame = fates(sources, tracks_of("a", silent=("a",)), *frames([], []))
    assert fate_of(frame, "a.mp3") == [("warned", "missing_audio")]
    assert fate_of(frame, "a.txt") == [("used", None)]


def test_songs_without_files_and_rows_of_tables_are_inputs_too() -> None:
    sources = sources_frame([{"source_id": "only words", "lyrics": "la"}])
    rejects, warnings = frames([("songs.csv:7", "bad_row", "2 cells")], [])
    frame = fates(sources, tracks_of("only words", silent=("only words",)), rejects, warnings)
    assert fate_of(frame, "only words") == [("used", None)]
    assert fate_of(frame, "songs.csv:7") == [("rejected", "bad_row")]


def test_a_source_that_no_table_knows_is_an_error() -> None:
    sources = sources_frame([{"source_id": "a", "audio_path": "a.mp3"}])
    with pytest.raises(SongatlasError, match=r"a\.mp3: neither a track nor set aside"):
        fates(sources, tracks_of(), *frames([], []))


def test_the_table_survives_csv_and_ends_the_run(tmp_path: Path) -> None:
    sources = sources_frame([{"source_id": "a", "audio_path": 'a\n,".mp3'}])
    rejects, warnings = frames([("b", "silent", "x"), ("c", "silent", "x")], [])
    frame = fates(sources, tracks_of("a"), rejects, warnings)
    (tmp_path / "tables").mkdir()
    frame.to_csv(tmp_path / "tables" / "fates.csv", index=False)
    back = read_fates(tmp_path / "tables" / "fates.csv")
    assert set(back["path"]) == {'a\n,".mp3', "b", "c"}
    (tmp_path / "tables" / "comparison.txt").write_text("the table")
    text = ending(tmp_path)
    assert "inputs   1 used\n" in text
    assert "inputs   2 set aside: silent 2\n" in text


def test_stages_are_timed_by_their_jobs(tmp_path: Path) -> None:
    for name, seconds, age_s in (
        ("train/a-seed-0", "100.5", 0),
        ("train/b-seed-0", "20.1", 0),
        ("corpus", "3.2", 0),
        ("corpus_old", "900", 500),
        ("cut_short", "", 0),
    ):
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n", encoding="utf-8")
        os.utime(path, (1000 - age_s, 1000 - age_s))
    seconds = seconds_of_stages(tmp_path, {"train": "training", "corpus": "corpus"}, since_s=900)
    assert seconds == pytest.approx({"training": 120.6, "corpus": 3.2, "cut_short": 0.0})
    assert (
        stage_times(seconds) == "2 min 04 s of jobs: training 2 min 01 s, corpus 3 s, cut_short 0 s"
    )
    assert stage_times({}) == ""
    assert duration(7265) == "2 h 01 min"
