"""What the answers of a table chose among: the options of each question, as numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError, unknown_name
from w2s.reliability.base import Codes, codes

__all__ = ["MOST_LABELS", "Options", "options_of"]

MOST_LABELS = 50
"""A confusion matrix of more has far more cells than anybody gives answers."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of each question, and which of them each row chose.

    Attributes:
        labels: The distinct texts, in alphabetical order.
        fixed: Whether all questions have the same labels.
        stated: Whether the table has the options in a column `choices`; else they are the answers that were given.
        question: (rows,) a number for each question.
        num_questions: How many there are.
        question_of_option: (options,) ascending.
        label_of_option: (options,) ascending within a question.
        num_options: (questions,) how many options a question has; where they are not stated, one more than the most
            different answers to a question.
        option_of_row: (rows,) the answer; −1 where it could not be parsed.
        option_of_choice: (choices,) those of all rows, one row after another; None where they are not stated.
    """

    labels: tuple[str, ...]
    fixed: bool
    stated: bool
    question: Codes
    num_questions: int
    question_of_option: Codes
    label_of_option: Codes
    num_options: Codes
    option_of_row: Codes
    option_of_choice: Codes | None

    @property
    def label_of_row(self) -> Codes:
        """(rows,) the label of the answer; −1 where it could not be parsed."""
        parsed = self.option_of_row >= 0
        found: Codes = np.full(len(parsed), -1)
        found[parsed] = self.label_of_option[self.option_of_row[parsed]]
        return found

    def with_all_labels(self) -> Options:
        """The same with every label an option of every question.

        Raises:
            InputError: The table says otherwise, or has no answer.
        """
        if not self.labels:
            raise InputError("none of the answers could be parsed: expected some to estimate confusion matrices from")
        if self.stated and not self.fixed:
            raise InputError("questions have different choices: expected the same for a confusion matrix; use one-coin")
        count, label = len(self.labels), self.label_of_row
        return dataclasses.replace(
            self,
            question_of_option=np.repeat(np.arange(self.num_questions), count),
            label_of_option=np.tile(np.arange(count), self.num_questions),
            num_options=np.full(self.num_questions, count),
            option_of_row=np.where(label >= 0, self.question * count + label, -1),
        )


def options_of(answers: pa.Table) -> Options:
    """The options of each question.

    Raises:
        InputError: An answer is none of its row's choices, or the rows of a question have other choices.
    """
    question, num_questions = codes(answers["question_id"])
    if "choices" in answers.column_names and num_questions:
        sizes = pc.fill_null(pc.list_value_length(answers["choices"]), 0).to_numpy().astype(np.int64)
        if sizes.all():
            return _stated(answers, question, num_questions, sizes)
    labels, label = _numbered(answers["answer"], answers["answer"].unique())
    parsed, count = label >= 0, max(len(labels), 1)
    listed, index = np.unique(question[parsed] * count + label[parsed], return_inverse=True)
    option_of_row: Codes = np.full(len(question), -1)
    option_of_row[parsed] = index
    return Options(
        labels=labels,
        fixed=2 <= len(labels) <= min(MOST_LABELS, num_questions // 2),
        stated=False,
        question=question,
        num_questions=num_questions,
        question_of_option=listed // count,
        label_of_option=listed % count,
        num_options=np.full(num_questions, np.bincount(listed // count).max(initial=0) + 1),
        option_of_row=option_of_row,
        option_of_choice=None,
    )


def _numbered(texts: pa.ChunkedArray, distinct: pa.Array) -> tuple[tuple[str, ...], Codes]:
    """Distinct texts in alphabetical order, and the number of each text; −1 for what is none of them."""
    labels = sorted(label for label in distinct.to_pylist() if label is not None)
    index = pc.fill_null(pc.index_in(texts, value_set=pa.array(labels, pa.string()), skip_nulls=True), -1)
    return tuple(labels), index.to_numpy(zero_copy_only=False).astype(np.int64)


def _stated(answers: pa.Table, question: Codes, num_questions: int, sizes: Codes) -> Options:
    """The options of questions that have `choices`, of `sizes` (rows,)."""
    flat = pc.cast(pc.list_flatten(answers["choices"]), pa.string())
    labels, label = _numbered(flat, flat.unique())
    count = len(labels)
    row = np.repeat(np.arange(len(sizes)), sizes)
    listed, option_of_choice = np.unique(question[row] * count + label, return_inverse=True)
    num_options = np.bincount(listed // count, minlength=num_questions)
    once = np.bincount(np.unique(row * count + label) // count, minlength=len(sizes))
    fine = (sizes == num_options[question]) & (once == sizes)
    if (label < 0).any() or not fine.all():
        first = int(row[np.argmax(label < 0)] if (label < 0).any() else np.argmin(fine))
        raise InputError(
            f"answers table, row {first + 1}: expected each of the choices of the question's other rows once, in any "
            f"order, not {answers['choices'][first].as_py()!r}"
        )
    given = pc.fill_null(pc.index_in(answers["answer"], value_set=pa.array(labels, pa.string())), -1).to_numpy()
    wanted = question * count + given
    found = np.minimum(np.searchsorted(listed, wanted), len(listed) - 1)
    is_null = answers["answer"].is_null().to_numpy()
    strange = ~is_null & ((given < 0) | (listed[found] != wanted))
    if strange.any():
        first = int(np.argmax(strange))
        raise unknown_name(
            f"answer in row {first + 1} of the answers table,",
            answers["answer"][first].as_py(),
            answers["choices"][first].as_py(),
        )
    return Options(
        labels=labels,
        fixed=len(listed) == num_questions * count,
        stated=True,
        question=question,
        num_questions=num_questions,
        question_of_option=listed // count,
        label_of_option=listed % count,
        num_options=num_options,
        option_of_row=np.where(is_null, -1, found),
        option_of_choice=option_of_choice,
    )
