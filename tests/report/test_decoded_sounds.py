"""Latents as sound: how near a decoded waveform is, how loud, of which songs, what is listed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from conftest import ROOT
from songatlas import tables
from songatlas.config.features import LogMel
from songatlas.config.yaml_files import load_yaml
from songatlas.demo.synthesis.drums import kick
from songatlas.demo.synthesis.grid import SAMPLE_RATE_HZ, lay, seconds
from songatlas.demo.synthesis.instruments import electric_piano
from songatlas.errors import ConfigError
from songatlas.features.audio.logmel import log_mel
from songatlas.features.audio.loudness import integrated_loudness, true_peak
from songatlas.features.audio.standardise import standardise
from songatlas.latents.decode import LOUDNESS_LUFS, TRUE_PEAK, decode, equally_loud, waveforms
from songatlas.latents.traverse import MAX_DIMENSIONS, STEPS_SD
from songatlas.models.base import InputSpec, Model
from songatlas.models.registry import build
from songatlas.plan.forecast import Forecast
from songatlas.plan.preflight import need
from songatlas.plan.workflow import Plan
from songatlas.report.explorer import sound_list, sounds
from songatlas.report.explorer.audio import PREVIEW_RATE_HZ
from songatlas.training.data import Windows, prepare
from songatlas.words.write import NAMED

# Tiny layers: more threads only wait for one another.
torch.set_num_threads(1)

LOGMEL = LogMel(sample_rate_hz=16_000, n_mels=32, n_fft=512, hop_length=256)
LENGTH_S = 1.0
N_FRAMES = LOGMEL.n_frames(LENGTH_S)
SPEC = InputSpec(n_mels=32, n_frames=N_FRAMES, lyrics_dim=0, max_lines=0)
LATENT = 5
SONGS, PER_SONG = 6, 3
FORBIDDEN, SILENT = "song2", "song4"


def music(length_s: float = 4.0) -> np.ndarray:
    """Chords over a kick, (n,) float32 at `SAMPLE_RATE_HZ`."""
    rng = np.random.default_rng(0)
    track = np.zeros(seconds(length_s))
    for beat in range(int(2 * length_s)):
        lay(track, kick(rng, 50.0, 120.0, 0.15, 0.4), 0.5 * beat, 0.6)
        for midi in (48, 60, 64, 67):
            lay(track, electric_piano(midi + 5 * (beat // 2 % 2), 0.5, 0.7), 0.5 * beat, 0.1)
    return (0.5 * track / np.abs(track).max()).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return build("conv_vae", SPEC, LATENT, {}).eval()


@pytest.fixture
def windows() -> Windows:
    """Windows of six songs, those of one of them silent."""
    names = [f"song{song}" for song in range(SONGS) for _ in range(PER_SONG)]
    random = torch.Generator().manual_seed(0)
    mel = torch.randn(len(names), 32, N_FRAMES, generator=random) * 8 - 40
    mel[[name == SILENT for name in names]] = -100.0
    return Windows(
        window_ids=tuple(f"{name}-{row % PER_SONG:04d}" for row, name in enumerate(names)),
        track_ids=tuple(names),
        splits=("train",) * len(names),
        mel=mel.half(),
    )


@pytest.fixture
def latents(model: Model, windows: Windows) -> pd.DataFrame:
    with torch.inference_mode():
        z = model.embed(prepare(windows.batch(np.arange(len(windows))))).numpy()
    ids = windows.window_ids, windows.track_ids, windows.splits
    return tables.latents_frame("window", *ids, z)


@pytest.fixture
def space(windows: Windows, latents: pd.DataFrame) -> sounds.Space:
    licences = dict.fromkeys(windows.track_ids, "CC-BY-4.0") | {FORBIDDEN: "CC-BY-NC-ND-3.0"}
    return sounds.read_space(windows, latents, licences)


# --- waveforms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_mels", "hop_length"), [(64, 1024), (128, 512)])
def test_the_sound_of_an_exact_spectrogram_has_this_spectrogram(
    n_mels: int, hop_length: int
) -> None:
    config = LogMel(sample_rate_hz=SAMPLE_RATE_HZ, n_mels=n_mels, hop_length=hop_length)
    exact = log_mel(music()[None], config)
    again = log_mel(waveforms(exact, config), config)
    error = np.abs(again - exact[:, :, : again.shape[2]]).mean()
    assert error <= 4.0


def test_the_same_spectrogram_sounds_the_same_whatever_stands_beside_it() -> None:
    rng = np.random.default_rng(0)
    db = rng.uniform(-60, 0, (3, 32, 20)).astype(np.float32)
    together = waveforms(db, LOGMEL)
    assert together.shape == (3, 19 * LOGMEL.hop_length)
    assert np.array_equal(waveforms(db, LOGMEL), together)
    assert np.allclose(waveforms(db[1:2], LOGMEL)[0], together[1], atol=1e-4)


def test_a_decoded_window_has_the_level_and_spread_of_the_real_one(
    model: Model, windows: Windows
) -> None:
    mel = windows.mel
    assert isinstance(mel, torch.Tensor)
    loud = replace(windows, mel=mel + 20)
    rows = np.array([0, 4])
    batch = prepare(windows.batch(rows))
    with torch.inference_mode():
        z = model.embed(batch).numpy()
        reconstructed = model.reconstruct(batch)
    assert reconstructed is not None
    own = reconstructed[:, 0].numpy()
    db = decode(model, windows, z, rows)
    mean = mel[rows].float().numpy().mean((1, 2), keepdims=True)
    assert np.allclose(standardise(db), standardise(own), atol=1e-3)
    assert np.allclose(db, mean + batch["scale_db"].numpy()[:, None, None] * own, atol=1e-2)
    assert np.allclose(decode(model, loud, z, rows) - db, 20, atol=0.05)


# --- loudness -----------------------------------------------------------------------------------


def test_loudness_of_the_standards_sine_is_the_one_it_states() -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(5 * 48_000) / 48_000)
    assert integrated_loudness(sine, 48_000) == pytest.approx(-3.01, abs=0.01)
    # Silence around it is gated away; half as loud is 6.02 LU less.
    padded = np.pad(sine / 2, 10 * 48_000)
    assert integrated_loudness(padded, 48_000) == pytest.approx(-9.03, abs=0.3)


def test_true_peak_is_found_between_samples() -> None:
    sine = np.sin(2 * np.pi * 4_000 * np.arange(16_000) / 16_000 + np.pi / 4)
    assert np.abs(sine).max() == pytest.approx(np.sqrt(0.5))
    assert true_peak(sine) == pytest.approx(1.0, abs=0.05)


def test_sounds_are_equally_loud_and_never_clip() -> None:
    for gain in (0.01, 1.0):
        sound = equally_loud(gain * music(), SAMPLE_RATE_HZ)
        assert integrated_loudness(sound, SAMPLE_RATE_HZ) == pytest.approx(LOUDNESS_LUFS, abs=0.01)
        assert true_peak(sound) <= TRUE_PEAK
    clicks = np.zeros(4 * SAMPLE_RATE_HZ, np.float32)
    clicks[::20_000] = 1.0
    softer = equally_loud(clicks, SAMPLE_RATE_HZ)
    assert true_peak(softer) == pytest.approx(TRUE_PEAK, rel=1e-3)
    assert integrated_loudness(softer, SAMPLE_RATE_HZ) < LOUDNESS_LUFS


@pytest.mark.parametrize("length", [100, 40_000])
def test_silence_stays_silent(length: int) -> None:
    assert not equally_loud(np.zeros(length, np.float32), 16_000).any()
    assert not equally_loud(np.full(length, 1e-6, np.float32), 16_000).any()


# --- which sounds -------------------------------------------------------------------------------


def test_no_sound_is_made_of_a_song_that_forbids_derivatives_nor_of_silence(
    space: sounds.Space,
) -> None:
    assert (space.withheld, space.silent) == (1, PER_SONG)
    assert set(space.songs) == {f"song{song}" for song in range(SONGS)} - {FORBIDDEN, SILENT}
    assert {space.windows.track_ids[row] for row in space.rows} == set(space.songs)


def test_named_clusters_are_heard_else_kmeans_near_four() -> None:
    def clustering(algorithm: str, k: int, level: str = "song") -> pd.DataFrame:
        labels = np.arange(3) % k - (algorithm == "hdbscan")
        return pd.DataFrame(
            {"level": level, "track_id": ["a", "b", "c"], "algorithm": algorithm, "k": k}
        ).assign(label=labels)

    named = pd.DataFrame(
        {"model": "m", "k": 2, "cluster": [1, 0], "track_id": ["a", "b"], "name": "pop"}
    )
    listed = [clustering(*one) for one in (("gmm", 4), ("kmeans", 15), ("kmeans", 3))]
    clusters = pd.concat([*listed, clustering("kmeans", 4, "window")])
    assert sounds.heard_clusters("m", named, clusters) == ("consensus", {"a": 1, "b": 0})
    assert sounds.heard_clusters("other", named, clusters) == (
        "kmeans, k = 3", {"a": 0, "b": 1, "c": 2},
    )  # fmt: skip
    assert sounds.heard_clusters("other", named, clustering("kmeans", 4, "window")) == ("", {})
    nothing = tables.empty(NAMED), tables.empty(tables.CLUSTERS)
    assert sounds.heard_clusters("m", *nothing) == ("", {})


def test_centres_are_means_of_songs_that_allow_derivatives(space: sounds.Space) -> None:
    cluster_of = {"song0": 3, "song1": 3, FORBIDDEN: 3, SILENT: 1}
    found = sounds.cluster_centres(space, cluster_of)
    assert list(found) == [3]
    assert np.allclose(found[3], space.z[np.isin(space.songs, ["song0", "song1"])].mean(0))


def test_only_the_largest_clusters_are_heard(space: sounds.Space) -> None:
    songs = np.array([f"{number}" for number in range(40)])
    many = replace(space, z=np.zeros((40, 2)), songs=songs)
    cluster_of = {song: min(number, 20) for number, song in enumerate(songs)}
    found = sounds.cluster_centres(many, cluster_of)
    assert len(found) == sound_list.MOST_CLUSTERS
    assert 20 in found


def test_journeys_lead_to_the_nearest_centre_and_are_told_once() -> None:
    centres = {0: np.array([0.0]), 1: np.array([1.0]), 2: np.array([5.0])}
    assert sounds.nearest_pairs(centres) == [(0, 1), (1, 2)]
    assert sounds.nearest_pairs({0: np.zeros(1)}) == []


def test_nearest_songs_are_others_and_each_once(space: sounds.Space) -> None:
    found = sounds.nearest_songs(space, 0)
    assert len(found) == sound_list.NEAR_SONGS
    songs = [space.songs[window] for window in found]
    assert len({*songs, space.songs[0]}) == 1 + sound_list.NEAR_SONGS
    distance = ((space.z - space.z[0]) ** 2).sum(1)
    for window in found:
        assert distance[window] == distance[space.songs == space.songs[window]].min()


def test_reconstructions_are_spread_over_the_songs() -> None:
    songs = np.repeat(np.arange(10), 3)
    assert sounds.middle_windows(songs, 200) == list(range(1, 30, 3))
    assert sounds.middle_windows(songs, 2) == [1, 28]
    assert sounds.middle_windows(songs, 0) == []


# --- the files ----------------------------------------------------------------------------------


def write(model: Model, space: sounds.Space, folder: Path) -> int:
    cluster_of = {f"song{song}": song % 2 for song in range(SONGS)}
    return sounds.write_sounds(
        model,
        space,
        folder,
        clustering="kmeans, k = 2",
        cluster_of=cluster_of,
        dimensions={4: 2.0, 1: 1.0},
        reconstructions=3,
        logmel=LOGMEL,
        device="cpu",
    )


def test_a_models_sounds_are_small_files_that_its_list_describes(
    model: Model,
    space: sounds.Space,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    number = write(model, space, tmp_path)
    listed = sound_list.read_list(tmp_path)
    assert f"{number} sounds of 1 s follow: about" in caplog.text
    assert {path.name for path in tmp_path.glob("*.mp3")} == {f"{n}.mp3" for n in range(number)}
    assert len(listed["sounds"]) == number
    allowed = {space.windows.window_ids[row] for row in space.rows}
    assert {sound["near"] for sound in listed["sounds"]} <= allowed
    assert all(0 < sound["centroid_hz"] < 8_000 for sound in listed["sounds"])
    centres = [one["sound"] for one in listed["clusters"]]
    between = [one for one in listed["journeys"] if one["to"] is not None]
    assert [(one["sounds"][0], one["sounds"][-1]) for one in between] == [tuple(centres)]
    to_songs = [one for one in listed["journeys"] if one["to"] is None]
    assert len(to_songs) == 2 * sound_list.NEAR_SONGS
    assert {len(one["sounds"]) for one in listed["journeys"]} == {sound_list.STEPS}
    assert [one["dimension"] for one in listed["sliders"]] == [4, 1]
    assert {len(one["sounds"]) for one in listed["sliders"]} == {len(STEPS_SD)}
    assert len(listed["reconstructions"]) == 3
    assert all(0 < one["error_db"] < 50 for one in listed["reconstructions"])
    for path in tmp_path.glob("*.mp3"):
        samples, rate_hz = soundfile.read(path)
        assert rate_hz == PREVIEW_RATE_HZ
        assert 0.5 < len(samples) / rate_hz < 1.5
        assert 0.01 < np.abs(samples).max() < 1.0


def test_the_same_model_writes_the_same_sounds(
    model: Model, space: sounds.Space, tmp_path: Path
) -> None:
    for name in ("once", "again"):
        write(model, space, tmp_path / name)
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_corpus_that_allows_no_derivatives_has_no_sounds_and_is_told_why(
    model: Model, windows: Windows, latents: pd.DataFrame, tmp_path: Path
) -> None:
    forbidden = dict.fromkeys(windows.track_ids, "All rights reserved")
    assert write(model, sounds.read_space(windows, latents, forbidden), tmp_path) == 0
    listed = sound_list.read_list(tmp_path)
    assert listed["note"] == sounds.NOTHING_LEFT
    assert listed["withheld"] == SONGS
    assert [path.name for path in tmp_path.iterdir()] == [sound_list.LIST]


# --- the plan -----------------------------------------------------------------------------------


def plan(**changes: object) -> Plan:
    values = load_yaml(ROOT / "config" / "config.yaml").model_dump(mode="json")
    return Plan(values | {"explorer": {"decode": True}} | changes)


def test_models_whose_latents_decode_are_heard_and_the_others_say_why() -> None:
    found = plan(include=["conv_vae", "vq_vae", "vade_musicnn", "mean_mel"])
    assert found.decoded == ["conv_vae"]
    assert found.not_decoded.keys() == {"vq_vae", "vade_musicnn", "mean_mel"}
    assert "vectors" in found.not_decoded["vade_musicnn"]
    assert "no way back to a spectrogram" in found.not_decoded["vq_vae"]
    (said,) = found.dangers()
    assert f"at most {found.most_sounds} sounds" in said
    assert "is trained" not in said
    assert need(found).stages["report"] >= found.decoded_bytes
    stages = Forecast(found, 2, lambda: [("decoded_sounds", "conv_vae")]).stages()
    assert sum(stages.values()) == found.decoded_s > 30


def test_nothing_is_decoded_unless_it_is_asked_for() -> None:
    found = plan(explorer={}, include=["vq_vae"])
    assert (found.decoded, found.models, found.dangers()) == ([], ["vq_vae"], [])
    assert "report" not in need(found).stages


def test_a_run_without_a_decoder_trains_one_and_says_so() -> None:
    found = plan(include=["vq_vae", "mean_mel"])
    assert found.models == ["conv_vae", "vq_vae"]
    assert "logmel" in found.features
    assert "`conv_vae` is trained for them" in found.dangers()[0]
    undeclared = plan(models={"vq_vae": {"architecture": "vq_vae"}}, include=[])
    assert undeclared.models == ["vq_vae", "conv_vae"]


def test_another_model_of_the_decoders_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"explorer\.decode: .*models\.conv_vae"):
        plan(models={"conv_vae": {"architecture": "vq_vae"}}, include=[])


def test_the_most_sounds_are_never_fewer_than_those_made(
    model: Model, space: sounds.Space, tmp_path: Path
) -> None:
    assert write(model, space, tmp_path) <= sound_list.most_sounds(3)
    assert (MAX_DIMENSIONS, len(STEPS_SD)) == (sound_list.MOST_SLIDERS, sound_list.SLIDER_STEPS)
