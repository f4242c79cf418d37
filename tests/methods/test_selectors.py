"""What each of the other selectors keeps."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.selecting import (
    ANSWERS,
    SPLIT,
    UNANIMOUS,
    Answers,
    chosen,
    gold_of,
    scored_of,
)
from w2s.errors import InputError
from w2s.methods.ceiling import ceiling
from w2s.methods.controls import augmented, oracle, random_subset
from w2s.methods.filtering import filter_uncertain
from w2s.methods.majority import confident_majority, majority
from w2s.methods.naive import naive


def test_naive_takes_the_first_variation() -> None:
    assert chosen(naive(scored_of(UNANIMOUS + SPLIT))) == [("q0", 0), ("q1", 0), ("q2", 0), ("q3", 0)]


def test_naive_takes_the_lowest_variation_that_there_is() -> None:
    scored = scored_of([["a", "b", "c"]]).slice(1)
    assert chosen(naive(scored)) == [("q0", 1)]


def test_naive_does_not_replace_an_unreadable_answer() -> None:
    training = naive(scored_of([[None, "a", "a"], ["b", "b", None]]))
    assert chosen(training) == [("q1", 0)]
    assert training.selection.dropped == {"other_variations": 4, "unparsed": 1}


def test_naive_takes_no_other_answer_where_the_first_was_dropped() -> None:
    """As with unparsed answers that do not take part in the vote: there is no other answer if one is asked once."""
    scored = scored_of([[None, "a", "a"], ["b", "b", "c"]])
    training = naive(scored.filter(scored["answer"].is_valid()))
    assert chosen(training) == [("q1", 0)]
    assert training.selection.dropped == {"other_variations": 3, "unparsed": 1}


def test_naive_says_whose_answers_it_takes_where_several_were_asked() -> None:
    one = scored_of([["a", "a"]])
    place = one.column_names.index("supervisor")
    both = [one.set_column(place, "supervisor", pa.array([name] * 2)) for name in ("zoe", "bob")]
    training = naive(pa.concat_tables(both))
    assert chosen(training) == [("q0", 0)]
    assert training.selection.rule.endswith("by the first of its supervisors (2 in all, in the order of their names)")
    assert "supervisors" not in naive(both[0]).selection.rule


def test_naive_takes_no_other_supervisors_answer_where_the_first_was_dropped() -> None:
    table = scored_of([[None, "a"], ["b", "b"]])
    place = table.column_names.index("supervisor")
    both = pa.concat_tables(
        [table, scored_of([["x", "x"], ["x", "x"]]).set_column(place, "supervisor", pa.array(["zoe"] * 4))]
    )
    for scored in (both, both.filter(both["answer"].is_valid())):
        training = naive(scored)
        assert training.table["answer"].to_pylist() == ["b"] and training.selection.dropped["unparsed"] == 1


@pytest.mark.parametrize(
    ("answers", "variation"),
    [
        (["a", "a", "b"], 0),  # variation 0 agrees with the majority
        (["b", "a", "a"], 1),  # it does not: the lowest that does
        (["a", "b", "b", "a"], 0),  # a tie goes to the lowest variation's answer
        (["c", "b", "a", "a", "b"], 1),  # a tie of the two highest
        ([None, None, None, "b", "a", "b"], 3),  # unparsed answers do not win
    ],
)
def test_majority_takes_the_first_row_that_gave_the_majoritys_answer(answers: list[str | None], variation: int) -> None:
    training = majority(scored_of([answers]))
    assert chosen(training) == [("q0", variation)]
    assert training.table["prompt"].to_pylist() == [f"prompt 0.{variation}"]
    assert training.table["completion"].to_pylist() == [f"completion 0.{variation} {answers[variation]}"]


def test_confident_majority_takes_the_modal_answer_of_the_certain_questions() -> None:
    scored = scored_of([["a", "a", "b"], ["c", "c", "c"], ["x", "y", "z"]])
    assert chosen(confident_majority(scored, quantile=1.0)) == chosen(majority(scored))
    certain = confident_majority(scored, quantile=0.0)
    assert [id for id, _ in chosen(certain)] == [chosen(majority(scored))[1][0]] and len(certain.table) == 1


@pytest.mark.parametrize(
    ("answers", "confidence", "variation"),
    [
        (["a", "b", "b"], [0.9, 0.1, 0.1], 1),  # the mode, however confident an estimator is of another answer
        (["a", "b"], [0.4, 0.6], 1),  # a tie goes to the more confident answer
        (["a", "b"], [0.5, 0.5], 0),  # and then to the lowest variation
        ([None, None, "b"], [0.9, 0.9, 0.1], 2),  # unparsed answers do not win
    ],
)
def test_votes_come_before_confidence(answers: list[str | None], confidence: list[float], variation: int) -> None:
    scored = scored_of([answers])
    place = scored.column_names.index("confidence")
    trusted = scored.set_column(place, "confidence", pa.array(confidence))
    assert chosen(confident_majority(trusted, quantile=1.0)) == [("q0", variation)]


@given(ANSWERS)
def test_majority_takes_one_row_of_each_question_with_a_readable_answer(answers: Answers) -> None:
    ids = [id for id, _ in chosen(majority(scored_of(answers)))]
    readable = [f"q{q}" for q, given_answers in enumerate(answers) if any(given_answers)]
    assert ids == readable


def test_the_ceiling_takes_all_of_the_ground_truth() -> None:
    training = ceiling(gold_of(UNANIMOUS + SPLIT))
    assert training.selection.rows == 4
    assert set(training.table["answer"].to_pylist()) == {"a"}
    assert set(training.table["weight"].to_pylist()) == {1.0}


@settings(max_examples=50)
@given(ANSWERS, st.floats(0, 1), st.integers(0, 3))
def test_the_random_subset_is_of_as_many_questions_as_filtering_keeps(
    answers: Answers, quantile: float, seed: int
) -> None:
    scored = scored_of(answers)
    drawn = random_subset(scored, quantile=quantile, seed=seed)
    assert drawn.selection.questions == filter_uncertain(scored, quantile=quantile).selection.questions
    kept = set(drawn.table["question_id"].to_pylist())
    for q, given_answers in enumerate(answers):
        rows = [row for row in chosen(drawn) if row[0] == f"q{q}"]
        assert len(rows) == (sum(answer is not None for answer in given_answers) if f"q{q}" in kept else 0)


def test_the_random_subset_is_blind_to_agreement() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    drawn = [id for seed in range(40) for id, _ in chosen(random_subset(scored, seed=seed))]
    assert set(drawn) == {"q0", "q1", "q2", "q3"}


def test_augmented_is_as_large_as_naive_and_of_all_variations() -> None:
    scored = scored_of([["a", "b", "c"]] * 30)
    training = augmented(scored)
    assert training.selection.rows == naive(scored).selection.rows == 30
    assert {variation for _, variation in chosen(training)} == {0, 1, 2}


def test_the_oracle_takes_correct_answers_only() -> None:
    answers = UNANIMOUS + SPLIT
    training = oracle(scored_of(answers), gold_of(answers))
    assert set(training.table["answer"].to_pylist()) == {"a"}
    assert training.selection.rows == 4  # of the five that are correct
    assert training.selection.dropped == {"unparsed": 0, "incorrect": 7, "not_drawn": 1}


def test_the_oracle_refuses_a_question_without_truth() -> None:
    with pytest.raises(InputError, match="expected one for question 'q2', there is none"):
        oracle(scored_of(UNANIMOUS + SPLIT), gold_of(UNANIMOUS))


def test_the_oracle_refuses_two_truths() -> None:
    gold = gold_of(UNANIMOUS)
    second = gold.set_column(1, "variation", pa.array([1, 1], pa.int32()))
    with pytest.raises(InputError, match="4 rows for 2 questions, expected one for each"):
        oracle(scored_of(UNANIMOUS), pa.concat_tables([gold, second]))
