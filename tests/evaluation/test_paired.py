"""Paired tests, effect sizes and Holm's correction agree with scipy and with counting by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from songatlas.evaluation.paired import MIN_PAIRS, cliffs_delta, cohens_dz, holm, p_value

GRID = st.integers(-20, 20).map(lambda value: value / 8)
"""Exact in binary: ties and zeros are common, and none is due to rounding."""
DIFFERENCES = hnp.arrays(np.float64, st.integers(MIN_PAIRS, 8), elements=GRID)
P_VALUES = st.lists(st.floats(0, 1) | st.just(np.nan), max_size=12)
SCORES = st.lists(GRID, min_size=1, max_size=9)


def by_signs(d: np.ndarray, statistic) -> float:
    """Share of all changes of signs whose statistic is at least as far from 0."""
    signs = np.array(list(itertools.product((-1, 1), repeat=len(d))))
    found = np.array([statistic(row * d) for row in signs])
    return float((np.abs(found) >= abs(statistic(d)) - 1e-9).mean())


def signed_ranks(d: np.ndarray) -> float:
    return float((np.sign(d) * stats.rankdata(np.abs(d))).sum())


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES)
def test_wilcoxon_is_the_share_of_sign_changes_whose_rank_sum_is_as_extreme(d) -> None:
    p, _ = p_value(d, "wilcoxon")
    kept = d[d != 0]
    assert p == pytest.approx(by_signs(kept, signed_ranks) if len(kept) else 1.0)


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES)
def test_the_permutation_test_tries_every_change_of_signs(d) -> None:
    p, _ = p_value(d, "permutation")
    assert p == pytest.approx(by_signs(d, np.mean))


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES)
def test_the_t_test_is_scipys(d) -> None:
    p, note = p_value(d, "t")
    if np.ptp(d) > 0:
        assert p == pytest.approx(stats.ttest_rel(d, np.zeros(len(d))).pvalue)
    elif d.any():
        assert np.isnan(p)
        assert "variance" in note
    else:
        assert p == 1.0


@pytest.mark.parametrize("test", ["wilcoxon", "permutation"])
def test_five_seeds_cannot_go_below_a_sixteenth_and_the_note_says_so(test: str) -> None:
    p, note = p_value(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), test)
    assert p == pytest.approx(0.0625)
    assert note == "smallest p that 5 pairs can reach: 0.0625"


@pytest.mark.parametrize("test", ["wilcoxon", "permutation", "t"])
def test_too_few_pairs_give_null_with_a_note(test: str) -> None:
    p, note = p_value(np.array([1.0, 2.0, 3.0, 4.0]), test)
    assert np.isnan(p)
    assert note == "4 pairs: too few to test (at least 5)"


def test_an_unknown_test_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown test"):
        p_value(np.ones(5), "sign")


@pytest.mark.parametrize("test", ["wilcoxon", "permutation", "t"])
def test_p_is_uniform_where_there_is_no_difference(test: str) -> None:
    """A valid test rejects at most alpha of true null hypotheses (binomial bound at 4 sd)."""
    rng = np.random.default_rng(0)
    p = np.array([p_value(rng.normal(size=6), test)[0] for _ in range(400)])
    for alpha in (0.05, 0.2):
        bound = alpha + 4 * np.sqrt(alpha * (1 - alpha) / len(p))
        assert (p <= alpha).mean() <= bound


@settings(max_examples=200, deadline=None)
@given(P_VALUES)
def test_holm_is_its_definition(p: list[float]) -> None:
    adjusted = holm(p)
    known = sorted(value for value in p if not np.isnan(value))
    m = len(known)
    for value, found in zip(p, adjusted, strict=True):
        if np.isnan(value):
            assert np.isnan(found)
            continue
        rank = known.index(value)
        steps = [(m - i) * known[i] for i in range(rank + known.count(value))]
        # Equal p share the largest step up to the first of them: later steps are smaller.
        assert found == pytest.approx(min(1.0, max(steps[: rank + 1])))


def test_holm_of_a_worked_example() -> None:
    """Holm (1979) by hand: 4 × 0.01, 3 × 0.02, then 2 × 0.03 and 0.04, which may not fall."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@settings(max_examples=100, deadline=None)
@given(P_VALUES)
def test_holm_rejects_what_the_step_down_procedure_rejects(p: list[float]) -> None:
    alpha, open_tests = 0.05, [value for value in p if not np.isnan(value)]
    rejected = 0
    for value in sorted(open_tests):
        if value * (len(open_tests) - rejected) > alpha:
            break
        rejected += 1
    assert int((holm(p) <= alpha).sum()) == rejected


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES)
def test_cliffs_delta_is_the_mann_whitney_statistic_rescaled(a, b) -> None:
    u = stats.mannwhitneyu(a, b, method="asymptotic").statistic
    assert cliffs_delta(a, b) == pytest.approx(2 * u / (len(a) * len(b)) - 1)
    assert cliffs_delta(a, b) == pytest.approx(-cliffs_delta(b, a))


@settings(max_examples=100, deadline=None)
@given(DIFFERENCES, GRID)
def test_cohens_dz_is_t_over_the_root_of_n_and_has_no_unit(d, shift) -> None:
    found = cohens_dz(d)
    if np.ptp(d) == 0:
        assert np.isnan(found)
        return
    assert found == pytest.approx(stats.ttest_1samp(d, 0).statistic / np.sqrt(len(d)))
    assert cohens_dz(d * 8) == pytest.approx(found)
    assert cohens_dz(-d) == pytest.approx(-found)


def test_one_pair_has_no_effect_size() -> None:
    assert np.isnan(cohens_dz(np.array([0.3])))
