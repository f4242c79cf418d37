from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.tasks.variations import permutations


@given(size=st.integers(2, 6), data=st.data(), seed=st.integers(0, 99), key=st.text(max_size=8))
def test_permutations_are_distinct_and_start_with_the_order_as_it_stands(
    size: int, data: st.DataObject, seed: int, key: str
) -> None:
    count = data.draw(st.integers(1, min(24, math.factorial(size))))
    orders = permutations(size, count, seed, key)
    assert len(set(orders)) == len(orders) == count
    assert orders[0] == tuple(range(size))
    assert all(sorted(order) == list(range(size)) for order in orders)


def test_permutations_depend_on_the_seed_and_the_question_and_on_nothing_else() -> None:
    # Fixed on purpose: the same question must be asked in the same orders on every machine and in every release.
    assert permutations(4, 3, 0, "q1") == permutations(4, 5, 0, "q1")[:3] == [(0, 1, 2, 3), (3, 2, 0, 1), (1, 3, 2, 0)]
    assert permutations(4, 5, 1, "q1") != permutations(4, 5, 0, "q1") != permutations(4, 5, 0, "q2")


def test_all_permutations_can_be_had_and_not_one_more() -> None:
    assert len(permutations(3, 6, 0, "q")) == 6
    with pytest.raises(InputError, match="num_variations is 7: question 'q' has 3 options, in 6 orders at most"):
        permutations(3, 7, 0, "q")
