"""Metrics: known values, laws, and whether the intervals hold their level on simulated data."""

from __future__ import annotations

import math
import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from w2s.errors import InputError
from w2s.metrics import (
    accuracy,
    accuracy_interval,
    auroc,
    difference_interval,
    difference_over_disjoint,
    holm,
    pgr,
    pgr_interval,
    risk_coverage,
)

Correct = npt.NDArray[np.bool_]
CORRECT = hnp.arrays(np.bool_, st.integers(1, 30))


def run(right: int, of: int) -> Correct:
    """A run that is right on the first questions."""
    return np.arange(of) < right


def scored_answers() -> st.SearchStrategy[list[tuple[int, bool]]]:
    return st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30)


def test_accuracy_is_the_share_over_questions_and_seeds() -> None:
    assert accuracy([True, False, True, True]) == 0.75
    assert accuracy([[1, 0], [1, 1]]) == 0.75
    assert math.isnan(accuracy([]))


@pytest.mark.parametrize("correct", [[0.5, 1.0], [2], [math.nan]])
def test_what_is_neither_right_nor_wrong_is_refused(correct: list[float]) -> None:
    with pytest.raises(InputError, match="expected booleans"):
        accuracy(correct)


def test_three_dimensions_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(1, 1, 1\)"):
        accuracy([[[True]]])


def test_pgr_of_the_documented_example() -> None:
    assert pgr(weak=0.68, student=0.80, ceiling=0.94) == pytest.approx(0.46153846)


def test_pgr_is_zero_at_the_weak_supervisor_and_one_at_the_ceiling() -> None:
    assert pgr(weak=0.5, student=0.5, ceiling=0.9) == 0
    assert pgr(weak=0.5, student=0.9, ceiling=0.9) == 1
    assert pgr(weak=0.5, student=0.4, ceiling=0.9) < 0
    assert pgr(weak=0.5, student=1.0, ceiling=0.9) > 1


def test_pgr_of_a_gap_that_is_not_positive_is_nan() -> None:
    assert math.isnan(pgr(weak=0.5, student=0.6, ceiling=0.5))
    assert math.isnan(pgr(weak=0.5, student=0.6, ceiling=0.4))
    assert math.isnan(pgr(weak=0.5, student=math.nan, ceiling=0.9))


def test_pgr_of_arrays_goes_element_by_element() -> None:
    found = pgr(weak=[0.5, 0.5], student=np.array([0.6, 0.6]), ceiling=[0.7, 0.5])
    np.testing.assert_allclose(found, [0.5, np.nan])
    np.testing.assert_allclose(pgr(weak=0.5, student=[0.5, 0.7], ceiling=0.7), [0, 1])


@given(st.floats(0, 0.5), st.floats(0, 1), st.floats(0.6, 1), st.floats(0.1, 10), st.floats(-1, 1))
def test_pgr_does_not_depend_on_the_scale(
    weak: float, student: float, ceiling: float, scale: float, shift: float
) -> None:
    moved = pgr(weak=scale * weak + shift, student=scale * student + shift, ceiling=scale * ceiling + shift)
    assert moved == pytest.approx(pgr(weak=weak, student=student, ceiling=ceiling), abs=1e-9)


# Resamples


# Intervals


