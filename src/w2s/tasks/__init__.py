"""The data sets: one file each. To add one, add a file here with a `Task` subclass named in `TASK`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from w2s.config import TaskSpec
from w2s.tasks.base import TASKS, Example, Question, Task, Variation
from w2s.tasks.splits import Draw, Splits, gold_of, questions_of

__all__ = [
    "TASKS",
    "Draw",
    "Example",
    "Question",
    "Splits",
    "Task",
    "Variation",
    "gold_of",
    "load_task",
    "questions_of",
    "task_from",
    "task_names",
    "task_of",
]


TASKS.discover(__name__, __path__, "TASK")


def task_names() -> list[str]:
    """The names of all tasks."""
    return list(TASKS)


def task_from(spec: TaskSpec) -> Task:
    """The task that a spec describes.

    Raises:
        InputError: There is no such task, or it cannot do what the spec asks.
    """
    return TASKS.find(spec.name)(spec)


def task_of(asking: Mapping[str, Any]) -> Task:
    """The task that `Task.asking` tells of: it varies, parses and completes questions, and has none of its own."""
    spec = TaskSpec(
        name=asking["name"],
        templates=dict(asking["templates"]),
        answer_format=asking["answer_format"],
        answers=asking["answers"],
        missing_paraphrases=asking.get("missing_paraphrases", "refuse"),
    )
    return TASKS.find(spec.name)(spec)


def load_task(name: str, data: str | None = None, **fields: Any) -> Task:
    """A task by its name.

    Args:
        name: A name of `task_names()`.
        data: A file or folder in the data set's own form, or a hub id; by default the task's own source.
        **fields: Other fields of `TaskSpec`.

    Raises:
        InputError: There is no such task, or it cannot do what the fields ask.
    """
    return task_from(TaskSpec(name=name, data=data, **fields))
