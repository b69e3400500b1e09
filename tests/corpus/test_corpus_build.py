"""The corpus tables: every source is a track or a reject, and equal content gives equal files."""

from pathlib import Path

import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.corpus import Split, Windows
from songatlas.corpus.build import Corpus, build_corpus, shard_frames, write_corpus
from songatlas.corpus.probe import PROBED, probe_sources
from songatlas.corpus.readers import read
from songatlas.corpus.result import Problems, concat, problem_rows, sources_frame, where
from songatlas.corpus.shards import shard_of
from songatlas.errors import SongatlasError

NAMES = ("tracks", "labels", "windows", "lines", "notes", "rejects", "warnings")
NO_REJECTS, NO_WARNINGS = tables.empty(tables.REJECTS), tables.empty(tables.WARNINGS)


def seen(
    source_id: str, track_id: str | None, duration: float | None = 60.0, **more: object
) -> dict:
    audio = {"duration_s": duration, "sample_rate_hz": 22050, "channels": 1} if duration else {}
    return {"source_id": source_id, "track_id": track_id, **audio, **more}


def probed_frame(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(PROBED.columns))


def build(sources: pd.DataFrame, probed: pd.DataFrame, **options: object) -> Corpus:
    return build_corpus(
        sources,
        probed,
        options.get("rejects", NO_REJECTS),
        options.get("warnings", NO_WARNINGS),
        Windows(),
        Split(**options.get("split", {})),
        "music",
        options.get("detect_language", "fill"),
    )


def song(source_id: str, **columns: object) -> dict:
    row = {
        "source_id": source_id,
        "audio_path": f"{source_id}.mp3",
        "language": "en",
        "genre": "pop",
    }
    return row | {"lyrics": f"words of {source_id}", "lyrics_source": "file"} | columns


def reasons(frame: pd.DataFrame) -> dict[str, list[str]]:
    return {str(r): sorted(p) for r, p in frame.groupby("reason")["path"]}


def write(corpus: Corpus, folder: Path, shards: int = 3) -> dict[str, bytes]:
    outputs = {name: folder / f"{name}.parquet" for name in NAMES}
    write_corpus(corpus, outputs, [folder / f"{shard:02d}.parquet" for shard in range(shards)])
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_source_is_a_track_or_a_reject() -> None:
    rows = [song("a"), song("b"), song("c"), song("d", audio_path=None)]
    before = problem_rows(tables.REJECTS, ["m.csv:9"], "list_sources", "bad_row", "too few cells")
    corpus = build(
        sources_frame(rows),
        probed_frame(
            seen("a", "1" * 16),
            seen("b", None, None, reject="not_audio", detail="words"),
            seen("c", "1" * 16),
            seen("d", "2" * 16, None),
        ),
        rejects=before,
    )
    assert corpus.tracks["source_id"].tolist() == ["a", "d"]
    assert reasons(corpus.rejects) == {
        "bad_row": ["m.csv:9"],
        "not_audio": ["b.mp3"],
        "duplicate": ["c.mp3"],
    }
    assert len(corpus.tracks) + len(corpus.rejects) == len(rows) + len(before)


def test_the_first_of_equal_songs_is_kept_and_named() -> None:
    sources = sources_frame([song("z"), song("m"), song("a")])
    corpus = build(sources, probed_frame(*(seen(name, "f" * 16) for name in ("z", "m", "a"))))
    assert corpus.tracks["source_id"].tolist() == ["a"]
    assert corpus.rejects["path"].tolist() == ["m.mp3", "z.mp3"]
    assert all("a.mp3" in detail for detail in corpus.rejects["detail"])


def test_of_equal_songs_the_one_that_most_is_known_of_is_used_and_names_its_twins() -> None:
    bare = {"title": None, "genre": None, "lyrics": None, "lyrics_source": "none"}
    sources = sources_frame([song("a", **bare), song("b"), song("c"), song("d")])
    same = [seen(name, "f" * 16) for name in "abc"]
    corpus = build(sources, probed_frame(*same, seen("d", "1" * 16)))
    assert corpus.tracks["source_id"].tolist() == ["d", "b"]
    assert corpus.rejects["path"].tolist() == ["a.mp3", "c.mp3"]
    assert all("b.mp3" in detail for detail in corpus.rejects["detail"])
    twins = corpus.warnings[corpus.warnings["reason"] == "twins"]
    assert twins["path"].tolist() == ["b.mp3"]
    assert "a.mp3, c.mp3" in twins["detail"].item()


