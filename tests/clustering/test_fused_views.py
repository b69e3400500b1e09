"""Sound, words and together: both answers stand side by side, whatever the numbers of classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import normalized_mutual_info_score

from songatlas import tables
from songatlas.clustering.algorithms import cluster
from songatlas.clustering.views import balanced, named_by_view, of_view
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.evaluation.best import best_representation
from songatlas.evaluation.comparison import (
    COLUMNS,
    Run,
    compare,
    for_readers,
    format_for_terminal,
    together,
)
from songatlas.evaluation.scores import cluster_and_score

ALGORITHMS = ["kmeans", "agglomerative", "gmm"]
EVALUATION = Evaluation(
    tasks=["language", "genre"], permutations=5, bootstraps=0, summary_algorithms=ALGORITHMS
)
BLOCKS = {"audio": (0, 8), "lyrics": (8, 16)}


def groups(codes: np.ndarray, distance: float, seed: int) -> np.ndarray:
    """Points (n, 8) of unit noise around centres that are `distance` from their mean."""
    rng = np.random.default_rng(seed)
    return distance * np.eye(8)[codes] + rng.normal(size=(len(codes), 8))


class Case:
    """Songs whose genre is heard and whose language is read, independently of each other."""

    def __init__(self, genre: np.ndarray, language: np.ndarray, heard: float, read: float) -> None:
        self.genre, self.language, self.n = genre, language, len(genre)
        self.audio, self.lyrics = groups(genre, heard, 0), 100.0 * groups(language, read, 1)

    @property
    def ids(self) -> list[str]:
        return [f"t{row:03d}" for row in range(self.n)]

    def latents(self, *kept: str) -> pd.DataFrame:
        parts = [self.audio * ("audio" in kept), self.lyrics * ("lyrics" in kept)]
        z = np.concatenate(parts, axis=1)
        return tables.latents_frame("song", None, self.ids, ["train"] * self.n, z)

    def labels(self) -> pd.DataFrame:
        frame = pd.DataFrame({"track_id": self.ids, "artist": None})
        return frame.assign(
            genre=[f"g{code}" for code in self.genre],
            language=[f"l{code}" for code in self.language],
        )

    def run(self, k: list[int], **changes: Any) -> Run:
        views = {"sound": self.latents("audio"), "words": self.latents("lyrics"), **changes}
        clusters, scores = cluster_and_score(
            self.latents("audio", "lyrics"),
            self.labels(),
            model="fused",
            seed=0,
            supervision="none",
            note=None,
            clustering=Clustering(algorithms=ALGORITHMS, k=k, n_init=5, levels=["song"]),
            evaluation=EVALUATION,
            blocks=BLOCKS,
            alone=views,
        )
        return Run(scores, clusters)

    def compared(self, k: list[int]) -> pd.DataFrame:
        frame = compare(
            {"fused": [self.run(k)]},
            self.labels(),
            clustering=Clustering(levels=["song"]),
            evaluation=EVALUATION,
            corpus_name="C",
        )
        return frame.set_index(["task", "view"])


def reached(z: np.ndarray, classes: np.ndarray) -> float:
    """Mean NMI of what one modality's own vectors give at k = number of classes."""
    k = len(np.unique(classes))
    found = [cluster(z, algorithm, k, n_init=5, seed=EVALUATION.seed) for algorithm in ALGORITHMS]
    return float(np.mean([normalized_mutual_info_score(classes, one.labels) for one in found]))


