"""Fusion of audio and lyrics: experts, attention, missing modalities, contrast, training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from songatlas import tables
from songatlas.config.training import Loss, Training
from songatlas.errors import ConfigError
from songatlas.latents.embed import only, write_latents
from songatlas.models import registry
from songatlas.models.base import InputSpec
from songatlas.models.fusion import Architecture, drop_modality
from songatlas.models.towers import (
    Standardiser,
    info_nce,
    pooled_statistics,
    product_of_experts,
    similarity_loss,
)
from songatlas.training.data import Windows, prepare
from songatlas.training.fit import train
from songatlas.training.weights import Description

torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=6, max_lines=3)
FUSIONS = ("early", "late", "attention", "contrastive", "poe")
SMALL = {"channels": [8], "width": 16}
every_fusion = pytest.mark.parametrize("fusion", FUSIONS)


def build(fusion: str, **options: Any) -> Architecture:
    torch.manual_seed(0)
    model = registry.build("fusion", SPEC, 12, {"fusion": fusion, **SMALL, **options})
    assert isinstance(model, Architecture)
    # The residual networks start at zero; trained ones are not.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def make_windows(n: int = 24, n_silent: int = 4) -> Windows:
    """`n` rows of which the last have lyrics alone; every fifth of the others has no lyrics."""
    random = np.random.default_rng(0)
    n_heard = n - n_silent
    lyrics = torch.tensor(random.normal(size=(n, SPEC.lyrics_dim)), dtype=torch.float32)
    lyrics[:n_heard:5] = 0.0
    lines = lyrics[:, None].repeat(1, SPEC.max_lines, 1)
    lines[:, 1] *= -0.5
    lines[:, -1] = 0.0
    mel = random.normal(-40.0, 10.0, size=(n_heard, SPEC.n_mels, SPEC.n_frames))
    return Windows(
        window_ids=tuple(f"w{i:02d}" for i in range(n)),
        track_ids=tuple(f"t{i // 2:02d}" for i in range(n)),
        splits=("train",) * (n - 6) + ("validation",) * 6,
        mel=torch.tensor(mel).half(),
        lyrics=lyrics,
        lyrics_lines=lines,
    )


def make_batch(**sizes: int) -> dict[str, Tensor]:
    windows = make_windows(**sizes)
    return prepare(windows.batch(np.arange(len(windows))))


def test_product_of_two_gaussians_and_the_prior_is_the_formula() -> None:
    mus, logvars = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    mu, logvar = product_of_experts(mus, logvars, torch.ones(2, 5, dtype=torch.bool))
    a, b = torch.exp(-logvars[0]), torch.exp(-logvars[1])
    torch.testing.assert_close(logvar.exp(), 1.0 / (1.0 + a + b))
    torch.testing.assert_close(mu, (a * mus[0] + b * mus[1]) / (1.0 + a + b))


def test_one_expert_alone_is_itself_times_the_prior_and_none_is_the_prior() -> None:
    mus, logvars = torch.randn(2, 4, 3), torch.randn(2, 4, 3)
    mus[1, :2] = float("nan")
    mus[:, 3] = float("inf")
    present = torch.tensor([[True, True, True, False], [False, False, True, False]])
    mu, logvar = product_of_experts(mus, logvars, present)
    alone = torch.exp(-logvars[0, :2])
    torch.testing.assert_close(mu[:2], alone * mus[0, :2] / (1.0 + alone))
    assert torch.equal(mu[3], torch.zeros(3))
    assert torch.equal(logvar[3].exp(), torch.ones(3))


def test_a_confident_expert_decides() -> None:
    mus = torch.tensor([[[3.0]], [[-1.0]]])
    logvars = torch.tensor([[[-12.0]], [[0.0]]])
    mu, _ = product_of_experts(mus, logvars, torch.ones(2, 1, dtype=torch.bool))
    assert float(mu) == pytest.approx(3.0, abs=1e-3)


def test_attention_is_a_distribution_over_present_lines_and_varies() -> None:
    model, batch = build("attention"), make_batch()
    weights = model.encode(batch, batch["has_mel"], batch["has_lyrics"])[3]["attention"]
    both = batch["has_mel"] & batch["has_lyrics"]
    torch.testing.assert_close(weights[both].sum(2), torch.ones_like(weights[both].sum(2)))
    assert (weights[both][:, :, 2] == 0).all()  # the padded line
    assert (weights[both][:, :, 0] - weights[both][:, :, 1]).std() > 1e-3
    assert (weights[~both] == 0).all()


@every_fusion
def test_garbage_in_a_missing_modality_changes_nothing(fusion: str) -> None:
    model, batch = build(fusion), make_batch()
    z = model.embed(batch)
    assert z.isfinite().all()
    silent, unsung = ~batch["has_mel"], ~batch["has_lyrics"]
    assert silent.any()
    assert unsung.any()
    changed = {name: values.clone() for name, values in batch.items()}
    changed["mel"][silent] = float("nan")
    changed["lyrics"][unsung] = float("nan")
    changed["lyrics_lines"][unsung] = float("inf")
    assert torch.equal(model.embed(changed), z)


@every_fusion
def test_either_modality_alone_fills_its_block_and_the_shared_one(fusion: str) -> None:
    model, batch = build(fusion), make_batch(n_silent=0)
    both = batch["has_lyrics"]
    whole = model.embed(batch)[both]
    for keep, kept, lost in (("mel", "audio", "lyrics"), ("lyrics", "lyrics", "audio")):
        z = model.embed(only(batch, keep))[both]
        start, stop = model.blocks[kept]
        torch.testing.assert_close(z[:, start:stop], whole[:, start:stop])
        start, stop = model.blocks[lost]
        assert (z[:, start:stop] == 0).all()
        if "shared" in model.blocks:
            start, stop = model.blocks["shared"]
            assert (z[:, start:stop] != 0).any(1).all()
            assert not torch.allclose(z[:, start:stop], whole[:, start:stop])


def test_either_modality_alone_is_its_own_expert() -> None:
    model, batch = build("poe"), make_batch(n_silent=0)
    start, stop = model.blocks["shared"]
    z = model.embed(only(batch, "lyrics"))[batch["has_lyrics"], start:stop]
    expert = model.lyrics_expert(model.read(batch["lyrics"][batch["has_lyrics"]]))
    mu, logvar = expert.chunk(2, 1)
    torch.testing.assert_close(z, mu / (1.0 + logvar.exp()), atol=1e-5, rtol=1e-4)


def test_contrastive_songs_are_unit_vectors_in_the_shared_space() -> None:
    model, batch = build("contrastive"), make_batch()
    start, stop = model.blocks["shared"]
    norms = model.embed(batch)[:, start:stop].norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(len(norms)))


def test_modality_dropout_never_hides_both_nor_what_is_alone() -> None:
    torch.manual_seed(0)
    heard = torch.tensor([True, True, False] * 200)
    read = torch.tensor([True, False, True] * 200)
    kept_heard, kept_read = drop_modality(heard, read, 0.5)
    assert (kept_heard | kept_read).all()
    assert torch.equal(kept_heard[1::3], heard[1::3])
    assert torch.equal(kept_read[2::3], read[2::3])
    both = kept_heard[::3] & kept_read[::3]
    assert 0.35 < float(both.float().mean()) < 0.65
    assert not kept_heard[::3].all()
    assert not kept_read[::3].all()
    assert torch.equal(drop_modality(heard, read, 0.0)[0], heard)


def test_contrast_is_symmetric_and_least_for_aligned_pairs() -> None:
    torch.manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(8, 16), dim=1)
    y = torch.nn.functional.normalize(torch.randn(8, 16), dim=1)
    every = torch.ones(8, dtype=torch.bool)
    torch.testing.assert_close(info_nce(x, y, 0.1, every)[0], info_nce(y, x, 0.1, every)[0])
    aligned, accuracy = info_nce(x, x, 0.1, every)
    assert aligned < info_nce(x, y, 0.1, every)[0]
    assert aligned < info_nce(x, x.roll(1, 0), 0.1, every)[0]
    assert float(accuracy) == 1.0
    assert float(info_nce(x, y, 0.1, torch.arange(8) < 1)[0]) == 0.0


def test_rows_that_are_no_pair_have_no_part_in_a_contrast_or_a_geometry() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(8, 16, requires_grad=True), torch.randn(8, 16, requires_grad=True)
    rows = torch.tensor([True, True, False, True, False, True, True, False])
    every = torch.ones(int(rows.sum()), dtype=torch.bool)
    for loss in (lambda *of: info_nce(of[0], of[1], 0.1, of[2])[0], similarity_loss):
        found, expected = loss(x, y, rows), loss(x[rows], y[rows], every)
        torch.testing.assert_close(found, expected)
        gradients = torch.autograd.grad(found, (x, y), retain_graph=True)
        assert all(not gradient[~rows].any() for gradient in gradients)
        for one, other in zip(gradients, torch.autograd.grad(expected, (x, y)), strict=True):
            torch.testing.assert_close(one, other)


def test_a_standardiser_knows_all_batches_it_saw() -> None:
    torch.manual_seed(0)
    x = 3.0 + torch.randn(30, 4) * torch.tensor([1.0, 100.0, 0.01, 0.0])
    standardise = Standardiser(4)
    torch.testing.assert_close(standardise(x), x)  # nothing seen yet
    for _ in range(3):
        for part in x[torch.randperm(30)].split(7):
            rows = torch.arange(len(part) + 2) < len(part)
            padded = torch.cat([part, torch.full((2, 4), 99.0)])
            standardise.see(*((part,) if len(part) == 7 else (padded, rows)))
    found, expected = standardise(x), (x - x.mean(0))[:, :3] / x.std(0, correction=0)[:3]
    torch.testing.assert_close(found[:, :3], expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found[:, 3], torch.zeros(30), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(standardise.back(found), x)


@every_fusion
def test_a_band_counts_however_loud_it_is(fusion: str) -> None:
    batch = make_batch(n_silent=0)
    quiet = {**batch, "mel": batch["mel"].clone()}
    quiet["mel"][:, :, 3] = 5.0 + 0.3 * quiet["mel"][:, :, 3]
    found = []
    for heard in (batch, quiet):
        torch.manual_seed(0)
        model = registry.build("fusion", SPEC, 128, {"fusion": fusion, **SMALL})
        assert isinstance(model, Architecture)
        model.train()(heard)  # scales are measured in training
        start, stop = model.blocks["audio"]
        found.append(model.eval().embed(heard)[:, start:stop])
    torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=1e-3)
    assert found[0].std() > 0.1


@every_fusion
def test_lyrics_keep_their_directions(fusion: str) -> None:
    torch.manual_seed(0)
    model = registry.build("fusion", SPEC, 32, {"fusion": fusion, **SMALL}).eval()
    batch = make_batch()
    start, stop = model.blocks["lyrics"]
    z, x = model.embed(batch)[:, start:stop], batch["lyrics"]
    torch.testing.assert_close(z @ z.T, x @ x.T, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("audio_weight", [0.5, 0.8])
def test_early_fusion_keeps_the_weighted_geometry_of_both(audio_weight: float) -> None:
    """What is missing counts as zero: rows with audio alone keep the geometry of their audio."""
    torch.manual_seed(0)
    options = {"fusion": "early", "audio_weight": audio_weight, **SMALL}
    model = registry.build("fusion", SPEC, 256, options)
    assert isinstance(model, Architecture)
    batch = make_batch()
    assert not batch["has_mel"].all()
    model.train()(batch)  # scales are measured in training
    start, stop = model.blocks["shared"]
    z = model.eval().embed(batch)[:, start:stop]
    audio = model.statistics(pooled_statistics(batch["mel"])) * batch["has_mel"][:, None]
    expected = audio_weight * audio @ audio.T / audio.shape[1]
    expected += (1.0 - audio_weight) * batch["lyrics"] @ batch["lyrics"].T
    torch.testing.assert_close(z @ z.T, expected, atol=1e-3, rtol=1e-3)


def test_early_fusion_pays_for_geometry_that_its_shared_block_loses() -> None:
    model, batch = build("early"), make_batch()
    done = model(batch)
    start, stop = model.blocks["shared"]
    one_direction = done.mu.clone()
    one_direction[:, start:stop] = 1.0
    lost = replace(done, mu=one_direction)
    kept_loss, lost_loss = (
        model.terms(batch, some, kl_weight=0.0, scale="elbo")["loss"].item()
        for some in (done, lost)
    )
    assert lost_loss > kept_loss + 0.1


@every_fusion
@pytest.mark.parametrize("n_silent", [0, 4, 24])
def test_every_fusion_trains_with_and_without_audio(fusion: str, n_silent: int) -> None:
    trained = train(
        make_windows(n_silent=n_silent),
        Description("fusion", SPEC, 12, {"fusion": fusion, **SMALL}),
        Training(max_epochs=2, batch_size=8, learning_rate=1e-3, device="cpu", precision="32"),
        Loss(kl_warmup_epochs=1),
        name="model",
        beta=1.0,
        seed=0,
    )
    assert trained.summary.epochs == 2
    assert all(values.isfinite().all() for values in trained.weights.values())


def test_a_song_is_the_mean_of_the_windows_that_have_each_block() -> None:
    model, batch = build("early"), make_batch()
    summaries = model.summarise(batch)
    unsung = ~batch["has_lyrics"]
    some = torch.cat([summaries[unsung][:1], summaries[~unsung][:1]])
    song = model.embed_song(some)
    start, stop = model.blocks["lyrics"]
    torch.testing.assert_close(song[start:stop], some[1, start:stop])
    start, stop = model.blocks["audio"]
    torch.testing.assert_close(song[start:stop], some[:, start:stop].mean(0))


def test_one_modality_alone_is_embedded_where_it_is_there(tmp_path: Path) -> None:
    model, windows = build("late"), make_windows()
    silent = {windows.track_ids[row] for row in range(20, 24)}
    for keep, other in (("mel", "lyrics"), ("lyrics", "audio")):
        path = tmp_path / f"{keep}.parquet"
        write_latents(model, windows, path, name="m", keep=keep)
        frame = tables.read(path, tables.LATENTS)
        songs = frame[frame["level"] == "song"]
        assert (set(songs["track_id"]) & silent == set()) is (keep == "mel")
        start, stop = model.blocks[other]
        assert all((z[start:stop] == 0).all() for z in frame["z"])
        rows = frame.loc[frame["level"] == "window", "window_id"]
        sung = set(rows) & {f"w{row:02d}" for row in range(0, 20, 5)}
        assert len(sung) == (4 if keep == "mel" else 0)
        assert len(rows) == (20 if keep == "mel" else 16)


def test_a_modality_that_no_song_has_leaves_no_latents(tmp_path: Path) -> None:
    silent = make_windows(n_silent=24)
    write_latents(build("late"), silent, tmp_path / "z.parquet", name="m", keep="mel")
    assert tables.read(tmp_path / "z.parquet", tables.LATENTS).empty


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"n_heads": 7}, "n_heads"),
        ({"audio_weight": 1.0}, "audio_weight"),
        ({"modality_dropout": 1.5}, "modality_dropout"),
        ({"temperature": 0.0}, "temperature"),
        ({"lyrics_share": 0.9}, "lyrics_share"),
    ],
)
def test_options_out_of_range_name_their_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{key}:"):
        registry.build("fusion", SPEC, 12, {"fusion": "attention", **SMALL, **options})


@every_fusion
def test_a_model_is_built_without_memory(fusion: str) -> None:
    """As weights are loaded and parameters counted."""
    with torch.device("meta"):
        model = registry.build("fusion", SPEC, 12, {"fusion": fusion, **SMALL})
    model.load_state_dict(build(fusion).state_dict(), assign=True)
    batch = make_batch()
    assert torch.equal(model.eval().embed(batch), build(fusion).embed(batch))
