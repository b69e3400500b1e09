"""Audio as it comes: odd formats are used, odd samples told of, damage set aside with a reason."""

import builtins
import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import ROOT
from damages import BEGINS_S, CONTAINERS, SECONDS, apev2, id3v1, id3v2, places, song
from hostile import music, unknown_codec
from songatlas import tables
from songatlas.config.features import LogMel
from songatlas.corpus.probe import probe_sources
from songatlas.corpus.result import sources_frame
from songatlas.corpus.sound import decode as decoding
from songatlas.corpus.sound.decode import AudioError, decode, decode_blocks, decode_windows, probe
from songatlas.features.audio import extract
from songatlas.features.audio.descriptors import write_descriptors
from songatlas.features.audio.logmel import write_logmel

RATE = 22050
SMALL = LogMel(n_mels=32, hop_length=2048)


def reason(path: Path) -> str:
    with pytest.raises(AudioError) as caught:
        decode(path, RATE)
    return caught.value.reason


def oddities(path: Path, seconds: float = 2.0) -> list[str]:
    found: list[str] = []
    list(decode_windows(path, RATE, [0.0], seconds, lambda reason, _: found.append(reason)))
    return found


def shard(folder: Path, *songs: Path) -> Path:
    rows = [(f"{song.name}-0", song.name, str(song), 0.0, 2.0) for song in songs]
    tables.write(pd.DataFrame(rows, columns=list(tables.SHARD.columns)), folder / "s", tables.SHARD)
    return folder / "s"


def features(writer, folder: Path, *songs: Path) -> tuple[list[str], pd.DataFrame, pd.DataFrame]:
    """Ids of the windows that a feature writer wrote, its rejects and its warnings."""
    paths = [folder / f"{writer.__name__}-{name}" for name in ("part", "rejects", "warnings")]
    writer(shard(folder, *songs), paths[0], 2.0, SMALL, *paths[1:])
    rejects = tables.read(paths[1], tables.REJECTS)
    return tables.read_feature(paths[:1])[0], rejects, tables.read(paths[2], tables.WARNINGS)


# --- used -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_depth_decodes_to_the_same_samples(tmp_path: Path, subtype: str) -> None:
    samples = music(2.0)[:, 0]
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype=subtype)
    step = 1 / 128 if subtype == "PCM_U8" else 1 / 32768
    np.testing.assert_allclose(decode(tmp_path / "a.wav", RATE), samples, atol=step)


