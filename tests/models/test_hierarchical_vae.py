"""Hierarchical VAE: songs over windows."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from songatlas.errors import ConfigError
from songatlas.models import registry
from songatlas.models.base import InputSpec, parameter_count

torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=21, lyrics_dim=6, max_lines=3)


def model(**options: Any) -> Any:
    torch.manual_seed(0)
    options = {"window_dim": 4, **options}
    return registry.build("hierarchical_vae", SPEC, 8, options)


def batch() -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    return {
        "mel": torch.randn(6, 1, SPEC.n_mels, SPEC.n_frames, generator=random),
        "track": torch.tensor([7, 7, 7, 2, 2, 9]),
    }


def test_order_of_windows_changes_nothing() -> None:
    trained, order = model().eval(), torch.tensor([5, 0, 3, 2, 4, 1])
    one, other = batch(), {name: values[order] for name, values in batch().items()}
    means, moved = trained.run(one, sample=False), trained.run(other, sample=False)
    torch.testing.assert_close(moved.mu, means.mu[order], atol=1e-5, rtol=1e-4)
    losses = [
        trained.terms(given, done, kl_weight=1.0, scale="elbo")["loss"]
        for given, done in ((one, means), (other, moved))
    ]
    torch.testing.assert_close(losses[0], losses[1])


def test_a_song_depends_on_its_own_windows_alone() -> None:
    trained, changed = model().eval(), batch()
    changed["mel"][3:] *= -1.0
    before, after = trained(batch()).mu, trained(changed).mu
    torch.testing.assert_close(after[:3, :8], before[:3, :8])
    assert (after[3:, :8] - before[3:, :8]).abs().max() > 1e-3


def test_song_vector_is_the_posterior_mean_of_the_forward_pass() -> None:
    trained = model().eval()
    song = trained.embed_song(trained.summarise(batch())[:3])
    torch.testing.assert_close(song, trained(batch()).mu[0, :8])


def test_window_vector_is_that_of_a_song_of_one_window() -> None:
    trained = model().eval()
    torch.testing.assert_close(trained.embed(batch())[5], trained(batch()).mu[5, :8])


def test_kl_is_that_of_the_window_from_its_prior_and_a_share_of_the_song() -> None:
    trained = model().eval()
    done = trained(batch())
    s, _ = done.z.split([8, 4], 1)
    prior_mu, prior_logvar = trained.window_prior(s)
    prior = Normal(prior_mu, (0.5 * prior_logvar).exp())
    posterior = Normal(
        prior_mu + prior.scale * done.mu[:, 8:], prior.scale * (0.5 * done.logvar[:, 8:]).exp()
    )
    song = Normal(done.mu[:, :8], (0.5 * done.logvar[:, :8]).exp())
    n_windows = torch.tensor([3, 3, 3, 2, 2, 1])
    expected = (
        kl_divergence(posterior, prior).sum(1)
        + kl_divergence(song, Normal(0.0, 1.0)).sum(1) / n_windows
    ).mean()
    terms = trained.terms(batch(), done, kl_weight=1.0, scale="elbo")
    torch.testing.assert_close(terms["kl"], expected)


def test_songs_of_one_window_are_finite_under_autocast() -> None:
    trained, alone = model(), {**batch(), "track": torch.arange(6)}
    with torch.autocast("cpu", torch.bfloat16):
        terms = trained.loss(alone, kl_weight=1.0, scale="elbo")
    terms["loss"].backward()
    assert all(value.isfinite() for value in terms.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained.parameters())


def test_reconstruction_has_the_shape_of_the_windows() -> None:
    assert model().eval().reconstruct(batch()).shape == batch()["mel"].shape


def test_full_size_has_at_most_ten_million_parameters() -> None:
    with torch.device("meta"):
        full = dataclasses.replace(SPEC, n_mels=128, n_frames=1292)
        built = registry.build("hierarchical_vae", full, 128, {})
    assert parameter_count(built) <= 10_000_000


def test_window_dim_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"^window_dim:"):
        model(window_dim=0)
