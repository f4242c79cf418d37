"""The mean probability of each option: values by hand, and laws."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.reliability import ESTIMATORS, score_answers
from w2s.tables import ANSWERS

CHOICES = ["Oslo", "Lima", "Rome"]


def table(logprobs: list[list[float]], **changes: Any) -> pa.Table:
    """One question, asked once for each list of log-probabilities; the likeliest option is the answer."""
    rows = [
        {
            "question_id": "q",
            "variation": number,
            "answer": CHOICES[row.index(max(row))],
            "choices": CHOICES,
            "choice_logprobs": row,
            **changes,
        }
        for number, row in enumerate(logprobs)
    ]
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def scored(answers: pa.Table, **settings: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = score_answers(answers, estimator="probability", **settings).to_pylist()
    return rows


def test_the_mean_over_two_variations_by_hand() -> None:
    # Probabilities .5 .25 .25 and .2 .6 .2, before a constant that cancels out.
    rows = scored(table([[math.log(p) - 3 for p in (0.5, 0.25, 0.25)], [math.log(p) for p in (0.2, 0.6, 0.2)]]))
    mean = [0.35, 0.425, 0.225]
    assert rows[0]["posterior"] == pytest.approx(mean, abs=1e-6)
    assert [row["confidence"] for row in rows] == pytest.approx([0.35, 0.425], abs=1e-6)
    entropy = -sum(p * math.log(p) for p in mean)
    assert [row["uncertainty"] for row in rows] == pytest.approx([entropy, entropy], abs=1e-6)
    assert [row["vote_share"] for row in rows] == [0.5, 0.5], "how far the answers agree stands beside it"
    assert "reliability" not in rows[0]


def test_a_high_temperature_makes_all_options_alike() -> None:
    rows = scored(table([[0.0, -2.0, -4.0]]), temperature=1e6)
    assert rows[0]["confidence"] == pytest.approx(1 / 3, abs=1e-5)
    assert rows[0]["uncertainty"] == pytest.approx(math.log(3), abs=1e-5)


LOGPROBS = st.lists(st.lists(st.floats(-30, 0), min_size=3, max_size=3), min_size=1, max_size=5)


@given(LOGPROBS, st.randoms())
def test_a_posterior_is_a_distribution_whatever_the_order_of_rows(logprobs: list[list[float]], random: Any) -> None:
    answers = table(logprobs)
    rows = {row["variation"]: row for row in scored(answers)}
    assert all(sum(row["posterior"]) == pytest.approx(1) for row in rows.values())
    assert all(0 <= row["confidence"] <= 1 and row["uncertainty"] >= 0 for row in rows.values())
    assert len({(tuple(row["posterior"]), row["uncertainty"]) for row in rows.values()}) == 1, "of the question"
    order = list(range(answers.num_rows))
    random.shuffle(order)
    for row in scored(answers.take(order)):
        for score in ("confidence", "uncertainty", "posterior"):
            assert row[score] == pytest.approx(rows[row["variation"]][score], abs=1e-9)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_certain_options_are_votes(given_options: list[int]) -> None:
    certain = [[0.0 if option == index else -1e4 for index in range(3)] for option in given_options]
    by_probability = scored(table(certain))
    by_votes = score_answers(table(certain)).to_pylist()
    for one, other in zip(by_probability, by_votes, strict=True):
        assert one["confidence"] == pytest.approx(other["vote_share"])
        assert one["uncertainty"] == pytest.approx(other["entropy"], abs=1e-9)


def test_answers_without_log_probabilities_are_refused() -> None:
    with pytest.raises(InputError, match="estimator probability needs choice_logprobs in every row"):
        scored(table([[0.0, -1.0, -2.0]], choice_logprobs=None))
    with pytest.raises(InputError, match="row 1: 3 log-probabilities for 2 choices"):
        scored(table([[0.0, -1.0, -2.0]], choices=CHOICES[:2]))


@pytest.mark.parametrize(
    "row",
    [[math.nan, -1.0, -2.0], [None, -1.0, -2.0], [math.inf, -1.0, -2.0], [-math.inf] * 3],
    ids=["no number", "null", "infinity", "nothing is possible"],
)
def test_log_probabilities_that_are_none_are_refused_with_their_row(row: list[float | None]) -> None:
    answers = table([[0.0, -1.0, -2.0]] * 2)
    logprobs = pa.array([[0.0, -1.0, -2.0], row], ANSWERS.field("choice_logprobs").type)
    answers = answers.set_column(ANSWERS.get_field_index("choice_logprobs"), "choice_logprobs", logprobs)
    with pytest.raises(InputError, match="row 2: choice_logprobs are no log-probabilities"):
        scored(answers)


@pytest.mark.parametrize("estimator", ["probability", "debiased", "margin", "mutual-information"])
@pytest.mark.parametrize(("column", "cell"), [("choices", "a|b"), ("choices", 7), ("choice_logprobs", "x")])
def test_a_cell_that_is_no_list_is_refused_with_its_column(estimator: str, column: str, cell: object) -> None:
    row = {"question_id": "q", "variation": 0, "answer": "a", "choices": ["a", "b"], "choice_logprobs": [-1.0, -2.0]}
    answers = pa.Table.from_pylist([{**row, column: cell}, {**row, "variation": 1, column: cell}])
    with pytest.raises(InputError, match=f"answers table, column '{column}': expected a list in every row, not "):
        score_answers(answers, estimator=estimator)


def test_an_option_that_is_never_chosen_has_probability_zero() -> None:
    rows = scored(table([[0.0, -math.inf, -math.inf]]))
    assert rows[0]["posterior"] == [1, 0, 0] and rows[0]["uncertainty"] == 0


@pytest.mark.parametrize("choices", [["Rome", "Lima", "Oslo"], ["Oslo", "Lima", "Cork"]])
def test_a_question_whose_rows_have_other_choices_is_refused(choices: list[str]) -> None:
    other = table([[0.0, -1.0, -2.0]], choices=choices, variation=1)
    with pytest.raises(InputError, match="row 2: expected the choices of the question's other rows, in their order"):
        scored(pa.concat_tables([table([[0.0, -1.0, -2.0]]), other]))


def test_questions_have_choices_of_their_own() -> None:
    other = table([[math.log(0.8), math.log(0.2)]], question_id="r", choices=["yes", "no"], answer="yes")
    rows = scored(pa.concat_tables([table([[math.log(p) for p in (0.5, 0.3, 0.2)]]), other]))
    assert [row["confidence"] for row in rows] == pytest.approx([0.5, 0.8], abs=1e-6)
    assert [len(row["posterior"]) for row in rows] == [3, 2]


@pytest.mark.parametrize("temperature", [0, -1, math.nan, "high", True, None])
def test_a_temperature_that_is_none_is_refused(temperature: Any) -> None:
    with pytest.raises(InputError, match=r"temperature.*expected a number"):
        scored(table([[0.0, -1.0, -2.0]]), temperature=temperature)


def test_an_unknown_estimator_or_setting_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'probability'"):
        score_answers(table([[0.0, -1.0, -2.0]]), estimator="probabilty")
    with pytest.raises(InputError, match="did you mean 'temperature'"):
        scored(table([[0.0, -1.0, -2.0]]), temprature=2)
    assert set(ESTIMATORS) >= {"votes", "probability"}
