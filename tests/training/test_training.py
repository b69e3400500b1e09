"""Reading windows, schedules, and the one training loop."""

import logging
import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from songatlas import tables
from songatlas.config.training import Loss, Training
from songatlas.errors import ConfigError, NotApplicable, SongatlasError, TableError
from songatlas.models import registry
from songatlas.models.base import InputSpec
from songatlas.run.interruption import Interrupted
from songatlas.training import data, fit, module
from songatlas.training.data import Batches, Windows, prepare, read_windows
from songatlas.training.device import choose_device, choose_precision
from songatlas.training.fit import TimeLimit, Trained, train
from songatlas.training.schedule import Best, Schedule
from songatlas.training.weights import Description

# Tiny layers: more threads only wait for one another.
torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=4, max_lines=3)
QUICK = Training(max_epochs=4, batch_size=8, learning_rate=1e-3, device="cpu", precision="32")


def make_windows(n_train: int = 18, n_validation: int = 6, seed: int = 0) -> Windows:
    """Windows of two kinds of songs, so that there is something to learn."""
    random = np.random.default_rng(seed)
    n = n_train + n_validation
    patterns = random.normal(scale=10.0, size=(2, SPEC.n_mels, SPEC.n_frames))
    mel = patterns[np.arange(n) % 2] + random.normal(scale=3.0, size=(n, *patterns.shape[1:]))
    return Windows(
        window_ids=tuple(f"w{i:02d}" for i in range(n)),
        track_ids=tuple(f"t{i // 2:02d}" for i in range(n)),
        splits=("train",) * n_train + ("validation",) * n_validation,
        mel=torch.tensor(mel - 40.0).half(),
    )


def run(
    windows: Windows | None = None,
    architecture: str = "basic_vae",
    training: Training = QUICK,
    loss: Loss | None = None,
    *,
    options: dict[str, Any] | None = None,
    seed: int = 0,
    **more: Any,
) -> Trained:
    return train(
        windows or make_windows(),
        Description(architecture, SPEC, 8, options or {}),
        training,
        loss or Loss(kl_warmup_epochs=2),
        name="model",
        beta=1.0,
        seed=seed,
        **more,
    )


def same_weights(one: Trained, other: Trained) -> bool:
    return one.weights.keys() == other.weights.keys() and all(
        torch.equal(one.weights[name], other.weights[name]) for name in one.weights
    )


# --- windows -----------------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Tables of five windows of three songs; the third song's spectrogram is missing."""
    tracks = ["a", "a", "b", "b", "c"]
    window_ids = [f"{track}-{i}" for i, track in enumerate(tracks)]
    frame = pd.DataFrame(
        {
            "window_id": window_ids,
            "track_id": tracks,
            "index": 0,
            "start_s": 0.0,
            "end_s": 1.0,
            "split": ["train", "train", "validation", "validation", "train"],
            "padded": False,
            "lyrics": None,
        }
    )
    tables.write(frame, tmp_path / "windows.parquet", tables.WINDOWS)
    labels = pd.DataFrame({"track_id": ["a", "b", "c", "d"]})
    for column in tables.LABELS.columns:
        if column != "track_id":
            labels[column] = None
    labels["language"] = ["es", None, "en", "ar"]
    tables.write(labels, tmp_path / "labels.parquet", tables.LABELS)
    mel = np.random.default_rng(0).normal(-40, 10, (4, 16, 20)).astype(np.float16)
    # Parts follow shards, not the windows table.
    tables.write_feature(
        tmp_path / "mel-00.parquet", "logmel", window_ids[2:4], mel[2:], units="dB"
    )
    tables.write_feature(tmp_path / "mel-01.parquet", "logmel", window_ids[:2], mel[:2], units="dB")
    np.save(tmp_path / "mel.npy", mel)
    lines = np.ones((5, 3, 7), np.float32) * np.arange(5, dtype=np.float32)[:, None, None]
    tables.write_feature(tmp_path / "lines.parquet", "lyrics_lines", window_ids, lines, units="1")
    tables.write_feature(
        tmp_path / "lyrics.parquet", "lyrics_window", window_ids, lines[:, 0], units="1"
    )
    return tmp_path


