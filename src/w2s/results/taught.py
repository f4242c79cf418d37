"""How many of the labels in a training set are right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s.gold import Gold, known_rows, right_rows

__all__ = ["COLUMNS", "LabelsRight", "labels_right"]

COLUMNS = ("question_id", "answer", "weight", "group")
"""What is read of a training set."""


class LabelsRight(NamedTuple):
    """Shares of right labels.

    Attributes:
        plain: Of all labels. The options of a question that are weighted by their probability are one label, which
            says the likeliest of them.
        weighted: Of all rows, each counted by its weight.
    """

    plain: float
    weighted: float


def labels_right(training_set: pa.Table, transfer: Gold, others: Gold) -> LabelsRight | None:
    """Hold a training set's labels against ground truth; None where that is known of no question in it.

    Args:
        training_set: With `COLUMNS`.
        transfer: Ground truth of the questions that are labelled.
        others: That of questions which a student may learn the right answers of. It counts only where the set has
            nothing else: right answers that were added to labels say nothing of these.
    """
    known = known_rows(training_set, transfer)
    gold = transfer if known.any() else others
    known = known if known.any() else known_rows(training_set, others)
    if not known.any():
        return None
    right = right_rows(training_set, gold)[known]
    weights = training_set["weight"].to_numpy().astype(np.float64)[known]
    first = _likeliest(training_set["group"].to_pylist(), weights, known)
    return LabelsRight(float(right[first].mean()), float(np.average(right, weights=weights)))


def _likeliest(
    groups: list[int | None], weights: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Of the known rows, the one of each group that weighs most, the first of several; a row of no group is its own."""
    own = np.array([-1 - row if group is None else group for row, group in enumerate(groups)])[known]
    order = np.lexsort((-weights, own))  # keeps the rows' order where both are the same
    starts = np.flatnonzero(np.diff(own[order], prepend=own[order[:1]] - 1))
    return order[starts]
