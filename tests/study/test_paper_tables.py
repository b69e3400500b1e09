"""The reference study's tables from a run's, and each beside what it published."""

import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr
from scipy.stats import t as student

import paper_frames as frames
from songatlas.errors import SongatlasError
from songatlas.evaluation.layout import Sheet
from songatlas.report.study import published as study
from songatlas.report.study.best import METRICS, best_table, best_versus
from songatlas.report.study.clusterings import over_seeds
from songatlas.report.study.corpus_sheets import (
    DIFFERENT,
    SAME,
    SAME_SONGS,
    corpus_kind,
    corpus_sheets,
    dataset_table,
    splits_table,
)
from songatlas.report.study.files import write_sheets
from songatlas.report.study.methods import (
    EVERYONE,
    STUDY,
    algorithm_differences,
    methods_table,
    methods_versus,
)
from songatlas.report.study.model_sheets import (
    architectures_table,
    architectures_versus,
    model_sheets,
)
from songatlas.report.study.pairwise import pairwise_sheet
from songatlas.report.study.ranking import ranking_table, seed_interval
from songatlas.report.study.reconstruction import correlation_table, points
from songatlas.report.study.score_sheets import Protocol, score_sheets, tasks_table, tasks_versus
from songatlas.report.study.summary import companion_table, summary_table, summary_versus
from songatlas.report.study.versus import NO_VALUE, NOT_PUBLISHED, NOT_RUN, versus

PUBLISHED = study.read_published()
SCORES = frames.scores()
VOTES = SCORES[SCORES["level"] == "song_vote"]
COMPARISON = frames.comparison(SCORES)
HOW = Protocol(
    level="song_vote",
    levels=frames.LEVELS,
    algorithms=frames.ALGORITHMS,
    evaluate_on="validation",
    fit_on=None,
    permutations=20,
    corpus=DIFFERENT,
    corpus_name=frames.CORPUS,
    trained=frames.TRAINED,
    controls=frames.CONTROLS,
)


# --- what was published -------------------------------------------------------------------------


def test_the_shipped_numbers_are_the_references(reference: Path) -> None:
    names = sorted(path.name for path in reference.glob("published_*.csv"))
    assert len(names) == 5
    for name in names:
        assert (study.FOLDER / name).read_bytes() == (reference / name).read_bytes(), name


def test_no_code_holds_a_published_number() -> None:
    summary = pd.read_csv(study.FOLDER / "published_clustering_summary.csv", dtype=str)
    numbers = {
        number
        for column in summary.columns[2:]
        for number in summary[column]
        if len(number.split(".")[1]) == 4
    }
    numbers -= {"0.0625"}  # also 2 / 2^5, the smallest p of an exact test over five seeds
    assert len(numbers) > 100
    scripts = study.FOLDER.parents[1] / "scripts"
    for path in [*scripts.rglob("*.py"), *(scripts.parent / "rules").rglob("*.smk")]:
        text = path.read_text(encoding="utf-8")
        assert not [number for number in numbers if number in text], path


def test_every_published_model_has_a_name_of_ours_and_vade_is_the_small_one() -> None:
    assert set(PUBLISHED.summary["model"]) == set(PUBLISHED.names.values())
    assert set(PUBLISHED.training["model"]) <= set(PUBLISHED.names.values())
    assert PUBLISHED.called("vade_small") == "VaDE"
    assert PUBLISHED.called("vade") == "vade"


def test_the_published_composition_adds_up_to_the_published_splits() -> None:
    assert PUBLISHED.dataset["songs"].sum() == PUBLISHED.splits["songs"].sum() == 180
    assert PUBLISHED.splits["windows"].sum() == 2107


def test_parameters_are_read_in_millions() -> None:
    assert study.millions("5.5M") == 5.5
    assert np.isnan(study.millions(None))
    with pytest.raises(SongatlasError, match=r"5\.5 million"):
        study.millions("5.5 million")


def test_a_published_file_without_a_column_is_named(tmp_path: Path) -> None:
    shutil.copytree(study.FOLDER, tmp_path / "published")
    (tmp_path / "published" / "published_best.csv").write_text("task,metric\n")
    with pytest.raises(SongatlasError, match=r"published_best.csv: lacks the column `value`"):
        study.read_published(tmp_path / "published")


