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


# Intervals


@pytest.mark.parametrize(("right", "of"), [(0, 5), (5, 5), (1, 3), (340, 500)])
def test_the_accuracy_interval_of_one_run_is_wilsons(right: int, of: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(right, of).proportion_ci(method="wilson")
    found = accuracy_interval(run(right, of))
    assert found[:3] == pytest.approx((right / of, expected.low, expected.high))
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
    assert all(math.isnan(value) for value in found[1:4])
    assert all(math.isnan(value) for value in accuracy_interval(a)[1:3])
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
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.5 - half, 1.0))
    assert 0.5 + half > 1, "then the end at 1 shows that no difference is larger"
    assert found.p_value == pytest.approx(2 * t.sf(0.5 / math.sqrt(total / 12), degrees))


@given(hnp.arrays(np.bool_, st.tuples(st.integers(3, 6), st.integers(2, 12))), st.randoms())
def test_the_order_of_seeds_and_questions_does_not_matter(correct: Correct, random: random.Random) -> None:
    rows, columns = list(range(correct.shape[0])), list(range(correct.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = correct[rows][:, columns]
    zeros = np.zeros_like(correct)
    ordered = difference_interval(correct, zeros)
    assert difference_interval(shuffled, zeros)[:4] == pytest.approx(ordered[:4])


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


# What nothing varies in, what varies too little, and what an interval is of


def test_the_scope_says_whether_other_seeds_are_in_an_interval() -> None:
    runs = np.random.default_rng(5).random((3, 4, 200)) < np.array([0.5, 0.7, 0.9])[:, None, None]
    for seeds, scope in [(1, "run"), (2, "none"), (3, "seeds"), (4, "seeds")]:
        weak, student, ceiling = runs[:, :seeds]
        found = accuracy_interval(student), difference_interval(student, weak), pgr_interval(weak, student, ceiling)
        assert [one.scope for one in found] == [scope] * 3
        assert [bool(one.reason) for one in found] == [scope == "none"] * 3


def test_each_seeds_own_values_come_with_the_mean_of_two() -> None:
    a, b = np.stack([run(60, 100), run(62, 100)]), np.stack([run(50, 100), run(49, 100)])
    assert accuracy_interval(a).by_seed == pytest.approx((0.60, 0.62))
    assert difference_interval(a, b).by_seed == pytest.approx((0.10, 0.13))
    assert pgr_interval(np.zeros((2, 100)), a, np.ones((2, 100))).by_seed == pytest.approx((0.60, 0.62))
    assert accuracy_interval(a[0]).by_seed is None


@pytest.mark.parametrize("seeds", [1, 2, 3, 10])
@pytest.mark.parametrize("questions", [1, 2, 3])
def test_a_few_questions_are_no_evidence_however_many_seeds(seeds: int, questions: int) -> None:
    won, lost = np.ones((seeds, questions)), np.zeros((seeds, questions))
    found = difference_interval(won, lost)
    assert found.estimate == 1 and not found.low > 0 and not found.p_value < 0.2
    ratio = pgr_interval(lost, won, won)
    assert not ratio.defined and ratio.scope == "none" and ratio.reason


def test_one_question_that_seeds_disagree_on_has_no_interval() -> None:
    column = np.array([[1], [0], [1], [1]])
    for found in (accuracy_interval(column), difference_interval(column, np.zeros((4, 1)))):
        assert found.estimate == 0.75 and math.isnan(found.low) and found.scope == "none"
        assert "one question" in found.reason


def test_methods_that_agree_everywhere_are_as_sure_as_their_questions_are_many() -> None:
    few, many = (difference_interval(np.tile(run(5, n), (4, 1)), run(5, n)) for n in (10, 1000))
    assert few.p_value == many.p_value == 1
    assert few.low < many.low < 0 < many.high < few.high


def test_where_every_question_is_won_the_p_value_is_that_of_the_exact_test() -> None:
    from scipy.stats import binomtest

    found = difference_interval(np.ones((3, 12)), np.zeros((3, 12)))
    assert found.p_value == pytest.approx(binomtest(12, 12).pvalue)
    assert 0 < found.low < 1 == found.high


def test_seeds_and_questions_of_equal_means_are_no_certainty() -> None:
    chequered = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])  # all variance is that of the error
    assert accuracy_interval(chequered).low < 0.2
    assert difference_interval(chequered, np.zeros((4, 2))).p_value > 0.05


@given(hnp.arrays(np.bool_, st.tuples(st.just(2), st.integers(1, 6), st.integers(1, 12))))
def test_a_difference_has_its_estimate_within_an_interval_that_is_no_point(pair: Correct) -> None:
    found = difference_interval(*pair)
    if found.scope == "none":
        assert math.isnan(found.low) and math.isnan(found.high) and math.isnan(found.p_value) and found.reason
    else:
        assert -1 <= found.low <= found.estimate <= found.high <= 1
        assert found.low < found.high
        assert math.isnan(found.p_value) if pair.shape[1] == 1 else 0 < found.p_value <= 1


