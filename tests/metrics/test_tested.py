"""Seeds that were tested on other questions each: which they share, and how sure their mean is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.runs import Correct, run
from w2s.errors import InputError
from w2s.metrics import (
    accuracy_interval,
    difference_interval,
    difference_over_disjoint,
    pgr_interval,
    shared_questions,
)
from w2s.metrics.crossed import MeanSquares

COUNTS = st.integers(3, 5), st.integers(2, 12), st.integers(0, 2**16)


def drawn(seeds: int, questions: int, seed: int) -> list[Correct]:
    """Two models, (seeds, questions) each."""
    return list(np.random.default_rng(seed).random((2, seeds, questions)) < 0.7)


def numbered(start: int, questions: int) -> list[str]:
    return [f"q{number}" for number in range(start, start + questions)]


@given(*COUNTS)
def test_the_same_questions_in_another_order_for_each_seed_are_the_same_questions(
    seeds: int, questions: int, seed: int
) -> None:
    a, b = drawn(seeds, questions, seed)
    orders = [np.random.default_rng(seed + row).permutation(questions) for row in range(seeds)]
    ids = [[f"q{number}" for number in order] for order in orders]
    first, second = ([own[order] for own, order in zip(table, orders, strict=True)] for table in (a, b))
    found, expected = difference_interval(first, second, question_ids=ids), difference_interval(a, b)
    assert found[:4] == pytest.approx(expected[:4], nan_ok=True) and found.by_seed == expected.by_seed
    assert accuracy_interval(first, question_ids=ids)[:3] == pytest.approx(accuracy_interval(a)[:3], nan_ok=True)
    assert shared_questions(ids) == "all"


@given(*COUNTS)
def test_disjoint_test_sets_have_the_interval_of_t_over_seeds(seeds: int, questions: int, seed: int) -> None:
    a, b = map(list, drawn(seeds, questions, seed))
    ids = [numbered(row * questions, questions) for row in range(seeds)]
    found, expected = difference_interval(a, b, question_ids=ids), difference_over_disjoint(a, b, question_ids=ids)
    assert found[:4] == pytest.approx(expected[:4], nan_ok=True, abs=1e-9)
    assert found.by_seed == pytest.approx(expected.by_seed)
    assert shared_questions(ids) == "none"


@given(*COUNTS)
def test_where_every_seed_has_every_question_the_mean_squares_are_the_classical_ones(
    seeds: int, questions: int, seed: int
) -> None:
    values = np.array(drawn(seeds, questions, seed), float)
    one, other = MeanSquares.of(values), MeanSquares._of_some(values)
    assert np.allclose(one.of_seeds, other.of_seeds) and np.allclose(one.of_questions, other.of_questions)
    assert np.allclose(one.of_error, other.of_error) and one.answers == other.answers


@given(st.integers(3, 5), st.integers(4, 12), st.integers(1, 3), st.integers(0, 2**16))
def test_the_order_of_seeds_and_the_names_of_questions_change_nothing(
    seeds: int, questions: int, step: int, seed: int
) -> None:
    a, b = map(list, drawn(seeds, questions, seed))
    ids = [numbered(row * step, questions) for row in range(seeds)]
    assert shared_questions(ids) == "some"
    found = difference_interval(a, b, question_ids=ids)
    other = difference_interval(a[::-1], b[::-1], question_ids=[[id + "!" for id in own] for own in ids[::-1]])
    assert found[:4] == pytest.approx(other[:4], nan_ok=True, abs=1e-9)
    assert found.low <= found.estimate <= found.high and not math.isnan(found.p_value)


def test_variances_that_are_shared_in_part_are_recovered_on_the_average() -> None:
    """The variance of the mean over windows of half new questions, against that over many simulated experiments."""
    rng = np.random.default_rng(0)
    seeds, questions = 4, 20
    means, variances = [], []
    for _ in range(1500):
        difficulty, shift = rng.normal(0, 1, 50), rng.normal(0, 0.4, seeds)
        values = np.full((1, seeds, 50), np.nan)
        for row in range(seeds):
            window = slice(row * 10, row * 10 + questions)
            values[0, row, window] = difficulty[window] + shift[row] + rng.normal(0, 0.7, questions)
        squares = MeanSquares.of(values)
        of_all = squares.of_seeds + squares.of_questions - squares.of_error
        variances.append(float(of_all[0, 0]) / squares.answers)
        means.append(np.nanmean(values))
    assert np.mean(variances) == pytest.approx(np.var(means), rel=0.1)


def test_a_pgr_over_disjoint_test_sets_has_an_interval_around_it() -> None:
    weak, student, ceiling = ([run(right + row, 100) for row in range(3)] for right in (50, 70, 90))
    ids = [numbered(row * 100, 100) for row in range(3)]
    found = pgr_interval(weak, student, ceiling, question_ids=ids)
    assert found.defined and found.estimate == pytest.approx(0.5) and found.low < 0.5 < found.high


def test_two_seeds_on_other_questions_each_have_their_values_and_no_interval() -> None:
    found = difference_interval(
        [run(3, 4), run(2, 4)], [run(1, 4), run(2, 4)], question_ids=[list("abcd"), list("cdef")]
    )
    assert found.by_seed == (0.5, 0.0) and found.estimate == 0.25 and math.isnan(found.low)


def test_seeds_of_one_question_each_are_no_crash() -> None:
    found = difference_interval([run(1, 1)] * 3, [run(0, 1)] * 3, question_ids=[["a"], ["b"], ["c"]])
    assert found.estimate == 1 and found.low < 1 and found.p_value > 0.05


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([], "question_ids is empty"),
        ([["a", "b"]], r"expected 1 x 2, as in question_ids"),
        ([["a", "b"], ["c"]], r"expected 1 x 2, 1 x 1"),
        ([["a", "b"], ["c", "c"]], "question 'c' comes more than once in the test set of seed 2"),
        (["ab", "cd"], "question_ids of seed 1 .* is the text 'ab'"),
    ],
)
def test_question_ids_that_do_not_fit_are_refused(ids: list[list[str]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        accuracy_interval([run(1, 2), run(2, 2)], question_ids=ids)


def test_which_questions_seeds_share_is_told() -> None:
    assert shared_questions([["a", "b"], ["b", "a"]]) == "all"
    assert shared_questions([["a", "b"], ["c", "d"]]) == "none"
    assert shared_questions([["a", "b"], ["c", "d"], ["d", "e"]]) == "some"
    assert shared_questions([["a", "b"], ["a", "b", "c"]]) == "some" and shared_questions([["a"]]) == "all"
