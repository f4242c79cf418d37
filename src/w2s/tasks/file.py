"""File: bring your own questions, as JSONL, CSV or Parquet."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast, get_args

from w2s.config import TaskSpec
from w2s.errors import InputError, unknown_name
from w2s.tasks.base import fields_of
from w2s.tasks.free_answer import FreeAnswer
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.parsing import as_number, first_line
from w2s.tasks.questions import Example, Pool, Question, Variation
from w2s.tasks.records import Record, cell_text, content_id, read_rows

__all__ = ["TASK", "File"]

TEMPLATES = {
    "letter": "Reply with the letter of the right option.\n\nQuestion: {question}\n{options}\nAnswer:",
    "text": "Reply with the right option, word for word.\n\nQuestion: {question}\nOptions:\n{options}\nAnswer:",
    "wording_0": "Answer the question briefly.\n\nQuestion: {question}\nAnswer:",
    "wording_1": "Question: {question}\nReply with the answer only, on one line.\nAnswer:",
    "wording_2": "{question}\n\nIn a few words, the answer is:",
    "wording_3": "Somebody would like to know: {question}\nWhat do you tell them? Be brief.\nReply:",
    "wording_4": "Here is a question from a quiz.\n\n{question}\n\nShort answer:",
    "wording_5": "Consider this question: {question}\n\nState its answer and nothing else:",
}

_COLUMNS = ("question", "answer", "choices", "id", "split")
_PUNCTUATION = " .,;:!?\"'“”‘’"


class File(MultipleChoice, FreeAnswer):
    """Questions of your own, from one file.

    A record, in JSONL and in CSV; only `question` and `answer` are needed:

        {"id": "q1", "question": "Which is a metal?", "choices": ["iron", "wool"], "answer": "iron", "split": "test"}

        id,question,choices,answer,split
        q1,Which is a metal?,iron|wool,iron,test

    * `choices`: a list; in CSV a JSON list, or the choices with "|" between them. All rows have some, or none.
    * `answer`: the text of a choice or, where that is no choice, its index from 0. Without choices any
      text: its first line counts, without case, outer punctuation and the spelling of numbers. It may be empty
      in the split "transfer" only.
    * `split`: train (weak_train and transfer), weak_train, transfer or test; empty means any.
    * `id`: by default a hash of the question and its choices.

    Templates may name any other column.
    """

    name = "file"
    summary = "your own questions: a JSONL, CSV or Parquet file"
    source = "the file given as data"
    licence = "yours"
    templates = TEMPLATES
    answer_formats = ("letter", "text")
    modes = MultipleChoice.modes
    answer_format = MultipleChoice.answer_format

    def __init__(self, spec: TaskSpec) -> None:
        """Read the file: whether it has choices decides how it can be asked."""
        self._path = _path_of(spec)
        self._rows = [
            Record(row=row, source=str(self._path), number=number, pool="any")
            for number, row in enumerate(read_rows(self._path), start=1)
        ]
        super().__init__(spec)
        self._examples = list(self._read())
        if not self._examples[0].question.choices:
            if spec.answer_format == "letter":
                raise InputError(f"answer_format='letter': the questions of {self._path} have no choices")
            self.modes, self.answer_format = FreeAnswer.modes, "text"
        elif spec.paraphrases is not None:
            raise InputError(f"paraphrases={spec.paraphrases!r}: questions with choices are varied by their order")

    def examples(self) -> Iterator[Example]:
        """All rows of the file, in its order."""
        return iter(self._examples)

    def data_fingerprint(self) -> str:
        """A hash of the file."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()

    def template_fields(self, name: str) -> set[str]:
        """What a template may name: what the task's own does, and the other columns of the file."""
        return super().template_fields(name) | (set(self._rows[0].row) - set(_COLUMNS))

    def vary(self, question: Question, num_variations: int, seed: int) -> list[Variation]:
        """Ask a question with its options in several orders, or in several wordings where it has none."""
        asker = MultipleChoice if question.choices else FreeAnswer
        return asker.vary(self, question, num_variations, seed)

    def parse(self, text: str, question: Question, variation: Variation) -> str | None:
        """The choice that a text names; without choices, what its first line says."""
        return MultipleChoice.parse(self, text, question, variation) if question.choices else _canonical(text)

    def complete(self, answer: str, question: Question, variation: Variation) -> str:
        """The letter or the words of a choice; without choices, the answer itself."""
        asker = MultipleChoice if question.choices else FreeAnswer
        return asker.complete(self, answer, question, variation)

    def _read(self) -> Iterator[Example]:
        # Only what the templates name goes along: a column of the file may well give the answer away.
        named = {field for name in self.templates for field in fields_of(name, self.templates[name])}
        columns = sorted(named - {"question", "options"})
        with_choices, seen = bool(_choices(self._rows[0])), dict[str, int]()
        for record in self._rows:
            example = _example(record, columns)
            if bool(example.question.choices) is not with_choices:
                raise record.error("choices", "expected some in every row or in none, and this row is unlike the first")
            if (native := record.optional("id")) and (first := seen.setdefault(native, record.number)) != record.number:
                raise record.error("id", f"{native!r} is the id of row {first} as well")
            yield example


