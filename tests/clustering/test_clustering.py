"""Clustering algorithms, levels and the reduction before them."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from songatlas import tables
from songatlas.clustering import algorithms
from songatlas.clustering.algorithms import WITHOUT_K, cluster
from songatlas.clustering.levels import (
    Attempt,
    Points,
    attempts,
    clusters_frame,
    points_of,
    song_votes,
    voting_songs,
)
from songatlas.config.base import Algorithm
from songatlas.config.clustering import Clustering
from songatlas.features.vectors import reduction


def blobs(n=90, d=6, centres=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % centres
    return rng.normal(size=(centres, d))[truth] * 6 + rng.normal(size=(n, d)), truth


def k_for(algorithm, k):
    return None if algorithm in WITHOUT_K else k


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_every_algorithm_finds_well_separated_groups(algorithm):
    z, truth = blobs()
    found = cluster(z, algorithm, k_for(algorithm, 3), seed=0)
    assert found.labels.dtype == np.int32
    clustered = found.labels >= 0
    assert clustered.mean() > 0.8
    assert adjusted_rand_score(truth[clustered], found.labels[clustered]) > 0.95


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_the_same_seed_gives_the_same_labels(algorithm):
    z = np.random.default_rng(1).normal(size=(60, 20))
    first, second = (cluster(z, algorithm, k_for(algorithm, 5), seed=3) for _ in range(2))
    assert (first.labels == second.labels).all()


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_the_unit_of_the_points_does_not_matter(algorithm):
    z, _ = blobs(seed=2)
    k = k_for(algorithm, 4)
    labels = cluster(z, algorithm, k).labels
    assert (cluster(z * 1e6 + 5.0, algorithm, k).labels == labels).all()
    assert (cluster(z * 1e-6, algorithm, k).labels == labels).all()


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
@pytest.mark.parametrize(
    ("z", "note"),
    [
        (np.zeros((0, 3)), "fewer than 2 points"),
        (np.ones((1, 3)), "fewer than 2 points"),
        (np.ones((20, 3)), "all points are the same"),
        (np.full((20, 3), np.nan), "values that are not finite"),
        (np.r_[np.eye(19, 3), [[np.inf, 0, 0]]], "values that are not finite"),
    ],
)
def test_points_that_cannot_be_clustered_give_null_with_a_note(algorithm, z, note):
    found = cluster(z, algorithm, k_for(algorithm, 4))
    assert found.labels is None
    assert note in found.note


@pytest.mark.parametrize("algorithm", ["kmeans", "agglomerative", "gmm", "spectral"])
def test_k_that_is_too_large_gives_null_with_a_note(algorithm):
    z = np.random.default_rng(0).normal(size=(5, 3))
    assert "not below n = 5" in cluster(z, algorithm, 5).note
    twice = np.repeat(np.eye(3), 4, axis=0)
    found = cluster(twice, algorithm, 5)
    assert found.labels is None
    assert "number of distinct points" in found.note


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_a_handful_of_wide_points_raises_nothing(algorithm, n):
    z = np.random.default_rng(n).normal(size=(n, 128))
    found = cluster(z, algorithm, k_for(algorithm, 2))
    assert found.labels is None or found.labels.shape == (n,)


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_copies_of_a_point_are_clustered_together(algorithm):
    rng = np.random.default_rng(0)
    z = np.repeat(rng.normal(size=(12, 4)), 6, axis=0)
    labels = cluster(z, algorithm, k_for(algorithm, 4)).labels.reshape(12, 6)
    assert (labels == labels[:, :1]).all()


def test_labels_count_up_in_order_of_first_appearance():
    z, _ = blobs(seed=5)
    labels = cluster(z, "kmeans", 6).labels
    assert list(dict.fromkeys(labels.tolist())) == list(range(6))


def test_gmm_on_fewer_points_than_dimensions_says_so():
    z, _ = blobs(n=30, d=50)
    found = cluster(z, "gmm", 3, gmm="full")
    assert "10 points for 50 dimensions" in found.note
    assert found.probability.min() >= 1 / 3
    assert found.probability.max() <= 1 + 1e-6


@pytest.mark.parametrize("gmm", ["bic", "full"])
def test_gmm_is_the_same_in_the_span_of_the_points(gmm):
    z, _ = blobs(n=25, d=40, seed=7)
    rotated = z @ np.linalg.qr(np.random.default_rng(0).normal(size=(40, 40)))[0]
    before, after = (cluster(points, "gmm", 3, gmm=gmm).labels for points in (z, rotated))
    assert (before == after).all()


def test_full_covariances_in_many_dimensions_leave_the_start_and_say_so():
    z = np.random.default_rng(0).normal(size=(200, 64))
    assert "EM did not change its start" in cluster(z, "gmm", 5, n_init=3, gmm="full").note
    overlapping = np.random.default_rng(0).normal(size=(200, 2))
    assert "EM did not" not in (cluster(overlapping, "gmm", 5, n_init=3, gmm="full").note or "")


def test_gmm_is_another_algorithm_than_kmeans():
    """A narrow cluster within a wide one."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 100)
    z = np.where(truth[:, None] == 0, 1.0, 4.0) * rng.normal(size=(200, 8))
    found = cluster(z, "gmm", 2)
    assert adjusted_rand_score(truth, found.labels) > 0.9
    assert adjusted_rand_score(truth, cluster(z, "kmeans", 2).labels) < 0.1
    assert "diagonal covariances" in found.note


