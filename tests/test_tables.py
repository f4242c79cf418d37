"""The tables that pass from stage to stage: columns that are checked."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet
import pytest

from w2s.errors import InputError
from w2s.tables import ANSWERS, PREDICTIONS, SCORED, TRAINING_SET, check


def test_columns_are_put_in_order_and_cast_and_others_kept() -> None:
    table = pa.table({"mine": [1], "variation": [0], "question_id": [7], "answer": ["x"]})
    checked = check(table, ANSWERS, name="answers table", required=["question_id", "variation", "answer"])
    assert checked.column_names == [*ANSWERS.names, "mine"]
    assert checked.schema.field("question_id").type == pa.string() and checked["question_id"].to_pylist() == ["7"]
    assert checked["prompt"].to_pylist() == [None]


def test_a_missing_column_is_named_and_those_that_are_there() -> None:
    with pytest.raises(InputError) as caught:
        check(pa.table({"a": [1], "b": [2]}), PREDICTIONS, name="predictions")
    assert str(caught.value) == "predictions has no column 'question_id': it has a, b"


def test_a_column_of_the_wrong_type_is_named() -> None:
    with pytest.raises(InputError, match="training set, column 'weight': expected float") as caught:
        check(pa.table({"weight": ["heavy"]}), TRAINING_SET, name="training set", required=[])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [[1, 0, None], [1.0, 0.0, None], ["true", "0", None], [True, False, None]])
def test_what_is_true_or_false_may_be_written_as_1_or_0(given: list[object]) -> None:
    found = check(pa.table({"correct": given}), PREDICTIONS, name="predictions", required=["correct"])
    assert found["correct"].to_pylist() == [True, False, None]


@pytest.mark.parametrize("wrong", [0.9, 2, -1, float("nan"), "maybe"])
def test_no_other_number_is_true_or_false(wrong: object) -> None:
    with pytest.raises(InputError, match=rf"^predictions, column 'correct': expected bool, .*{wrong}"):
        check(pa.table({"correct": [wrong]}), PREDICTIONS, name="predictions", required=["correct"])


def test_no_table_on_the_way_to_a_student_has_a_place_for_the_truth() -> None:
    for schema in (ANSWERS, SCORED, TRAINING_SET):
        assert not {"gold", "correct", "truth", "label", "target"} & set(schema.names)
    assert SCORED.names[: len(ANSWERS.names)] == ANSWERS.names
