"""Spectral partitions."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score

from songatlas.models import partitions
from songatlas.models.partitions import spectral


def test_interleaved_moons_are_parts() -> None:
    points, truth = make_moons(300, noise=0.05, random_state=0)
    labels = spectral(points, 2, seed=0)
    assert labels.dtype == np.int64
    assert adjusted_rand_score(truth, labels) == 1.0


def test_a_graph_in_more_pieces_than_parts_is_joined() -> None:
    centres = np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 900.0], [40.0, 900.0]])
    points, blob = make_blobs(200, centers=centres, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pairs, each = spectral(points, 2, seed=0), spectral(points, 4, seed=0)
    assert adjusted_rand_score(blob // 2, pairs) == 1.0
    assert adjusted_rand_score(blob, each) == 1.0


def test_points_outside_the_sample_follow_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "SAMPLE", 250)
    points, truth = make_moons(400, noise=0.05, random_state=0)
    assert adjusted_rand_score(truth, spectral(points, 2, seed=0)) > 0.95


def test_the_seed_decides() -> None:
    points = np.random.default_rng(0).normal(size=(120, 3))
    assert np.array_equal(spectral(points, 5, seed=1), spectral(points, 5, seed=1))


def test_duplicates_share_a_part() -> None:
    points = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], 20, axis=0)
    labels = spectral(points, 3, seed=0)
    assert [len(set(labels[start : start + 20])) for start in (0, 20, 40)] == [1, 1, 1]


def test_one_part_holds_everything() -> None:
    assert spectral(np.zeros((10, 2)), 1, seed=0).tolist() == [0] * 10


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="9 points are too few for a graph of 2 parts"):
        spectral(np.zeros((9, 2)), 2, seed=0)
