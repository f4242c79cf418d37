"""Relabelling: a second round keeps what a student agrees with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from support.selecting import (
    ANSWERS,
    Answers,
    chosen,
    scored_of,
)
from w2s.methods.filtering import filter_uncertain
from w2s.methods.relabel import agreed


def student_of(answers: Mapping[str, Sequence[str | None]]) -> pa.Table:
    """A student's answers by question."""
    rows = [(id, variation, answer) for id, row in answers.items() for variation, answer in enumerate(row)]
    ids, variations, said = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "question_id": pa.array(ids, pa.string()),
            "variation": pa.array(variations, pa.int32()),
            "answer": pa.array(said, pa.string()),
        }
    )


def test_the_answers_that_a_student_agrees_with_are_kept_beside_the_certain_ones() -> None:
    scored = scored_of([["a", "a", "a"], ["a", "b", "b"], ["a", "b", "c"], ["c", None, "b"]])
    student = student_of({"q1": ["a", "a", "b"], "q2": ["a", "b", "c"], "q3": [None, None, "c"]})
    training = agreed(scored, student, quantile=0.0)
    # q1: two of three say "a", against the weak majority; q2: no majority; q3: most cannot be parsed.
    assert chosen(training) == [("q0", 0), ("q0", 1), ("q0", 2), ("q1", 0)]
    assert training.selection.dropped == {"not_agreed": 8, "unparsed": 0}
    # Labels stay the weak supervisor's: an answer of the student's alone is nowhere.
    alone = agreed(scored, student_of({"q1": ["c", "c", "c"]}), quantile=0.0)
    assert chosen(alone) == [("q0", 0), ("q0", 1), ("q0", 2)]


@given(ANSWERS, st.floats(0, 1), st.randoms(use_true_random=False))
def test_a_second_round_keeps_all_that_the_first_kept(answers: Answers, quantile: float, random: Any) -> None:
    scored = scored_of(answers)
    first = filter_uncertain(scored, quantile=quantile)
    said = {f"q{q}": [random.choice(["a", "b", None]) for _ in range(3)] for q in range(len(answers))}
    second = agreed(scored, student_of(said), quantile=quantile)
    assert set(chosen(first)) <= set(chosen(second))
    assert agreed(scored, student_of({}), quantile=quantile).table.equals(first.table)
    everything = agreed(scored, student_of({f"q{q}": row for q, row in enumerate(answers)}), quantile=quantile)
    assert set(chosen(everything)) >= {
        (f"q{q}", v)
        for q, row in enumerate(answers)
        for v, answer in enumerate(row)
        if answer is not None and 2 * list(row).count(answer) > len(row)
    }
