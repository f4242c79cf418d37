"""Batches of like length, under a budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from w2s.engine.batching import token_batches

LENGTHS = st.lists(st.integers(1, 50), max_size=40)
BUDGET = st.integers(1, 200)
ROWS = st.none() | st.integers(1, 7)


@given(LENGTHS, BUDGET, ROWS)
def test_every_row_is_in_one_batch(lengths: list[int], tokens: int, rows: int | None) -> None:
    batches = token_batches(lengths, tokens=tokens, rows=rows)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(batches)


@given(LENGTHS, BUDGET, ROWS)
def test_a_batch_with_its_padding_stays_under_the_budget_unless_it_is_one_row(
    lengths: list[int], tokens: int, rows: int | None
) -> None:
    for batch in token_batches(lengths, tokens=tokens, rows=rows):
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= tokens
        assert rows is None or len(batch) <= rows


@given(LENGTHS, BUDGET, ROWS)
def test_the_longest_rows_come_first_and_equal_ones_in_their_order(
    lengths: list[int], tokens: int, rows: int | None
) -> None:
    order = [row for batch in token_batches(lengths, tokens=tokens, rows=rows) for row in batch]
    assert order == sorted(order, key=lambda row: (-lengths[row], row))


@given(LENGTHS, BUDGET, ROWS)
def test_no_batch_could_have_taken_the_next_row_as_well(lengths: list[int], tokens: int, rows: int | None) -> None:
    batches = token_batches(lengths, tokens=tokens, rows=rows)
    for batch in batches[:-1]:
        full = (len(batch) + 1) * lengths[batch[0]] > tokens
        assert full or (rows is not None and len(batch) == rows)


def test_a_row_longer_than_the_budget_goes_alone() -> None:
    assert token_batches([3, 90, 3, 3], tokens=9) == [[1], [0, 2, 3]]
