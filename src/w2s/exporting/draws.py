"""Weights as repeated rows, for trainers that read no weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError

__all__ = ["drawn_counts"]


def drawn_counts(weights: npt.NDArray[np.float64], rows: int, *, seed: int) -> npt.NDArray[np.int64]:
    """How often each row is repeated, in proportion to its weight: systematic sampling (Madow 1949).

    A row of weight w of a total W is repeated `rows * w / W` times, rounded up or down at random so that this is its
    expectation. The weighted mean of any loss over the rows is then the expected plain mean over the repeated ones.

    Args:
        weights: (rows of the set,) of 0 or more.
        rows: How many repeated rows there are in all.
        seed: Of the rounding.

    Returns:
        (rows of the set,) whole numbers that add up to `rows`.

    Raises:
        InputError: A weight is below 0 or no number, all are zero, or there is to be no row.
    """
    if rows < 1:
        raise InputError(f"rows is {rows}: expected 1 or more")
    if wrong := [weight for weight in weights if not 0 <= weight < np.inf]:
        raise InputError(f"weight is {wrong[0]}: expected a number of 0 or more")
    if not weights.sum() > 0:
        raise InputError(f"all {len(weights)} rows have weight 0: there is none to draw")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(weights))  # which rows are rounded up together is left to chance
    ends = np.cumsum(weights[order])
    # Each point of a grid of step 1 belongs to the row whose interval it falls into.
    below = np.ceil(rows * (ends / ends[-1]) - rng.random())
    below[-1] = rows
    counts = np.empty(len(weights), np.int64)
    counts[order] = np.diff(np.clip(below, 0, rows), prepend=0).astype(np.int64)
    return counts
