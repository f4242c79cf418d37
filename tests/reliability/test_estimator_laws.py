"""What holds of every estimator: the order of rows and the names of options are nothing, unanimity is the surest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s.reliability import ESTIMATORS, Calibration, score_answers
from w2s.tables import ANSWERS

NAMES = ["Oslo", "Lima", "Rome"]
OTHER_NAMES = {"Oslo": "Zagreb", "Lima": "Accra", "Rome": "Minsk"}
SOLO = [name for name in ESTIMATORS if name != "dawid-skene"]  # which needs several supervisors, and has its own tests


def table(logprobs: list[list[list[float]]], prefix: str = "q") -> pa.Table:
    """(questions, variations, options) log-probabilities as answers; the likeliest option is the answer."""
    rows = [
        {
            "question_id": f"{prefix}{number}",
            "variation": variation,
            "answer": NAMES[row.index(max(row))],
            "choices": NAMES,
            "choice_logprobs": row,
            "positions": [(option + variation) % 3 for option in range(3)],
            "supervisor": "weak",
        }
        for number, own in enumerate(logprobs)
        for variation, row in enumerate(own)
    ]
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def calibration() -> Calibration:
    """Thirty questions; the truth is the first option where the third number is even, which the answers half know."""
    logprobs = [
        [[-0.2 * ((number + variation + 2 * option) % 5) - 0.1 for option in range(3)] for variation in range(3)]
        for number in range(30)
    ]
    gold = {f"c{number}": NAMES[0 if number % 2 else number % 3] for number in range(30)}
    return Calibration(table(logprobs, "c"), gold)


def scored(answers: pa.Table, name: str, fitted: Calibration | None = None) -> list[dict[str, Any]]:
    needs = ESTIMATORS[name].needs
    more = {"calibration": fitted or calibration()} if "calibration" in needs else {}
    rows: list[dict[str, Any]] = score_answers(answers, estimator=name, **more).to_pylist()
    return rows


def trusted(rows: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[float, float]]:
    return {(row["question_id"], row["variation"]): (row["confidence"], row["uncertainty"]) for row in rows}


LOGPROB = st.integers(-60, 0).map(lambda number: number / 10)
QUESTION = st.lists(st.lists(LOGPROB, min_size=3, max_size=3), min_size=3, max_size=3)
QUESTIONS = st.lists(QUESTION, min_size=1, max_size=4)


@pytest.mark.parametrize("name", SOLO)
@settings(max_examples=8)
@given(logprobs=QUESTIONS, random=st.randoms(use_true_random=False))
def test_the_order_of_rows_is_nothing_to_an_estimator(name: str, logprobs: list[Any], random: Any) -> None:
    answers = table(logprobs)
    before = trusted(scored(answers, name))
    order = list(range(answers.num_rows))
    random.shuffle(order)
    after = trusted(scored(answers.take(order), name))
    assert after.keys() == before.keys()
    for key, values in after.items():
        assert values == pytest.approx(before[key], abs=1e-4)


@pytest.mark.parametrize("name", SOLO)
def test_the_order_of_rows_decides_no_tie(name: str) -> None:
    """A model that prefers positions and knows nothing, asked in every rotation: all options are equally likely."""
    rng = np.random.default_rng(0)
    logprobs = [[np.roll(own, -v).tolist() for v in range(3)] for own in np.log(rng.dirichlet([1, 1, 1], 60))]
    answers = table(logprobs)
    shuffled = answers.take(pa.array(rng.permutation(answers.num_rows)))
    rows = scored(answers, name)
    assert trusted(rows) == trusted(scored(shuffled, name))
    assert all(len(set(row["posterior"])) == 1 for row in rows if "posterior" in row)


@pytest.mark.parametrize("name", SOLO)
@settings(max_examples=8)
@given(logprobs=QUESTIONS, order=st.permutations(range(3)))
def test_neither_the_names_of_options_nor_their_order_is_anything_to_an_estimator(
    name: str, logprobs: list[Any], order: list[int]
) -> None:
    answers = table(logprobs)
    fitted = calibration()
    renamed = Calibration(with_options(fitted.answers, order), {id: OTHER_NAMES[a] for id, a in fitted.gold.items()})
    before = trusted(scored(answers, name, fitted))
    after = trusted(scored(with_options(answers, order), name, renamed))
    for key, values in after.items():
        assert values == pytest.approx(before[key], abs=1e-4)


def with_options(answers: pa.Table, order: list[int]) -> pa.Table:
    """The same answers to options that are called otherwise, and stand in another order in the table."""
    rows = answers.to_pylist()
    for row in rows:
        row["answer"] = OTHER_NAMES[row["answer"]]
        row["choices"] = [OTHER_NAMES[row["choices"][option]] for option in order]
        for column in ("choice_logprobs", "positions"):
            row[column] = [row[column][option] for option in order]
    return pa.Table.from_pylist(rows, schema=ANSWERS)


@pytest.mark.parametrize("name", SOLO)
@given(logprobs=QUESTIONS)
@settings(max_examples=8)
def test_a_confidence_is_from_0_to_1_and_an_uncertainty_0_or_more_and_of_the_question(
    name: str, logprobs: list[Any]
) -> None:
    rows = scored(table(logprobs), name)
    assert all(0 <= row["confidence"] <= 1 and row["uncertainty"] >= 0 for row in rows)
    assert len({(row["question_id"], row["uncertainty"]) for row in rows}) == len(logprobs)


@pytest.mark.parametrize("name", ["votes", "probability", "margin", "mutual-information", "semantic-entropy"])
@given(winner=st.integers(0, 2), others=st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_certain_unanimous_answers_have_the_least_uncertainty_and_full_confidence(
    name: str, winner: int, others: list[int]
) -> None:
    def certain(options: list[int]) -> list[list[float]]:
        return [[0.0 if option == index else -math.inf for index in range(3)] for option in options]

    rows = scored(table([certain([winner] * 3), certain(others)]), name)
    assert rows[0]["uncertainty"] == 0 and rows[0]["confidence"] == 1
    assert (rows[3]["uncertainty"] == 0) == (len(set(others)) == 1)


@pytest.mark.parametrize("name", SOLO)
def test_no_answers_have_no_scores(name: str) -> None:
    empty = score_answers(
        ANSWERS.empty_table(),
        estimator=name,
        **({"calibration": calibration()} if "calibration" in ESTIMATORS[name].needs else {}),
    )
    assert empty.num_rows == 0 and {"confidence", "uncertainty"} <= set(empty.column_names)
