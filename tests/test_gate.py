"""Stability decides which block counts at which number of clusters."""

import numpy as np
import pytest

from songatlas.clustering.gate import balanced, gates, owned, weighted
from songatlas.clustering.levels import Points, attempts
from songatlas.config import Clustering

BLOCKS = {"one": (0, 4), "two": (4, 8)}


def groups(k: int, n: int, seed: int, order: np.ndarray) -> np.ndarray:
    """`n` points in `k` equidistant groups of four dimensions, in a given order."""
    rng = np.random.default_rng(seed)
    return 5.0 * np.eye(4)[order % k] + rng.normal(scale=0.5, size=(n, 4))


@pytest.fixture
def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """48 points: three groups in block one, four in block two, independent of each other."""
    one, two = np.arange(48), np.arange(48) // 3
    z = np.concatenate([groups(3, 48, 0, one), 100.0 * groups(4, 48, 1, two)], axis=1)
    return z, one % 3, two % 4


def test_the_block_whose_groups_there_are_gets_the_weight(points: tuple) -> None:
    z = balanced(points[0], BLOCKS)
    weight = {(gate.k, gate.block): gate.weight for gate in gates(z, BLOCKS, [3, 4], seed=0)}
    assert weight[3, "one"] > 0.8
    assert weight[4, "two"] > 0.8
    assert weight[3, "one"] + weight[3, "two"] == pytest.approx(1.0)


def test_stable_merges_do_not_count() -> None:
    """Four clear groups, two of them near each other: three clusters are certain, but a merge."""
    order = np.arange(60)
    four = groups(4, 60, 0, order)
    four[order % 4 == 1] += 0.5 * 5.0 * (np.eye(4)[0] - np.eye(4)[1])
    # Three groups that overlap: their clusters are less certain than the merge is.
    three = np.random.default_rng(1).normal(scale=1.3, size=(60, 4))
    three += 5.0 * np.eye(4)[order // 4 % 3]
    z = balanced(np.concatenate([four, three], axis=1), BLOCKS)
    found = {(gate.k, gate.block): gate for gate in gates(z, BLOCKS, [3, 4], seed=0)}
    assert found[3, "one"].stability > 0.99 > found[3, "two"].stability
    assert found[3, "two"].weight == pytest.approx(1.0)
    assert found[4, "one"].weight == pytest.approx(1.0)


def test_a_merge_of_another_blocks_groups_does_not_count_either() -> None:
    order = np.arange(60)
    four = groups(4, 60, 0, order)
    merged = groups(3, 60, 2, np.minimum(order % 4, 2))
    three = np.random.default_rng(1).normal(scale=1.3, size=(60, 4))
    three += 5.0 * np.eye(4)[order // 4 % 3]
    blocks = {"one": (0, 4), "shared": (4, 8), "two": (8, 12)}
    z = balanced(np.concatenate([four, merged, three], axis=1), blocks)
    found = {gate.block: gate for gate in gates(z, blocks, [3], seed=0)}
    assert found["shared"].stability > 0.99 > found["two"].stability
    assert found["two"].weight == pytest.approx(1.0)


def test_k_clusters_are_owned_where_no_finer_ones_that_tell_them_are_as_stable() -> None:
    at_k, lower = np.array([0.9, 0.9, 0.9, 1.0]), np.full(4, 0.5)
    assert owned(at_k, []) == 1.0
    assert owned(at_k, [(lower, 1.0)]) == 1.0
    assert owned(at_k, [(lower, 1.0), (at_k, 1.0)]) == 0.0
    assert owned(at_k, [(at_k, 0.25)]) == 0.75
    assert owned(at_k, [(np.array([0.5, 1.0, 0.5, 0.5]), 1.0)]) == 0.75
    assert owned(at_k, [(np.zeros(0), 1.0)]) == 1.0
    assert owned(np.zeros(0), []) == 0.0


def test_one_latent_serves_two_tasks(points: tuple) -> None:
    from sklearn.metrics import adjusted_mutual_info_score

    z, three, four = points
    names = tuple(f"t{i:02d}" for i in range(48))
    settings = Clustering(algorithms=["kmeans", "agglomerative", "gmm"], k=[3, 4], n_init=2)
    for attempt in attempts(Points("song", names, None, z), settings, [], 0, BLOCKS):
        truth = three if attempt.k == 3 else four
        assert adjusted_mutual_info_score(truth, attempt.clustering.labels) == 1.0
        assert "weighted by stability: one" in (attempt.clustering.note or "")
        assert sum(gate.weight for gate in attempt.gates) == pytest.approx(1.0)


def test_a_missing_block_is_the_mean_and_counts_for_less(points: tuple) -> None:
    z = points[0].copy()
    whole = gates(balanced(z, BLOCKS), BLOCKS, [12], seed=0)
    z[12:, :4] = 0.0
    scaled = balanced(z, BLOCKS)
    assert (scaled[12:, :4] == 0).all()
    np.testing.assert_allclose(scaled[:12, :4].mean(0), 0.0, atol=1e-12)
    assert scaled[:12, :4].var(0).sum() == pytest.approx(1.0)
    assert gates(scaled, BLOCKS, [12], seed=0)[0].weight < whole[0].weight
    # Too few rows to be clustered at all.
    assert gates(scaled, BLOCKS, [15], seed=0)[0].weight == 0.0


def test_units_of_blocks_do_not_matter(points: tuple) -> None:
    z = points[0]
    np.testing.assert_allclose(balanced(z * np.repeat([7.0, 0.1], 4), BLOCKS), balanced(z, BLOCKS))
    assert weighted(z, BLOCKS, {"one": 0.0, "two": 1.0}).shape == (48, 4)


def test_blocks_that_say_nothing_weigh_the_same() -> None:
    found = gates(np.zeros((10, 8)), BLOCKS, [3], seed=0)
    assert [gate.weight for gate in found] == [0.5, 0.5]
    assert np.isnan([gate.stability for gate in found]).all()
