"""Representations that are computed without training."""

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.config.models import Baseline
from songatlas.errors import TableError
from songatlas.features.logmel import standardised_spectrograms
from songatlas.latents.baselines import write_baseline_latents

SONGS, PER, MELS, FRAMES = 5, 3, 8, 40
CLUSTERING = Clustering()


@pytest.fixture
def corpus(tmp_path):
    """Three features in two parts each, windows and tracks; the last song has lyrics alone."""
    rng = np.random.default_rng(0)
    tracks = [f"t{i}" for i in range(SONGS + 1)]
    splits = ["train", "train", "test", "validation", "train", "test"]
    windows = [(f"{track}-{i}", track) for track in tracks[:SONGS] for i in range(PER)]
    ids = [window for window, _ in windows]
    features = {
        "logmel": rng.normal(-40, 12, (len(ids), MELS, FRAMES)).astype(np.float16),
        "descriptors": (rng.normal(size=(len(ids), 6)) * [1, 10, 100, 1, 1, 0] + 7).astype("f4"),
    }
    for feature, values in features.items():
        for part, rows in enumerate((slice(6, None), slice(0, 6))):
            tables.write_feature(
                tmp_path / feature / f"part-{part:02d}.parquet",
                feature,
                ids[rows],
                values[rows],
                units="",
            )
    features["lyrics"] = rng.normal(size=(SONGS + 1, 4)).astype(np.float32)
    tables.write_feature(
        tmp_path / "lyrics" / "part-00.parquet",
        "lyrics_song",
        tracks,
        features["lyrics"],
        key="track_id",
        units="",
    )
    frame = pd.DataFrame(windows, columns=["window_id", "track_id"])
    split_of = dict(zip(tracks, splits, strict=True))
    frame = frame.assign(
        index=0, start_s=0.0, end_s=1.0, padded=False, lyrics=None,
        split=frame["track_id"].map(split_of),
    )  # fmt: skip
    tables.write(frame, tmp_path / "windows.parquet", tables.WINDOWS)
    tables.write(
        pd.DataFrame(
            {
                "track_id": tracks, "source_id": tracks, "audio_path": None, "duration_s": 1.0,
                "sample_rate_hz": 1, "channels": 1, "lyrics": None, "lyrics_source": "none",
                "split": splits, "status": "ok",
            }
        ),
        tmp_path / "tracks.parquet",
        tables.TRACKS,
    )  # fmt: skip
    return tmp_path, ids, features


def write(folder, feature, clustering=CLUSTERING, seed=0, about=None, **options):
    out = folder / "latents.parquet"
    write_baseline_latents(
        sorted((folder / feature).glob("part-*.parquet")),
        folder / "windows.parquet",
        folder / "tracks.parquet",
        out,
        name="b",
        baseline=Baseline(**options),
        clustering=clustering,
        seed=seed,
        **(about or {}),
    )
    frame = tables.read(out, tables.LATENTS)
    z = {level: np.stack(list(rows["z"])).astype(float) for level, rows in frame.groupby("level")}
    return frame, z, tables.read_metadata(out)


FEATURE = {"raw": "logmel", "pca": "logmel", "mean_mel": "logmel", "descriptors": "descriptors"}


@pytest.mark.parametrize("kind", FEATURE)
def test_window_kinds_have_rows_of_windows_and_of_songs_as_their_mean(corpus, kind):
    folder, ids, _ = corpus
    frame, z, info = write(folder, FEATURE[kind], kind=kind)
    windows = frame[frame["level"] == "window"]
    assert windows["window_id"].tolist() == sorted(ids)
    assert windows["track_id"].tolist() == [window[:2] for window in sorted(ids)]
    assert windows.loc[windows["track_id"] == "t2", "split"].unique() == ["test"]
    assert z["song"] == pytest.approx(z["window"].reshape(SONGS, PER, -1).mean(axis=1), abs=1e-5)
    assert info["model"] == "b"
    assert info["supervision"] == "none"
    assert info["z_dim"] == z["window"].shape[1]


def test_whose_labels_the_vectors_saw_stands_beside_them(corpus):
    folder, _, _ = corpus
    info = write(folder, "logmel", kind="mean_mel", about={"supervision": "elsewhere"})[2]
    assert info["supervision"] == "elsewhere"


def test_raw_keeps_every_distance_between_standardised_windows(corpus):
    folder, ids, features = corpus
    _, z, info = write(folder, "logmel", kind="raw", standardise=False)
    flat = standardised_spectrograms(features["logmel"])[np.argsort(ids)]
    assert z["window"].shape == (SONGS * PER, SONGS * PER - 1)
    assert distances(z["window"]) == pytest.approx(distances(flat), rel=1e-3, abs=1e-2)
    assert info["note"] == f"PCA {MELS * FRAMES} -> {SONGS * PER - 1}"


