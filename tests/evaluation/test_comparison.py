"""The comparison: one row per model, task and level, and its forms for readers."""

import io

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout, metrics
from songatlas.evaluation.best import best_of
from songatlas.evaluation.comparison import (
    COLUMNS,
    Run,
    compare,
    format_for_terminal,
    write_comparison,
)
from songatlas.evaluation.scores import cluster_and_score, write_clusters_and_scores
from test_scores import EVALUATION, label_table, latent_table

CLUSTERING = Clustering(n_init=2, k=[3, 5])
QUICK = Clustering(n_init=1, k=[3], algorithms=["kmeans", "hdbscan"])
CORPUS = "Tunes & $ongs_100%"


def run(latents, labels, model="m", seed=0, supervision="none", clustering=CLUSTERING):
    clusters, scores = cluster_and_score(
        latents,
        labels,
        model=model,
        seed=seed,
        supervision=supervision,
        note=None,
        clustering=clustering,
        evaluation=EVALUATION,
    )
    return Run(scores, clusters, supervision)


@pytest.fixture(scope="module")
def runs():
    labels = label_table()
    good = latent_table(labels)
    lyrics = good[good["level"] == "song"]
    weak = [latent_table(labels, strength=0.3, seed=seed) for seed in (0, 1)]
    return labels, {
        "weak": [run(z, labels, "weak", seed, supervision="labels") for seed, z in enumerate(weak)],
        "lyrics": [run(lyrics, labels, "lyrics")],
        "good": [run(good, labels, "good")],
        "absent": [run(tables.empty(tables.LATENTS), labels, "absent")],
    }


@pytest.fixture(scope="module")
def compared(runs):
    labels, models = runs
    return compare(models, labels, clustering=CLUSTERING, evaluation=EVALUATION, corpus_name=CORPUS)


def row(frame, model, task="language", level="song"):
    [found] = frame[
        (frame["model"] == model) & (frame["task"] == task) & (frame["level"] == level)
    ].to_dict("records")
    return found


def test_there_is_one_row_per_model_task_and_level(compared):
    assert list(compared.columns) == list(COLUMNS)
    assert len(compared) == 4 * 3 * 3
    assert not compared.duplicated(["model", "task", "level"]).any()
    assert set(compared["corpus"]) == {CORPUS}


def test_rows_are_sorted_by_task_level_and_falling_score_with_nulls_last(compared):
    assert list(dict.fromkeys(compared["task"])) == list(EVALUATION.tasks)
    for _, group in compared.groupby(["task", "level"]):
        values = group["nmi_mean"].fillna(-1).to_numpy()
        assert (np.diff(values) <= 0).all()


def test_means_are_over_the_summary_algorithms_at_the_number_of_classes_and_seeds(runs, compared):
    _, models = runs
    scores = pd.concat([item.scores for item in models["weak"]])
    chosen = scores[
        (scores["task"] == "language")
        & (scores["level"] == "window")
        & (scores["k"] == 4)
        & scores["algorithm"].isin(["kmeans", "agglomerative", "gmm"])
    ]
    found = row(compared, "weak", level="window")
    for metric in metrics.METRICS:
        values = chosen.loc[chosen["metric"] == metric, "value"]
        assert len(values) == 6
        assert found[f"{metric}_mean"] == pytest.approx(values.mean())
        assert found[f"{metric}_sd"] == pytest.approx(values.std())
    chance = chosen.loc[chosen["metric"] == "nmi", "chance"]
    assert found["chance_nmi"] == pytest.approx(chance.mean())


def test_best_is_the_maximum_over_everything_and_named(runs, compared):
    _, models = runs
    scores = models["good"][0].scores
    nmi = scores[
        (scores["metric"] == "nmi") & (scores["task"] == "genre") & (scores["level"] == "song")
    ]
    found = row(compared, "good", "genre")
    assert found["best_nmi"] == pytest.approx(nmi["value"].max())
    algorithm, _, k = found["best_algorithm"].partition(" k=")
    same = nmi[(nmi["algorithm"] == algorithm) & (nmi["k"] == int(k) if k else nmi["k"].isna())]
    assert same["value"].item() == found["best_nmi"]


def test_ties_go_to_the_earlier_algorithm_then_to_fewer_clusters_then_to_the_lower_seed():
    rows = [
        ("own", 2, 0, 1.0),
        ("spectral", 3, 0, 1.0),
        ("gmm", 4, 1, 1.0),
        ("gmm", 4, 0, 1.0 - 1e-15),
        ("gmm", 5, 0, 1.0),
        ("kmeans", 3, 0, 0.999),
        ("dbscan", None, 0, 1.0),
    ]
    frame = pd.DataFrame(rows, columns=["algorithm", "k", "seed", "value"])
    for order in (frame, frame.iloc[::-1]):
        best = best_of(order)
        assert (best["algorithm"], best["k"], best["seed"]) == ("gmm", 4, 0)
    without = best_of(frame[frame["algorithm"].isin(["dbscan", "own"])])
    assert without["algorithm"] == "dbscan"


