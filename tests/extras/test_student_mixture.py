"""A mixture of multivariate t distributions."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, multivariate_t
from sklearn.metrics import adjusted_rand_score as ari

from songatlas.extras.student_mixture import DEGREES_OF_FREEDOM, StudentMixture


def groups(n: int, tails: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three t-distributed groups in the plane; `tails`: degrees of freedom."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    centres = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    noise = rng.normal(size=(n, 2)) / np.sqrt(rng.chisquare(tails, size=(n, 1)) / tails)
    return centres[truth] + noise, truth


@pytest.fixture
def fitted() -> StudentMixture:
    points, truth = groups(300, tails=5.0)
    mixture = StudentMixture(3, 2)
    mixture.start(points, truth)
    return mixture


def test_the_density_is_that_of_t_distributions(fitted: StudentMixture) -> None:
    z = np.random.default_rng(1).normal(size=(20, 2))
    expected = np.stack(
        [
            np.log(weight) + multivariate_t(mean, scale, fitted.degrees_of_freedom).logpdf(z)
            for weight, mean, scale in zip(
                fitted.log_weights.exp().numpy(), fitted.means.numpy(), fitted.scales(), strict=True
            )
        ],
        axis=1,
    )
    found = fitted.log_joint(torch.from_numpy(z.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("tails", "expected"), [(4.0, {4.0, 6.0}), (1e6, {30.0, 1_000.0})])
def test_degrees_of_freedom_follow_the_tails(tails: float, expected: set[float]) -> None:
    mixture = StudentMixture(3, 2)
    mixture.start(*groups(3_000, tails))
    assert mixture.degrees_of_freedom in expected


def test_em_never_loses_likelihood_and_mends_a_partition(fitted: StudentMixture) -> None:
    points, truth = groups(600, tails=5.0)
    wrong = np.where(np.random.default_rng(0).random(600) < 0.3, 0, truth)
    fitted.start(points, wrong)
    # The pull towards a shared matrix is a prior: likelihood alone may give way a little.
    z, before = torch.from_numpy(points.astype(np.float32)), -np.inf
    for _ in range(50):
        density = float(fitted.log_joint(z).logsumexp(1).mean())
        assert density > before - 0.01
        before = density
        fitted.update(points, np.zeros_like(points), fitted.responsibilities(points))
    assert ari(truth, fitted.responsibilities(points).argmax(1)) > 0.95


def test_the_kl_of_a_component_is_that_of_two_gaussians() -> None:
    rng = np.random.default_rng(0)
    mixture = StudentMixture(2, 2)
    mixture.start(rng.normal(size=(400, 2)) * [1.0, 2.0], np.arange(400) % 2)
    mixture.degrees_of_freedom = DEGREES_OF_FREEDOM[-1]
    mixture.update(
        rng.normal(size=(400, 2)) * [1.0, 2.0], np.zeros((400, 2)), np.eye(2)[np.arange(400) % 2]
    )
    mu, logvar = torch.tensor([[0.5, -1.0]]), torch.tensor([[-1.0, 0.3]])
    z = mu + torch.exp(0.5 * logvar) * torch.randn(200_000, 2, generator=torch.manual_seed(0))
    part = torch.zeros(len(z), dtype=torch.int64)
    estimate = float(mixture.kl(mu, logvar, z, part).mean())
    scale, mean = mixture.scales()[0], mixture.means[0].numpy()
    q = multivariate_normal(mu[0].numpy(), np.diag(logvar[0].exp().numpy())).logpdf(z.numpy())
    p = multivariate_normal(mean, scale).logpdf(z.numpy()) + float(mixture.log_weights[0])
    assert estimate == pytest.approx(float((q - p).mean()), abs=0.02)


def test_the_free_kl_weighs_all_components(fitted: StudentMixture) -> None:
    mu = logvar = torch.zeros(4, 2)
    z = torch.randn(4, 2, generator=torch.manual_seed(0))
    parts = [fitted.kl(mu, logvar, z, torch.full((4,), c)).numpy() for c in range(3)]
    free = fitted.kl(mu, logvar, z).numpy()
    np.testing.assert_allclose(free, -logsumexp(-np.stack(parts), axis=0), rtol=1e-5)


def test_a_component_without_points_stays_finite(fitted: StudentMixture) -> None:
    points, truth = groups(90, tails=30.0)
    fitted.start(points, truth % 2)
    fitted.update(points, np.zeros_like(points), np.eye(3)[truth % 2])
    assert all(buffer.isfinite().all() for buffer in fitted.buffers())