def test_gmm_shares_one_covariance_where_clusters_are_alike():
    truth = np.arange(200) % 2
    noise = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], 200)
    found = cluster(noise + 4.0 * np.eye(2)[0] * truth[:, None], "gmm", 2)
    assert found.note == "GMM with one covariance for all"
    assert adjusted_rand_score(truth, found.labels) > 0.95


def test_many_points_are_clustered_on_a_sample_that_is_named(monkeypatch):
    monkeypatch.setattr(algorithms, "LARGE", 60)
    z, truth = blobs(n=200)
    found = cluster(z, "agglomerative", 3)
    assert "sample of 60 of 200 points" in found.note
    assert adjusted_rand_score(truth, found.labels) > 0.95
    assert cluster(z, "kmeans", 3).note is None


def test_k_means_of_very_many_points_takes_mini_batches_and_says_so(monkeypatch):
    z, truth = blobs(n=900)
    whole = cluster(z, "kmeans", 3)
    monkeypatch.setattr(algorithms, "MINI_BATCH", 899)
    found = cluster(z, "kmeans", 3)
    assert found.note == "mini-batch k-means (more than 899 points)"
    assert adjusted_rand_score(whole.labels, found.labels) > 0.99
    assert adjusted_rand_score(truth, found.labels) > 0.95
    unseen = cluster(z, "kmeans", 3, unseen=z[::7]).labels
    assert (unseen == found.labels[::7]).all()


def test_distinct_points_are_counted_to_the_end_where_the_first_are_too_few():
    z = np.zeros((3000, 2))
    z[2500:, 0] = np.arange(500) % 3
    assert cluster(z, "kmeans", 3).labels.max() == 2
    assert "number of distinct points, 3" in cluster(z, "kmeans", 4).note


def test_wide_points_are_reduced_with_a_note_and_narrow_ones_are_not():
    z = np.random.default_rng(0).normal(size=(20, 300))
    reduced = reduction.reduce_width(z, 256, 128)
    assert reduced.z.shape == (20, 19)
    assert reduced.note == "PCA 300 -> 19"
    distances = np.linalg.norm(z[:, None] - z[None], axis=2)
    kept = np.linalg.norm(reduced.z[:, None] - reduced.z[None], axis=2)
    assert kept == pytest.approx(distances)
    assert reduction.reduce_width(z[:, :256], 256, 128).note is None


@pytest.mark.parametrize("standardise", [False, True])
def test_streamed_components_equal_those_of_scikit_learn(standardise, monkeypatch):
    monkeypatch.setattr(reduction, "HELD_ROWS", 7)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 90)) * rng.uniform(0.1, 5, 90) + 100
    ours = reduction.principal_components(
        lambda: (z[start : start + 9] for start in range(0, 40, 9)), 6, standardise=standardise
    )
    scaled = (z - z.mean(0)) / z.std(0) if standardise else z
    theirs = PCA(6, svd_solver="full").fit_transform(scaled)
    assert np.abs(ours) == pytest.approx(np.abs(theirs), abs=1e-6)


def test_components_fitted_on_a_sample_still_cover_every_row(monkeypatch):
    monkeypatch.setattr(reduction, "FIT_ROWS", 50)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(120, 3)) @ rng.normal(size=(3, 30))
    reduced = reduction.principal_components(lambda: iter([z[:70], z[70:]]), 3)
    distances = np.linalg.norm(z[:, None] - z[None], axis=2)
    kept = np.linalg.norm(reduced[:, None] - reduced[None], axis=2)
    assert kept == pytest.approx(distances, rel=1e-3, abs=1e-3)


