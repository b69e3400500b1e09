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
from sklearn.utils.estimator_checks import check_estimator

from songatlas.extras import vade_estimator
from songatlas.extras.student_mixture import StudentMixture
from songatlas.extras.vade_estimator import VaDE


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)  # small layers: more threads only wait for one another


def small(**options: object) -> VaDE:
    chosen = {"n_clusters": 4, "latent_dim": 3, "widths": (32, 64), "batch_size": 64}
    return VaDE(**(chosen | {"pretrain_epochs": 15, "epochs": 10, "random_state": 0} | options))


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
    difference = z[:, None] - fitted.means_
    distance = np.einsum("nki,kij,nkj->nk", difference, np.linalg.inv(fitted.scales_), difference)
    nu = fitted.degrees_of_freedom_
    sizes = np.log(fitted.weights_) - 0.5 * np.linalg.slogdet(fitted.scales_)[1]
    joint = np.exp(sizes - 0.5 * (nu + 3) * np.log1p(distance / nu))
    np.testing.assert_allclose(probability, joint / joint.sum(1, keepdims=True), atol=1e-3)
    assert len(fitted.loss_curve_) == 25
    assert fitted.loss_curve_[14] < fitted.loss_curve_[0]


def test_random_state_decides_and_global_state_stays(
    blobs: tuple[np.ndarray, np.ndarray],
) -> None:
    X = blobs[0][:80]
    quick = small(pretrain_epochs=2, epochs=2, random_state=3)
    torch.manual_seed(0)
    first = quick.fit(X).transform(X)
    after = torch.rand(1)
    assert np.array_equal(first, clone(quick).fit(X).transform(X))
    for other in (4, None, np.random.RandomState(4)):
        assert not np.array_equal(
            first, clone(quick).set_params(random_state=other).fit_transform(X)
        )
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))


def test_the_process_gets_its_threads_back(
    blobs: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    used, kl = set(), StudentMixture.kl

    def recorded(*arguments: object) -> torch.Tensor:
        used.add(torch.get_num_threads())
        return kl(*arguments)

    monkeypatch.setattr(StudentMixture, "kl", recorded)
    try:
        torch.set_num_threads(2)
        small(pretrain_epochs=1, epochs=1).fit(blobs[0][:40])
        assert used == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def stretched(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Long parallel clusters, which a graph of neighbours cuts across, in 12 noisy columns."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    plane = np.stack([4.0 * rng.normal(size=n), 2.5 * truth + 0.5 * rng.normal(size=n)], axis=1)
    return plane @ rng.normal(size=(2, 12)) + 0.1 * rng.normal(size=(n, 12)), truth


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_joint_training_mends_the_first_partition(seed: int) -> None:
    X, truth = stretched(300, seed)
    model = small(n_clusters=3, latent_dim=2, epochs=40).fit(X)
    assert nmi(truth, model.labels_) > nmi(truth, model.initial_labels_) + 0.05


def test_without_joint_training_labels_are_the_initial_ones(
    blobs: tuple[np.ndarray, np.ndarray],
) -> None:
    model = small(epochs=0).fit(blobs[0])
    assert np.array_equal(model.labels_, model.initial_labels_)


def test_columns_of_different_units_count_alike() -> None:
    X, truth = make_blobs(240, n_features=6, centers=4, random_state=1)
    assert nmi(truth, small().fit_predict(X * 10.0 ** np.arange(-3, 3))) > 0.95


@pytest.mark.parametrize("column", [np.zeros(240), 1e4 + 1e-4 * np.arange(240) / 240])
def test_a_constant_column_changes_no_scale(
    blobs: tuple[np.ndarray, np.ndarray], column: np.ndarray
) -> None:
    X, truth = blobs
    assert nmi(truth, small().fit_predict(np.column_stack([X, column]))) > 0.95


def test_the_bernoulli_likelihood_separates_binary_patterns() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 4
    patterns = rng.random((4, 24)) < 0.5
    X = (patterns[truth] ^ (rng.random((200, 24)) < 0.05)).astype(np.float32)
    assert nmi(truth, small(likelihood="bernoulli").fit_predict(X)) > 0.95


def test_defaults_suit_wine_in_its_own_units() -> None:
    X, truth = load_wine(return_X_y=True)
    assert nmi(truth, VaDE(3, widths=(64, 128), random_state=0).fit_predict(X)) > 0.75


def test_any_unit_and_offset_give_the_same_clusters(
    fitted: VaDE, blobs: tuple[np.ndarray, np.ndarray]
) -> None:
    X = blobs[0][:200]
    scaled = small().fit(1e4 * X + 3e4)
    assert scaled.likelihood_ == "gaussian"
    assert nmi(fitted.labels_, scaled.labels_) > 0.99
    shift = 12 * np.log(1e4)  # nats: a density per unit of each of 12 values
    assert scaled.loss_curve_[0] == pytest.approx(fitted.loss_curve_[0] + shift, rel=0.01)


def test_auto_takes_the_bernoulli_likelihood_for_binary_values_alone(
    blobs: tuple[np.ndarray, np.ndarray],
) -> None:
    binary = (blobs[0][:40] > 0.0).astype(np.float32)
    quick = small(pretrain_epochs=1, epochs=1)
    assert quick.fit(binary).likelihood_ == "bernoulli"
    assert clone(quick).fit(binary * 0.5).likelihood_ == "gaussian"


@pytest.mark.parametrize(("n", "d", "latent_dim"), [(4, 2, 3), (6, 1, 2), (30, 2, 8)])
def test_few_samples_and_columns_are_fitted(n: int, d: int, latent_dim: int) -> None:
    X = np.random.default_rng(0).normal(size=(n, d))
    model = small(latent_dim=latent_dim, pretrain_epochs=2, epochs=4).fit(X)
    assert np.isfinite(model.loss_curve_).all()
    assert model.transform(X).shape == (n, min(latent_dim, d))


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
    held, kl = [], StudentMixture.kl

    def recorded(
        mixture: StudentMixture,
        mu: torch.Tensor,
        logvar: torch.Tensor,
        z: torch.Tensor,
        parts: torch.Tensor | None,
    ) -> torch.Tensor:
        held.append([] if parts is None else torch.bincount(parts).tolist())
        return kl(mixture, mu, logvar, z, parts)

    monkeypatch.setattr(StudentMixture, "kl", recorded)
    small(pretrain_epochs=1, epochs=4, hold=0.5).fit(X)
    # 8 steps an epoch: batches of 16
    steps = np.array([counts or [0] * 4 for counts in held]).reshape(4, 8, 4)
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
        ("dropout", 1.0),
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
def test_it_behaves_as_scikit_learn_demands() -> None:
    check_estimator(VaDE(3, latent_dim=2, widths=(8,), pretrain_epochs=2, epochs=4))


@pytest.mark.slow
def test_digits_reach_the_published_clusters() -> None:
    X, truth = load_digits(return_X_y=True)
    labels = [VaDE(random_state=seed).fit_predict(X) for seed in range(5)]
    assert np.mean([nmi(truth, found) for found in labels]) >= 0.82
    assert np.mean([accuracy(truth, found) for found in labels]) >= 0.80
