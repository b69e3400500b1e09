"""Measures of posterior collapse."""

import math

import pytest
import torch

from songatlas.training.posterior import Posterior, mutual_information


def test_mutual_information_is_zero_when_all_posteriors_are_the_prior() -> None:
    torch.manual_seed(0)
    zeros = torch.zeros(200, 4)
    assert mutual_information(zeros, zeros, torch.randn(200, 4)) == pytest.approx(0.0, abs=1e-5)


def test_mutual_information_of_separate_posteriors_is_log_n() -> None:
    mu = 100.0 * torch.arange(64.0)[:, None]
    logvar = torch.zeros(64, 1)
    found = mutual_information(mu, logvar, mu + torch.randn(64, 1))
    assert found == pytest.approx(math.log(64), abs=1e-4)


def test_mutual_information_agrees_with_a_gaussian_channel() -> None:
    torch.manual_seed(1)
    mu = 2.0 * torch.randn(1024, 1)
    z = mu + torch.randn(1024, 1)
    found = mutual_information(mu, torch.zeros_like(mu), z)
    assert found == pytest.approx(0.5 * math.log(1.0 + 4.0), abs=0.06)


def test_active_units_count_variance_between_songs_not_within() -> None:
    torch.manual_seed(2)
    track = torch.arange(100) // 10
    between = track.float() - 4.5
    within = torch.randn(100)
    within -= within.view(10, 10).mean(1).repeat_interleave(10)
    sums = Posterior()
    for rows in torch.arange(100).split(7):  # songs lie across batches
        sums.add(torch.stack([between[rows], within[rows]], 1), track[rows])
    assert sums.active_units() == 1
    torch.testing.assert_close(
        sums.variance()[0], between.view(10, 10)[:, 0].double().var(correction=0)
    )


def test_kl_per_unit_is_the_mean_over_all_batches() -> None:
    sums = Posterior()
    for value, n in ((1.0, 3), (4.0, 1)):
        kl = torch.full((n, 2), value)
        sums.add(torch.zeros(n, 2), torch.zeros(n, dtype=torch.int64), kl=kl.double().sum(0))
    assert sums.kl_per_unit() == [1.75, 1.75]
    assert sums.mutual_information() is None