def distances(z):
    return np.linalg.norm(z[:, None].astype(float) - z[None], axis=2)


def test_windows_are_standardised_and_silence_becomes_zeros():
    logmel = np.random.default_rng(0).normal(-30, 9, (2, 4, 50)).astype(np.float16)
    logmel[1] = -80
    flat = standardised_spectrograms(logmel)
    assert (flat[0].mean(), flat[0].std()) == pytest.approx((0, 1), abs=1e-4)
    assert (flat[1] == 0).all()


def test_pca_keeps_as_many_components_as_asked(corpus):
    folder, _, _ = corpus
    _, z, info = write(folder, "logmel", kind="pca", pca=4)
    assert z["window"].shape[1] == 4
    assert "-> 4" in info["note"]
    assert np.abs(np.corrcoef(z["window"].T) - np.eye(4)).max() < 1e-4
    _, z, _ = write(folder, "descriptors", kind="descriptors", pca=2)
    assert z["window"].shape[1] == 2


def test_mean_mel_is_the_spectrum_in_db_averaged_over_time(corpus):
    folder, ids, features = corpus
    _, z, info = write(folder, "logmel", kind="mean_mel", standardise=False)
    expected = features["logmel"].astype(float).mean(axis=2)[np.argsort(ids)]
    assert z["window"] == pytest.approx(expected, abs=1e-3)
    assert info["note"] is None


def test_standardising_leaves_a_constant_dimension_at_zero(corpus):
    folder, _, _ = corpus
    _, z, _ = write(folder, "descriptors", kind="descriptors")
    assert z["window"].mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-6)
    assert z["window"].std(axis=0) == pytest.approx([1, 1, 1, 1, 1, 0], abs=1e-6)


def test_unit_length_comes_last_and_holds_for_songs_too(corpus):
    folder, _, _ = corpus
    _, z, _ = write(folder, "descriptors", kind="descriptors", pca=3, unit_length=True)
    for level in ("window", "song"):
        assert np.linalg.norm(z[level], axis=1) == pytest.approx(1.0)


def test_lyrics_give_songs_alone_with_those_that_have_no_audio(corpus):
    folder, _, features = corpus
    frame, z, _ = write(folder, "lyrics", kind="lyrics_tfidf", standardise=False)
    assert set(frame["level"]) == {"song"}
    assert frame["track_id"].tolist() == [f"t{i}" for i in range(SONGS + 1)]
    assert z["song"] == pytest.approx(features["lyrics"].astype(float))


def test_the_number_of_parts_does_not_change_the_distances(corpus):
    folder, ids, features = corpus
    _, two, _ = write(folder, "logmel", kind="pca")
    for path in (folder / "logmel").iterdir():
        path.unlink()
    tables.write_feature(
        folder / "logmel" / "part-00.parquet", "logmel", ids, features["logmel"], units="dB"
    )
    _, one, _ = write(folder, "logmel", kind="pca")
    assert distances(two["window"]) == pytest.approx(distances(one["window"]), rel=1e-4, abs=1e-3)


def test_vectors_that_are_not_finite_are_left_out_and_counted(corpus):
    folder, ids, features = corpus
    values = features["descriptors"].copy()
    values[2, 0] = np.nan
    for path in (folder / "descriptors").iterdir():
        path.unlink()
    tables.write_feature(
        folder / "descriptors" / "part-00.parquet", "descriptors", ids, values, units=""
    )
    frame, z, info = write(folder, "descriptors", kind="descriptors")
    assert ids[2] not in frame["window_id"].tolist()
    assert np.isfinite(z["window"]).all()
    assert "1 vectors with values that are not finite" in info["note"]


def test_a_feature_without_rows_gives_latents_without_rows(corpus):
    folder, _, _ = corpus
    (folder / "lyrics" / "part-00.parquet").unlink()
    empty = np.zeros((0, 4), np.float32)
    tables.write_feature(
        folder / "lyrics" / "part-00.parquet", "lyrics_song", [], empty, key="track_id", units=""
    )
    frame, _, info = write(folder, "lyrics", kind="lyrics_tfidf")
    assert len(frame) == 0
    assert info["note"] == "nothing to represent"


def test_a_window_that_the_corpus_does_not_know_is_an_error(corpus):
    folder, _, _ = corpus
    tables.write(tables.empty(tables.WINDOWS), folder / "windows.parquet", tables.WINDOWS)
    with pytest.raises(TableError, match="which the corpus does not know"):
        write(folder, "descriptors", kind="descriptors")