def test_best_by_chance_is_at_least_the_chance_of_every_clustering(runs, compared):
    _, models = runs
    for model, task in (("good", "language"), ("weak", "genre")):
        scores = pd.concat([item.scores for item in models[model]])
        chance = scores.loc[
            (scores["metric"] == "nmi") & (scores["task"] == task) & (scores["level"] == "song"),
            "chance",
        ]
        assert row(compared, model, task)["best_chance_nmi"] >= chance.max() - 1e-12


def test_best_by_chance_of_a_single_clustering_is_its_chance():
    labels = label_table()
    one = Clustering(algorithms=["kmeans"], k=[4], levels=["window"], n_init=1)
    evaluation = EVALUATION.model_copy(update={"tasks": ["language"]})
    clusters, scores = cluster_and_score(
        latent_table(labels, strength=0.5),
        labels,
        model="m",
        seed=0,
        supervision="none",
        note=None,
        clustering=one,
        evaluation=evaluation,
    )
    frame = compare(
        {"m": [Run(scores, clusters)]},
        labels,
        clustering=one,
        evaluation=evaluation,
        corpus_name="c",
    )
    assert frame["best_chance_nmi"].item() == pytest.approx(frame["chance_nmi"].item())
    assert frame["best_nmi"].item() == frame["nmi_mean"].item()


def test_a_random_representation_is_not_above_chance_at_its_best():
    labels = label_table(48)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(48, 8))
    latents = tables.latents_frame("song", None, labels["track_id"], ["train"] * 48, z)
    frame = compare(
        {"random": [run(latents, labels, "random")]},
        labels,
        clustering=CLUSTERING,
        evaluation=EVALUATION,
        corpus_name="c",
    )
    found = row(frame, "random")
    assert abs(found["best_nmi"] - found["best_chance_nmi"]) < 0.12


def test_models_without_rows_at_a_level_are_null_with_a_note(compared):
    lyrics = row(compared, "lyrics", level="window")
    assert np.isnan(lyrics["nmi_mean"])
    assert (lyrics["n"], lyrics["note"]) == (0, "no windows to cluster")
    assert row(compared, "absent")["note"] == "no songs to cluster"
    assert row(compared, "lyrics")["nmi_mean"] > 0.9


def test_points_that_are_all_the_same_are_called_so():
    labels = label_table()
    same = latent_table(labels)
    same["z"] = [np.ones(len(z)) for z in same["z"]]
    models = {"same": [run(same, labels, "same")]}
    found = compare(
        models, labels, clustering=CLUSTERING, evaluation=EVALUATION, corpus_name=CORPUS
    )
    assert found["nmi_mean"].isna().all()
    assert set(found["note"]) == {"all points are the same"}


def test_models_that_saw_labels_say_so(compared):
    assert row(compared, "weak")["supervision"] == "labels"
    assert row(compared, "good")["supervision"] == "none"


def test_weights_that_saw_other_peoples_labels_are_marked_and_explained(runs):
    labels, models = runs
    own = {"good": [Run(one.scores, one.clusters, "elsewhere") for one in models["good"]]}
    frame = compare(own, labels, clustering=CLUSTERING, evaluation=EVALUATION, corpus_name=CORPUS)
    assert set(frame["supervision"]) == {"elsewhere"}
    text = format_for_terminal(frame)
    assert "good†" in text
    assert "† weights trained on other people's labels" in text
    assert "good*" not in text
    assert max(map(len, text.splitlines())) <= 110


def test_text_for_the_terminal_is_narrow_and_starts_with_songs(compared):
    text = format_for_terminal(compared)
    assert max(map(len, text.splitlines())) <= 110
    assert text.index("language, songs (mean") < text.index("language, windows")
    assert "weak*" in text
    assert "no score (no windows to cluster): lyrics, absent" in text


@pytest.fixture(params=["none"])
def written(tmp_path, request):
    labels = label_table()
    tables.write(labels, tmp_path / "labels.parquet", tables.LABELS)
    metadata = {"model": "m_1", "supervision": request.param, "z_dim": 8, "note": None}
    tables.write(latent_table(labels), tmp_path / "z.parquet", tables.LATENTS, metadata)
    for seed in (0, 1):
        write_clusters_and_scores(
            tmp_path / "z.parquet",
            tmp_path / "labels.parquet",
            tmp_path / f"clusters-{seed}.parquet",
            tmp_path / f"scores-{seed}.parquet",
            tmp_path / f"continuity-{seed}.parquet",
            model="m_1",
            seed=seed,
            clustering=QUICK,
            evaluation=EVALUATION,
        )
    return tmp_path


def write_all(folder, scores=(0, 1), clusters=(0, 1), models=("m_1",)):
    return write_comparison(
        [folder / f"scores-{seed}.parquet" for seed in scores],
        [folder / f"clusters-{seed}.parquet" for seed in clusters],
        folder / "labels.parquet",
        **{kind: folder / f"comparison.{kind}" for kind in ("csv", "md", "tex", "txt")},
        models=models,
        clustering=QUICK,
        evaluation=EVALUATION,
        corpus_name=CORPUS,
    )