# --- beside -------------------------------------------------------------------------------------


def test_a_table_beside_the_published_one_has_every_row_of_both() -> None:
    theirs = pd.DataFrame({"model": ["a", "b"], "x": [1.0, 2.0], "y": [5.0, np.nan]})
    ours = pd.DataFrame({"model": ["c", "a"], "x": [9.0, 1.5], "y": [np.nan, 7.0]})
    beside = versus(theirs, ours, keys=["model"], values=["x", "y"], corpus="c")
    assert list(zip(beside["model"], beside["metric"], strict=True)) == [
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
        ("c", "x"),
        ("c", "y"),
    ]
    assert beside["difference"].iloc[:2].tolist() == [0.5, 2.0]
    assert beside["note"].iloc[:2].isna().all()
    notes = beside["note"].tolist()[2:]
    assert notes == [NOT_RUN, NOT_PUBLISHED, f"{NOT_PUBLISHED}; {NO_VALUE}"]


def test_without_published_rows_everything_of_ours_stands_with_a_note() -> None:
    empty = dataclasses.replace(
        PUBLISHED, summary=PUBLISHED.summary[:0], dataset=PUBLISHED.dataset[:0]
    )
    beside = summary_versus(COMPARISON, empty, ["song_vote"], DIFFERENT)
    assert len(beside)
    assert beside["published"].isna().all()
    assert beside["note"].str.contains(NOT_PUBLISHED).all()
    dataset = dataset_table(*frames.corpus())
    assert corpus_kind(dataset, empty) == DIFFERENT


# --- corpus -------------------------------------------------------------------------------------


def test_the_composition_counts_songs_windows_hours_artists_and_lyrics() -> None:
    dataset = dataset_table(*frames.corpus())
    first = dataset[(dataset["language"] == "ar") & (dataset["genre"] == "pop")].iloc[0]
    assert (first["songs"], first["windows"], first["with_audio"], first["with_lyrics"]) == (
        2,
        3,
        1,
        1,
    )
    assert first["hours"] == pytest.approx(0.1)
    total = dataset.iloc[-1]
    assert (total["language"], total["genre"], total["songs"]) == ("all", "all", 24)
    assert total["windows"] == dataset["windows"][:-1].sum()


def test_songs_without_genre_are_unknown_and_counted() -> None:
    dataset = dataset_table(*frames.corpus(genres=(None,), languages=("de", None)))
    assert dataset["genre"].tolist() == ["unknown", "unknown", "all"]
    assert dataset["songs"].tolist() == [2, 2, 4]


def test_splits_count_artists_on_both_sides() -> None:
    tracks, labels, windows = frames.corpus(per_cell=1)
    splits = splits_table(tracks, labels, windows).set_index("split")
    assert list(splits.index) == ["train", "validation", "test", "all"]
    # The last two songs are of one artist, one in each of the small splits.
    assert splits["artists_shared"].to_dict() == {"train": 0, "validation": 1, "test": 1, "all": 1}
    assert splits.loc["all", "songs"] == 12
    nameless = splits_table(tracks, labels.assign(artist=None), windows)
    assert nameless["artists_shared"].isna().all()


def test_a_corpus_is_the_studys_by_its_cells_and_its_windows() -> None:
    tracks, labels, windows = frames.corpus(per_cell=15)
    assert len(tracks) == 180
    dataset = dataset_table(tracks, labels, windows)
    assert corpus_kind(dataset, PUBLISHED) == SAME_SONGS
    exact = pd.DataFrame({"track_id": [tracks["track_id"][i % 180] for i in range(2107)]})
    assert corpus_kind(dataset_table(tracks, labels, exact), PUBLISHED) == SAME
    fewer = tracks[:-1]
    assert corpus_kind(dataset_table(fewer, labels, exact), PUBLISHED) == DIFFERENT
    swapped = labels.assign(language=labels["language"].replace("hi", "fr"))
    assert corpus_kind(dataset_table(tracks, swapped, exact), PUBLISHED) == DIFFERENT


# --- scores -------------------------------------------------------------------------------------


