"""A local model as supervisor, and how it is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.tasks import choice_task, number_task, questions_and_gold
from support.tiny import load_tiny
from w2s.config import AnsweringSpec
from w2s.engine.choose import choose_batches, score_choices
from w2s.engine.generate import Written, generate_texts
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.supervisors.asking import answer_questions, predict
from w2s.supervisors.local import LocalModel
from w2s.tasks.base import Question, Task


@pytest.fixture(scope="module")
def lm(tiny_llama: Path) -> LanguageModel:
    """A random Llama."""
    return load_tiny(tiny_llama)


def ask(lm: LanguageModel, task: Task, *, seed: int = 0, **spec: Any) -> list[dict[str, Any]]:
    supervisor = LocalModel(lm, task, AnsweringSpec(**spec), name="weak", seed=seed)
    questions, _ = questions_and_gold(task)
    table = answer_questions(supervisor, task, questions, num_variations=3, seed=0)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def variations_of(task: Task) -> list[Any]:
    return [(question, v) for question in questions_and_gold(task)[0] for v in task.vary(question, 3, 0)]


@pytest.mark.parametrize("answer_format", ["letter", "text"])
@pytest.mark.parametrize("tokens", [1, 100, 4096])
def test_the_likeliest_option_is_chosen(lm: LanguageModel, answer_format: str, tokens: int) -> None:
    task = choice_task(answer_format)
    rows = ask(lm, task, tokens_per_batch=tokens)
    for row, (question, variation) in zip(rows, variations_of(task), strict=True):
        (batch,) = choose_batches(lm, [variation.prompt], [variation.completions], tokens=4096)
        scores = score_choices(lm, batch)[0]
        assert row["choice_logprobs"] == pytest.approx(scores, abs=1e-4)
        best = scores.index(max(scores))
        assert row["answer"] == question.choices[best]
        assert row["position"] == variation.positions[best]
        assert row["completion"] == variation.completions[best]
    assert len({row["position"] for row in rows}) > 1


def test_options_are_compared_by_the_token_where_that_is_asked(lm: LanguageModel) -> None:
    task = choice_task("text")
    rows = ask(lm, task, length_normalized=True)
    plain = ask(lm, task)
    for row, other, (question, variation) in zip(rows, plain, variations_of(task), strict=True):
        lengths = [len(lm.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in variation.completions]
        means = [score / length for score, length in zip(other["choice_logprobs"], lengths, strict=True)]
        # What an estimator reads is what the answer was chosen by.
        assert row["choice_logprobs"] == pytest.approx(means, rel=1e-5)
        assert row["answer"] == question.choices[means.index(max(means))]
    assert [row["answer"] for row in rows] != [row["answer"] for row in plain]


def test_written_answers_are_read_by_the_task_and_keep_their_text(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"A": " B. something", "B": " Peru", "C": " no idea", "": ""}
    texts = [said[key] for key in ("A", "B", "C", "")] * 5

    def write(lm: LanguageModel, prompts: list[str], **settings: Any) -> list[Written]:
        return [Written(texts[order[prompt]]) for prompt in prompts]

    task = choice_task()
    order = {variation.prompt: row for row, (_, variation) in enumerate(variations_of(task))}
    monkeypatch.setattr("w2s.engine.generate.generate_texts", write)
    rows = ask(lm, task, mode="generate", tokens_per_batch=60)
    for number, (row, (question, variation)) in enumerate(zip(rows, variations_of(task), strict=True)):
        assert row["completion"] == row["response"] == texts[number] and row["choice_logprobs"] is None
        match number % 4:
            case 0:
                assert row["answer"] == question.choices[variation.positions.index(1)] and row["position"] == 1
            case 1:
                assert row["answer"] == "Peru" and row["position"] == variation.positions[2]
            case _:
                assert row["answer"] is None and row["position"] is None


def test_free_answers_have_no_place(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "w2s.engine.generate.generate_texts", lambda lm, prompts, **settings: [Written(" 14")] * len(prompts)
    )
    rows = ask(lm, number_task())
    assert {(row["answer"], row["position"]) for row in rows} == {("14", None)} and len(rows) == 15


def test_half_a_word_at_which_a_model_was_cut_off_is_no_answer(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [Written(" 12", cut_off=True), Written(" 12 apples, since", cut_off=True), Written(" 12")] * 5
    monkeypatch.setattr("w2s.engine.generate.generate_texts", lambda lm, prompts, **settings: texts)
    rows = ask(lm, number_task())
    assert [row["answer"] for row in rows[:3]] == [None, "12", "12"]  # the first might have become 1250
    assert [row["response"] for row in rows[:2]] == [" 12", " 12 apples, since"]
    assert "10 answers were cut off at max_new_tokens 50, and 5 of them are unparsed for that" in caplog.text


def test_an_option_that_was_written_to_its_end_counts_where_no_other_begins_with_it(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = choice_task("text")
    (question, *_), _ = questions_and_gold(task)
    longer = replace(question, choices=("Guinea", "Guinea-Bissau", "Peru", "Kenya"))

    def answers(text: str) -> set[str | None]:
        monkeypatch.setattr(
            "w2s.engine.generate.generate_texts",
            lambda lm, prompts, **settings: [Written(text, cut_off=True) for _ in prompts],
        )
        supervisor = LocalModel(lm, task, AnsweringSpec(mode="generate"), name="weak")
        return set(answer_questions(supervisor, task, [longer], num_variations=3, seed=0)["answer"].to_pylist())

    assert answers(" Peru") == {"Peru"} and answers(" Guinea") == {None}
    assert answers(" Guinea-Bissau") == {"Guinea-Bissau"} and answers(" Guinea is where") == {"Guinea"}


def test_greedy_answers_are_what_the_model_writes_whatever_the_batches(lm: LanguageModel) -> None:
    task = number_task()
    rows = ask(lm, task, max_new_tokens=6, tokens_per_batch=1)
    assert rows == ask(lm, task, max_new_tokens=6)
    prompts = [variation.prompt for _, variation in variations_of(task)]
    assert [row["completion"] for row in rows] == [one.text for one in generate_texts(lm, prompts, max_new_tokens=6)]


def test_sampled_answers_are_repeated_by_their_seed_whatever_else_is_asked(lm: LanguageModel) -> None:
    task = number_task()
    questions, _ = questions_and_gold(task)

    def sample(seed: int, asked: Sequence[Question] = questions, tokens: int = 1, samples: int = 2) -> dict[Any, str]:
        spec = AnsweringSpec(sampling_temperature=1.5, max_new_tokens=6, tokens_per_batch=tokens)
        supervisor = LocalModel(lm, task, spec, name="weak", seed=seed)
        table = answer_questions(supervisor, task, asked, num_variations=3, seed=0, samples=samples)
        return {(row["question_id"], row["variation"]): row["response"] for row in table.to_pylist()}

    drawn = sample(3)
    assert drawn == sample(3) == sample(3, tokens=4096) != sample(4)
    assert sample(3, questions[::-1]) == drawn
    assert sample(3, questions[1:3]).items() <= drawn.items()
    assert sample(3, samples=1).items() <= drawn.items()  # second samples are numbered after the first
    firsts = [drawn[question.id, variation] for question in questions for variation in range(3)]
    assert firsts != [drawn[question.id, variation] for question in questions for variation in range(3, 6)]


def test_a_mode_that_a_task_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="mode 'choose': task number can be answered by generate only"):
        number_task().answering_mode("choose")
    assert choice_task().answering_mode(None) == "choose"
    assert choice_task().answering_mode("generate") == "generate"


def test_a_test_asks_each_question_as_it_stands(lm: LanguageModel) -> None:
    task = choice_task()
    questions, gold = questions_and_gold(task)
    table = predict(LocalModel(lm, task, AnsweringSpec(), name="student"), task, questions, gold)
    rows = table.to_pylist()
    assert [row["question_id"] for row in rows] == [question.id for question in questions]
    assert [row["correct"] for row in rows] == [row["answer"] == gold[row["question_id"]] for row in rows]
    first = {row["question_id"]: row["answer"] for row in ask(lm, task) if row["variation"] == 0}
    assert all(row["answer"] == first[row["question_id"]] for row in rows)


def test_examples_before_a_prompt_change_what_a_model_says(lm: LanguageModel) -> None:
    task = choice_task()
    questions, _ = questions_and_gold(task)
    supervisor = LocalModel(lm, task, AnsweringSpec(), name="weak")
    before = "Which country is Porto in?\nA. Chile\nAnswer: A\n\n"
    shown = answer_questions(supervisor, task, questions, num_variations=3, seed=0, before=before).to_pylist()
    plain = ask(lm, task)
    assert [row["prompt"] for row in shown] == [row["prompt"] for row in plain]
    assert [row["choice_logprobs"] for row in shown] != [row["choice_logprobs"] for row in plain]
    for row, (_, variation) in zip(shown, variations_of(task), strict=True):
        (batch,) = choose_batches(lm, [before + variation.prompt], [variation.completions], tokens=4096)
        assert row["choice_logprobs"] == pytest.approx(score_choices(lm, batch)[0], abs=1e-4)


def test_examples_before_a_prompt_to_write_after_are_read_once(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = number_task()
    questions, _ = questions_and_gold(task)
    before = "Question: what is 2 plus 3?\nAnswer: 5\n\n"
    spec = AnsweringSpec(max_new_tokens=6, tokens_per_batch=60)
    settings = {"num_variations": 3, "seed": 0, "before": before}

    def asked() -> list[str]:
        supervisor = LocalModel(lm, task, spec, name="weak")
        texts: list[str] = answer_questions(supervisor, task, questions, **settings)["response"].to_pylist()  # type: ignore[arg-type]
        return texts

    forward, read = type(lm.model).forward, []

    @wraps(forward)  # by whose parameters it is told what a model can do
    def counting(self, input_ids, **kwargs):  # type: ignore[no-untyped-def]
        read.append(input_ids.shape)
        return forward(self, input_ids, **kwargs)

    prompts = [before + variation.prompt for _, variation in variations_of(task)]
    assert asked() == [one.text for one in generate_texts(lm, prompts, max_new_tokens=6)]
    with monkeypatch.context() as patch:
        patch.setattr(type(lm.model), "forward", counting)
        asked()
    length = read[0][1]
    assert read[0][0] == 1 and length >= 10  # the examples, once; behind them only what differs
    whole = max(len(lm.tokenizer(prompt)["input_ids"]) for prompt in prompts)
    assert all(width <= whole - length for _, width in read[1:])


def test_an_answer_that_cannot_be_read_is_wrong(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [Written(" no idea"), *[Written(" 12")] * 4]
    monkeypatch.setattr("w2s.engine.generate.generate_texts", lambda lm, prompts, **settings: texts)
    task = number_task()
    questions, gold = questions_and_gold(task)
    table = predict(LocalModel(lm, task, AnsweringSpec(), name="student"), task, questions, gold)
    right = dict(zip(table["question_id"].to_pylist(), table["correct"].to_pylist(), strict=True))
    assert sum(right.values()) <= 1 and table["answer"].null_count == 1
    assert isinstance(table["correct"], pa.ChunkedArray)
