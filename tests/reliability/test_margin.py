"""The distance of the two most probable options: values by hand, ties, and votes in the place of probabilities."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.reliability import score_answers
from w2s.tables import ANSWERS

CHOICES = ["Oslo", "Lima", "Rome"]


def of_probabilities(*rows: list[float]) -> pa.Table:
    """One question, asked once for each distribution."""
    return pa.Table.from_pylist(
        [
            {
                "question_id": "q",
                "variation": number,
                "answer": CHOICES[row.index(max(row))],
                "choices": CHOICES,
                "choice_logprobs": [math.log(p) if p else -math.inf for p in row],
                "positions": [(option + number) % 3 for option in range(3)],
            }
            for number, row in enumerate(rows)
        ],
        schema=ANSWERS,
    )


def of_votes(*answers: str | None) -> pa.Table:
    rows = [{"question_id": "q", "variation": n, "answer": answer} for n, answer in enumerate(answers)]
    return pa.Table.from_pylist(rows, schema=pa.schema([ANSWERS.field(name) for name in rows[0]]))


def margin(answers: pa.Table, **given_settings: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = score_answers(answers, estimator="margin", **given_settings).to_pylist()
    return rows


def test_the_margin_of_mean_probabilities_by_hand() -> None:
    rows = margin(of_probabilities([0.6, 0.3, 0.1], [0.2, 0.7, 0.1]))
    assert rows[0]["posterior"] == pytest.approx([0.4, 0.5, 0.1], abs=1e-6)
    # Lima is .1 ahead of Oslo, Oslo .1 behind.
    assert [row["confidence"] for row in rows] == pytest.approx([0.45, 0.55], abs=1e-6)
    assert [row["uncertainty"] for row in rows] == pytest.approx([0.9, 0.9], abs=1e-6)


def test_the_margin_of_votes_by_hand() -> None:
    rows = margin(of_votes("a", "a", "a", "b", None))
    # .6, .2, .2: the first is .4 ahead, the others .4 behind.
    assert [row["confidence"] for row in rows] == pytest.approx([0.7, 0.7, 0.7, 0.3, 0.3])
    assert {round(row["uncertainty"], 9) for row in rows} == {0.6} and "posterior" not in rows[0]


def test_a_tie_of_the_first_two_is_no_margin_however_many_options_there_are() -> None:
    for rows in (margin(of_votes("a", "b")), margin(of_probabilities([0.45, 0.45, 0.1]))):
        assert rows[0]["uncertainty"] == pytest.approx(1, abs=1e-6)
        assert rows[0]["confidence"] == pytest.approx(0.5, abs=1e-6)


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_a_margin_is_from_0_to_1_and_that_of_the_two_largest(weights: list[list[float]]) -> None:
    rows = margin(of_probabilities(*([p / sum(row) for p in row] for row in weights)))
    first, second, _ = sorted(rows[0]["posterior"], reverse=True)
    assert 1 - rows[0]["uncertainty"] == pytest.approx(first - second, abs=1e-9)
    assert 0 <= rows[0]["uncertainty"] <= 1


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_votes_are_what_certain_probabilities_are(options: list[int]) -> None:
    certain = of_probabilities(*([float(option == own) for option in range(3)] for own in options))
    for one, other in zip(margin(certain), margin(certain, over="votes"), strict=True):
        assert (one["confidence"], one["uncertainty"]) == pytest.approx((other["confidence"], other["uncertainty"]))


def test_a_preference_for_positions_can_be_divided_out() -> None:
    # Whatever stands first gets .6: no order knows the answer, and without the preference nothing is left.
    rows = margin(of_probabilities([0.6, 0.2, 0.2], [0.2, 0.2, 0.6], [0.2, 0.6, 0.2]), debias=True)
    assert rows[0]["uncertainty"] == pytest.approx(1, abs=1e-6)
    assert rows[0]["posterior"] == pytest.approx([1 / 3] * 3, abs=1e-6)


@pytest.mark.parametrize("over", ["votes", "auto"])
def test_a_temperature_that_is_none_is_refused_of_votes_as_well(over: str) -> None:
    with pytest.raises(InputError, match=r"temperature -5\.0: expected a number above 0"):
        margin(of_votes("a", "b"), over=over, temperature=-5.0)


def test_what_it_cannot_measure_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match=r"over 'vote'.*did you mean 'votes'"):
        margin(of_votes("a"), over="vote")
    with pytest.raises(InputError, match="margin needs choices"):
        margin(of_votes("a"), over="probabilities")
    with pytest.raises(InputError, match="votes have no probabilities to divide out of"):
        margin(of_votes("a"), debias=True)
    some = of_probabilities([0.6, 0.3, 0.1], [0.2, 0.7, 0.1]).to_pylist()
    some[1]["choice_logprobs"] = None
    mixed = pa.Table.from_pylist(some, schema=ANSWERS)
    with pytest.raises(InputError, match="1 of 2 answers have no choice_logprobs: expected all or none"):
        margin(mixed)
    assert margin(mixed, over="votes")[0]["uncertainty"] == 1
