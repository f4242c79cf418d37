"""Intervals of an accuracy and of a difference, over seeds and questions: known values and laws."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from support.runs import CORRECT, Correct, run
from w2s.errors import InputError
from w2s.metrics import (
    accuracy_interval,
    difference_interval,
    pgr_interval,
    share_interval,
)


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


def test_a_share_of_known_variance_has_wilsons_interval_of_as_many_answers_as_that_is() -> None:
    from scipy.special import stdtrit
    from scipy.stats import binomtest

    of_ten = binomtest(8, 10).proportion_ci(method="wilson")
    assert share_interval(0.8, 0.8 * 0.2 / 10, 30) == pytest.approx((of_ten.low, of_ten.high))
    level = math.erf(stdtrit(4, 0.975) / math.sqrt(2))  # at which the normal quantile is that of t
    wider = binomtest(8, 10).proportion_ci(level, method="wilson")
    assert share_interval(0.8, 0.8 * 0.2 / 10, 30, 4) == pytest.approx((wider.low, wider.high))


@pytest.mark.parametrize("right", [0, 3, 30])
def test_a_share_that_did_not_vary_is_as_sure_as_its_questions_are_many(right: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(right, 30).proportion_ci(method="wilson")
    assert share_interval(right / 30, 0.0, 30) == pytest.approx((expected.low, expected.high))


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


def test_degrees_of_freedom_are_those_of_the_questions_where_they_are_the_fewer() -> None:
    # Ten seeds that agree on three questions: the questions alone vary, with two degrees of freedom.
    from scipy.stats import t

    found = difference_interval(np.tile([1, 0, 0], (10, 1)), np.zeros((10, 3)))
    standard_error = np.std([1, 0, 0], ddof=1) / math.sqrt(3)
    assert found.p_value == pytest.approx(2 * t.sf(1 / 3 / standard_error, 2))
