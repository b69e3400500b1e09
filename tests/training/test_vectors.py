"""Models that read vectors: what the config allows, their rows, and every architecture of them."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline import SMALL, snakemake, write_corpus
from songatlas import tables
from songatlas.config import feature_registry as features
from songatlas.config.clustering import Clustering
from songatlas.config.models import Model
from songatlas.config.new_songs import Assign
from songatlas.config.training import Loss, Training
from songatlas.corpus.language_id import languages
from songatlas.errors import ConfigError, NotApplicable
from songatlas.features.audio.descriptors import names as descriptor_names
from songatlas.features.encoders.musicnn import VALUES
from songatlas.latents.embed import write_latents, write_reconstruction
from songatlas.models import registry
from songatlas.models.base import InputSpec, parameter_count
from songatlas.models.table import Declared, architecture_table
from songatlas.new_songs.branches import chosen
from songatlas.new_songs.embed import embed_songs
from songatlas.new_songs.finished import Branch
from songatlas.plan.workflow import Plan
from songatlas.training.components import COMPARED_EPOCHS, NUMBERS, train_with_components
from songatlas.training.data import Windows, prepare, read_inputs
from songatlas.training.fit import Trained, train
from songatlas.training.summary import Summary
from songatlas.training.weights import Description, load_weights, save_weights

# Tiny layers: more threads only wait for one another.
torch.set_num_threads(1)

TOGETHER = {"audio": "musicnn", "lyrics": "e5"}

STORED = {"musicnn": VALUES, "descriptors": 155, "e5": 384, "language_id": 133}
"""Values of a row on disk, by every feature that models read as vectors."""

EITHER = [name for name in registry.architectures() if registry.entry(name).vectors == ("either",)]
BOTH = [name for name in registry.architectures() if len(registry.entry(name).vectors) == 2]
SOUNDS = [name for name in STORED if features.feature(name).reads == "audio"]
TEXTS = [name for name in STORED if features.feature(name).reads == "lyrics"]
FUSIONS = ("early", "late", "contrastive", "poe")
QUICK = Training(max_epochs=2, batch_size=8, learning_rate=1e-3, device="cpu", precision="32")
FEW = {
    "vade": {"n_components": 3},
    "dec": {"n_clusters": 3, "pretrain_epochs": 1},
    "idec": {"n_clusters": 3, "pretrain_epochs": 1},
    "multimodal_vade": {"n_components": 3, "pretrain_epochs": 1},
}
N_SONGS = 20

NOTHING_YET = Summary(
    model="vade",
    architecture="vade",
    seed=0,
    latent_dim=4,
    loss_scale="elbo",
    device="cpu",
    precision="32",
    processes=1,
    n_train_windows=0,
    n_validation_windows=0,
    supervision="none",
    control="",
    control_of="",
)


def values_of(name: str, n: int, seed: int = 0) -> np.ndarray:
    """Rows of three kinds, (n, STORED[name]) float32."""
    rng = np.random.default_rng(seed)
    kinds = rng.normal(size=(3, STORED[name]))
    values = kinds[np.arange(n) % 3] + rng.normal(scale=0.3, size=(n, STORED[name]))
    return np.abs(values).astype(np.float32)


def write_part(path: Path, name: str, ids: list[str], values: np.ndarray, key: str) -> list[Path]:
    tables.write_feature(path, name, ids, values, key=key, units="anything")
    return [path]


def write_tables(folder: Path, n_songs: int = N_SONGS, alone: int = 0) -> dict[str, Any]:
    """Tables of songs with two windows each, and of some that have no audio."""
    tracks = [f"t{i:02d}" for i in range(n_songs + alone)]
    split = ["validation" if i % 5 == 4 else "train" for i in range(n_songs + alone)]
    frame = tables.empty(tables.TRACKS).reindex(range(len(tracks)))
    frame = frame.assign(
        track_id=tracks, source_id=tracks, split=split, lyrics_source="none", status="ok"
    )
    tables.write(frame, folder / "tracks.parquet", tables.TRACKS)
    heard = np.repeat(np.arange(n_songs), 2)
    windows = tables.empty(tables.WINDOWS).reindex(range(len(heard)))
    windows = windows.assign(
        window_id=[f"{tracks[i]}-{j % 2}" for j, i in enumerate(heard)],
        track_id=[tracks[i] for i in heard],
        split=[split[i] for i in heard],
        index=np.arange(len(heard)) % 2,
        start_s=0.0,
        end_s=1.0,
        padded=False,
    )
    tables.write(windows, folder / "windows.parquet", tables.WINDOWS)
    return {"windows": folder / "windows.parquet", "tracks": folder / "tracks.parquet"}


def files_of(folder: Path, name: str, values: np.ndarray | None = None, **more: int) -> dict:
    """Files of a corpus with one feature."""
    files = write_tables(folder, **more)
    of = features.feature(name)
    key, column = (of.key, "windows") if of.reads == "audio" else ("track_id", "tracks")
    ids = list(pd.read_parquet(files[column])[key])
    values = values_of(name, len(ids)) if values is None else values
    return {**files, of.reads: write_part(folder / f"{name}.parquet", name, ids, values, key)}


def files_of_both(folder: Path, sound: str, text: str, n_songs: int = N_SONGS) -> dict[str, Any]:
    """Songs with audio, the first third of them without lyrics, and three with lyrics alone."""
    files = files_of(folder, sound, n_songs=n_songs, alone=3)
    ids = [f"t{i:02d}" for i in range(n_songs // 3, n_songs + 3)]
    values = values_of(text, len(ids))
    return {
        **files,
        "lyrics": write_part(folder / f"{text}.parquet", text, ids, values, "track_id"),
    }


def spec_of(*names: str, songs: bool = False) -> InputSpec:
    reads = {features.feature(name).reads: name for name in names}
    one = tuple(key for key, name in reads.items() if not features.kind(name).standardise)
    return InputSpec(0, 0, 0, 0, songs=songs, one_unit=one)


def trained(
    windows: Windows, spec: InputSpec, architecture: str, options: dict | None = None
) -> Trained:
    options = FEW.get(architecture, {}) if options is None else options
    return train(
        windows,
        Description(architecture, spec, 4, options),
        QUICK,
        Loss(kl_warmup_epochs=1),
        name="model",
        beta=1.0,
        seed=0,
    )


def latents(found: Trained, windows: Windows, folder: Path) -> pd.DataFrame:
    save_weights(folder / "weights.ckpt", found.description, found.weights)
    model, _ = load_weights(folder / "weights.ckpt")
    write_latents(model, windows, folder / "latents.parquet", name="model")
    return tables.read(folder / "latents.parquet", tables.LATENTS)


# --- what there is to read ---------------------------------------------------------------------


def test_every_feature_that_can_be_read_says_how_wide_its_vectors_are() -> None:
    assert features.readable().keys() == STORED.keys()
    assert (STORED["descriptors"], STORED["language_id"]) == (
        len(descriptor_names()),
        len(languages()),
    )
    for name in STORED:
        kind = features.kind(name)
        assert kind.vectors(values_of(name, 2)).shape == (2, kind.width)


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("architecture", EITHER)
def test_every_architecture_trains_on_every_feature(
    tmp_path: Path, architecture: str, name: str
) -> None:
    songs = features.readable()[name] == "lyrics"
    windows, spec = read_inputs(files_of(tmp_path, name), spec_of(name, songs=songs))
    found = trained(windows, spec, architecture)
    frame = latents(found, windows, tmp_path)
    z = np.stack(list(frame["z"]))
    assert np.isfinite(z).all()
    assert z.shape == (N_SONGS if songs else 3 * N_SONGS, 4)
    assert z.std(0).max() > 0.01


def test_every_architecture_of_vectors_is_tested_here() -> None:
    of_vectors = [name for name in registry.architectures() if registry.entry(name).vectors]
    assert sorted(EITHER + BOTH) == of_vectors


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("architecture", BOTH)
def test_both_modalities_train_on_every_pair_of_features(
    tmp_path: Path, architecture: str, sound: str, text: str
) -> None:
    files = files_of_both(tmp_path, sound, text)
    windows, spec = read_inputs(files, spec_of(sound, text, songs=True))
    frame = latents(trained(windows, spec, architecture), windows, tmp_path)
    z = np.stack(list(frame["z"]))
    assert np.isfinite(z).all()
    assert z.shape == (N_SONGS + 3, 4)
    assert z.std(0).max() > 0.01


@pytest.mark.parametrize("fusion", FUSIONS)
def test_fusion_of_vectors_keeps_what_each_song_has_in_its_blocks(
    tmp_path: Path, fusion: str
) -> None:
    windows, spec = read_inputs(
        files_of_both(tmp_path, "musicnn", "e5"), spec_of("musicnn", "e5", songs=True)
    )
    found = trained(windows, spec, "fusion", {"fusion": fusion, "shared_share": 0.5})
    frame = latents(found, windows, tmp_path)
    z = np.stack(list(frame["z"]))
    blocks = tables.read_metadata(tmp_path / "latents.parquet")["blocks"]
    there = {
        "audio": np.arange(N_SONGS + 3) < N_SONGS,
        "lyrics": np.arange(N_SONGS + 3) >= N_SONGS // 3,
        "shared": np.ones(N_SONGS + 3, bool),
    }
    assert set(blocks) == set(there) - ({"shared"} if fusion == "late" else set())
    for name, (start, stop) in blocks.items():
        assert ((z[:, start:stop] != 0).any(1) == there[name]).all()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_stands_for_a_missing_vector_has_no_effect(fusion: str) -> None:
    spec = InputSpec(0, 0, 5, 0, audio_dim=6, songs=True, one_unit=("lyrics",))
    torch.manual_seed(0)
    model = registry.build("fusion", spec, 8, {"fusion": fusion, "width": 7})
    batch = {
        "audio": torch.randn(12, 6),
        "lyrics": torch.randn(12, 5),
        "has_mel": torch.arange(12) % 3 > 0,
        "has_lyrics": torch.arange(12) % 4 > 0,  # row 0 has neither
        "row": torch.arange(12),
    }
    other = {name: values.clone() for name, values in batch.items()}
    other["audio"][~batch["has_mel"]] = math.nan
    other["lyrics"][~batch["has_lyrics"]] = math.inf
    model.begin(lambda: [batch])
    losses = []
    for one in (batch, other):
        torch.manual_seed(1)
        loss = model.loss(one, kl_weight=1.0, scale="elbo")["loss"]
        model.zero_grad()
        loss.backward()
        losses.append([loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    torch.testing.assert_close(losses[0], losses[1])
    assert not model.eval().embed(other)[0].any()
    assert torch.equal(model.embed(batch), model.embed(other))


def test_blocks_of_a_fusion_start_as_principal_components() -> None:
    rng = np.random.default_rng(0)
    audio = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6)) + 3.0
    batch = {
        "audio": torch.tensor(audio).float(),
        "lyrics": torch.tensor(rng.normal(size=(50, 3))).float(),
        "has_mel": torch.ones(50, dtype=torch.bool),
        "has_lyrics": torch.ones(50, dtype=torch.bool),
    }
    spec = InputSpec(0, 0, 3, 0, audio_dim=6, songs=True)
    model = registry.build("fusion", spec, 8, {"fusion": "late"}).eval()
    model.begin(lambda: [batch])
    start, stop = model.blocks["audio"]
    z = model.embed(batch)[:, start:stop]
    distances = torch.cdist(z, z)
    torch.testing.assert_close(
        distances / distances.max(),
        (kept := torch.cdist(*[model.vectors(batch)[0]] * 2)) / kept.max(),
        atol=1e-3,
        rtol=1e-3,
    )


@pytest.mark.parametrize("scale", ["paper", "elbo"])
@pytest.mark.parametrize("architecture", EITHER)
def test_both_scales_of_the_loss_are_of_vectors(architecture: str, scale: str) -> None:
    spec = InputSpec(0, 0, 0, 0, audio_dim=6)
    model = registry.build(architecture, spec, 2, FEW.get(architecture, {}))
    model.pretraining = True
    batch = {"audio": torch.randn(5, 6), "row": torch.arange(5)}
    terms = model.loss(batch, kl_weight=1.0, scale=scale)
    terms["loss"].backward()
    assert model.decode(model.embed(batch), batch).shape == (5, 6)
    assert any(one.grad is not None and one.grad.abs().sum() > 0 for one in model.parameters())


def test_before_training_latents_are_principal_components() -> None:
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6)) + 3.0).float()
    model = registry.build("basic_vae", InputSpec(0, 0, 0, 0, audio_dim=6), 2, {}).eval()
    model.begin(lambda: [{"audio": x[:30]}, {"audio": x[30:]}])
    batch = {"audio": x}
    decoded = model.decode(model.embed(batch), batch)
    torch.testing.assert_close(decoded, model.target(batch), atol=1e-3, rtol=1e-3)
    z = model.embed(batch)
    assert z.var(0, correction=0).mean().item() == pytest.approx(1.0, abs=1e-3)


def test_features_in_one_unit_keep_which_dimension_varies_most(tmp_path: Path) -> None:
    files = files_of(tmp_path, "e5")
    for name, same in (("each", True), ("one", False)):
        spec = replace(spec_of("e5", songs=True), one_unit=("lyrics",) if name == "one" else ())
        windows, spec = read_inputs(files, spec)
        model = registry.build("basic_vae", spec, 4, {})
        model.begin(lambda w=windows: [w.batch(np.arange(len(w)))])
        deviations = model.target(windows.batch(np.arange(len(windows)))).std(0)
        assert bool(deviations.max() / deviations.min() < 1.1) == same


# --- rows --------------------------------------------------------------------------------------


def test_rows_with_nan_are_left_out_and_counted(tmp_path: Path) -> None:
    values = values_of("musicnn", 2 * N_SONGS)
    values[3, 7], values[8] = np.nan, np.inf
    windows, spec = read_inputs(files_of(tmp_path, "musicnn", values), spec_of("musicnn"))
    assert len(windows) == 2 * N_SONGS - 2
    assert "2 vectors of musicnn" in windows.note
    latents(trained(windows, spec, "basic_vae"), windows, tmp_path)
    assert "2 vectors" in tables.read_metadata(tmp_path / "latents.parquet")["note"]


def test_a_feature_of_nan_alone_is_no_reason_to_fail(tmp_path: Path) -> None:
    values = np.full((2 * N_SONGS, VALUES), np.nan, np.float32)
    files = files_of(tmp_path, "musicnn", values)
    with pytest.raises(NotApplicable, match="no song of this corpus has vectors; 40 vectors"):
        read_inputs(files, spec_of("musicnn"))


@pytest.mark.parametrize("architecture", ["autoencoder", "basic_vae"])
@pytest.mark.parametrize("name", STORED)
def test_a_constant_feature_trains_without_nan(
    tmp_path: Path, architecture: str, name: str
) -> None:
    n = N_SONGS if features.readable()[name] == "lyrics" else 2 * N_SONGS
    values = np.tile(values_of(name, 1), (n, 1))
    windows, spec = read_inputs(files_of(tmp_path, name, values), spec_of(name, songs=n == N_SONGS))
    frame = latents(trained(windows, spec, architecture), windows, tmp_path)
    assert np.isfinite(np.stack(list(frame["z"]))).all()


@pytest.mark.parametrize(("architecture", "named"), [("vade", "components"), ("dec", "clusters")])
def test_fewer_different_rows_than_components_say_so(
    tmp_path: Path, architecture: str, named: str
) -> None:
    values = np.tile(values_of("musicnn", 2), (N_SONGS, 1))
    windows, spec = read_inputs(files_of(tmp_path, "musicnn", values), spec_of("musicnn"))
    with pytest.raises(NotApplicable, match=f"not trained: 3 {named} need as many different"):
        trained(windows, spec, architecture)


@pytest.mark.parametrize("architecture", EITHER)
def test_one_song_is_too_little_at_song_level(tmp_path: Path, architecture: str) -> None:
    files = files_of(tmp_path, "e5", n_songs=1)
    windows, spec = read_inputs(files, spec_of("e5", songs=True))
    with pytest.raises(NotApplicable, match="1 training windows"):
        trained(windows, spec, architecture)


@pytest.mark.parametrize("architecture", BOTH)
@pytest.mark.parametrize("bad", ["NaN", "all NaN", "constant", "neither", "few songs"])
def test_bad_vectors_of_two_modalities_train_to_finite_latents(
    tmp_path: Path, architecture: str, bad: str
) -> None:
    n_songs = 3 if bad == "few songs" else N_SONGS
    files = files_of_both(tmp_path, "musicnn", "e5", n_songs)
    values = values_of("musicnn", 2 * n_songs)
    if bad == "constant":
        values[:] = 1.0
    elif bad == "NaN":
        values[[0, 1, 6], 7] = math.nan
    elif bad == "all NaN":
        values[:] = math.nan
    elif bad == "neither":
        ids = [f"t{i:02d}" for i in range(6, n_songs + 3)]
        texts = values_of("e5", len(ids))
        texts[-1] = 0.0  # of a song that has no audio either
        files["lyrics"] = write_part(tmp_path / "e5.parquet", "e5", ids, texts, "track_id")
    ids = list(pd.read_parquet(files["windows"])["window_id"])
    files["audio"] = write_part(tmp_path / "musicnn.parquet", "musicnn", ids, values, "window_id")
    windows, spec = read_inputs(files, spec_of("musicnn", "e5", songs=True))
    options = {"n_components": 12} if architecture == "multimodal_vade" else {}
    frame = latents(trained(windows, spec, architecture, options), windows, tmp_path)
    assert np.isfinite(np.stack(list(frame["z"]))).all()
    # Song 0 has no lyrics, and no audio once both of its windows hold NaN; no song of the first
    # third has either where no audio is finite.
    left_out = {"NaN": 1, "all NaN": n_songs // 3}.get(bad, 0)
    assert len(frame) == n_songs + 3 - left_out


@pytest.mark.parametrize("architecture", BOTH)
def test_one_song_of_two_modalities_is_too_little(tmp_path: Path, architecture: str) -> None:
    files = files_of(tmp_path, "musicnn", n_songs=1)
    values = values_of("e5", 1)
    files["lyrics"] = write_part(tmp_path / "e5.parquet", "e5", ["t00"], values, "track_id")
    windows, spec = read_inputs(files, spec_of("musicnn", "e5", songs=True))
    with pytest.raises(NotApplicable, match="1 training windows"):
        trained(windows, spec, architecture)


def test_songs_of_audio_are_the_features_own_vectors_else_means(tmp_path: Path) -> None:
    files = files_of(tmp_path, "musicnn")
    spec = spec_of("musicnn", songs=True)
    means, _ = read_inputs(files, spec)
    of_windows, _ = read_inputs(files, spec_of("musicnn"))
    assert len(means) == N_SONGS
    torch.testing.assert_close(means.audio[3], of_windows.audio[6:8].mean(0))
    own = values_of("musicnn", N_SONGS, seed=1)
    path = tmp_path / "songs.parquet"
    ids = [f"t{i:02d}" for i in range(N_SONGS)]
    files["audio_songs"] = write_part(path, "musicnn", ids, own, "track_id")
    found, _ = read_inputs(files, spec)
    expected = torch.tensor(features.kind("musicnn").vectors(own)).float()
    torch.testing.assert_close(found.audio, expected)


def test_at_song_level_latents_and_own_clusters_are_of_songs_alone(tmp_path: Path) -> None:
    windows, spec = read_inputs(files_of(tmp_path, "musicnn"), spec_of("musicnn", songs=True))
    frame = latents(trained(windows, spec, "vade"), windows, tmp_path)
    assert set(frame["level"]) == {"song"}
    assert list(frame["track_id"]) == sorted(frame["track_id"])
    assert len(frame) == N_SONGS
    assert frame["own_label"].between(0, 2).all()


def test_of_two_vectors_either_may_be_missing(tmp_path: Path) -> None:
    files = files_of(tmp_path, "musicnn", alone=3)
    lyrics = values_of("e5", 5)
    lyrics[1] = np.nan
    ids = ["t00", "t01", "t20", "t21", "t22"]
    files["lyrics"] = write_part(tmp_path / "lyrics.parquet", "e5", ids, lyrics, "track_id")
    windows, spec = read_inputs(files, spec_of("musicnn", "e5", songs=True))
    assert (spec.audio_dim, spec.lyrics_dim, len(windows)) == (400, 384, N_SONGS + 3)
    batch = prepare(windows.batch(np.arange(len(windows))))
    assert batch["has_mel"].tolist() == [True] * N_SONGS + [False] * 3
    assert torch.equal(batch["has_mel"], (batch["audio"] != 0).any(1))
    with_lyrics = [windows.track_ids[row] for row in torch.where(batch["has_lyrics"])[0]]
    assert with_lyrics == ["t00", "t20", "t21", "t22"]
    assert not {"mel", "db"} & set(batch)
    of_windows, _ = read_inputs(files, spec_of("musicnn", "e5"))
    assert len(of_windows) == 2 * N_SONGS + 3
    assert torch.equal(of_windows.lyrics[0], of_windows.lyrics[1])


def test_vectors_have_no_reconstruction_to_show(tmp_path: Path) -> None:
    windows, spec = read_inputs(files_of(tmp_path, "musicnn"), spec_of("musicnn"))
    model = registry.build("basic_vae", spec, 4, {})
    write_reconstruction(model, windows, tmp_path / "shown.parquet", name="model")
    assert tables.read_feature([tmp_path / "shown.parquet"])[0] == []
    note = tables.read_metadata(tmp_path / "shown.parquet")["note"]
    assert note == "this model reads no spectrograms"


# --- the number of components ------------------------------------------------------------------


def test_the_number_of_components_is_the_one_of_the_best_bound(tmp_path: Path) -> None:
    windows, spec = read_inputs(files_of(tmp_path, "musicnn", n_songs=60), spec_of("musicnn"))
    losses = dict(zip(NUMBERS, [5.0, 4.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], strict=True))
    asked = []

    def fake(windows: Windows, description: Description, training: Training) -> Trained:
        number = description.options["n_components"]
        asked.append((number, training.max_epochs))
        summary = replace(NOTHING_YET, best_validation_loss=losses[number])
        return Trained(description, {}, tables.empty(tables.HISTORY), summary)

    description = Description("vade", spec, 4, {"n_components": "auto"})
    long = QUICK.model_copy(update={"max_epochs": 50})
    found = train_with_components(windows, description, long, fake)
    enough = [number for number in NUMBERS if 5 * number <= len(windows.rows("train"))]
    assert asked == [*((number, COMPARED_EPOCHS) for number in enough), (8, 50)]
    assert found.description.options["n_components"] == found.summary.n_components == 8
    assert found.summary.bounds == {number: losses[number] for number in enough}


def test_without_validation_songs_some_training_songs_are_held_out(tmp_path: Path) -> None:
    windows, spec = read_inputs(files_of(tmp_path, "musicnn"), spec_of("musicnn"))
    windows = replace(windows, splits=("train",) * len(windows))
    held_out = []

    def fake(windows: Windows, description: Description, training: Training) -> Trained:
        held_out.append({windows.track_ids[row] for row in windows.rows("validation")})
        summary = replace(NOTHING_YET, best_validation_loss=0.0)
        return Trained(description, {}, tables.empty(tables.HISTORY), summary)

    description = Description("vade", spec, 4, {})
    train_with_components(windows, description, QUICK, fake)
    assert held_out[0] == {"t00", "t10"}
    assert held_out[-1] == set()


def test_too_few_rows_for_any_number_say_so(tmp_path: Path) -> None:
    files = files_of(tmp_path, "e5")
    windows, spec = read_inputs(files, spec_of("e5", songs=True))
    description = Description("vade", spec, 4, {"n_components": "auto"})
    with pytest.raises(NotApplicable, match="need 20 training rows, there are 16"):
        train_with_components(windows, description, QUICK, lambda *_: pytest.fail("trained"))


# --- config and plan ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"reads": {"audio": "musicn"}}, "reads: audio: `musicn` is no feature that is read"),
        ({"reads": {"audio": "encoder"}}, "reads: audio: `encoder` is no feature that is read"),
        ({"reads": {"lyrics": "lyrics_song"}}, "`lyrics_song` is no feature that is read"),
        ({"reads": {"audio": "e5"}}, "audio: `e5` is a feature of lyrics; write `lyrics: e5`"),
        ({"reads": {"lyrics": "musicnn"}}, "write `audio: musicnn`"),
        ({"reads": {"audio": "logmel", "lyrics": "e5"}}, "`logmel` is no feature that is read"),
        ({"architecture": "conv_vae", "reads": {"audio": "musicnn"}}, "takes no vectors of audio"),
        (
            {"reads": {"audio": "musicnn", "lyrics": "e5"}},
            "reads: `vade` takes no vectors of audio and lyrics",
        ),
        (
            {"architecture": "dec", "encoder": "conv_vae", "reads": {"audio": "musicnn"}},
            "encoder: `conv_vae` is no plain autoencoder or VAE of vectors",
        ),
        (
            {"architecture": "fusion", "reads": {"lyrics": "e5"}},
            "reads: `fusion` takes no vectors of lyrics alone; what does: autoencoder",
        ),
        (
            {"architecture": "multimodal_vade", "reads": {"audio": "musicnn"}},
            "reads: `multimodal_vade` takes no vectors of audio alone",
        ),
        (
            {"architecture": "fusion", "reads": TOGETHER, "fusion": "attention"},
            "fusion: Input should be 'early', 'late', 'contrastive' or 'poe'",
        ),
        ({"architecture": "fusion", "reads": TOGETHER, "channels": [8]}, "channels"),
        ({"level": "song"}, "`level` is for models that read vectors"),
        ({"reads": {"lyrics": "e5"}, "level": "window"}, "`level: window` needs `audio`"),
        (
            {"reads": {"audio": "musicnn"}, "loss": {"attributes": {"tempo": 0}}},
            "loss.attributes needs spectrograms",
        ),
        ({"reads": {"audio": "musicnn"}, "n_components": "many"}, "n_components"),
        ({"n_components": "auto"}, "n_components"),
    ],
)
def test_what_cannot_be_read_is_refused_before_any_job(model: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=r"models\.one") as refused:
        Plan({"models": {"one": {"architecture": "vade"} | model}})
    assert message in str(refused.value)


def test_rows_and_latents_that_the_config_leaves_open() -> None:
    both = {"audio": "musicnn", "lyrics": "e5"}
    for reads, level, songs, latent_dim in (
        ({}, None, False, 128),
        ({"audio": "logmel"}, None, False, 128),
        ({"audio": "musicnn"}, None, False, 16),
        ({"audio": "musicnn"}, "song", True, 16),
        ({"lyrics": "e5"}, None, True, 16),
        (both, None, True, 16),
        (both, "window", False, 16),
    ):
        model = Model(architecture="vade", reads=reads, level=level)
        assert (model.of_songs, model.latent_dim) == (songs, latent_dim)


def plan_of(**models: dict) -> Plan:
    return Plan({"models": models, "loss": {"attributes": {"tempo": 0}}})


def test_the_plan_knows_what_a_model_of_vectors_reads() -> None:
    plan = plan_of(
        one={"architecture": "vade", "reads": {"audio": "musicnn"}, "level": "song"},
        other={"architecture": "basic_vae"},
        plain={"architecture": "basic_vae", "reads": {"audio": "descriptors"}},
    )
    assert plan.features == {"musicnn", "descriptors", "logmel"}
    assert (plan.of_spectrograms, plan.variational) == (["other"], ["other"])
    one, plain = plan.model("one"), plan.model("plain")
    assert one["declared"]["taught"] == "elsewhere"
    assert "taught" not in plain["declared"]
    assert (one["spec"]["audio_dim"], one["spec"]["songs"]) == (400, True)
    assert (one["spec"]["one_unit"], plain["spec"]["one_unit"]) == (["audio"], [])
    assert one["loss"]["attributes"] == {}
    assert plan.bound("other") == {"tempo": 0}


def test_the_run_does_without_a_model_whose_feature_cannot_be_computed_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # a finished demo here would have the feature
    absent = replace(features.feature("musicnn"), missing=lambda: "no weights; fetch them")
    monkeypatch.setitem(features._declared().features, "musicnn", absent)
    plan = plan_of(
        one={"architecture": "vade", "reads": {"audio": "musicnn"}},
        other={"architecture": "basic_vae"},
    )
    assert plan.models == ["other"]
    assert plan.dangers() == ["the run does without the row `one`: no weights; fetch them"]


def test_what_a_model_reads_is_part_of_its_code() -> None:
    plan = plan_of(
        one={"architecture": "basic_vae", "reads": {"audio": "musicnn"}},
        two={"architecture": "basic_vae", "reads": {"audio": "descriptors"}},
    )
    assert plan.code_of_models("train", "one") != plan.code_of_models("train", "two")


def test_the_table_counts_the_towers_of_vectors() -> None:
    reads = {"reads": {"audio": "musicnn"}}
    plan = plan_of(
        one={"architecture": "vade", "n_components": 10} | reads,
        two={"architecture": "autoencoder"} | reads,
    )
    declared, other = plan.declared_models()
    table = architecture_table([Declared(**declared), Declared(**other)], InputSpec(64, 216, 0, 0))
    row, two = table.to_dict("records")
    model = registry.build("vade", InputSpec(**declared["spec"]), 16, declared["options"])
    assert row["parameters"] == parameter_count(model)
    assert row["compression"] == "25:1"
    assert two["key_feature"].startswith("dense layers without a prior")
    assert "of vectors of 400 values; widths 256–128" in row["key_feature"]


def test_the_table_states_the_widths_of_both_towers() -> None:
    plan = plan_of(
        one={"architecture": "multimodal_vade", "reads": {**TOGETHER, "lyrics": "language_id"}},
        two={"architecture": "fusion", "reads": TOGETHER, "fusion": "late"},
        three={"architecture": "dec", "encoder": "basic_vae", "reads": {"audio": "descriptors"}},
    )
    declared = [Declared(**one) for one in plan.declared_models()]
    table = architecture_table(declared, InputSpec(64, 216, 0, 0)).set_index("model")
    feature = table["key_feature"]
    assert "of vectors of 533 values; widths audio 256, lyrics 133" in feature["one"]
    assert "of vectors of 784 values; widths audio 128, lyrics 128; fusion late" in feature["two"]
    assert "of vectors of 155 values; widths 256–128" in feature["three"]
    assert (table["parameters"] > 0).all()


def test_a_fusion_of_vectors_is_multimodal_and_answers_no_text() -> None:
    plan = plan_of(one={"architecture": "fusion", "reads": TOGETHER})
    assert plan.multimodal == ["one"]
    assert plan.query_model is None


# --- new songs ---------------------------------------------------------------------------------


def test_new_songs_are_given_to_models_of_vectors_of_audio() -> None:
    plan = plan_of(
        sound={"architecture": "vade", "reads": {"audio": "musicnn"}},
        words={"architecture": "vade", "reads": {"lyrics": "e5"}},
    )
    found = chosen(plan.assign_branches, Assign(path="anywhere"))
    assert found == [Branch("sound", 0, ("musicnn",))]
    with pytest.raises(ConfigError, match="`words` reads lyrics"):
        chosen(plan.assign_branches, Assign(path="anywhere", models=["words"]))


@pytest.mark.parametrize("songs", [False, True])
def test_the_runs_own_songs_come_out_as_they_were(tmp_path: Path, songs: bool) -> None:
    files = files_of(tmp_path, "musicnn")
    windows, spec = read_inputs(files, spec_of("musicnn", songs=songs))
    frame = latents(trained(windows, spec, "vade"), windows, tmp_path)
    corpus = SimpleNamespace(
        windows=tables.read(files["windows"], tables.WINDOWS),
        tracks=tables.read(files["tracks"], tables.TRACKS),
    )
    new = SimpleNamespace(corpus=corpus, features={"musicnn": files["audio"][0]}, whole={})
    run = SimpleNamespace(
        latents=lambda branch: frame, weights=lambda branch: tmp_path / "weights.ckpt"
    )
    (tmp_path / "scratch").mkdir()
    branch = Branch("model", 0, ("musicnn",))
    found = embed_songs(new, run, branch, Clustering(), tmp_path / "scratch")
    known = frame[frame["level"] == "song"]
    assert found.ids == list(known["track_id"])
    np.testing.assert_allclose(found.z, np.stack(list(known["z"])), atol=1e-6)


# --- a run -------------------------------------------------------------------------------------


def test_a_run_clusters_windows_by_sound_and_songs_by_words(tmp_path: Path) -> None:
    write_corpus(tmp_path / "songs")
    own = """models:
  by_sound: {architecture: vade, reads: {audio: descriptors}, n_components: auto}
  by_words: {architecture: vade, reads: {lyrics: language_id}, n_components: 2}
  too_few: {architecture: vade, reads: {lyrics: language_id}, n_components: 50}
