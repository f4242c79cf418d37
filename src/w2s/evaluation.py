"""How a model does on questions whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from w2s.config import AnsweringSpec
from w2s.models.load import LanguageModel
from w2s.supervisors.asking import answer_questions
from w2s.supervisors.lm import LocalModel
from w2s.tables import PREDICTIONS
from w2s.tasks.base import Question, Task

__all__ = ["evaluate"]


def evaluate(
    lm: LanguageModel,
    task: Task,
    questions: Sequence[Question],
    gold: Mapping[str, str | None],
    spec: AnsweringSpec,
    *,
    name: str,
    journal: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = print,
) -> pa.Table:
    """Answer questions as they stand, and compare with ground truth.

    Args:
        lm: The model, with its adapter on it.
        task: Asks and reads.
        questions: Those to be answered.
        gold: The right answers, by question id; questions without one are left out.
        spec: How the model answers.
        name: Of the model, for the journal.
        journal: Takes the answers as they come; see `answer_questions`.
        progress: Is told the answers done and the answers in all.
        say: Is told what a user should know.

    Returns:
        A table of `tables.PREDICTIONS`. An answer that cannot be parsed is not correct.
    """
    known = [question for question in questions if gold.get(question.id) is not None]
    answers = answer_questions(
        LocalModel(lm, task, spec, name=name),
        task,
        known,
        num_variations=1,
        seed=0,
        journal=journal,
        progress=progress,
        say=say,
    )
    given = answers["answer"].to_pylist()
    correct = [answer == gold[question.id] for answer, question in zip(given, known, strict=True)]
    return pa.table(
        {
            "question_id": answers["question_id"],
            "answer": answers["answer"],
            "correct": pa.array(correct, pa.bool_()),
            "completion": answers["completion"],
            "choice_logprobs": answers["choice_logprobs"],
        },
        schema=PREDICTIONS,
    )
