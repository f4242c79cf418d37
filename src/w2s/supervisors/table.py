"""Answers that are there already: of people, of an API, of any program, in one table."""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from w2s.config import WeakSpec
from w2s.errors import InputError
from w2s.files import file_sha256
from w2s.reading.labels import RULES, Labels, labels_of
from w2s.registry import resolve_settings
from w2s.step import Json, Step
from w2s.supervisors.asking import answer_row
from w2s.supervisors.base import Answer
from w2s.supervisors.source import Inquiry, Source, SourceStages, Supervision
from w2s.tables import ANSWERS, read_table
from w2s.tasks.base import Question, Task
from w2s.tasks.parsing import LETTERS
from w2s.tasks.questions import Variation

__all__ = ["SOURCES"]

logger = logging.getLogger(__name__)

SETTINGS: Mapping[str, Any] = {"answers": "", "columns": {}, "annotators": [], "normalize": []}
"""The file; what it calls its columns, by our names; the columns of a wide table, one an annotator; see `labels_of`."""

_LISTED = 5  # answers that are none of the choices


def _read(settings: Mapping[str, Any]) -> Labels:
    """The file as a long table of `question_id`, `supervisor`, `variation` and `answer`.

    Raises:
        InputError: It is missing or broken, or lacks a column.
    """
    path, wide = settings["answers"], settings["annotators"]
    columns = dict(settings["columns"])
    table = read_table(path, columns)
    if wide:
        table = _long(table, wide, path)
    for name in ("question_id", "answer"):
        if name not in table.column_names:
            hint = " or weak.settings.annotators names the columns of annotators" if name == "answer" else ""
            raise InputError(
                f"{path} has no column {name!r}, it has {', '.join(table.column_names)}: "
                f"weak.settings.columns says which it is{hint}"
            )
    labels = labels_of(table, normalize=settings["normalize"], keep_missing=False)
    return labels._replace(table=_numbered(labels.table))


def _tell(path: Path, labels: Labels) -> None:
    """Say what became of the labels."""
    for label, others in labels.merged.items():
        spellings = ", ".join(f"{other!r} ({count})" for other, count in others.items())
        logger.info("%s: %s read as %s", path, spellings, repr(label) if label else "missing")
    if labels.missing:
        logger.info("%s: %d rows have no label", path, labels.missing)
    for note in labels.notes:
        logger.info("%s: %s", path, note)


def _long(table: pa.Table, annotators: Sequence[str], path: str) -> pa.Table:
    """A table with a column an annotator, as one with a row an answer."""
    missing = [name for name in ("question_id", *annotators) if name not in table.column_names]
    if missing:
        near = difflib.get_close_matches(missing[0], table.column_names, n=1)
        raise InputError(f"{path} has no column {missing[0]!r}{f'; did you mean {near[0]!r}?' if near else ''}")
    return pa.concat_tables(
        [
            pa.table(
                {
                    "question_id": pc.cast(table["question_id"], pa.string()),
                    "annotator": pa.array([name] * table.num_rows, pa.string()),
                    "answer": pc.cast(table[name], pa.string()),
                }
            )
            for name in annotators
        ]
    )


def _numbered(table: pa.Table) -> pa.Table:
    """Answers of nobody in particular, and in no particular variation, are counted through for each question."""
    if "variation" in table.column_names:
        return table
    seen: Counter[str] = Counter()
    numbers = []
    for id in table["question_id"].to_pylist():
        numbers.append(seen[id])
        seen[id] += 1
    return table.append_column("variation", pa.array(numbers, pa.int32()))


def _identity(path: str, rules: Sequence[str]) -> list[str]:
    """What decides the labels: the content of the table and of the mappings, and the names of the rules."""
    return [file_sha256(Path(path)), *(rule if rule in RULES else file_sha256(Path(rule)) for rule in rules)]


def _answers(inquiry: Inquiry) -> pa.Table:
    settings, execution = inquiry.settings, inquiry.execution
    if _identity(execution["answers"], execution["normalize"]) != settings["content"]:
        raise InputError(f"{execution['answers']} changed since the run began: start it again")
    table = _read({**settings, **execution}).table
    questions = {question.id: question for question in inquiry.questions}
    rows = table.filter(pc.is_in(table["question_id"], pa.array(questions, pa.string())))
    found = [*_rows(rows, questions, inquiry)]
    order = {id: place for place, id in enumerate(questions)}
    found.sort(key=lambda row: order[row["question_id"]])
    unanswered = len(questions) - len({row["question_id"] for row in found})
    if unanswered:
        logger.warning(
            "%s answers %d of %d questions", execution["answers"], len(questions) - unanswered, len(questions)
        )
    return pa.Table.from_pylist(found, schema=ANSWERS)


