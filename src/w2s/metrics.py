"""How good a model is, how sure that is, and whether a score tells right from wrong. Arrays only.

`correct` is always an array of booleans (or 0 and 1), of shape (questions,) for one run or
(seeds, questions) for several that were tested on the same questions.

Uncertainty. The questions are a sample of those that could have been asked, and the seeds of the runs that
could have been made; both vary, and they are crossed: each seed was tested on each question.

* **Three seeds and more**: the variance of a mean over both is estimated from the mean squares of seeds, of
  questions and of what is left, `(MS_seed + MS_question − MS_error) / (seeds × questions)`, and never taken to be less
  than the larger of `MS_seed` and `MS_question` over `seeds × questions`. Intervals use Student's t with
  Satterthwaite's degrees of freedom, at least `seeds − 1`. In simulation (`benchmarks/coverage.py`, docs/statistics.md)
  95% intervals of a difference cover .95 to .98 with 3 seeds, .96 to .98 with 5 and .94 to .98 with 10.
* **Two seeds** are too few to say how seeds vary: the mean, and no interval.
* **One run** has an interval over its questions alone. It says how sure the result of *that run* is and not what
  another seed would give: of a difference it covers that in three cases of four only, so there is no p-value.

Methods that were tested on the same questions are compared question by question, and the three terms of a PGR move
together (Fieller's interval of a ratio).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError

__all__ = [
    "Difference",
    "Interval",
    "PgrEstimate",
    "RiskCoverage",
    "accuracy",
    "accuracy_interval",
    "auroc",
    "difference_interval",
    "difference_over_disjoint",
    "holm",
    "pgr",
    "pgr_interval",
    "risk_coverage",
]

Floats = npt.NDArray[np.float64]

_LEVEL = 0.95  # of every interval
_Z = NormalDist().inv_cdf((1 + _LEVEL) / 2)


class Interval(NamedTuple):
    """An estimate and its 95% interval, nan where there is none."""

    estimate: float
    low: float
    high: float


class Difference(NamedTuple):
    """A paired difference, its 95% interval, and the two-sided p-value of no difference; nan where there is none."""

    estimate: float
    low: float
    high: float
    p_value: float


class PgrEstimate(NamedTuple):
    """A PGR and its 95% interval; all three nan where it is not defined, and why."""

    estimate: float
    low: float
    high: float
    defined: bool
    reason: str


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
    checked = _as_correct(correct)
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
        0 = no better than the weak supervisor, 1 = all of the gap; can lie outside both. nan where
        ceiling ≤ weak. An array where any argument is one, broadcast as numpy does.
    """
    weak, student, ceiling = (np.asarray(value, dtype=np.float64) for value in (weak, student, ceiling))
    weak, student, ceiling = np.broadcast_arrays(weak, student, ceiling)
    gap = ceiling - weak
    ratio = np.divide(student - weak, gap, out=np.full(gap.shape, np.nan), where=gap > 0)
    return ratio if ratio.ndim else float(ratio)


def accuracy_interval(correct: npt.ArrayLike) -> Interval:
    """Accuracy with its 95% interval.

    One run: Wilson's score interval of a proportion (Wilson 1927), which holds its level near 0 and 1 and at
    small sizes. Three seeds and more: the crossed variance (see above); Wilson's over questions where all answers
    are correct, or none. Two seeds: no interval.

    Args:
        correct: (questions,) or (seeds, questions).

    Raises:
        InputError: No questions.
    """
    checked = _as_correct(correct, empty=False)
    estimate = float(checked.mean())
    seeds, questions = checked.shape
    if seeds == 1 or estimate in (0.0, 1.0):
        from scipy.stats import binomtest

        found = binomtest(round(estimate * questions), questions).proportion_ci(_LEVEL, method="wilson")
        return Interval(estimate, float(found.low), float(found.high))
    if seeds == 2:
        return Interval(estimate, math.nan, math.nan)
    half = _crossed(checked.astype(np.float64)).half()
    return Interval(estimate, max(0.0, estimate - half), min(1.0, estimate + half))


def difference_interval(a: npt.ArrayLike, b: npt.ArrayLike) -> Difference:
    """Accuracy of a minus that of b on the same questions, with its 95% interval and a p-value.

    One run: the interval of Bonett and Price (2012) for a paired difference of proportions, which is no point even
    where the two agree everywhere; no p-value, since another seed is not in it. Three seeds and more: the crossed
    variance, and the p-value of the same t. Two seeds: neither.

    Args:
        a: (questions,) or (seeds, questions).
        b: The same questions and seeds; (questions,) is the same for every seed.

    Raises:
        InputError: No questions, or shapes that do not fit each other.
    """
    first, second = _as_pair(a, b)
    difference = first.astype(np.float64) - second
    estimate = float(difference.mean())
    seeds, questions = difference.shape
    if seeds == 1:
        only_a, only_b = int(np.sum(first & ~second)), int(np.sum(~first & second))
        share_a, share_b = (only_a + 1) / (questions + 2), (only_b + 1) / (questions + 2)
        half = _Z * math.sqrt((share_a + share_b - (share_a - share_b) ** 2) / (questions + 2))
        centre = share_a - share_b
        return Difference(estimate, max(-1.0, centre - half), min(1.0, centre + half), math.nan)
    if seeds == 2:
        return Difference(estimate, math.nan, math.nan, math.nan)
    crossed = _crossed(difference)
    half = crossed.half()
    return Difference(estimate, estimate - half, estimate + half, crossed.p_value(estimate))


