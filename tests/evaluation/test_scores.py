"""Scores of a model: which rows there are, over which songs, and how sure they are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import normalized_mutual_info_score

from songatlas import tables
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation import chance, metrics
from songatlas.evaluation.scores import cluster_and_score, write_clusters_and_scores
from songatlas.evaluation.tasks import n_classes, task_labels

CLUSTERING = Clustering(algorithms=["kmeans", "agglomerative", "hdbscan"], k=[3], n_init=2)
EVALUATION = Evaluation(permutations=20, bootstraps=30)


def label_table(n=24, **columns):
    values = {
        "track_id": [f"t{i:02d}" for i in range(n)],
        "title": None,
        "artist": [f"artist {i // 2}" for i in range(n)],
        "language": [["ar", "en", "hi", "es"][i % 4] for i in range(n)],
        "genre": [["pop", "rock", "hip-hop"][i // 4 % 3] for i in range(n)],
        "license": None,
        "source_url": None,
    }
    return pd.DataFrame(values | columns)


def latent_table(labels, per=3, strength=4.0, d=8, column="language", seed=0):
    """Windows and songs whose vectors depend on `column`, plus noise of each song and window."""
    rng = np.random.default_rng(seed)
    codes = pd.factorize(labels[column])[0]
    centres = rng.normal(size=(max(codes.max(), 0) + 1, d)) * strength
    songs = centres[codes] + rng.normal(size=(len(labels), d))
    z = np.repeat(songs, per, axis=0) + rng.normal(size=(len(labels) * per, d)) * 0.3
    tracks = np.repeat(labels["track_id"], per).tolist()
    ids = [f"{track}-{i % per}" for i, track in enumerate(tracks)]
    splits = ["validation" if int(track[1:]) < 8 else "train" for track in tracks]
    means = z.reshape(len(labels), per, d).mean(axis=1)
    return pd.concat(
        [
            tables.latents_frame("window", ids, tracks, splits, z),
            tables.latents_frame("song", None, labels["track_id"], splits[::per], means),
        ],
        ignore_index=True,
    )


def run(latents, labels, clustering=CLUSTERING, evaluation=EVALUATION, **options):
    return cluster_and_score(
        latents,
        labels,
        **{"model": "m", "seed": 0, "supervision": "none", "note": None, **options},
        clustering=clustering,
        evaluation=evaluation,
    )


@pytest.fixture(scope="module")
def scored():
    labels = label_table()
    return (labels, *run(latent_table(labels), labels))


def test_there_is_one_row_per_level_clustering_task_and_metric(scored):
    _, _, scores = scored
    tried = {("kmeans", k) for k in (3, 4, 12)} | {("agglomerative", k) for k in (3, 4, 12)}
    assert len(scores) == 3 * (len(tried) + 1) * 3 * 9
    keys = ["level", "algorithm", "k", "task", "metric"]
    assert not scores.duplicated(keys).any()
    assert set(scores["metric"]) == set(metrics.METRICS)
    with_k = scores.dropna(subset=["k"])
    assert set(zip(with_k["algorithm"], with_k["k"].astype(int), strict=True)) == tried


def test_values_are_scikit_learns_on_the_stored_clusters(scored):
    labels, clusters, scores = scored
    language = labels.set_index("track_id")["language"]
    nmi = scores[(scores["metric"] == "nmi") & (scores["task"] == "language")]
    for row in nmi[nmi["algorithm"] == "kmeans"].itertuples():
        stored = clusters[
            (clusters["level"] == row.level)
            & (clusters["algorithm"] == row.algorithm)
            & (clusters["k"] == row.k)
        ]
        expected = normalized_mutual_info_score(language[stored["track_id"]], stored["label"])
        assert row.value == pytest.approx(expected)
        assert row.n == len(stored) == (72 if row.level == "window" else 24)


def test_a_representation_of_language_beats_chance_in_language_alone(scored):
    _, _, scores = scored
    chosen = scores[
        (scores["metric"] == "nmi") & (scores["algorithm"] == "kmeans") & (scores["k"] == 4)
    ]
    language = chosen[chosen["task"] == "language"]
    assert (language["value"] > 0.9).all()
    assert (language["chance"] < 0.4).all()
    genre = chosen[chosen["task"] == "genre"]
    assert (genre["value"] < genre["chance"] + 0.2).all()


def test_intervals_hold_the_value_and_only_labels_have_chance(scored):
    _, _, scores = scored
    known = scores.dropna(subset=["value"])
    assert (known["ci_low"] <= known["value"] + 1e-12).all()
    assert (known["ci_high"] >= known["value"] - 1e-12).all()
    internal = known["metric"].isin(metrics.INTERNAL)
    assert known.loc[internal, "chance"].isna().all()
    assert known.loc[~internal, "chance"].notna().all()


def test_a_perfect_score_of_few_songs_is_not_certain():
    labels = label_table()
    latents = latent_table(labels, column="language", strength=50.0)
    _, scores = run(latents, labels)
    at = scores[(scores["task"] == "language") & (scores["k"] == 4) & (scores["level"] == "song")]
    perfect = at[at["metric"].isin(metrics.EXTERNAL) & (at["value"] > 1 - 1e-9)]
    assert set(perfect["metric"]) == set(metrics.EXTERNAL)
    assert (perfect["ci_low"] < 0.97).all()
    assert (perfect["ci_low"] > 0.5).all()
    assert perfect["ci_high"].to_numpy() == pytest.approx(1.0)


def test_chance_of_windows_is_that_of_songs_since_labels_are_permuted_between_songs():
    """Windows of a song are copies here, so they hold no more evidence than the song."""
    labels = label_table()
    latents = latent_table(labels, per=5, column="track_id", strength=1.0)
    songs = latents[latents["level"] == "song"].set_index("track_id")["z"]
    latents["z"] = latents["track_id"].map(songs)
    _, scores = run(latents, labels, evaluation=EVALUATION.model_copy(update={"permutations": 200}))
    chosen = scores[
        (scores["algorithm"] == "agglomerative")
        & (scores["k"] == 4)
        & (scores["task"] == "genre")
        & (scores["metric"] == "nmi")
    ].set_index("level")
    assert chosen.loc["window", "value"] == pytest.approx(chosen.loc["song", "value"])
    assert chosen.loc["window", "chance"] == pytest.approx(chosen.loc["song", "chance"], abs=0.02)
    assert chosen.loc["window", "chance"] > 0.05


def test_songs_without_a_label_are_clustered_but_not_scored():
    labels = label_table()
    labels.loc[:5, "genre"] = None
    _, scores = run(latent_table(labels), labels)
    external = scores[(scores["metric"] == "nmi") & (scores["algorithm"] == "kmeans")]
    n = external[external["level"] == "song"].groupby("task")["n"].first().to_dict()
    assert n == {"language": 24, "genre": 18, "language_genre": 18}
    shape = scores[(scores["metric"] == "silhouette") & (scores["algorithm"] == "kmeans")]
    assert set(shape.loc[shape["level"] == "song", "n"]) == {24}


def test_one_class_is_null_with_a_note_not_zero():
    labels = label_table(genre="pop")
    _, scores = run(latent_table(labels), labels)
    genre = scores[(scores["task"] == "genre") & scores["metric"].isin(metrics.EXTERNAL)]
    assert genre["value"].isna().all()
    assert genre["note"].str.contains("fewer than 2 classes").all()


def test_no_labels_at_all_is_null_with_a_note():
    labels = label_table(genre=None)
    _, scores = run(latent_table(labels), labels)
    genre = scores[(scores["task"] == "genre") & scores["metric"].isin(metrics.EXTERNAL)]
    assert genre["note"].str.contains("no song has a label").all()
    assert set(genre["n"]) == {0}


def test_k_not_below_n_is_null_with_a_note():
    labels = label_table(6)
    _, scores = run(latent_table(labels), labels, CLUSTERING.model_copy(update={"k": [3, 6]}))
    songs = scores[(scores["level"] == "song") & (scores["k"] == 6)]
    assert songs["value"].isna().all()
    assert songs["note"].str.contains("k = 6 is not below n = 6").all()
    windows = scores[(scores["level"] == "window") & (scores["k"] == 6)]
    assert windows.loc[windows["metric"] == "purity", "value"].notna().all()


def test_latents_that_are_not_finite_give_null_with_a_note():
    labels = label_table()
    latents = latent_table(labels)
    latents["z"] = [z * np.nan for z in latents["z"]]
    clusters, scores = run(latents, labels)
    assert clusters.empty
    assert scores["value"].isna().all()
    assert scores["note"].str.contains("not finite").all()


def test_evaluating_on_a_split_clusters_and_scores_its_songs_alone():
    labels = label_table()
    evaluation = EVALUATION.model_copy(update={"evaluate_on": "validation"})
    clusters, scores = run(latent_table(labels), labels, evaluation=evaluation)
    assert set(clusters["track_id"]) == {f"t{i:02d}" for i in range(8)}
    assert set(scores["split"]) == {"validation"}


def test_song_identity_is_scored_on_windows_alone():
    labels = label_table()
    evaluation = EVALUATION.model_copy(update={"tasks": ["song"]})
    _, scores = run(latent_table(labels, column="track_id"), labels, evaluation=evaluation)
    assert set(scores["level"]) == {"window"}
    assert 24 in set(scores["k"].dropna())
    # Permuting songs would only rename the classes, so windows are permuted.
    nmi = scores[(scores["metric"] == "nmi") & (scores["k"] == 24)]
    ari = scores[(scores["metric"] == "ari") & (scores["k"] == 24)]
    assert (nmi["value"] > 0.95).all()
    assert (nmi["chance"] < 0.85).all()
    assert ari["chance"].abs().max() < 0.05


def test_lyrics_only_latents_have_song_rows_alone():
    labels = label_table()
    latents = latent_table(labels)
    clusters, scores = run(latents[latents["level"] == "song"], labels)
    assert set(scores["level"]) == set(clusters["level"]) == {"song"}


def test_no_latents_give_empty_tables(tmp_path):
    clusters, scores = run(tables.empty(tables.LATENTS), label_table())
    tables.write(clusters, tmp_path / "clusters.parquet", tables.CLUSTERS)
    tables.write(scores, tmp_path / "scores.parquet", tables.SCORES)
    assert len(clusters) == len(scores) == 0


def test_notes_of_the_latents_reach_every_score():
    labels = label_table()
    _, scores = run(latent_table(labels), labels, note="PCA 900 -> 8")
    assert scores["note"].str.startswith("PCA 900 -> 8").all()


def test_scores_of_very_many_songs_say_how_few_draws_they_rest_on(monkeypatch):
    monkeypatch.setattr(chance, "DRAWN_SONGS", 24 * 10)
    monkeypatch.setattr(chance, "LEAST_DRAWS", 10)
    labels = label_table()
    _, scores = run(latent_table(labels), labels)
    assert scores["note"].str.contains("10 permutations and 10 bootstrap samples of 24 songs").all()


def test_written_tables_are_the_same_every_time(tmp_path):
    labels = label_table()
    tables.write(labels, tmp_path / "labels.parquet", tables.LABELS)
    metadata = {"model": "m", "supervision": "elsewhere", "z_dim": 8, "note": ""}
    tables.write(latent_table(labels), tmp_path / "z.parquet", tables.LATENTS, metadata)
    for name in ("a", "b"):
        write_clusters_and_scores(
            tmp_path / "z.parquet",
            tmp_path / "labels.parquet",
            tmp_path / f"clusters-{name}.parquet",
            tmp_path / f"scores-{name}.parquet",
            tmp_path / f"continuity-{name}.parquet",
            model="m",
            seed=3,
            clustering=CLUSTERING,
            evaluation=EVALUATION,
        )
    for table in ("clusters", "scores"):
        first, second = ((tmp_path / f"{table}-{x}.parquet").read_bytes() for x in "ab")
        assert first == second
    scores = tables.read(tmp_path / "scores-a.parquet", tables.SCORES)
    assert set(scores["supervision"]) == {"elsewhere"}
    assert set(scores["seed"]) == {3}


def test_language_and_genre_join_only_where_both_are_known():
    labels = label_table(4, genre=["pop", None, "rock", ""], language=["en", "en", None, "ar"])
    assert task_labels(labels, "language_genre") == {"t00": "en / pop"}
    assert task_labels(labels, "genre") == {"t00": "pop", "t02": "rock"}
    assert task_labels(labels, "song")["t03"] == "t03"
    assert n_classes(task_labels(labels, "language"), ["t00", "t01", "t02"]) == 1


# --- fitted on some songs, scored on others -------------------------------------------------------


def test_scores_of_unseen_songs_are_of_clusters_fitted_on_the_others():
    labels = label_table()
    latents = latent_table(labels)
    split = EVALUATION.model_copy(update={"evaluate_on": "validation", "fit_on": "train"})
    clusters, scores = run(latents, labels, evaluation=split)
    scored = set(latents.loc[latents["split"] == "validation", "track_id"])
    assert set(clusters["track_id"]) == scored
    assert set(scores["split"]) == {"validation"}
    assert scores["note"].str.contains("clusters fitted on train").all()
    nmi = scores[(scores["metric"] == "nmi") & (scores["task"] == "language")]
    best = nmi[(nmi["algorithm"] == "kmeans") & (nmi["k"] == 4)]
    assert set(best["level"]) == {"window", "song", "song_vote"}
    assert (best["value"] > 0.9).all()
    assert best["chance"].notna().all()


def test_fitting_on_what_is_scored_is_the_shorthand():
    labels = label_table()
    latents = latent_table(labels)
    plain = EVALUATION.model_copy(update={"evaluate_on": "validation"})
    spelled = plain.model_copy(update={"fit_on": "validation"})
    first, second = (run(latents, labels, evaluation=settings) for settings in (plain, spelled))
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_songs_that_clusters_are_fitted_on():
    assert Evaluation(evaluate_on="test").fitted_on == "test"
    assert Evaluation(evaluate_on="validation", fit_on="train").fitted_on == "train"


def test_the_former_name_of_the_scored_songs_says_the_present_one():
    with pytest.raises(ValueError, match="set evaluate_on"):
        Evaluation(score_on="test")
    assert Evaluation(score_on=None) == Evaluation()


def test_every_score_that_looks_at_labels_has_a_chance_level(scored):
    """But for those that are null themselves; shapes of clusters look at no label."""
    _, _, scores = scored
    external = scores[scores["metric"].isin(metrics.EXTERNAL)]
    assert external["value"].notna().any()
    assert (external["value"].isna() | external["chance"].notna()).all()
    # AMI is corrected for chance, NMI is not: with these few songs it is far above 0.
    chance = external[(external["level"] == "song") & (external["k"] == 12)].groupby("metric")
    assert chance["chance"].mean()["nmi"] > 0.3
    assert abs(chance["chance"].mean()["ami"]) < 0.1
