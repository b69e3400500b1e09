"""Decoding: by content, in blocks, and with a reason for everything that cannot be used."""

import pickle
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr

from songatlas.corpus.sound.decode import (
    BLOCK_FRAMES,
    AudioError,
    AudioInfo,
    decode,
    decode_windows,
    probe,
)

RATE = 44100


def tone(seconds: float, rate: int = RATE, channels: int = 2, hz: float = 440.0) -> np.ndarray:
    """A sine whose level differs between channels, float32 of shape (samples, channels)."""
    time = np.arange(round(seconds * rate)) / rate
    levels = np.linspace(0.5, 0.1, channels)
    return (np.sin(2 * np.pi * hz * time)[:, None] * levels).astype(np.float32)


def write_with_ffmpeg(path: Path, samples: np.ndarray, codec: str, kind: str) -> Path:
    with av.open(str(path), "w", format=kind) as container:
        layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
        stream = container.add_stream(codec, rate=RATE, layout=layout)
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T), format="fltp", layout=layout
        )
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def without_xing_header(path: Path) -> bytes:
    """An MP3's bytes from its second frame on."""
    data = path.read_bytes()
    return data[data.index(b"\xff\xfb", 4) :]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    samples = tone(13.0)
    for name in ("song.wav", "song.flac", "song.ogg", "song.mp3"):
        soundfile.write(folder / name, samples, RATE)
    write_with_ffmpeg(folder / "song.m4a", samples, "aac", "ipod")
    write_with_ffmpeg(folder / "song.aac", samples, "aac", "adts")
    write_with_ffmpeg(folder / "song.wma", samples, "wmav2", "asf")
    return folder


def reason(path: Path, call=lambda path: decode(path, 22050)) -> str:
    with pytest.raises(AudioError) as caught:
        call(path)
    assert str(path) in str(caught.value)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "m4a", "aac", "wma"])
def test_every_format_gives_its_length_and_the_mean_of_its_channels(
    sounds: Path, extension: str
) -> None:
    path = sounds / f"song.{extension}"
    info = probe(path)
    assert (info.sample_rate_hz, info.channels) == (RATE, 2)
    assert info.duration_s == pytest.approx(13.0, abs=0.15)
    mono = decode(path, RATE)
    assert mono.dtype == np.float32
    assert mono.ndim == 1
    assert len(mono) / RATE == pytest.approx(info.duration_s, abs=0.15)
    middle = mono[RATE : 12 * RATE]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.02)


def test_lossless_files_decode_exactly(tmp_path: Path) -> None:
    steps = (tone(3.0, channels=3) * 32767).astype(np.int16)
    wanted = (steps / 32768.0).mean(axis=1)
    for name in ("song.wav", "song.flac"):
        soundfile.write(tmp_path / name, steps, RATE)
        np.testing.assert_allclose(decode(tmp_path / name, RATE), wanted, atol=1e-7)


@pytest.mark.parametrize("extension", ["wav", "mp3", "m4a"])
@pytest.mark.parametrize("wrong", ["txt", "wav", "raw", "au", "xyz"])
def test_the_extension_does_not_matter(
    sounds: Path, tmp_path: Path, extension: str, wrong: str
) -> None:
    right = sounds / f"song.{extension}"
    path = tmp_path / f"song.{wrong}"
    path.write_bytes(right.read_bytes())
    assert probe(path).duration_s == pytest.approx(probe(right).duration_s, abs=0.05)
    np.testing.assert_array_equal(decode(path, 22050), decode(right, 22050))


def test_resampling_in_blocks_equals_resampling_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, 3 * BLOCK_FRAMES + 12345).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", noise, RATE, subtype="FLOAT")
    for rate in (22050, 16000, 48000):
        at_once = soxr.resample(noise, RATE, rate, quality="HQ")
        np.testing.assert_allclose(decode(tmp_path / "noise.wav", rate), at_once, atol=1e-6)


def test_windows_are_slices_of_the_song_filled_up_with_zeros(sounds: Path) -> None:
    path = sounds / "song.mp3"
    song = decode(path, 22050)
    starts = [0.0, 0.0, 2.5, 4.25, 12.0]
    windows = list(decode_windows(path, 22050, starts, 4.0))
    assert len(windows) == len(starts)
    for start, window in zip(starts, windows, strict=True):
        cut = song[round(start * 22050) :][: len(window)]
        assert len(window) == 4 * 22050
        np.testing.assert_array_equal(window[: len(cut)], cut)
        assert not window[len(cut) :].any()


