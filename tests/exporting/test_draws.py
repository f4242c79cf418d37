"""Weights as repeated rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.exporting.draws import drawn_counts

WEIGHTS = st.lists(st.floats(0, 10).filter(lambda w: w == 0 or w > 1e-3), min_size=1, max_size=20).filter(any)


@given(WEIGHTS, st.integers(1, 50), st.integers(0, 1000))
def test_each_row_comes_as_often_as_its_weight_says_rounded(weights: list[float], rows: int, seed: int) -> None:
    counts = drawn_counts(np.array(weights), rows, seed=seed)
    expected = rows * np.array(weights) / sum(weights)
    assert counts.sum() == rows
    assert (counts >= np.floor(expected - 1e-9)).all() and (counts <= np.ceil(expected + 1e-9)).all()
    assert (counts[np.array(weights) == 0] == 0).all()


@given(WEIGHTS, st.integers(0, 1000))
def test_the_scale_of_the_weights_does_not_matter(weights: list[float], seed: int) -> None:
    counts = drawn_counts(np.array(weights), 7, seed=seed)
    assert (counts == drawn_counts(4 * np.array(weights), 7, seed=seed)).all()


def test_the_mean_over_seeds_is_in_proportion_to_the_weights() -> None:
    weights = np.array([0.1, 0.9, 0.0, 0.5, 0.5])
    mean = np.mean([drawn_counts(weights, 6, seed=seed) for seed in range(2000)], axis=0)
    assert mean == pytest.approx([0.3, 2.7, 0, 1.5, 1.5], abs=0.05)


@pytest.mark.parametrize(
    ("weights", "rows", "message"),
    [([1.0], 0, "rows is 0"), ([-1.0, 1], 1, "weight is -1"), ([0.0, 0], 1, "all 2 rows"), ([np.nan], 1, "weight is")],
)
def test_what_cannot_be_drawn_from_is_refused(weights: list[float], rows: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        drawn_counts(np.array(weights), rows, seed=0)
