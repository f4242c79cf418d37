"""The laws that every selector obeys."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.selecting import (
    ANSWERS,
    SAMPLED,
    SELECTORS,
    UNANIMOUS,
    Answers,
    Selector,
    all_selectors,
    chosen,
    scored_of,
)
from w2s import tables
from w2s.errors import InputError
from w2s.methods.ceiling import ceiling
from w2s.methods.controls import random_subset
from w2s.methods.naive import naive
from w2s.methods.reweighting import reweight, reweight_sampled
from w2s.reliability import score_answers


@all_selectors
@settings(max_examples=25)
@given(answers=ANSWERS)
def test_selection_never_invents_rows(selector: Selector, answers: Answers) -> None:
    scored = scored_of(answers)
    there = {(row["prompt"], row["completion"], row["question_id"], row["answer"]) for row in scored.to_pylist()}
    training = selector(scored)
    rows = training.table.to_pylist()
    assert training.table.schema.equals(tables.TRAINING_SET)
    assert all((row["prompt"], row["completion"], row["question_id"], row["answer"]) in there for row in rows)
    assert len({row["prompt"] for row in rows}) == len(rows)


@all_selectors
@settings(max_examples=25)
@given(answers=ANSWERS, random=st.randoms(use_true_random=False), seed=st.integers(0, 3))
def test_the_order_of_the_answers_changes_nothing(selector: Selector, answers: Answers, random: Any, seed: int) -> None:
    scored = scored_of(answers)
    order = list(range(scored.num_rows))
    random.shuffle(order)
    first, other = selector(scored, seed=seed), selector(scored.take(pa.array(order, pa.int64())), seed=seed)
    assert first.table.equals(other.table)
    assert first.selection == other.selection


@all_selectors
@settings(max_examples=25)
@given(answers=ANSWERS)
def test_every_row_is_selected_or_counted_as_dropped(selector: Selector, answers: Answers) -> None:
    scored = scored_of(answers)
    training, selection = selector(scored)
    assert selection.rows_in == scored.num_rows
    assert selection.questions_in == len(answers)
    assert selection.rows == training.num_rows
    assert selection.questions == len(training["question_id"].unique())
    assert selection.rows + sum(selection.dropped.values()) == selection.rows_in


@all_selectors
@settings(max_examples=25)
@given(answers=ANSWERS)
def test_unreadable_answers_are_never_trained_on(selector: Selector, answers: Answers) -> None:
    assert selector(scored_of(answers)).table["answer"].null_count == 0


@pytest.mark.parametrize("selector", SAMPLED)
@settings(max_examples=25)
@given(answers=ANSWERS)
def test_a_sample_has_at_most_a_row_for_each_question_there_was(selector: Selector, answers: Answers) -> None:
    assert selector(scored_of(answers)).selection.rows <= len(answers)


@pytest.mark.parametrize("selector", [*SAMPLED, random_subset])
def test_the_seed_decides_the_draw(selector: Selector) -> None:
    scored = scored_of([["a", "a", "b", "b"], *([["a", "a", "a", "a"]] * 3)] * 8)
    assert chosen(selector(scored, seed=1)) == chosen(selector(scored, seed=1))
    assert chosen(selector(scored, seed=1)) != chosen(selector(scored, seed=2))


@all_selectors
def test_only_reweighting_weighs(selector: Selector) -> None:
    weights = set(selector(scored_of([["a", "a", "b"]] * 20)).table["weight"].to_pylist())
    if selector not in (reweight, reweight_sampled):
        assert weights == {1.0}
    else:
        assert len(weights) == 2


@all_selectors
def test_no_answers_give_an_empty_training_set(selector: Selector) -> None:
    training = selector(scored_of([]))
    assert training.table.schema.equals(tables.TRAINING_SET)
    assert training.selection.rows == training.selection.questions_in == 0


@all_selectors
def test_a_selection_is_written_as_json(selector: Selector) -> None:
    selection = selector(scored_of(UNANIMOUS)).selection
    assert json.loads(json.dumps(selection.to_dict()))["rows"] == selection.rows
    assert selection.rule


@all_selectors
def test_a_missing_prompt_is_an_error(selector: Selector) -> None:
    with pytest.raises(InputError, match="has no column 'prompt'"):
        selector(scored_of(UNANIMOUS).drop_columns(["prompt"]))


@all_selectors
def test_a_missing_completion_is_the_answer_after_a_space(selector: Selector) -> None:
    training = selector(scored_of(UNANIMOUS).drop_columns(["completion"])).table
    assert training["completion"].to_pylist() == [f" {answer}" for answer in training["answer"].to_pylist()]


@pytest.mark.parametrize("selector", [selector for selector in SELECTORS if selector is not ceiling])
def test_answers_without_scores_are_an_error(selector: Selector) -> None:
    with pytest.raises(InputError, match="scored answers has no column 'vote_share'"):
        selector(scored_of(UNANIMOUS).drop_columns(["vote_share", "entropy", "reliability"]))


def test_a_null_prompt_is_named_with_its_row() -> None:
    scored = scored_of([["a", "b"]])
    broken = scored.set_column(scored.column_names.index("prompt"), "prompt", pa.array(["p", None]))
    with pytest.raises(InputError, match="row 2: expected a prompt"):
        naive(broken)


def test_a_null_completion_is_the_answer_after_a_space() -> None:
    scored = scored_of([["a", "b"]])
    position = scored.column_names.index("completion")
    training = reweight(scored.set_column(position, "completion", pa.array([None, "B."]))).table
    assert training["completion"].to_pylist() == [" a", "B."]


def test_an_answer_that_is_there_twice_is_an_error() -> None:
    scored = scored_of([["a", "b"]])
    with pytest.raises(InputError, match="expected one answer for question_id 'q0', variation 0"):
        reweight(pa.concat_tables([scored, scored]))


@all_selectors
def test_supervisors_of_one_variation_are_told_apart_in_any_order(selector: Selector) -> None:
    scored = scored_of([["a", "b"], ["a", "a"]])
    other = scored.set_column(scored.column_names.index("supervisor"), "supervisor", pa.array(["api"] * 4))
    prompts = pa.array([f"{prompt} of the other" for prompt in scored["prompt"].to_pylist()])
    other = other.set_column(other.column_names.index("prompt"), "prompt", prompts)
    forth, back = (score_answers(pa.concat_tables(both)) for both in ([scored, other], [other, scored]))
    assert selector(forth).table.equals(selector(back).table)
    assert selector(forth).selection.rows_in == 8
