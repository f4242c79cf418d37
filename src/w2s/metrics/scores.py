"""Point estimates: accuracy, PGR, and whether a score tells right from wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast, overload

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError

__all__ = ["Bools", "Floats", "RiskCoverage", "accuracy", "as_correct", "as_scored", "auroc", "pgr", "risk_coverage"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class RiskCoverage(NamedTuple):
    """Accuracy on the answers that score highest, by how many of them are taken.

    Attributes:
        coverage: Share of the answers taken, (levels,), rising to 1; one level for each distinct score.
        accuracy: Accuracy of the answers taken, (levels,).
        area: Mean of that accuracy over all coverages, answers of equal score in random order.
    """

    coverage: Floats
    accuracy: Floats
    area: float


def accuracy(correct: npt.ArrayLike) -> float:
    """Share of correct answers, over questions and seeds; nan where there are none.

    Raises:
        InputError: `correct` is not an array of booleans of one or two dimensions.
    """
    checked = as_correct(correct)
    return float(checked.mean()) if checked.size else math.nan


@overload
def pgr(*, weak: float, student: float, ceiling: float) -> float: ...
@overload
def pgr(*, weak: npt.ArrayLike, student: npt.ArrayLike, ceiling: npt.ArrayLike) -> float | Floats: ...
def pgr(*, weak: npt.ArrayLike, student: npt.ArrayLike, ceiling: npt.ArrayLike) -> float | Floats:
    """Performance gap recovered, `(student − weak) / (ceiling − weak)`: Burns et al. (2023), arXiv 2312.09390.

    Args:
        weak: Accuracy of the weak supervisor.
        student: Accuracy of the strong student that learned from it.
        ceiling: Accuracy of the same student, trained on ground truth.

    Returns:
        0 = no better than the weak supervisor, 1 = all of the gap; values below 0 and above 1 are possible. nan if
        ceiling ≤ weak. An array if any argument is one, broadcast as in numpy.
    """
    weak, student, ceiling = (np.asarray(value, dtype=np.float64) for value in (weak, student, ceiling))
    weak, student, ceiling = np.broadcast_arrays(weak, student, ceiling)
    gap = ceiling - weak
    ratio = np.divide(student - weak, gap, out=np.full(gap.shape, np.nan), where=gap > 0)
    return ratio if ratio.ndim else float(ratio)


def auroc(score: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Probability that a correct answer scores higher than a wrong one; ties count one half.

    Args:
        score: (answers,), higher = more trusted.
        correct: (answers,).

    Returns:
        1 = a perfect score, .5 = no better than chance; nan if all answers are correct, or none.

    Raises:
        InputError: The arrays differ in length, or a score is nan.
    """
    scores, hits = as_scored(score, correct)
    positives = int(hits.sum())
    negatives = len(hits) - positives
    if not positives or not negatives:
        return math.nan
    # Mann–Whitney: the rank of a tied score is the mean of the ranks that the tie takes up.
    _, level, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[level]
    return float((rank[hits].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def risk_coverage(score: npt.ArrayLike, correct: npt.ArrayLike) -> RiskCoverage:
    """Accuracy of the answers that score highest, as more and more are taken.

    Answers of equal score cannot be told apart, so a point of the curve takes all of them or none.

    Args:
        score: (answers,), higher = more trusted.
        correct: (answers,).

    Raises:
        InputError: The arrays differ in length or are empty, or a score is nan.
    """
    scores, hits = as_scored(score, correct, empty=False)
    _, level, count = np.unique(-scores, return_inverse=True, return_counts=True)
    level_hits = np.bincount(level, weights=hits)
    taken = np.cumsum(count)
    # In random order within a level, the k-th answer is right with the level's rate.
    expected_hits = np.cumsum(np.repeat(level_hits / count, count))
    area = np.mean(expected_hits / np.arange(1, len(hits) + 1))
    return RiskCoverage(taken / len(hits), np.cumsum(level_hits) / taken, float(area))


def as_correct(correct: npt.ArrayLike, *, empty: bool = True) -> Bools:
    """(seeds, questions) of booleans, from that or (questions,)."""
    try:
        array = np.asarray(correct)
    except ValueError:  # of rows of different length
        lengths = ", ".join(str(np.size(row)) for row in cast("Sequence[npt.ArrayLike]", correct))
        raise InputError(f"seeds of {lengths} questions: expected the same questions for each") from None
    if array.ndim not in (1, 2):
        raise InputError(f"an array of shape {array.shape}: expected (questions,) or (seeds, questions)")
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise InputError(f"correct holds {array[~np.isin(array, (0, 1))][0]!r}: expected booleans, or 0 and 1")
    if not empty and not array.size:
        raise InputError(f"an array of shape {array.shape}: expected at least one question")
    return np.atleast_2d(array).astype(np.bool_)


def as_scored(score: npt.ArrayLike, correct: npt.ArrayLike, *, empty: bool = True) -> tuple[Floats, Bools]:
    """Scores and correctness of the same answers, (answers,) each; of none only where they may be `empty`."""
    scores = np.asarray(score, dtype=np.float64)
    hits = as_correct(correct, empty=empty)
    if scores.ndim != 1 or hits.shape != (1, len(scores)):
        raise InputError(f"scores of shape {scores.shape}: expected one for each answer of shape {np.shape(correct)}")
    if np.isnan(scores).any():
        raise InputError(f"the score of answer {int(np.argmax(np.isnan(scores)))} (from 0) is nan: expected a number")
    return scores, hits[0]