def test_the_summary_has_exactly_the_published_columns_and_names() -> None:
    summary = summary_table(COMPARISON, PUBLISHED, "song_vote")
    header = (study.FOLDER / "published_clustering_summary.csv").read_text().splitlines()[0]
    assert summary.to_csv(index=False).splitlines()[0] == header
    assert list(dict.fromkeys(summary["model"])) == [
        "CVAE-Genre",
        "Conv VAE",
        "Raw Features",
        "VaDE",
        "absent",
        "mine",
        "shuffled",
    ]
    assert summary["task"].tolist()[:2] == ["genre", "language"]
    row = summary[(summary["model"] == "VaDE") & (summary["task"] == "genre")].iloc[0]
    mine = VOTES[(VOTES["model"] == "vade_small") & (VOTES["task"] == "genre")]
    values = mine.loc[mine["metric"] == "davies_bouldin", "value"]
    assert row["davies_bouldin_mean"] == pytest.approx(values.mean())
    assert row["davies_bouldin_std"] == pytest.approx(values.std(ddof=1))


def test_the_companion_has_the_rows_of_the_summary_and_marks_controls() -> None:
    summary = summary_table(COMPARISON, PUBLISHED, "song_vote")
    companion = companion_table(COMPARISON, PUBLISHED, "song_vote", frames.CONTROLS)
    keys = ["model", "task"]
    pd.testing.assert_frame_equal(companion[keys], summary[keys])
    by_model = companion.drop_duplicates("model").set_index("model")
    assert by_model.loc["CVAE-Genre", "supervision"] == "labels"
    assert by_model.loc["shuffled", "control"] == "shuffled_labels"
    assert by_model["control"].drop("shuffled").isna().all()
    assert by_model.loc["absent", "note"] == "no songs to cluster"
    assert (companion["level"] == "song_vote").all()


def test_the_summary_stands_beside_the_published_one_at_every_level() -> None:
    beside = summary_versus(COMPARISON, PUBLISHED, ["song_vote", "window"], DIFFERENT)
    assert set(beside["level"]) == {"song_vote", "window"}
    assert (beside["corpus"] == DIFFERENT).all()
    row = beside[
        (beside["model"] == "VaDE")
        & (beside["task"] == "genre")
        & (beside["level"] == "window")
        & (beside["metric"] == "nmi_mean")
    ].iloc[0]
    assert row["published"] == 0.025
    assert row["difference"] == pytest.approx(row["ours"] - 0.025)
    assert row["chance"] == pytest.approx(0.1)
    absent = beside[beside["model"] == "PCA"]
    assert absent["ours"].isna().all()
    assert (absent["note"] == NOT_RUN).all()


def test_the_best_is_the_best_mean_over_seeds_and_the_lowest_davies_bouldin() -> None:
    best = best_table(VOTES, PUBLISHED)
    assert len(best) == 2 * len(METRICS)
    means = over_seeds(VOTES)
    for _, row in best.iterrows():
        mine = means[(means["task"] == row["task"]) & (means["metric"] == row["metric"])]
        wanted = mine["value"].min() if row["metric"] == "davies_bouldin" else mine["value"].max()
        assert row["value"] == wanted
        assert row["tried"] == len(mine) == 18
        winner = mine[mine["value"] == wanted].iloc[0]
        assert (row["model"], row["algorithm"]) == (
            PUBLISHED.called(winner["model"]),
            winner["algorithm"],
        )
    beside = best_versus(best, PUBLISHED, DIFFERENT).set_index(["task", "metric"])
    assert beside.loc[("genre", "nmi"), "published_model"] == "Basic VAE"
    assert beside.loc[("genre", "ami"), "note"] == NOT_PUBLISHED


