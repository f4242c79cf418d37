"""Runs to measure: which questions each has right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

__all__ = ["CORRECT", "Correct", "run"]


Correct = npt.NDArray[np.bool_]
CORRECT = hnp.arrays(np.bool_, st.integers(1, 30))


def run(right: int, of: int) -> Correct:
    """A run that is right on the first questions."""
    return np.arange(of) < right
