"""Ask a supervisor: questions to an answers table, on disk as the answers come; and a model on a test."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from w2s.errors import InputError
from w2s.gold import GROUND_TRUTH, are_right, with_aliases
from w2s.progress import Progress, no_progress
from w2s.supervisors.base import Answer, Prompt, Supervisor
from w2s.supervisors.orders import judge_orders
from w2s.tables import ANSWERS, PREDICTIONS
from w2s.tasks.base import Question, Task, Variation
from w2s.tasks.questions import without_paraphrases

__all__ = ["answer_questions", "answer_row", "gold_answers", "judge", "judge_in_orders", "predict", "shown_examples"]

logger = logging.getLogger(__name__)


def answer_questions(
    supervisor: Supervisor,
    task: Task,
    questions: Sequence[Question],
    *,
    num_variations: int,
    seed: int,
    samples: int = 1,
    before: str = "",
    journal: Path | None = None,
    progress: Progress = no_progress,
    unit: str = "answers",
) -> pa.Table:
    """Ask every variation of every question.

    Args:
        supervisor: Who is asked.
        task: Makes the variations.
        questions: Without their answers.
        num_variations: How many ways each is asked.
        seed: Of the variations.
        samples: Answers to each variation, of a supervisor that samples them. The second ones are numbered after all
            the first.
        before: What this supervisor is shown before every prompt, and no student is: examples.
        journal: A JSONL file that takes each batch as it is answered. Where it holds batches already, from a
            try that was killed, those are not asked again. What decides an answer besides prompt and name (weights,
            adapter, sampling) must be the same in both tries: in the store a journal lies in its step's own folder.
        progress: Is told the answers done and the answers in all.
        unit: What progress counts.

    Returns:
        A table of `tables.ANSWERS`, in the order of questions and variations. `prompt` and `completion` are those
        of a student: the task's own prompt, and the supervisor's response where it was asked just that, else
        the answer as the task writes it.
    """
    prompts = [
        Prompt(question, variation, before)
        for question in questions
        for variation in task.vary(question, num_variations, seed) * samples
    ]
    answers: dict[int, Answer] = {}
    identity = _identity(supervisor.name, prompts)
    if journal is not None:
        answers = _load_journal(journal, identity)
        if answers:
            logger.info("%d of %d answers are there already", len(answers), len(prompts))
    for batch in supervisor.plan(prompts):
        if all(row in answers for row in batch.rows):
            continue
        new = dict(zip(batch.rows, batch.answer(), strict=True))
        if journal is not None:
            _append(journal, identity, new)
        answers |= new
        progress(len(answers), len(prompts), unit)
    rows = []
    for index, prompt in enumerate(prompts):
        row = answer_row(*prompt[:2], answers[index], task, supervisor.name, asked=prompt.text)
        rows.append({**row, "variation": index % (num_variations * samples)})
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def answer_row(
    question: Question, variation: Variation, answer: Answer, task: Task, supervisor: str, *, asked: str
) -> dict[str, Any]:
    """A row of `tables.ANSWERS`.

    Args:
        question: The question.
        variation: As a student is asked.
        answer: What was answered.
        task: Writes it as a student would, where the supervisor was asked otherwise than a student is.
        supervisor: Who answered.
        asked: What the supervisor was asked.
    """
    otherwise = asked != variation.prompt
    completion = answer.response
    if otherwise and answer.answer is not None:
        completion = task.complete(answer.answer, question, variation)
    return {
        "question_id": question.id,
        "variation": variation.variation,
        "prompt": variation.prompt,
        "completion": completion,
        "asked": asked if otherwise else None,
        **asdict(answer),
        "choices": list(question.choices) or None,
        "completions": list(variation.completions) or None,
        "positions": list(variation.positions) or None,
        "supervisor": supervisor,
    }


def predict(
    supervisor: Supervisor,
    task: Task,
    questions: Sequence[Question],
    gold: Mapping[str, str | None],
    *,
    samples: int = 1,
    orders: int = 1,
    before: str = "",
    journal: Path | None = None,
    progress: Progress = no_progress,
) -> pa.Table:
    """Answer questions, and compare with ground truth.

    Args:
        supervisor: The model.
        task: Asks and parses.
        questions: Those to be answered.
        gold: The right answers, by question id; questions without one are left out.
        samples: As for `answer_questions`: the answer that is given most often counts.
        orders: 1 asks them as they stand; above it they are asked in so many orders of their options, and
            `judge_orders` makes one answer of them.
        before: As for `answer_questions`.
        journal: As for `answer_questions`.
        progress: Is told how much is done, of how much.

    Returns:
        A table of `tables.PREDICTIONS`. An answer that cannot be parsed is not correct.
    """
    known = without_paraphrases(question for question in questions if gold.get(question.id) is not None)
    answers = answer_questions(
        supervisor, task, known, num_variations=orders, seed=0, samples=samples, before=before, journal=journal,
        progress=progress, unit="questions" if orders == samples == 1 else "answers",
    )  # fmt: skip
    return judge(answers, gold) if orders == 1 else judge_orders(answers, gold)


def judge(answers: pa.Table, gold: Mapping[str, str | None]) -> pa.Table:
    """Compare the answer that each question was given most often with ground truth.

    Args:
        answers: A table of `tables.ANSWERS`. Of answers that come as often, the first counts.
        gold: The right answers, by question id; questions without one are left out.

    Returns:
        A table of `tables.PREDICTIONS`, in the order of the questions. A question without a parsed answer is not
        correct.
    """
    rows = answers.select(["question_id", "answer", "response", "choice_logprobs"]).to_pylist()
    by_question: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if gold.get(row["question_id"]) is not None:
            by_question.setdefault(row["question_id"], []).append(row)
    judged = []
    for id, given in by_question.items():
        votes = Counter(row["answer"] for row in given if row["answer"] is not None)
        answer = max(votes, key=votes.__getitem__, default=None)  # the first of the most frequent
        first = next(row for row in given if row["answer"] == answer)
        judged.append(
            {
                "question_id": id,
                "answer": answer,
                "correct": are_right([id], [answer], gold)[0],
                "completion": first["response"],
                "choice_logprobs": first["choice_logprobs"],
            }
        )
    return pa.Table.from_pylist(judged, schema=PREDICTIONS)


def judge_in_orders(answers: pa.Table, gold: Mapping[str, str | None], orders: int) -> pa.Table:
    """Compare with ground truth what supervisors answered who were asked in so many orders, or in one.

    Several orders are judged by `judge_orders` where every answer has what it reads; else as one is, by `judge`.
    """
    columns = answers.column_names
    known = all(name in columns and not answers[name].null_count for name in ("choice_logprobs", "positions"))
    return judge_orders(answers, gold) if orders > 1 and known else judge(answers, gold)


def shown_examples(gold: pa.Table, count: int) -> str:
    """Questions with their right answers, as a text to stand before a prompt.

    Args:
        gold: As `gold_answers` makes it; the first rows are shown.
        count: How many.

    Raises:
        InputError: There are fewer.
    """
    shown = gold.slice(0, count)
    if shown.num_rows < count:
        raise InputError(f"weak.examples is {count}: weak_train has {shown.num_rows} questions with an answer")
    texts = zip(shown["prompt"].to_pylist(), shown["completion"].to_pylist(), strict=True)
    return "".join(f"{prompt}{completion}\n\n" for prompt, completion in texts)


def gold_answers(
    task: Task,
    questions: Sequence[Question],
    gold: Mapping[str, str | None],
    aliases: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> pa.Table:
    """Ground truth as an answers table: the question as it stands, rightly answered.

    Args:
        task: Makes the prompts and writes the answers.
        questions: Those without a known answer are left out.
        gold: By question id.
        aliases: Other right answers; they go into a column of that name.
    """
    rows = []
    for question in questions:
        answer = gold[question.id]
        if answer is None:
            continue
        variation = task.vary(question, 1, 0)[0]
        written = task.complete(answer, question, variation)
        right = Answer(response=written, answer=answer)
        rows.append(answer_row(question, variation, right, task, GROUND_TRUTH, asked=variation.prompt))
    return with_aliases(pa.Table.from_pylist(rows, schema=ANSWERS), aliases)


def _identity(name: str, prompts: Sequence[Prompt]) -> str:
    digest = hashlib.sha256(name.encode())
    for prompt in prompts:
        digest.update(json.dumps([prompt.text, *prompt.variation.completions]).encode())
    return digest.hexdigest()


def _line(identity: str, answers: Mapping[str, Any]) -> dict[str, Any]:
    """A journal's entry, with a checksum: what a killed try left may have been damaged since."""
    content = json.dumps([identity, answers], sort_keys=True)
    return {"of": identity, "answers": answers, "sha256": hashlib.sha256(content.encode()).hexdigest()}


def _append(journal: Path, identity: str, answers: dict[int, Answer]) -> None:
    line = json.dumps(_line(identity, {str(row): asdict(answer) for row, answer in answers.items()}))
    with journal.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _load_journal(journal: Path, identity: str) -> dict[int, Answer]:
    """The answers of all whole lines; from a torn or changed line on it is cut off: the next one stands alone."""
    if not journal.exists():
        return {}
    answers: dict[int, Answer] = {}
    whole = 0  # bytes
    for line in journal.read_bytes().splitlines(keepends=True):
        try:
            entry = json.loads(line)
            if not line.endswith(b"\n") or entry != _line(identity, entry["answers"]):
                raise ValueError("torn, changed, or of other questions")
            answers |= {int(row): Answer(**fields) for row, fields in entry["answers"].items()}
        except (ValueError, KeyError, TypeError):
            break
        whole += len(line)
    os.truncate(journal, whole)
    return answers
