"""Two tables of predictions on the same questions: whose are right more often, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s import tables
from w2s.errors import InputError
from w2s.metrics import accuracy_interval, difference_interval, exact_test

__all__ = ["Paired", "compare_predictions"]

_PREDICTED = pa.schema({"question_id": pa.string(), "correct": pa.bool_()})


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Two tables of predictions, on the questions of both.

    Attributes:
        names: What the two are called.
        accuracy: Of each, on these questions.
        accuracy_low: Lower ends of the 95% intervals.
        accuracy_high: Upper ends.
        difference: Accuracy of the first minus that of the second.
        difference_low: Lower end of the 95% interval, of Bonett and Price (2012).
        difference_high: Upper end.
        p_value: Of no difference, by the exact test of McNemar (1947).
        questions: How many they are.
        only_first: On how many of these the first alone is right.
        only_second: On how many the second alone is.
        unshared: How many more questions each table has.
    """

    names: tuple[str, str]
    accuracy: tuple[float, float]
    accuracy_low: tuple[float, float]
    accuracy_high: tuple[float, float]
    difference: float
    difference_low: float
    difference_high: float
    p_value: float
    questions: int
    only_first: int
    only_second: int
    unshared: tuple[int, int]


def compare_predictions(a: pa.Table, b: pa.Table, *, names: tuple[str, str] = ("a", "b")) -> Paired:
    """Compare two tables of predictions question by question.

    Args:
        a: With `question_id` and `correct`, in any order.
        b: Likewise; questions that only one of them has are left out, and counted.
        names: Of the two, for messages.

    Raises:
        InputError: A column is missing or null, a question comes twice, or they have no question in common.
    """
    first, second = (_by_question(table, name) for table, name in zip((a, b), names, strict=True))
    shared = [id for id in first if id in second]
    if not shared:
        raise InputError(f"{names[0]} and {names[1]} have no question in common: expected predictions on the same ones")
    one, other = (np.array([own[id] for id in shared], bool) for own in (first, second))
    found, intervals = difference_interval(one, other), [accuracy_interval(run) for run in (one, other)]
    return Paired(
        names=names,
        accuracy=(intervals[0].estimate, intervals[1].estimate),
        accuracy_low=(intervals[0].low, intervals[1].low),
        accuracy_high=(intervals[0].high, intervals[1].high),
        difference=found.estimate,
        difference_low=found.low,
        difference_high=found.high,
        p_value=exact_test(one, other),
        questions=len(shared),
        only_first=int((one & ~other).sum()),
        only_second=int((other & ~one).sum()),
        unshared=(len(first) - len(shared), len(second) - len(shared)),
    )


def _by_question(table: pa.Table, name: str) -> dict[str, bool]:
    table = tables.check(table, _PREDICTED, name=name)
    for column in _PREDICTED.names:
        if table[column].null_count:
            row = pc.index(pc.is_null(table[column]), True).as_py()
            raise InputError(f"{name}, row {row + 1}, column {column!r}: expected a value, it is null")
    found = dict(zip(table["question_id"].to_pylist(), table["correct"].to_pylist(), strict=True))
    if len(found) < table.num_rows:
        counts = pc.value_counts(table["question_id"]).to_pylist()
        twice = next(count["values"] for count in counts if count["counts"] > 1)
        raise InputError(f"{name}: question {twice!r} is there twice, expected one prediction a question")
    return found