def _rows(table: pa.Table, questions: Mapping[str, Question], inquiry: Inquiry) -> Iterator[dict[str, Any]]:
    named = "supervisor" in table.column_names
    unknown: Counter[str] = Counter()
    nearest: dict[str, str] = {}
    ways: dict[str, list[Variation]] = {}
    for row in table.select(["question_id", "variation", "answer", *["supervisor"] * named]).to_pylist():
        question = questions[row["question_id"]]
        variations = ways.setdefault(question.id, inquiry.task.vary(question, inquiry.num_variations, inquiry.seed))
        variation = variations[row["variation"] % len(variations)]
        answer = _canonical(row["answer"], question, variation, inquiry.task)
        if answer is None and question.choices:
            unknown[row["answer"]] += 1
            near = difflib.get_close_matches(row["answer"], question.choices, n=1, cutoff=0.5)
            nearest.setdefault(row["answer"], near[0] if near else "")
        written = inquiry.task.complete(answer, question, variation) if answer is not None else row["answer"]
        position = variation.positions[question.choices.index(answer)] if answer in question.choices else None
        given = Answer(response=written, answer=answer, position=position)
        made = answer_row(
            question, variation, given, inquiry.task, row["supervisor"] if named else inquiry.settings["name"],
            asked=variation.prompt,
        )  # fmt: skip
        yield {**made, "response": row["answer"], "variation": row["variation"]}
    if unknown:
        listed = [
            f"{answer!r} ({count})" + (f", nearest {nearest[answer]!r}" if nearest[answer] else "")
            for answer, count in unknown.most_common(_LISTED)
        ]
        more = f" and {len(unknown) - _LISTED} others" if len(unknown) > _LISTED else ""
        raise InputError(
            f"{inquiry.execution['answers']}: answers that are none of their question's choices: {'; '.join(listed)}"
            f"{more}: weak.settings.normalize may map them, to nothing where they are missing"
        )


def _canonical(text: str, question: Question, variation: Variation, task: Task) -> str | None:
    """The answer that a label names: a choice by its text, whatever its case and outer space, or by its letter.

    Letters count the choices as the questions' file has them.
    """
    if not question.choices:
        return task.parse(text, question, variation)
    if text in question.choices:
        return text
    folded = [choice for choice in question.choices if choice.strip().casefold() == text.strip().casefold()]
    if len(folded) == 1:
        return folded[0]
    letter = text.strip(" ().")
    if len(letter) == 1 and letter in LETTERS[: len(question.choices)]:
        return question.choices[LETTERS.index(letter)]
    return None


def _steps(stages: SourceStages) -> Supervision:
    given = resolve_settings("source table", SETTINGS, stages.spec.settings)
    path = Path(given["answers"]).expanduser()
    if not path.is_file():
        raise InputError(f"no such file: {given['answers']}")
    labels = _read({**given, "answers": str(path)})
    _tell(path, labels)
    ids = set(pc.cast(labels.table["question_id"], pa.string()).to_pylist())
    if not ids & set(stages.question_ids("transfer")):
        theirs, ours = sorted(ids)[:2], sorted(stages.question_ids("transfer"))[:2]
        raise InputError(f"{path} answers no question of transfer: its ids are as {theirs}, the task's as {ours}")
    rules = [rule if rule in RULES else str(Path(rule).expanduser().absolute()) for rule in given["normalize"]]
    settings: dict[str, Json] = {
        "content": _identity(str(path), rules),
        "columns": given["columns"],
        "annotators": given["annotators"],
        "name": path.stem,
    }
    execution: dict[str, Json] = {"answers": str(path.absolute()), "normalize": rules}

    def ask(split: str) -> Step:
        return stages.ask(settings, split=split, execution=execution)

    test = set(stages.question_ids("test"))
    answered = len(test & ids)
    missing = "" if answered == len(test) else f"{path.name} answers {answered} of {len(test)} test questions"
    return Supervision(
        answers=ask("transfer"),
        predictions=None if missing else stages.judge(ask("test")),
        calibration=ask("weak_train") if ids & set(stages.question_ids("weak_train")) else None,
        missing=missing,
    )


def _check(spec: WeakSpec) -> None:
    given = resolve_settings("source table", SETTINGS, spec.settings)
    if not given["answers"]:
        raise InputError("source table needs weak.settings.answers: a file with question_id and answer")
    if spec.examples:
        raise InputError(f"weak.examples is {spec.examples}: source table asks nobody")


SOURCES = (
    Source(
        name="table",
        summary="answers that are there already (weak.settings.answers): of people, of an API, of several",
        steps=_steps,
        needs_weak_train=lambda spec: False,
        check=_check,
        called=lambda spec: Path(str(spec.settings.get("answers", ""))).name,
        answer=_answers,
    ),
)
