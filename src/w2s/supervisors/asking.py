"""Ask a supervisor: questions to an answers table, on disk as the answers come."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from w2s.supervisors.base import Answer, Prompt, Supervisor
from w2s.tables import ANSWERS
from w2s.tasks.base import Question, Task

__all__ = ["answer_questions", "gold_answers"]


def answer_questions(
    supervisor: Supervisor,
    task: Task,
    questions: Sequence[Question],
    *,
    num_variations: int,
    seed: int,
    journal: Path | None = None,
    identity: str = "",
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = print,
) -> pa.Table:
    """Ask every variation of every question.

    Args:
        supervisor: Who is asked.
        task: Makes the variations.
        questions: Without their answers.
        num_variations: How many ways each is asked.
        seed: Of the variations.
        journal: A JSONL file that takes each batch as it is answered. Where it holds batches already, from a
            try that was killed, those are not asked again.
        identity: What of the supervisor its name does not tell; batches of another one are not taken over.
        progress: Is told the answers done and the answers in all.
        say: Is told what a user should know.

    Returns:
        A table of `tables.ANSWERS`, in the order of questions and variations.
    """
    asked = [
        Prompt(question, variation) for question in questions for variation in task.vary(question, num_variations, seed)
    ]
    answers: dict[int, Answer] = {}
    identity = _identity(supervisor.name + identity, asked)
    if journal is not None:
        answers = _read_journal(journal, identity)
        if answers:
            say(f"{len(answers)} of {len(asked)} answers are there already")
    for batch in supervisor.plan(asked):
        if all(row in answers for row in batch.rows):
            continue
        new = dict(zip(batch.rows, batch.answer(), strict=True))
        if journal is not None:
            _append(journal, identity, new)
        answers |= new
        if progress:
            progress(len(answers), len(asked))
    rows = [
        {
            "question_id": question.id,
            "variation": variation.variation,
            "prompt": variation.prompt,
            **asdict(answers[index]),
            "supervisor": supervisor.name,
        }
        for index, (question, variation) in enumerate(asked)
    ]
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def gold_answers(task: Task, questions: Sequence[Question], gold: dict[str, str | None]) -> pa.Table:
    """Ground truth as an answers table: the question as it stands, rightly answered.

    Args:
        task: Makes the prompts and writes the answers.
        questions: Those without a known answer are left out.
        gold: By question id.
    """
    rows = []
    for question in questions:
        answer = gold[question.id]
        if answer is None:
            continue
        variation = task.vary(question, 1, 0)[0]
        rows.append(
            {
                "question_id": question.id,
                "variation": variation.variation,
                "prompt": variation.prompt,
                "completion": task.complete(answer, question, variation),
                "answer": answer,
                "supervisor": "ground truth",
            }
        )
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def _identity(name: str, asked: Sequence[Prompt]) -> str:
    digest = hashlib.sha256(name.encode())
    for one in asked:
        digest.update(json.dumps([one.variation.prompt, *one.variation.completions]).encode())
    return digest.hexdigest()


def _append(journal: Path, identity: str, answers: dict[int, Answer]) -> None:
    line = json.dumps({"of": identity, "answers": {row: asdict(answer) for row, answer in answers.items()}})
    with journal.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _read_journal(journal: Path, identity: str) -> dict[int, Answer]:
    """The answers of all whole lines; a line that a kill tore is cut off, so that the next one stands alone."""
    if not journal.exists():
        return {}
    answers: dict[int, Answer] = {}
    whole = 0  # bytes
    for line in journal.read_bytes().splitlines(keepends=True):
        try:
            entry = json.loads(line)
            if not line.endswith(b"\n") or entry["of"] != identity:
                raise ValueError("torn, or of other questions")
            answers |= {int(row): Answer(**fields) for row, fields in entry["answers"].items()}
        except (ValueError, KeyError, TypeError):
            break
        whole += len(line)
    os.truncate(journal, whole)
    return answers
