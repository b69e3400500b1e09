"""Beats, curves and keys of sounds for which they are known, and of sounds that have none."""

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import musical_sounds as sounds
from songatlas import tables
from songatlas.features.audio.beats import STEADY
from songatlas.features.audio.musical_time import (
    CURVES,
    MUSICAL_TIME,
    RATE_HZ,
    UNKNOWN,
    coded,
    musical_time,
    write_musical_time,
)
from songatlas.features.audio.sound_curves import FLOOR_DB, QUIETEST_LUFS


def farthest_s(beats_s: np.ndarray, times_s: np.ndarray) -> float:
    """How far a beat lies from the nearest of the times, at most."""
    return float(np.abs(beats_s[:, None] - times_s[None]).min(axis=1).max())


@pytest.mark.parametrize("bpm", [50, 90, 120, 160])
def test_regular_clicks_have_their_tempo_and_their_beats(bpm: float) -> None:
    times_s = sounds.regular(bpm, 40.0)
    heard = musical_time([sounds.clicks(times_s, 40.0)]).rhythm
    assert heard.song_tempo_bpm == pytest.approx(bpm, rel=0.01)
    assert heard.strength > 0.7
    assert len(heard.beats_s) == pytest.approx(len(times_s), abs=1)
    assert farthest_s(heard.beats_s, times_s) < 0.03


@pytest.mark.parametrize(("beats", "bpm"), [(5, 130), (7, 200)], ids=["5/4", "7/8"])
def test_odd_metres_have_beats_and_no_bars(beats: int, bpm: float) -> None:
    """The first of a bar is louder; every beat lies on a click, and nothing tells of bars."""
    times_s = sounds.regular(bpm, 60.0)
    gains = [0.6, *[0.3] * (beats - 1)]
    heard = musical_time([sounds.clicks(times_s, 60.0, gains)]).rhythm
    assert len(heard.beats_s) > 30
    assert farthest_s(heard.beats_s, times_s) < 0.03
    assert not [name for name in MUSICAL_TIME.columns if "bar" in name or "metre" in name]


@pytest.mark.parametrize("seed", range(3))
def test_rubato_and_noise_have_no_pulse(seed: int) -> None:
    for samples in (
        sounds.clicks(sounds.rubato(60.0, seed), 60.0),
        sounds.noise(60.0, seed),
        sounds.chords([[57]], 30.0),
    ):
        heard = musical_time([samples])
        assert heard.rhythm.strength < STEADY
        assert len(heard.rhythm.beats_s) == 0
        assert heard.rhythm.song_tempo_bpm is None
        assert np.isnan(heard.curves["tempo"]).all()


def test_beats_are_told_only_where_they_are_steady() -> None:
    times_s = sounds.regular(120, 40.0)
    samples = np.concatenate([sounds.clicks(times_s, 40.0), sounds.noise(40.0)])
    heard = musical_time([samples]).rhythm
    assert heard.song_tempo_bpm == pytest.approx(120, rel=0.01)
    assert 25.0 < heard.beats_s.max() < 46.0


def test_silence_and_what_is_too_short_have_no_beat_and_no_key() -> None:
    for samples in (np.zeros(60 * sounds.RATE, np.float32), np.zeros(0, np.float32)):
        heard = musical_time([samples])
        assert heard.key is None
        assert heard.rhythm.song_tempo_bpm is None
        assert heard.rhythm.strength == 0.0
        assert (heard.curves["loudness"] == QUIETEST_LUFS).all()
        assert np.isnan(heard.curves["brightness"]).all()
    assert len(musical_time([sounds.clicks(sounds.regular(120, 5.0), 5.0)]).rhythm.beats_s) == 0


def test_loudness_is_that_of_ebu_r_128() -> None:
    """EBU Tech 3341, test 1 with a tone of 997 Hz: -23 dBFS on two loudspeakers are -23 LUFS."""
    time_s = np.arange(10 * sounds.RATE) / sounds.RATE
    tone = (10 ** (-23 / 20) * np.sin(2 * np.pi * 997 * time_s)).astype(np.float32)
    heard = musical_time([tone]).curves
    inside = slice(RATE_HZ, -RATE_HZ)
    assert heard["loudness"][inside] == pytest.approx(-23.0, abs=0.1)
    assert heard["brightness"][inside] == pytest.approx(997, rel=0.02)
    assert heard["bass"][inside].max() < FLOOR_DB + 3
    low = musical_time([np.sin(2 * np.pi * 60 * time_s).astype(np.float32)]).curves
    assert low["bass"][inside].min() > -3.0


