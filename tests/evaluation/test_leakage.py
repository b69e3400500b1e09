"""Leakage: song beside window split, neighbours as in scikit-learn, songs as the unit of chance."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier

from songatlas import tables
from songatlas.clustering.algorithms import cluster
from songatlas.clustering.levels import Points, points_of
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.errors import SongatlasError
from songatlas.evaluation.columns import LEAKAGE
from songatlas.evaluation.leakage import (
    BY_CONSTRUCTION,
    Branch,
    leakage_table,
    nearest_neighbours,
    write_leakage,
)
from test_scores import label_table

CLUSTERING = Clustering(n_init=2)
EVALUATION = Evaluation(tasks=["genre"], permutations=40, bootstraps=60)
PAIRS = {"vae_windows": "vae"}
N_SONGS, PER, D = 36, 10, 12


def labels() -> pd.DataFrame:
    return label_table(N_SONGS)


def branch(by_windows: bool, seed: int = 0, genre: float = 0.0) -> Branch:
    """Windows that know their song, and their genre as far as `genre`; either kind of split."""
    rng = np.random.default_rng([1, seed])
    table = labels()
    centres = np.random.default_rng(9).normal(size=(3, D)) * genre
    songs = centres[pd.factorize(table["genre"])[0]] + rng.normal(size=(N_SONGS, D))
    z = np.repeat(songs, PER, axis=0) + rng.normal(size=(N_SONGS * PER, D)) * 0.1
    tracks = np.repeat(table["track_id"], PER).tolist()
    held_out = (np.arange(N_SONGS) % 6 == 0).repeat(PER)
    if by_windows:
        held_out = rng.permutation(held_out)
    splits = np.where(held_out, "validation", "train").tolist()
    ids = [f"{track}-{i % PER}" for i, track in enumerate(tracks)]
    facts = {
        "note": None, "monitor": "validation", "monitor_reason": None,
        "best_validation_loss": 2.0 - by_windows + seed, "reconstruction": 1.0,
        "n_validation_windows": int(held_out.sum()),
    }  # fmt: skip
    return Branch(tables.latents_frame("window", ids, tracks, splits, z), facts)


def table_of(seeds=(0, 1), genre=0.0, evaluation=EVALUATION) -> pd.DataFrame:
    branches = {
        "vae": [branch(False, seed, genre) for seed in seeds],
        "vae_windows": [branch(True, seed, genre) for seed in seeds],
    }
    return leakage_table(PAIRS, branches, labels(), clustering=CLUSTERING, evaluation=evaluation)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return table_of()


def row(frame: pd.DataFrame, metric: str, split: str, task: str | None = "genre") -> pd.Series:
    of_task = frame["task"].isna() if task is None else frame["task"] == task
    [found] = frame[(frame["metric"] == metric) & (frame["split"] == split) & of_task].iloc
    return found


def test_both_splits_stand_side_by_side_for_every_metric(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(LEAKAGE)
    assert table["split"].tolist() == ["song", "window"] * (len(table) // 2)
    metrics = [("", "validation_loss"), ("", "reconstruction"), ("genre", "nmi"), ("genre", "ami")]
    metrics += [("genre", "knn_accuracy"), ("song", "knn_accuracy")]
    assert set(zip(table["task"].fillna(""), table["metric"], strict=True)) == set(metrics)
    assert len(table) == 2 * len(metrics)
    assert set(table["model"]) == {"vae"}
    assert set(table["control"]) == {"vae_windows"}


def test_songs_that_are_recognised_inflate_the_score_of_labels_that_are_not_there(
    table: pd.DataFrame,
) -> None:
    """Latents know the song and nothing of the genre: a split by windows scores all the same."""
    song, window = row(table, "knn_accuracy", "song"), row(table, "knn_accuracy", "window")
    assert window["value"] > 0.95
    assert song["value"] < 0.7
    assert window["ci_low"] > song["ci_high"]
    # Labels dealt to songs at random are found as well: chance itself says that it is leakage.
    assert window["chance"] > 0.95
    assert song["chance"] < 0.5


def test_only_a_split_by_windows_recognises_songs(table: pd.DataFrame) -> None:
    song, window = (row(table, "knn_accuracy", split, "song") for split in ("song", "window"))
    assert (song["value"], song["chance"]) == (0.0, 0.0)
    assert BY_CONSTRUCTION in song["note"]
    assert window["value"] > 0.95
    # Here labels are dealt to training windows: one in thirty-six is right.
    assert window["chance"] < 0.1


def test_losses_are_means_over_seeds_without_an_interval(table: pd.DataFrame) -> None:
    song, window = (row(table, "validation_loss", split, None) for split in ("song", "window"))
    assert (song["value"], window["value"]) == (2.5, 1.5)
    assert song["sd"] == pytest.approx(np.std([2, 3], ddof=1))
    assert np.isnan(song["ci_low"])
    assert song["n"] == 60


def test_clusterings_are_of_held_out_windows_and_score_as_in_scikit_learn() -> None:
    frame = table_of(seeds=(0,))
    codes = labels().set_index("track_id")["genre"]
    for split, of in (("song", branch(False)), ("window", branch(True))):
        points = points_of(of.latents, "window", "validation")
        true = codes[list(points.track_ids)]
        found = [
            cluster(points.z, name, true.nunique(), n_init=2, seed=EVALUATION.seed).labels
            for name in EVALUATION.summary_algorithms
        ]
        for metric, function in (
            ("nmi", normalized_mutual_info_score),
            ("ami", adjusted_mutual_info_score),
        ):
            mine = row(frame, metric, split)
            assert mine["value"] == pytest.approx(np.mean([function(true, own) for own in found]))
            assert mine["ci_low"] <= mine["value"] <= mine["ci_high"]
            assert mine["n"] == len(points) == 60


def test_with_one_seed_there_is_no_deviation() -> None:
    frame = table_of(seeds=(0,))
    assert frame["sd"].isna().all()


def test_intervals_are_over_songs_and_not_over_windows() -> None:
    """Six held-out songs in which all windows agree: sixty windows are no more than six."""
    points = [points_of(branch(False, genre=0.4).latents, "window", s) for s in SPLITS]
    of_song = dict(zip(labels()["track_id"], labels()["genre"], strict=True))
    evaluation = EVALUATION.model_copy(update={"bootstraps": 2000, "permutations": 0})
    universe = sorted(set(points[1].track_ids))
    found = nearest_neighbours(*points, of_song, "genre", universe, evaluation)
    assert 0 < found.value < 1
    hits = _hits(points[0], points[1], of_song).groupby(list(points[1].track_ids)).mean()
    expected = hits.std(ddof=0) / np.sqrt(len(hits))
    assert np.nanstd(found.draws) == pytest.approx(expected, rel=0.15)
    assert np.isnan(found.chance)


SPLITS = ("train", "validation")


def _hits(known: Points, unseen: Points, of_song: dict[str, str]) -> pd.Series:
    model = KNeighborsClassifier(5, metric="cosine", algorithm="brute")
    model.fit(known.z, [of_song[track] for track in known.track_ids])
    true = np.array([of_song[track] for track in unseen.track_ids])
    return pd.Series((model.predict(unseen.z) == true).astype(float))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.int64, 20, elements=st.integers(0, 3)),
    st.integers(1, 12),
    st.integers(0, 10_000),
)
def test_neighbours_vote_as_in_scikit_learn(codes: np.ndarray, n_train: int, seed: int) -> None:
    """Ties too: the lowest class of those with most votes."""
    z = np.random.default_rng(seed).normal(size=(20, 3))
    tracks = tuple(f"t{i:02d}" for i in range(20))
    of_song = {track: f"class {code}" for track, code in zip(tracks, codes, strict=True)}
    known = Points("window", tracks[:n_train], tracks[:n_train], z[:n_train])
    unseen = Points("window", tracks[n_train:], tracks[n_train:], z[n_train:])
    evaluation = Evaluation(permutations=2, bootstraps=2)
    found = nearest_neighbours(known, unseen, of_song, "genre", tracks, evaluation)
    if len(set(codes)) < 2:
        assert np.isnan(found.value)
        return
    model = KNeighborsClassifier(min(5, n_train), metric="cosine", algorithm="brute")
    model.fit(known.z, [of_song[track] for track in known.track_ids])
    expected = model.predict(unseen.z) == [of_song[track] for track in unseen.track_ids]
    assert found.value == pytest.approx(np.mean(expected))
    assert found.n == 20 - n_train


def test_what_cannot_be_measured_is_null_with_a_reason() -> None:
    empty = Branch(
        tables.empty(tables.LATENTS),
        {"note": "not trained: no window", "monitor": "train", "monitor_reason": "x"},
    )
    branches = {"vae": [empty], "vae_windows": [empty]}
    frame = leakage_table(PAIRS, branches, labels(), clustering=CLUSTERING, evaluation=EVALUATION)
    assert frame["value"].isna().all()
    assert (frame["n"] == 0).all()
    assert frame["note"].notna().all()
    assert row(frame, "reconstruction", "song", None)["note"] == "not trained: no window"


def test_a_run_without_controls_has_an_empty_table_that_says_so(tmp_path: Path) -> None:
    tables.write(labels(), tmp_path / "labels.parquet", tables.LABELS)
    files = {kind: tmp_path / f"leakage.{kind}" for kind in ("csv", "md", "tex")}
    write_leakage(
        [], [], tmp_path / "labels.parquet", **files, pairs={},
        clustering=CLUSTERING, evaluation=EVALUATION, corpus_name="Tunes & $ongs_100%",
    )  # fmt: skip
    assert files["csv"].read_text() == ",".join(LEAKAGE) + "\n"
    assert "No model of this run is a control" in files["md"].read_text()


def test_files_are_written_in_three_forms_and_must_belong_together(tmp_path: Path) -> None:
    paths, summaries = [], []
    for name, by_windows in (("vae", False), ("vae_windows", True)):
        of = branch(by_windows)
        paths.append(tmp_path / f"{name}.parquet")
        summaries.append(tmp_path / f"{name}.json")
        metadata = {"model": name, "supervision": "none", "note": ""}
        tables.write(of.latents, paths[-1], tables.LATENTS, metadata)
        summaries[-1].write_text(json.dumps({"model": name, **of.summary}))
    tables.write(labels(), tmp_path / "labels.parquet", tables.LABELS)
    files = {kind: tmp_path / f"leakage.{kind}" for kind in ("csv", "md", "tex")}
    about = {
        "pairs": PAIRS, "clustering": CLUSTERING, "evaluation": EVALUATION,
        "corpus_name": "Tunes & $ongs_100%",
    }  # fmt: skip
    write_leakage(paths, summaries, tmp_path / "labels.parquet", **files, **about)
    written = pd.read_csv(io.StringIO(files["csv"].read_text()))
    expected = table_of(seeds=(0,))
    pd.testing.assert_series_equal(written["value"], expected["value"])
    assert r"Tunes \& \$ongs\_100\%" in files["tex"].read_text()
    assert "recognising songs" in files["md"].read_text()
    with pytest.raises(SongatlasError, match="do not belong together"):
        write_leakage(paths, summaries[::-1], tmp_path / "labels.parquet", **files, **about)
