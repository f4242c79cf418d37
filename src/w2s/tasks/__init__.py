"""The data sets: one file each. To add one, add a file here with a `Task` subclass named in `TASK`."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from w2s.config import TaskSpec
from w2s.errors import unknown_name
from w2s.tasks.base import Example, Question, Task, Variation
from w2s.tasks.splits import Splits, gold_of, questions_of

__all__ = [
    "TASKS",
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
]


def _found() -> dict[str, type[Task]]:
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    classes: list[type[Task]] = [module.TASK for module in modules if hasattr(module, "TASK")]
    return {task.name: task for task in sorted(classes, key=lambda task: task.name)}


TASKS = _found()


def task_names() -> list[str]:
    """The names of all tasks."""
    return list(TASKS)


def task_from(spec: TaskSpec) -> Task:
    """The task that a spec describes.

    Raises:
        InputError: There is no such task, or it cannot do what the spec asks.
    """
    if spec.name not in TASKS:
        raise unknown_name("task", spec.name, TASKS)
    return TASKS[spec.name](spec)


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