"""
    (tmp_path / "config.yaml").write_text(SMALL.replace("models:\n", own))
    names = ("by_sound", "by_words", "too_few")
    wanted = [f"results/small/clusters/{name}/seed-0.parquet" for name in names]
    snakemake(
        tmp_path,
        *("--configfile", str(tmp_path / "config.yaml")),
        *("--config", "corpus_path=songs", f"include={','.join(names)}", "--"),
        *wanted,
        "results/small/tables/architectures.csv",
        "results/small/tables/training.csv",
    )
    found = {
        name: pd.read_parquet(tmp_path / path) for name, path in zip(names, wanted, strict=True)
    }
    assert set(found["by_sound"]["level"]) == {"window", "song", "song_vote"}
    words = found["by_words"]
    assert set(words["level"]) == {"song"}
    assert words.loc[words["algorithm"] == "own", "label"].nunique() == 2
    assert not found["too_few"]["label"].notna().any()
    latents = tmp_path / "results/small/latents/too_few/seed-0.parquet"
    assert "50 components need as many" in tables.read_metadata(latents)["note"]
    table = pd.read_csv(tmp_path / "results/small/tables/architectures.csv", index_col="model")
    assert "of vectors of 155 values" in table.loc["by_sound", "key_feature"]
    assert (table["parameters"] > 0).all()
