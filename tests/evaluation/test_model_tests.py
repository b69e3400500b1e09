"""Models in pairs: what is paired, what the interval is over, what is corrected."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from songatlas import tables
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation.columns import TESTS
from songatlas.evaluation.comparison import Run
from songatlas.evaluation.model_tests import (
    FOLDS,
    TESTED,
    for_readers,
    paired_seeds,
    pairwise_tests,
    write_model_tests,
)
from songatlas.evaluation.paired import holm
from songatlas.evaluation.scores import cluster_and_score, write_clusters_and_scores
from test_scores import label_table, latent_table

CLUSTERING = Clustering(
    n_init=1, k=[3], algorithms=["kmeans", "agglomerative"], levels=["song", "window"]
)
EVALUATION = Evaluation(
    tasks=["language", "genre"],
    permutations=2,
    bootstraps=40,
    summary_algorithms=["kmeans", "agglomerative"],
    paired_test="t",
)
SEEDS = range(5)


def run(latents: pd.DataFrame, model: str, seed: int = 0) -> Run:
    clusters, scores = cluster_and_score(
        latents, label_table(), model=model, seed=seed, supervision="none", note=None,
        clustering=CLUSTERING, evaluation=EVALUATION,
    )  # fmt: skip
    return Run(scores, clusters)


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Run]]:
    labels = label_table()
    weak = [latent_table(labels, per=2, strength=0.8, seed=seed) for seed in SEEDS]
    good = [latent_table(labels, per=2, strength=1.6, seed=seed) for seed in SEEDS]
    return {
        "good": [run(z, "good", seed) for seed, z in zip(SEEDS, good, strict=True)],
        "weak": [run(z, "weak", seed) for seed, z in zip(SEEDS, weak, strict=True)],
        "baseline": [run(weak[0], "baseline")],
        "silent": [run(tables.empty(tables.LATENTS), "silent")],
    }


@pytest.fixture(scope="module")
def table(runs: dict[str, list[Run]]) -> pd.DataFrame:
    return pairwise_tests(runs, label_table(), clustering=CLUSTERING, evaluation=EVALUATION)


def row(frame: pd.DataFrame, a: str, b: str, **chosen: str) -> pd.Series:
    chosen = {"task": "language", "metric": "nmi", "level": "song", **chosen}
    for column, value in {**chosen, "model_a": a, "model_b": b}.items():
        frame = frame[frame[column] == value]
    [found] = frame.iloc
    return found


def seed_scores(of: list[Run], task: str = "language", metric: str = "nmi") -> np.ndarray:
    """By hand: mean over the summary algorithms at the number of classes, seed by seed."""
    k = {"language": 4, "genre": 3}[task]
    return np.array(
        [
            item.scores[
                (item.scores["task"] == task)
                & (item.scores["metric"] == metric)
                & (item.scores["level"] == "song")
                & (item.scores["k"] == k)
                & item.scores["algorithm"].isin(["kmeans", "agglomerative"])
            ]["value"].mean()
            for item in of
        ]
    )


def test_there_is_one_row_per_task_metric_level_and_pair(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(TESTS)
    assert len(table) == 2 * len(TESTED) * 2 * 6
    assert not table.duplicated(["task", "metric", "level", "model_a", "model_b"]).any()


def test_scores_with_the_same_seed_are_a_pair(
    table: pd.DataFrame, runs: dict[str, list[Run]]
) -> None:
    a, b = seed_scores(runs["good"]), seed_scores(runs["weak"])
    found = row(table, "good", "weak")
    assert found["n_pairs"] == 5
    assert found["mean_a"] == pytest.approx(a.mean())
    assert found["mean_b"] == pytest.approx(b.mean())
    assert found["difference"] == pytest.approx((a - b).mean())
    assert found["effect_size"] == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
    assert found["p"] == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert found["ci_low"] <= found["difference"] <= found["ci_high"]
    assert found["ci_low"] > 0


def test_a_baseline_has_one_run_that_every_seed_is_compared_with(
    table: pd.DataFrame, runs: dict[str, list[Run]]
) -> None:
    a, b = seed_scores(runs["good"]), seed_scores(runs["baseline"])
    found = row(table, "good", "baseline")
    assert found["n_pairs"] == 5
    assert found["p"] == pytest.approx(stats.ttest_1samp(a - b[0], 0).pvalue)
    assert "model_b has one run, which is compared with every seed" in found["note"]


def test_what_has_no_score_is_null_with_a_note_and_no_test(table: pd.DataFrame) -> None:
    found = row(table, "good", "silent")
    assert found["n_pairs"] == 0
    assert found[["mean_a", "difference", "ci_low", "p", "p_holm"]].isna().all()
    assert found["note"] == "model_b not scored"


def test_holm_is_over_the_pairs_of_a_task_metric_and_level(table: pd.DataFrame) -> None:
    for _, family in table.groupby(["task", "metric", "level"]):
        assert len(family) == 6
        np.testing.assert_allclose(family["p_holm"], holm(family["p"].to_numpy()))
        tested = family.dropna(subset=["p"])
        assert (tested["p_holm"] >= tested["p"]).all()


def test_with_one_seed_there_is_an_interval_over_songs_and_no_test(
    runs: dict[str, list[Run]],
) -> None:
    first = {name: of[:1] for name, of in runs.items()}
    frame = pairwise_tests(first, label_table(), clustering=CLUSTERING, evaluation=EVALUATION)
    found = row(frame, "good", "weak")
    assert found["n_pairs"] == 1
    assert found[["p", "p_holm", "effect_size", "cliffs_delta"]].isna().all()
    assert found["ci_low"] < found["difference"] < found["ci_high"]
    assert "no test over seeds" in found["note"]
    same = row(frame, "weak", "baseline")
    assert (same["difference"], same["ci_low"], same["ci_high"]) == (0.0, 0.0, 0.0)


def test_four_seeds_are_too_few_and_the_note_says_how_many_are_needed(
    runs: dict[str, list[Run]],
) -> None:
    few = {name: of[:4] for name, of in runs.items()}
    frame = pairwise_tests(few, label_table(), clustering=CLUSTERING, evaluation=EVALUATION)
    found = row(frame, "good", "weak")
    assert np.isnan(found["p"])
    assert "4 pairs: too few to test (at least 5)" in found["note"]


def test_exact_tests_of_five_seeds_say_what_they_can_reach(runs: dict[str, list[Run]]) -> None:
    exact = EVALUATION.model_copy(update={"paired_test": "wilcoxon"})
    frame = pairwise_tests(runs, label_table(), clustering=CLUSTERING, evaluation=exact)
    found = row(frame, "good", "weak")
    assert found["p"] == pytest.approx(0.0625)
    assert "smallest p that 5 pairs can reach: 0.0625" in found["note"]


def test_swapping_two_models_turns_signs_and_leaves_p(
    runs: dict[str, list[Run]], table: pd.DataFrame
) -> None:
    swapped = {name: runs[name] for name in ("weak", "good")}
    frame = pairwise_tests(swapped, label_table(), clustering=CLUSTERING, evaluation=EVALUATION)
    one, other = row(table, "good", "weak"), row(frame, "weak", "good")
    for column in ("difference", "effect_size", "cliffs_delta"):
        assert other[column] == pytest.approx(-one[column])
    assert other["p"] == pytest.approx(one["p"])


def test_folds_are_named_as_pairs_that_share_training_songs() -> None:
    labels = label_table()
    parts = [latent_table(labels, per=2, seed=seed) for seed in SEEDS]
    folds = {}
    for model in ("a", "b"):
        folds[model] = [
            run(z[z["track_id"].str[1:].astype(int) % 5 == seed], model, seed)
            for seed, z in zip(SEEDS, parts, strict=True)
        ]
    frame = pairwise_tests(folds, labels, clustering=CLUSTERING, evaluation=EVALUATION)
    assert frame["note"].str.contains(FOLDS, regex=False).all()


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        ([0, 1, 2], [0, 1, 2], [(0, 0), (1, 1), (2, 2)]),
        ([0, 1, 2], [0], [(0, 0), (1, 0), (2, 0)]),
        ([0], [3, 4], [(0, 3), (0, 4)]),
        ([1], [2], [(1, 2)]),
        ([0, 1, 2], [1, 2, 5], [(1, 1), (2, 2)]),
        ([], [0], []),
    ],
)
def test_seeds_are_paired(a: list[int], b: list[int], pairs: list[tuple[int, int]]) -> None:
    assert paired_seeds(a, b) == pairs


def test_the_table_is_written_in_three_forms(tmp_path: Path) -> None:
    labels = label_table()
    tables.write(labels, tmp_path / "labels.parquet", tables.LABELS)
    scores, clusters = [], []
    for name, strength in (("a_model", 3.0), ("b&model", 1.0)):
        latents = tmp_path / f"{name}.parquet"
        tables.write(
            latent_table(labels, per=2, strength=strength), latents, tables.LATENTS,
            {"model": name, "supervision": "none", "note": ""},
        )  # fmt: skip
        scores.append(tmp_path / f"{name}-scores.parquet")
        clusters.append(tmp_path / f"{name}-clusters.parquet")
        write_clusters_and_scores(
            latents, tmp_path / "labels.parquet", clusters[-1], scores[-1],
            tmp_path / "continuity.parquet",
            model=name, seed=0, clustering=CLUSTERING, evaluation=EVALUATION,
        )  # fmt: skip
    files = {kind: tmp_path / f"tests.{kind}" for kind in ("csv", "md", "tex")}
    write_model_tests(
        scores, clusters, tmp_path / "labels.parquet", **files, models=["a_model", "b&model"],
        clustering=CLUSTERING, evaluation=EVALUATION, corpus_name="Tunes & $ongs",
    )  # fmt: skip
    written = pd.read_csv(io.StringIO(files["csv"].read_text()))
    assert list(written.columns) == list(TESTS)
    assert len(for_readers(written)) == 2
    assert r"b\&model" in files["tex"].read_text()
    assert "No pair is tested: 1 pairs of seeds at most" in files["md"].read_text()
