"""Consensus partitions, stability, the choice of k, and the quality of each cluster."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, silhouette_samples

from songatlas import tables
from songatlas.clustering import algorithms, choice, stability
from songatlas.clustering.choice import CRITERIA, choose_k, gap_statistic, in_words, mixture_bic
from songatlas.clustering.consensus import coassociation, consensus
from songatlas.clustering.levels import Points
from songatlas.config.clustering import Clustering, Consensus
from songatlas.config.evaluation import Evaluation
from songatlas.config.run import load
from songatlas.errors import ConfigError, SongatlasError
from songatlas.evaluation.cluster_quality import quality_rows
from songatlas.evaluation.consensus import write_consensus
from songatlas.evaluation.consensus_table import read_results, write_tables

EVALUATION = Evaluation(permutations=20, bootstraps=50)
CLUSTERING = Clustering(n_init=2)
FEW = {"draws": 6, "references": 6, "n_init": 2, "k_max": 6}


def blobs(n=60, d=8, centres=4, apart=8.0, seed=0):
    """Spheres of unit variance whose centres are equally far apart."""
    truth = np.arange(n) % centres
    noise = np.random.default_rng(seed).normal(size=(n, d))
    return apart * np.eye(centres, d)[truth] + noise, truth


# --- consensus ------------------------------------------------------------------------------------


def test_coassociation_is_the_share_of_partitions_and_noise_stays_alone():
    together = coassociation(np.array([[0, 0, 1, 1], [0, 0, 0, -1], [2, -1, -1, 2]]))
    expected = np.array([[3, 2, 1, 1], [2, 3, 1, 0], [1, 1, 3, 1], [1, 0, 1, 3]]) / 3
    assert together == pytest.approx(expected)


def test_one_wrong_partition_is_outvoted():
    truth = np.repeat([0, 1, 2], 10)
    wrong = np.random.default_rng(0).integers(0, 3, 30)
    found = consensus([truth, truth, wrong, truth], 3)
    assert adjusted_rand_score(truth, found.labels) == 1.0
    assert found.labels.dtype == np.int32
    assert (found.confidence >= 0.75).all()
    assert found.note is None


def test_confidence_is_the_mean_coassociation_within_the_cluster():
    rng = np.random.default_rng(1)
    partitions = rng.integers(-1, 4, (7, 25))
    found = consensus(list(partitions), 4)
    together = coassociation(partitions)
    for cluster in range(4):
        members = np.flatnonzero(found.labels == cluster)
        block = together[np.ix_(members, members)]
        if len(members) > 1:
            own = (block.sum(axis=1) - 1) / (len(members) - 1)
            assert found.confidence[members] == pytest.approx(own, abs=1e-6)
            assert found.of_cluster[cluster] == pytest.approx(own.mean(), abs=1e-6)
        else:
            assert np.isnan(found.confidence[members]).all()


def test_names_of_clusters_do_not_matter():
    rng = np.random.default_rng(2)
    partitions = rng.integers(0, 4, (6, 40))
    renamed = [rng.permutation(4)[labels] for labels in partitions]
    first, second = consensus(list(partitions), 4), consensus(renamed, 4)
    assert (first.labels == second.labels).all()
    assert first.confidence == pytest.approx(second.confidence, nan_ok=True)


def test_above_the_limit_the_others_follow_a_sample():
    truth = np.arange(200) % 3
    noisy = [np.where(np.random.default_rng(i).random(200) < 0.1, 0, truth) for i in range(9)]
    found = consensus(noisy, 3, limit=50)
    assert adjusted_rand_score(truth, found.labels) > 0.95
    assert "sample of 50 of 200" in found.note
    exact = consensus(noisy, 3)
    assert adjusted_rand_score(exact.labels, found.labels) > 0.95


def test_points_that_no_partition_parts_stay_together():
    found = consensus([np.repeat([0, 1], 5)] * 3, 4)
    assert len(np.unique(found.labels)) == 2
    assert "tell 2 groups apart, not 4" in found.note


@pytest.mark.parametrize(
    ("partitions", "k", "note"),
    [
        ([], 2, "no partition"),
        ([np.zeros(3, int)], 3, "not between 2 and n - 1 = 2"),
        ([np.zeros(0, int)], 2, "not between"),
    ],
)
def test_no_consensus_says_why(partitions, k, note):
    found = consensus(partitions, k)
    assert found.labels is None
    assert note in found.note


def test_partitions_of_different_points_are_refused():
    with pytest.raises(ValueError, match="different numbers"):
        consensus([np.zeros(4, int), np.zeros(5, int)], 2)


# --- stability ------------------------------------------------------------------------------------


def test_stability_is_one_at_the_true_number_and_lower_elsewhere():
    z, _ = blobs()
    values = {k: stability.stability(z, "kmeans", k, 8, 0).mean for k in (3, 4, 6)}
    assert values[4] == pytest.approx(1.0)
    assert values[3] < 0.95
    assert values[6] < 0.95


def test_all_pairs_of_draws_are_compared_on_common_points(monkeypatch):
    seen = []

    def compare(first, second):
        seen.append(len(first))
        return adjusted_mutual_info_score(first, second)

    monkeypatch.setattr("sklearn.metrics.adjusted_mutual_info_score", compare)
    z, _ = blobs(n=100)
    found = stability.stability(z, "agglomerative", 4, 6, 0)
    assert len(found.pairwise) == 15
    # Two bootstrap draws share (1 - 1/e)² = 40% of the points.
    assert 0.3 < np.mean(seen) / 100 < 0.5


def test_windows_are_drawn_song_by_song(monkeypatch):
    """Windows of one song are alike: drawn one by one, every song would be in every draw."""
    songs = np.repeat(np.arange(12), 5)
    z = np.column_stack([songs, np.tile(np.arange(5.0), 12)])
    drawn = []

    def cluster(points, *args, **options):
        drawn.append(np.bincount(points[:, 0].astype(int), minlength=12))
        return algorithms.cluster(points, *args, **options)

    monkeypatch.setattr(stability, "cluster", cluster)
    stability.stability(z, "kmeans", 3, 10, 0, track_ids=[f"s{i:02d}" for i in songs])
    assert set(np.ravel(drawn)) == {0, 5}
    assert len({tuple(counts) for counts in drawn}) == 10


def test_draws_that_are_too_small_are_counted():
    z = np.random.default_rng(0).normal(size=(6, 3))
    found = stability.stability(z, "kmeans", 4, 10, 0)
    assert len(found.pairwise) < 45
    assert "of 10 draws not clustered" in found.note


@pytest.mark.parametrize("algorithm", ["dbscan", "hdbscan"])
def test_noise_is_compared_too(algorithm):
    z = np.r_[blobs(n=80)[0], np.random.default_rng(0).uniform(-20, 20, (10, 8))]
    found = stability.stability(z, algorithm, None, 6, 0)
    assert 0.2 < found.mean <= 1.0


# --- choice of k ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("centres", "d"), [(2, 8), (3, 8), (4, 8), (4, 70)])
def test_every_criterion_and_all_together_find_the_known_number(centres, d):
    z, _ = blobs(n=60, d=d, centres=centres, apart=12.0)
    found = choose_k([z], **FEW)
    assert found.own == dict.fromkeys(CRITERIA, centres)
    assert found.joint == centres
    assert found.sentence == f"All criteria suggest k = {centres}."


def test_one_criterion_that_errs_is_outvoted():
    """Of five equal clusters k = 2 parts no pair well, at which the rule of the gap stops."""
    found = choose_k([blobs(centres=5)[0]], **FEW)
    assert dict(found.own) == {"stability": 5, "silhouette": 5, "gap": 1, "bic": 5}
    assert found.joint == 5


def test_one_group_is_no_cluster():
    z = np.random.default_rng(0).normal(size=(80, 5))
    found = choose_k([z], **FEW)
    assert found.own["gap"] == found.own["bic"] == 1
    assert found.joint == 1
    assert found.sentence.startswith("No clusters are suggested (k = 1)")


def test_songs_without_clusters_have_no_suggested_partition(tmp_path):
    z = np.random.default_rng(0).normal(size=(60, 5))
    paths = written(tmp_path, [z], 60)
    table, quality = gathered(tmp_path, paths)
    assert table["k_joint"].tolist() == [1]
    assert table[["stability", "confidence"]].isna().all(axis=None)
    assert table["language_nmi"].notna().all()
    assert set(quality["k"]) == {2, 3, 6}
    assert not quality["suggested"].any()
    chosen = tables.read(paths["choice_path"], tables.CHOICE).query(
        "chosen and criterion == 'joint'"
    )
    assert chosen["k"].tolist() == [1]


def test_neither_unit_nor_order_of_seeds_matters():
    z, _ = blobs(n=40, seed=3, apart=4.0)
    other, _ = blobs(n=40, seed=4, apart=4.0)
    few = {**FEW, "k_max": 4, "draws": 4}
    one = choose_k([z, other], **few)
    two = choose_k([other * 1e3 - 7.0, z * 1e-3], **few)
    assert one.joint == two.joint
    assert one.own == two.own
    both = [each.values.set_index(["criterion", "k"])["value"] for each in (one, two)]
    assert both[0].to_numpy() == pytest.approx(both[1].to_numpy(), rel=1e-6, abs=1e-9)


def test_the_same_seed_gives_the_same_choice():
    z, _ = blobs(apart=3.0)
    first, second = (choose_k([z], **{**FEW, "k_max": 3}, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(first.values, second.values)


def test_silhouette_is_scikit_learns():
    z, _ = blobs()
    found = choose_k([z], **FEW).values.set_index(["criterion", "k"])["value"]
    labels = algorithms.cluster(z, "kmeans", 3, n_init=2).labels
    assert found["silhouette", 3] == pytest.approx(silhouette_samples(z, labels).mean())


def test_gap_of_one_cluster_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 2)) * [3.0, 1.0]
    options = {"algorithm": "kmeans", "n_init": 1, "seed": 0}
    [gap], [error] = gap_statistic(z, [1], references=400, **options)
    centred = z - z.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    sides = np.ptp(centred @ axes.T, axis=0)
    # A uniform box of sides a and b: W_1 = n (a² + b²) / 12 in expectation, less one point's share.
    expected = np.log(39 * (sides**2).sum() / 12) - np.log((centred**2).sum())
    assert gap == pytest.approx(expected, abs=0.03)
    assert 0.0 < error < 0.3


def test_mixtures_are_full_where_there_are_songs_enough_and_say_so():
    z, _ = blobs(n=900, d=3, centres=3)
    assert mixture_bic(z, [1, 2, 3], n_init=1, seed=0)[1] == "mixture with full covariances"
    wide = np.random.default_rng(0).normal(size=(48, 128))
    words = mixture_bic(wide, [1, 2], n_init=1, seed=0)[1]
    assert words == "mixture with diagonal covariances, on 9 of 128 principal components"


def test_the_gap_takes_the_first_k_within_one_standard_error():
    rows = pd.DataFrame(
        {"criterion": "gap", "k": [1, 2, 3, 4], "value": [0.1, 0.5, 0.55, 0.9], "sd": 0.1}
    )
    assert choice._own_choice(rows) == 2
    assert choice._own_choice(rows.assign(sd=0.01)) == 4


def test_disagreement_is_put_into_words():
    own = {"stability": 2, "silhouette": 2, "gap": 4, "bic": 1}
    assert in_words(own, 2, [2, 3, 4, 5]) == (
        "The criteria disagree: BIC suggests no clusters (k = 1), stability and silhouette suggest "
        "k = 2, gap suggests k = 4; together they rank k = 2 first."
    )
    edge = in_words({**own, "bic": 5}, 5, [2, 3, 4, 5])
    assert edge.endswith("It is the largest k that was tried: there may be more clusters, or none.")


@pytest.mark.parametrize(
    ("z", "why"),
    [
        (np.zeros((0, 4)), "0 songs are too few"),
        (np.eye(2, 4), "2 songs are too few"),
        (np.ones((20, 4)), "all points are the same"),
        (np.full((20, 4), np.nan), "not finite"),
    ],
)
def test_where_nothing_can_be_chosen_rows_are_null(z, why):
    found = choose_k([z], **FEW)
    assert found.joint is None
    assert found.values["value"].isna().all()
    assert list(found.values["criterion"]) == list(CRITERIA)
    assert why in found.sentence


def test_three_songs_and_copies_are_no_exception():
    assert choose_k([np.random.default_rng(0).normal(size=(3, 5))], **FEW).joint == 2
    copies = np.repeat(np.eye(3, 4), 5, axis=0)
    assert choose_k([copies], **FEW).joint == 3


def test_many_songs_are_sampled(monkeypatch):
    monkeypatch.setattr(choice, "SAMPLE", 50)
    found = choose_k([blobs(n=300, apart=12.0)[0]], **FEW)
    assert found.joint == 4
    assert all("of a sample of 50 of 300 songs" in found.notes[name] for name in CRITERIA)


# --- quality of each cluster ----------------------------------------------------------------------


def songs_of(z):
    return Points("song", tuple(f"t{i:03d}" for i in range(len(z))), None, z)


def test_quality_of_clusters_of_known_shape():
    z, truth = blobs(n=60, centres=3)
    found = consensus([truth], 3)
    songs = songs_of(z)
    genre = {track_id: "abc"[label] for track_id, label in zip(songs.track_ids, truth, strict=True)}
    for track_id in ("t000", "t003"):  # two songs of the first cluster have another genre
        genre[track_id] = "b"
    del genre["t006"]
    rows = quality_rows(found, 3, [z], songs, {"genre": genre}, EVALUATION)
    assert list(rows["size"]) == [20, 20, 20]
    assert list(rows["n"]) == [19, 20, 20]
    assert list(rows["majority"]) == ["a", "b", "c"]
    assert rows["purity"].tolist() == pytest.approx([17 / 19, 1.0, 1.0])
    assert rows["ci_low"].iloc[0] < 17 / 19 < rows["ci_high"].iloc[0]
    assert (rows["chance"] < 0.6).all()
    means = [silhouette_samples(z, truth)[truth == cluster].mean() for cluster in range(3)]
    assert rows["silhouette"].tolist() == pytest.approx(means)
    assert (rows["separation"] > 2.0).all()
    medoid = rows["medoid"].map(dict(zip(songs.track_ids, truth, strict=True)))
    assert list(medoid) == [0, 1, 2]
    assert (rows["confidence"] == 1.0).all()


def test_a_cluster_of_one_song_and_songs_without_labels():
    z = np.r_[blobs(n=20, centres=2)[0], [[50.0] * 8]]
    found = consensus([np.r_[np.arange(20) % 2, 2]], 3)
    rows = quality_rows(found, 3, [z], songs_of(z), {"genre": {}}, EVALUATION)
    alone = rows[rows["size"] == 1].iloc[0]
    assert alone[["silhouette", "separation", "confidence", "purity"]].isna().all()
    assert alone["medoid"] == "t020"
    assert set(rows["note"]) == {"no song has a label"}


# --- files ----------------------------------------------------------------------------------------


def labels_of(n):
    frame = tables.empty(tables.LABELS).reindex(range(n))
    return frame.assign(
        track_id=[f"t{i:03d}" for i in range(n)],
        language=[["en", "es", "hi"][i % 3] for i in range(n)],
        genre=[["pop", "rock"][i % 2] for i in range(n)],
    )


def written(
    folder: Path, runs: list[np.ndarray], n: int, note: str = "", blocks: dict | None = None
) -> dict[str, Path]:
    latents = []
    for seed, z in enumerate(runs):
        latents.append(folder / f"latents-{seed}.parquet")
        ids = [f"t{i:03d}" for i in range(len(z))]
        frame = tables.latents_frame("song", None, ids, ["train"] * len(z), z)
        frame = frame if len(z) else tables.empty(tables.LATENTS)
        info = {"supervision": "none", "note": note, "blocks": blocks or {}}
        tables.write(frame, latents[-1], tables.LATENTS, info)
    tables.write(labels_of(n), folder / "labels.parquet", tables.LABELS)
    names = ("consensus", "choice", "quality")
    paths = {f"{name}_path": folder / f"{name}.parquet" for name in names}
    write_consensus(
        latents,
        folder / "labels.parquet",
        **paths,
        continuity_path=folder / "continuity.parquet",
        model="vae",
        clustering=CLUSTERING,
        evaluation=EVALUATION,
        consensus=Consensus(k_max=5, draws=4, references=4),
    )
    return paths


def gathered(folder: Path, paths: dict[str, Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    results = read_results(*([path] for path in paths.values()))
    names = {name: folder / f"table.{name}" for name in ("csv", "md", "tex")}
    write_tables(
        results,
        folder / "labels.parquet",
        **names,
        quality=folder / "quality.csv",
        evaluation=EVALUATION,
        corpus_name="A & B",
    )
    assert "A \\& B" in names["tex"].read_text(encoding="utf-8")
    assert "vae: " in names["md"].read_text(encoding="utf-8")
    return pd.read_csv(names["csv"]), pd.read_csv(folder / "quality.csv")


def test_seeds_and_algorithms_are_pooled_and_files_are_the_same_every_time(tmp_path):
    runs = [blobs(n=30, centres=3, seed=seed)[0] for seed in range(2)]
    paths = written(tmp_path, runs, 30)
    before = {name: path.read_bytes() for name, path in paths.items()}
    [row], quality = (frame for frame in _rows(tmp_path, paths))
    assert row["k_joint"] == 3
    assert row["seeds"] == 2
    assert (row["language_nmi"], row["language_k"]) == (1.0, 3)
    assert row["genre_k"] == 2
    assert row["language_chance"] < 0.3
    partitions = tables.read(paths["consensus_path"], tables.CONSENSUS)
    assert sorted(partitions["k"].unique()) == [2, 3, 6]  # both tasks together have 6 classes
    assert set(quality["k"]) == {2, 3, 6}
    assert quality.loc[quality["suggested"], "k"].unique() == [3]
    assert {name: path.read_bytes() for name, path in written(tmp_path, runs, 30).items()} == before


def _rows(folder, paths):
    table, quality = gathered(folder, paths)
    return [table.iloc[0]], quality


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_songs_give_null_rows_with_a_note(tmp_path, n):
    paths = written(tmp_path, [np.eye(n, 3)], n, "not trained: no audio" if not n else "")
    table, quality = gathered(tmp_path, paths)
    assert table[["k_joint", "stability", "language_nmi"]].isna().all(axis=None)
    assert "too few" in table["suggestion"].iloc[0]
    assert quality.empty
    rows = tables.read(paths["choice_path"], tables.CHOICE)
    assert rows[["k", "value"]].isna().all(axis=None)
    assert not rows["chosen"].any()
    if not n:
        assert table["note"].iloc[0] == "not trained: no audio"


def test_collapsed_latents_give_null_rows(tmp_path):
    table, _ = gathered(tmp_path, written(tmp_path, [np.ones((20, 4))], 20))
    assert table[["k_joint", "language_nmi"]].isna().all(axis=None)
    assert "all points are the same" in table["suggestion"].iloc[0]


def test_seeds_of_different_songs_are_refused(tmp_path):
    z, _ = blobs(n=20)
    with pytest.raises(SongatlasError, match="hold different songs"):
        written(tmp_path, [z, z[:15]], 20)


def test_bounds_of_k_are_checked():
    with pytest.raises(ConfigError, match="k_min is larger than k_max"):
        load({"consensus": {"k_min": 5, "k_max": 4}})


def test_the_units_of_a_latents_blocks_do_not_matter(tmp_path):
    z = np.concatenate([blobs(n=24, centres=3)[0], blobs(n=24, centres=2)[0]], axis=1)
    blocks = {"audio": (0, 8), "lyrics": (8, 16)}
    for name, units in (("one", 1.0), ("other", np.repeat([100.0, 0.01], 8))):
        written(tmp_path / name, [z * units], 24, blocks=blocks)
    one, other = (
        tables.read(tmp_path / name / "consensus.parquet", tables.CONSENSUS)
        for name in ("one", "other")
    )
    pd.testing.assert_frame_equal(one, other)
