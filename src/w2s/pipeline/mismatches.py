"""What makes the questions put to an adapter other than those that it was trained on, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from w2s.config import ModelSpec
from w2s.pipeline.origin import TrainedOn
from w2s.tasks import Splits, Task, questions_of

__all__ = ["mismatches"]

_CHARACTERS = 120  # of a prompt's end


def mismatches(
    learned: TrainedOn | None, task: Task, splits: Splits, split: str, model: ModelSpec, weights: str
) -> Iterator[str]:
    """Say in what an adapter is asked otherwise than it was trained, and whether it saw the questions.

    Args:
        learned: What it was trained on; None where it does not say.
        task: That asks it now.
        splits: Of the task.
        split: That is asked.
        model: Its base model, as it is to be loaded.
        weights: What the model's content is named by.
    """
    questions = questions_of(splits.questions, split)
    asked = _end(task.vary(questions[0], 1, 0)[0].prompt) if questions else ""
    if learned is None:
        yield (
            f"the adapter does not say what it was trained on: it is asked as task {task.name} asks ({asked!r}); "
            "an adapter that learned another wording is wrong more often"
        )
        return
    if learned.weights not in (None, weights):
        yield (
            f"the adapter was trained on other weights than those of {model.name}: on {learned.model['name']}, as that "
            "was then; what it learned may be of no use on these"
        )
    if learned.origin is None:
        then = _end(learned.prompt)
        yield (
            f"the adapter was trained on prompts that no task of w2s made (such as {then!r}), and is asked as task "
            f"{task.name} asks ({asked!r}): if these are two wordings, it is wrong more often than it need be; "
            "w2s label --model.source table puts labels on a task's own prompts"
        )
    elif found := learned.origin.differences(task):
        yield f"the adapter is asked otherwise than it was trained: {'; '.join(found)}"
    if model.chat_template != learned.model["chat_template"]:
        now, then = model.chat_template, learned.model["chat_template"]
        yield f"the adapter is asked otherwise than it was trained: chat_template is {now}, it was {then}"
    seen = sum(question.id in learned.questions for question in questions)
    if seen:
        yield f"{seen} of {len(questions)} questions of {split} are among those that the adapter was trained on"


def _end(prompt: str) -> str:
    return prompt if len(prompt) <= _CHARACTERS else f"…{prompt[-_CHARACTERS:]}"
