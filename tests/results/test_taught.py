"""How many labels of a training set are right."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from w2s.gold import Gold
from w2s.results.taught import labels_right
from w2s.tables import TRAINING_SET

TRANSFER = Gold({"q1": "a", "q2": "b"}, {})
WEAK_TRAIN = Gold({"w1": "a", "w2": "a"}, {})


def training_set(*rows: tuple[str, str, float, int | None]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in TRAINING_SET.names}
    columns |= {
        name: [row[place] for row in rows] for place, name in enumerate(("question_id", "answer", "weight", "group"))
    }
    return pa.table(columns, schema=TRAINING_SET)


def test_hard_labels_are_a_row_each() -> None:
    found = labels_right(training_set(("q1", "a", 3.0, None), ("q2", "a", 1.0, None)), TRANSFER, WEAK_TRAIN)
    assert found == (0.5, 0.75)


def test_a_soft_label_says_its_likeliest_option_wherever_that_stands() -> None:
    table = training_set(
        ("q1", "b", 0.2, 0), ("q1", "a", 0.8, 0), ("q2", "b", 0.3, 1), ("q2", "a", 0.7, 1), ("q2", "b", 1.0, 2)
    )
    assert labels_right(table, TRANSFER, WEAK_TRAIN) == pytest.approx((2 / 3, (0.8 + 0.3 + 1.0) / 3))


def test_of_options_that_are_as_likely_the_first_counts() -> None:
    table = training_set(("q1", "a", 0.5, 0), ("q1", "b", 0.5, 0), ("q2", "a", 0.5, 1), ("q2", "b", 0.5, 1))
    assert labels_right(table, TRANSFER, WEAK_TRAIN) == (0.5, 0.5)


def test_right_answers_that_were_added_say_nothing_of_the_labels() -> None:
    labels = training_set(("q1", "b", 1.0, 0), ("q1", "a", 0.0, 0))
    added = training_set(("w1", "a", 1.0, 1), ("w1", "b", 0.0, 1), ("w2", "a", 1.0, 2), ("w2", "b", 0.0, 2))
    assert labels_right(pa.concat_tables([labels, added]), TRANSFER, WEAK_TRAIN) == (0.0, 0.0)
    assert labels_right(added, TRANSFER, WEAK_TRAIN) == (1.0, 1.0)  # of who learned nothing else


def test_questions_without_ground_truth_do_not_count() -> None:
    unknown = training_set(("q9", "a", 5.0, 0), ("q9", "b", 1.0, 0))
    assert labels_right(unknown, TRANSFER, WEAK_TRAIN) is None
    table = pa.concat_tables([unknown, training_set(("q1", "a", 0.6, 1), ("q1", "b", 0.4, 1))])
    assert labels_right(table, TRANSFER, WEAK_TRAIN) == pytest.approx((1.0, 0.6))
