"""Probing gives every source an identity or a reason, and never stops a run."""

import hashlib
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from songatlas import tables
from songatlas.corpus.probe import PROBED, lyrics_id, probe_sources, shard_rows
from songatlas.corpus.result import sources_frame
from songatlas.corpus.shards import shard_name, shard_of
from songatlas.corpus.sound import decode as decoding


def write_tone(path: Path, seconds: float = 1.0, rate: int = 22050, channels: int = 1) -> Path:
    samples = 0.1 * np.sin(np.arange(int(seconds * rate)) * 0.1)
    soundfile.write(path, np.repeat(samples[:, None], channels, 1), rate)
    return path


def probe_one(audio: Path | str | None, lyrics: str | None = None) -> pd.Series:
    audio_path = None if audio is None else str(audio)
    row = {"source_id": "s", "audio_path": audio_path, "lyrics": lyrics}
    return probe_sources(sources_frame([row])).iloc[0]


def test_the_track_id_is_the_same_wherever_the_file_lies(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.wav", 1.5, 44100, 2)
    row = probe_one(path)
    samples = path.read_bytes()[44:]
    wanted = hashlib.sha256(b"pcm_s16le 44100 2 " + samples).hexdigest()[:16]
    assert row["track_id"] == wanted
    assert (row["duration_s"], row["sample_rate_hz"], row["channels"]) == (1.5, 44100, 2)
    moved = path.rename(tmp_path / "renamed.wav")
    assert probe_one(moved)["track_id"] == row["track_id"]


def test_lyrics_only_songs_are_known_by_their_lyrics_in_any_composition() -> None:
    text = "L'été où je t'aime"
    row = probe_one(None, text)
    assert row["track_id"] == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert pd.isna(row["duration_s"])
    assert lyrics_id(unicodedata.normalize("NFD", text)) == row["track_id"]


def test_absent_audio_leaves_a_song_its_lyrics(tmp_path: Path) -> None:
    row = probe_one(tmp_path / "gone.mp3", "words")
    assert row["warning"] == "missing_audio"
    assert row["track_id"] == lyrics_id("words")
    assert pd.isna(row["reject"])


def test_problems_become_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "text.mp3").write_text("these are words, not music\n" * 20)
    (tmp_path / "folder.mp3").mkdir()
    assert probe_one(tmp_path / "gone.mp3")["reject"] == "missing_file"
    assert probe_one(tmp_path / "empty.mp3")["reject"] == "empty_file"
    assert probe_one(tmp_path / "text.mp3")["reject"] == "not_audio"
    assert probe_one(tmp_path / "folder.mp3")["reject"] == "unreadable"
    assert probe_one("nul\0byte.mp3")["reject"] == "unreadable"
    assert probe_one("x" * 5000 + ".mp3")["reject"] == "unreadable"
    assert probe_one(None)["reject"] == "no_audio_and_no_lyrics"
    for path in ("gone.mp3", "empty.mp3", "text.mp3"):
        row = probe_one(tmp_path / path)
        assert row["detail"]
        assert pd.isna(row["track_id"])


def test_broken_audio_is_rejected_even_where_there_are_lyrics(tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("these are words, not music\n" * 20)
    assert probe_one(tmp_path / "text.mp3", "words")["reject"] == "not_audio"


def test_a_file_that_changes_while_it_is_read_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tone(tmp_path / "a.wav")
    states = iter([(1, 1), (2, 2)])
    monkeypatch.setattr(decoding, "_state", lambda _: next(states))
    assert probe_one(path)["reject"] == "changed_while_reading"


def test_probed_rows_fit_their_table(tmp_path: Path) -> None:
    rows = [
        {"source_id": "ok", "audio_path": str(write_tone(tmp_path / "a.wav"))},
        {"source_id": "bad", "audio_path": str(tmp_path / "gone.wav")},
        {"source_id": "words", "lyrics": "la la"},
    ]
    tables.write(probe_sources(sources_frame(rows)), tmp_path / "p.parquet", PROBED)
    back = tables.read(tmp_path / "p.parquet", PROBED)
    assert back["source_id"].tolist() == ["ok", "bad", "words"]
    tables.write(probe_sources(sources_frame([])), tmp_path / "none.parquet", PROBED)
    assert tables.read(tmp_path / "none.parquet", PROBED).empty


def test_shards_cover_every_source_once() -> None:
    sources = sources_frame(
        [{"source_id": f"{n}", "audio_path": f"{n}.mp3" if n % 2 else None} for n in range(50)]
    )
    parts = [shard_rows(sources, shard, 4) for shard in range(4)]
    assert sorted(pd.concat(parts)["source_id"]) == sorted(sources["source_id"])
    assert shard_rows(sources_frame([]), 0, 4).empty


def test_shard_of_is_stable_and_spreads() -> None:
    assert [shard_of(text, 4) for text in ("", "a", "été", "\udce9")] == [0, 2, 2, 3]
    counts = pd.Series([shard_of(f"song {n}", 4) for n in range(4000)]).value_counts()
    assert set(counts.index) == {0, 1, 2, 3}
    assert counts.min() > 850
    assert [shard_name(i) for i in (0, 9, 100)] == ["00", "09", "100"]


def test_real_songs_are_probed(jamendolyrics: Path) -> None:
    songs = sorted((jamendolyrics / "mp3").iterdir())[:2]
    rows = [{"source_id": song.name, "audio_path": str(song)} for song in songs]
    probed = probe_sources(sources_frame(rows))
    assert probed["reject"].isna().all()
    assert (probed["duration_s"] > 100).all()
    assert (probed["sample_rate_hz"] == 44100).all()
