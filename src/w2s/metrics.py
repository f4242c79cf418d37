"""How good a model is, how sure that is, and whether a score tells right from wrong. Arrays only.

`correct` is always an array of booleans (or 0 and 1), of shape (questions,) for one run or
(seeds, questions) for several that were tested on the same questions.

Uncertainty. The questions are a sample of those that could have been asked, and the seeds of the runs that
could have been made. A resample draws both with replacement, independently of each other (the two-way, or
"pigeonhole", bootstrap: Owen 2007, The pigeonhole bootstrap, Annals of Applied Statistics 1(2)), and the
same draws serve every array. Methods that were tested on the same questions are therefore compared question
by question, and the three terms of a PGR move together. With one run the seeds do not vary: its interval
says how sure the result of *that run* is, not what another seed would give. With several, the luck of a
single answer counts in both draws, so intervals are wider than they need be where seeds differ by nothing
else; where they truly differ, two or three are too few to say by how much, and intervals are a little narrow
(in simulation 95% intervals of PGR from 3 seeds cover 99% and 93% of the time).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError

__all__ = [
    "Difference",
    "Interval",
    "PgrEstimate",
    "Resamples",
    "RiskCoverage",
    "accuracy",
    "accuracy_interval",
    "auroc",
    "difference_interval",
    "pgr",
    "pgr_interval",
    "risk_coverage",
]

Floats = npt.NDArray[np.float64]

_LEVEL = 0.95  # of every interval
_CHUNK_CELLS = 4_000_000  # cells of the counts matrix that are worked on at a time


class Interval(NamedTuple):
    """An estimate and its 95% interval."""

    estimate: float
    low: float
    high: float


class Difference(NamedTuple):
    """A paired difference, its 95% interval, and the two-sided p-value of no difference."""

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


class Resamples:
    """Resamples of questions and seeds, drawn once, for any number of arrays.

    The replicates that two arrays get from one object are paired, so any function of several of them is a
    bootstrap of that function: `resamples.means(a) - resamples.means(b)`. Objects made with the same
    arguments are the same. Memory is one byte a resample and question: 50 MB for 10,000 × 5,000.
    """

    def __init__(self, num_questions: int, *, num_seeds: int = 1, num_resamples: int = 10_000, seed: int = 0) -> None:
        """Draw.

        Args:
            num_questions: Questions of the arrays to come.
            num_seeds: Their seeds; 1 = seeds are not resampled.
            num_resamples: How often to draw.
            seed: Of the random draws, nothing to do with the seeds of the runs.

        Raises:
            InputError: A number is below 1.
        """
        for name, value in {
            "num_questions": num_questions,
            "num_seeds": num_seeds,
            "num_resamples": num_resamples,
        }.items():
            if value < 1:
                raise InputError(f"{name} {value}: expected at least 1")
        self.num_questions = num_questions
        self.num_seeds = num_seeds
        self.num_resamples = num_resamples
        question_rng, seed_rng = np.random.default_rng(seed).spawn(2)
        self._question_counts = _draw_counts(question_rng, num_resamples, num_questions)
        self._seed_counts = _draw_counts(seed_rng, num_resamples, num_seeds)

    def means(self, correct: npt.ArrayLike) -> Floats:
        """Accuracy in each resample, (resamples,).

        Args:
            correct: (questions,), or (seeds, questions). The first is the same for every seed.

        Raises:
            InputError: The shape is not that of the resamples.
        """
        checked = _as_correct(correct)
        seeds, questions = checked.shape
        if questions != self.num_questions or seeds not in (1, self.num_seeds):
            raise InputError(
                f"an array of {seeds} seeds x {questions} questions: "
                f"expected {self.num_seeds} (or 1) x {self.num_questions}, as in the others"
            )
        hits = checked.T.astype(np.float32)  # sums of whole numbers: exact in float32 up to 2**24
        by_seed = np.empty((self.num_resamples, seeds))
        for rows in _row_chunks(self.num_resamples, questions):
            by_seed[rows] = self._question_counts[rows].astype(np.float32) @ hits
        weights = self._seed_counts if seeds > 1 else np.ones_like(by_seed)
        means: Floats = np.sum(by_seed * weights, axis=1) / (seeds * questions)
        return means


def accuracy_interval(correct: npt.ArrayLike, *, resamples: Resamples | None = None) -> Interval:
    """Accuracy with its 95% interval.

    One run: Wilson's score interval of a proportion (Wilson 1927), which holds its level near 0 and 1 and
    at small sizes, where a bootstrap does not: of answers that are all correct it makes [1, 1]. Several
    seeds: percentiles of the two-way bootstrap, since answers to one question are not independent; and
    Wilson's over questions where all answers are correct, or none.

    Args:
        correct: (questions,) or (seeds, questions).
        resamples: Drawn before, to share between calls; by default `Resamples` of this shape, drawn anew.

    Raises:
        InputError: No questions, or a shape that is not that of the resamples.
    """
    checked = _as_correct(correct, empty=False)
    estimate = float(checked.mean())
    seeds, questions = checked.shape
    if seeds == 1 or estimate in (0.0, 1.0):
        return _wilson(estimate, questions)
    return _percentiles(estimate, (resamples or _draw_for(checked)).means(checked))


def difference_interval(a: npt.ArrayLike, b: npt.ArrayLike, *, resamples: Resamples | None = None) -> Difference:
    """Accuracy of a minus that of b on the same questions, with its 95% interval and a p-value.

    The interval is the percentile interval of the paired bootstrap. The p-value is that of McNemar's exact
    test with one run (the questions that only one of the two got right are a fair coin if they are equally
    good), and with several seeds that of the bootstrap, `2 (1 + min(#≤0, #≥0)) / (1 + resamples)`, at most
    1. They can disagree at the border: with few differing questions trust the exact test.

    Args:
        a: (questions,) or (seeds, questions).
        b: The same questions and seeds; (questions,) is the same for every seed.
        resamples: Drawn before, to share between calls; by default `Resamples` of this shape, drawn anew.

    Raises:
        InputError: No questions, or shapes that do not fit each other.
    """
    a, b = _as_correct(a, empty=False), _as_correct(b, empty=False)
    drawn = resamples or _draw_for(a, b)
    replicates = drawn.means(a) - drawn.means(b)
    interval = _percentiles(float(a.mean() - b.mean()), replicates)
    if len(a) == len(b) == 1:
        p_value = _mcnemar(int(np.sum(a & ~b)), int(np.sum(~a & b)))
    else:
        tail = min(np.sum(replicates <= 0), np.sum(replicates >= 0))
        p_value = min(1.0, 2 * (1 + int(tail)) / (1 + drawn.num_resamples))
    return Difference(*interval, p_value)


def pgr_interval(
    weak: npt.ArrayLike, student: npt.ArrayLike, ceiling: npt.ArrayLike, *, resamples: Resamples | None = None
) -> PgrEstimate:
    """PGR with its 95% interval, from the ratio of mean accuracies; or the reason why there is none.

    A ratio means nothing where its denominator may be zero: PGR is not defined where the 95% interval of
    `ceiling − weak` does not lie above 0. Where it does, a few resamples (under 2.5%) can still have no
    positive gap. They count as beyond every PGR, on the side of the student's gain, rather than being left
    out, which would make the interval too narrow; it stays finite.

    Args:
        weak: Weak supervisor, (questions,) or (seeds, questions).
        student: Strong student, likewise, on the same questions.
        ceiling: Student trained on ground truth, likewise.
        resamples: Drawn before, to share between calls; by default `Resamples` of this shape, drawn anew.

    Raises:
        InputError: No questions, or shapes that do not fit each other.
    """
    weak, student, ceiling = (_as_correct(array, empty=False) for array in (weak, student, ceiling))
    drawn = resamples or _draw_for(weak, student, ceiling)
    weak_means = drawn.means(weak)
    gain = drawn.means(student) - weak_means
    gap = drawn.means(ceiling) - weak_means
    gap_interval = _percentiles(float(ceiling.mean() - weak.mean()), gap)
    if not gap_interval.low > 0:
        low, high = f"{gap_interval.low:+.3f}", f"{gap_interval.high:+.3f}"
        reason = f"ceiling - weak is {gap_interval.estimate:+.3f}, 95% interval {low} to {high}: not clearly above 0"
        return PgrEstimate(math.nan, math.nan, math.nan, False, reason)
    ratio = np.divide(gain, gap, out=np.where(gain < 0, -np.inf, np.inf), where=gap > 0)
    estimate = pgr(weak=float(weak.mean()), student=float(student.mean()), ceiling=float(ceiling.mean()))
    return PgrEstimate(*_percentiles(estimate, ratio), True, "")


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


def _draw_for(*arrays: npt.NDArray[np.bool_]) -> Resamples:
    """The default resamples for arrays of (seeds, questions)."""
    return Resamples(arrays[0].shape[1], num_seeds=max(len(array) for array in arrays))


def _draw_counts(rng: np.random.Generator, num_resamples: int, size: int) -> npt.NDArray[np.uint8]:
    """How often each of `size` units is in each resample, (resamples, size); every row sums to `size`."""
    counts = np.empty((num_resamples, size), np.uint8)  # a byte is enough: a count is near Poisson(1)
    for rows in _row_chunks(num_resamples, size):
        num_rows = rows.stop - rows.start
        drawn = rng.integers(size, size=(num_rows, size)) + np.arange(0, num_rows * size, size)[:, None]
        counts[rows] = np.bincount(drawn.ravel(), minlength=num_rows * size).reshape(num_rows, size)
    return counts


def _row_chunks(num_rows: int, num_columns: int) -> list[slice]:
    """Blocks of rows of a matrix that bound the memory of working on it."""
    step = max(1, _CHUNK_CELLS // num_columns)
    return [slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step)]


def _percentiles(estimate: float, replicates: Floats) -> Interval:
    """The percentile interval: of real replicates, never between two, for one of them may be infinite."""
    tail = (1 - _LEVEL) / 2
    low = np.quantile(replicates, tail, method="lower")
    high = np.quantile(replicates, 1 - tail, method="higher")
    return Interval(estimate, float(low), float(high))


def _wilson(proportion: float, size: int) -> Interval:
    """Wilson's score interval of a proportion of `size` independent trials."""
    z = NormalDist().inv_cdf((1 + _LEVEL) / 2)
    scale = 1 + z * z / size
    centre = (proportion + z * z / (2 * size)) / scale
    half = z * math.sqrt(proportion * (1 - proportion) / size + z * z / (4 * size * size)) / scale
    # Exact at the ends, where rounding could leave the estimate outside.
    low = 0.0 if proportion == 0 else centre - half
    high = 1.0 if proportion == 1 else centre + half
    return Interval(proportion, low, high)


def _mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value of McNemar (1947): `only_a` of the differing questions from a fair coin."""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