def test_damage_that_probing_saw_is_a_warning() -> None:
    detail = "ends at 60.0 s of the 70.0 s that its header states"
    damaged = {"warning": "damaged", "detail": detail}
    corpus = build(
        sources_frame([song("a"), song("b"), song("c")]),
        probed_frame(
            seen("a", "1" * 16, 60.0, stated_s=70.0, **damaged),
            seen("b", "2" * 16, 20.0, stated_s=None, **damaged),
            seen("c", "3" * 16, 20.0, stated_s=None),
        ),
    )
    told = corpus.warnings[corpus.warnings["reason"] == "damaged"]
    assert told[["path", "detail"]].values.tolist() == [["a.mp3", detail]]
    assert corpus.tracks["source_id"].tolist() == ["a", "c"]
    # Where no length can be believed, a window must be left.
    assert reasons(corpus.rejects) == {"truncated": ["b.mp3"]}


def test_missing_labels_and_modalities_are_warnings() -> None:
    rows = [
        song("a", genre=None, lyrics=None, lyrics_source="none"),
        song("b", audio_path=None, lyrics_path="b.txt"),
        song("c", language=None),
        song("d", language=None),
        song("e"),
    ]
    told = problem_rows(tables.WARNINGS, ["d.mp3"], "list_sources", "unknown_language", "Dothraki")
    gone = {"warning": "missing_audio", "detail": "e.mp3: no such file"}
    corpus = build(
        sources_frame(rows),
        probed_frame(
            seen("a", "a" * 16, 12.0),
            seen("b", "b" * 16, None),
            seen("c", "c" * 16),
            seen("d", "d" * 16),
            seen("e", "e" * 16, None, **gone),
        ),
        warnings=told,
    )
    assert reasons(corpus.warnings) == {
        "missing_genre": ["a.mp3"],
        "missing_lyrics": ["a.mp3"],
        "padded": ["a.mp3"],
        "missing_audio": ["b.txt", "e"],
        "missing_language": ["c.mp3"],
        "unknown_language": ["d.mp3"],
    }
    tracks = corpus.tracks.set_index("source_id")
    assert tracks["audio_path"].notna().to_dict() == {
        "a": True, "b": False, "c": True, "d": True, "e": False
    }  # fmt: skip
    assert set(corpus.windows["track_id"]) == {"a" * 16, "c" * 16, "d" * 16}


def test_lines_and_notes_are_tables_and_bad_ones_are_warnings() -> None:
    rows = [
        song("a", lines='[[5, 6, "two"], {"start_s": 1, "end_s": 2, "text": "one"}]', lyrics=None),
        song("b", lines='[[1, 2, "x"], [9, 3, "backwards"], [99, 100, "late"]]'),
        song("c", lines="broken", notes='[[1, 2, 60.0, "la"]]'),
    ]
    corpus = build(sources_frame(rows), probed_frame(*(seen(n, n * 16) for n in "abc")))
    assert corpus.lines["text"].tolist() == ["one", "two", "x", "late"]
    assert corpus.notes[["track_id", "midi", "text"]].values.tolist() == [["c" * 16, 60.0, "la"]]
    assert corpus.tracks.set_index("source_id")["lyrics"]["a"] == "one\ntwo"
    bad = corpus.warnings[corpus.warnings["reason"] == "bad_timestamp"]
    assert bad["path"].tolist() == ["b.mp3", "c.mp3"]
    assert "2 lines" in bad["detail"].iloc[0]


def test_labels_keep_factors_and_artists() -> None:
    sources = sources_frame([song("a", artist="A"), song("b", artist=None)])
    sources = sources.assign(factor_tempo=[120.0, None], factor_key=["C", None])
    corpus = build(sources, probed_frame(seen("a", "1" * 16), seen("b", "2" * 16)))
    assert corpus.labels.columns.tolist()[-2:] == ["factor_key", "factor_tempo"]
    assert corpus.labels["artist"].fillna("-").tolist() == ["A", "-"]


