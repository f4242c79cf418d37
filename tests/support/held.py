"""Shards whose workers wait once they are asked, for what is lost in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from support.experiments import SIZES, asked_in_shards, small_experiment
from w2s.config import TaskSpec
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.runners.base import Runner, tell_nobody
from w2s.step import Step
from w2s.store import Store
from w2s.tables import read_table

__all__ = ["assert_as_in_one_process", "held_shards", "lost_while_asking"]

PLUGIN = '''
"""Questions that note who asks them, and are answered once a file is gone."""

import os, time
from pathlib import Path

import w2s
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.questions import Example, Question

HERE = Path(__file__).parent


@w2s.register
class Held(MultipleChoice):
    """Twice a number."""

    name = "held"
    summary = "twice a number"
    source = "made here"
    licence = "none"
    templates = {
        "letter": "Twice {question}?\\n{options}\\nAnswer:",
        "text": "Twice {question}?\\nOptions:\\n{options}\\nAnswer:",
    }

    def examples(self):
        for n in range(100, 136):
            choices = tuple(str(2 * n + d) for d in (0, 1, 2, 10))
            yield Example(question=Question(id=str(n), text=str(n), choices=choices), answer=str(2 * n))

    def vary(self, question, num_variations, seed):
        (HERE / f"{question.id}-{os.getpid()}.asked").touch()
        while (HERE / "hold").exists():
            time.sleep(0.05)
        return super().vary(question, num_variations, seed)
'''


def held_shards(folder: Path, weak: Path, strong: Path) -> Step:
    """The weak answers to 16 questions, in shards of two; whoever asks one waits from now on.

    Args:
        folder: Holds the task from now on.
        weak: The supervisor.
        strong: The student.
    """
    folder.mkdir()
    (folder / "held_task.py").write_text(PLUGIN)
    base = small_experiment("", weak, strong, task=TaskSpec(name="held", num_variations=3, **SIZES))
    experiment = replace(asked_in_shards(base, 2), plugins=[str(folder / "held_task.py")])
    answers = Graph(experiment).seed_runs[0].supervision.answers
    for asked in folder.glob("*.asked"):  # by the graph, to see the task's variations
        asked.unlink()
    (folder / "hold").touch()
    return answers


def lost_while_asking(
    folder: Path, answers: Step, store: Store, run: Runner, *, workers: int, lose: Callable[[int], object]
) -> list[int]:
    """Run the shards, and lose one of the workers while each of them asks one.

    Args:
        folder: Of the task.
        answers: From `held_shards`.
        store: For the results.
        run: The runner.
        workers: How many ask at once.
        lose: Loses a worker; is told the number of a process that asks.

    Returns:
        How many processes asked each shard, in ascending order.
    """

    def processes() -> set[int]:
        return {int(path.stem.split("-")[1]) for path in folder.glob("*.asked")}

    def lose_one() -> None:
        while len(processes()) < workers:
            time.sleep(0.05)
        lose(min(processes()))
        (folder / "hold").unlink()

    loser = threading.Thread(target=lose_one, daemon=True)
    loser.start()
    assert run([answers], store, on_event=tell_nobody) == {}
    loser.join()
    by = [path.stem.split("-") for path in folder.glob("*.asked")]
    asked = [
        set(read_table(store.path(step) / "answers.parquet")["question_id"].to_pylist()) for step in _shards(answers)
    ]
    return sorted(len({process for question, process in by if question in questions}) for questions in asked)


def _shards(answers: Step) -> list[Step]:
    return [step for step in answers.inputs.values() if step.kind == "answers"]


def assert_as_in_one_process(answers: Step, store: Store, alone: Store) -> None:
    """The shards, and the table of all, have the bits that one process with one thread gives them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        local.run([answers], alone)
    finally:
        torch.set_num_threads(threads)
    for step in (answers, *_shards(answers)):
        one, other = (read_table(where.path(step) / "answers.parquet") for where in (store, alone))
        assert one.num_rows and one.equals(other)