def parts(corpus: Path) -> list[Path]:
    return [corpus / "mel-00.parquet", corpus / "mel-01.parquet"]


def test_windows_come_in_table_order_without_those_that_have_no_spectrogram(corpus: Path) -> None:
    found, spec = read_windows(corpus / "windows.parquet", parts(corpus), SPEC)
    assert found.window_ids == ("a-0", "a-1", "b-2", "b-3")
    assert np.array_equal(found.mel.numpy(), np.load(corpus / "mel.npy"))
    assert spec == SPEC
    assert list(found.rows("validation")) == [2, 3]


def test_large_corpora_stay_in_their_shards(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "IN_MEMORY_BYTES", 0)
    found, _ = read_windows(corpus / "windows.parquet", parts(corpus), SPEC)
    assert not isinstance(found.mel, torch.Tensor)
    assert np.array_equal(found.mel[torch.arange(4)].numpy(), np.load(corpus / "mel.npy"))


def test_classes_are_all_labels_of_the_corpus_and_unknown_is_minus_one(corpus: Path) -> None:
    found, _ = read_windows(
        corpus / "windows.parquet",
        parts(corpus),
        SPEC,
        labels=corpus / "labels.parquet",
        condition_on="language",
    )
    assert found.classes == ("ar", "en", "es")
    assert found.label is not None
    assert found.label.tolist() == [2, 2, -1, -1]


def test_a_corpus_without_the_label_is_not_applicable(corpus: Path) -> None:
    with pytest.raises(NotApplicable, match="no song of this corpus has a genre"):
        read_windows(
            corpus / "windows.parquet",
            parts(corpus),
            SPEC,
            labels=corpus / "labels.parquet",
            condition_on="genre",
        )


