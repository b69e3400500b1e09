"""VaDE as a scikit-learn estimator."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics import normalized_mutual_info_score as nmi
from sklearn.metrics.cluster import contingency_matrix
from sklearn.preprocessing import scale

from songatlas.extras import vade_estimator
from songatlas.extras.vade_estimator import VaDE
from songatlas.models.mixture import EMPTY_SHARE, MixturePrior


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)  # small layers: more threads only wait for one another


def small(**options: object) -> VaDE:
    chosen = {"n_clusters": 4, "latent_dim": 3, "widths": (32, 64), "batch_size": 64}
    return VaDE(**(chosen | {"pretrain_epochs": 15, "epochs": 10} | options))


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    X, truth = make_blobs(240, n_features=12, centers=4, random_state=0)
    return scale(X).astype(np.float32), truth


@pytest.fixture(scope="module")
def fitted(blobs: tuple[np.ndarray, np.ndarray]) -> VaDE:
    return small().fit(blobs[0][:200])


def test_it_finds_blobs_in_training_and_in_new_data(
    fitted: VaDE, blobs: tuple[np.ndarray, np.ndarray]
) -> None:
    X, truth = blobs
    assert nmi(truth[:200], fitted.labels_) > 0.95
    assert nmi(truth[200:], fitted.predict(X[200:])) > 0.95


def test_what_it_returns_fits_together(fitted: VaDE, blobs: tuple[np.ndarray, np.ndarray]) -> None:
    new = blobs[0][200:]
    z, probability = fitted.transform(new), fitted.predict_proba(new)
    assert (z.shape, z.dtype) == ((40, 3), np.float32)
    np.testing.assert_allclose(probability.sum(1), 1.0)
    assert np.array_equal(probability.argmax(1), fitted.predict(new))
    deviation = (z[:, None] - fitted.means_) ** 2 / fitted.variances_ + np.log(fitted.variances_)
    joint = np.exp(np.log(fitted.weights_) - 0.5 * deviation.sum(2))
    np.testing.assert_allclose(probability, joint / joint.sum(1, keepdims=True), atol=1e-3)
    assert len(fitted.loss_curve_) == 25
    assert fitted.loss_curve_[14] < fitted.loss_curve_[0]


def test_the_seed_decides_and_global_state_stays(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    X = blobs[0][:80]
    quick = small(pretrain_epochs=2, epochs=2, seed=3)
    torch.manual_seed(0)
    first = quick.fit(X).transform(X)
    after = torch.rand(1)
    again = clone(quick).fit(X).transform(X)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, clone(quick).set_params(seed=4).fit(X).transform(X))
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))


def test_the_process_gets_its_threads_back(
    blobs: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    used, kl = set(), MixturePrior.kl

    def recorded(*arguments: object) -> torch.Tensor:
        used.add(torch.get_num_threads())
        return kl(*arguments)

    monkeypatch.setattr(MixturePrior, "kl", recorded)
    try:
        torch.set_num_threads(2)
        small(pretrain_epochs=1, epochs=1).fit(blobs[0][:40])
        assert used == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_an_empty_component_is_restarted_in_joint_training(
    blobs: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    initialise = MixturePrior.initialise

    def with_a_dead_component(
        prior: MixturePrior, latents: np.ndarray, seed: int, parts: np.ndarray | None
    ) -> np.ndarray:
        parts = initialise(prior, latents, seed, parts)
        with torch.no_grad():
            prior.means[2] = 1e3
        return parts

    monkeypatch.setattr(MixturePrior, "initialise", with_a_dead_component)
    X, truth = blobs
    guarded, bare = (small(hold=0.0, empty_share=share).fit(X) for share in (EMPTY_SHARE, 0.0))
    assert guarded.n_restarts_ >= 1
    assert nmi(truth, guarded.labels_) > 0.95
    assert bare.n_restarts_ == 0
    assert 2 not in bare.labels_


def test_the_bernoulli_likelihood_separates_binary_patterns() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 4
    patterns = rng.random((4, 24)) < 0.5
    X = (patterns[truth] ^ (rng.random((200, 24)) < 0.05)).astype(np.float32)
    assert nmi(truth, small(likelihood="bernoulli").fit_predict(X)) > 0.95


def test_defaults_suit_standardised_wine() -> None:
    X, truth = load_wine(return_X_y=True)
    labels = VaDE(3, widths=(64, 128), batch_size=64, pretrain_epochs=30, epochs=30).fit_predict(
        scale(X)
    )
    assert nmi(truth, labels) > 0.6


def test_any_unit_and_offset_give_the_same_clusters(
    fitted: VaDE, blobs: tuple[np.ndarray, np.ndarray]
) -> None:
    X = blobs[0][:200]
    scaled = small().fit(1e4 * X + 3e4)
    assert scaled.likelihood_ == "gaussian"
    assert nmi(fitted.labels_, scaled.labels_) > 0.99
    shift = 12 * np.log(1e4)  # nats: a density per unit of each of 12 values
    assert scaled.loss_curve_[0] == pytest.approx(fitted.loss_curve_[0] + shift, rel=0.01)


def test_auto_takes_the_bernoulli_likelihood_in_the_unit_interval(
    blobs: tuple[np.ndarray, np.ndarray],
) -> None:
    X = (blobs[0][:40] - blobs[0].min()) / np.ptp(blobs[0])
    quick = small(pretrain_epochs=1, epochs=1)
    assert quick.fit(X).likelihood_ == "bernoulli"
    assert clone(quick).fit(X + 0.5).likelihood_ == "gaussian"


@pytest.mark.parametrize(("n", "d", "latent_dim"), [(4, 2, 3), (6, 1, 2), (30, 2, 8)])
def test_few_samples_and_columns_are_fitted(n: int, d: int, latent_dim: int) -> None:
    X = np.random.default_rng(0).normal(size=(n, d))
    model = small(latent_dim=latent_dim, pretrain_epochs=2, epochs=4).fit(X)
    assert np.isfinite(model.loss_curve_).all()
    assert model.transform(X).shape == (n, latent_dim)


def test_constant_data_are_fitted() -> None:
    model = small(pretrain_epochs=2, epochs=4).fit(np.full((40, 3), 7.0))
    assert len(set(model.labels_)) == 1
    assert np.isfinite(model.transform(np.full((1, 3), 7.0))).all()


def test_the_first_partition_is_held_for_a_share_of_joint_training(
    blobs: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    X = blobs[0][:128]
    first = np.arange(128) % 4
    monkeypatch.setattr(vade_estimator, "spectral", lambda *_: first)
    held, kl = [], MixturePrior.kl

    def recorded(
        prior: MixturePrior,
        mu: torch.Tensor,
        logvar: torch.Tensor,
        z: torch.Tensor,
        parts: torch.Tensor | None,
    ) -> torch.Tensor:
        held.append([] if parts is None else torch.bincount(parts).tolist())
        return kl(prior, mu, logvar, z, parts)

    monkeypatch.setattr(MixturePrior, "kl", recorded)
    small(pretrain_epochs=1, epochs=4, hold=0.5).fit(X)
    steps = np.array([counts or [0] * 4 for counts in held]).reshape(4, 2, 4)  # 2 steps an epoch
    assert steps.sum(axis=1).tolist() == [[32] * 4, [32] * 4, [0] * 4, [0] * 4]


def with_nan(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X[0, 0] = np.nan
    return X


def test_nan_is_refused(fitted: VaDE, blobs: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="NaN"):
        small().fit(with_nan(blobs[0]))
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict(with_nan(blobs[0]))


def test_another_number_of_columns_is_refused(fitted: VaDE) -> None:
    with pytest.raises(ValueError, match="12 features"):
        fitted.predict(np.zeros((2, 5), np.float32))


def test_fewer_samples_than_clusters_are_refused(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="3 samples, fewer than n_clusters = 4"):
        small().fit(blobs[0][:3])


def test_values_outside_the_unit_interval_are_no_bernoulli_means(
    blobs: tuple[np.ndarray, np.ndarray],
) -> None:
    with pytest.raises(ValueError, match="rescale X or use 'gaussian'"):
        small(likelihood="bernoulli").fit(blobs[0])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n_clusters", 0),
        ("latent_dim", 0),
        ("widths", ()),
        ("widths", (8, 0)),
        ("pretrain_epochs", 0),
        ("epochs", -1),
        ("batch_size", 0),
        ("n_threads", 0),
        ("learning_rate", 0.0),
        ("likelihood", "poisson"),
        ("partition", "kmeans"),
        ("hold", 1.5),
    ],
)
def test_parameters_out_of_range_are_named(
    blobs: tuple[np.ndarray, np.ndarray], option: str, value: object
) -> None:
    with pytest.raises(ValueError, match=option):
        small(**{option: value}).fit(blobs[0])


def test_predict_before_fit_says_so() -> None:
    with pytest.raises(NotFittedError):
        small().predict(np.zeros((2, 12), np.float32))


def accuracy(truth: np.ndarray, labels: np.ndarray) -> float:
    counts = contingency_matrix(truth, labels)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(truth))


@pytest.mark.slow
def test_digits_reach_the_published_clusters() -> None:
    X, truth = load_digits(return_X_y=True)
    labels = [VaDE(seed=seed).fit_predict(X / 16.0) for seed in range(5)]
    assert np.mean([nmi(truth, found) for found in labels]) >= 0.82
    assert np.mean([accuracy(truth, found) for found in labels]) >= 0.80