def test_all_forms_are_written_with_the_corpus_name_escaped(written):
    text = write_all(written)
    assert (written / "comparison.txt").read_text() == text
    frame = pd.read_csv(io.StringIO((written / "comparison.csv").read_text()))
    assert list(frame.columns) == list(COLUMNS)
    assert set(frame["corpus"]) == {CORPUS}
    md = (written / "comparison.md").read_text()
    assert r"Tunes &amp; $ongs\_100%" in md.splitlines()[0]
    tex = (written / "comparison.tex").read_text()
    assert r"Tunes \& \$ongs\_100\%" in tex
    assert r"\toprule" in tex
    assert r"m\_1" in tex


@pytest.mark.parametrize("written", ["none", "elsewhere"], indirect=True)
def test_readers_are_told_what_elsewhere_means_where_it_stands(written):
    write_all(written)
    frame = pd.read_csv(written / "comparison.csv")
    there = set(frame["supervision"]) == {"elsewhere"}
    for kind in ("md", "tex"):
        text = (written / f"comparison.{kind}").read_text(encoding="utf-8")
        assert ("weights that were trained on other people's labels" in text) is there


def test_files_that_do_not_pair_up_are_an_error_that_names_them(written):
    with pytest.raises(SongatlasError, match=r"scores-0.parquet and .*clusters-1.parquet"):
        write_all(written, scores=(0,), clusters=(1,))
    with pytest.raises(SongatlasError, match="`m_1` is not one of those compared"):
        write_all(written, models=("other",))
    with pytest.raises(SongatlasError, match="no scores of other"):
        write_all(written, models=("m_1", "other"))


def test_markdown_rows_have_as_many_cells_as_the_head_whatever_the_text():
    frame = pd.DataFrame({"a|b": ["x | y", "<b>\n`c`"], "value": [1.23456, np.nan]})
    lines = layout.markdown(frame, "T").splitlines()[2:]
    cells = [line.replace(r"\|", "").count("|") for line in lines]
    assert cells == [3, 3, 3, 3]
    assert "<b>" not in "".join(lines)
    assert lines[2].endswith("1.235 |")
    assert lines[3].endswith(f"{layout.MISSING} |")


def test_latex_escapes_every_special_character():
    assert layout.escape_latex("a\\b{c}$&%#_~^") == (
        r"a\textbackslash{}b\{c\}\$\&\%\#\_\textasciitilde{}\textasciicircum{}"
    )
    assert layout.escape_latex("\\input{x}\n\\end") == (
        r"\textbackslash{}input\{x\} \textbackslash{}end"
    )


def fold_runs(labels, folds=3, seeds=(0, 1, 2), tasks=("song",), algorithms=("kmeans", "gmm")):
    """Runs of a cross-validation by song: fold f has songs f, f + folds, ...; f + 3 of them."""
    evaluation = Evaluation(
        tasks=list(tasks), evaluate_on="test", permutations=20, bootstraps=5,
        summary_algorithms=list(algorithms),
    )  # fmt: skip
    clustering = Clustering(n_init=1, k=[3], algorithms=list(algorithms), levels=["window"])
    fold_of = dict(zip(labels["track_id"], [0] * 3 + [1] * 4 + [2] * 5, strict=True))
    runs = []
    for seed in seeds:
        latents = latent_table(labels, column="track_id", strength=0.5, seed=seed)
        held_out = latents["track_id"].map(fold_of) == seed
        latents["split"] = np.where(held_out, "test", "train")
        clusters, scores = cluster_and_score(
            latents, labels, model="m", seed=seed, supervision="none", note=None,
            clustering=clustering, evaluation=evaluation,
        )  # fmt: skip
        runs.append(Run(scores, clusters))
    compared = compare(
        {"m": runs}, labels, clustering=clustering, evaluation=evaluation, corpus_name=CORPUS
    )
    return runs, compared


def test_in_cross_validation_k_is_a_folds_own_and_the_spread_is_over_folds():
    runs, compared = fold_runs(label_table(12))
    found = row(compared, "m", "song", "window")
    per_fold = []
    for item, songs in zip(runs, (3, 4, 5), strict=True):
        nmi = item.scores[(item.scores["metric"] == "nmi") & (item.scores["k"] == songs)]
        assert nmi["n"].unique().tolist() == [songs * 3]
        assert (nmi["value"] > nmi["chance"]).all()
        per_fold.append(nmi["value"].mean())
    assert found["nmi_mean"] == pytest.approx(np.mean(per_fold))
    assert found["nmi_sd"] == pytest.approx(np.std(per_fold, ddof=1))
    assert found["n"] == 12 * 3
    said = "; cross-validation: sd over 3 folds of 3 to 5 songs (9 to 15 points)"
    assert found["note"].endswith(said)
    assert found["chance_nmi"] < found["best_chance_nmi"] < 1
    assert found["chance_nmi"] < found["nmi_mean"] - 0.05


def test_one_fold_alone_is_no_cross_validation():
    _, compared = fold_runs(label_table(12), seeds=[1], algorithms=["kmeans"])
    found = row(compared, "m", "song", "window")
    assert (found["n"], found["note"]) == (12, None)
    assert np.isnan(found["nmi_sd"])
