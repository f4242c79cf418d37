"""The rows of a split: named by their content when steps are laid, and read from the data again when they run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.step import Context
from w2s.tasks import Draw, Splits, Task, task_from

__all__ = ["anywhere", "content_of", "execution_of_task", "rows_of"]

_BATCH = 4096  # rows that are made into text at once


def content_of(table: pa.Table) -> str:
    """A hash of a table's rows: of all of them as one JSON text, which is never there as a whole."""
    digest = hashlib.sha256(b"[")
    between = ""
    for start in range(0, table.num_rows, _BATCH):
        text = json.dumps(table.slice(start, _BATCH).to_pylist(), sort_keys=True)
        digest.update((between + text[1:-1]).encode())
        between = ", "
    digest.update(b"]")
    return digest.hexdigest()


def anywhere(spec: TaskSpec) -> TaskSpec:
    """A task whose files have names that hold wherever a command is started."""
    return replace(spec, data=_whole(spec.data), paraphrases=_whole(spec.paraphrases))


def _whole(name: str | None) -> str | None:
    path = Path(name or "no name").expanduser()
    return str(path.resolve()) if name is not None and path.exists() else name


def execution_of_task(spec: TaskSpec) -> dict[str, Any]:
    """Where a task's questions come from, for the steps that read them."""
    return asdict(anywhere(spec))


@lru_cache(maxsize=1)
def _task(task: str) -> Task:
    return task_from(TaskSpec(**json.loads(task)))


@lru_cache(maxsize=1)
def _splits(task: str, draw: Draw | None) -> Splits:
    return _task(task).pool.splits(draw)  # what is asked in which ways was checked when the graph was laid


def rows_of(name: str, settings: Mapping[str, Any], context: Context) -> pa.Table:
    """Read a split's rows again, and make sure that they are those that were named.

    Args:
        name: `questions` or `gold`.
        settings: The step's: the split, and the hash of its rows.
        context: Says of which task, in which draw, and which rows where a step is about some of them.

    Raises:
        InputError: The data is another than when the step was laid.
    """
    task = json.dumps(context.execution["task"], sort_keys=True)
    draw = Draw(**context.execution["draw"]) if "draw" in context.execution else None
    for _ in range(2):
        table = getattr(_splits(task, draw), name)
        rows = table.filter(pc.equal(table["split"], settings["split"]))
        start, stop = context.execution.get("rows", (0, rows.num_rows))
        rows = rows.slice(start, stop - start)
        if content_of(rows) == settings["rows"]:
            return rows
        _task.cache_clear()  # the data may have been another when it was read last
        _splits.cache_clear()
    raise InputError(
        f"the data of task {context.execution['task']['name']} changed since the run began: start it again"
    )
