"""Several comparisons, and test sets that share no question."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.runs import run
from w2s.errors import InputError
from w2s.metrics import (
    difference_interval,
    difference_over_disjoint,
    holm,
)


def test_disjoint_test_sets_give_students_t_over_seeds() -> None:
    from scipy.stats import ttest_1samp

    a, b = [run(60, 100), run(70, 100), run(60, 100)], [run(50, 100), run(55, 100), run(54, 100)]
    found = difference_over_disjoint(a, b)
    means = [0.1, 0.15, 0.06]
    expected = ttest_1samp(means, 0)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert math.isnan(difference_over_disjoint(a[:2], b[:2]).low)


def test_holm_adjusts_for_the_number_of_comparisons() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([math.nan, 0.02])[1] == 0.02 and math.isnan(holm([math.nan, 0.02])[0])
    assert holm([0.9, 0.8]) == [1, 1] and holm([]) == []


def test_test_sets_that_share_a_question_are_not_disjoint() -> None:
    a, b = [run(2, 2)] * 3, [run(1, 2)] * 3
    ids = [["a", "b"], ["c", "d"], ["e", "f"]]
    assert difference_over_disjoint(a, b, question_ids=ids).estimate == 0.5
    with pytest.raises(InputError, match="question 'b' is in the test sets of seeds 1 and 3"):
        difference_over_disjoint(a, b, question_ids=[*ids[:2], ["e", "b"]])
    with pytest.raises(InputError, match="arrays of 1 x 2, 1 x 2, 1 x 2 seeds x questions: expected 1 x 2, 1 x 2,"):
        difference_over_disjoint(a, b, question_ids=ids[:2])


def test_disjoint_test_sets_of_several_sizes_are_refused_wherever_they_are_given() -> None:
    a, b = [run(6, 9), run(2, 4), run(3, 4)], [run(5, 9), run(1, 4), run(1, 4)]
    ids = [[f"{seed}-{number}" for number in range(size)] for seed, size in enumerate((9, 4, 4))]
    said = r"test sets of \[9, 4, 4\] questions that share none: expected as many for each seed"
    with pytest.raises(InputError, match=said):
        difference_over_disjoint(a, b)
    with pytest.raises(InputError, match=said):
        difference_interval(a, b, question_ids=ids)


def test_equal_differences_of_disjoint_test_sets_are_as_unsure_as_their_questions() -> None:
    a, b = [run(3, 6)] * 3, [run(1, 6)] * 3
    found = difference_over_disjoint(a, b)
    assert found.estimate == pytest.approx(1 / 3)
    assert found.low < 0.1 and found.p_value > 0.01 and found.scope == "seeds"


def test_disjoint_test_sets_of_one_seed_are_one_run() -> None:
    one = difference_over_disjoint([run(6, 9)], [run(2, 9)])
    assert one[:3] == difference_interval(run(6, 9), run(2, 9))[:3] and one.scope == "run"


def test_seeds_that_are_several_runs_are_refused_as_disjoint() -> None:
    with pytest.raises(InputError, match="arrays of 1 x 3, 2 x 3 seeds x questions"):
        difference_over_disjoint(
            [run(1, 3), np.zeros((2, 3))], [run(1, 3), run(1, 3)], question_ids=[[*"abc"], [*"def"]]
        )


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
