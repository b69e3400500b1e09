"""New songs in a finished run: clusters, novelty at a stated rate, drift, and bad input."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from pipeline import write_song
from songatlas import tables
from songatlas.clustering.levels import attempts, clusters_frame, points_of
from songatlas.config.clustering import Clustering
from songatlas.config.corpus import Windows
from songatlas.config.features import LogMel
from songatlas.config.new_songs import Assign
from songatlas.errors import ConfigError, SongatlasError
from songatlas.new_songs.assign import compare, compared_frame, place
from songatlas.new_songs.branches import chosen
from songatlas.new_songs.drift_table import drift, drift_rows
from songatlas.new_songs.embed import Embedded
from songatlas.new_songs.finished import Branch, Finished
from songatlas.new_songs.novelty import full_conformal, knn, needed, split_conformal
from songatlas.new_songs.songs import read_songs

WINDOWS = Windows(length_s=8.0, hop_s=4.0)
LOGMEL = {
    "logmel": {
        "logmel": LogMel(n_mels=32, hop_length=2048).model_dump(),
        "length_s": WINDOWS.length_s,
    }
}
NOBODY = pd.DataFrame({"track_id": [], "source_id": []}, dtype=str)


def songs(seed: int, n: int, width: int = 4, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, width)) + shift


# --- novelty ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_false_alarms_come_at_the_stated_rate(rate: float) -> None:
    flagged: dict[str, list[float]] = {"held_out": [], "all": []}
    for seed in range(150):
        drawn = songs(seed, 80)
        known, calibration, new = np.split(drawn, [30, 69])
        held_out = split_conformal(known, calibration, new, 3, rate).p
        every = full_conformal(drawn[:69], new, 3, rate).p
        flagged["held_out"].append((held_out <= rate).mean())
        flagged["all"].append((every <= rate).mean())
    for name, shares in flagged.items():
        # Songs of a split share its calibration: three standard errors over splits.
        error = 3 * np.std(shares) / np.sqrt(len(shares))
        assert rate - error - 1 / 40 < np.mean(shares) < rate + error, name


def test_songs_from_elsewhere_are_flagged() -> None:
    known, calibration, new = songs(0, 40), songs(1, 40), songs(2, 10, shift=8.0)
    assert (split_conformal(known, calibration, new, 5, 0.05).p <= 0.05).all()
    assert (full_conformal(known, new, 5, 0.05).p <= 0.05).all()


def test_full_conformal_is_what_leaving_each_song_out_gives() -> None:
    known, new, m = songs(0, 25), songs(1, 6), 3
    found = full_conformal(known, new, m, 0.2).p
    for row, song in enumerate(new):
        together = np.concatenate([known, song[None]])
        scores = [knn(np.delete(together, i, axis=0), together[[i]], m)[1][0] for i in range(26)]
        at_least = np.sum(np.array(scores) >= scores[-1] * (1 - 1e-12))
        assert found[row] == pytest.approx(at_least / 26)


@pytest.mark.parametrize(("rate", "least"), [(0.05, 19), (0.1, 9), (0.2, 4), (0.3, 3)])
def test_too_few_songs_give_no_flag_but_a_note(rate: float, least: int) -> None:
    assert needed(rate) == least
    enough = split_conformal(songs(0, 10), songs(1, least), songs(2, 2), 3, rate)
    assert enough.p is not None
    few = split_conformal(songs(0, 10), songs(1, least - 1), songs(2, 2), 3, rate)
    assert few.p is None
    assert "assign.false_alarm_rate" in str(few.note)
    assert str(least) in str(few.note)
    assert (few.distance > 0).all()


# --- drift --------------------------------------------------------------------------------------


def test_drift_is_seldom_found_where_there_is_none_and_found_where_there_is() -> None:
    p = np.array([drift(songs(s, 20), songs(1000 + s, 15), 99, s).p for s in range(100)], float)
    assert (p <= 0.1).mean() < 0.1 + 3 * np.sqrt(0.1 * 0.9 / 100)
    assert 0.3 < p.mean() < 0.7
    assert drift(songs(0, 20), songs(1, 15, shift=1.5), 999).p == pytest.approx(0.001)


def test_drift_of_too_few_songs_is_not_told() -> None:
    assert drift(songs(0, 20), songs(1, 1), 99).p is None


def test_drift_depends_on_its_seed_alone() -> None:
    assert drift(songs(0, 20), songs(1, 9), 99, 3) == drift(songs(0, 20), songs(1, 9), 99, 3)


# --- clusters -----------------------------------------------------------------------------------

CLUSTERING = Clustering(k=[3], algorithms=["kmeans", "agglomerative", "gmm", "hdbscan"])
BRANCH = Branch("some", 0, ("logmel",))


@pytest.fixture
def run(tmp_path: Path) -> Finished:
    """A run of 60 songs in three well-separated groups."""
    z = np.concatenate([songs(group, 20, shift=12.0 * group) for group in range(3)])
    ids = [f"{row:02d}" for row in range(60)]
    splits = ["test" if row % 2 else "train" for row in range(60)]
    latents = tables.latents_frame("song", None, ids, splits, z)
    folder = tmp_path / "results" / "small"
    path = folder / "latents" / "some" / "seed-0.parquet"
    tables.write(latents, path, tables.LATENTS, {"blocks": {}})
    found = attempts(points_of(latents, "song"), CLUSTERING, [], 0)
    path = folder / "clusters" / "some" / "seed-0.parquet"
    tables.write(clusters_frame(found), path, tables.CLUSTERS)
    return Finished(folder)


def test_of_a_model_with_views_new_songs_join_the_clusters_of_both(run: Finished) -> None:
    path = run.folder / "clusters" / "some" / "seed-0.parquet"
    clusters = tables.read(path, tables.CLUSTERS)
    views = [clusters.assign(view=view) for view in tables.VIEWS]
    tables.write(pd.concat(views), path, tables.CLUSTERS)
    assert set(run.song_clusters(BRANCH)["view"]) == {"together"}
    assert len(run.song_clusters(BRANCH)) == len(clusters)


def assigned(run: Finished, z: np.ndarray, **settings: object) -> pd.DataFrame:
    ids = [f"new{row}" for row in range(len(z))]
    latents, clusters = run.latents(BRANCH), run.song_clusters(BRANCH)
    chosen_settings = Assign(**settings)
    embedded = Embedded(ids, z, latents, z)
    compared = compare(embedded, latents, chosen_settings, CLUSTERING, 0)
    return place(embedded, compared, latents, clusters, BRANCH, chosen_settings, CLUSTERING, "all")


def test_new_songs_join_the_clusters_of_their_like(run: Finished) -> None:
    new = np.concatenate([songs(9, 4, shift=12.0 * group) for group in (2, 0, 1)])
    frame = assigned(run, new)
    clusters = run.song_clusters(BRANCH).set_index("track_id")
    for algorithm in CLUSTERING.algorithms:
        rows = frame[frame["algorithm"] == algorithm]
        mine = clusters.loc[clusters["algorithm"] == algorithm, "label"]
        groups = [mine[f"{20 * group:02d}"] for group in (2, 0, 1) for _ in range(4)]
        if algorithm == "hdbscan":  # whose nearest song may be noise
            known = rows["label"].to_numpy() >= 0
            assert known.sum() > 6
            groups = [label for label, kept in zip(groups, known, strict=True) if kept]
            rows = rows[known]
        assert list(rows["label"]) == groups, algorithm
    exact = frame[frame["algorithm"].isin(["kmeans", "gmm"])]
    assert (exact["agreement"] == 1.0).all()
    assert not frame["novel"].astype(bool).all()


def test_nearest_songs_are_of_the_run(run: Finished) -> None:
    latents = run.latents(BRANCH)
    train = latents[latents["split"] == "train"]
    frame = assigned(run, np.stack(list(train["z"])[:2]), neighbours=3)
    nearest = frame.drop_duplicates("track_id")["nearest"].str.split(" ")
    assert [ids[0] for ids in nearest] == list(train["track_id"])[:2]
    assert all(len(ids) == 3 for ids in nearest)


def test_assignments_follow_their_table(run: Finished, tmp_path: Path) -> None:
    frame = assigned(run, songs(3, 2)).assign(source_id="x")
    tables.write(frame, tmp_path / "a.parquet", tables.ASSIGNMENTS)
    assert len(tables.read(tmp_path / "a.parquet", tables.ASSIGNMENTS)) == len(frame)


def compared_songs(latents: pd.DataFrame, z: np.ndarray) -> pd.DataFrame:
    """Rows of `tables.ASSIGNED_LATENTS` of new songs (n, d)."""
    ids = [f"n{row}" for row in range(len(z))]
    embedded = Embedded(ids, z, latents, z)
    compared = compare(embedded, latents, Assign(), CLUSTERING, 0)
    return compared_frame(compared, BRANCH, ids)


def test_drift_table_tells_new_songs_that_left_the_map(run: Finished, tmp_path: Path) -> None:
    latents = run.latents(BRANCH)
    for shift, expected in ((0.0, None), (40.0, True)):
        vectors = compared_songs(latents, songs(5, 12, shift=shift))
        tables.write(vectors, tmp_path / "z.parquet", tables.ASSIGNED_LATENTS)
        rows = drift_rows([BRANCH], vectors, Assign(permutations=199))
        assert rows[["run_songs", "new_songs"]].to_numpy().tolist() == [[30, 12]]
        assert rows["p"].between(0, 1).all()
        if expected:
            assert rows["drifted"].tolist() == [True]
    none = drift_rows([BRANCH], vectors[vectors["sample"] == "run"], Assign())
    assert none["drifted"].isna().all()
    assert "fewer than 2" in none["note"].iloc[0]


def test_wide_vectors_raise_no_false_alarm() -> None:
    """Axes that were fitted on the held-out songs would set these apart from new ones."""
    settings = Assign(permutations=99)
    splits = ["train"] * 40 + ["test"] * 20
    p = []
    for seed in range(20):
        z = songs(seed, 80, width=600)
        latents = tables.latents_frame("song", None, [f"s{i}" for i in range(60)], splits, z[:60])
        p += list(drift_rows([BRANCH], compared_songs(latents, z[60:]), settings)["p"])
    assert np.mean(np.array(p) <= 0.05) <= 0.2
    assert 0.25 < np.mean(p) < 0.75


def test_an_unfinished_run_is_told(run: Finished) -> None:
    with pytest.raises(SongatlasError, match=r"is not finished.*make resume RUN=small"):
        run.latents(Branch("other", 0, ("logmel",)))


# --- which models -------------------------------------------------------------------------------

DECLARED = [
    {"name": "vae", "seed": 0, "inputs": ["mel"], "baseline": None},
    {"name": "cvae", "seed": 0, "inputs": ["mel", "genre"], "baseline": None},
    {"name": "both", "seed": 0, "inputs": ["mel", "lyrics"], "baseline": None},
    {"name": "mean", "seed": 0, "inputs": ["logmel"], "baseline": {"kind": "mean_mel"}},
    {"name": "words", "seed": 0, "inputs": ["lyrics_song"], "baseline": {"kind": "lyrics_tfidf"}},
]


def test_models_that_read_audio_alone_are_used() -> None:
    branches = chosen(DECLARED, Assign(path="x"))
    assert [branch.name for branch in branches] == ["vae", "cvae", "mean"]
    assert [branch.inputs for branch in branches] == [("logmel",)] * 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "assign.path: names no folder"),
        ({"path": "x", "models": ["unheard"]}, "`unheard` is no model of this run; it has vae"),
        ({"path": "x", "models": ["words"]}, "`words` reads lyrics"),
    ],
)
def test_what_cannot_be_used_is_told(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        chosen(DECLARED, Assign(**settings))


# --- bad songs ----------------------------------------------------------------------------------


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match=r"finds no song there; correct assign\.path"):
        read_songs("folder", str(tmp_path), NOBODY, tmp_path, LOGMEL, WINDOWS)


def test_bad_songs_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "new", tmp_path / "scratch"
    good = folder / "en" / "pop" / "good.wav"
    write_song(good, "pop", 1)
    soundfile.write(folder / "en" / "pop" / "silent.wav", np.zeros(22050 * 9), 22050)
    (folder / "en" / "pop" / "broken.mp3").write_text("this is no audio")
    found = read_songs("folder", str(folder), NOBODY, scratch, LOGMEL, WINDOWS)
    reasons = {Path(r.path).name: r.reason for r in found.rejects.itertuples()}
    assert reasons == {"silent.wav": "silent", "broken.mp3": "not_audio"}
    [track] = set(pd.Series(tables.read_feature([found.features["logmel"]])[0]).str[:16])
    known = pd.DataFrame({"track_id": [track], "source_id": ["the run's"]})
    again = read_songs("folder", str(folder), known, scratch, LOGMEL, WINDOWS)
    reasons = {Path(r.path).name: r.reason for r in again.rejects.itertuples()}
    assert reasons["good.wav"] == "duplicate"
    assert "the run's" in " ".join(again.rejects["detail"])
