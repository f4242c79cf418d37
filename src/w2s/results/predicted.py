"""The test questions of a run's seeds, and what a model answered to them, read from the store."""

from __future__ import annotations

from collections.abc import Sequence

from w2s.metrics import QuestionIds
from w2s.pipeline.graph import SeedRun
from w2s.pipeline.steps import PREDICTIONS_FILE, QUESTIONS_FILE, gold_by_id
from w2s.results.guessing import SameAnswer, TestQuestions
from w2s.step import Step
from w2s.store import Store
from w2s.tables import read_table

__all__ = ["same_answer", "tested_questions"]


def tested_questions(runs: Sequence[SeedRun], store: Store) -> TestQuestions:
    """The test questions of all these seeds, one seed after the other."""
    choices: list[list[str]] = []
    truths: list[str] = []
    for run in runs:
        table = read_table(store.path(run.questions["test"]) / QUESTIONS_FILE)
        gold = gold_by_id(store.path(run.gold["test"]))
        choices += [own or [] for own in table["choices"].to_pylist()]
        truths += [gold[id] for id in table["question_id"].to_pylist()]
    return TestQuestions(choices, truths)


def same_answer(
    test: TestQuestions, predictions: Sequence[Step], question_ids: QuestionIds, store: Store
) -> SameAnswer | None:
    """The one answer that a model gives to almost all of them.

    Args:
        test: The questions.
        predictions: The model's, a step a seed.
        question_ids: Of each seed.
        store: Where these are.
    """
    answers: list[str | None] = []
    for step, ids in zip(predictions, question_ids, strict=True):
        table = read_table(store.path(step) / PREDICTIONS_FILE)
        by_id = dict(zip(table["question_id"].to_pylist(), table["answer"].to_pylist(), strict=True))
        answers += [by_id[id] for id in ids]
    return test.same_answer(answers)