def test_the_best_are_named_with_whose_labels_they_saw() -> None:
    scores = VOTES.copy()
    raw = scores["model"] == "raw"
    scores.loc[raw, "supervision"] = "elsewhere"
    scores.loc[raw & (scores["metric"] == "nmi"), "value"] = 0.95
    best = best_table(scores, PUBLISHED).set_index(["task", "metric"])
    assert tuple(best.loc[("genre", "nmi"), ["model", "supervision"]]) == (
        "Raw Features",
        "elsewhere",
    )
    beside = best_versus(best.reset_index(), PUBLISHED, DIFFERENT).set_index(["task", "metric"])
    assert beside.loc[("genre", "nmi"), "our_supervision"] == "elsewhere"
    tasks = tasks_table(scores, PUBLISHED)
    assert set(tasks["best_supervision_nmi"]) == {"elsewhere"}
    sheets = {one.name: one for one in score_sheets(COMPARISON, scores, PUBLISHED, HOW)}
    for name in ("paper_best", "paper_ranking", "paper_clustering_companion"):
        sheet = sheets[name]
        assert "elsewhere where its weights" in " ".join(sheet.notes), name
        assert "supervision" in sheet.narrow, name


def test_weights_that_saw_other_peoples_labels_are_ranked_as_baselines() -> None:
    scores = VOTES.copy()
    scores.loc[scores["model"].isin(["raw", "mine"]), "supervision"] = "elsewhere"
    ranking = ranking_table(scores, frames.TRAINED, frames.CONTROLS)
    rows = ranking[ranking["model"].isin(["raw", "mine"])]
    assert set(rows["kind"]) == {"baseline"}
    assert set(rows["supervision"]) == {"elsewhere"}
    assert rows["rank"].notna().all()
    assert set(ranking.loc[ranking["model"] == "conv_vae", "kind"]) == {"trained"}


def test_algorithms_are_summed_up_over_the_studys_models_and_over_all() -> None:
    methods = methods_table(VOTES, frames.ALGORITHMS, PUBLISHED)
    assert list(zip(methods["models"], methods["method"], strict=True))[:3] == [
        (STUDY, "agglomerative"),
        (STUDY, "gmm"),
        (STUDY, "kmeans"),
    ]
    means = over_seeds(VOTES)
    mine = means[
        (means["algorithm"] == "gmm")
        & (means["metric"] == "ari")
        & means["model"].isin(["conv_vae", "cvae_genre", "vade_small", "raw"])
    ]["value"]
    row = methods[(methods["models"] == STUDY) & (methods["method"] == "gmm")].iloc[0]
    assert row["n_scores"] == len(mine) == 8
    assert (row["ari_mean"], row["ari_min"]) == (pytest.approx(mine.mean()), mine.min())
    assert row["ari_std"] == pytest.approx(mine.std(ddof=1))
    assert (methods["models"] == EVERYONE).sum() == 3
    published_columns = pd.read_csv(study.FOLDER / "published_method_analysis.csv").columns
    assert set(published_columns) <= set(methods.columns)
    beside = methods_versus(methods, PUBLISHED, DIFFERENT)
    assert len(beside) == 36
    assert beside["difference"].notna().all()


def test_algorithms_differ_when_one_is_better_on_every_model() -> None:
    better = VOTES.copy()
    is_gmm = (better["algorithm"] == "gmm") & (better["metric"] == "nmi")
    is_kmeans = (better["algorithm"] == "kmeans") & (better["metric"] == "nmi")
    better.loc[is_gmm, "value"] = better.loc[is_kmeans, "value"].to_numpy() + 0.2
    pairs = algorithm_differences(better)
    row = pairs[(pairs["better"] == "gmm") & (pairs["worse"] == "kmeans")].iloc[0]
    assert row[["difference", "ci_low", "ci_high"]].tolist() == pytest.approx([0.2, 0.2, 0.2])
    # What chance gives is taken off: the same score over a higher chance is no better.
    better.loc[is_gmm, "chance"] = 0.3
    pairs = algorithm_differences(better).set_index(["better", "worse"])["difference"]
    assert abs(pairs.get(("gmm", "kmeans"), pairs.get(("kmeans", "gmm")))) < 1e-12
    two = algorithm_differences(VOTES[VOTES["model"].isin(["raw", "mine"])])
    assert two["ci_low"].isna().all()


def test_tasks_are_summed_up_in_the_studys_columns() -> None:
    tasks = tasks_table(VOTES, PUBLISHED)
    columns = pd.read_csv(study.FOLDER / "published_task_analysis.csv").columns
    assert set(columns) <= set(tasks.columns)
    row = tasks[(tasks["task"] == "genre") & (tasks["models"] == STUDY)].iloc[0]
    assert row["n_samples"] == 12
    assert row["best_nmi"] >= row["avg_nmi"]
    beside = tasks_versus(tasks, PUBLISHED, DIFFERENT)
    assert beside["difference"].notna().all()


