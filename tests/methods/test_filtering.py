"""Filtering: what is certain enough, and at which quantile."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.selecting import (
    ANSWERS,
    SPLIT,
    UNANIMOUS,
    Answers,
    Selector,
    chosen,
    scored_of,
    with_scores,
)
from w2s.errors import InputError
from w2s.methods.controls import random_subset
from w2s.methods.filtering import filter_uncertain, filter_uncertain_sampled


def test_filtering_keeps_all_rows_of_the_certain_questions() -> None:
    training = filter_uncertain(scored_of(UNANIMOUS + SPLIT), quantile=0.5)
    # Half of the rows are at entropy 0 and half above: the median lies between 0 and the lower of the others.
    assert chosen(training) == [("q0", 0), ("q0", 1), ("q0", 2), ("q1", 0), ("q1", 1), ("q1", 2)]
    assert training.selection.dropped == {"uncertain": 6, "unparsed": 0}


def test_filtering_keeps_ties_at_the_threshold() -> None:
    training = filter_uncertain(scored_of([*UNANIMOUS, ["c", "c", "c"], ["a", "b", "b"]]), quantile=0.1)
    assert training.selection.questions == 3
    split = [["a", "b", "b"], ["b", "a", "b"], ["c", "c", "a"]]
    assert filter_uncertain(scored_of(split), quantile=0.0).selection.questions == 3


def test_filtering_says_where_it_leaves_nothing_out(caplog: pytest.LogCaptureFixture) -> None:
    alike = scored_of([["a"], ["b"], ["a"]])
    assert filter_uncertain(alike, quantile=0.5).selection.questions == 3
    assert "all questions are as uncertain (0.000): quantile 0.5 leaves none of them out" in caplog.text
    caplog.clear()
    filter_uncertain(alike, quantile=1.0)
    filter_uncertain(scored_of(UNANIMOUS + SPLIT), quantile=0.5)
    assert not caplog.text


def test_filtering_is_not_decided_by_a_rounding() -> None:
    scored = scored_of([["a", "b", "b"]] * 4)
    nudged = with_scores(scored, uncertainty=scored["uncertainty"].to_numpy() + np.repeat([0, 1e-15, 2e-15, 3e-15], 3))
    assert filter_uncertain(nudged, quantile=0.0).selection.questions == 4


@given(ANSWERS)
def test_filtering_at_quantile_one_keeps_every_readable_answer(answers: Answers) -> None:
    scored = scored_of(answers)
    kept = filter_uncertain(scored, quantile=1.0).selection
    assert kept.rows == scored.num_rows - scored["answer"].null_count


@given(ANSWERS, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_quantile_keeps_no_less(answers: Answers, one: float, other: float) -> None:
    scored = scored_of(answers)
    fewer, more = (set(chosen(filter_uncertain(scored, quantile=q))) for q in sorted([one, other]))
    assert fewer <= more


def test_the_threshold_is_a_quantile_over_rows_not_questions() -> None:
    # Two questions of three are certain, but only two rows of seven.
    scored = scored_of([["a"], ["a"], ["a", "b", "b", "b", "b"]])
    assert filter_uncertain(scored, quantile=0.5).selection.questions == 3


def test_the_quantile_is_over_parsed_answers_unless_all_are_asked_for() -> None:
    # Questions of which nothing could be parsed are unanimous, but nothing of them can be kept.
    scored = scored_of([[None, None, None]] * 4 + [["a", "a", "a"], ["a", "a", "b"], ["a", "b", "c"]])
    assert filter_uncertain(scored, quantile=0.5).selection.questions == 2
    assert filter_uncertain(scored, quantile=0.5, over="all").selection.questions == 1
    with pytest.raises(InputError, match="over is 'some': expected 'parsed' or 'all'"):
        filter_uncertain(scored, over="some")


@pytest.mark.parametrize("selector", [filter_uncertain, filter_uncertain_sampled, random_subset])
@pytest.mark.parametrize("quantile", [-0.1, 1.1, 50, math.nan])
def test_a_quantile_out_of_range_is_refused(selector: Selector, quantile: float) -> None:
    with pytest.raises(InputError, match=f"quantile {quantile}: expected a number from 0 to 1"):
        selector(scored_of(UNANIMOUS), quantile=quantile)


def test_sampled_filtering_draws_from_the_kept_rows() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    kept, drawn = chosen(filter_uncertain(scored)), chosen(filter_uncertain_sampled(scored))
    assert set(drawn) < set(kept)
    assert len(drawn) == 4


def test_sampled_filtering_takes_what_there_is_where_that_is_less() -> None:
    scored = scored_of([["a", "a"], *([["a", "b"]] * 5)])
    assert filter_uncertain_sampled(scored, quantile=0.0).selection.rows == 2
