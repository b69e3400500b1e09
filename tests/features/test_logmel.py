"""The log-mel spectrogram is librosa's, window by window."""

from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from songatlas import tables
from songatlas.config.features import LogMel
from songatlas.corpus.sound.decode import decode_windows
from songatlas.features.audio.logmel import log_mel, write_logmel
from songatlas.features.audio.standardise import standardise


def librosa_log_mel(window: np.ndarray, config: LogMel) -> np.ndarray:
    power = librosa.feature.melspectrogram(
        y=window,
        sr=config.sample_rate_hz,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.f_min_hz,
        fmax=config.f_max_hz,
        center=True,
        pad_mode="constant",
        power=2.0,
        norm="slaney",
        htk=False,
    )
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=config.top_db)


def shard(folder: Path, songs: dict[str, tuple[Path, int]]) -> Path:
    """A shard table with `n` windows of 2 s, every second, for each song."""
    rows = [
        (f"{track}-{index:02d}", track, str(path), float(index), float(index + 2))
        for track, (path, n) in songs.items()
        for index in reversed(range(n))
    ]
    frame = pd.DataFrame(rows, columns=list(tables.SHARD.columns))
    tables.write(frame, folder / "shard.parquet", tables.SHARD)
    return folder / "shard.parquet"


def test_equals_librosa_on_real_audio_after_storage(jamendolyrics: Path) -> None:
    config = LogMel()
    for path in sorted(jamendolyrics.glob("mp3/*.mp3"))[:3]:
        windows = np.stack(list(decode_windows(path, 22050, [0.0, 60.0], 30.0)))
        stored = log_mel(windows, config).astype(np.float16)
        assert stored.shape == (2, 128, 1292)
        for window, values in zip(windows, stored, strict=True):
            assert np.abs(values - librosa_log_mel(window, config)).max() < 0.05


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_mels": 40, "n_fft": 512, "hop_length": 160, "sample_rate_hz": 16000},
        {"n_mels": 96, "f_min_hz": 50.0, "f_max_hz": 7000.0, "top_db": 40.0},
        {"n_mels": 256, "n_fft": 1024},  # some bands are narrower than a bin
        {"n_fft": 1001, "hop_length": 300},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_equals_librosa_for_any_setting(changes: dict[str, float]) -> None:
    config = LogMel(**changes)
    rng = np.random.default_rng(0)
    windows = rng.normal(0, 0.1, (2, 30_001)).astype(np.float32)
    windows[:, 20_000:] = 0
    result = log_mel(windows, config)
    for window, values in zip(windows, result, strict=True):
        np.testing.assert_allclose(values, librosa_log_mel(window, config), atol=0.01)


def test_number_of_frames_is_what_the_config_says() -> None:
    config = LogMel()
    assert log_mel(np.zeros((1, 661_500)), config).shape[2] == config.n_frames(30.0) == 1292
    assert log_mel(np.zeros((1, 100)), config).shape[2] == 1


def test_silence_is_flat_at_the_floor() -> None:
    assert (log_mel(np.zeros((1, 10_000)), LogMel()) == -100.0).all()


def test_no_windows_give_an_empty_array() -> None:
    assert log_mel(np.zeros((0, 22_050), np.float32), LogMel()).shape == (0, 128, 44)


def test_top_db_holds_within_each_window() -> None:
    loud = np.random.default_rng(0).normal(0, 0.3, 30_000)
    loud[15_000:] = 0
    both = log_mel(np.stack([loud, 1e-3 * loud]), LogMel())
    assert both[0].max() - both[0].min() == pytest.approx(80.0, abs=1e-4)
    assert both[1].min() == -100.0, "60 dB quieter: silence is less than 80 dB below"


def test_standardised_windows_have_zero_mean_and_unit_variance() -> None:
    logmel = np.random.default_rng(0).uniform(-80, 20, (3, 16, 40)).astype(np.float16)
    for values in (standardise(logmel), standardise(torch.from_numpy(logmel)).numpy()):
        assert values.dtype == np.float32
        np.testing.assert_allclose(values.mean(axis=(1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(values.std(axis=(1, 2)), 1, atol=1e-5)


def test_a_constant_window_becomes_zeros() -> None:
    logmel = np.full((2, 16, 40), -99.97, np.float32)
    assert not standardise(logmel).any()
    assert not standardise(torch.from_numpy(logmel)).any()


def test_a_shard_is_written_and_bad_songs_are_set_aside(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    config = LogMel(n_mels=32)
    songs = {}
    for track, n in {"b": 3, "a": 2}.items():
        soundfile.write(tmp_path / f"{track}.wav", rng.normal(0, 0.1, (n + 1) * 22_050), 22_050)
        songs[track] = (tmp_path / f"{track}.wav", n)
    (tmp_path / "page.mp3").write_text("<html>" * 100)
    songs["page"] = (tmp_path / "page.mp3", 2)
    songs["gone"] = (tmp_path / "gone.mp3", 1)
    output, rejects = tmp_path / "part-00.parquet", tmp_path / "rejects-00.parquet"
    write_logmel(shard(tmp_path, songs), output, 2.0, config, rejects)

    ids, values = tables.read_feature([output])
    assert ids == ["a-00", "a-01", "b-00", "b-01", "b-02"]
    assert values.dtype == np.float16
    assert values.shape == (5, 32, config.n_frames(2.0))
    song = soundfile.read(tmp_path / "b.wav", dtype="float32")[0]
    expected = librosa_log_mel(song[22_050 : 3 * 22_050], config)
    assert np.abs(values[ids.index("b-01")] - expected).max() < 0.05

    left_out = tables.read(rejects, tables.REJECTS)
    assert left_out["reason"].tolist() == ["missing_file", "not_audio"]
    assert set(left_out["stage"]) == {"logmel"}
    info = tables.read_metadata(output)
    assert info["shape"] == [32, 87]
    assert info["units"].startswith("dB")


def test_an_empty_shard_gives_an_empty_part(tmp_path: Path) -> None:
    output, rejects = tmp_path / "part-00.parquet", tmp_path / "rejects-00.parquet"
    write_logmel(shard(tmp_path, {}), output, 2.0, LogMel(), rejects)
    ids, values = tables.read_feature([output])
    assert ids == []
    assert values.shape == (0, 128, 87)
    assert tables.read(rejects, tables.REJECTS).empty


def test_the_same_shard_gives_the_same_bytes(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 66_150), 22_050)
    path = shard(tmp_path, {"a": (tmp_path / "a.wav", 2)})
    for name in ("one", "two"):
        write_logmel(path, tmp_path / f"{name}.parquet", 2.0, LogMel())
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
