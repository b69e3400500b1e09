"""The mixture prior of variational deep embedding."""

import math

import numpy as np
import pytest
import torch

from songatlas.errors import ConfigError
from songatlas.models import mixture
from songatlas.models.losses import gaussian_kl_per_unit
from songatlas.models.mixture import MixturePrior

torch.set_num_threads(1)

LATENT = 4


def random_prior(k: int = 3, seed: int = 0) -> MixturePrior:
    random = torch.Generator().manual_seed(seed)
    prior = MixturePrior(k, LATENT).eval()
    with torch.no_grad():
        prior.means.copy_(2.0 * torch.randn(k, LATENT, generator=random))
        prior.logvars.copy_(0.5 * torch.randn(k, LATENT, generator=random))
        prior.weight_logits.copy_(torch.randn(k, generator=random))
    return prior


def blobs(k: int = 3, n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(n) % k
    return (rng.normal(scale=8.0, size=(k, LATENT)))[truth] + rng.normal(size=(n, LATENT)), truth


def test_kl_is_the_monte_carlo_estimate_of_its_definition() -> None:
    prior = random_prior()
    torch.manual_seed(0)
    n = 200_000
    mu, logvar = torch.tensor([[0.3, -0.2, 0.1, 0.5]]).expand(n, -1), torch.full((n, LATENT), -0.5)
    z = mu + torch.exp(0.5 * logvar) * torch.randn(n, LATENT)
    q_z = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    p_z_given_c = torch.distributions.Normal(prior.means, torch.exp(0.5 * prior.logvars))
    log_gamma = prior.log_responsibilities(z[:1])  # one q(c | x) for the whole expectation
    gamma = log_gamma.exp()
    log_weights = torch.log_softmax(prior.weight_logits, 0)
    log_p = p_z_given_c.log_prob(z[:, None]).sum(2) + log_weights
    sampled = q_z.log_prob(z).sum(1).mean() + (gamma * (log_gamma - log_p)).sum(1).mean()
    torch.testing.assert_close(prior.kl(mu[:1], logvar[:1], z[:1])[0], sampled, rtol=0.01, atol=0)


def test_one_standard_component_gives_the_standard_kl() -> None:
    prior = MixturePrior(1, LATENT)
    mu, logvar, z = torch.randn(3, 5, LATENT)
    torch.testing.assert_close(prior.kl(mu, logvar, z), gaussian_kl_per_unit(mu, logvar).sum(1))


def test_responsibilities_follow_bayes_rule() -> None:
    prior = random_prior()
    z = torch.randn(5, LATENT)
    density = torch.distributions.Normal(prior.means, torch.exp(0.5 * prior.logvars))
    joint = density.log_prob(z[:, None]).sum(2).exp() * torch.softmax(prior.weight_logits, 0)
    torch.testing.assert_close(
        prior.log_responsibilities(z).exp(), joint / joint.sum(1, keepdim=True)
    )


def test_initialise_takes_the_moments_of_separate_blobs() -> None:
    points, truth = blobs()
    prior = MixturePrior(3, LATENT)
    prior.initialise(points, seed=0)
    found = prior.log_responsibilities(torch.tensor(points, dtype=torch.float32)).argmax(1).numpy()
    for c in range(3):
        (component,) = set(found[truth == c])
        np.testing.assert_allclose(
            prior.means[component].detach(), points[truth == c].mean(0), rtol=1e-4
        )
        np.testing.assert_allclose(
            prior.logvars[component].detach().exp(), points[truth == c].var(0), rtol=1e-4
        )
    torch.testing.assert_close(torch.softmax(prior.weight_logits, 0), torch.full((3,), 1 / 3))


def test_initialise_on_a_sample_finds_the_same_blobs(monkeypatch: pytest.MonkeyPatch) -> None:
    points, _ = blobs()
    whole, sampled = MixturePrior(3, LATENT), MixturePrior(3, LATENT)
    whole.initialise(points, seed=0)
    monkeypatch.setattr(mixture, "WARD_SAMPLE", 30)
    sampled.initialise(points, seed=0)
    assert np.allclose(
        np.sort(whole.means.detach().numpy(), 0), np.sort(sampled.means.detach().numpy(), 0)
    )


def trained_for_an_epoch(prior: MixturePrior, z: torch.Tensor) -> None:
    prior.train()
    prior.kl(z, torch.zeros_like(z), z)


def dead_prior(points: np.ndarray) -> MixturePrior:
    prior = MixturePrior(3, LATENT)
    prior.initialise(points, seed=0)
    with torch.no_grad():
        prior.means[1] = 1e3
    return prior


def test_a_dead_component_is_found_and_revived() -> None:
    points, truth = blobs()
    z = torch.tensor(points, dtype=torch.float32)
    prior = dead_prior(points)
    trained_for_an_epoch(prior, z)
    empty = prior.empty()
    assert empty.tolist() == [1]
    prior.restart(empty, points, seed=0)
    found = prior.log_responsibilities(z).argmax(1).numpy()
    assert len({(int(a), int(b)) for a, b in zip(truth, found, strict=True)}) == 3
    torch.testing.assert_close(torch.softmax(prior.weight_logits, 0), torch.full((3,), 1 / 3))
    trained_for_an_epoch(prior, z)
    assert prior.empty().tolist() == []


def test_a_restart_leaves_parts_that_are_not_split_alone() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0] * LATENT, [30.0] * LATENT, [36.0] * LATENT])
    points = np.repeat(centres, 30, axis=0) + rng.normal(size=(90, LATENT))
    prior = MixturePrior(3, LATENT)
    parts = np.repeat([0, 1, 1], 30)
    assert np.array_equal(prior.initialise(points, seed=0, parts=parts), parts)
    before = prior.means[0].clone()
    prior.restart(np.array([2]), points, seed=0)
    assert torch.equal(prior.means[0], before)
    found = prior.means[1:].detach().numpy()
    expected = np.stack([points[30:60].mean(0), points[60:].mean(0)])
    np.testing.assert_allclose(found[found[:, 0].argsort()], expected, rtol=1e-5)