@pytest.mark.parametrize(("right", "of"), [(0, 5), (5, 5), (1, 3), (340, 500)])
def test_the_accuracy_interval_of_one_run_is_wilsons(right: int, of: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(right, of).proportion_ci(method="wilson")
    found = accuracy_interval(run(right, of))
    assert found == pytest.approx((right / of, expected.low, expected.high))
    assert found.low <= found.estimate <= found.high


def test_accuracies_of_zero_and_one_are_not_certain() -> None:
    assert accuracy_interval(np.ones((3, 20))).low < 0.9
    assert accuracy_interval(np.ones((3, 20))).high == 1
    assert accuracy_interval(np.zeros(20)).high > 0.1


@given(CORRECT)
def test_the_accuracy_interval_holds_the_estimate(correct: Correct) -> None:
    found = accuracy_interval(correct)
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_seeds_that_differ_widen_the_accuracy_interval() -> None:
    alike = np.tile(run(50, 100), (4, 1))
    differing = np.stack([run(right, 100) for right in (20, 40, 60, 80)])
    narrow, wide = accuracy_interval(alike), accuracy_interval(differing)
    assert narrow.estimate == wide.estimate
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_no_questions_are_refused() -> None:
    with pytest.raises(InputError, match="expected at least one question"):
        accuracy_interval([])


# One run, two seeds, and more


def test_the_difference_of_one_run_is_that_of_bonett_and_price() -> None:
    a = np.array([1] * 9 + [0] * 2 + [1] * 20)
    b = np.array([0] * 9 + [1] * 2 + [1] * 20)
    only_a, only_b = 10 / 33, 3 / 33  # one added to each, two to all
    half = 1.959964 * math.sqrt((only_a + only_b - (only_a - only_b) ** 2) / 33)
    found = difference_interval(a, b)
    assert found[:3] == pytest.approx((7 / 31, only_a - only_b - half, only_a - only_b + half), abs=1e-6)


def test_one_run_has_no_p_value_and_an_interval_even_where_methods_agree() -> None:
    same = difference_interval(run(60, 100), run(60, 100))
    assert math.isnan(same.p_value) and same.estimate == 0 and same.low < 0 < same.high


def test_two_seeds_have_no_interval() -> None:
    a, b = np.stack([run(60, 100), run(62, 100)]), np.stack([run(50, 100), run(49, 100)])
    found = difference_interval(a, b)
    assert found.estimate == pytest.approx(0.115)
    assert all(math.isnan(value) for value in found[1:])
    assert all(math.isnan(value) for value in accuracy_interval(a)[1:])
    defined = pgr_interval(np.zeros((2, 100)), a, np.ones((2, 100)))
    assert defined.defined and defined.estimate == pytest.approx(0.61) and math.isnan(defined.low)


def test_a_difference_is_paired_by_question() -> None:
    nested = difference_interval(run(60, 100), run(50, 100))
    crossed = difference_interval(run(60, 100), ~run(50, 100))
    assert nested.estimate == crossed.estimate == pytest.approx(0.1)
    assert nested.low > 0 > crossed.low


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_difference_turns_its_sign_with_its_arguments(seeds: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, seeds, 40)) < 0.5
    forth, back = difference_interval(a, b), difference_interval(b, a)
    assert (forth.estimate, forth.low, forth.high) == pytest.approx((-back.estimate, -back.high, -back.low))
    assert forth.p_value == pytest.approx(back.p_value, nan_ok=True)


def test_the_crossed_variance_by_hand() -> None:
    # Differences of three seeds (rows) on four questions.
    a = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]])
    b = np.zeros((3, 4))
    by_seed, by_question = np.array([0.75, 0.5, 0.25]), np.array([1, 2 / 3, 1 / 3, 0])
    ms_seed = 4 * ((by_seed - 0.5) ** 2).sum() / 2
    ms_question = 3 * ((by_question - 0.5) ** 2).sum() / 3
    ms_error = ((a - by_seed[:, None] - by_question + 0.5) ** 2).sum() / 6
    total = max(ms_seed + ms_question - ms_error, ms_seed, ms_question)
    degrees = max(total**2 / (ms_seed**2 / 2 + ms_question**2 / 3 + ms_error**2 / 6), 2)
    from scipy.stats import t

    half = t.ppf(0.975, degrees) * math.sqrt(total / 12)
    found = difference_interval(a, b)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.5 - half, 0.5 + half))
    assert found.p_value == pytest.approx(2 * t.sf(0.5 / math.sqrt(total / 12), degrees))