def difference_over_disjoint(a: Sequence[npt.ArrayLike], b: Sequence[npt.ArrayLike]) -> Difference:
    """Accuracy of a minus that of b, where each seed was tested on questions of its own.

    The seeds' differences are then independent, and Student's t over them covers questions and seeds alike. It does
    not where two seeds share questions.

    Args:
        a: (questions,) of each seed.
        b: The same questions of each seed.

    Raises:
        InputError: Numbers of seeds or questions do not fit each other.
    """
    if len(a) != len(b) or not a:
        raise InputError(f"{len(a)} and {len(b)} seeds: expected as many of each, and at least one")
    means: list[float] = []
    for one, other in zip(a, b, strict=True):
        first, second = _as_pair(one, other)
        means.append(float(first.mean() - second.mean()))
    estimate = float(np.mean(means))
    if len(means) < 3:
        return Difference(estimate, math.nan, math.nan, math.nan)
    variance = float(np.var(means, ddof=1)) / len(means)
    crossed = _Crossed(variance, len(means) - 1)
    half = crossed.half()
    return Difference(estimate, estimate - half, estimate + half, crossed.p_value(estimate))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for being several (Holm 1979): the chance of any false one among all is at most the level.

    Args:
        p_values: Of the comparisons; nan where there is none, which counts as no comparison.

    Returns:
        The adjusted ones, in the same order.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[index] = highest
    return adjusted


def pgr_interval(weak: npt.ArrayLike, student: npt.ArrayLike, ceiling: npt.ArrayLike) -> PgrEstimate:
    """PGR with its 95% interval, from the ratio of mean accuracies; or the reason why there is none.

    A ratio means nothing where its denominator may be zero: PGR is not defined where the 95% interval of
    `ceiling − weak` does not lie above 0. Where it does, the interval is Fieller's (1954): all ratios θ for which
    `(student − weak) − θ (ceiling − weak)` is not significantly different from 0, with the variance of that combination
    over questions (one run) or over questions and seeds (three and more). Two seeds: no interval.

    Args:
        weak: Weak supervisor, (questions,) or (seeds, questions).
        student: Strong student, likewise, on the same questions.
        ceiling: Student trained on ground truth, likewise.

    Raises:
        InputError: No questions, or shapes that do not fit each other.
    """
    first, second = _as_pair(student, weak)
    third, fourth = _as_pair(ceiling, weak)
    gain = first.astype(np.float64) - second
    gap = third.astype(np.float64) - fourth
    seeds = max(len(gain), len(gap))
    gain, gap = (np.broadcast_to(array, (seeds, array.shape[1])) for array in (gain, gap))
    if gain.shape != gap.shape:
        raise InputError(f"{gain.shape[1]} and {gap.shape[1]} questions: expected the same ones")
    numerator, denominator = float(gain.mean()), float(gap.mean())
    half = _crossed(gap).half()
    if not denominator - half > 0:
        low, high = f"{denominator - half:+.3f}", f"{denominator + half:+.3f}"
        reason = f"ceiling - weak is {denominator:+.3f}, 95% interval {low} to {high}: not clearly above 0"
        return PgrEstimate(math.nan, math.nan, math.nan, False, reason)
    estimate = numerator / denominator
    if seeds == 2:
        return PgrEstimate(estimate, math.nan, math.nan, True, "")

    def outside(theta: float) -> bool:
        return abs(numerator - theta * denominator) > _crossed(gain - theta * gap).half()

    return PgrEstimate(estimate, _edge(estimate, -1.0, outside), _edge(estimate, 1.0, outside), True, "")