def latents(n_songs=8, per=3, own=False):
    z, _ = blobs(n_songs * per, 4)
    tracks = [f"t{i // per}" for i in range(len(z))]
    ids = [f"{track}-{i % per}" for i, track in enumerate(tracks)]
    splits = ["validation" if track in ("t1", "t4") else "train" for track in tracks]
    labels = np.arange(len(z)) % 2 + 5 if own else None
    songs = sorted(set(tracks))
    means = np.stack([z[np.array(tracks) == song].mean(0) for song in songs])
    return pd.concat(
        [
            tables.latents_frame("window", ids, tracks, splits, z, labels),
            tables.latents_frame("song", None, songs, ["train"] * n_songs, means),
        ],
        ignore_index=True,
    )


def test_evaluating_on_a_split_leaves_other_songs_out():
    points = points_of(latents(), "window", "validation")
    assert sorted(set(points.track_ids)) == ["t1", "t4"]
    assert len(points_of(latents(), "window")) == 24


def test_every_k_of_config_and_tasks_is_tried_once():
    settings = Clustering(algorithms=["kmeans", "hdbscan"], k=[3, 5])
    found = attempts(points_of(latents(), "window"), settings, [5, 7, 1], seed=0)
    assert [(item.algorithm, item.k) for item in found] == [
        ("kmeans", 3),
        ("kmeans", 5),
        ("kmeans", 7),
        ("hdbscan", None),
    ]


def test_a_models_own_assignments_are_one_more_clustering():
    settings = Clustering(algorithms=["kmeans"], k=[3])
    found = attempts(points_of(latents(own=True), "window"), settings, [], seed=0)
    assert (found[-1].algorithm, found[-1].k) == ("own", 2)
    assert "own" not in {
        item.algorithm
        for item in attempts(points_of(latents(own=True), "song"), settings, [], seed=0)
    }


def vote_of(window_labels):
    """Majority label and share of one song with these window labels."""
    n = len(window_labels)
    points = Points("window", ("a",) * n, tuple(map(str, range(n))), np.zeros((n, 1)))
    clustering = algorithms.Clustering(np.array(window_labels, np.int32))
    attempt = Attempt(points, "kmeans", 3, clustering)
    songs = voting_songs(points, Points("song", ("a",), None, np.zeros((1, 1))))
    [found] = song_votes([attempt], songs)
    return int(found.clustering.labels[0]), float(found.clustering.probability[0])


@pytest.mark.parametrize(
    ("windows", "label", "share"),
    [
        ([2, 2, 0], 2, 2 / 3),
        ([2, 1, 2, 1], 1, 0.5),
        ([-1, -1, 2], 2, 1 / 3),
        ([-1, -1, -1], -1, 1.0),
        ([0], 0, 1.0),
    ],
)
def test_a_song_takes_the_majority_label_of_its_windows(windows, label, share):
    assert vote_of(windows) == (label, pytest.approx(share))


def test_clusters_can_be_written_and_read(tmp_path):
    settings = Clustering(algorithms=["gmm", "dbscan"], k=[3])
    windows = points_of(latents(), "window")
    found = attempts(windows, settings, [100], seed=0)
    found += song_votes(found, voting_songs(windows, points_of(latents(), "song")))
    tables.write(clusters_frame(found), tmp_path / "clusters.parquet", tables.CLUSTERS)
    frame = tables.read(tmp_path / "clusters.parquet", tables.CLUSTERS)
    assert len(frame) == 2 * 24 + 2 * 8
    assert frame.loc[frame["algorithm"] == "dbscan", "k"].isna().all()
    assert set(frame.loc[frame["algorithm"] == "gmm", "k"]) == {3}
    assert frame.loc[frame["level"] == "song_vote", "window_id"].isna().all()
    assert len(tables.empty(tables.CLUSTERS)) == len(clusters_frame([]))


# --- clusters of unseen points --------------------------------------------------------------------