def test_lyrics_tell_the_language_of_the_real_songs(jamendolyrics):
    from songatlas.evaluation.scores import cluster_and_score
    from songatlas.features.lyrics.clean import clean
    from songatlas.features.lyrics.tfidf import TfidfSvd
    from songatlas.features.vectors.representations import Vectors
    from songatlas.latents.baselines import baseline_latents

    songs = pd.read_csv(jamendolyrics / "JamendoLyrics.csv")
    files = [jamendolyrics / "lyrics" / f"{path[:-4]}.txt" for path in songs["Filepath"]]
    texts = [clean(file.read_text(encoding="utf-8")) for file in files]
    vectors = TfidfSvd(1, 3, 32, 0).fit(texts).transform(texts)
    ids = [f"t{i:02d}" for i in range(len(texts))]
    latents, _ = baseline_latents(
        Vectors(ids, lambda: iter([vectors])),
        Baseline(kind="lyrics_tfidf", standardise=False),
        CLUSTERING,
        tables.empty(tables.WINDOWS),
        pd.DataFrame({"track_id": ids, "split": "train"}),
    )
    labels = pd.DataFrame({"track_id": ids, "language": songs["Language"]})
    _, scores = cluster_and_score(
        latents,
        labels,
        model="lyrics_tfidf",
        seed=0,
        supervision="none",
        note=None,
        clustering=Clustering(algorithms=["kmeans"], k=[4]),
        evaluation=Evaluation(tasks=["language"]),
    )
    nmi = scores[scores["metric"] == "nmi"]
    assert (nmi["level"].item(), nmi["k"].item(), nmi["n"].item()) == ("song", 4, 79)
    assert nmi["value"].item() >= 0.95
    assert nmi["chance"].item() < 0.1


OPTIONS = pytest.mark.parametrize(
    "options",
    [
        {"kind": "mean_mel"},
        {"kind": "pca", "pca": 3},
        {"kind": "descriptors", "pca": 3, "unit_length": True},
        {"kind": "raw", "standardise": False},
    ],
)


@OPTIONS
def test_nothing_is_fitted_on_the_songs_that_are_scored(corpus, options):
    folder, ids, features = corpus
    feature = FEATURE[options["kind"]]
    about = {"evaluate_on": "test"}
    before, _, info = write(folder, feature, about=about, **options)
    assert info["evaluate_on"] == "test"
    values = features[feature].copy()
    scored = [window[:2] == "t2" for window in ids]
    values[scored] = values[scored] * -0.1 - 3
    for path in (folder / feature).iterdir():
        path.unlink()
    tables.write_feature(folder / feature / "part-00.parquet", feature, ids, values, units="")
    after = write(folder, feature, about=about, **options)[0]
    seen = (before["split"] == "train").to_numpy()
    old, new = (np.stack(list(frame["z"])) for frame in (before, after))
    assert new[seen] == pytest.approx(old[seen], abs=1e-4)
    assert np.abs(new[~seen] - old[~seen]).max() > 0.1


@OPTIONS
def test_in_cross_validation_nothing_is_fitted_on_what_a_fold_holds_out(corpus, options):
    folder, ids, features = corpus
    feature = FEATURE[options["kind"]]
    folds = {f"t{i}": f"fold-{i % 2}" for i in range(SONGS + 1)}
    for name, table in (("windows", tables.WINDOWS), ("tracks", tables.TRACKS)):
        path = folder / f"{name}.parquet"
        frame = tables.read(path, table)
        tables.write(frame.assign(split=frame["track_id"].map(folds)), path, table)
    before, _, info = write(folder, feature, seed=1, **options)
    assert (before["split"] == "test").tolist() == [
        folds[track] == "fold-1" for track in before["track_id"]
    ]
    assert f"fitted on the {3 * PER} training vectors" in info["note"]
    # Other held-out windows: the vectors of training windows stay as they are.
    held_out = [window[:2] in ("t1", "t3") for window in ids]
    values = features[feature].copy()
    values[held_out] = values[held_out] * -0.1 - 3
    for path in (folder / feature).iterdir():
        path.unlink()
    tables.write_feature(folder / feature / "part-00.parquet", feature, ids, values, units="")
    after, _, _ = write(folder, feature, seed=1, **options)
    assert before["track_id"].equals(after["track_id"])
    seen = (before["split"] == "train").to_numpy()
    old, new = (np.stack(list(frame["z"])) for frame in (before, after))
    assert new[seen] == pytest.approx(old[seen], abs=1e-4)
    assert np.abs(new[~seen] - old[~seen]).max() > 0.1
    assert info["note"] != write(folder, feature, seed=0, **options)[2]["note"]


def test_a_fold_without_vectors_to_fit_on_gives_no_latents(corpus):
    folder, _, _ = corpus
    for name, table in (("windows", tables.WINDOWS), ("tracks", tables.TRACKS)):
        path = folder / f"{name}.parquet"
        tables.write(tables.read(path, table).assign(split="fold-0"), path, table)
    frame, _, info = write(folder, "descriptors", kind="descriptors", seed=0)
    assert len(frame) == 0
    assert info["note"] == "no training song has vectors"
