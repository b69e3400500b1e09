"""One recording in several encodings: found by sound, and in one split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.corpus import near_copies as module
from songatlas.corpus.near_copies import (
    COURSE,
    DISTANCE,
    DURATION_S,
    SHORT_DISTANCE,
    SHORT_S,
    WIDTH,
    correlation,
    near_copies,
    near_pairs,
    songs_seen,
)
from songatlas.corpus.shared_splits import recordings, shared_splits, write_split_views

SPLIT = {"a": "train", "b": "test", "c": "validation", "d": "train"}


def seen(**first: int) -> pd.DataFrame:
    return pd.DataFrame({"track_id": list(first), "first_seen": list(first.values())})


def tracks(ids: Sequence[str], duration_s: float = 200.0) -> pd.DataFrame:
    frame = pd.DataFrame({"track_id": list(ids), "source_id": list(ids), "status": "ok"})
    frame["split"] = [SPLIT[one] for one in ids]
    lyrics = frame.assign(lyrics=None, lyrics_source="none", audio_path=None)
    return lyrics.assign(duration_s=duration_s, sample_rate_hz=44100, channels=2)


def windows(ids: Sequence[str], each: int = 5) -> pd.DataFrame:
    rows = [(f"{one}-{w}", one, w, 20.0 * w, 20.0 * w + 30.0) for one in ids for w in range(each)]
    frame = pd.DataFrame(rows, columns=["window_id", "track_id", "index", "start_s", "end_s"])
    return frame.assign(split=frame["track_id"].map(SPLIT), padded=False, lyrics=None)


def heard(folder: Path, courses: dict[str, np.ndarray]) -> tuple[list[Path], list[Path]]:
    """Parts of `musicnn`, of songs and of windows, from the windows' vectors (w, WIDTH)."""
    songs, parts = folder / "songs.parquet", folder / "part.parquet"
    tags = np.zeros(100, np.float32)
    whole = np.stack([np.append(course.mean(axis=0), tags) for course in courses.values()])
    each = [np.append(row, tags) for course in courses.values() for row in course]
    ids = [f"{one}-{w}" for one, course in courses.items() for w in range(len(course))]
    whole, each = whole.astype(np.float32), np.stack(each).astype(np.float32)
    tables.write_feature(songs, "musicnn", list(courses), whole, key="track_id", units="")
    tables.write_feature(parts, "musicnn", ids, each, units="")
    return [songs], [parts]


