"""The study's four questions in words: numbers filled in, and what cannot be told apart."""

import dataclasses

import numpy as np
import pandas as pd

import paper_frames as frames
from songatlas.report.study.corpus_sheets import DIFFERENT, SAME
from songatlas.report.study.methods import algorithm_differences, methods_table
from songatlas.report.study.published import read_published
from songatlas.report.study.questions import APART, Answers, questions
from songatlas.report.study.ranking import ranking_table
from songatlas.report.study.reconstruction import correlation_table, points
from songatlas.report.summary import ELSEWHERE

PUBLISHED = read_published()
VOTES = frames.scores(levels=("song_vote",))


def answers(scores: pd.DataFrame = VOTES, **changes: object) -> Answers:
    plain = scores[~scores["model"].isin(list(frames.CONTROLS))]
    ranking = ranking_table(scores, frames.TRAINED, frames.CONTROLS)
    made = Answers(
        ranking=ranking.assign(model=ranking["model"].map(PUBLISHED.called)),
        pairs=frames.paired_tests()[:0],
        leakage=frames.leakage()[:0],
        correlations=correlation_table(points(frames.summaries(), plain, PUBLISHED)),
        methods=methods_table(plain, frames.ALGORITHMS, PUBLISHED),
        method_pairs=algorithm_differences(plain),
        published=PUBLISHED,
        corpus=DIFFERENT,
        corpus_name=frames.CORPUS,
        run="demo",
        seeds=[0],
        level="song_vote",
        evaluate_on="validation",
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def with_nmi(**values: float) -> pd.DataFrame:
    """Scores in which models have these values of NMI, with narrow intervals."""
    scores = VOTES[VOTES["model"].isin(list(values))].copy()
    is_nmi = scores["metric"] == "nmi"
    scores.loc[is_nmi, "value"] = scores.loc[is_nmi, "model"].map(values)
    return scores.assign(ci_low=scores["value"] - 0.04, ci_high=scores["value"] + 0.04)


def part(text: str, number: int) -> str:
    return text.split("\n## ")[number]


def test_the_page_says_corpus_level_seeds_and_whose_numbers_are_quoted() -> None:
    text = questions(answers())
    assert text.startswith("# The study's questions, run `demo`: Tunes & \\$ongs_100% ")
    assert "validation songs, level `song_vote`" in text
    assert "one training seed" in text
    assert f"of a {DIFFERENT}" in text
    assert SAME in questions(answers(corpus=SAME, seeds=[0, 1]))
    assert "2 training seeds" in questions(answers(corpus=SAME, seeds=[0, 1]))


def test_a_clear_winner_is_told_apart_and_a_close_one_is_not() -> None:
    clear = part(questions(answers(with_nmi(conv_vae=0.8, vade_small=0.3, raw=0.5))), 1)
    assert "`Conv VAE`, NMI 0.80 [0.76, 0.84] is furthest above chance (0.10)" in clear
    assert "it differs from each of the 1 others" in clear
    assert "The best baseline is `Raw Features`, NMI 0.50" in clear
    close = part(questions(answers(with_nmi(conv_vae=0.8, vade_small=0.75, mine=0.2))), 1)
    assert f"it {APART} from `VaDE` (intervals over songs)" in close


def test_a_paired_test_over_seeds_goes_before_intervals_over_songs() -> None:
    scores = with_nmi(conv_vae=0.5, vade_small=0.48)
    pairs = frames.paired_tests(p_holm=0.01).replace("vade_small", "VaDE")
    pairs = pairs.replace("conv_vae", "Conv VAE")
    text = part(questions(answers(scores, pairs=pairs)), 1)
    assert "it differs from each of the 1 others (paired over seeds, Holm)" in text
    once = pairs.assign(p_holm=np.nan, ci_low=-0.1)
    assert f"it {APART} from any of the 1 others (interval of the difference over songs)" in part(
        questions(answers(scores, pairs=once)), 1
    )
    weak = part(questions(answers(scores, pairs=pairs.assign(p_holm=0.4))), 1)
    assert f"it {APART} from any of the 1 others (paired over seeds, Holm)" in weak


def test_a_model_at_chance_is_not_praised() -> None:
    text = part(questions(answers(with_nmi(conv_vae=0.12, vade_small=0.05))), 1)
    assert "none is shown to be above chance" in text
    assert "furthest above" not in text


def test_a_model_that_saw_labels_or_is_a_control_never_wins() -> None:
    text = part(questions(answers(with_nmi(conv_vae=0.3, cvae_genre=0.9, shuffled=0.95))), 1)
    assert "`Conv VAE`, NMI 0.30 [0.26, 0.34] is furthest" in text
    assert "shown labels is `CVAE-Genre`, NMI 0.90" in text
    assert "permuted between songs, `shuffled`, NMI 0.95" in text


def test_weights_that_saw_other_peoples_labels_are_the_best_baseline_and_named() -> None:
    scores = with_nmi(conv_vae=0.3, mine=0.2, raw=0.9, vade_small=0.8)
    from_elsewhere = scores["model"].isin(["raw", "vade_small"])
    scores = scores.assign(supervision=scores["supervision"].mask(from_elsewhere, "elsewhere"))
    text = part(questions(answers(scores)), 1)
    # The question is about trained models: one of those comes first in it.
    assert "`Conv VAE`, NMI 0.30 [0.26, 0.34] is furthest" in text
    named = f"The best baseline is `Raw Features`, NMI 0.90 [0.86, 0.94], {ELSEWHERE}."
    assert named in text
    assert "nobody's labels" not in text
    simple = with_nmi(conv_vae=0.3, raw=0.5, mine=0.9)
    mine = simple["model"] == "mine"
    simple = simple.assign(supervision=simple["supervision"].mask(mine, "elsewhere"))
    text = part(questions(answers(simple)), 1)
    assert f"The best baseline is `mine`, NMI 0.90 [0.86, 0.94], {ELSEWHERE}. " in text
    assert "The best that saw nobody's labels is `Raw Features`, NMI 0.50 [0.46, 0.54]." in text


def test_a_baseline_whose_layer_labels_chose_is_not_the_best_baseline() -> None:
    scores = with_nmi(conv_vae=0.3, raw=0.5)
    assert "The best baseline is `Raw Features`, NMI 0.50" in part(questions(answers(scores)), 1)
    raw = scores["model"] == "raw"
    scores = scores.assign(supervision=scores["supervision"].mask(raw, "labels"))
    text = part(questions(answers(scores)), 1)
    assert "The best baseline" not in text
    assert "shown labels is `Raw Features`" in text


def test_without_the_control_the_page_names_the_config_key() -> None:
    assert "`control: random_windows`" in part(questions(answers()), 2)


def test_leakage_is_measured_and_said_honestly() -> None:
    inflated = part(questions(answers(leakage=frames.leakage(0.8))), 2)
    assert "clearly higher in 1 of 1 comparisons" in inflated
    assert "Genre, NMI: 0.30 [0.25, 0.35] (chance 0.10) with songs split" in inflated
    assert "0.80 [0.75, 0.85] (chance 0.10) with windows split at random, +0.50" in inflated
    unclear = part(questions(answers(leakage=frames.leakage(0.33))), 2)
    assert "clearly higher in 0 of 1 comparisons" in unclear
    assert APART in unclear
    alone = frames.leakage().assign(task="song", metric="knn_accuracy")
    alone.loc[alone["split"] == "song", "note"] = "0 by construction: no song is on both sides"
    assert "songs are recognised" in part(questions(answers(leakage=alone)), 2)
    by_chance = alone.assign(chance=0.9)
    assert "no song is shown to be recognised" in part(questions(answers(leakage=by_chance)), 2)
    no_bounds = frames.leakage().assign(ci_low=np.nan, ci_high=np.nan)
    assert "without intervals this shows nothing" in part(questions(answers(leakage=no_bounds)), 2)


def test_reconstruction_is_answered_with_correlation_and_interval() -> None:
    text = part(questions(answers()), 3)
    assert "the study's own numbers (7 models): Spearman +0.54" in text
    assert "no connection is shown" in text
    row = answers().correlations[:1].assign(spearman=-0.9, spearman_low=-1.0, spearman_high=-0.5)
    assert "better reconstruction goes with better clusters" in part(
        questions(answers(correlations=row)), 3
    )
    assert "No model of this run reconstructs" in part(questions(answers(correlations=row[:0])), 3)


def test_algorithms_that_cannot_be_told_apart_are_said_to_be_so() -> None:
    text = part(questions(answers()), 4)
    assert "Mean NMI over all models and tasks" in text
    assert "In the study: GMM 0.032 ± 0.021, Ward 0.026 ± 0.021, k-means 0.024" in text
    same = with_nmi(conv_vae=0.5, vade_small=0.4, raw=0.3)
    assert part(questions(answers(same)), 4).count(APART) == 3


def test_nothing_scored_is_a_page_too() -> None:
    empty = VOTES.assign(value=np.nan, ci_low=np.nan, ci_high=np.nan)
    text = questions(answers(empty))
    assert "no trained model without labels has a score" in text
    assert "Nothing was scored at this level." in text
    assert "nan" not in text
