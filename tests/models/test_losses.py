"""The loss terms and their two scales."""

import math

import pytest
import torch

from songatlas.models.losses import calibrated_nll, gaussian_kl_per_unit, objective, paid


def test_kl_is_the_closed_form_of_torch() -> None:
    mu, logvar = torch.randn(5, 7), torch.randn(5, 7)
    q = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    p = torch.distributions.Normal(torch.zeros(7), torch.ones(7))
    expected = torch.distributions.kl_divergence(q, p).sum(1)
    torch.testing.assert_close(gaussian_kl_per_unit(mu, logvar).sum(1), expected)


def test_kl_of_the_prior_is_zero() -> None:
    assert torch.equal(
        gaussian_kl_per_unit(torch.zeros(3, 4), torch.zeros(3, 4)), torch.zeros(3, 4)
    )


def test_paper_scale_averages_over_values_and_latent_dimensions() -> None:
    target, given = torch.zeros(2, 1, 3, 4), torch.full((2, 1, 3, 4), 2.0)
    kl = torch.tensor([6.0, 10.0])
    terms = objective(target, given, kl, kl_weight=0.5, scale="paper", latent_dim=4)
    assert float(terms["loss"]) == pytest.approx(4.0 + 0.5 * 8.0 / 4)
    assert float(terms["reconstruction"]) == pytest.approx(4.0)
    assert float(terms["kl"]) == pytest.approx(8.0)


def test_elbo_scale_is_the_bound_divided_by_the_number_of_values() -> None:
    torch.manual_seed(0)
    target, given, kl = torch.randn(3, 1, 5, 6), torch.randn(3, 1, 5, 6), torch.rand(3)
    terms = objective(target, given, kl, kl_weight=2.0, scale="elbo", latent_dim=4)
    sigma = (target - given).square().mean().sqrt()
    nll = -torch.distributions.Normal(given, sigma).log_prob(target).sum(dim=(1, 2, 3))
    torch.testing.assert_close(terms["loss"], (nll + 2.0 * kl).mean() / 30)


def test_calibrated_variance_is_the_best_one() -> None:
    error = torch.tensor(0.3)
    others = torch.linspace(0.05, 2.0, 200)
    nll = 0.5 * (torch.log(2 * math.pi * others) + error / others)
    assert float(calibrated_nll(error)) <= float(nll.min())


def test_a_perfect_reconstruction_has_a_finite_loss_and_gradient() -> None:
    given = torch.zeros(2, 1, 3, 4, requires_grad=True)
    terms = objective(
        torch.zeros(2, 1, 3, 4), given, torch.zeros(2), kl_weight=1.0, scale="elbo", latent_dim=4
    )
    terms["loss"].backward()
    assert terms["loss"].isfinite()
    assert given.grad is not None
    assert given.grad.isfinite().all()


@pytest.mark.parametrize("scale", ["paper", "elbo"])
def test_loss_is_distortion_plus_weighted_rate(scale: str) -> None:
    terms = objective(
        torch.randn(2, 1, 3, 4),
        torch.randn(2, 1, 3, 4),
        torch.rand(2),
        kl_weight=0.7,
        scale=scale,  # type: ignore[arg-type]
        latent_dim=4,
    )
    torch.testing.assert_close(terms["loss"], terms["distortion"] + 0.7 * terms["rate"])


def test_reference_scale_weights_the_kl_about_650_times_too_high() -> None:
    """At unit error, the weight of a nat relative to that of the squared error."""
    target = torch.zeros(1, 1, 128, 1292)
    given = torch.ones_like(target).requires_grad_()
    weight = {}
    for scale in ("paper", "elbo"):
        terms = objective(target, given, torch.ones(1), kl_weight=1.0, scale=scale, latent_dim=128)
        (gradient,) = torch.autograd.grad(terms["loss"], given)
        weight[scale] = float(terms["rate"]) / float(gradient.abs().sum())
    assert weight["paper"] / weight["elbo"] == pytest.approx(165_376 / 256, rel=1e-3)


def test_free_bits_take_the_gradient_from_dimensions_below_the_floor() -> None:
    kl = torch.tensor([[0.1, 3.0], [0.3, 5.0]], requires_grad=True)
    total = paid(kl, 0.5, latent_dim=2)
    assert total.item() == pytest.approx(0.5 + 4.0)
    total.backward()
    assert kl.grad is not None
    assert kl.grad[:, 0].abs().max() == 0.0
    assert kl.grad[:, 1].min() > 0.0
    whole = paid(torch.tensor([0.3, 0.5]), 0.5, latent_dim=2)
    assert whole.item() == pytest.approx(1.0)