def test_every_component_dead_is_revived_too() -> None:
    points, truth = blobs()
    prior = MixturePrior(3, LATENT)
    prior.restart(np.arange(3), points, seed=0)
    z = torch.tensor(points, dtype=torch.float32)
    found = prior.log_responsibilities(z).argmax(1).numpy()
    assert len({(int(a), int(b)) for a, b in zip(truth, found, strict=True)}) == 3


def test_nothing_to_split_leaves_a_component_where_it_is() -> None:
    prior = MixturePrior(3, LATENT)
    before = prior.means.clone()
    prior.restart(np.array([1]), np.ones((20, LATENT)), seed=0)
    assert torch.equal(prior.means, before)
    assert torch.isfinite(prior.weight_logits).all()


def test_the_kl_of_given_parts_uses_their_components_alone() -> None:
    prior = random_prior().train()
    mu, logvar, z = torch.randn(3, 5, LATENT)
    parts = torch.tensor([0, 1, 2, 0, 1])
    q = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    p = torch.distributions.Normal(prior.means[parts], torch.exp(0.5 * prior.logvars[parts]))
    expected = torch.distributions.kl_divergence(q, p).sum(1)
    expected -= torch.log_softmax(prior.weight_logits, 0)[parts]
    torch.testing.assert_close(prior.kl(mu, logvar, z, parts), expected)
    assert prior.mass.sum() == 0.0


def test_only_training_steps_since_the_last_look_count() -> None:
    points, _ = blobs()
    z = torch.tensor(points, dtype=torch.float32)
    prior = dead_prior(points).eval()
    prior.kl(z, torch.zeros_like(z), z)
    assert prior.empty().tolist() == []
    trained_for_an_epoch(prior, z)
    assert prior.empty().tolist() == [1]
    assert prior.empty().tolist() == []


def test_the_count_travels_with_the_weights() -> None:
    points, _ = blobs()
    prior, resumed = dead_prior(points), MixturePrior(3, LATENT)
    trained_for_an_epoch(prior, torch.tensor(points, dtype=torch.float32))
    resumed.load_state_dict(prior.state_dict())
    assert resumed.empty().tolist() == [1]


def test_no_component_is_refused() -> None:
    with pytest.raises(ConfigError, match="n_components"):
        MixturePrior(0, LATENT)


def test_log_density_of_a_far_point_stays_finite() -> None:
    far = torch.full((1, LATENT), 1e4)
    log_gamma = random_prior().log_responsibilities(far)
    assert log_gamma.exp().sum().item() == pytest.approx(1.0)
    assert not math.isnan(log_gamma.max().item())
