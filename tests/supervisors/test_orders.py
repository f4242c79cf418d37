"""A test in several orders of the options: what is asked, and the one answer that is made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.tasks import choice_task, questions_and_gold
from support.tiny import load_tiny
from w2s.config import AnsweringSpec
from w2s.models.load import LanguageModel
from w2s.supervisors.asking import answer_questions, judge, predict
from w2s.supervisors.base import Answer, Batch, Prompt
from w2s.supervisors.local import LocalModel
from w2s.supervisors.orders import judge_orders
from w2s.tables import PREDICTIONS

TASK = choice_task()
QUESTIONS, GOLD = questions_and_gold(TASK)


class Knowing:
    """Knows the right answers, at odds of e to 1, and prefers what stands first by so many nats."""

    def __init__(self, prefers: float) -> None:
        self.name = "knowing"
        self._prefers = prefers

    def plan(self, asked: Sequence[Prompt]) -> list[Batch]:
        return [Batch(list(range(len(asked))), lambda: [self._answer(prompt) for prompt in asked])]

    def _answer(self, prompt: Prompt) -> Answer:
        question, variation, _ = prompt
        logprobs = [
            float(choice == GOLD[question.id]) + self._prefers * (position == 0)
            for choice, position in zip(question.choices, variation.positions, strict=True)
        ]
        best = logprobs.index(max(logprobs))
        return Answer(
            response=variation.completions[best],
            answer=question.choices[best],
            position=variation.positions[best],
            choice_logprobs=logprobs,
        )


def test_a_preference_for_a_position_hides_what_a_model_knows_in_one_order_and_not_in_several() -> None:
    one = predict(Knowing(3.0), TASK, QUESTIONS, GOLD)
    assert sum(one["correct"].to_pylist()) == sum(GOLD[q.id] == q.choices[0] for q in QUESTIONS) < len(QUESTIONS)
    assert all(predict(Knowing(3.0), TASK, QUESTIONS, GOLD, orders=5)["correct"].to_pylist())


def test_the_prediction_is_one_row_a_question_with_the_averages_of_all_orders() -> None:
    found = predict(Knowing(3.0), TASK, QUESTIONS, GOLD, orders=5)
    assert found.schema == PREDICTIONS
    assert found["question_id"].to_pylist() == [question.id for question in QUESTIONS]
    for row, question in zip(found.to_pylist(), QUESTIONS, strict=True):
        right = question.choices.index(str(GOLD[question.id]))
        total = math.e + 3
        expected = [math.log((math.e if option == right else 1) / total) for option in range(4)]
        assert row["choice_logprobs"] == pytest.approx(expected, abs=1e-6)
        assert row["completion"] == f" {'ABCD'[right]}", "as the question as it stands is answered"


def test_a_model_without_preferences_answers_in_several_orders_as_in_one() -> None:
    one, five = (predict(Knowing(0.0), TASK, QUESTIONS, GOLD, orders=orders) for orders in (1, 5))
    assert one["answer"].to_pylist() == five["answer"].to_pylist()


def test_ground_truth_says_what_is_right_and_never_what_is_answered() -> None:
    answers = answer_questions(Knowing(3.0), TASK, QUESTIONS, num_variations=5, seed=0)
    wrong = {question.id: next(c for c in question.choices if c != GOLD[question.id]) for question in QUESTIONS}
    right, other = judge_orders(answers, GOLD), judge_orders(answers, wrong)
    assert right.drop_columns(["correct"]).equals(other.drop_columns(["correct"]))
    assert all(right["correct"].to_pylist()) and not any(other["correct"].to_pylist())


def test_the_order_of_rows_changes_no_answer() -> None:
    answers = answer_questions(Knowing(3.0), TASK, QUESTIONS, num_variations=5, seed=0)
    turned = judge_orders(answers.take(list(range(answers.num_rows))[::-1]), GOLD).to_pylist()
    for row, other in zip(judge_orders(answers, GOLD).to_pylist(), turned[::-1], strict=True):
        assert (row["question_id"], row["answer"]) == (other["question_id"], other["answer"])
        assert row["choice_logprobs"] == pytest.approx(other["choice_logprobs"], abs=1e-6)


def test_questions_without_ground_truth_are_left_out() -> None:
    known = {**GOLD, QUESTIONS[0].id: None}
    found = predict(Knowing(1.0), TASK, QUESTIONS, known, orders=2)
    assert found["question_id"].to_pylist() == [question.id for question in QUESTIONS[1:]]
    nothing = judge_orders(answer_questions(Knowing(1.0), TASK, [], num_variations=2, seed=0), GOLD)
    assert nothing.schema == PREDICTIONS and nothing.num_rows == 0


def test_the_vote_and_the_average_are_two_things() -> None:
    answers = answer_questions(Knowing(3.0), TASK, QUESTIONS, num_variations=5, seed=0)
    assert judge(answers, GOLD)["correct"].to_pylist() != judge_orders(answers, GOLD)["correct"].to_pylist()


@pytest.fixture(scope="module")
def lm(tiny_llama: Path) -> LanguageModel:
    return load_tiny(tiny_llama)


def test_options_are_averaged_by_what_they_are_compared_by(lm: LanguageModel) -> None:
    """Of options in words, of several tokens each: by the token where they are length-normalized."""
    task = choice_task("text")
    spec = AnsweringSpec(length_normalized=True)
    asked = [
        answer_questions(LocalModel(lm, task, one, name="student"), task, QUESTIONS, num_variations=2, seed=0)
        for one in (AnsweringSpec(), spec)
    ]
    for before, after in zip(*(table.to_pylist() for table in asked), strict=True):
        lengths = [
            total / each for total, each in zip(before["choice_logprobs"], after["choice_logprobs"], strict=True)
        ]
        assert lengths == pytest.approx([round(length) for length in lengths], abs=1e-3) and max(lengths) > 1.5
        best = max(range(4), key=after["choice_logprobs"].__getitem__)
        assert before["choices"][best] == after["answer"]