@given(hnp.arrays(np.bool_, st.tuples(st.integers(3, 6), st.integers(2, 12))), st.randoms())
def test_the_order_of_seeds_and_questions_does_not_matter(correct: Correct, random: random.Random) -> None:
    rows, columns = list(range(correct.shape[0])), list(range(correct.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = correct[rows][:, columns]
    zeros = np.zeros_like(correct)
    assert difference_interval(shuffled, zeros) == pytest.approx(difference_interval(correct, zeros))


def test_an_answer_for_all_seeds_is_that_of_each() -> None:
    a, b = np.stack([run(60, 100), run(55, 100), run(65, 100)]), run(50, 100)
    assert difference_interval(a, b) == difference_interval(a, np.tile(b, (3, 1)))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="1 seeds x 3 questions and 1 x 4"):
        difference_interval(run(1, 3), run(1, 4))
    with pytest.raises(InputError, match="2 seeds x 3 questions and 3 x 3"):
        difference_interval(np.zeros((2, 3)), np.zeros((3, 3)))


def test_disjoint_test_sets_give_students_t_over_seeds() -> None:
    from scipy.stats import ttest_1samp

    a, b = [run(60, 100), run(70, 100), run(50, 80)], [run(50, 100), run(55, 100), run(45, 80)]
    found = difference_over_disjoint(a, b)
    means = [0.1, 0.15, 0.0625]
    expected = ttest_1samp(means, 0)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert math.isnan(difference_over_disjoint(a[:2], b[:2]).low)


def test_holm_adjusts_for_the_number_of_comparisons() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([math.nan, 0.02])[1] == 0.02 and math.isnan(holm([math.nan, 0.02])[0])
    assert holm([0.9, 0.8]) == [1, 1] and holm([]) == []


def test_pgr_of_identical_methods_is_exact() -> None:
    weak, ceiling = run(300, 500), run(450, 500)
    at_weak, at_ceiling = pgr_interval(weak, weak, ceiling), pgr_interval(weak, ceiling, ceiling)
    assert at_weak[:4] == pytest.approx((0, 0, 0, True))
    assert at_ceiling[:4] == pytest.approx((1, 1, 1, True))


def test_the_terms_of_pgr_move_together() -> None:
    weak, student, ceiling = run(300, 500), run(375, 500), run(450, 500)
    found = pgr_interval(weak, student, ceiling)
    assert found.estimate == pytest.approx(0.5)
    assert 0.40 < found.low < 0.5 < found.high < 0.60  # unpaired, it would reach from about .15 to .8


def test_fiellers_interval_holds_the_ratios_that_are_not_refuted() -> None:
    rng = np.random.default_rng(3)
    weak, student, ceiling = rng.random((3, 5, 300)) < np.array([0.6, 0.75, 0.9])[:, None, None]
    found = pgr_interval(weak, student, ceiling)
    gain, gap = student.astype(float) - weak, ceiling.astype(float) - weak
    for theta in (found.low, found.high):
        # At an end, the combination's own interval ends at 0.
        combined = gain - theta * gap
        assert abs(combined.mean()) == pytest.approx(_half(combined), rel=1e-6)


def _half(values: npt.NDArray[np.float64]) -> float:
    """Half the width of the interval of a mean, by the formulas of the module's docstring."""
    from scipy.stats import t

    seeds, questions = values.shape
    rows, columns = values.mean(1), values.mean(0)
    ms_seed, ms_question = questions * rows.var(ddof=1), seeds * columns.var(ddof=1)
    rest = values - rows[:, None] - columns + values.mean()
    ms_error = (rest**2).sum() / ((seeds - 1) * (questions - 1))
    total = max(ms_seed + ms_question - ms_error, ms_seed, ms_question)
    spread = ms_seed**2 / (seeds - 1) + ms_question**2 / (questions - 1)
    degrees = max(total**2 / (spread + ms_error**2 / ((seeds - 1) * (questions - 1))), seeds - 1)
    return float(t.ppf(0.975, degrees) * math.sqrt(total / values.size))


def test_pgr_is_undefined_where_the_gap_is_not_clearly_positive() -> None:
    weak, ceiling = run(10, 20), ~run(9, 20)  # .50 and .55
    found = pgr_interval(weak, run(12, 20), ceiling)
    assert not found.defined
    assert all(math.isnan(value) for value in found[:3])
    assert "ceiling - weak is +0.050" in found.reason
    assert "not clearly above 0" in found.reason


@given(hnp.arrays(np.bool_, (3, 12)))
def test_a_defined_pgr_has_a_finite_interval_around_it(runs: Correct) -> None:
    found = pgr_interval(*runs)
    if found.defined:
        assert -math.inf < found.low <= found.high < math.inf
        assert not found.reason
    else:
        assert found.reason


@given(scored_answers())
def test_auroc_is_the_share_of_pairs_in_order(answers: list[tuple[int, bool]]) -> None:
    score, correct = zip(*answers, strict=True)
    right = [s for s, c in answers if c]
    wrong = [s for s, c in answers if not c]
    pairs = [(r > w) + 0.5 * (r == w) for r in right for w in wrong]
    if pairs:
        assert auroc(score, correct) == pytest.approx(np.mean(pairs))
    else:
        assert math.isnan(auroc(score, correct))


def test_auroc_of_known_scores() -> None:
    assert auroc([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]) == 1
    assert auroc([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]) == 0
    assert auroc([1, 1, 1, 1], [0, 1, 0, 1]) == 0.5
    assert math.isnan(auroc([], []))


def test_a_nan_score_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match=r"the score of answer 1 \(from 0\) is nan"):
        auroc([0.5, math.nan], [True, False])


def test_scores_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"scores of shape \(2,\)"):
        auroc([0.5, 0.6], [True])


def test_risk_coverage_takes_tied_answers_together() -> None:
    curve = risk_coverage([3, 3, 2, 1], [True, True, False, True])
    np.testing.assert_allclose(curve.coverage, [0.5, 0.75, 1])
    np.testing.assert_allclose(curve.accuracy, [1, 2 / 3, 3 / 4])
    assert curve.area == pytest.approx((1 + 1 + 2 / 3 + 3 / 4) / 4)


@given(scored_answers())
def test_risk_coverage_ends_at_the_accuracy_of_all(answers: list[tuple[int, bool]]) -> None:
    score, correct = zip(*answers, strict=True)
    curve = risk_coverage(score, correct)
    assert curve.coverage[-1] == 1
    assert curve.accuracy[-1] == pytest.approx(np.mean(correct))
    assert np.all(np.diff(curve.coverage) > 0)
    assert 0 <= curve.area <= 1 + 1e-12


@given(CORRECT)
def test_a_score_that_says_nothing_has_the_area_of_the_accuracy(correct: Correct) -> None:
    assert risk_coverage(np.ones(len(correct)), correct).area == pytest.approx(correct.mean())


def test_risk_coverage_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no answers"):
        risk_coverage([], [])
