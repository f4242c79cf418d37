"""Accuracy, and scores against correctness: known values and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.runs import CORRECT, Correct
from w2s.errors import InputError
from w2s.metrics import (
    accuracy,
    auroc,
    risk_coverage,
)


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


def test_seeds_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match="seeds of 2, 1 questions: expected the same questions for each"):
        accuracy([[1, 0], [1]])


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
    with pytest.raises(InputError, match="expected at least one question"):
        risk_coverage([], [])