def test_models_are_ranked_by_nmi_above_chance_and_controls_have_no_rank() -> None:
    ranking = ranking_table(VOTES, frames.TRAINED, frames.CONTROLS)
    for _, rows in ranking.groupby("task"):
        assert rows["above_chance"].is_monotonic_decreasing
        ranked = rows["rank"].dropna().tolist()
        assert ranked == [1, 2, 3, 4, 5]
        assert rows.loc[rows["control"].notna(), "rank"].isna().all()
    raw = ranking[ranking["model"] == "raw"].iloc[0]
    assert raw["kind"] == "baseline"
    assert (raw["seeds"], np.isnan(raw["seeds_low"])) == (1, True)


def test_the_interval_over_seeds_is_scipys() -> None:
    values = pd.Series([0.2, 0.5, 0.4, 0.3])
    error = values.std(ddof=1) / 2.0
    expected = student.interval(0.95, 3, loc=values.mean(), scale=error)
    assert seed_interval(values) == pytest.approx(expected)
    assert np.isnan(seed_interval(values[:1])).all()


def test_correlations_are_scipys_and_few_models_are_null_with_a_note() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"source": "ours", "task": "genre", "loss": rng.random(9), "nmi": rng.random(9)}
    )
    row = correlation_table(frame).iloc[0]
    assert row["spearman"] == pytest.approx(spearmanr(frame["loss"], frame["nmi"]).statistic)
    assert row["pearson"] == pytest.approx(pearsonr(frame["loss"], frame["nmi"]).statistic)
    assert row["spearman_low"] < row["spearman"] < row["spearman_high"]
    few = correlation_table(frame[:3]).iloc[0]
    assert np.isnan(few["spearman"])
    assert "fewer than 4 models" in few["note"]
    same = correlation_table(frame.assign(nmi=0.5)).iloc[0]
    assert np.isnan(same["pearson"])
    assert same["note"]
    line = correlation_table(frame.assign(nmi=-frame["loss"])).iloc[0]
    assert (line["spearman"], line["spearman_high"]) == (pytest.approx(-1), pytest.approx(-1))


def test_points_are_models_that_reconstruct_and_the_studys_own() -> None:
    found = points(frames.summaries(), VOTES, PUBLISHED)
    ours = found[found["source"] == "ours"]
    assert set(ours["model"]) == {"Conv VAE", "CVAE-Genre", "VaDE", "shuffled"}
    assert (ours["seeds"] == 2).all()
    assert len(found[found["source"] == "published"]) == 14


# --- models and files ---------------------------------------------------------------------------


def test_parameters_stand_beside_the_published_in_millions() -> None:
    table = architectures_table(frames.architectures(), PUBLISHED)
    assert table["model"].tolist()[:2] == ["CVAE-Genre", "Conv VAE"]
    beside = architectures_versus(table, PUBLISHED, DIFFERENT).set_index("model")
    assert beside.loc["Conv VAE", "ours"] == pytest.approx(64.458049)
    assert beside.loc["Conv VAE", "published"] == 64.5
    assert np.isnan(beside.loc["VaDE", "ours"])
    # Pretrained weights have no latent dimension of their own.
    weights = pd.DataFrame({"model": ["clap"], "type": "Pretrained", "parameters": [194_000_000]})
    both = pd.concat([frames.architectures(), weights], ignore_index=True)
    table = architectures_table(both, PUBLISHED).set_index("model")
    assert table.loc["clap", "parameters"] == 194_000_000
    assert str(table["latent_dim"].dtype) == "Int64"


@pytest.mark.parametrize("scale", ["paper", "elbo"])
def test_a_loss_on_another_scale_is_not_compared(scale: str) -> None:
    [_, _, training, beside] = model_sheets(
        frames.architectures(), frames.summaries(scale), PUBLISHED, DIFFERENT, frames.CORPUS
    )
    row = training.frame.set_index("model").loc["Conv VAE"]
    assert (row["epochs_mean"], row["seeds"]) == (10.5, 2)
    loss = beside.frame[beside.frame["metric"] == "validation_loss"].set_index("model")
    assert pd.isna(loss.loc["Conv VAE", "difference"]) == (scale == "elbo")