@pytest.mark.parametrize("rate", [8000, 11025, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_every_rate_and_number_of_channels_gives_the_same_tone(
    tmp_path: Path, rate: int, channels: int
) -> None:
    time = np.arange(2 * rate) / rate
    tone = np.repeat(0.4 * np.sin(2 * np.pi * 440 * time)[:, None], channels, 1)
    soundfile.write(tmp_path / "a.wav", tone, rate)
    info = probe(tmp_path / "a.wav")
    assert (info.duration_s, info.sample_rate_hz, info.channels) == (2.0, rate, channels)
    mono = decode(tmp_path / "a.wav", RATE)
    assert len(mono) == pytest.approx(2 * RATE, abs=2)
    spectrum = np.abs(np.fft.rfft(mono[RATE // 2 : RATE // 2 + RATE]))
    assert spectrum.argmax() == 440
    assert np.abs(mono[RATE // 2 : -RATE // 2]).max() == pytest.approx(0.4, rel=0.01)


def test_a_song_of_a_fifth_of_a_second_gives_one_padded_window(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", music(0.2), RATE)
    for writer in (write_logmel, write_descriptors):
        ids, rejects, warnings = features(writer, tmp_path, tmp_path / "a.wav")
        assert len(ids) == 1
        assert rejects.empty
        assert warnings.empty


# --- used with a warning --------------------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT"])
def test_cut_off_waves_are_told_and_loud_ones_are_not(tmp_path: Path, subtype: str) -> None:
    loud = music(2.0, channels=2)
    loud /= np.abs(loud).max()
    soundfile.write(tmp_path / "loud.wav", loud, RATE, subtype=subtype)
    soundfile.write(tmp_path / "cut.wav", np.clip(8 * loud, -1, 1), RATE, subtype=subtype)
    assert oddities(tmp_path / "loud.wav") == []
    assert oddities(tmp_path / "cut.wav") == ["clipped"]


def test_clipping_is_a_warning_of_both_features_and_the_song_is_used(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "cut.wav", np.clip(30 * music(2.0), -1, 1), RATE)
    for writer in (write_logmel, write_descriptors):
        ids, rejects, warnings = features(writer, tmp_path, tmp_path / "cut.wav")
        assert ids == ["cut.wav-0"]
        assert rejects.empty
        assert warnings["reason"].tolist() == ["clipped"]
        assert warnings["path"].tolist() == [str(tmp_path / "cut.wav")]
        assert "%" in warnings["detail"].item()


def test_one_channel_that_clips_is_heard(tmp_path: Path) -> None:
    both = np.concatenate([0.1 * music(2.0), np.clip(30 * music(2.0), -1, 1)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, RATE)
    assert oddities(tmp_path / "a.wav") == ["clipped"]


def test_real_songs_do_not_count_as_clipped(jamendolyrics: Path) -> None:
    for path in sorted((jamendolyrics / "mp3").iterdir())[:3]:
        assert oddities(path, 30.0) == []


def test_two_channels_that_are_inverted_are_told_and_one_is_used(tmp_path: Path) -> None:
    mono = 0.5 * music(2.0)[:, 0]
    soundfile.write(tmp_path / "inverted.flac", np.stack([mono, -mono], 1), RATE)
    soundfile.write(tmp_path / "wide.flac", np.stack([mono, -0.8 * mono], 1), RATE)
    assert oddities(tmp_path / "inverted.flac") == ["inverted"]
    assert oddities(tmp_path / "wide.flac") == []
    np.testing.assert_allclose(decode(tmp_path / "inverted.flac", RATE), mono, atol=1e-4)
    np.testing.assert_allclose(decode(tmp_path / "wide.flac", RATE), 0.1 * mono, atol=1e-4)


def told(path: Path) -> tuple[float, dict[str, str]]:
    """Length of what is decoded in seconds, and warnings with their details."""
    warnings: dict[str, str] = {}
    blocks = decode_blocks(path, RATE, lambda reason, detail: warnings.update({reason: detail}))
    return sum(map(len, blocks)) / RATE, warnings


def test_a_hole_is_silent_and_told_with_its_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("flac", "mp3", "ogg", "m4a"):
        data = song(kind)
        middle = len(data) // 2
        (tmp_path / kind).write_bytes(data[:middle] + rng.bytes(9000) + data[middle + 9000 :])
        seconds, warnings = told(tmp_path / kind)
        assert seconds == pytest.approx(SECONDS, abs=0.1)
        assert list(warnings) == ["damaged"], kind
        assert "s are broken and silent (" in warnings["damaged"]
        told_s = float(warnings["damaged"].split("(")[1].split("-")[0])
        assert 4.0 < told_s < 6.5, kind


def test_a_song_of_which_less_than_half_plays_is_set_aside(tmp_path: Path) -> None:
    data = song("opus")
    middle = len(data) // 5
    (tmp_path / "a").write_bytes(data[:middle] + bytes(3 * middle) + data[4 * middle :])
    assert reason(tmp_path / "a") == "truncated"
    probed = probe_sources(sources_frame([{"source_id": "a", "audio_path": tmp_path / "a"}]))
    assert probed["reject"].tolist() == ["truncated"]
    assert "% must" in probed["detail"].item()


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "opus", "aac", "webm", "wv"])
def test_two_joined_songs_are_one_of_both(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(song(kind) + id3v1() + id3v2() + song(kind, SECONDS))
    seconds, warnings = told(tmp_path / "a")
    assert seconds == pytest.approx(2 * SECONDS, abs=0.3)
    assert not warnings
    assert len(places(decode(tmp_path / "a", RATE), RATE, 2 * SECONDS)) == 2 * SECONDS


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        *((kind, {}) for kind in ("m4a", "alac", "wav", "aiff", "caf", "wma", "tta")),
        *((kind, {"channels": 1}) for kind in ("ogg", "opus", "wv")),
    ],
)
def test_a_second_file_that_players_do_not_play_is_told(
    tmp_path: Path, kind: str, form: dict[str, int]
) -> None:
    first, second = song(kind), song(kind, SECONDS, **form)
    for name, tags in {"a": b"", "b": id3v1() + id3v2()}.items():
        (tmp_path / name).write_bytes(first + tags + second)
        info = probe(tmp_path / name)
        told_bytes = int(info.left_out.split(" bytes")[0].split()[-1].replace(",", ""))
        assert 0 <= len(second) - told_bytes < 100  # tags at its end do not count
        assert info.duration_s == pytest.approx(SECONDS, abs=0.1)
    (tmp_path / "one").write_bytes(first + apev2() + id3v1())
    assert probe(tmp_path / "one").left_out is None
    row = {"source_id": "a", "audio_path": str(tmp_path / "a")}
    assert probe_sources(sources_frame([row]))["warning"].tolist() == ["second_file"]


@pytest.mark.parametrize("kind", sorted(CONTAINERS))
def test_one_file_has_no_second_one_behind_it(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(song(kind))
    assert probe(tmp_path / "a").left_out is None


def test_a_hole_in_the_first_of_two_joined_songs_moves_no_second(tmp_path: Path) -> None:
    data, joined = song("mp3"), song("mp3", SECONDS, rate=32000)
    broken = np.random.default_rng(0).bytes(5800)
    (tmp_path / "a").write_bytes(data[:69000] + broken + data[74800:] + joined)
    assert probe(tmp_path / "a").stated_s == pytest.approx(SECONDS, abs=0.1)
    begun = places(decode(tmp_path / "a", RATE), RATE, 2 * SECONDS)
    assert begun == pytest.approx({n: n + BEGINS_S for n in begun}, abs=0.1)
    assert len(begun) >= 2 * SECONDS - 1


@pytest.mark.parametrize("form", [{"channels": 1}, {"rate": 32000}], ids=["mono", "rate"])
def test_channels_and_rate_may_change_midway(tmp_path: Path, form: dict[str, int]) -> None:
    (tmp_path / "a").write_bytes(song("mp3") + song("mp3", SECONDS, **form))
    begun = places(decode(tmp_path / "a", RATE), RATE, 2 * SECONDS)
    assert begun == pytest.approx({n: n + BEGINS_S for n in range(2 * SECONDS)}, abs=0.1)


def test_a_flac_written_to_a_pipe_has_the_length_of_its_packets(tmp_path: Path) -> None:
    data = bytearray(song("flac"))
    data[21] &= 0xF0  # 36 bits of the number of samples
    data[22:26] = bytes(4)
    (tmp_path / "a").write_bytes(data)
    info = probe(tmp_path / "a")
    assert info.duration_s == pytest.approx(SECONDS)
    assert (info.stated_s, info.damage) == (None, None)


def test_a_header_that_states_far_too_much_is_told_and_not_believed(tmp_path: Path) -> None:
    data = bytearray(song("flac"))
    data[22:26] = b"\xff" * 4
    (tmp_path / "a").write_bytes(data)
    info = probe(tmp_path / "a")
    assert info.duration_s == pytest.approx(SECONDS)
    assert info.stated_s is None
    assert "that its header states" in info.damage
    assert told(tmp_path / "a") == (pytest.approx(SECONDS), {})


def test_a_broken_first_page_of_sound_leaves_its_second_empty(tmp_path: Path) -> None:
    data = bytearray(song("opus"))
    page = [place for place in range(len(data)) if data.startswith(b"OggS", place)][2]
    data[page + 30] ^= 1
    (tmp_path / "a").write_bytes(data)
    begun = places(decode(tmp_path / "a", RATE), RATE, SECONDS)
    assert begun == pytest.approx({n: n + BEGINS_S for n in range(1, SECONDS)}, abs=0.1)


# --- set aside ------------------------------------------------------------------------------------


def headers_alone(kind: str) -> bytes:
    """A file of a container without samples."""
    if kind == "tags":
        return id3v2() + apev2() + id3v1()
    file = io.BytesIO()
    codec, form = CONTAINERS[kind]
    with av.open(file, "w", format=form) as container:
        rate = 48000 if codec == "libopus" else 44100
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        container.start_encoding()
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    "kind", ["wav", "aiff", "caf", "flac", "opus", "webm", "mka", "wv", "tags"]
)
def test_headers_without_samples(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(headers_alone(kind))
    assert reason(tmp_path / "a") == "zero_length"


@pytest.mark.parametrize(
    ("kind", "place", "told"),
    [
        ("wma", 36, "unreadable: damaged audio: no sound can be found in its 208,544 bytes"),
        ("aiff", 38, "truncated: nothing of the stated 12.0 s can be read"),
        ("flac", 40, "truncated: nothing of the stated 12.0 s can be read"),
    ],
)
def test_a_file_that_holds_samples_is_not_called_empty(
    tmp_path: Path, kind: str, place: int, told: str
) -> None:
    data = bytearray(song(kind))
    data[place : place + 4] = b"\x7f\xff\xff\xff"
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(AudioError, match=told):
        probe(tmp_path / "a")


def test_a_codec_without_decoder(tmp_path: Path) -> None:
    unknown_codec(tmp_path / "a.wav")
    assert reason(tmp_path / "a.wav") == "unsupported_codec"


@pytest.mark.parametrize("rate", [1, 999, 800_000, 2**31 - 1])
def test_an_impossible_sampling_rate(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", music(2.0), RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[24:28] = rate.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data)
    assert reason(tmp_path / "a.wav") == "unreadable"
    with pytest.raises(AudioError, match=r"sampling rate|Invalid"):
        probe(tmp_path / "a.wav")


@pytest.mark.parametrize("error", [MemoryError("152 TiB"), ValueError("dimensions"), KeyError(1)])
def test_whatever_an_input_raises_sets_it_alone_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for number, name in enumerate("ab"):
        soundfile.write(tmp_path / f"{name}.wav", music(2.0, seed=number), RATE)
    read = decoding.read_packets

    def fail(file, sound, path):
        if path.name == "a.wav":
            raise error
        return read(file, sound, path)

    monkeypatch.setattr(decoding, "read_packets", fail)
    rows = [{"source_id": name, "audio_path": str(tmp_path / f"{name}.wav")} for name in "ab"]
    probed = probe_sources(sources_frame(rows))
    assert probed["reject"].fillna("-").tolist() == ["unreadable", "-"]
    assert type(error).__name__ in probed["detail"][0]
    ids, rejects, _ = features(write_logmel, tmp_path, *(tmp_path / f"{n}.wav" for n in "ab"))
    assert ids == ["b.wav-0"]
    assert rejects["reason"].tolist() == ["unreadable"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    probed = probe_sources(sources_frame([{"source_id": "a", "audio_path": tmp_path / "a.wav"}]))
    assert probed["reject"].tolist() == ["unreadable"]


def test_a_link_that_leads_nowhere_or_round(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "b.wav")
    rows = [{"source_id": name, "audio_path": str(tmp_path / f"{name}.wav")} for name in "ab"]
    assert probe_sources(sources_frame(rows))["reject"].tolist() == ["missing_file", "unreadable"]


def forbid(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Opening `path` fails as it does for somebody without permission."""
    opened = io.open

    def refuse(file, *arguments, **options):
        if str(file) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(file, *arguments, **options)

    monkeypatch.setattr(io, "open", refuse)
    monkeypatch.setattr(builtins, "open", refuse)


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, music(2.0), RATE)
    soundfile.write(tmp_path / "b.wav", music(2.0, seed=1), RATE)
    forbid(monkeypatch, path)
    rows = [{"source_id": name, "audio_path": str(tmp_path / f"{name}.wav")} for name in "ab"]
    probed = probe_sources(sources_frame(rows))
    assert probed["reject"].fillna("-").tolist() == ["unreadable", "-"]
    assert "Permission denied" in probed["detail"][0]
    # Permissions that are taken away after probing.
    ids, rejects, _ = features(write_logmel, tmp_path, path, tmp_path / "b.wav")
    assert ids == ["b.wav-0"]
    assert rejects["reason"].tolist() == ["unreadable"]


def test_permissions_of_the_system_are_met() -> None:
    """As another user than root, whom no permission binds."""
    nobody = 65534
    user = nobody if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        soundfile.write(folder / "a.wav", music(1.0), RATE)
        (folder / "a.wav").chmod(0)
        code = (
            "import sys; from songatlas.corpus.sound.decode import probe, AudioError\n"
            "try: probe(sys.argv[1])\n"
            "except AudioError as error: print(error.reason, error.detail)"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
        command = [sys.executable, "-c", code, str(folder / "a.wav")]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, user=user, env=environment, cwd="/"
            )
        except PermissionError:
            pytest.skip("this process may not start another as nobody")
        if done.returncode:
            pytest.skip(f"nobody cannot run this Python: {done.stderr[-100:]}")
    assert done.stdout == "unreadable Permission denied\n"


@pytest.mark.parametrize("how", ["grows", "is replaced", "is removed", "is cut"])
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, music(2.0), RATE)
    mix = decoding._mix

    def change_and_mix(block: np.ndarray) -> np.ndarray:
        if how == "grows":
            with path.open("ab") as file:
                file.write(b"more")
        elif how == "is replaced":
            soundfile.write(tmp_path / "new.wav", music(2.0, seed=1), RATE)
            os.utime(tmp_path / "new.wav", (1, 1))
            (tmp_path / "new.wav").replace(path)
        elif how == "is removed":
            path.unlink(missing_ok=True)
        else:
            os.truncate(path, 100)
        return mix(block)

    monkeypatch.setattr(decoding, "_mix", change_and_mix)
    assert reason(path) == "changed_while_reading"
    soundfile.write(path, music(2.0), RATE)
    _, rejects, _ = features(write_logmel, tmp_path, path)
    assert rejects["reason"].tolist() == ["changed_while_reading"]


def test_an_error_of_the_disk_while_a_song_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", music(2.0), RATE)

    def fail(_: np.ndarray) -> np.ndarray:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(decoding, "_mix", fail)
    assert reason(tmp_path / "a.wav") == "unreadable"


def test_features_that_are_no_numbers_set_the_song_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate("ab"):
        soundfile.write(tmp_path / f"{name}.wav", music(2.0, seed=number), RATE)
    songs = [tmp_path / "a.wav", tmp_path / "b.wav"]
    decoded = extract.decode_windows

    def spoil(path, *arguments):
        for window in decoded(path, *arguments):
            yield np.full_like(window, 1e30) if path.endswith("a.wav") else window

    monkeypatch.setattr(extract, "decode_windows", spoil)
    ids, rejects, _ = features(write_logmel, tmp_path, *songs)
    assert ids == ["b.wav-0"]
    assert rejects["reason"].tolist() == ["not_finite"]
    assert "logmel of the window at 0.0 s" in rejects["detail"].item()


# --- damage of any kind ---------------------------------------------------------------------------


def encoded(kind: str) -> bytes:
    path = Path(tempfile.mkdtemp()) / f"a.{kind}"
    samples = music(1.0, 44100, 2).astype(np.float32)
    if kind == "m4a":
        with av.open(str(path), "w", format="ipod") as container:
            stream = container.add_stream("aac", rate=44100, layout="stereo")
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.T), format="fltp", layout="stereo"
            )
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    else:
        soundfile.write(path, samples, 44100)
    return path.read_bytes()


CONTENTS = {kind: encoded(kind) for kind in ("wav", "flac", "ogg", "mp3", "m4a")}


@settings(
    max_examples=120, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    kind=st.sampled_from(sorted(CONTENTS)),
    edits=st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=8)), max_size=6),
    early=st.booleans(),
    kept=st.floats(0.0, 1.0),
)
def test_no_damage_raises_anything_but_a_reason(
    tmp_path: Path, kind: str, edits: list[tuple[int, bytes]], early: bool, kept: float
) -> None:
    data = bytearray(CONTENTS[kind])
    for place, some in edits:
        place %= min(len(data), 200) if early else len(data)
        data[place : place + len(some)] = some
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data[: round(kept * len(data))] if edits and kept < 0.5 else data)
    for read in (probe, lambda path: list(decode_windows(path, 8000, [0.0], 0.5))):
        # Whatever else is raised fails the test; an `AudioError` has a reason of the closed list.
        with contextlib.suppress(AudioError):
            read(path)


# --- three hours ----------------------------------------------------------------------------------

LONG = """
import resource, sys
from pathlib import Path
import pandas as pd
from songatlas import tables
from songatlas.config.features import LogMel
from songatlas.corpus.probe import probe_sources
from songatlas.corpus.result import sources_frame
from songatlas.corpus.windows import cut_windows
folder, feature = Path(sys.argv[1]), sys.argv[2]
song = str(folder / "long.flac")
probed = probe_sources(sources_frame([{"source_id": "a", "audio_path": song}]))
assert probed["reject"].isna().all(), probed["detail"].item()
windows = cut_windows(probed.assign(split="train"), 30.0, 20.0).assign(audio_path=song)
tables.write(windows[list(tables.SHARD.columns)], folder / "shard", tables.SHARD)
if feature == "logmel":
    from songatlas.features.audio.logmel import write_logmel as write
else:
    from songatlas.features.audio.descriptors import write_descriptors as write
write(folder / "shard", folder / "part", 30.0, LogMel(), folder / "rejects", folder / "warnings")
assert tables.read(folder / "rejects", tables.REJECTS).empty
print(len(windows), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def long_song(folder: Path, hours: float = 3.0) -> None:
    """A tone that sounds for a second of every minute (quick to write, small on disk)."""
    minute = np.zeros(60 * 8000, np.int16)
    minute[:8000] = 8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    with soundfile.SoundFile(folder / "long.flac", "w", 8000, 1) as file:
        for _ in range(round(60 * hours)):
            file.write(minute)


@pytest.mark.slow
@pytest.mark.parametrize("feature", ["logmel", "descriptors"])
def test_three_hours_take_less_than_one_and_a_half_gigabytes(tmp_path: Path, feature: str) -> None:
    long_song(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    command = [sys.executable, "-c", LONG, str(tmp_path), feature]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    windows, megabytes = done.stdout.split()
    print(f"{feature}: {windows} windows, peak {megabytes} MiB")
    assert int(windows) == (3 * 3600 - 30) // 20 + 1
    assert float(megabytes) < 1500


def test_memory_does_not_grow_with_the_song(tmp_path: Path) -> None:
    """What a long song takes beyond a short one is its feature values, not its samples."""
    import tracemalloc

    peaks = []
    for hours in (0.1, 1.0):
        long_song(tmp_path, hours)
        starts = np.arange(0.0, hours * 3600 - 30, 30.0).tolist()
        tracemalloc.start()
        for _ in decode_windows(tmp_path / "long.flac", RATE, starts, 30.0):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
