"""Batches of like length, under a budget."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from w2s.engine.batching import token_batches

LENGTHS = st.lists(st.integers(1, 50), max_size=40)
BUDGET = st.integers(1, 200)
READS = st.none() | st.integers(1, 40)


@given(LENGTHS, BUDGET, READS)
def test_every_row_is_in_one_batch(lengths: list[int], tokens: int, most: int | None) -> None:
    batches = token_batches(lengths, tokens=tokens, reads=lengths, most_reads=most)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(batches)


@given(LENGTHS, BUDGET, READS)
def test_a_batch_with_its_padding_stays_under_the_budget_unless_it_is_one_row(
    lengths: list[int], tokens: int, most: int | None
) -> None:
    for batch in token_batches(lengths, tokens=tokens, reads=lengths, most_reads=most):
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= tokens
        assert most is None or len(batch) == 1 or sum(lengths[row] for row in batch) <= most


@given(LENGTHS, BUDGET, READS)
def test_the_longest_rows_come_first_and_equal_ones_in_their_order(
    lengths: list[int], tokens: int, most: int | None
) -> None:
    order = [row for batch in token_batches(lengths, tokens=tokens, reads=lengths, most_reads=most) for row in batch]
    assert order == sorted(order, key=lambda row: (-lengths[row], row))


@given(LENGTHS, BUDGET, READS)
def test_no_batch_could_have_taken_the_next_row_as_well(lengths: list[int], tokens: int, most: int | None) -> None:
    batches = token_batches(lengths, tokens=tokens, reads=lengths, most_reads=most)
    for batch, following in pairwise(batches):
        full = (len(batch) + 1) * lengths[batch[0]] > tokens
        read = sum(lengths[row] for row in [*batch, following[0]])
        assert full or (most is not None and read > most)


def test_a_row_longer_than_the_budget_goes_alone() -> None:
    assert token_batches([3, 90, 3, 3], tokens=9) == [[1], [0, 2, 3]]


def test_without_reads_a_row_reaches_the_head_once() -> None:
    assert token_batches([2, 2, 2], tokens=99, most_reads=2) == [[0, 1], [2]]