def auroc(score: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Probability that a correct answer scores higher than a wrong one, ties one half.

    Args:
        score: (answers,), higher = more trusted.
        correct: (answers,).

    Returns:
        1 = the score tells all, .5 = nothing; nan where all answers are correct, or none.

    Raises:
        InputError: The arrays differ in length, or a score is nan.
    """
    scores, hits = _as_scored(score, correct)
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
    scores, hits = _as_scored(score, correct)
    if not len(hits):
        raise InputError("no answers: expected at least one")
    _, level, count = np.unique(-scores, return_inverse=True, return_counts=True)
    level_hits = np.bincount(level, weights=hits)
    taken = np.cumsum(count)
    # In random order within a level, the k-th answer is right with the level's rate.
    expected_hits = np.cumsum(np.repeat(level_hits / count, count))
    area = np.mean(expected_hits / np.arange(1, len(hits) + 1))
    return RiskCoverage(taken / len(hits), np.cumsum(level_hits) / taken, float(area))


def _as_correct(correct: npt.ArrayLike, *, empty: bool = True) -> npt.NDArray[np.bool_]:
    """(seeds, questions) of booleans, from that or (questions,)."""
    array = np.asarray(correct)
    if array.ndim not in (1, 2):
        raise InputError(f"an array of shape {array.shape}: expected (questions,) or (seeds, questions)")
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise InputError(f"correct holds {array[~np.isin(array, (0, 1))][0]!r}: expected booleans, or 0 and 1")
    if not empty and not array.size:
        raise InputError(f"an array of shape {array.shape}: expected at least one question")
    return np.atleast_2d(array).astype(np.bool_)


def _as_scored(score: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Scores and correctness of the same answers, (answers,) each."""
    scores = np.asarray(score, dtype=np.float64)
    hits = _as_correct(correct)
    if scores.ndim != 1 or hits.shape != (1, len(scores)):
        raise InputError(f"scores of shape {scores.shape}: expected one for each answer of shape {np.shape(correct)}")
    if np.isnan(scores).any():
        raise InputError(f"the score of answer {int(np.argmax(np.isnan(scores)))} (from 0) is nan: expected a number")
    return scores, hits[0]


def _as_pair(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Two arrays of the same questions and seeds, (seeds, questions) each."""
    first, second = _as_correct(a, empty=False), _as_correct(b, empty=False)
    seeds = max(len(first), len(second))
    if first.shape[1] != second.shape[1] or not {len(first), len(second)} <= {1, seeds}:
        raise InputError(
            f"arrays of {first.shape[0]} seeds x {first.shape[1]} questions and {second.shape[0]} x {second.shape[1]}: "
            "expected the same, or one seed in one of them"
        )
    shape = (seeds, first.shape[1])
    return np.broadcast_to(first, shape), np.broadcast_to(second, shape)


class _Crossed(NamedTuple):
    """The variance of a mean over seeds and questions, and its degrees of freedom (inf: normal)."""

    variance: float
    degrees: float

    def half(self) -> float:
        """Half the width of the 95% interval."""
        from scipy.special import stdtrit

        t = _Z if math.isinf(self.degrees) else float(stdtrit(self.degrees, (1 + _LEVEL) / 2))
        return t * math.sqrt(self.variance)

    def p_value(self, estimate: float) -> float:
        """Two-sided, of no difference."""
        from scipy.special import stdtr

        if self.variance == 0:
            return 1.0 if estimate == 0 else 0.0
        return float(2 * stdtr(self.degrees, -abs(estimate) / math.sqrt(self.variance)))


def _crossed(values: Floats) -> _Crossed:
    """The variance of the mean of (seeds, questions) values; over questions alone with fewer than three seeds.

    Two-way analysis of variance without replication, both factors random: the mean squares of seeds and of questions
    each hold the error once, so their sum holds it once too often. Degrees after Satterthwaite (1946).
    """
    seeds, questions = values.shape
    size = seeds * questions
    by_question = values.mean(axis=0)
    if seeds < 3 or questions < 2:
        variance = float(by_question.var(ddof=1)) / questions if questions > 1 else 0.25
        return _Crossed(variance, math.inf)
    mean, by_seed = values.mean(), values.mean(axis=1)
    ms_seed = questions * float(by_seed.var(ddof=1))
    ms_question = seeds * float(by_question.var(ddof=1))
    rest = values - by_seed[:, None] - by_question + mean
    ms_error = float((rest**2).sum()) / ((seeds - 1) * (questions - 1))
    total = max(ms_seed + ms_question - ms_error, ms_seed, ms_question)
    spread = ms_seed**2 / (seeds - 1) + ms_question**2 / (questions - 1) + ms_error**2 / ((seeds - 1) * (questions - 1))
    degrees = max(total**2 / spread, seeds - 1.0) if spread > 0 else seeds - 1.0
    return _Crossed(total / size, degrees)


def _edge(estimate: float, direction: float, outside: Callable[[float], bool]) -> float:
    """The last value from an estimate on, in a direction, that is not outside an interval."""
    step = 0.25
    while not outside(estimate + direction * step):
        step *= 2
        if step > 1e6:
            return direction * math.inf
    near, far = 0.0, step
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (near, middle) if outside(estimate + direction * middle) else (middle, far)
    return estimate + direction * near
