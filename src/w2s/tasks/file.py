"""File: bring your own questions, as JSONL, CSV or Parquet."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.tasks.base import fields_of
from w2s.tasks.forms import COLUMNS, ParsedRow, parse_row, right_choices
from w2s.tasks.free_answer import FreeAnswer
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.parsing import as_number, first_line
from w2s.tasks.questions import Example, Question, Variation
from w2s.tasks.records import Record, content_id, records_of, refuse
from w2s.tasks.replies import after_thinking, plain

__all__ = ["TASK", "File"]

_log = logging.getLogger(__name__)

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

_PUNCTUATION = " .,;:!?\"'“”‘’«»。！？"
_WRAPPED = re.compile(r"\s*(?P<mark>\*{1,3}|_{1,3}|`)(?=\S)(?P<inside>.+?)(?<=\S)(?P=mark)\s*")


class File(MultipleChoice, FreeAnswer):
    """Questions of your own, from one file.

    A record, in JSONL and in CSV; only `question` and `answer` are needed:

        {"id": "q1", "question": "Which is a metal?", "choices": ["iron", "wool"], "answer": "iron", "split": "test"}

        id,question,choices,answer,split
        q1,Which is a metal?,iron|wool,iron,test

    * `choices`: a list; in CSV a JSON list, or the choices with "|" between them. All rows have some, or none.
      There are 1,000 at most.
    * `answer`: in all rows the text of a choice, or in all its letter (A for the first), or in all its index from 0.
      Without choices any text: its first line counts, without case and outer punctuation; with `TaskSpec.answers`
      "numbers" also without the spelling of a number. It may be empty in the split "transfer" only.
    * `split`: train (weak_train and transfer), weak_train, transfer or test; empty means any.
    * `id`: by default a hash of the question and its choices.

    Known data sets are read in their own forms: `choices` with `text` and `label`, and `answerKey` (ARC);
    `question` with `stem` and `choices` (CommonsenseQA); `messages` with one turn of the user. A question without
    choices may have several right answers, and a student learns the first: `answer` with `value` and `aliases`
    (TriviaQA), `answers` with `text` (SQuAD), a list as `answer`, or a list `aliases` beside it.

    Templates may name any other column. Without data there are no examples, and the task can vary, parse and
    complete questions that come from elsewhere.
    """

    name = "file"
    summary = "your own questions: a JSONL, CSV or Parquet file"
    version: ClassVar[int] = 3
    source = "the file given as data"
    licence = "yours"
    templates = TEMPLATES
    answer_formats = ("letter", "text")
    modes = MultipleChoice.modes
    answer_format = MultipleChoice.answer_format
    takes_numbers = True
    names_splits = True

    def __init__(self, spec: TaskSpec) -> None:
        """With data, read it: whether it has choices decides how it can be asked."""
        super().__init__(spec)
        if spec.data is None:
            return
        if not self._examples[0].question.choices:
            if spec.answer_format == "letter":
                raise InputError(f"answer_format='letter': the questions of {spec.data} have no choices")
            self.modes, self.answer_format = FreeAnswer.modes, "text"
        elif spec.answers == "numbers":
            raise InputError("answers='numbers': answers to questions with choices are choices")

    def examples(self) -> Iterator[Example]:
        """All rows of the file, in its order."""
        return iter(self._examples)

    @cached_property
    def records(self) -> list[Record]:
        """The rows of the file."""
        data = self.spec.data
        if data is None:
            raise InputError("task file needs data: a JSONL, CSV or Parquet file with the columns question and answer")
        path = Path(data).expanduser()
        if path.is_dir():
            raise InputError(f"data={data!r} is a folder: task file reads one JSONL, CSV or Parquet file")
        return records_of(path, encoding=self.spec.encoding)

    def template_fields(self, name: str) -> set[str]:
        """What a template may name: what the task's own does, and the other columns of the file."""
        if self.spec.data is None:  # the columns were there when the questions were made
            return super().template_fields(name) | fields_of(name, self.spec.templates[name])
        return super().template_fields(name) | (set(self.records[0].row) - set(COLUMNS))

    def vary(self, question: Question, num_variations: int, seed: int) -> list[Variation]:
        """Ask a question with its options in several orders, or in several wordings where it has none.

        Paraphrases are used in both cases.
        """
        asker = MultipleChoice if question.choices else FreeAnswer
        return asker.vary(self, question, num_variations, seed)

    def parse(self, text: str, question: Question, variation: Variation) -> str | None:
        """The choice that a text names; without choices, what its first line says."""
        if question.choices:
            return MultipleChoice.parse(self, text, question, variation)
        return _canonical(text, self.spec.answers)

    def complete(self, answer: str, question: Question, variation: Variation) -> str:
        """The letter or the words of a choice; without choices, the answer itself."""
        asker = MultipleChoice if question.choices else FreeAnswer
        return asker.complete(self, answer, question, variation)

    @cached_property
    def _examples(self) -> list[Example]:
        rows, wrong = list[ParsedRow](), list[tuple[Record, InputError]]()
        for record in self.records:
            try:
                rows.append(parse_row(record))
            except InputError as error:
                wrong.append((record, error))
        refuse(wrong)
        seen = dict[str, int]()
        for asked in rows:
            record = asked.record
            if bool(asked.choices) is not bool(rows[0].choices):
                raise record.error("choices", "expected some in every row or in none, and this row is unlike the first")
            if (native := record.optional("id")) and (first := seen.setdefault(native, record.number)) != record.number:
                raise record.error("id", f"{native!r} is the id of row {first} as well")
        if not rows[0].choices:
            _check_answers(rows)
        right = right_choices(rows) if rows[0].choices else map(self._free_answer, rows)
        # Only what the templates name goes along: a column of the file may well give the answer away.
        named = {field for name in self.templates for field in fields_of(name, self.templates[name])}
        columns = sorted(named - {"question", "options"})
        examples = [self._example(asked, answer, columns) for asked, answer in zip(rows, right, strict=True)]
        if several := [number for number, example in enumerate(examples, start=1) if example.aliases]:
            text = "%s: %d questions have several right answers (the first is row %d): any counts, the first is taught"
            _log.info(text, rows[0].record.source, len(several), several[0])
        return examples

    def _free_answer(self, asked: ParsedRow) -> str | None:
        if asked.answer is None:
            return None
        answer = _canonical(asked.answer, self.spec.answers)
        if answer is None:
            raise asked.record.error(asked.column, f"expected a text on its first line, not {asked.answer!r}")
        return answer

    def _example(self, asked: ParsedRow, answer: str | None, columns: Iterable[str]) -> Example:
        question = Question(
            id=asked.record.optional("id") or content_id(asked.text, *asked.choices),
            text=asked.text,
            choices=asked.choices,
            fields={column: asked.record.optional(column) for column in columns},
        )
        others = dict.fromkeys(_canonical(alias, self.spec.answers) for alias in asked.aliases)
        aliases = tuple(alias for alias in others if alias is not None and alias != answer)
        return Example(question=question, answer=answer, aliases=aliases, pool=asked.pool)


