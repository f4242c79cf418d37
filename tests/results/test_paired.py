"""Two tables of predictions, question by question."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.metrics import exact_test
from w2s.results.paired import compare_predictions


def predictions(correct: dict[str, bool]) -> pa.Table:
    return pa.table({"question_id": list(correct), "correct": pa.array(list(correct.values()), pa.bool_())})


def test_the_exact_p_value_of_five_won_and_none_lost_is_two_in_thirty_two() -> None:
    one = {f"q{n}": True for n in range(10)}
    found = compare_predictions(predictions(one), predictions({id: n >= 5 for n, id in enumerate(one)}))
    assert found.p_value == 2 / 32 and found.difference == 0.5 and (found.only_first, found.only_second) == (5, 0)
    assert found.difference_low < 0.5 < found.difference_high


def test_questions_are_paired_by_id_and_those_of_one_table_counted() -> None:
    one = predictions({"a": True, "b": False, "c": True})
    found = compare_predictions(one, predictions({"d": True, "c": False, "b": False}))
    assert found.questions == 2 and found.accuracy == (0.5, 0.0) and found.unshared == (1, 1)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_the_other_way_round_everything_is_reversed(pairs: list[tuple[bool, bool]]) -> None:
    first = predictions({str(n): one for n, (one, _) in enumerate(pairs)})
    second = predictions({str(n): other for n, (_, other) in enumerate(pairs)})
    found, reverse = compare_predictions(first, second), compare_predictions(second, first)
    assert found.difference == -reverse.difference and found.p_value == reverse.p_value
    assert math.isclose(found.difference_low, -reverse.difference_high, abs_tol=1e-12)
    assert found.difference_low < found.difference_high  # no point, however much they agree
    assert 0 < found.p_value <= 1


def test_tables_without_a_common_question_a_repeated_one_and_a_missing_value_are_refused() -> None:
    one = predictions({"a": True})
    with pytest.raises(InputError, match="no question in common"):
        compare_predictions(one, predictions({"b": True}))
    with pytest.raises(InputError, match="question 'a' is there twice"):
        compare_predictions(pa.concat_tables([one, one]), one)
    with pytest.raises(InputError, match="second, row 1, column 'correct': expected a value"):
        compare_predictions(one, pa.table({"question_id": ["a"], "correct": [None]}), names=("first", "second"))
    with pytest.raises(InputError, match="arrays of 2 runs"):
        exact_test([[True], [False]], [[True], [True]])
