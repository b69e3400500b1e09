"""Descriptors find what was put into a signal, and are finite whatever the signal."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from songatlas import tables
from songatlas.config.features import LogMel
from songatlas.corpus.sound.decode import decode_windows
from songatlas.features.audio.descriptors import describe, names, write_descriptors

RATE = 22_050
SEMITONES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


def named(window: np.ndarray, config: LogMel | None = None) -> dict[str, float]:
    values = describe(window.astype(np.float32), config or LogMel())
    return dict(zip(names(), values.tolist(), strict=True))


def clicks(bpm: float, seconds: float = 15.0) -> np.ndarray:
    """Short bursts of noise at every beat."""
    rng = np.random.default_rng(0)
    signal = np.zeros(round(seconds * RATE))
    burst = rng.normal(0, 0.3, 800) * np.exp(-np.arange(800) / 150)
    for beat in np.arange(0, seconds - 0.1, 60 / bpm):
        start = round(beat * RATE)
        signal[start : start + 800] += burst
    return signal


def melody(tonic: int, mode: str, seconds: float = 10.0) -> np.ndarray:
    """The scale up and down with long tonic and fifth; `tonic` in semitones above middle C."""
    steps = SEMITONES[mode]
    order = [0, 1, 2, 3, 4, 5, 6, 4, 2, 0, 4, 2, 0, 0]
    time = np.arange(round(seconds / len(order) * RATE)) / RATE
    tones = []
    for step in order:
        hz = 261.63 * 2 ** ((tonic + steps[step]) / 12)
        tones.append(sum(np.sin(2 * np.pi * hz * k * time) / k for k in (1, 2, 3)))
    return 0.2 * np.concatenate(tones)


def test_every_entry_has_a_name_of_its_own() -> None:
    assert len(set(names())) == len(names()) == len(describe(clicks(100.0), LogMel()))


@pytest.mark.parametrize("bpm", [72.0, 90.0, 100.0, 128.0, 140.0, 165.0])
def test_tempo_of_a_click_track(bpm: float) -> None:
    values = named(clicks(bpm))
    assert values["tempo_bpm"] == pytest.approx(bpm, rel=0.02)
    assert values["pulse_clarity"] > 0.5
    assert values["onset_rate_hz"] == pytest.approx(bpm / 60, rel=0.1)


def test_rhythm_profile_peaks_at_the_tempo() -> None:
    values = named(clicks(100.0))
    profile = {
        float(name.split("_")[2]): value for name, value in values.items() if "rhythm" in name
    }
    lowest = max(start for start in profile if start <= 100.0)
    assert lowest > 85
    assert profile[lowest] > 0.5
    assert profile[lowest] > np.median(list(profile.values())) + 0.4


@pytest.mark.parametrize(
    ("tonic", "mode", "key"),
    [(0, "major", "key_C_major"), (7, "major", "key_G_major"), (9, "minor", "key_A_minor")],
)
def test_key_of_a_melody(tonic: int, mode: str, key: str) -> None:
    values = named(melody(tonic, mode))
    keys = {name: value for name, value in values.items() if name.endswith(("_major", "_minor"))}
    assert len(keys) == 24
    assert max(keys, key=keys.__getitem__) == key
    assert values["key_clarity"] == values[key]
    assert (values["key_mode"] > 0) == (mode == "major")


def test_a_tone_has_its_pitch_class_its_centroid_and_its_loudness() -> None:
    time = np.arange(5 * RATE) / RATE
    values = named(0.5 * np.sin(2 * np.pi * 440 * time))
    chroma = {name: value for name, value in values.items() if name.startswith("chroma")}
    assert max((n for n in chroma if n.endswith("mean")), key=chroma.__getitem__) == "chroma_A_mean"
    assert values["centroid_hz_mean"] == pytest.approx(440, rel=0.1)
    assert values["zero_crossing_rate_mean"] == pytest.approx(2 * 440 / RATE, rel=0.05)
    assert values["rms_db_mean"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.5)


def test_level_changes_loudness_only_a_little_else() -> None:
    song = melody(0, "major") + clicks(120.0, 10.0)[: len(melody(0, "major"))]
    loud, soft = named(song), named(0.1 * song)
    assert loud["rms_db_mean"] - soft["rms_db_mean"] == pytest.approx(20.0, abs=0.1)
    for name in ("tempo_bpm", "key_clarity", "centroid_hz_mean", "zero_crossing_rate_mean"):
        assert soft[name] == pytest.approx(loud[name], rel=0.02), name


@pytest.mark.parametrize("seconds", [0.02, 0.1, 1.0, 8.0])
@pytest.mark.parametrize("kind", ["silence", "constant", "impulse", "noise", "end", "square"])
def test_no_signal_gives_nan(kind: str, seconds: float) -> None:
    n = round(seconds * RATE)
    window = np.zeros(n, np.float32)
    if kind == "constant":
        window[:] = 0.3
    elif kind == "impulse":
        window[n // 2] = 1.0
    elif kind == "noise":
        window = np.random.default_rng(0).normal(0, 1e-4, n).astype(np.float32)
    elif kind == "end":  # a window that is padding but for its first tenth
        window[: n // 10] = np.random.default_rng(0).normal(0, 0.5, n // 10)
    elif kind == "square":
        window[:] = np.where(np.arange(n) // 50 % 2, 1.0, -1.0)
    assert np.isfinite(describe(window, LogMel())).all()


def test_the_dynamic_range_is_that_of_the_config() -> None:
    song = melody(0, "major", 3.0)
    narrow, usual = (named(song, LogMel(top_db=top_db)) for top_db in (20.0, 80.0))
    # A narrower range raises the floor, and with it the mean level, which is the first MFCC.
    assert narrow["mfcc_0_mean"] > usual["mfcc_0_mean"] + 10
    assert narrow["centroid_hz_mean"] == usual["centroid_hz_mean"]


def test_descriptors_do_not_import_torch() -> None:
    code = "import sys, songatlas.features.audio.descriptors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_silence_claims_no_key_and_no_pulse() -> None:
    values = named(np.zeros(5 * RATE))
    assert values["key_clarity"] == 0
    assert values["pulse_clarity"] == 0
    assert values["onset_rate_hz"] == 0
    assert values["tempo_bpm"] == 120


@pytest.mark.parametrize(
    ("rate", "n_fft", "hop"),
    [(4000, 64, 16), (8000, 512, 128), (16000, 1024, 320), (192000, 64, 64), (48000, 4096, 1024)],
)
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_any_analysis_setting_works(rate: int, n_fft: int, hop: int) -> None:
    config = LogMel(sample_rate_hz=rate, n_fft=n_fft, hop_length=hop, n_mels=24)
    window = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
    assert np.isfinite(describe(window, config)).all()


def test_a_shard_of_real_songs(jamendolyrics: Path, tmp_path: Path) -> None:
    path = sorted(jamendolyrics.glob("mp3/*.mp3"))[1]
    soundfile.write(tmp_path / "silent.wav", np.zeros(10 * RATE), RATE)
    rows = [
        ("song-00", "song", str(path), 0.0, 30.0),
        ("song-01", "song", str(path), 20.0, 50.0),
        ("still-00", "still", str(tmp_path / "silent.wav"), 0.0, 30.0),
    ]
    tables.write(
        pd.DataFrame(rows, columns=list(tables.SHARD.columns)),
        tmp_path / "shard.parquet",
        tables.SHARD,
    )
    output, rejects = tmp_path / "part.parquet", tmp_path / "rejects.parquet"
    write_descriptors(tmp_path / "shard.parquet", output, 30.0, LogMel(), rejects)
    ids, values = tables.read_feature([output])
    assert ids == ["song-00", "song-01"]
    assert values.dtype == np.float32
    window = next(decode_windows(path, RATE, [20.0], 30.0))
    np.testing.assert_array_equal(values[1], describe(window, LogMel()))
    assert tables.read_metadata(output)["names"] == names()
    left_out = tables.read(rejects, tables.REJECTS)
    assert left_out[["stage", "reason"]].to_numpy().tolist() == [["descriptors", "silent"]]
