"""DEC and IDEC: their formulas, their schedule, and what they find on a set with known clusters."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score
from torch.nn import functional as F

from songatlas.config.run import load
from songatlas.config.training import Loss, Training
from songatlas.errors import ConfigError, NotApplicable
from songatlas.models import registry
from songatlas.models.base import InputSpec
from songatlas.models.deep_clustering import (
    DeepClustering,
    Target,
    log_assignments,
    target_distribution,
)
from songatlas.plan.workflow import Plan
from songatlas.training import module
from songatlas.training.data import Windows, prepare
from songatlas.training.fit import Trained, train
from songatlas.training.weights import Description, load_weights, save_weights

# Tiny layers: more threads only wait for one another.
torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=4, max_lines=3)
LATENT = 4
N_KINDS = 3
SMALL = {"encoder": "basic_vae", "encoder_options": {"widths": [32, 16], "dropout": 0.0}}
OPTIONS = {**SMALL, "n_clusters": N_KINDS, "pretrain_epochs": 6, "tolerance": 0.0}
OPTIONS |= {"joint_learning_rate": 0.999}  # the optimiser starts anew; tiny layers bear it
QUICK = Training(max_epochs=12, batch_size=16, learning_rate=3e-3, device="cpu", precision="32")

both = pytest.mark.parametrize("architecture", ["dec", "idec"])


def make_windows(n_train: int = 60, n_validation: int = 18) -> Windows:
    """Windows of three patterns, in turn, under as much noise; one song each."""
    random = np.random.default_rng(0)
    n = n_train + n_validation
    patterns = random.normal(scale=5.0, size=(N_KINDS, SPEC.n_mels, SPEC.n_frames))
    mel = patterns[np.arange(n) % N_KINDS] + random.normal(scale=5.0, size=(n, *patterns[0].shape))
    splits = np.array(["train"] * n_train + ["validation"] * n_validation)
    return Windows(
        window_ids=tuple(f"w{i:02d}" for i in range(n)),
        track_ids=tuple(f"t{i:02d}" for i in range(n)),
        # Rows of training are not the first ones, as in real corpora.
        splits=tuple(np.roll(splits, 5)),
        mel=torch.tensor(mel - 40.0).half(),
    )


def truth(windows: Windows) -> np.ndarray:
    return np.arange(len(windows)) % N_KINDS


def run(
    architecture: str,
    options: dict[str, Any] = OPTIONS,
    windows: Windows | None = None,
    training: Training = QUICK,
    **more: Any,
) -> Trained:
    return train(
        windows or make_windows(),
        Description(architecture, SPEC, LATENT, options),
        training,
        Loss(kl_warmup_epochs=0),
        name="model",
        beta=1.0,
        seed=0,
        **more,
    )


def trained_model(trained: Trained) -> DeepClustering:
    model = trained.description.build()
    model.load_state_dict(trained.weights)
    assert isinstance(model, DeepClustering)
    return model.eval()


def everything(windows: Windows) -> dict[str, torch.Tensor]:
    return prepare(windows.batch(np.arange(len(windows))))


def metric(trained: Trained, name: str, split: str = "train") -> pd.Series:
    rows = trained.history.query("metric == @name and split == @split")
    return rows.set_index("epoch")["value"]


@pytest.fixture(scope="module")
def windows() -> Windows:
    return make_windows()


STARTS: list[torch.Tensor] = []
"""Centroids of k-means, of each training that `dec` does."""


@pytest.fixture(scope="module")
def dec(windows: Windows) -> Trained:
    start = DeepClustering.start_joint_training

    def start_and_note(self: DeepClustering, latents: np.ndarray, seed: int) -> None:
        start(self, latents, seed)
        STARTS.append(self.centroids.detach().clone())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeepClustering, "start_joint_training", start_and_note)
        return run("dec", windows=windows)


@pytest.fixture(scope="module")
def idec(windows: Windows) -> Trained:
    return run("idec", windows=windows)


# --- formulas ------------------------------------------------------------------------------------


def test_assignments_are_students_t_of_one_degree_of_freedom() -> None:
    z = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    centroids = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    # 1 / (1 + squared distance): 1, 1/2, 1/10 and 1/10, 1/5, 1/19.
    kernel = np.array([[1.0, 0.5, 0.1], [0.1, 0.2, 1 / 19]])
    q = log_assignments(z, centroids).exp().numpy()
    np.testing.assert_allclose(q, kernel / kernel.sum(1, keepdims=True), rtol=1e-6)


def test_targets_are_squared_assignments_over_cluster_frequencies() -> None:
    q = torch.tensor([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5]])
    p = target_distribution(q, q.sum(0))
    # f = (1.9, 1.1): row 0 is 0.64 / 1.9 : 0.04 / 1.1, row 2 is 1.1 : 1.9.
    expected = [0.64 / 1.9 / (0.64 / 1.9 + 0.04 / 1.1), 0.36 / 1.9 / (0.36 / 1.9 + 0.16 / 1.1)]
    np.testing.assert_allclose(p[:, 0].numpy(), [*expected, 1.1 / 3.0], rtol=1e-6)
    np.testing.assert_allclose(p.sum(1).numpy(), 1.0, rtol=1e-6)


def test_a_cluster_without_a_window_gives_no_nan() -> None:
    q = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert torch.equal(target_distribution(q, q.sum(0)), q)


def test_training_rows_have_stored_targets_and_others_their_own() -> None:
    p = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
    target = Target(
        position=torch.tensor([-1, 0, -1, 1]),
        p=p,
        frequencies=torch.tensor([1.0, 3.0]),
        assigned=p.argmax(1),
        changed=torch.tensor(0.0),
    )
    q = torch.full((4, 2), 0.5)
    found = target.of(torch.tensor([3, 0, 1, 7]), q)
    # From their own q: ¼ / 1 : ¼ / 3.
    own = torch.tensor([0.75, 0.25])
    torch.testing.assert_close(found, torch.stack([p[1], own, p[0], own]))


def ready(architecture: str, windows: Windows) -> DeepClustering:
    """A model at the start of joint training."""
    torch.manual_seed(0)
    model = registry.build(architecture, SPEC, LATENT, OPTIONS)
    assert isinstance(model, DeepClustering)
    rows = windows.rows("train")
    with torch.no_grad():
        latents = model.eval().embed(prepare(windows.batch(rows))).numpy()
    model.train()
    model.start_joint_training(latents, seed=0)
    model.start_epoch(model.pretrain_epochs, rows, lambda: latents)
    return model


def test_the_loss_has_the_gradient_of_the_kl_from_target_to_assignments(windows: Windows) -> None:
    model = ready("dec", windows)
    batch = prepare(windows.batch(windows.rows("train")[:16]))
    terms = model.loss(batch, kl_weight=1.0, scale="elbo")
    terms["loss"].backward()
    ours = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    log_q = log_assignments(model.embed(batch), model.centroids)
    assert model.target is not None
    kl = F.kl_div(log_q, model.target.of(batch["row"], log_q.exp()), reduction="batchmean")
    kl.backward()
    papers = [p.grad for p in model.parameters() if p.grad is not None]
    torch.testing.assert_close(ours, papers)
    torch.testing.assert_close(terms["target_kl"], kl.detach())
    assert terms["loss"] > kl  # by the entropy of the target


def test_idec_adds_the_weighted_clusters_to_the_reconstruction(windows: Windows) -> None:
    batch = prepare(windows.batch(windows.rows("train")[:16]))
    model = ready("idec", windows)
    clusters = model.clustering_terms(batch, model.embed(batch))["loss"]
    terms = model.loss(batch, kl_weight=1.0, scale="paper")
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 0.1 * clusters)


def test_dec_trains_encoder_and_centroids_and_leaves_the_decoder(windows: Windows) -> None:
    model = ready("dec", windows)
    model.loss(everything(windows), kl_weight=1.0, scale="elbo")["loss"].backward()
    moved = {name for name, p in model.named_parameters() if p.grad is not None}
    parts = {".".join(name.split(".")[:2]) for name in moved}
    assert parts == {"centroids", "autoencoder.encoder", "autoencoder.mu"}


def test_centroids_start_as_those_of_kmeans() -> None:
    random = np.random.default_rng(0)
    means = random.normal(scale=9.0, size=(N_KINDS, LATENT))
    latents = means[np.arange(60) % N_KINDS] + random.normal(scale=0.1, size=(60, LATENT))
    model = registry.build("dec", SPEC, LATENT, OPTIONS)
    model.start_joint_training(latents, seed=0)
    assert isinstance(model, DeepClustering)
    found = model.centroids.detach().numpy()
    groups = np.stack([latents[kind::N_KINDS].mean(0) for kind in range(N_KINDS)])
    distance = np.linalg.norm(found[:, None] - groups, axis=2)
    assert sorted(distance.argmin(1)) == list(range(N_KINDS))
    assert distance.min(1).max() < 1e-4


# --- training ------------------------------------------------------------------------------------


@both
def test_the_clusters_are_found(
    architecture: str, windows: Windows, request: pytest.FixtureRequest
) -> None:
    own = trained_model(request.getfixturevalue(architecture)).assign(everything(windows))
    assert normalized_mutual_info_score(truth(windows), own.numpy()) > 0.9


def test_dec_moves_its_centroids_apart_and_windows_grow_certain(dec: Trained) -> None:
    (start,) = STARTS
    assert (torch.pdist(trained_model(dec).centroids) > torch.pdist(start)).all()
    for split in ("train", "validation"):
        losses = metric(dec, "loss", split).loc[OPTIONS["pretrain_epochs"] :]
        assert losses.iloc[-1] < 0.9 * losses.iloc[0]


def test_idec_reconstructs_better_than_dec(dec: Trained, idec: Trained, windows: Windows) -> None:
    batch = everything(windows)

    def error(trained: Trained) -> float:
        model = trained_model(trained)
        with torch.no_grad():
            return float(F.mse_loss(model.decode(model.embed(batch), batch), batch["mel"]))

    assert error(idec) < error(dec)


def test_own_cluster_is_the_largest_assignment(dec: Trained, windows: Windows) -> None:
    model = trained_model(dec)
    batch = everything(windows)
    q = log_assignments(model.embed(batch), model.centroids)
    own = model.assign(batch)
    assert torch.equal(own, q.argmax(1))
    assert own.dtype == torch.int64


@both
def test_the_same_seed_gives_the_same_weights(
    architecture: str, windows: Windows, request: pytest.FixtureRequest
) -> None:
    first: Trained = request.getfixturevalue(architecture)
    again = run(architecture, windows=windows)
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)


def test_histories_show_pretraining_then_clusters(dec: Trained, idec: Trained) -> None:
    joint = OPTIONS["pretrain_epochs"]
    reconstruction = metric(dec, "reconstruction").index
    assert list(reconstruction) == list(range(joint))
    assert metric(dec, "target_kl", "validation").index.min() == joint
    assert metric(idec, "reconstruction").index.max() > joint
    # Nothing to compare the first targets with.
    assert metric(dec, "changed").index.min() == joint + 1
    assert dec.summary.best_epoch >= joint


@both
def test_training_stops_when_hardly_a_window_changes_its_cluster(
    architecture: str, windows: Windows
) -> None:
    interval = 2
    options = {**OPTIONS, "update_interval": interval, "tolerance": 0.5}
    trained = run(architecture, options, windows)
    changed = metric(trained, "changed")
    refreshes = changed.loc[OPTIONS["pretrain_epochs"] + interval :: interval]
    assert refreshes.iloc[-1] < 0.5
    assert (refreshes.iloc[:-1] >= 0.5).all()
    assert trained.summary.stopped_early
    never = run(architecture, OPTIONS, windows)
    assert never.summary.epochs == OPTIONS["pretrain_epochs"] + QUICK.max_epochs


def test_targets_are_refreshed_at_their_interval(windows: Windows) -> None:
    model = ready("dec", windows)
    rows = windows.rows("train")
    model.update_interval = 3
    random = np.random.default_rng(0)
    seen = []
    for epoch in range(6, 13):
        model.start_epoch(epoch, rows, lambda: random.normal(size=(len(rows), LATENT)))
        seen.append(model.target)
    assert model.target is not None
    new = [a is None or b is None or not torch.equal(a.p, b.p) for a, b in pairwise(seen)]
    assert new == [False, False, True, False, False, True]


class PowerCutError(Exception):
    pass


def test_a_run_resumed_between_refreshes_equals_an_uninterrupted_one(
    windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**OPTIONS, "pretrain_epochs": 2, "update_interval": 3}
    training = QUICK.model_copy(update={"max_epochs": 6})

    def go(**more: Any) -> Trained:
        return run("dec", options, windows, training, **more)

    whole = go()
    save = module.TrainingModule.save

    def save_then_fail(self: module.TrainingModule, batch: int) -> None:
        save(self, batch)
        if self.epoch == 4:
            raise PowerCutError

    monkeypatch.setattr(module.TrainingModule, "save", save_then_fail)
    with pytest.raises(PowerCutError):
        go(resume_folder=tmp_path, resume_every_s=0.0)
    monkeypatch.undo()
    resumed = go(resume_folder=tmp_path)
    assert all(torch.equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)
    pd.testing.assert_series_equal(metric(whole, "changed"), metric(resumed, "changed"))
    assert len(metric(resumed, "changed")) == 3  # epochs 5 to 7


@both
def test_weights_are_read_back(
    architecture: str, windows: Windows, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    trained: Trained = request.getfixturevalue(architecture)
    save_weights(tmp_path / "w.ckpt", trained.description, trained.weights)
    model, description = load_weights(tmp_path / "w.ckpt")
    assert model is not None
    assert description.supervision == "none"
    batch = everything(windows)
    assert torch.equal(model.assign(batch), trained_model(trained).assign(batch))


def test_collapsed_clusters_are_told(windows: Windows, caplog: pytest.LogCaptureFixture) -> None:
    model = ready("dec", windows)
    rows = windows.rows("train")
    assert caplog.text == ""
    model.start_epoch(7, rows, lambda: np.zeros((len(rows), LATENT), np.float32))
    assert f"all {len(rows)} training windows are in one of 3 clusters" in caplog.text


def test_the_optimiser_starts_anew_with_the_clusters(
    windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    start = module.TrainingModule.on_train_epoch_start

    def note(self: module.TrainingModule) -> None:
        before = len(self.plateau.optimizer.state)
        start(self)
        sizes.append((before > 0, len(self.plateau.optimizer.state) > 0))

    monkeypatch.setattr(module.TrainingModule, "on_train_epoch_start", note)
    training = QUICK.model_copy(update={"max_epochs": 2})
    run("dec", {**OPTIONS, "pretrain_epochs": 2}, windows, training)
    assert sizes == [(False, False), (True, True), (True, False), (True, True)]


def test_joint_training_has_its_own_learning_rate(windows: Windows) -> None:
    options = {**OPTIONS, "pretrain_epochs": 2, "joint_learning_rate": 0.25}
    trained = run("dec", options, windows, QUICK.model_copy(update={"max_epochs": 2}))
    rates = metric(trained, "learning_rate").to_numpy()
    np.testing.assert_allclose(rates, [0.003, 0.003, 0.00075, 0.00075])


def test_bf16_gives_finite_losses(windows: Windows) -> None:
    options = {"n_clusters": 3, "pretrain_epochs": 1}
    training = QUICK.model_copy(update={"precision": "bf16-mixed", "max_epochs": 2})
    trained = run("idec", options, windows, training)
    assert np.isfinite(trained.history["value"]).all()


def test_more_clusters_than_windows_cannot_be_trained(windows: Windows) -> None:
    few = replace(windows, splits=("train",) * 5 + ("test",) * (len(windows) - 5))
    with pytest.raises(NotApplicable, match=r"15 clusters .* there are 5 .*n_clusters"):
        run("dec", {**OPTIONS, "n_clusters": 15, "pretrain_epochs": 1}, few)


# --- config --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_clusters", 1),
        ("pretrain_epochs", 0),
        ("update_interval", 0),
        ("tolerance", 1.0),
        ("joint_learning_rate", 0.0),
    ],
)
@both
def test_options_out_of_range_name_their_key(architecture: str, key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{key}: .*{value}"):
        registry.build(architecture, SPEC, LATENT, {**OPTIONS, key: value})


def test_a_clustering_weight_is_positive() -> None:
    with pytest.raises(ConfigError, match=r"^clustering_weight: .*0\.0"):
        registry.build("idec", SPEC, LATENT, {**OPTIONS, "clustering_weight": 0.0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "conv_vea"}, r"models\.m\.encoder: `conv_vea` .*known: .*conv_vae"),
        ({"encoder": "vade"}, r"models\.m\.encoder: `vade`"),
        ({"encoder": "cvae"}, r"models\.m\.encoder: `cvae`"),
        ({"encoder": "idec"}, r"models\.m\.encoder: `idec`"),
        (
            {"encoder_options": {"dropuot": 0.1}},
            r"models\.m\.encoder_options\.dropuot: unknown key `dropuot`; did you mean `dropout`",
        ),
        (
            {"encoder_options": {"dropout": "much"}},
            r"models\.m\.encoder_options\.dropout: .*'much'",
        ),
        ({"encoder_options": [0.1]}, r"models\.m\.encoder_options.*: .*dict"),
        ({"n_clusters": "many"}, r"models\.m\.n_clusters: "),
    ],
)
@both
def test_wrong_encoders_are_named_before_anything_runs(
    architecture: str, options: dict[str, Any], message: str
) -> None:
    values = load({"models": {"m": {"architecture": architecture, **options}}})
    with pytest.raises(ConfigError, match=message):
        registry.check(values)


@pytest.mark.parametrize("encoder", registry.autoencoders())
@both
def test_any_plain_autoencoder_can_be_the_encoder(architecture: str, encoder: str) -> None:
    model = registry.build(architecture, SPEC, LATENT, {"encoder": encoder})
    assert isinstance(model, DeepClustering)
    model.pretraining = True
    batch = {
        **prepare(make_windows(6, 2).batch(np.arange(8))),
        "lyrics": torch.ones(8, SPEC.lyrics_dim),
        "lyrics_lines": torch.ones(8, SPEC.max_lines, SPEC.lyrics_dim),
    }
    done = model.eval()(batch)
    # Through the mean: nothing is drawn, there is no KL.
    assert done.logvar is None
    assert torch.equal(done.mu, model.embed(batch))
    terms = model.terms(batch, done, kl_weight=1.0, scale="elbo")
    assert float(terms["kl"]) == 0.0
    assert torch.equal(done.reconstruction, model.decode(done.mu, batch))


def plan(**options: Any) -> Plan:
    declared = {"architecture": "dec", "latent_dim": LATENT, **options}
    return Plan({"models": {"m": declared}, "include": ["m"]})


def test_a_model_reads_what_its_encoder_reads() -> None:
    assert plan().model_inputs("m") == ("mel",)
    assert plan(encoder="multimodal_vae").model_inputs("m") == ("mel", "lyrics")
    assert plan(encoder="multimodal_vae").features >= {"logmel", "lyrics_window"}
    assert plan(encoder="multimodal_vae").spec("m")["lyrics_dim"] > 0


def test_an_encoders_code_is_code_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def note(script: Path, modules: list[str]) -> str:
        seen.append({name.rpartition(".")[2] for name in modules})
        return "digest"

    monkeypatch.setattr("songatlas.plan.workflow.fingerprint", note)
    plan(encoder="conv_vae").code_of_models("train", "m")
    assert seen == [{"dec", "conv_vae"}]
    monkeypatch.undo()
    codes = {plan(encoder=name).code_of_models("train", "m") for name in ("conv_vae", "basic_vae")}
    assert len(codes) == 2
