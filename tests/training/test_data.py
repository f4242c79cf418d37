"""A training set in tokens: what is cut, what is left out, what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.training import CITIES, training_set
from w2s.engine.encoding import encode_pairs
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.training.data import encode_training_set

LONGEST = 24  # tokens of the longest completion here, with its end; see the test of that


def pairs_of(lm: LanguageModel) -> list[tuple[list[int], list[int]]]:
    table = training_set()
    end = [lm.tokenizer.eos_token_id]
    pairs = encode_pairs(lm, table["prompt"].to_pylist(), table["completion"].to_pylist())
    return [(pair.prompt, pair.completion + end) for pair in pairs]


def test_a_row_is_prompt_completion_and_end_of_text(lm: LanguageModel) -> None:
    tokens = encode_training_set(lm, training_set(), max_length=512, end_of_text=True)
    assert [(row.ids[: row.start], row.ids[row.start :]) for row in tokens.rows] == pairs_of(lm)
    assert tokens.question_ids == [f"q{number}" for number in range(len(CITIES))]
    assert (tokens.truncated, tokens.zero_weight) == (0, 0)


def test_without_end_of_text_the_completion_ends_with_its_words(lm: LanguageModel) -> None:
    rows = encode_training_set(lm, training_set(), max_length=512, end_of_text=False).rows
    assert [row.ids[row.start :] for row in rows] == [completion[:-1] for _, completion in pairs_of(lm)]


@settings(max_examples=40)
@given(length=st.integers(LONGEST + 1, 60))
def test_a_long_row_loses_the_beginning_of_its_prompt_and_nothing_else(lm: LanguageModel, length: int) -> None:
    tokens = encode_training_set(lm, training_set(), max_length=length, end_of_text=True)
    truncated = 0
    for row, (prompt, completion) in zip(tokens.rows, pairs_of(lm), strict=True):
        kept = row.ids[: row.start]
        assert row.ids[row.start :] == completion
        assert len(row.ids) == min(length, len(prompt) + len(completion))
        assert kept[0] == lm.tokenizer.bos_token_id
        assert kept[1:] == prompt[len(prompt) - len(kept) + 1 :]
        truncated += len(kept) < len(prompt)
    assert tokens.truncated == truncated


def test_the_tests_of_length_do_shorten_and_do_not(lm: LanguageModel) -> None:
    sizes = [len(prompt) + len(completion) for prompt, completion in pairs_of(lm)]
    assert max(len(completion) for _, completion in pairs_of(lm)) <= LONGEST
    assert LONGEST + 10 < max(sizes) < 60


def test_a_completion_may_fill_all_there_is(lm: LanguageModel) -> None:
    table = training_set().slice(2, 1)
    completion = pairs_of(lm)[2][1]
    row = encode_training_set(lm, table, max_length=len(completion) + 1, end_of_text=True).rows[0]
    assert row.ids == [lm.tokenizer.bos_token_id, *completion]


def test_a_completion_longer_than_max_length_is_refused_with_its_question(lm: LanguageModel) -> None:
    completion = pairs_of(lm)[2][1]
    with pytest.raises(InputError, match=rf"'q2'.*{len(completion)} tokens, max_length is {len(completion)}"):
        encode_training_set(lm, training_set(), max_length=len(completion), end_of_text=True)


@pytest.mark.parametrize(("chat", "text"), [(False, ""), (True, " ")])
def test_a_completion_without_a_token_is_refused_with_its_question(lm: LanguageModel, chat: bool, text: str) -> None:
    table = training_set(rows=CITIES[:3])
    table = table.set_column(1, "completion", [[" France", text, " Peru"]])
    with pytest.raises(InputError, match="'q1': its completion has no token"):
        encode_training_set(replace(lm, chat_template=chat), table, max_length=512, end_of_text=True)


def test_rows_of_no_weight_are_left_out_and_counted(lm: LanguageModel) -> None:
    weights = [1.0, 0.0, 0.5, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    tokens = encode_training_set(lm, training_set(weights), max_length=512, end_of_text=True)
    assert tokens.question_ids == ["q0", "q2", "q4"] and tokens.zero_weight == 7
    assert [row.weight for row in tokens.rows] == [1.0, 0.5, 2.0]


def test_a_training_set_without_any_weight_is_refused(lm: LanguageModel) -> None:
    with pytest.raises(InputError, match="no row with a weight above 0"):
        encode_training_set(lm, training_set([0.0] * len(CITIES)), max_length=512, end_of_text=True)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf, None])
def test_a_weight_that_is_no_number_is_refused_with_its_row(lm: LanguageModel, weight: float | None) -> None:
    weights: list[Any] = [1.0] * len(CITIES)
    weights[3] = weight
    with pytest.raises(InputError, match=f"row 4: weight is {weight}"):
        encode_training_set(lm, training_set(weights), max_length=512, end_of_text=True)