def test_lyrics_dimensions_are_those_on_disk(corpus: Path) -> None:
    found, spec = read_windows(
        corpus / "windows.parquet",
        parts(corpus),
        SPEC,
        lyrics_window=corpus / "lyrics.parquet",
        lyrics_lines=corpus / "lines.parquet",
    )
    assert (spec.max_lines, spec.lyrics_dim) == (3, 7)
    assert found.lyrics is not None
    assert found.lyrics[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_songs_that_have_lyrics_alone_follow_the_windows(corpus: Path) -> None:
    tracks = pd.DataFrame({"track_id": ["d", "c", "b", "a"], "split": "test"})
    for column in tables.TRACKS.columns:
        if column not in tracks:
            tracks[column] = None
    tracks = tracks.assign(source_id=tracks["track_id"], lyrics_source="file", status="ok")
    tables.write(tracks, corpus / "tracks.parquet", tables.TRACKS)
    vectors = np.arange(3, dtype=np.float32)[:, None].repeat(7, 1) + 10.0
    songs = ["d", "c", "a"]  # b has no lyrics, c has a window and no spectrogram
    for name, values in (
        ("lyrics_song", vectors),
        ("lyrics_song_lines", vectors[:, None].repeat(3, 1)),
    ):
        path = corpus / f"{name}.parquet"
        tables.write_feature(path, name, songs, values, key="track_id", units="1")
    found, _ = read_windows(
        corpus / "windows.parquet",
        parts(corpus),
        SPEC,
        lyrics_window=corpus / "lyrics.parquet",
        lyrics_lines=corpus / "lines.parquet",
        tracks=corpus / "tracks.parquet",
        lyrics_song=corpus / "lyrics_song.parquet",
        lyrics_song_lines=corpus / "lyrics_song_lines.parquet",
    )
    assert found.window_ids == ("a-0", "a-1", "b-2", "b-3", "c", "d")
    assert found.has_mel.tolist() == [True] * 4 + [False] * 2
    assert found.lyrics is not None
    assert found.lyrics[4:, 0].tolist() == [11.0, 10.0]
    assert found.splits[4:] == ("test", "test")


def test_windows_without_descriptors_are_left_out(corpus: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = corpus / "descriptors.parquet"
    tables.write_feature(path, "descriptors", ["b-2", "a-0"], values, units="1")
    found, spec = read_windows(corpus / "windows.parquet", parts(corpus), SPEC, descriptors=[path])
    assert found.window_ids == ("a-0", "b-2")
    assert spec.descriptors_dim == 3
    assert found.descriptors is not None
    assert found.descriptors.tolist() == [[3.0, 4.0, 5.0], [0.0, 1.0, 2.0]]
    assert found.batch(np.array([1]))["descriptors"].tolist() == [[0.0, 1.0, 2.0]]


def test_each_seed_holds_out_its_fold(corpus: Path) -> None:
    frame = tables.read(corpus / "windows.parquet", tables.WINDOWS)
    frame["split"] = ["fold-0", "fold-0", "fold-1", "fold-1", "fold-2"]
    tables.write(frame, corpus / "windows.parquet", tables.WINDOWS)
    held_out = [
        read_windows(corpus / "windows.parquet", parts(corpus), SPEC, seed=seed)[0].rows("test")
        for seed in (0, 1)
    ]
    assert [rows.tolist() for rows in held_out] == [[0, 1], [2, 3]]


def test_a_spectrogram_of_another_size_is_refused(corpus: Path) -> None:
    with pytest.raises(TableError, match=r"mel-00\.parquet: holds values of shape \(16, 20\)"):
        read_windows(corpus / "windows.parquet", parts(corpus), replace(SPEC, n_frames=21))


def test_nan_in_a_spectrogram_is_refused_by_name(corpus: Path) -> None:
    mel = np.full((2, 16, 20), np.nan, np.float16)
    tables.write_feature(corpus / "mel-00.parquet", "logmel", ["b-2", "b-3"], mel, units="dB")
    with pytest.raises(TableError, match="window b-2 holds NaN"):
        read_windows(corpus / "windows.parquet", parts(corpus), SPEC)


def test_a_corpus_without_spectrograms_is_not_applicable(corpus: Path) -> None:
    empty = np.zeros((0, 16, 20), np.float16)
    tables.write_feature(corpus / "none.parquet", "logmel", [], empty, units="dB")
    with pytest.raises(NotApplicable, match="no window of this corpus has a spectrogram"):
        read_windows(corpus / "windows.parquet", [corpus / "none.parquet"], SPEC)


def test_batches_are_standardised_per_window_and_constant_ones_are_zeros() -> None:
    windows = make_windows()
    windows.mel[1] = -100.0
    mel = prepare(windows.batch(np.arange(4)))["mel"]
    assert mel.shape == (4, 1, 16, 20)
    assert mel.dtype == torch.float32
    assert torch.equal(mel[1], torch.zeros(1, 16, 20))
    torch.testing.assert_close(mel[[0, 2, 3]].mean((1, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        mel[[0, 2, 3]].std((1, 2, 3), unbiased=False), torch.ones(3), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("n", "sizes"), [(7, [7]), (8, [8]), (9, [9]), (16, [8, 8]), (17, [8, 9]), (18, [8, 8, 2])]
)
def test_a_last_batch_of_one_joins_the_batch_before(n: int, sizes: list[int]) -> None:
    batches = Batches(make_windows(n, 0), np.arange(n), 8, seed=0)
    assert [len(batch["mel"]) for batch in batches] == sizes
    assert len(batches) == len(sizes)


def test_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> torch.Tensor:
        batches = Batches(make_windows(), np.arange(18), 8, seed)
        batches.epoch = epoch
        return torch.cat([batch["mel"][:, 0, 0] for batch in batches])

    assert torch.equal(order(0, 3), order(0, 3))
    assert not torch.equal(order(0, 3), order(0, 4))
    assert not torch.equal(order(0, 3), order(1, 3))
    assert torch.equal(order(0, 3).sort().values, order(1, 4).sort().values)


# --- schedules ---------------------------------------------------------------------------------


def test_kl_weight_rises_linearly_after_pretraining() -> None:
    schedule = Schedule(pretrain_epochs=3, kl_warmup_epochs=4, max_epochs=10, beta=2.0)
    weights = [schedule.kl_weight(epoch) for epoch in range(9)]
    assert weights == [0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    assert schedule.first_full_epoch == 7
    assert schedule.n_epochs == 13


def test_without_annealing_the_weight_is_full_at_once() -> None:
    assert Schedule(0, 0, 10, beta=4.0).kl_weight(0) == 4.0


def test_cyclic_annealing_ramps_in_the_first_half_of_every_cycle() -> None:
    schedule = Schedule(1, 4, 20, beta=2.0, kl_cycles=2)
    weights = [schedule.kl_weight(epoch) for epoch in range(10)]
    assert weights == [0.0, 0.0, 1.0, 2.0, 2.0, 0.0, 1.0, 2.0, 2.0, 2.0]
    assert schedule.first_full_epoch == 9


def test_patience_counts_from_the_first_epoch_at_full_weight() -> None:
    best = Best(patience=2, schedule=Schedule(1, 3, 100, 1.0))
    stopped = []
    for epoch, value in enumerate([0.1, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]):
        best.update(epoch, value, torch.nn.Linear(1, 1))
        stopped.append(best.exhausted(epoch))
    assert best.epoch == 1  # epoch 0 is pretraining
    assert stopped == [False, False, False, False, False, True, True]


def test_a_better_epoch_renews_patience() -> None:
    best = Best(patience=2, schedule=Schedule(0, 0, 100, 1.0))
    stopped = []
    for epoch, value in enumerate([3.0, 4.0, 2.0, 2.0, 5.0]):
        best.update(epoch, value, torch.nn.Linear(1, 1))
        stopped.append(best.exhausted(epoch))
    assert stopped == [False, False, False, False, True]
    assert (best.epoch, best.value) == (2, 2.0)


def test_fp16_away_from_cuda_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training\.precision"):
        choose_precision("16-mixed", "cpu")


def test_an_absent_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"training\.device: cuda"):
        choose_device("cuda")


# --- training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["basic_vae", "conv_vae"])
def test_the_same_seed_gives_identical_weights(architecture: str) -> None:
    one, again = run(architecture=architecture), run(architecture=architecture)
    assert same_weights(one, again)
    assert not same_weights(one, run(architecture=architecture, seed=1))


def test_training_improves_on_the_untrained_model() -> None:
    trained = run(training=QUICK.model_copy(update={"max_epochs": 30, "learning_rate": 3e-3}))
    history = trained.history.query("split == 'validation' and metric == 'loss'")
    assert trained.summary.best_validation_loss < history["value"].iloc[0] - 0.05
    assert trained.summary.best_validation_loss == history["value"].min()


def test_the_best_epoch_is_kept_not_the_last() -> None:
    trained = run(training=QUICK.model_copy(update={"max_epochs": 12, "learning_rate": 0.2}))
    losses = trained.history.query("split == 'validation' and metric == 'loss'")
    assert trained.summary.best_epoch == int(losses.loc[losses["value"].idxmin(), "epoch"])


def test_early_stopping_ends_the_run() -> None:
    settings = QUICK.model_copy(
        update={"max_epochs": 200, "early_stopping_patience": 3, "learning_rate": 0.2}
    )
    summary = run(training=settings, loss=Loss(kl_warmup_epochs=2)).summary
    assert summary.epochs < 200
    assert summary.epochs - 1 == max(summary.best_epoch, 1) + 3


@pytest.mark.parametrize(("architecture", "pretraining"), [("basic_vae", 0), ("vade", 2)])
def test_a_time_limit_ends_at_an_epoch_that_has_weights(
    architecture: str, pretraining: int
) -> None:
    """The limit is over at once: the first epoch behind pretraining is the last."""
    settings = QUICK.model_copy(update={"max_minutes": 1e-9})
    small = {"widths": [16, 8], "n_components": 2, "pretrain_epochs": 2} if pretraining else {}
    trained = run(architecture=architecture, training=settings, options=small)
    assert trained.summary.epochs == pretraining + 1
    assert trained.summary.best_epoch == pretraining
    assert trained.weights
    assert f"after {pretraining + 1} epochs" in trained.summary.time_note
    assert "depends on the machine" in trained.summary.time_note


def test_a_time_limit_that_is_not_reached_changes_nothing() -> None:
    limited = run(training=QUICK.model_copy(update={"max_minutes": 60.0}))
    assert limited.summary.time_note is None
    assert same_weights(limited, run())


def test_time_before_an_interruption_counts() -> None:
    resumed = SimpleNamespace(
        history=[{"metric": "seconds", "value": 50.0}, {"metric": "loss", "value": 9.0}],
        state={"seconds": 5.0},
    )
    assert TimeLimit(1.0, resumed).time_remaining() == pytest.approx(5.0)


def test_history_has_every_metric_of_every_epoch() -> None:
    history = run().history
    whole = history[history["unit"].isna()]
    counts = whole.groupby(["split", "metric"])["epoch"].apply(list).to_dict()
    both = ("loss", "reconstruction", "reconstruction_db", "kl")
    both += ("active_units", "mutual_information")
    expected = [("train", metric) for metric in (*both, "learning_rate", "seconds")]
    expected += [("validation", metric) for metric in both]
    assert counts == {key: [0, 1, 2, 3] for key in sorted(expected)}


def test_history_has_the_kl_of_every_dimension() -> None:
    history = run().history
    units = history[history["metric"] == "kl_per_unit"]
    totals = units.groupby(["epoch", "split"])["value"].agg(["size", "sum"])
    assert (totals["size"] == 8).all()
    kl = history[history["metric"] == "kl"].set_index(["epoch", "split"])["value"]
    np.testing.assert_allclose(totals["sum"].sort_index(), kl.sort_index(), rtol=1e-4)


def test_pairs_are_other_windows_of_the_same_song() -> None:
    windows = make_windows(n_train=7, n_validation=0)  # the last song has one window
    batches = Batches(windows, np.arange(7), 4, seed=0, pairs=True)
    partner = batches.draw_pairs()
    assert (windows.track[partner] == windows.track).all()
    assert (partner[:6] != np.arange(6)).all()
    assert partner[6] == 6
    first = next(iter(batches))
    assert first["pair"].shape == first["mel"].shape


def test_validation_batches_hold_as_many_songs_as_training_batches() -> None:
    """Contrastive losses tell songs apart: in a batch of few songs that is easy."""
    windows = make_windows(n_train=0, n_validation=200)
    windows = replace(windows, track_ids=tuple(f"t{i // 10:02d}" for i in range(200)))
    rows = np.arange(200)
    model = registry.build("contrastive_audio", SPEC, 8, {"channels": [8]})
    validated = fit.validation_batches(windows, rows, 32, model)
    trained = Batches(windows, rows, 32, seed=1, pairs=True)
    per_batch = {
        name: np.mean([len(batch["track"].unique()) for batch in batches])
        for name, batches in (("validated", validated), ("trained", trained))
    }
    assert per_batch["validated"] == pytest.approx(per_batch["trained"], rel=0.1)
    epochs = [[batch["row"].tolist() for batch in validated] for _ in range(2)]
    assert epochs[0] == epochs[1]


def test_whole_songs_share_a_batch_and_none_is_lost() -> None:
    windows = make_windows(n_train=18, n_validation=0)
    batches = Batches(windows, np.arange(18), 5, seed=3, whole_songs=True)
    rows = [batch["row"].numpy() for batch in batches]
    assert sorted(np.concatenate(rows)) == list(range(18))
    assert len(rows) == len(batches) > 1
    songs = [set(windows.track[some]) for some in rows]
    assert not any(one & other for i, one in enumerate(songs) for other in songs[i + 1 :])


def test_songs_without_audio_follow_as_rows_of_zeros() -> None:
    windows = make_windows(n_train=4, n_validation=0)
    more = replace(
        windows,
        window_ids=(*windows.window_ids, "song"),
        track_ids=(*windows.track_ids, "song"),
        splits=(*windows.splits, "train"),
        lyrics=torch.ones(5, 4),
    )
    ready = prepare(more.batch(np.array([1, 4])))
    assert ready["has_mel"].tolist() == [True, False]
    assert ready["mel"][1].abs().max() == 0.0
    torch.testing.assert_close(ready["mel"][0], prepare(windows.batch(np.array([1])))["mel"][0])


def test_history_shows_the_loss_at_full_kl_weight() -> None:
    trained = run(loss=Loss(scale="paper", kl_warmup_epochs=50))
    wide = trained.history.pivot_table(index=["epoch", "split"], columns="metric", values="value")
    computed = wide["reconstruction"] + wide["kl"] / 8
    np.testing.assert_allclose(wide["loss"], computed, rtol=1e-4)


def test_the_learning_rate_falls_on_a_plateau() -> None:
    settings = QUICK.model_copy(
        update={"max_epochs": 12, "plateau_patience": 0, "learning_rate": 0.5}
    )
    history = run(training=settings, loss=Loss(kl_warmup_epochs=0)).history
    rates = history.query("metric == 'learning_rate'")["value"]
    assert rates.iloc[-1] < rates.iloc[0]


def test_without_validation_windows_the_training_loss_is_watched(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        trained = run(make_windows(18, 0))
    assert "no song with audio is left for validation" in caplog.text
    assert trained.summary.monitor == "train"
    assert trained.summary.monitor_reason == fit.NO_VALIDATION
    assert trained.summary.best_validation_loss is None
    assert set(trained.history["split"]) == {"train"}


@pytest.mark.parametrize("n", [2, 9])
@pytest.mark.parametrize("architecture", ["basic_vae", "conv_vae"])
def test_few_windows_and_a_last_batch_of_one_train(n: int, architecture: str) -> None:
    assert run(make_windows(n, 1), architecture).summary.n_train_windows == n


def test_a_single_training_window_is_refused() -> None:
    with pytest.raises(NotApplicable, match="1 training windows, at least 2"):
        run(make_windows(1, 2))


def test_a_loss_that_is_not_finite_says_what_to_change() -> None:
    with pytest.raises(SongatlasError, match=r"loss became .*: lower training\.learning_rate"):
        run(training=QUICK.model_copy(update={"learning_rate": 1e30}))


def test_labels_shape_the_conditional_model() -> None:
    windows = replace(make_windows(), label=torch.arange(24) % 3 - 1, classes=("pop", "rock"))
    options = {"condition_on": "genre", "n_classes": None}
    trained = run(windows, "cvae", options=options)
    assert trained.description.labels == ("pop", "rock")
    assert trained.description.options["n_classes"] == 2
    assert trained.summary.supervision == "labels"
    with pytest.raises(SongatlasError, match="n_classes: the model has room for 1"):
        run(windows, "cvae", options={**options, "n_classes": 1})


def test_vade_pretrains_then_trains_its_mixture() -> None:
    options = {"widths": [16, 8], "n_components": 2, "pretrain_epochs": 3}
    trained = run(architecture="vade", options=options, loss=Loss(kl_warmup_epochs=0))
    assert trained.summary.epochs == 3 + 4
    assert trained.summary.best_epoch >= 3
    kl = trained.history.query("split == 'train' and metric == 'kl'")["value"].to_numpy()
    assert (kl[:3] == 0.0).all()
    assert (kl[3:] > 0.0).all()
    assert trained.weights["prior.means"].abs().sum() > 0.0


def test_songs_without_audio_train_with_a_resume_folder(tmp_path: Path) -> None:
    windows = make_windows()
    random = torch.Generator().manual_seed(0)
    windows = replace(
        windows,
        window_ids=(*windows.window_ids, "s0", "s1"),
        track_ids=(*windows.track_ids, "s0", "s1"),
        splits=(*windows.splits, "train", "validation"),
        lyrics=torch.randn(26, 4, generator=random),
        lyrics_lines=torch.randn(26, 3, 4, generator=random),
    )
    options = {"fusion": "late", "width": 8, "channels": [8]}
    trained = run(windows, "fusion", options=options, resume_folder=tmp_path)
    assert trained.summary.n_train_windows == 19
    assert all(values.isfinite().all() for values in trained.weights.values())


def test_attention_over_lyrics_trains() -> None:
    random = torch.Generator().manual_seed(0)
    windows = replace(
        make_windows(),
        lyrics=torch.randn(24, 4, generator=random),
        lyrics_lines=torch.randn(24, 3, 4, generator=random),
    )
    assert np.isfinite(run(windows, "multimodal_vae").summary.best_validation_loss)


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize(
    ("architecture", "stop_at"),
    [
        ("conv_vae", (2, 0)),
        ("conv_vae", (1, 2)),
        ("vade", (2, 0)),
        ("vade", (4, 1)),
        ("idec", (3, 2)),
        ("vq_vae", (2, 1)),
        ("contrastive_audio", (2, 1)),
        ("hierarchical_vae", (3, 1)),
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    architecture: str,
    stop_at: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = {
        "vade": {"widths": [16, 8], "n_components": 2, "pretrain_epochs": 2},
        "idec": {"n_clusters": 2, "pretrain_epochs": 2, "update_interval": 2},
    }.get(architecture, {})

    def go(**more: Any) -> Trained:
        training = QUICK.model_copy(update={"plateau_patience": 0, "learning_rate": 0.01})
        return run(
            architecture=architecture,
            training=training,
            options=options,
            loss=Loss(kl_warmup_epochs=1),
            **more,
        )

    whole = go()
    save = module.TrainingModule.save

    def save_then_fail(self: module.TrainingModule, batch: int) -> None:
        save(self, batch)
        if (self.epoch, batch) == stop_at:
            raise PowerCutError

    monkeypatch.setattr(module.TrainingModule, "save", save_then_fail)
    with pytest.raises(PowerCutError):
        go(resume_folder=tmp_path, resume_every_s=0.0)
    monkeypatch.undo()
    with caplog.at_level(logging.INFO):
        resumed = go(resume_folder=tmp_path)
    assert "resuming at epoch {}, batch {}".format(*stop_at) in caplog.text
    assert same_weights(whole, resumed)
    timeless = ["epoch", "metric", "split", "value"]
    pd.testing.assert_frame_equal(
        whole.history.query("metric != 'seconds'")[timeless],
        resumed.history.query("metric != 'seconds'")[timeless],
    )
    assert whole.summary.best_epoch == resumed.summary.best_epoch


@pytest.mark.parametrize("architecture", ["conv_vae", "idec"])
def test_a_run_stopped_after_every_step_equals_an_uninterrupted_one(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before every second training batch and in every validation."""
    options = {"idec": {"n_clusters": 2, "pretrain_epochs": 1}}.get(architecture, {})

    def go(**more: Any) -> Trained:
        settings = QUICK.model_copy(update={"max_epochs": 3})
        return run(architecture=architecture, training=settings, options=options, **more)

    whole = go()
    steps = {"training": 0, "validation": 0}
    stopped: list[str] = []
    train, validate = module.TrainingModule.training_step, module.TrainingModule.validation_step

    def training_step(self: module.TrainingModule, batch: Any, batch_idx: int) -> None:
        steps["training"] += batch_idx >= self.first_batch
        if steps["training"] == 2:
            self.signals.received = 15
        train(self, batch, batch_idx)

    def validation_step(self: module.TrainingModule, batch: Any, batch_idx: int) -> None:
        if steps["validation"] <= self.epoch:
            steps["validation"] += 1
            self.signals.received = 15
        validate(self, batch, batch_idx)

    monkeypatch.setattr(module.TrainingModule, "training_step", training_step)
    monkeypatch.setattr(module.TrainingModule, "validation_step", validation_step)
    for _ in range(100):
        steps["training"] = 0
        try:
            stepwise = go(resume_folder=tmp_path)
            break
        except Interrupted as told:
            stopped.append(str(told))
    assert len(stopped) >= 9
    assert sum("before batch 3 " in text for text in stopped) >= 3  # of three: in validation
    assert same_weights(whole, stepwise)
    timeless = ["epoch", "metric", "split", "value"]
    pd.testing.assert_frame_equal(
        whole.history.query("metric != 'seconds'")[timeless],
        stepwise.history.query("metric != 'seconds'")[timeless],
    )


def test_what_another_run_left_is_not_resumed(tmp_path: Path) -> None:
    run(resume_folder=tmp_path, resume_every_s=0.0, identity="old code")
    fresh = run(resume_folder=tmp_path, identity="new code")
    assert len(list(tmp_path.glob("last-*.ckpt"))) == 1
    assert same_weights(fresh, run())


def test_written_files_are_readable_and_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        run().write(folder / "weights.ckpt", folder / "history.parquet", folder / "summary.json")
    weights = [(tmp_path / name / "weights.ckpt").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]
    history = tables.read(tmp_path / "one" / "history.parquet", tables.HISTORY)
    assert len(history) == 4 * (2 * 6 + 2 + 2 * 8)


def test_a_bound_dimension_orders_windows_as_its_attribute_does() -> None:
    from scipy.stats import spearmanr

    from songatlas.models.attributes import window_attributes

    windows = make_windows(n_train=40, n_validation=0)
    louder = torch.linspace(-5.0, 5.0, 40)[torch.randperm(40)][:, None, None]
    tilt = torch.linspace(-1.0, 1.0, SPEC.n_mels)[None, :, None] * louder
    windows = replace(windows, mel=(windows.mel.float() + tilt).half())
    settings = QUICK.model_copy(update={"max_epochs": 25, "learning_rate": 5e-3})

    def correlation(loss: Loss) -> float:
        trained = run(windows, "conv_vae", settings, loss, options={"dropout": 0.0})
        model = trained.description.build()
        model.load_state_dict(trained.weights)
        with torch.inference_mode():
            z = model.eval().embed(prepare(windows.batch(np.arange(40))))
        known = window_attributes(windows.mel, ["brightness"], SPEC.frame_rate_hz)[:, 0]
        return float(spearmanr(z[:, 3], known).statistic)

    plain = Loss(kl_warmup_epochs=2)
    bound = Loss(kl_warmup_epochs=2, attributes={"brightness": 3})
    assert correlation(bound) > 0.9
    assert abs(correlation(plain)) < 0.8


# --- watching ----------------------------------------------------------------------------------


def logged(folder: Path) -> list[tuple[int, str, float]]:
    """Step, tag and value of every scalar in a folder's TensorBoard event files, in order."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events*")):
        content, at = path.read_bytes(), 0
        while at < len(content):  # length (8 bytes), its checksum (4), an event, its checksum (4)
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            found += [(event.step, item.tag, item.simple_value) for item in event.summary.value]
            at += 16 + length
    return found


def test_tensorboard_shows_the_history_and_forgets_an_earlier_training(tmp_path: Path) -> None:
    folder = tmp_path / "tensorboard" / "model"
    run(training=QUICK.model_copy(update={"max_epochs": 2}), tensorboard=folder)
    trained = run(tensorboard=folder)
    losses = trained.history.query("metric == 'loss' and split == 'validation'")
    curve = [(step, value) for step, tag, value in logged(folder) if tag == "loss/validation"]
    assert [step for step, _ in curve] == losses["epoch"].tolist()
    np.testing.assert_allclose([value for _, value in curve], losses["value"], rtol=1e-6)


def test_watching_changes_nothing(tmp_path: Path) -> None:
    assert same_weights(run(), run(tensorboard=tmp_path))


def test_the_line_of_a_finished_training() -> None:
    assert run().summary.in_words().startswith("4 epochs, best at ")
    nothing = fit.not_trained(
        Description("basic_vae", SPEC, 8, {}), QUICK, Loss(), name="m", seed=0, note="no song"
    )
    assert nothing.summary.in_words() == "no song"