def _path_of(spec: TaskSpec) -> Path:
    if spec.data is None:
        raise InputError("task file needs data: a JSONL, CSV or Parquet file with the columns question and answer")
    if Path(spec.data).is_dir():
        raise InputError(f"data={spec.data!r} is a folder: task file reads one JSONL, CSV or Parquet file")
    return Path(spec.data)


def _example(record: Record, columns: Iterable[str]) -> Example:
    text, choices, pool = record.text("question"), _choices(record), _pool(record)
    question = Question(
        id=record.optional("id") or content_id(text, *choices),
        text=text,
        choices=choices,
        fields={column: record.optional(column) for column in columns},
    )
    answer = record.text("answer") if pool != "transfer" or record.optional("answer") else None
    if answer is not None:
        answer = _chosen(record, answer, choices) if choices else _canonical(answer)
        if answer is None:
            raise record.error("answer", f"expected a text on its first line, not {record.optional('answer')!r}")
    return Example(question=question, answer=answer, pool=pool)


def _choices(record: Record) -> tuple[str, ...]:
    cell = record.row.get("choices")
    if isinstance(cell, str):
        listed = None
        if cell.lstrip().startswith("["):
            with contextlib.suppress(json.JSONDecodeError):
                listed = json.loads(cell)
        cell = listed if isinstance(listed, list) else cell.split("|") if cell.strip() else []
    if cell is not None and not isinstance(cell, list):
        raise record.error("choices", f"expected a list, not {cell!r}")
    choices = tuple(map(cell_text, cell or ()))
    if len(choices) == 1:
        raise record.error("choices", f"expected two or more, not only {choices[0]!r}")
    if "" in choices:
        raise record.error("choices", "one of them is empty")
    if again := [choice for choice in choices if choices.count(choice) > 1]:
        raise record.error("choices", f"{again[0]!r} is there more than once")
    return choices


def _chosen(record: Record, answer: str, choices: tuple[str, ...]) -> str:
    if answer in choices:
        return answer
    if answer.isdecimal() and int(answer) < len(choices):
        return choices[int(answer)]
    near = difflib.get_close_matches(answer, choices, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(choices)
    raise record.error("answer", f"{answer!r} is no choice: expected one of {known}, or an index from 0{hint}")


def _pool(record: Record) -> Pool:
    split = record.optional("split") or "any"
    for pool in get_args(Pool):
        if split == pool:
            return cast(Pool, pool)
    unknown = unknown_name("split", split, [pool for pool in get_args(Pool) if pool != "any"])
    raise record.error("split", str(unknown))


def _canonical(text: str) -> str | None:
    """The first line without case, outer punctuation and extra space; numbers in one spelling."""
    line = " ".join(first_line(text).casefold().split()).strip(_PUNCTUATION)
    return as_number(line) or line or None


TASK = File
