"""musicnn in PyTorch: the original's values, from the wheel alone; songs of any length and kind."""

import shutil
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, pad

from conftest import ROOT
from songatlas.errors import SongatlasError
from songatlas.features.encoders.musicnn import LAYERS, SAMPLE_RATE_HZ, VALUES, tags
from songatlas.features.encoders.musicnn.filters import TemporalFilters, TimbralFilters, spectra
from songatlas.features.encoders.musicnn.frontend import (
    BANDS,
    PATCH_FRAMES,
    SHORTEST,
    log_mel,
    mel_power,
    pieces,
)
from songatlas.features.encoders.musicnn.song import Musicnn, Patches, song_mean, window_means
from songatlas.features.encoders.musicnn.tf_checkpoint import DamagedError, read_bundle
from songatlas.features.encoders.wheels import checked_wheel, find_wheel

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from musicnn_original import KEPT, synthetic

STEP_S = PATCH_FRAMES * 256 / SAMPLE_RATE_HZ
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def wheel() -> Path:
    if find_wheel("musicnn") is None:
        pytest.skip("the wheel of musicnn is absent (`make setup` fetches it)")
    return checked_wheel("musicnn")


@pytest.fixture(scope="module")
def musicnn(wheel: Path) -> Musicnn:
    return Musicnn(wheel)


def noise(seconds: float) -> np.ndarray:
    samples = round(seconds * SAMPLE_RATE_HZ)
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


def powers(blocks: list[np.ndarray]) -> np.ndarray:
    """Mel power of all patches of a song, one after another: (frames, BANDS)."""
    return np.concatenate([mel_power(piece) for piece in pieces(blocks[0], iter(blocks[1:]))])


# --- against the original ----------------------------------------------------------------------


def test_values_are_the_originals(musicnn: Musicnn) -> None:
    with np.load(KEPT) as kept:
        theirs = kept["values"]
    found = musicnn.embed_song(synthetic())
    assert found.values.shape == theirs.shape == (2, VALUES)
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, theirs, rtol=0, atol=1e-4)
    assert np.ptp(theirs, axis=0).max() > 0.5, "the two patches differ: none stands for the other"


def test_layers_and_tags_name_every_value() -> None:
    assert sum(dim for _, dim in LAYERS) == VALUES == 500
    assert len(tags()) == 100
    assert (tags()[0], tags()[49], tags()[50], tags()[99]) == ("rock", "happy", "guitar", "choral")


# --- front end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [7_000, 47_872, 60_001, 10**6])
def test_frames_are_those_of_the_whole_song_however_it_comes(block: int) -> None:
    song = noise(3 * STEP_S - 0.01)  # the last patch's last frame is reflected at the song's end
    whole = librosa.feature.melspectrogram(
        y=song, sr=SAMPLE_RATE_HZ, n_fft=512, hop_length=256, n_mels=BANDS, pad_mode="reflect"
    ).T
    assert len(whole) == 3 * PATCH_FRAMES
    head = max(block, SHORTEST)
    blocks = [song[:head], *(song[i : i + block] for i in range(head, len(song), block))]
    found = powers(blocks)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.astype(np.float32), whole, rtol=6e-4, atol=1e-7)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_rest_shorter_than_a_patch_is_left_out(missing: int) -> None:
    samples = SHORTEST + PATCH_FRAMES * 256 - missing
    assert len(powers([noise(5)[:0], noise(8)[:samples]][1:])) == PATCH_FRAMES * (2 - missing)


def test_powers_are_compressed_without_overflow() -> None:
    values = np.array([0, 1e-4, 1, 60_000], np.float16)
    expected = np.log10(1 + 1e4 * values.astype(np.float64))
    np.testing.assert_allclose(log_mel(values).numpy(), expected, rtol=1e-6)