def imbalanced() -> Case:
    row = np.arange(160)
    return Case(row % 4, np.where(row % 10 == 9, 1 + row // 10 % 2, 0), 6.0, 9.0)


CASES = {
    "3 x 3": lambda: Case(np.arange(90) % 3, np.arange(90) // 3 % 3, 6.0, 9.0),
    "4 x 4, well apart": lambda: Case(np.arange(96) % 4, np.arange(96) // 4 % 4, 20.0, 20.0),
    "8 overlapping genres x 5 languages": lambda: Case(
        np.arange(240) % 8, np.arange(240) // 8 % 5, 3.0, 6.0
    ),
    "nine tenths one language": imbalanced,
}


@pytest.mark.parametrize("name", CASES)
def test_no_view_loses_what_its_modality_knows(name: str) -> None:
    case = CASES[name]()
    nmi = case.compared([])["nmi_mean"]
    assert nmi["genre", "sound"] >= reached(case.audio, case.genre) - 0.02
    assert nmi["language", "words"] >= reached(case.lyrics, case.language) - 0.02
    # Neither modality knows the other's answer, and the table shows it.
    assert nmi["genre", "words"] < 0.2
    assert nmi["language", "sound"] < 0.2


@pytest.mark.parametrize("name", ["3 x 3", "4 x 4, well apart"])
def test_neither_answer_depends_on_which_k_are_tried(name: str) -> None:
    case = CASES[name]()
    few, many = case.compared([]), case.compared([2, 5, 9])
    pd.testing.assert_series_equal(few["nmi_mean"].sort_index(), many["nmi_mean"].sort_index())
    assert few.loc[("genre", "sound"), "nmi_mean"] > 0.95
    assert few.loc[("language", "words"), "nmi_mean"] > 0.95


def test_best_and_its_chance_are_of_each_view() -> None:
    frame = CASES["3 x 3"]().compared([])
    assert frame.index.is_unique
    assert list(frame.loc["genre"].index[:1]) == ["sound"]
    assert frame.loc[("genre", "sound"), "best_nmi"] > 0.95
    assert frame.loc[("genre", "words"), "best_nmi"] < 0.2
    assert (frame["best_chance_nmi"] < 0.2).all()


def test_tables_for_readers_say_which_view() -> None:
    frame = CASES["3 x 3"]().compared([]).reset_index()[list(COLUMNS)]
    assert set(for_readers(frame, ["nmi"])["model"]) == {
        "fused (sound)",
        "fused (words)",
        "fused (together)",
    }
    text = format_for_terminal(frame)
    assert text.count("fused (sound)") == 2
    assert max(map(len, text.splitlines())) <= 110


def test_the_best_representation_is_judged_by_both_modalities_together() -> None:
    frame = CASES["8 overlapping genres x 5 languages"]().compared([]).reset_index()
    both = frame[frame["view"] == "together"]
    above = (both["nmi_mean"] - both["chance_nmi"]).mean()
    rival = both.assign(view=None, model="rival", nmi_mean=above + 0.05, chance_nmi=0.0)
    everyone = pd.concat([frame, rival])
    assert best_representation(everyone, ["fused", "rival"]).model == "rival"


def test_a_view_keeps_the_scale_of_its_blocks() -> None:
    """A shared block that training left nearly constant says nothing, however it is scaled."""
    case = CASES["3 x 3"]()
    noise = 1e-3 * np.random.default_rng(2).normal(size=(case.n, 8))
    z = np.concatenate([case.audio, noise], axis=1)
    sound = tables.latents_frame("song", None, case.ids, ["train"] * case.n, z)
    run = case.run([], sound=sound).of_view("sound")
    nmi = run.scores[(run.scores["metric"] == "nmi") & (run.scores["task"] == "genre")]
    assert (nmi["value"] >= reached(case.audio, case.genre) - 0.02).all()


def test_songs_without_a_modality_are_left_out_of_its_view() -> None:
    case = CASES["3 x 3"]()
    heard = case.latents("audio")[:60]
    run = case.run([], sound=heard, words=case.latents("lyrics")[:0])
    sizes = run.clusters.groupby("view")["track_id"].nunique()
    assert sizes.to_dict() == {"sound": 60, "together": 90}
    nmi = run.scores[run.scores["metric"] == "nmi"]
    assert set(nmi.loc[nmi["view"] == "sound", "n"]) == {60}
    frame = compare(
        {"fused": [run]},
        case.labels(),
        clustering=Clustering(levels=["song"]),
        evaluation=EVALUATION,
        corpus_name="C",
    ).set_index(["task", "view"])
    assert frame["n"].to_dict()["genre", "sound"] == 60
    assert frame.loc[("genre", "words"), "n"] == 0
    assert frame.loc[("genre", "words"), "note"] == "no songs to cluster"


def test_one_view_of_each_model_is_taken_and_old_tables_have_none(tmp_path: Path) -> None:
    run = CASES["3 x 3"]().run([])
    [one] = together({"fused": [run]})["fused"]
    assert set(one.clusters["view"]) == set(one.scores["view"]) == {"together"}
    plain = run.clusters.assign(view=None)
    assert of_view(plain).equals(plain)
    assert of_view(plain.drop(columns="view")).equals(plain.drop(columns="view"))
    tables.write(run.clusters, tmp_path / "c.parquet", tables.CLUSTERS)
    read = tables.read(tmp_path / "c.parquet", tables.CLUSTERS)
    assert set(of_view(read, "words")["view"]) == {"words"}
    names = named_by_view(pd.DataFrame({"model": ["a", "b"], "view": ["sound", None]}))["model"]
    assert list(names) == ["a (sound)", "b"]


def test_blocks_have_equal_variance_and_a_missing_one_is_the_mean() -> None:
    z = np.concatenate([groups(np.arange(48) % 3, 5.0, 0), groups(np.arange(48) % 4, 5.0, 1)], 1)
    np.testing.assert_allclose(balanced(z * np.repeat([7.0, 0.1], 8), BLOCKS), balanced(z, BLOCKS))
    z[12:, :8] = 0.0
    scaled = balanced(z, BLOCKS)
    assert (scaled[12:, :8] == 0).all()
    np.testing.assert_allclose(scaled[:12, :8].mean(0), 0.0, atol=1e-12)
    assert scaled[:12, :8].var(0).sum() == pytest.approx(1.0)
    assert (balanced(np.zeros((10, 16)), BLOCKS) == 0).all()
