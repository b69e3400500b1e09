"""Latents and reconstructions of a trained model, and its weights file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.latents.embed import check_labels, write_latents, write_nothing, write_reconstruction
from songatlas.models.base import InputSpec
from songatlas.training.data import Windows, prepare
from songatlas.training.weights import Description, load_weights, save_weights

# Tiny layers: more threads only wait for one another.
torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=4, max_lines=3)


@pytest.fixture
def windows() -> Windows:
    mel = torch.randn(7, 16, 20, generator=torch.Generator().manual_seed(0)) * 10 - 40
    return Windows(
        window_ids=tuple(f"w{i}" for i in range(7)),
        track_ids=("b", "b", "b", "a", "a", "c", "d"),
        splits=("train", "train", "train", "validation", "validation", "test", "train"),
        mel=mel.half(),
    )


def save(path: Path, description: Description, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    model = description.build()
    save_weights(path, description, model.state_dict())
    return model.eval()


def test_weights_file_restores_the_model(tmp_path: Path, windows: Windows) -> None:
    description = Description("vade", SPEC, 8, {"widths": (16, 8), "n_components": 3})
    model = save(tmp_path / "weights.ckpt", description)
    loaded, read = load_weights(tmp_path / "weights.ckpt")
    batch = prepare(windows.batch(np.arange(7)))
    assert torch.equal(loaded.embed(batch), model.embed(batch))
    assert not loaded.training
    assert (read.architecture, read.spec, read.latent_dim) == ("vade", SPEC, 8)
    assert read.options == {"widths": [16, 8], "n_components": 3}


def test_weights_file_holds_plain_values(tmp_path: Path) -> None:
    description = Description(
        "cvae", SPEC, 8, {"condition_on": "genre", "n_classes": 2}, ("pop", "rock")
    )
    save(tmp_path / "weights.ckpt", description)
    content = torch.load(tmp_path / "weights.ckpt", weights_only=True)
    assert sorted(content) == [
        "architecture",
        "control",
        "control_of",
        "labels",
        "latent_dim",
        "note",
        "options",
        "spec",
        "state_dict",
        "taught",
    ]
    assert content["labels"] == ["pop", "rock"]


def test_absent_and_foreign_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.ckpt"
    with pytest.raises(SongatlasError, match="train the model first"):
        load_weights(path)
    path.write_bytes(b"no weights")
    with pytest.raises(SongatlasError, match="delete it and run again"):
        load_weights(path)
    description = Description("basic_vae", SPEC, 8, {})
    save_weights(path, description, {"other": torch.zeros(1)})
    with pytest.raises(SongatlasError, match="delete it and run again"):
        load_weights(path)


def test_song_latents_are_means_over_the_songs_windows(tmp_path: Path, windows: Windows) -> None:
    model = save(tmp_path / "weights.ckpt", Description("basic_vae", SPEC, 8, {}))
    write_latents(model, windows, tmp_path / "z.parquet", name="m", batch_size=3)
    frame = tables.read(tmp_path / "z.parquet", tables.LATENTS)
    by_window, by_song = frame[frame["level"] == "window"], frame[frame["level"] == "song"]
    assert list(by_window["window_id"]) == list(windows.window_ids)
    assert list(by_song["track_id"]) == ["a", "b", "c", "d"]
    assert list(by_song["split"]) == ["validation", "train", "test", "train"]
    z = np.stack(list(by_window["z"]))
    np.testing.assert_allclose(by_song["z"].iloc[1], z[:3].mean(0), atol=1e-6)
    assert by_song["window_id"].isna().all()
    assert by_window["own_label"].isna().all()
    metadata = tables.read_metadata(tmp_path / "z.parquet")
    assert (metadata["model"], metadata["supervision"], metadata["z_dim"]) == ("m", "none", 8)


def test_latents_do_not_depend_on_the_batch_size(tmp_path: Path, windows: Windows) -> None:
    model = save(tmp_path / "weights.ckpt", Description("conv_vae", SPEC, 8, {}))
    for size in (2, 7):
        write_latents(model, windows, tmp_path / f"{size}.parquet", name="m", batch_size=size)
    two, seven = (
        np.stack(list(tables.read(tmp_path / f"{size}.parquet", tables.LATENTS)["z"]))
        for size in (2, 7)
    )
    np.testing.assert_allclose(two, seven, atol=1e-5)


def test_own_clusters_stand_at_window_level_alone(tmp_path: Path, windows: Windows) -> None:
    model = save(tmp_path / "w.ckpt", Description("vade", SPEC, 8, {"widths": [8]}))
    model.start_joint_training(np.random.default_rng(0).normal(size=(30, 8)), 0)
    write_latents(model, windows, tmp_path / "z.parquet", name="m")
    frame = tables.read(tmp_path / "z.parquet", tables.LATENTS)
    at_window = frame["level"] == "window"
    assert frame.loc[at_window, "own_label"].between(0, 14).all()
    assert frame.loc[~at_window, "own_label"].isna().all()


def test_conditional_latents_say_that_labels_were_seen(tmp_path: Path, windows: Windows) -> None:
    description = Description(
        "cvae", SPEC, 8, {"condition_on": "genre", "n_classes": 2}, ("pop", "rock")
    )
    model = save(tmp_path / "weights.ckpt", description)
    labelled = replace(windows, label=torch.tensor([0, 0, 0, 1, 1, -1, 1]), classes=("pop", "rock"))
    check_labels(description, labelled)
    write_latents(model, labelled, tmp_path / "z.parquet", name="m")
    assert tables.read_metadata(tmp_path / "z.parquet")["supervision"] == "labels"
    with pytest.raises(SongatlasError, match="labels pop, rock, the corpus has rock, pop"):
        check_labels(description, replace(labelled, classes=("rock", "pop")))


def test_latents_that_are_not_finite_are_refused(tmp_path: Path, windows: Windows) -> None:
    model = save(tmp_path / "weights.ckpt", Description("basic_vae", SPEC, 8, {}))
    with torch.no_grad():
        model.mu.bias[0] = float("nan")
    with pytest.raises(SongatlasError, match="not finite"):
        write_latents(model, windows, tmp_path / "z.parquet", name="m")
    assert not (tmp_path / "z.parquet").exists()


def test_reconstructions_take_validation_windows_first(tmp_path: Path, windows: Windows) -> None:
    model = save(tmp_path / "weights.ckpt", Description("basic_vae", SPEC, 8, {}))
    write_reconstruction(model, windows, tmp_path / "r.parquet", name="m")
    ids, pairs = tables.read_feature([tmp_path / "r.parquet"])
    assert ids == ["w3", "w4", "w5", "w0"]
    assert pairs.shape == (4, 2, 16, 20)
    original = prepare(windows.batch(np.array([3])))["mel"][0, 0]
    np.testing.assert_allclose(pairs[0, 0], original, atol=1e-6)
    decoded = model.decode(model.embed(prepare(windows.batch(np.array([3])))), {})
    np.testing.assert_allclose(pairs[0, 1], decoded[0, 0].detach(), atol=1e-5)


def test_repeated_latents_are_the_same_file(tmp_path: Path, windows: Windows) -> None:
    model = save(tmp_path / "weights.ckpt", Description("conv_vae", SPEC, 8, {}))
    for name in ("one", "two"):
        write_latents(model, windows, tmp_path / f"{name}.parquet", name="m")
    one, two = (
        tables.read(tmp_path / f"{name}.parquet", tables.LATENTS) for name in ("one", "two")
    )
    pd.testing.assert_frame_equal(one, two)


def test_a_model_without_training_data_gives_empty_tables_with_a_note(tmp_path: Path) -> None:
    options = {"condition_on": "language", "n_classes": None}
    description = Description("cvae", SPEC, 8, options, note="not trained: no song has a language")
    save_weights(tmp_path / "weights.ckpt", description, {})
    model, read = load_weights(tmp_path / "weights.ckpt")
    assert model is None
    write_nothing(tmp_path / "z.parquet", tmp_path / "pairs.parquet", read, name="cvae_language")
    assert tables.read(tmp_path / "z.parquet", tables.LATENTS).empty
    info = tables.read_metadata(tmp_path / "z.parquet")
    assert info["note"] == "not trained: no song has a language"
    assert info["supervision"] == "labels"
    ids, pairs = tables.read_feature([tmp_path / "pairs.parquet"])
    assert ids == []
    assert pairs.shape == (0, 2, SPEC.n_mels, SPEC.n_frames)