def test_memory_does_not_grow_with_the_song() -> None:
    def hour() -> Iterator[np.ndarray]:
        for _ in range(600):
            yield noise(6)

    tracemalloc.start()
    try:
        blocks = hour()
        patches = sum(1 for piece in pieces(next(blocks), blocks) if len(piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert patches == int(3600 / STEP_S)
    assert peak < 4e6


# --- filters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [1, 38, 67, 95, 96])
@pytest.mark.parametrize("frames", [PATCH_FRAMES, 5])
def test_timbral_filters_are_the_largest_values_of_a_convolution(height: int, frames: int) -> None:
    kernel, patch = RNG.normal(size=(7, height, 6)), RNG.normal(size=(frames, BANDS))
    padded = pad(torch.from_numpy(patch)[None, None], (0, 0, 3, 3))
    expected = conv2d(padded, torch.from_numpy(kernel.transpose(2, 0, 1))[:, None]).amax(3)[0].T
    found = TimbralFilters(kernel)(spectra(torch.from_numpy(patch).float()))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("width", [128, 64, 32, 3])
@pytest.mark.parametrize("frames", [PATCH_FRAMES, 5])
def test_temporal_filters_are_the_largest_values_of_a_convolution(width: int, frames: int) -> None:
    kernel, patch = RNG.normal(size=(width, 1, 6)), RNG.normal(size=(frames, BANDS))
    padded = pad(torch.from_numpy(patch)[None, None], (0, 0, (width - 1) // 2, width // 2))
    expected = conv2d(padded, torch.from_numpy(kernel.transpose(2, 0, 1))[:, None]).amax(3)[0].T
    found = TemporalFilters(kernel)(torch.from_numpy(patch).float())
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=1e-4)


# --- songs and windows -------------------------------------------------------------------------


def test_blocks_give_what_the_whole_song_gives(musicnn: Musicnn) -> None:
    song = noise(10)
    whole = musicnn.embed_song(song)
    blocks = musicnn.embed_song(song[i : i + 9_999] for i in range(0, len(song), 9_999))
    np.testing.assert_array_equal(blocks.values, whole.values)
    expected = [(i * PATCH_FRAMES + 93) * 256 / SAMPLE_RATE_HZ for i in range(3)]
    np.testing.assert_allclose(whole.middles_s, expected)
    assert not whole.repeated


def test_a_patch_depends_on_its_own_part_of_the_song_alone(musicnn: Musicnn) -> None:
    song = noise(10)
    changed = song.copy()
    changed[round(4.0 * SAMPLE_RATE_HZ) : round(5.0 * SAMPLE_RATE_HZ)] = 0
    before, after = musicnn.embed_song(song).values, musicnn.embed_song(changed).values
    np.testing.assert_array_equal(before[[0, 2]], after[[0, 2]])
    assert np.abs(before[1] - after[1]).max() > 0.01


@pytest.mark.parametrize(
    ("excerpts", "kept"),
    [(1, [2]), (2, [1, 3]), (3, [0, 2, 4]), (5, [0, 1, 2, 3, 4]), (99, range(5))],
)
def test_excerpts_are_spread_over_the_song(
    musicnn: Musicnn, excerpts: int, kept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Musicnn, "_embed", lambda _, power: power[0].astype(np.float32))
    song = noise(5 * STEP_S)
    whole, some = musicnn.embed_song(song), musicnn.embed_song(song, excerpts)
    np.testing.assert_array_equal(some.values, whole.values[list(kept)])
    np.testing.assert_array_equal(some.middles_s, whole.middles_s[list(kept)])


def test_windows_are_means_of_the_patches_whose_middle_they_hold() -> None:
    patches = Patches(np.array([1.5, 4.5, 7.5]), np.array([[1.0], [2.0], [6.0]], np.float32), False)
    found = window_means(patches, [0.0, 1.5, 3.0, 1.6, 100.0, 5.0], 6.0)
    assert found[:, 0].tolist() == [1.5, 1.5, 4.0, 4.0, 6.0, 6.0]
    assert found.dtype == np.float32
    short = window_means(patches, [2.0, 3.1, 6.0], 1.0)
    assert short[:, 0].tolist() == [1.0, 2.0, 6.0], "no middle within: the nearest patch"
    assert song_mean(patches).tolist() == [3.0]
    assert window_means(patches, [], 6.0).shape == (0, 1)


# --- odd songs ---------------------------------------------------------------------------------


def test_a_song_shorter_than_a_patch_is_repeated(musicnn: Musicnn) -> None:
    short = noise(0.5)
    found = musicnn.embed_song(short)
    assert found.repeated
    assert found.values.shape == (1, VALUES)
    np.testing.assert_array_equal(
        found.values, musicnn.embed_song(np.resize(short, SHORTEST)).values
    )
    assert not musicnn.embed_song(noise(3)[:SHORTEST]).repeated


@pytest.mark.parametrize(
    "song",
    [np.zeros(80_000), np.ones(1), np.full(80_000, 1e9), np.tile([1e9, -1e9], 40_000)],
    ids=["silence", "one sample", "absurd offset", "absurdly loud"],
)
def test_every_value_is_a_number(musicnn: Musicnn, song: np.ndarray) -> None:
    assert np.isfinite(musicnn.embed_song(song.astype(np.float32)).values).all()


def test_songs_that_cannot_be_heard_are_refused(musicnn: Musicnn) -> None:
    for nothing in (np.zeros(0, np.float32), [], [np.zeros(0, np.float32)]):
        with pytest.raises(ValueError, match="holds no samples"):
            musicnn.embed_song(nothing)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            musicnn.embed_song(np.append(noise(5), np.float32(bad))[::-1])
    with pytest.raises(ValueError, match="at least one patch"):
        musicnn.embed_song(noise(5), 0)


# --- damaged weights ---------------------------------------------------------------------------


def checkpoint(wheel: Path) -> tuple[bytes, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        folder = "musicnn/MTT_musicnn"
        data = archive.read(f"{folder}/.data-00000-of-00001")
        return archive.read(f"{folder}/.index"), data


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


def test_every_byte_of_the_index_is_checked(wheel: Path) -> None:
    index, data = checkpoint(wheel)
    padding = len(index[:-8].rstrip(b"\0"))
    for at in [*range(0, padding, 7), padding - 1, *range(len(index) - 8, len(index))]:
        with pytest.raises(DamagedError):
            read_bundle(flipped(index, at), data)
    for end in (0, 40, len(index) // 2):
        with pytest.raises(DamagedError):
            read_bundle(index[:end], data)


def test_every_weight_is_checked_and_moments_are_left_out(wheel: Path) -> None:
    index, data = checkpoint(wheel)
    weights = read_bundle(index, data)
    assert len(weights) == 64
    for name in ("conv2d/kernel", "batch_normalization/beta", "dense_1/bias"):
        at = data.index(weights[name].tobytes())
        with pytest.raises(DamagedError, match=f"checksum of the tensor {name} is wrong"):
            read_bundle(index, flipped(data, at))
    with pytest.raises(DamagedError, match="checksum of the tensor"):
        read_bundle(index, data[: len(data) // 2])


def test_a_wheel_with_a_damaged_checkpoint_names_file_and_command(
    wheel: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as archive, zipfile.ZipFile(damaged, "w") as copy:
        for name in archive.namelist():
            if "/M" in name and "_musicnn/." in name and not name.endswith(".meta"):
                content = archive.read(name)
                copy.writestr(name, flipped(content, 99) if "MTT" in name else content)
    with pytest.raises(SongatlasError, match=r"none-any.whl: cannot be read.*MTT.*make setup"):
        Musicnn(damaged)


@pytest.mark.parametrize("damage", ["flip", "cut", "text", "gone"])
def test_a_damaged_wheel_names_file_and_command(wheel: Path, tmp_path: Path, damage: str) -> None:
    damaged = tmp_path / wheel.name
    shutil.copyfile(wheel, damaged)
    content = damaged.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        at = archive.getinfo("musicnn/MSD_musicnn/.index").header_offset + 200
    changed = {"flip": flipped(content, at), "cut": content[:-9], "text": b"<html>"}
    damaged.unlink()
    if damage in changed:
        damaged.write_bytes(changed[damage])
    with pytest.raises(SongatlasError, match=r"none-any.whl: cannot be read.*fetch_weights"):
        Musicnn(damaged)


def test_a_compressed_index_is_told(wheel: Path) -> None:
    from songatlas.features.encoders.musicnn.tf_checkpoint import masked_crc32c

    index, data = checkpoint(wheel)
    # The first block's trailer lies behind its places to start from; find it by its checksum.
    end = next(
        at
        for at in range(1, len(index))
        if struct.pack("<I", masked_crc32c(index[:at])) == index[at : at + 4]
    )
    block = index[: end - 1] + b"\1"
    with pytest.raises(DamagedError, match="compressed"):
        read_bundle(block + struct.pack("<I", masked_crc32c(block)) + index[end + 4 :], data)