def test_loudness_stands_where_it_is_heard() -> None:
    """Momentary loudness looks back over 0.4 s; here its rise lies in the middle of that."""
    samples = 0.01 * sounds.noise(10.0)
    samples[5 * sounds.RATE :] *= 100
    loudness = musical_time([samples]).curves["loudness"]
    middle = (loudness[2 * RATE_HZ] + loudness[8 * RATE_HZ]) / 2
    # Half of the window at full power is 3 dB below it: the middle in dB comes earlier.
    assert np.argmax(loudness > middle) / RATE_HZ == pytest.approx(4.85, abs=0.1)


def test_blocks_of_any_size_give_the_same() -> None:
    samples = sounds.clicks(sounds.regular(100, 25.0), 25.0)
    whole = musical_time([samples])
    parts = musical_time(np.split(samples, [7, 5000, 300_000, 300_001]))
    assert parts.rhythm.beats_s.tolist() == whole.rhythm.beats_s.tolist()
    for name in CURVES:
        assert parts.curves[name] == pytest.approx(whole.curves[name], abs=0.02, nan_ok=True)


@pytest.mark.parametrize("up", [0, 0.4, 7])
def test_keys_of_cadences(up: float) -> None:
    """I-IV-V-I of C major, i-iv-V-i of A minor; also between the keys of a piano."""
    major = [[60, 64, 67], [65, 69, 72], [67, 71, 74], [60, 64, 67]]
    minor = [[57, 60, 64], [62, 65, 69], [64, 68, 71], [57, 60, 64]]
    for notes, tonic, mode in ((major, 0, "major"), (minor, 9, "minor")):
        found = musical_time([sounds.chords([[n + up for n in one] for one in notes], 16.0)]).key
        names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
        assert found is not None
        assert (found.tonic, found.mode) == (names[(tonic + int(up)) % 12], mode)
        assert found.confidence > 0.05
    assert musical_time([sounds.noise(20.0)]).key is None


def test_codes_are_half_a_step_from_the_values() -> None:
    values = np.array([-70.0, -23.4, np.nan, -5.0])
    codes, offset, scale = coded(values)
    assert codes.tolist()[2] == UNKNOWN
    known = np.isfinite(values)
    assert offset + scale * codes[known] == pytest.approx(values[known], abs=0.51 * scale)
    assert scale == pytest.approx(65.0 / 254)
    assert coded(np.full(3, 7.0))[0].tolist() == [0, 0, 0]
    assert coded(np.full(2, np.nan))[0].tolist() == [UNKNOWN, UNKNOWN]


@pytest.mark.slow
def test_an_hour_is_heard_in_bounded_memory() -> None:
    """Its samples alone would be 461 MB."""
    tracemalloc.start()
    heard = musical_time(sounds.an_hour())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150e6
    assert heard.duration_s == 3600.0
    assert len(heard.curves["loudness"]) == pytest.approx(3600 * RATE_HZ, abs=1)
    assert heard.rhythm.song_tempo_bpm == pytest.approx(120, rel=0.01)
    assert len(heard.rhythm.beats_s) == pytest.approx(7200, abs=10)


def test_a_shard_is_written_and_what_cannot_be_heard_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beat = sounds.clicks(sounds.regular(120, 30.0), 30.0)
    soundfile.write(tmp_path / "beat.flac", beat, sounds.RATE)
    soundfile.write(tmp_path / "silent.flac", np.zeros(30 * sounds.RATE), sounds.RATE)
    names = ["beat.flac", "silent.flac", "gone.flac"]
    shard = pd.DataFrame(
        {
            "window_id": [f"{name}-0" for name in names],
            "track_id": names,
            "audio_path": [str(tmp_path / name) for name in names],
            "start_s": 0.0,
            "end_s": 30.0,
        }
    )
    tables.write(shard, tmp_path / "shard.parquet", tables.SHARD)
    said = write_musical_time(tmp_path / "shard.parquet", tmp_path / "time.parquet")
    assert said == "1 songs, 2 left out"
    assert "silent.flac" in caplog.text
    assert "gone.flac" in caplog.text
    frame = tables.read(tmp_path / "time.parquet", MUSICAL_TIME)
    assert frame["track_id"].tolist() == ["beat.flac"]
    assert frame["tempo_bpm"].iloc[0] == pytest.approx(120, rel=0.01)
    assert frame["key"].iloc[0] is None or isinstance(frame["key"].iloc[0], str)
    stored = tables.read_metadata(tmp_path / "time.parquet")
    assert stored["rate_hz"] == RATE_HZ
    lengths = {len(frame[name].iloc[0]) for name in CURVES}
    assert lengths == {30 * RATE_HZ + 1}
