"""What an estimator is, and what the tables that it reads and writes must hold.

An estimator says how far each answer can be trusted. It adds two columns to the answers: `confidence`, of a
row's answer, from 0 to 1, higher = more trusted; and `uncertainty`, of a row's question, 0 or more, higher =
less certain. Where it knows more than that it adds `posterior`, a probability for each of the question's
options, from which methods can relabel. Methods read these and nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s import tables
from w2s.errors import InputError

__all__ = [
    "IDENTITY",
    "SCORES",
    "Calibration",
    "Estimator",
    "add_scores",
    "check_answers",
    "check_scored",
    "codes",
    "estimator_from",
    "scores_in",
]

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_ANSWER = pa.schema({"question_id": pa.string(), "variation": pa.int32(), "answer": pa.string()})
IDENTITY = ("question_id", "variation", "supervisor", "answer")
"""Columns of all answers: to what, in which variation, whose, and what."""
SCORES: Mapping[str, int] = {"reliability": 1, "confidence": 1, "vote_share": 1, "entropy": -1, "uncertainty": -1}
"""The scores that a table may have, and their sign: 1 where more is more trusted, −1 where less is."""

_AT_MOST_ONE = ("vote_share", "reliability", "confidence")
_OF_VOTES = {"confidence": "reliability", "uncertainty": "entropy"}
_ROUNDING = 1e-6  # of a score that came back from text


class Calibration(NamedTuple):
    """The source's answers to `weak_train`, each by a model that did not learn that question, and their truth.

    Attributes:
        answers: A table of `tables.ANSWERS`.
        gold: The canonical right answer by question id.
    """

    answers: pa.Table
    gold: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """A way to say how far answers can be trusted.

    Attributes:
        name: What users call it.
        summary: One line for `w2s estimators`.
        estimate: `(answers, *, calibration=…, second_view=…, **settings)` to the same rows with `confidence`,
            `uncertainty` and perhaps more.
        settings: The estimator's own settings and their defaults.
        needs: Which of "calibration" (`Calibration`) and "second_view" (the answers of a student) it asks for.
        models: The settings that name a model: its content, not its name, is then part of the key.
        version: Raised when a change of its code changes the results.
        compares: Whether it compares supervisors, and so needs at least two.
        reads: Columns that it reads besides those that every answer has (`IDENTITY`); None is all.
    """

    name: str
    summary: str
    estimate: Callable[..., pa.Table]
    settings: Mapping[str, Any]
    needs: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    version: int = 1
    compares: bool = False
    reads: Collection[str] | None = None


def estimator_from(
    name: str,
    estimate: Callable[..., pa.Table],
    *,
    summary: str,
    models: tuple[str, ...] = (),
    version: int = 1,
    compares: bool = False,
    reads: Collection[str] | None = None,
) -> Estimator:
    """An estimator whose settings are its function's keyword-only parameters, except the inputs that it asks for.

    Of millions of answers only the columns that it `reads` are in memory, if it says which.
    """
    keywords = [p for p in inspect.signature(estimate).parameters.values() if p.kind is p.KEYWORD_ONLY]
    inputs = {"calibration", "second_view"}
    return Estimator(
        name=name,
        summary=summary,
        estimate=estimate,
        settings={p.name: p.default for p in keywords if p.name not in inputs},
        needs=frozenset(p.name for p in keywords if p.name in inputs),
        models=models,
        version=version,
        compares=compares,
        reads=reads,
    )


def check_answers(answers: pa.Table, *, name: str = "answers table") -> pa.Table:
    """Cast the columns that identify an answer, and make sure that each answer is there once.

    Args:
        answers: A table with `question_id`, `variation` and `answer` of any type that can be cast, and
            perhaps `supervisor`; other columns and all orders are left alone.
        name: What the table is, for the message.

    Raises:
        InputError: A column is missing or cannot be cast, an identifier is null or negative, or a supervisor
            answers the same variation of a question twice.
    """
    keys = ["question_id", "variation"]
    schema = _ANSWER
    if "supervisor" in answers.column_names:
        keys.append("supervisor")
        schema = schema.append(pa.field("supervisor", pa.string()))
    answers = tables.check(answers, schema, name=name).select(answers.column_names)
    for key in ("question_id", "variation"):
        if answers[key].null_count:
            row = pc.index(pc.is_null(answers[key]), True).as_py()
            raise InputError(f"{name}, row {row + 1}: expected a {key}, it is null")
    negative = pc.less(answers["variation"], 0)
    if pc.any(negative, min_count=0).as_py():
        row = pc.index(negative, True).as_py()
        raise InputError(f"{name}, row {row + 1}: variation is {answers['variation'][row]}, expected 0 or more")
    counts = answers.group_by(keys, use_threads=False).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1))
    if repeated.num_rows:
        first = repeated.slice(0, 1).to_pylist()[0]
        which = ", ".join(f"{key} {first[key]!r}" for key in keys)
        raise InputError(f"{name}: expected one answer for {which}, it has {first['count_all']}")
    return answers


def check_scored(scored: pa.Table, *, name: str = "scored answers") -> pa.Table:
    """`check_answers`, and the scores must be there as numbers that they can be.

    A table with the paper's scores alone (`entropy`, `reliability`) is one of the votes estimator: they are its
    uncertainty and confidence.

    Raises:
        InputError: As `check_answers`, or a score is missing, null or out of range.
    """
    scored = check_answers(scored, name=name)
    for column, same in _OF_VOTES.items():
        if column not in scored.column_names and same in scored.column_names:
            scored = scored.append_column(column, scored[same])
    required = ["vote_share", "confidence", "uncertainty"]
    there = [score for score in SCORES if score in scored.column_names or score in required]
    schema = pa.schema({score: pa.float64() for score in there})
    names = scored.column_names
    missing = [score for score in required if score not in names]
    if missing:
        have = ", ".join(names)
        raise InputError(f"{name} has no column {missing[0]!r}: expected the table of w2s score; it has {have}")
    scored = tables.check(scored, schema, name=name).select(names)
    for score in there:
        value = scored[score]
        fine = pc.fill_null(pc.and_(pc.is_finite(value), pc.greater_equal(value, -_ROUNDING)), False)
        expected = "a number of 0 or more"
        if score in _AT_MOST_ONE:
            fine, expected = pc.and_(fine, pc.less_equal(value, 1 + _ROUNDING)), "a number from 0 to 1"
        fine = pc.fill_null(fine, False)
        if not pc.all(fine, min_count=0).as_py():
            row = pc.index(fine, False).as_py()
            raise InputError(f"{name}, row {row + 1}: {score} is {value[row]}, expected {expected}")
    return scored


def scores_in(scored: pa.Table) -> list[str]:
    """The scores that a table has, each once: what another column only repeats is left out."""
    names = [score for score in SCORES if score in scored.column_names]
    for column, same in _OF_VOTES.items():
        if same in names and column in names and scored[column].equals(scored[same]):
            names.remove(column)
    return names


def add_scores(answers: pa.Table, **scores: Any) -> pa.Table:
    """The answers with scores as their last columns; those of the same name before are replaced.

    Args:
        answers: The rows.
        **scores: (rows,) numbers each, or an Arrow array.
    """
    answers = answers.drop_columns([name for name in scores if name in answers.column_names])
    for name, values in scores.items():
        column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, pa.float64())
        answers = answers.append_column(name, column)
    return answers


def codes(column: pa.ChunkedArray) -> tuple[Codes, int]:
    """Number the distinct values of a column from 0; null is a value. Returns the codes and how many there are."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), len(encoded.dictionary)