def _check_answers(rows: Sequence[ParsedRow]) -> None:
    """Make sure that free answers are no names of columns, as the options A to D of a table are."""
    record = rows[0].record
    columns = {name.casefold(): name for name in record.row if name not in COLUMNS}
    answers = {asked.answer.strip().casefold() for asked in rows if asked.answer}
    if len(answers) > 1 and answers <= set(columns):
        names = ", ".join(columns[answer] for answer in sorted(answers))
        raise InputError(
            f"{record.source}: its answers name the columns {names}, which are not read: expected the options of a row "
            "in one column choices, such as Paris|Rome|Berlin, and the letters in a column answerKey"
        )


def _canonical(text: str, answers: str) -> str | None:
    """The first line without case, outer punctuation and extra space; of numbers, the value in one spelling."""
    line = first_line(after_thinking(text))
    while wrapped := _WRAPPED.fullmatch(line):
        line = wrapped["inside"]
    line = " ".join(plain(unicodedata.normalize("NFD", line).casefold()).split())
    start = len(line) - len(line.lstrip(_PUNCTUATION))
    inside = line.strip(_PUNCTUATION)
    if inside[:1].isdigit() and line[:start].endswith(".") and not line[:start].endswith(".."):
        inside = f".{inside}"  # .5 is not 5
    number = as_number(inside) if answers == "numbers" else None
    if number is not None and line[start + len(line.strip(_PUNCTUATION)) :].startswith("!"):
        return f"{inside}!"  # 5! is not 5
    return number or inside or None


TASK = File