@given(hnp.arrays(np.bool_, st.tuples(st.just(3), st.integers(1, 5), st.integers(1, 40))))
def test_pgr_is_defined_exactly_where_the_interval_of_its_gap_is_above_zero(runs: Correct) -> None:
    weak, student, ceiling = runs
    found = pgr_interval(weak, student, ceiling)
    if len(weak) != 2:
        assert found.defined == (difference_interval(ceiling, weak).low > 0)
    if found.defined:
        assert found.estimate == pytest.approx(
            pgr(weak=float(weak.mean()), student=float(student.mean()), ceiling=float(ceiling.mean()))
        )
        assert found.scope == "none" or -math.inf < found.low <= found.estimate <= found.high < math.inf


@given(hnp.arrays(np.bool_, st.tuples(st.just(3), st.integers(3, 5), st.integers(2, 30))))
def test_pgr_of_a_student_that_does_not_differ_from_the_weak_supervisor_holds_zero(runs: Correct) -> None:
    weak, student, ceiling = runs
    found, gain = pgr_interval(weak, student, ceiling), difference_interval(student, weak)
    difference = student.astype(float) - weak
    if found.defined and max(np.ptp(difference.mean(axis=0)), np.ptp(difference.mean(axis=1))) > 1e-9:
        # A ratio of 0 is a gain of 0: both are refuted by the same test.
        assert (found.low <= 0 <= found.high) == (gain.p_value >= 0.05)


def test_degrees_of_freedom_are_those_of_the_questions_where_they_are_the_fewer() -> None:
    # Ten seeds that agree on three questions: the questions alone vary, with two degrees of freedom.
    from scipy.stats import t

    found = difference_interval(np.tile([1, 0, 0], (10, 1)), np.zeros((10, 3)))
    standard_error = np.std([1, 0, 0], ddof=1) / math.sqrt(3)
    assert found.p_value == pytest.approx(2 * t.sf(1 / 3 / standard_error, 2))


def test_seeds_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match="seeds of 2, 1 questions: expected the same questions for each"):
        accuracy([[1, 0], [1]])


def test_all_shapes_are_named_where_they_do_not_fit() -> None:
    with pytest.raises(InputError, match="1 seeds x 3 questions and 3 x 3 and 2 x 3"):
        pgr_interval(run(1, 3), np.zeros((3, 3)), np.ones((2, 3)))


def test_test_sets_that_share_a_question_are_not_disjoint() -> None:
    a, b = [run(2, 2)] * 3, [run(1, 2)] * 3
    ids = [["a", "b"], ["c", "d"], ["e", "f"]]
    assert difference_over_disjoint(a, b, question_ids=ids).estimate == 0.5
    with pytest.raises(InputError, match="question 'b' is in the test sets of seeds 1 and 3"):
        difference_over_disjoint(a, b, question_ids=[*ids[:2], ["e", "b"]])
    with pytest.raises(InputError, match=r"lengths \[2, 2\]: expected one for each answer, \[2, 2, 2\]"):
        difference_over_disjoint(a, b, question_ids=ids[:2])


def test_equal_differences_of_disjoint_test_sets_are_as_unsure_as_their_questions() -> None:
    a, b = [run(3, 6)] * 3, [run(1, 6)] * 3
    found = difference_over_disjoint(a, b)
    assert found.estimate == pytest.approx(1 / 3)
    assert found.low < 0.1 and found.p_value > 0.01 and found.scope == "seeds"


def test_disjoint_test_sets_of_one_seed_are_one_run() -> None:
    one = difference_over_disjoint([run(6, 9)], [run(2, 9)])
    assert one[:3] == difference_interval(run(6, 9), run(2, 9))[:3] and one.scope == "run"


def test_seeds_that_are_several_runs_are_refused_as_disjoint() -> None:
    with pytest.raises(InputError, match="seed 2 is an array of 2 runs"):
        difference_over_disjoint([run(1, 3), np.zeros((2, 3))], [run(1, 3), run(1, 3)])


@given(st.lists(st.one_of(st.just(math.nan), st.floats(0, 1)), max_size=8))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    known = [(p, q) for p, q in zip(p_values, adjusted, strict=True) if not math.isnan(p)]
    assert all(math.isnan(p) == math.isnan(q) for p, q in zip(p_values, adjusted, strict=True))
    assert all(p <= q <= 1 for p, q in known)
    by_p = [q for _, q in sorted(known)]
    assert by_p == sorted(by_p)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, math.inf])
def test_what_is_no_p_value_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match=f"p-value 2 is {wrong}: expected a number from 0 to 1"):
        holm([0.5, wrong])


# Scores against correctness


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
