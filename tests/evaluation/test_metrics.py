"""Scores equal scikit-learn's on random labellings, and behave as scores of agreement should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as reference

from songatlas.evaluation import chance, metrics
from songatlas.evaluation.bootstrap import (
    clopper_pearson,
    interval,
    song_weights,
    with_more_errors,
)
from songatlas.evaluation.chance import permuted_codes
from songatlas.evaluation.contingency import Tables, draws, membership
from songatlas.evaluation.internal import internal
from songatlas.evaluation.scores import singletons

SKLEARN = {
    "ari": reference.adjusted_rand_score,
    "nmi": reference.normalized_mutual_info_score,
    "ami": reference.adjusted_mutual_info_score,
    "v_measure": reference.v_measure_score,
}


@st.composite
def labellings(draw, max_songs=12, noise=True):
    """Classes of songs, songs of points, clusters of points."""
    n_songs = draw(st.integers(1, max_songs))
    codes = draw(hnp.arrays(np.int64, n_songs, elements=st.integers(0, 3)))
    n = draw(st.integers(n_songs, 3 * n_songs))
    extra = draw(hnp.arrays(np.int64, n - n_songs, elements=st.integers(0, n_songs - 1)))
    songs = np.concatenate([np.arange(n_songs), extra])
    clusters = draw(hnp.arrays(np.int64, n, elements=st.integers(-1 if noise else 0, 4)))
    return codes, songs, clusters


def scores(codes, songs, clusters):
    [table] = draws(codes, int(codes.max()) + 1).tables(membership(clusters, songs, len(codes)))
    return {name: values[0] for name, values in metrics.external(table).items()}


@settings(max_examples=150, deadline=None)
@given(labellings())
def test_external_scores_equal_scikit_learn_with_noise_as_singletons(labelling):
    codes, songs, clusters = labelling
    ours = scores(codes, songs, clusters)
    for name, function in SKLEARN.items():
        assert ours[name] == pytest.approx(function(codes[songs], singletons(clusters)), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(labellings(max_songs=30), st.integers(0, 1000))
def test_a_batch_of_bootstrap_samples_equals_scoring_each_on_its_own(labelling, seed):
    codes, songs, clusters = labelling
    weights = song_weights(len(codes), 3, seed)
    [tables] = draws(codes, int(codes.max()) + 1, weights).tables(
        membership(clusters, songs, len(codes))
    )
    batch = metrics.external(tables)
    for row, weight in enumerate(weights):
        points = np.repeat(np.arange(len(songs)), weight[songs])
        alone = singletons(clusters[points])
        for name, function in SKLEARN.items():
            assert batch[name][row] == pytest.approx(
                function(codes[songs[points]], alone), abs=1e-9
            )


@settings(max_examples=60, deadline=None)
@given(labellings(), st.permutations(range(5)), st.permutations(range(4)))
def test_renaming_clusters_and_classes_changes_nothing(labelling, new_clusters, new_classes):
    codes, songs, clusters = labelling
    renamed = np.where(clusters < 0, -1, np.array(new_clusters)[clusters])
    before = scores(codes, songs, clusters)
    after = scores(np.array(new_classes)[codes], songs, renamed)
    assert after == pytest.approx(before, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(labellings(noise=False))
def test_scores_stay_in_their_ranges_and_purity_is_at_least_accuracy(labelling):
    values = scores(*labelling)
    for name, value in values.items():
        low, high = metrics.RANGES[name]
        assert low - 1e-9 <= value <= high + 1e-9
    assert values["purity"] >= values["accuracy"] - 1e-12


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int64, st.integers(2, 20), elements=st.integers(0, 3)))
def test_clusters_that_are_the_classes_score_one(codes):
    values = scores(codes, np.arange(len(codes)), codes)
    assert values == pytest.approx(dict.fromkeys(values, 1.0))


def test_a_single_cluster_tells_nothing():
    codes = np.array([0, 0, 0, 1, 1, 2])
    values = scores(codes, np.arange(6), np.zeros(6, int))
    assert [values[name] for name in ("ari", "nmi", "ami")] == pytest.approx([0, 0, 0])
    assert [values["purity"], values["accuracy"]] == [0.5, 0.5]


def test_all_noise_is_as_many_clusters_as_points():
    codes = np.array([0, 0, 1, 1])
    values = scores(codes, np.arange(4), np.full(4, -1))
    assert values["purity"] == 1.0
    assert values["accuracy"] == 0.5
    assert [values["ari"], values["ami"]] == pytest.approx([0.0, 0.0])


def test_hungarian_accuracy_maps_each_cluster_to_one_class():
    codes = np.array([0, 0, 0, 1, 1, 1])
    clusters = np.array([5, 5, 7, 7, 8, 8])
    assert scores(codes, np.arange(6), clusters)["accuracy"] == pytest.approx(4 / 6)


def test_hungarian_accuracy_equals_trying_every_map():
    from itertools import permutations

    rng = np.random.default_rng(0)
    for _ in range(20):
        codes, clusters = rng.integers(0, 4, 15), rng.integers(0, 4, 15)
        best = max((np.array(order)[clusters] == codes).mean() for order in permutations(range(4)))
        assert scores(codes, np.arange(15), clusters)["accuracy"] == pytest.approx(best)


def test_expected_information_is_exact_for_many_points():
    rng = np.random.default_rng(1)
    classes, clusters = rng.integers(0, 12, 3000), rng.integers(0, 15, 3000)
    [table] = draws(classes, 12).tables(membership(clusters, np.arange(3000), 3000))
    expected = reference.adjusted_mutual_info_score(classes, clusters)
    assert metrics.ami(table)[0] == pytest.approx(expected, abs=1e-10)


def test_permutations_keep_the_labels_and_depend_on_task_and_level_alone():
    codes = np.repeat([0, 1, 2], 6)
    first = permuted_codes(codes, 20, 0, "genre", "song")
    assert (np.sort(first, axis=1) == codes).all()
    assert (first == permuted_codes(codes, 20, 0, "genre", "song")).all()
    assert (first != permuted_codes(codes, 20, 0, "language", "song")).any()
    assert (first != permuted_codes(codes, 20, 0, "genre", "window")).any()
    assert len(np.unique(first, axis=0)) > 15


def test_bootstrap_samples_draw_as_many_songs_as_there_are():
    weights = song_weights(17, 50, 3, "genre")
    assert weights.shape == (50, 17)
    assert (weights.sum(axis=1) == 17).all()


def test_of_very_many_songs_the_first_draws_are_made(monkeypatch):
    codes = np.repeat([0, 1, 2], 10)
    every = permuted_codes(codes, 60, 0, "genre", "song"), song_weights(30, 60, 0)
    monkeypatch.setattr(chance, "DRAWN_SONGS", 900)
    fewer = permuted_codes(codes, 60, 0, "genre", "song"), song_weights(30, 60, 0)
    for all_of_them, first in zip(every, fewer, strict=True):
        assert first.shape == (30, 30)
        assert (all_of_them[:30] == first).all()
    monkeypatch.setattr(chance, "DRAWN_SONGS", 1)
    assert chance.bounded(60, 30) == chance.LEAST_DRAWS
    assert chance.bounded(7, 30) == 7


def test_interval_holds_its_value_and_keeps_to_the_range():
    draws_above = np.linspace(0.7, 0.9, 101)
    low, high = interval(0.5, draws_above, (0.0, 1.0))
    assert low < 0.5 < high
    assert high - low == pytest.approx(0.19, abs=0.01)
    assert interval(0.99, np.linspace(0.5, 1.0, 101), (0.0, 1.0))[1] == 1.0
    assert np.isnan(interval(0.5, np.zeros(0))).all()


@pytest.mark.parametrize(("n", "low"), [(1, 0.025), (3, 0.2924), (30, 0.8843)])
def test_the_interval_of_a_share_holds_what_few_songs_cannot_rule_out(n, low):
    assert clopper_pearson(n, n) == (pytest.approx(low, abs=1e-4), 1.0)
    assert clopper_pearson(0, n) == (0.0, pytest.approx(1 - low, abs=1e-4))


def test_more_errors_keep_the_margins_and_reach_the_upper_error_rate():
    table = Tables(np.diag([12.0, 12.0, 24.0])[None], np.zeros((1, 3)))
    more = with_more_errors(table, 48)
    assert more.classes[0] == pytest.approx([12, 12, 24])
    assert more.clusters[0] == pytest.approx([12, 12, 24])
    assert 1 - metrics.accuracy(more)[0] == pytest.approx(clopper_pearson(0, 48)[1])
    many = Tables(np.full((1, 3, 3), 5.0), np.zeros((1, 3)))
    assert with_more_errors(many, 45) is None


def test_errors_are_counted_from_either_side():
    """Classes that share a cluster are as sure, or unsure, as clusters that share a class."""
    counts = np.array([[[6.0, 6.0, 0.0], [0.0, 0.0, 9.0]]])
    split = Tables(counts, np.zeros((1, 2)))
    merged = Tables(counts.transpose(0, 2, 1), np.zeros((1, 3)))
    values = [metrics.nmi(with_more_errors(table, 21))[0] for table in (split, merged)]
    assert values[0] == pytest.approx(values[1])
    assert values[0] < metrics.nmi(split)[0] - 0.2


def blobs(seed=0, n=60):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    return rng.normal(size=(n, 5)) + labels[:, None], labels


def test_internal_scores_equal_scikit_learn_and_leave_noise_out():
    z, labels = blobs()
    labels = np.where(np.arange(60) % 7 == 0, -1, labels)
    found = internal(z, labels, np.ones((2, 60), int))
    kept = labels >= 0
    assert found.n == kept.sum()
    assert found.values == pytest.approx(
        {
            "silhouette": reference.silhouette_score(z[kept], labels[kept]),
            "calinski_harabasz": reference.calinski_harabasz_score(z[kept], labels[kept]),
            "davies_bouldin": reference.davies_bouldin_score(z[kept], labels[kept]),
        }
    )


def test_internal_draws_equal_scoring_the_repeated_points():
    z, labels = blobs(1)
    weights = song_weights(60, 4, 0)
    found = internal(z, labels, weights)
    for row, weight in enumerate(weights):
        repeated = np.repeat(np.arange(60), weight)
        args = z[repeated], labels[repeated]
        assert found.draws["calinski_harabasz"][row] == pytest.approx(
            reference.calinski_harabasz_score(*args)
        )
        assert found.draws["davies_bouldin"][row] == pytest.approx(
            reference.davies_bouldin_score(*args)
        )
    assert found.draws["silhouette"][0] == pytest.approx(
        np.repeat(reference.silhouette_samples(z, labels), weights[0]).mean()
    )


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        ([0, 0, 0, 0], "fewer than 2 clusters"),
        ([-1, -1, -1, -1], "fewer than 2 clusters"),
        ([0, 0, -1, -1], "fewer than 2 clusters"),
        ([0, 1, 2, 3], "every point is a cluster of its own"),
    ],
)
def test_internal_scores_that_do_not_exist_are_absent_with_a_note(labels, note):
    found = internal(np.eye(4), np.array(labels), np.ones((3, 4), int))
    assert (found.values, found.note) == ({}, note)


# --- what holds for every labelling ---------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(labellings(), st.randoms(use_true_random=False))
def test_the_order_of_points_changes_nothing(labelling, random):
    codes, songs, clusters = labelling
    order = list(range(len(songs)))
    random.shuffle(order)
    shuffled = scores(codes, songs[order], clusters[order])
    assert shuffled == pytest.approx(scores(codes, songs, clusters), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(labellings(), st.integers(0, 4), st.integers(0, 4))
def test_merging_two_clusters_never_raises_purity_or_information(labelling, one, other):
    codes, songs, clusters = labelling
    merged = np.where(clusters == one, other, clusters)
    before, after = scores(codes, songs, clusters), scores(codes, songs, merged)
    assert after["purity"] <= before["purity"] + 1e-12
    true = codes[songs]
    known = [reference.mutual_info_score(true, singletons(of)) for of in (clusters, merged)]
    assert known[1] <= known[0] + 1e-9
    assert after["nmi"] == pytest.approx(
        reference.normalized_mutual_info_score(true, singletons(merged)), abs=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(labellings(noise=False))
def test_one_cluster_is_zero_and_as_pure_as_the_largest_class(labelling):
    codes, songs, _ = labelling
    found = scores(codes, songs, np.zeros(len(songs), np.int64))
    share = np.bincount(codes[songs]).max() / len(songs)
    assert found["purity"] == pytest.approx(share)
    assert found["accuracy"] == pytest.approx(share)
    if len(set(codes[songs])) > 1:
        assert [found[name] for name in ("ari", "nmi", "ami", "v_measure")] == [0.0] * 4


@settings(max_examples=60, deadline=None)
@given(labellings())
def test_noise_is_the_same_as_clusters_of_one_point(labelling):
    codes, songs, clusters = labelling
    spelled = scores(codes, songs, singletons(clusters))
    assert spelled == pytest.approx(scores(codes, songs, clusters), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(labellings(max_songs=10), st.integers(0, 99))
def test_agreement_is_symmetric_where_it_should_be(labelling, seed):
    codes, songs, clusters = labelling
    true, found = codes[songs], singletons(clusters)
    points = np.arange(len(songs))
    here, there = scores(true, points, found), scores(found, points, true)
    for name in ("ari", "nmi", "ami", "v_measure", "accuracy"):
        assert here[name] == pytest.approx(there[name], abs=1e-9)