SPANISH = (
    "La luna sale sobre el río y nosotros caminamos hacia la casa\n"
    "donde mi madre espera con la puerta abierta y el pan caliente\n"
    "Nunca olvidaré aquella noche en que bailamos junto al mar\n"
    "porque todavía escucho la música cuando cierro los ojos"
)
LINES = "[" + ", ".join(f'[{i}, {i + 1}, "{x}"]' for i, x in enumerate(SPANISH.split("\n"))) + "]"


@pytest.mark.parametrize("detect_language", ["fill", "check", "off"])
def test_languages_are_detected_in_lyrics_as_the_configuration_says(detect_language: str) -> None:
    rows = [
        song("a", lyrics=SPANISH),  # labelled en
        song("b", lyrics=None, lines=LINES, language=None),
        song("c", language=None),  # too few words
        song("d", lyrics=SPANISH, language="es"),
    ]
    corpus = build(
        sources_frame(rows),
        probed_frame(*(seen(name, name * 16) for name in "abcd")),
        detect_language=detect_language,
    )
    labels = corpus.labels.astype("object").where(corpus.labels.notna(), None)
    filled = detect_language == "fill"
    assert labels["language"].tolist() == ["en", "es" if filled else None, None, "es"]
    sources = ["given", "detected" if filled else None, None, "given"]
    assert labels["language_source"].tolist() == sources
    assert (corpus.labels["language_confidence"] >= 0.9).tolist() == [False, filled, False, False]
    told = corpus.warnings.set_index("path")
    mismatch = told[told["reason"] == "language_mismatch"]["detail"].to_dict()
    says = {"a.mp3": "labelled en, but the lyrics read as es; the label is kept"}
    assert mismatch == ({} if detect_language == "off" else says)
    missing = told[told["reason"] == "missing_language"]["detail"].to_dict()
    about_b = "no language given; detected as es" if filled else "no language"
    assert missing == {"b.mp3": about_b, "c.mp3": "no language"}


def test_detected_languages_play_no_part_in_splits(tmp_path: Path) -> None:
    sources, probed = many(30)
    sources = sources.assign(language=None, lyrics=SPANISH)
    split = {"method": "exact"}
    with_them = build(sources, probed, split=split)
    without = build(sources, probed, split=split, detect_language="off")
    assert (with_them.labels["language_source"] == "detected").all()
    pd.testing.assert_frame_equal(with_them.tracks, without.tracks)


def test_hokkien_and_norwegian_come_through_tables(tmp_path: Path) -> None:
    rows = [song("a", language="nan"), song("b", language="no"), song("c", language=None)]
    corpus = build(sources_frame(rows), probed_frame(*(seen(n, n * 16) for n in "abc")))
    write(corpus, tmp_path)
    labels = tables.read(tmp_path / "labels.parquet", tables.LABELS)
    assert labels["language"].tolist()[:2] == ["nan", "no"]
    assert labels["language"].isna().tolist() == [False, False, True]


def test_a_corpus_without_usable_songs_says_why() -> None:
    bad = {"reject": "not_audio", "detail": "words"}
    with pytest.raises(SongatlasError, match=r"music: no usable song \(2 found.*2 not_audio"):
        build(
            sources_frame([song("a"), song("b")]),
            probed_frame(seen("a", None, None, **bad), seen("b", None, None, **bad)),
        )
    with pytest.raises(SongatlasError, match="0 found"):
        build(sources_frame([]), tables.empty(PROBED))


def test_sources_that_were_not_probed_are_an_error() -> None:
    with pytest.raises(SongatlasError, match="`b`"):
        build(sources_frame([song("a"), song("b")]), probed_frame(seen("a", "1" * 16)))