def halves(seed=0, n=160):
    """Fitted and unseen points of the same well-separated groups, and the groups of both."""
    z, truth = blobs(n, seed=seed)
    return z[: n // 2], z[n // 2 :], truth[: n // 2], truth[n // 2 :]


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_unseen_points_join_the_clusters_of_their_group(algorithm):
    fitted, unseen, own, other = halves()
    k = k_for(algorithm, 3)
    before = cluster(fitted, algorithm, k, seed=0).labels
    after = cluster(fitted, algorithm, k, seed=0, unseen=unseen).labels
    assert after.shape == (80,)
    both = np.concatenate([before, after])
    clustered = both >= 0
    assert clustered.mean() > 0.7
    # One numbering for both: a label is the same cluster among fitted and unseen points.
    truth = np.concatenate([own, other])
    assert adjusted_rand_score(truth[clustered], both[clustered]) > 0.95


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_fitted_points_that_are_seen_again_keep_their_clusters(algorithm):
    z, _ = blobs(60, seed=3)
    k = k_for(algorithm, 3)
    before = cluster(z, algorithm, k, seed=0)
    again = cluster(z, algorithm, k, seed=0, unseen=z[::-1])
    same = again.labels[::-1] == before.labels
    # DBSCAN: a border point within eps of two clusters may go to either.
    assert same.mean() > (0.95 if algorithm == "dbscan" else 0.999)
    if algorithm == "gmm":
        assert again.probability[::-1] == pytest.approx(before.probability, abs=1e-5)


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_the_label_of_an_unseen_point_does_not_depend_on_the_others(algorithm):
    fitted, unseen, _, _ = halves(seed=5)
    k = k_for(algorithm, 4)
    together = cluster(fitted, algorithm, k, unseen=unseen).labels
    alone = [cluster(fitted, algorithm, k, unseen=unseen[i : i + 1]).labels[0] for i in range(6)]
    assert alone == together[:6].tolist()


def test_kmeans_and_gmm_predict_as_scikit_learn_does():
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(4)
    fitted, unseen = rng.normal(size=(120, 3)), rng.normal(size=(50, 3))
    for algorithm, model in (
        ("kmeans", KMeans(4, n_init=10, random_state=0)),
        ("gmm", GaussianMixture(4, n_init=10, random_state=0)),
    ):
        expected = model.fit(fitted).predict(unseen)
        found = cluster(fitted, algorithm, 4, seed=0, gmm="full", unseen=unseen).labels
        assert adjusted_rand_score(expected, found) > 0.9


def test_points_far_from_every_core_point_are_noise_for_dbscan():
    fitted, _, _, _ = halves()
    far = np.full((1, fitted.shape[1]), 1e4)
    assert cluster(fitted, "dbscan", None, unseen=far).labels.tolist() == [-1]


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_unseen_points_that_cannot_be_labelled_give_null_with_a_note(algorithm):
    fitted, unseen, _, _ = halves()
    k = k_for(algorithm, 3)
    assert cluster(fitted[:1], algorithm, k, unseen=unseen).note == "fewer than 2 points"
    wrong = cluster(fitted, algorithm, k, unseen=np.full((2, 6), np.nan))
    assert (wrong.labels, wrong.note) == (None, "values that are not finite")
    assert len(cluster(fitted, algorithm, k, unseen=fitted[:0]).labels) == 0


def test_wide_unseen_points_go_to_the_axes_of_the_fitted_ones():
    rng = np.random.default_rng(0)
    fitted, unseen = rng.normal(size=(20, 300)), rng.normal(size=(9, 300))
    first, second = reduction.reduce_both(fitted, unseen, max_dim=256, pca_dim=8)
    expected = PCA(8, svd_solver="full").fit(fitted)
    assert np.abs(first.z) == pytest.approx(np.abs(expected.transform(fitted)), abs=1e-3)
    assert np.abs(second.z) == pytest.approx(np.abs(expected.transform(unseen)), abs=1e-3)
    assert second.note == "PCA 300 -> 8"


def test_a_sample_of_many_points_is_fitted_for_unseen_ones_too(monkeypatch):
    monkeypatch.setattr(algorithms, "LARGE", 40)
    fitted, unseen, _, truth = halves(n=240)
    found = cluster(fitted, "agglomerative", 3, unseen=unseen)
    assert adjusted_rand_score(truth, found.labels) > 0.95
    assert found.note == "fitted on a sample of 40 of 120 points"


def test_clusters_fitted_on_training_songs_are_given_to_validation_songs():
    settings = Clustering(algorithms=["kmeans", "hdbscan"], k=[3])
    unseen = points_of(latents(), "window", "validation")
    fitted = points_of(latents(), "window", "train")
    found = attempts(unseen, settings, [], seed=0, fitted=fitted)
    for attempt in found:
        assert attempt.points is unseen
        expected = cluster(fitted.z, attempt.algorithm, attempt.k, unseen=unseen.z)
        assert (attempt.clustering.labels == expected.labels).all()
    nothing = points_of(latents(), "window", "test")
    empty = attempts(unseen, settings, [], seed=0, fitted=nothing)
    assert [attempt.clustering.note for attempt in empty] == ["no songs to fit on"] * 2