def course(seed: int, level: float = 1.0, each: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (level + 0.1 * rng.standard_normal((each, WIDTH))).astype(np.float32)


def test_an_encoding_is_found_and_a_song_that_sounds_alike_is_not(tmp_path: Path) -> None:
    sound = course(0)
    again = sound + 0.01 * np.random.default_rng(1).standard_normal(sound.shape)
    parts = heard(tmp_path, {"a": sound, "b": again, "c": course(2), "d": course(3, level=3.0)})
    z = np.stack([sound.mean(axis=0), course(2).mean(axis=0)])
    assert np.linalg.norm(z[0] - z[1]) < DISTANCE  # its course alone tells c from a
    found = near_copies(tracks("abcd"), windows("abcd"), *parts, seen(a=0, b=0, c=0, d=0))
    assert found["track_id"].tolist() == ["a", "b"]
    assert found["group"].tolist() == [0, 0]
    assert found["distance"].between(0.0, DISTANCE, inclusive="neither").all()


@pytest.mark.parametrize(
    ("first_seen", "first"), [({"a": 0, "b": 0}, "a"), ({"a": 1, "b": 0}, "b")]
)
def test_a_group_takes_the_split_of_the_song_that_was_there_first(
    tmp_path: Path, first_seen: dict[str, int], first: str
) -> None:
    parts = heard(tmp_path, {"a": course(0), "b": course(0)})
    found = near_copies(tracks("ab"), windows("ab"), *parts, seen(**first_seen))
    assert found["track_id"].iloc[0] == first
    assert found["first"].tolist() == [True, False]
    assert set(found["split"]) == {SPLIT[first]}


def test_copies_of_copies_are_one_group(tmp_path: Path) -> None:
    step = np.float32(0.6 * DISTANCE / np.sqrt(WIDTH))
    sounds = {name: course(0) + n * step for n, name in enumerate("abc")}
    parts = heard(tmp_path, sounds)
    found = near_copies(tracks("abc"), windows("abc"), *parts, seen(a=0, b=0, c=0))
    assert found["track_id"].tolist() == ["a", "b", "c"]
    assert found["distance"].to_numpy() == pytest.approx(0.6 * DISTANCE, rel=1e-4)


def test_songs_of_one_window_are_told_by_distance_alone(tmp_path: Path) -> None:
    parts = heard(tmp_path, {"a": course(0, each=1), "b": course(0, each=1) + 0.001})
    found = near_copies(tracks("ab"), windows("ab", each=1), *parts, seen(a=0, b=0))
    assert found["track_id"].tolist() == ["a", "b"]


def test_vectors_that_are_not_finite_are_no_copies(tmp_path: Path) -> None:
    broken = np.full((5, WIDTH), np.nan, np.float32)
    parts = heard(tmp_path, {"a": broken, "b": broken})
    assert near_copies(tracks("ab"), windows("ab"), *parts, seen(a=0, b=0)).empty


def test_pairs_are_those_of_a_comparison_of_all_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 7)
    monkeypatch.setattr(module, "CHUNK_ROWS", 5)
    rng = np.random.default_rng(0)
    z = rng.standard_normal((60, 5)).astype(np.float32) * 1.5
    durations_s = rng.uniform(0.0, 10.0, 60).round(1)
    found = near_pairs(z, durations_s)
    pairs = {frozenset(pair) for pair in zip(found.left, found.right, strict=True)}
    expected = {
        frozenset((i, j))
        for i in range(60)
        for j in range(i)
        if abs(durations_s[i] - durations_s[j]) <= DURATION_S
        and np.linalg.norm(z[i] - z[j])
        <= (SHORT_DISTANCE if max(durations_s[[i, j]]) < SHORT_S else DISTANCE)
    }
    assert len(found.left) == len(pairs)
    assert pairs == expected
    assert 20 < len(pairs) < 300


def test_the_course_is_what_windows_have_beyond_their_mean() -> None:
    one = course(0)
    assert correlation(one, one + 5.0) == pytest.approx(1.0)
    assert correlation(one, course(1)) < COURSE
    assert correlation(one, np.vstack([one, one])) == pytest.approx(1.0)
    assert np.isnan(correlation(one[:2], one[:2]))
    assert np.isnan(correlation(np.ones((5, 3)), np.ones((5, 3))))


def test_songs_are_remembered_by_when_they_came() -> None:
    began = songs_seen(tracks("bc"), None)
    grown = songs_seen(tracks("ac"), began)
    again = songs_seen(tracks("abcd"), grown)
    assert dict(zip(again["track_id"], again["first_seen"], strict=True)) == {
        "a": 1,
        "b": 0,
        "c": 0,
        "d": 2,
    }
    assert songs_seen(tracks("abcd"), again).equals(again)


def test_splits_are_shared_in_views_and_nowhere_else(tmp_path: Path) -> None:
    groups, songs, cut = (tmp_path / f"{name}.parquet" for name in ("groups", "songs", "cut"))
    parts = heard(tmp_path, {"a": course(0), "b": course(0), "c": course(1, level=3.0)})
    found = near_copies(tracks("abc"), windows("abc"), *parts, seen(a=0, b=0, c=0))
    tables.write(found, groups, tables.NEAR_COPIES)
    tables.write(tracks("abc"), tmp_path / "tracks.parquet", tables.TRACKS)
    tables.write(windows("abc"), tmp_path / "windows.parquet", tables.WINDOWS)
    write_split_views(
        groups,
        tracks=tmp_path / "tracks.parquet",
        windows=tmp_path / "windows.parquet",
        songs_output=songs,
        windows_output=cut,
    )
    for path, table in ((songs, tables.TRACKS), (cut, tables.WINDOWS)):
        frame = tables.read(path, table)
        of_song = frame.groupby("track_id")["split"].agg(lambda splits: set(splits))
        assert of_song.to_dict() == {"a": {"train"}, "b": {"train"}, "c": {"validation"}}
    assert recordings(groups) == {"a": "a", "b": "a"}
    assert shared_splits(tracks("abc"), None)["split"].tolist() == ["train", "test", "validation"]
