"""Questions in other words: of every task, and what becomes of those that have too few."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.tasks import TASKS, Question, Task, load_task, task_of

from .support import (
    ETHICS_HEADER,
    ETHICS_ROWS,
    GSM8K,
    HELLASWAG,
    MMLU_HEADER,
    MMLU_ROWS,
    write_jsonl,
    write_text,
)


def data_of(name: str, folder: Path) -> str | None:
    match name:
        case "mmlu":
            return write_text(folder / "mmlu.csv", MMLU_HEADER + "".join(MMLU_ROWS))
        case "ethics":
            return write_text(folder / "ethics.csv", ETHICS_HEADER + "".join(ETHICS_ROWS))
        case "hellaswag":
            return write_jsonl(folder / "hellaswag.jsonl", HELLASWAG)
        case "gsm8k":
            return write_jsonl(folder / "gsm8k.jsonl", GSM8K)
        case "classification":
            return write_jsonl(folder / "c.jsonl", [{"text": f"Text {n}.", "label": "abc"[n % 3]} for n in range(9)])
        case "file":
            rows = [{"question": f"Which, {n}?", "choices": ["x", "y", "z"], "answer": "x"} for n in range(9)]
            return write_jsonl(folder / "f.jsonl", rows)
    return None


@pytest.mark.parametrize("name", TASKS)
def test_every_task_asks_in_other_words_with_its_options_in_the_orders_of_the_variations(
    name: str, tmp_path: Path
) -> None:
    data = data_of(name, tmp_path)
    plain = load_task(name, data=data)
    example = next(iter(plain.examples()))
    rows = [{"question": example.question.text, "paraphrases": ["{Other}  words?", "Still others?"]}]
    task = load_task(name, data=data, paraphrases=write_jsonl(tmp_path / "p.jsonl", rows))
    question = task.paraphrased(example).question
    assert question.paraphrases == ("{Other} words?", "Still others?")
    count = 2 if len(question.choices) == 2 else 3
    as_it_stands, reworded = plain.vary(example.question, count, 1), task_of(task.asking()).vary(question, count, 1)
    assert reworded[0] == as_it_stands[0] and plain.asking() == task.asking()
    for number, (one, other) in enumerate(zip(as_it_stands[1:], reworded[1:], strict=True)):
        assert question.paraphrases[number] in other.prompt and question.text not in other.prompt
        assert (one.positions, one.completions) == (other.positions, other.completions)
        if question.choices:
            assert other.prompt == one.prompt.replace(question.text, question.paraphrases[number])


def choice_task(**fields: Any) -> Task:
    return TASKS["file"](TaskSpec(name="file", **fields))


@given(options=st.integers(2, 4), count=st.integers(1, 12))
def test_with_enough_wordings_there_may_be_more_variations_than_orders(options: int, count: int) -> None:
    texts = ("As it stands?", *(f"Wording {number}?" for number in range(count - 1)))
    question = Question(id="q", text=texts[0], choices=tuple("abcd"[:options]), paraphrases=texts[1:])
    variations = choice_task().vary(question, min(count, len(texts)), 3)
    assert len({variation.prompt for variation in variations}) == count
    assert all(sorted(variation.positions) == list(range(options)) for variation in variations)
    if count > 1:
        assert all(text in one.prompt for text, one in zip(texts, variations, strict=True))


def test_too_few_wordings_are_refused_or_filled_up_as_the_setting_says() -> None:
    choice = Question(id="q", text="As it stands?", choices=("a", "b", "c"), paraphrases=("Otherwise?",))
    free = replace(choice, choices=())
    for question in (choice, free):
        with pytest.raises(InputError, match=r"num_variations is 3: there are 1 paraphrases of 'As it.*=fill asks"):
            choice_task().vary(question, 3, 0)
        filled = task_of(choice_task(missing_paraphrases="fill").asking()).vary(question, 4, 0)
        assert len({one.prompt for one in filled}) == 4
        assert ["Otherwise?" in one.prompt for one in filled] == [False, True, False, False]
    # The same words in the same order twice would be one way of asking.
    two = replace(choice, choices=("a", "b"))
    with pytest.raises(InputError, match="num_variations is 4: question 'q' has 2 options, in 2 orders at most"):
        choice_task(missing_paraphrases="fill").vary(two, 4, 0)


@pytest.mark.parametrize("name", ["gsm8k", "mmlu"])
def test_the_rule_for_too_few_holds_for_the_transfer_split_and_is_said(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = data_of(name, tmp_path)
    texts = [example.question.text for example in load_task(name, data=data).examples()]
    rows = [{"question": text, "paraphrases": ["One?", "Two?"]} for text in texts[1:]]
    paraphrases = write_jsonl(tmp_path / "p.jsonl", rows)
    fields: dict[str, Any] = {"data": data, "paraphrases": paraphrases, "weak_train": 0, "transfer": 12, "test": 0}
    with pytest.raises(InputError, match=r"p\.jsonl has no paraphrases of"):
        load_task(name, num_variations=3, **fields).splits()
    with caplog.at_level(logging.WARNING):
        load_task(name, num_variations=3, missing_paraphrases="fill", **fields).splits()
        assert "1 of 12 questions of transfer have fewer than 2 paraphrases" in caplog.text
        caplog.clear()
        load_task(name, num_variations=1, **fields).splits()
        load_task(name, num_variations=4, missing_paraphrases="fill", **fields).splits()
    assert caplog.text.count("questions of transfer") == 1 and "12 of 12 questions" in caplog.text


def test_a_question_of_weak_train_without_any_is_asked_otherwise_and_said_to_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write_jsonl(tmp_path / "g.jsonl", GSM8K)
    fields: dict[str, Any] = {"weak_train": 6, "transfer": 6, "test": 0, "num_variations": 3}
    transfer = load_task("gsm8k", data=data, **fields).splits().questions.to_pylist()[6:]
    rows = [{"question": row["text"], "paraphrases": ["One?", "Two?"]} for row in transfer]
    task = load_task("gsm8k", data=data, paraphrases=write_jsonl(tmp_path / "p.jsonl", rows), **fields)
    with caplog.at_level(logging.WARNING):
        task.splits()
    assert [record.getMessage() for record in caplog.records] == [
        "6 of 6 questions of weak_train have fewer than 1 paraphrases: they are asked in other ways as well"
    ]


def test_a_setting_that_is_not_used_changes_nothing_of_what_a_task_asks() -> None:
    assert "missing_paraphrases" not in choice_task().asking()
    filled = choice_task(missing_paraphrases="fill").asking()
    assert filled == {**choice_task().asking(), "missing_paraphrases": "fill"}
