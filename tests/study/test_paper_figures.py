"""The reference study's figures: what is drawn, and what is said where nothing can be."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import paper_frames as frames
from songatlas.errors import SongatlasError
from songatlas.latents.projection import Tsne, project
from songatlas.report.figures.map import overview_figure
from songatlas.report.study.corpus_sheets import DIFFERENT, dataset_table
from songatlas.report.study.figures import marks
from songatlas.report.study.figures.leakage import leakage_figure, leakage_rows
from songatlas.report.study.figures.reconstruction_scatter import reconstruction_figure
from songatlas.report.study.figures.score_figures import order, score_figures
from songatlas.report.study.figures.write import write_figures
from songatlas.report.study.published import Published, read_published
from songatlas.report.study.ranking import ranking_table
from songatlas.report.study.reconstruction import correlation_table, points
from songatlas.report.study.summary import summary_table

PUBLISHED = read_published()
SCORES = frames.scores()
NAMES = ["ranking", "tasks", "six_scores", "algorithms", "heat_map"]


def ranking(scores: pd.DataFrame) -> pd.DataFrame:
    votes = scores[scores["level"] == "song_vote"]
    table = ranking_table(votes, frames.TRAINED, frames.CONTROLS)
    return table.assign(model=table["model"].map(PUBLISHED.called))


def drawn(scores: pd.DataFrame, published: Published = PUBLISHED) -> dict[str, Figure]:
    return score_figures(
        ranking=ranking(scores),
        summary=summary_table(frames.comparison(scores), PUBLISHED, "song_vote"),
        scores=scores,
        dataset=dataset_table(*frames.corpus()),
        published=published,
        level="song_vote",
        evaluate_on="validation",
        controls=frames.CONTROLS,
        corpus_name=frames.CORPUS,
    )


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return drawn(SCORES)


def published_marks(figure: Figure) -> int:
    """How many published numbers are drawn (the legend's own not among them)."""
    return sum(
        line.get_marker() == "X" and line.get_markerfacecolor() == "white"
        for axes in figure.axes
        for line in axes.lines
    )


def test_every_figure_names_corpus_level_and_songs(figures: dict[str, Figure]) -> None:
    assert list(figures) == NAMES
    for figure in figures.values():
        text = " ".join(words(figure).split())
        assert "ongs_100%" in text
        assert "validation songs" in text


def test_published_numbers_are_drawn_and_said_to_be_of_another_corpus(
    figures: dict[str, Figure],
) -> None:
    # Four models of the made-up run are the study's, in two tasks.
    assert published_marks(figures["ranking"]) == 8
    assert published_marks(figures["tasks"]) == 2
    assert published_marks(figures["algorithms"]) == 9
    for name in ("ranking", "tasks", "six_scores", "algorithms"):
        assert DIFFERENT in words(figures[name]), name


def test_without_published_rows_none_are_drawn() -> None:
    empty = Published(
        **{
            **vars(PUBLISHED),
            "summary": PUBLISHED.summary[:0],
            "methods": PUBLISHED.methods[:0],
            "tasks": PUBLISHED.tasks[:0],
        }
    )
    figures = drawn(SCORES, empty)
    assert sum(published_marks(figure) for figure in figures.values()) == 0
    assert "published" not in "".join(words(figure) for figure in figures.values())


def test_models_stand_in_one_order_best_above_chance_first(figures: dict[str, Figure]) -> None:
    names = order(ranking(SCORES))
    rows = [label.get_text() for label in figures["ranking"].axes[0].get_yticklabels()]
    assert rows == names
    assert set(names) == {"Conv VAE", "CVAE-Genre", "VaDE", "Raw Features", "mine", "shuffled"}
    heat = [label.get_text() for label in figures["heat_map"].axes[0].get_yticklabels()]
    assert heat == [*names, "mean chance"]


def test_weights_that_saw_other_peoples_labels_have_a_mark_of_their_own() -> None:
    scores = SCORES.copy()
    scores.loc[scores["model"] == "raw", "supervision"] = "elsewhere"
    figures = drawn(scores)
    for name in ("ranking", "tasks"):
        assert "weights trained on other people's labels" in words(figures[name]), name
        markers = [line.get_marker() for axes in figures[name].axes for line in axes.lines]
        assert markers.count("P") == len(frames.TASKS), name
    assert "other people's labels" not in words(drawn(SCORES)["ranking"])
    assert len({look["marker"] for look in marks.KINDS.values()}) == len(marks.KINDS)


def test_the_heat_map_shows_every_number_and_a_dash_where_there_is_none() -> None:
    scores = SCORES.copy()
    gone = (scores["model"] == "raw") & (scores["algorithm"] == "gmm") & (scores["task"] == "genre")
    scores.loc[gone, "value"] = np.nan
    axes = drawn(scores)["heat_map"].axes[0]
    cells = [text.get_text() for text in axes.texts]
    assert cells.count("–") == 1
    assert cells.count(".10") >= 6  # the row of chance
    value = SCORES[
        (SCORES["model"] == "mine")
        & (SCORES["algorithm"] == "kmeans")
        & (SCORES["task"] == "language")
        & (SCORES["metric"] == "nmi")
        & (SCORES["level"] == "song_vote")
    ]["value"].mean()
    assert f"{value:.2f}".removeprefix("0") in cells


def test_controls_are_marked_in_the_ranking_and_left_out_of_the_tasks(
    figures: dict[str, Figure],
) -> None:
    assert marks.KIND_WORDS["control"] in words(figures["ranking"])
    assert marks.KIND_WORDS["control"] not in words(figures["tasks"])


@pytest.mark.parametrize("scores", [SCORES.assign(value=np.nan), SCORES[:0]])
def test_a_run_without_scores_gives_figures_that_say_so(scores: pd.DataFrame) -> None:
    figures = score_figures(
        ranking=as_read(ranking(scores)),
        summary=as_read(summary_table(frames.comparison(SCORES), PUBLISHED, "song")[:0]),
        scores=as_read(scores),
        dataset=dataset_table(*frames.corpus()),
        published=PUBLISHED,
        level="song_vote",
        evaluate_on="all",
        controls={},
        corpus_name="c",
    )
    assert list(figures) == NAMES
    for figure in figures.values():
        assert marks.NOTHING.split(":")[0] in " ".join(words(figure).split())


def as_read(frame: pd.DataFrame) -> pd.DataFrame:
    """As the table comes back from its CSV, where an empty column has another type."""
    text = io.StringIO(frame.to_csv(index=False))
    return pd.read_csv(text, keep_default_na=False, na_values=[""])


def test_reconstruction_is_drawn_with_both_correlations_and_every_name() -> None:
    votes = SCORES[SCORES["level"] == "song_vote"]
    found = points(frames.summaries(), votes, PUBLISHED)
    table = correlation_table(found)
    figure = reconstruction_figure(
        found, table, corpus=DIFFERENT, corpus_name=frames.CORPUS, words="All songs."
    )
    text = words(figure)
    for name in ("Spearman", "Pearson", "Conv VAE", "Multimodal VAE", "Genre, published"):
        assert name in text
    row = table[(table["source"] == "published") & (table["task"] == "genre")].iloc[0]
    assert f"{row['spearman']:+.2f}" in text


def test_few_models_or_none_are_said_in_the_reconstruction_figure() -> None:
    votes = SCORES[(SCORES["level"] == "song_vote") & (SCORES["model"] == "conv_vae")]
    found = points(frames.summaries(), votes, PUBLISHED)
    about = {"corpus": DIFFERENT, "corpus_name": "c", "words": ""}
    figure = reconstruction_figure(found, correlation_table(found), **about)
    assert "fewer than 4 models" in words(figure)
    figure.draw_without_rendering()
    assert all(axes.get_position().width > 0.25 for axes in figure.axes)
    none = found[:0]
    figure = reconstruction_figure(none, correlation_table(none), **about)
    assert "no model reconstructs" in words(figure)


def test_leakage_is_drawn_per_split_or_the_missing_control_is_named() -> None:
    table = frames.leakage()
    accuracy = table.assign(metric="knn_accuracy", value=table["value"] + 0.1)
    alone = table[:1].assign(task="language")  # without its other split
    rows = leakage_rows(pd.concat([table, accuracy, alone]), PUBLISHED)
    figure = leakage_figure(rows, corpus_name="c")
    drawn = [{round(float(line.get_xdata()[0]), 3) for line in axes.lines} for axes in figure.axes]
    assert drawn == [{0.3, 0.8}, {0.4, 0.9}]
    assert "windows split at random" in words(figure)
    assert "Conv VAE" in words(figure)
    empty = leakage_figure(leakage_rows(table[:0], PUBLISHED), corpus_name="c")
    assert "random_windows" in words(empty)


def test_figures_are_written_in_both_forms_and_names_must_agree(tmp_path: Path) -> None:
    figure = leakage_figure(leakage_rows(frames.leakage(), PUBLISHED), corpus_name="c")
    files = [tmp_path / "leakage.svg", tmp_path / "leakage.png"]
    write_figures({"leakage": figure}, files, dpi=72, corpus_name="c", card="card.json")
    assert all(path.stat().st_size > 3000 for path in files)
    assert "card.json" in files[0].read_text(encoding="utf-8")
    more = [*files, tmp_path / "other.svg"]
    with pytest.raises(SongatlasError, match="no figure of that name"):
        write_figures({"leakage": figure}, more, dpi=72, corpus_name="c", card="card.json")
    with pytest.raises(SongatlasError, match="has no SVG and PNG"):
        write_figures({"leakage": figure}, files[:1], dpi=72, corpus_name="c", card="card.json")


def test_t_sne_keeps_groups_together_and_is_the_same_every_time() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=20.0, size=(3, 8))
    z = np.concatenate([centre + rng.normal(size=(15, 8)) for centre in centres])
    found = project(z, Tsne(perplexity=10), seed=0)
    again = project(z, Tsne(perplexity=10), seed=0)
    assert (found.method, found.n_neighbors) == ("t-SNE", 10)
    np.testing.assert_array_equal(found.points, again.points)
    groups = found.points.reshape(3, 15, 2)
    within = max(np.ptp(group, axis=0).max() for group in groups)
    middles = groups.mean(axis=1)
    apart = min(np.linalg.norm(middles[i] - middles[j]) for i in range(3) for j in range(i))
    assert apart > within
    few = project(z[:8], Tsne(), seed=0)
    assert few.n_neighbors == pytest.approx(7 / 3)
    assert project(z[:3], Tsne(), seed=0).method == "PCA"


@pytest.mark.parametrize("method", ["UMAP", "t-SNE"])
def test_an_overview_says_that_it_is_t_sne(method: str) -> None:
    frame = pd.DataFrame(
        {
            "model": "raw",
            "level": "window",
            "track_id": ["a", "b", "c"],
            "x": [0.0, 1.0, 2.0],
            "y": [0.0, 1.0, 0.5],
            "genre": pd.Categorical(["pop", "rock", "pop"]),
        }
    )
    info = {"model": "raw", "supervision": "none", "method": method, "n_neighbors": 2}
    info |= {"trustworthiness": {}, "continuity": {}}  # of three points nothing can be said
    figure = overview_figure([(frame, info)], attribute="genre", corpus_name="c")
    assert ("t-SNE" in words(figure)) == (method == "t-SNE")