def every_sheet(scores: pd.DataFrame, comparison: pd.DataFrame) -> list[Sheet]:
    return [
        *corpus_sheets(*frames.corpus(), PUBLISHED, frames.CORPUS),
        *model_sheets(
            frames.architectures(), frames.summaries(), PUBLISHED, DIFFERENT, frames.CORPUS
        ),
        *score_sheets(comparison, scores, PUBLISHED, HOW),
        pairwise_sheet(frames.paired_tests(), PUBLISHED, "song_vote", frames.CORPUS),
    ]


def test_every_table_is_written_in_three_forms_with_nothing_unescaped(tmp_path: Path) -> None:
    sheets = every_sheet(SCORES, COMPARISON)
    assert len(sheets) == len({sheet.name for sheet in sheets}) == 20
    files = [tmp_path / f"{sheet.name}.{kind}" for sheet in sheets for kind in ("csv", "md", "tex")]
    write_sheets(sheets, files, card="results/x/provenance.json")
    for sheet in sheets:
        frame = pd.read_csv(tmp_path / f"{sheet.name}.csv", keep_default_na=False, na_values=[""])
        assert list(frame.columns) == list(sheet.frame.columns)
        assert len(frame) == len(sheet.frame)
        tex = (tmp_path / f"{sheet.name}.tex").read_text(encoding="utf-8")
        assert r"\toprule" in tex
        assert r"\input" not in tex
        assert "100\\%" in tex
        assert "provenance.json" in tex
        md = (tmp_path / f"{sheet.name}.md").read_text(encoding="utf-8")
        assert md.count("\n|") == len(sheet.shown if sheet.shown is not None else frame) + 2


def test_a_file_without_its_table_is_an_error(tmp_path: Path) -> None:
    sheets = every_sheet(SCORES, COMPARISON)[:1]
    with pytest.raises(SongatlasError, match="no table of that name"):
        write_sheets(
            sheets, [tmp_path / "paper_dataset.csv", tmp_path / "paper_x.csv"], card="card"
        )
    with pytest.raises(SongatlasError, match="no file is declared"):
        write_sheets(sheets, [], card="card")


def test_a_run_without_scores_gives_tables_with_nulls_not_an_exception(tmp_path: Path) -> None:
    nothing = SCORES[:0]
    comparison = COMPARISON[COMPARISON["model"] == "absent"]
    sheets = {sheet.name: sheet for sheet in score_sheets(comparison, nothing, PUBLISHED, HOW)}
    files = [tmp_path / f"{name}.{kind}" for name in sheets for kind in ("csv", "md", "tex")]
    write_sheets(list(sheets.values()), files, card="card")
    assert sheets["paper_clustering_summary"].frame["nmi_mean"].isna().all()
    assert sheets["paper_methods"].frame["nmi_mean"].isna().all()
    beside = sheets["paper_clustering_summary_vs_published"].frame
    assert beside["published"].notna().all()
    assert beside["ours"].isna().all()


def test_a_level_that_was_not_clustered_leaves_the_summary_empty() -> None:
    only = COMPARISON[COMPARISON["level"] == "window"]
    assert summary_table(only, PUBLISHED, "song_vote").empty


def test_pairs_carry_the_studys_names_and_an_empty_table_says_why() -> None:
    sheet = pairwise_sheet(frames.paired_tests(), PUBLISHED, "song_vote", "c")
    assert sheet.frame["model_b"].tolist() == ["VaDE"]
    empty = pairwise_sheet(frames.paired_tests()[:0], PUBLISHED, "song_vote", "c")
    assert "No models were compared" in empty.notes[0]
    once = pairwise_sheet(frames.paired_tests().assign(p=np.nan), PUBLISHED, "song_vote", "c")
    assert "no test over seeds" in once.notes[0]
    assert empty.frame.empty


def test_csv_reads_back_the_word_none() -> None:
    companion = companion_table(COMPARISON, PUBLISHED, "song_vote", {})
    text = companion.to_csv(index=False)
    back = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])
    assert set(back["supervision"]) == {"none", "labels"}