def many(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [f"{number:03d}" for number in range(count)]
    probed = probed_frame(*(seen(name, f"{int(name) * 7919 % 10007:016x}") for name in names))
    return sources_frame([song(name, genre=f"g{int(name) % 3}") for name in names]), probed


@pytest.mark.parametrize("method", ["hashed", "exact"])
def test_equal_content_gives_equal_bytes_whatever_the_order(tmp_path: Path, method: str) -> None:
    sources, probed = many(30)
    split = {"method": method}
    first = write(build(sources, probed, split=split), tmp_path / "1")
    shuffled = sources.sample(frac=1.0, random_state=0), probed.sample(frac=1.0, random_state=1)
    assert write(build(*shuffled, split=split), tmp_path / "2") == first


def test_a_new_song_touches_one_shard(tmp_path: Path) -> None:
    sources, probed = many(31)
    before = write(build(sources[:30], probed[:30]), tmp_path / "1")
    after = write(build(sources, probed), tmp_path / "2")
    shards = ("00.parquet", "01.parquet", "02.parquet")
    changed = [name for name in shards if before[name] != after[name]]
    assert changed == [f"{shard_of(probed['track_id'].iloc[30], 3):02d}.parquet"]


def test_an_edited_label_touches_labels_alone(tmp_path: Path) -> None:
    sources, probed = many(30)
    before = write(build(sources, probed), tmp_path / "1")
    after = write(build(sources.assign(genre="other"), probed), tmp_path / "2")
    assert {name for name in before if before[name] != after[name]} == {"labels.parquet"}


def test_shards_hold_every_window_of_usable_songs_once() -> None:
    corpus = build(*many(20))
    parts = shard_frames(corpus, 64)
    assert sorted(pd.concat(parts)["window_id"]) == corpus.windows["window_id"].tolist()
    assert any(part.empty for part in parts)


def test_audio_that_a_reader_reported_missing_is_reported_once() -> None:
    sources = sources_frame([song("a", audio_path=None), song("b", audio_path=None)])
    problems = Problems("list_sources")
    problems.warn(where(sources)[0], "missing_audio", "`a.mp3` is not there")
    corpus = build(
        sources,
        probed_frame(seen("a", "1" * 16, None), seen("b", "2" * 16, None)),
        warnings=problems.warnings(),
    )
    told = corpus.warnings[corpus.warnings["reason"] == "missing_audio"]
    assert sorted(told["stage"]) == ["corpus", "list_sources"]
    assert told["path"].is_unique


def test_empty_shards_and_tables_are_valid_files(tmp_path: Path) -> None:
    sources = sources_frame([song("a", audio_path=None)])
    write(build(sources, probed_frame(seen("a", "1" * 16, None))), tmp_path)
    for shard in range(3):
        assert tables.read(tmp_path / f"{shard:02d}.parquet", tables.SHARD).empty
    assert tables.read(tmp_path / "windows.parquet", tables.WINDOWS).empty
    assert len(tables.read(tmp_path / "tracks.parquet", tables.TRACKS)) == 1


def real_corpus(reader: str, path: Path, method: str = "hashed") -> Corpus:
    found = read(reader, path)
    probed = probe_sources(found.sources)
    return build_corpus(
        found.sources,
        concat([probed], PROBED),
        found.rejects,
        found.warnings,
        Windows(),
        Split(method=method),
    )


def test_the_ten_jamendolyrics_songs_give_73_windows(jamendolyrics: Path, tmp_path: Path) -> None:
    corpus = real_corpus("jamendolyrics", jamendolyrics)
    assert len(corpus.tracks) == 79
    assert len(corpus.windows) == 73
    assert corpus.windows["track_id"].nunique() == 10
    assert corpus.rejects.empty
    assert corpus.warnings["reason"].value_counts().to_dict() == {"missing_audio": 69}
    assert not corpus.windows["padded"].any()
    assert corpus.windows["lyrics"].notna().all()
    write(corpus, tmp_path)


def test_exact_splits_of_jamendolyrics_give_every_split_audio(jamendolyrics: Path) -> None:
    tracks = real_corpus("jamendolyrics", jamendolyrics, "exact").tracks
    assert tracks["split"].value_counts().to_dict() == {"train": 63, "validation": 8, "test": 8}
    with_audio = tracks[tracks["audio_path"].notna()]["split"].value_counts().to_dict()
    assert with_audio == {"train": 8, "validation": 1, "test": 1}


def test_the_nine_ultrastar_songs_give_65_windows(ultrastar: Path) -> None:
    """65 by what the files hold; trusting the header of one MP3 without a frame count gives 66.

    libsndfile estimates "Space Invaders" at 214.6 s; every decoder finds 206.2 s in it.
    """
    corpus = real_corpus("ultrastar", ultrastar)
    assert len(corpus.tracks) == 9
    assert len(corpus.windows) == 65
    warned = corpus.warnings["reason"].value_counts().to_dict()
    assert warned == {"missing_genre": 6, "unused_file": 1}
    assert len(corpus.notes) > 2000
    assert corpus.notes["midi"].between(36, 96).all()
    artists = corpus.labels.merge(corpus.tracks, on="track_id").groupby("artist")["split"].nunique()
    assert (artists == 1).all()