def test_windows_far_into_a_long_song_hold_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    rate = 8000
    with soundfile.SoundFile(tmp_path / "long.flac", "w", rate, 1) as file:
        for minute in range(40):
            file.write(tone(60.0, rate, 1, hz=200 + minute)[:, 0])
    tracemalloc.start()
    windows = [window[:1] for window in decode_windows(tmp_path / "long.flac", rate, [2300.0], 5.0)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(windows) == 1
    assert peak < 40 * 60 * rate * 4 / 4, "a quarter of the song's samples"


def test_windows_behind_the_end_are_an_error(sounds: Path) -> None:
    windows = decode_windows(sounds / "song.wav", 22050, [0.0, 20.0], 5.0)
    assert len(next(windows)) == 5 * 22050
    assert reason(sounds / "song.wav", lambda _: next(windows)) == "truncated"


@pytest.mark.parametrize("starts", [[3.0, 1.0], [-1.0]])
def test_window_starts_must_ascend_from_zero(sounds: Path, starts: list[float]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        list(decode_windows(sounds / "song.wav", 22050, starts, 5.0))


def test_missing_file(tmp_path: Path) -> None:
    assert reason(tmp_path / "absent.mp3") == "missing_file"
    assert reason(tmp_path / "absent.mp3", probe) == "missing_file"


def test_folder_is_unreadable(tmp_path: Path) -> None:
    assert reason(tmp_path) == "unreadable"


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    assert reason(tmp_path / "empty.mp3") == "empty_file"


def test_header_without_samples_has_zero_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2), np.float32), RATE)
    assert reason(tmp_path / "none.wav") == "zero_length"
    assert reason(tmp_path / "none.wav", probe) == "zero_length"


@pytest.mark.parametrize("name", ["song.mp3", "song.wav", "song.au", "song.vox", "song.m4a"])
@pytest.mark.parametrize(
    "content",
    [
        b"<html>404 not found</html>" * 50,
        "\ufeffLa la la\n".encode("utf-16") * 50,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        bytes(range(256)) * 20,
    ],
    ids=["html", "utf16", "playlist", "bytes"],
)
def test_what_is_no_audio(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason(tmp_path / name) == "not_audio"
    assert reason(tmp_path / name, probe) == "not_audio"


def test_damaged_container_is_unreadable(sounds: Path, tmp_path: Path) -> None:
    data = (sounds / "song.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(data[: len(data) // 2])  # the index stands at the end
    assert reason(tmp_path / "cut.m4a") == "unreadable"


def test_video_without_sound_is_no_audio(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no audio stream") as caught:
        decode(path, 22050)
    assert caught.value.reason == "not_audio"


def test_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros((RATE, 2), np.float32), RATE)
    assert reason(tmp_path / "silence.wav") == "silent"
    windows = decode_windows(tmp_path / "silence.wav", 22050, [0.0], 1.0)
    assert reason(tmp_path / "silence.wav", lambda _: list(windows)) == "silent"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    samples = tone(8.0)
    samples[7 * RATE, 1] = value
    soundfile.write(tmp_path / "bad.wav", samples, RATE, subtype="FLOAT")
    assert reason(tmp_path / "bad.wav") == "not_finite"


@pytest.mark.parametrize("extension", ["mp3", "flac", "wav"])
def test_of_a_truncated_song_half_must_be_left(
    sounds: Path, tmp_path: Path, extension: str
) -> None:
    data = (sounds / f"song.{extension}").read_bytes()
    path = tmp_path / f"cut.{extension}"
    path.write_bytes(data[: round(0.4 * len(data))])
    assert reason(path, probe) == "truncated"
    path.write_bytes(data[: round(0.8 * len(data))])
    info = probe(path)
    assert info.stated_s == pytest.approx(13.0, abs=0.1)
    assert f"ends at {info.duration_s:.1f} s of the 13.0 s" in info.damage
    assert len(decode(path, RATE)) / RATE == pytest.approx(info.duration_s, abs=0.1)


def test_mp3_of_variable_bit_rate_without_header_is_read_to_its_end(tmp_path: Path) -> None:
    quiet, loud = (
        1e-4 * tone(20.0),
        tone(20.0) + np.random.default_rng(0).uniform(-0.3, 0.3, (20 * RATE, 2)).astype(np.float32),
    )
    for name, parts in {"quiet_first": (quiet, loud), "loud_first": (loud, quiet)}.items():
        path = tmp_path / f"{name}.mp3"
        soundfile.write(
            path, np.concatenate(parts), RATE, bitrate_mode="VARIABLE", compression_level=0.2
        )
        path.write_bytes(without_xing_header(path))
        assert probe(path).duration_s == pytest.approx(40.0, abs=0.2), name
        assert len(decode(path, RATE)) / RATE == pytest.approx(40.0, abs=0.2), name


def test_error_survives_being_sent_between_processes() -> None:
    error = pickle.loads(pickle.dumps(AudioError("a.mp3", "silent", "no sound")))
    assert (error.path, error.reason, error.detail) == ("a.mp3", "silent", "no sound")


def test_error_reasons_are_a_closed_list() -> None:
    with pytest.raises(ValueError, match="boring"):
        AudioError("a.mp3", "boring", "too slow")


def test_every_real_song_decodes_to_the_length_that_probe_gives(
    jamendolyrics: Path, ultrastar: Path
) -> None:
    paths = sorted(jamendolyrics.glob("mp3/*.mp3"))[:2] + sorted(ultrastar.glob("*/audio.*"))[:4]
    assert len(paths) == 6
    for path in paths:
        info = probe(path)
        assert isinstance(info, AudioInfo)
        assert len(decode(path, 22050)) / 22050 == pytest.approx(info.duration_s, abs=0.01), path
