"""The mean probability of each option without what its position adds: values by hand, and laws."""

from __future__ import annotations

import logging
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.reliability import score_answers
from w2s.tables import ANSWERS

CHOICES = ["Oslo", "Lima", "Rome"]
ROTATIONS = [[(option + turn) % 3 for option in range(3)] for turn in range(3)]


def table(logprobs: list[list[float]], stands: list[list[int]], **changes: Any) -> pa.Table:
    """One question, asked once for each list of log-probabilities; the likeliest option is the answer."""
    rows = [
        {
            "question_id": "q",
            "variation": number,
            "answer": CHOICES[row.index(max(row))],
            "choices": CHOICES,
            "completions": [f" {'ABC'[at]}" for at in places],
            "choice_logprobs": row,
            "positions": places,
            "supervisor": "weak",
            **changes,
        }
        for number, (row, places) in enumerate(zip(logprobs, stands, strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def scored(answers: pa.Table, estimator: str = "debiased", **settings: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = score_answers(answers, estimator=estimator, **settings).to_pylist()
    return rows


def biased(content: list[float], prior: list[float]) -> list[list[float]]:
    return [[content[option] + prior[places[option]] for option in range(3)] for places in ROTATIONS]


def test_a_model_that_prefers_the_first_position_by_hand() -> None:
    # Probabilities of content .5 .3 .2; what stands first is eight times as likely, so it is always the answer.
    content = [math.log(p) for p in (0.5, 0.3, 0.2)]
    answers = table(biased(content, [math.log(8), 0, 0]), ROTATIONS)
    assert answers["answer"].to_pylist() == ["Oslo", "Rome", "Lima"], "each time what stands first"
    rows = scored(answers)
    assert rows[0]["posterior"] == pytest.approx([0.5, 0.3, 0.2], abs=1e-6)
    assert [row["confidence"] for row in rows] == pytest.approx([0.5, 0.2, 0.3], abs=1e-6)
    assert scored(answers, "probability")[0]["posterior"] != pytest.approx([0.5, 0.3, 0.2], abs=0.02)


NATS = st.floats(-4, 4)


@given(st.lists(NATS, min_size=3, max_size=3), st.lists(NATS, min_size=3, max_size=3), st.floats(0.2, 5))
def test_it_is_the_mean_probability_of_a_model_without_preferences(
    content: list[float], prior: list[float], temperature: float
) -> None:
    fair = table(biased(content, [0, 0, 0]), ROTATIONS)
    expected = scored(fair, "probability", temperature=temperature)
    for answers in (fair, table(biased(content, prior), ROTATIONS)):
        found = scored(answers, temperature=temperature)
        assert found[0]["posterior"] == pytest.approx(expected[0]["posterior"], abs=1e-5)
        assert found[0]["uncertainty"] == pytest.approx(expected[0]["uncertainty"], abs=1e-5)


@given(st.lists(st.lists(NATS, min_size=3, max_size=3), min_size=3, max_size=3), st.permutations(range(3)))
def test_neither_the_order_of_rows_nor_other_names_of_options_change_anything(
    logprobs: list[list[float]], order: list[int]
) -> None:
    answers = table(logprobs, ROTATIONS)
    renamed = table(logprobs, ROTATIONS, choices=["x", "y", "z"], answer="x")
    expected = {row["variation"]: row["posterior"] for row in scored(answers)}
    for same in (answers.take(order), renamed):
        for row in scored(same):
            assert row["posterior"] == pytest.approx(expected[row["variation"]], abs=1e-9)


def test_one_order_is_the_plain_mean_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    answers = table([[0.0, -1.0, -2.0], [0.0, -2.0, -2.0]], [[0, 1, 2], [0, 1, 2]])
    with caplog.at_level(logging.WARNING):
        rows = scored(answers)
    assert "one order of its options" in caplog.text
    assert rows[0]["posterior"] == pytest.approx(scored(answers, "probability")[0]["posterior"])


def test_letters_tell_the_positions_where_no_column_does() -> None:
    answers = table(biased([0.0, -1.0, -2.0], [2.0, 0.0, 0.0]), ROTATIONS)
    expected = [row["posterior"] for row in scored(answers)]
    unknown = table(biased([0.0, -1.0, -2.0], [2.0, 0.0, 0.0]), ROTATIONS, positions=None)
    assert [row["posterior"] for row in scored(unknown)] == expected
    assert [row["posterior"] for row in scored(answers.drop_columns(["positions", "supervisor"]))] == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": None, "completions": [" Oslo", " Lima", " Rome"]},
        {"positions": None, "completions": None},
        # Options that are called by letters are no letters of positions.
        {"positions": None, "choices": ["B", "A", "C"], "completions": [" B", " A", " C"]},
        {"positions": [0, 1]},
        {"positions": [0, 1, 1]},
        {"positions": [0, None, 1]},
    ],
)
def test_a_table_that_does_not_tell_where_options_stood_is_refused(changes: dict[str, Any]) -> None:
    answers = table(biased([0.0, -1.0, -2.0], [2.0, 0.0, 0.0]), ROTATIONS)
    broken = table([[0.0, -1.0, -2.0]], [[0, 1, 2]], question_id="r", **changes)
    with pytest.raises(InputError, match=r"row 4: positions are .* estimator debiased needs to know where"):
        scored(pa.concat_tables([answers, broken]))


def test_no_answers_are_no_scores_and_no_probabilities_are_refused() -> None:
    assert scored(table([], [])) == []
    with pytest.raises(InputError, match="estimator debiased needs choice_logprobs in every row"):
        scored(table([[0.0, -1.0, -2.0]], [[0, 1, 2]], choice_logprobs=None))
    with pytest.raises(InputError, match="temperature 0"):
        scored(table([[0.0, -1.0, -2.0]], [[0, 1, 2]]), temperature=0.0)
