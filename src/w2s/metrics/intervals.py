"""How sure a number is: 95% intervals over questions and seeds, and p-values. docs/statistics.md has the formulas.

The questions are a sample of those that could have been asked, and the seeds of the runs that could have been made;
both vary, and they are crossed: each seed was tested on each question, or, given `question_ids`, on some of them.

* **Three seeds and more**: the variance of a mean over both is estimated from the mean squares of seeds, of
  questions and of what is left, `(MS_seed + MS_question − MS_error) / (seeds × questions)`, and never taken to be less
  than the larger of `MS_seed` and `MS_question` over `seeds × questions`. Intervals use Student's t with
  Satterthwaite's degrees of freedom, at least one less than the fewer of seeds and questions.
* **Two seeds** are too few to say how seeds vary: the mean and each seed's own value, and no interval.
* **One run** has an interval over its questions alone. It says how sure the result of *that run* is and not what
  another seed would give, so there is no p-value.

Methods that were tested on the same questions are compared question by question, and the three terms of a PGR move
together (Fieller's interval of a ratio).

Measured by `benchmarks/coverage.py` on 400 questions, where seeds move all accuracies by up to .04 together and each by
up to .04 more: from three seeds on, 95% intervals of a difference and of a PGR hold the truth in .93 to .99 of the
cases, those of an accuracy in .92 to .96. One run's interval of a difference holds it in .57 to .81 where each model
moves by .02 to .04 of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError
from w2s.metrics.crossed import NO_SPREAD, MeanSquares, Spread, Z, fieller
from w2s.metrics.scores import Floats
from w2s.metrics.tested import QuestionIds, as_same_shape, as_tested

__all__ = [
    "Difference",
    "Interval",
    "PgrEstimate",
    "Scope",
    "accuracy_interval",
    "difference_interval",
    "difference_over_disjoint",
    "exact_test",
    "holm",
    "pgr_interval",
    "share_interval",
    "wilson",
]

Scope = Literal["run", "seeds", "none"]

_TWO_SEEDS = "two seeds are too few for an interval: expected three or more"
_ONE_QUESTION = "one question is too little for an interval over seeds and questions"


class Interval(NamedTuple):
    """An estimate and its 95% interval.

    Attributes:
        estimate: Over all questions and seeds.
        low: Lower end of the interval, nan where there is none.
        high: Upper end, likewise.
        scope: What the interval covers: "run" = other questions, put to this very run; "seeds" = other questions and
            other seeds; "none" = there is no interval.
        reason: Why there is no interval.
        by_seed: Each seed's own estimate, where there are several.
    """

    estimate: float
    low: float
    high: float
    scope: Scope = "run"
    reason: str = ""
    by_seed: tuple[float, ...] | None = None


class Difference(NamedTuple):
    """A paired difference, its 95% interval, and the two-sided p-value of no difference.

    Attributes:
        estimate: Over all questions and seeds.
        low: Lower end of the interval, nan where there is none.
        high: Upper end, likewise.
        p_value: nan for one run and for two seeds.
        scope: What the interval covers, as in `Interval`.
        reason: Why there is no interval.
        by_seed: Each seed's own difference, where there are several.
        standard_error: Over questions and seeds; below three seeds, where seeds' variance is unknown, over questions.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    scope: Scope = "run"
    reason: str = ""
    by_seed: tuple[float, ...] | None = None
    standard_error: float = math.nan


class PgrEstimate(NamedTuple):
    """A PGR and its 95% interval.

    Attributes:
        estimate: The ratio of mean accuracies; nan where it is not defined.
        low: Lower end of the interval, nan where there is none.
        high: Upper end, likewise.
        defined: Whether the gap between ceiling and weak supervisor is clearly positive.
        reason: Why it is not defined, or why there is no interval.
        scope: What the interval covers, as in `Interval`.
        by_seed: Each seed's own ratio, where PGR is defined and there are several; nan where a seed's gap is not
            positive.
    """

    estimate: float
    low: float
    high: float
    defined: bool
    reason: str
    scope: Scope = "run"
    by_seed: tuple[float, ...] | None = None


def accuracy_interval(correct: npt.ArrayLike, *, question_ids: QuestionIds | None = None) -> Interval:
    """Accuracy with its 95% interval.

    One seed: Wilson's score interval of a proportion (Wilson 1927), which keeps its level near 0 and 1 and for small
    samples. Three seeds or more: the crossed variance, or Wilson's over questions if all answers are correct, or none.
    Two seeds: no interval.

    Args:
        correct: (questions,) or (seeds, questions); with `question_ids` (questions,) of each seed.
        question_ids: The questions of each seed, if not all seeds were tested on the same ones.

    Raises:
        InputError: No questions, or question ids that do not fit.
    """
    (values,) = as_tested(question_ids, correct)
    estimate, by_seed = float(np.nanmean(values)), _by_seed(values)
    seeds, questions = values.shape
    if seeds == 1:
        return Interval(estimate, *share_interval(estimate, 0.0, questions))
    if seeds == 2:
        return Interval(estimate, math.nan, math.nan, "none", _TWO_SEEDS, by_seed)
    spread = MeanSquares.of(values[None]).spread(np.ones(1))
    if spread.variance < NO_SPREAD:
        return Interval(estimate, *share_interval(estimate, 0.0, questions), "seeds", "", by_seed)
    if questions == 1:
        return Interval(estimate, math.nan, math.nan, "none", _ONE_QUESTION, by_seed)
    low, high = max(0.0, estimate - spread.half()), min(1.0, estimate + spread.half())
    return Interval(estimate, low, high, "seeds", "", by_seed)


def difference_interval(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    question_ids: QuestionIds | None = None,
) -> Difference:
    """Accuracy of a minus that of b on the same questions, with its 95% interval and a p-value.

    One seed: the interval of Bonett and Price (2012) for a paired difference of proportions, which has a width even
    if the two agree everywhere; no p-value, since other seeds are not covered. Three seeds or more: the crossed
    variance, and the p-value of the same t. Two seeds: neither. If nothing varies between seeds or questions, the
    interval is that of one run, and the p-value that of the exact binomial test (McNemar 1947).

    If seeds were tested on different questions, the crossed variance takes into account which ones they share; if
    they share none it is that of `difference_over_disjoint`.

    Args:
        a: (questions,) or (seeds, questions); with `question_ids` (questions,) of each seed.
        b: The same questions and seeds; (questions,) is the same for every seed.
        question_ids: The questions of each seed, if not all seeds were tested on the same ones.

    Raises:
        InputError: No questions, or shapes or question ids that do not fit each other.
    """
    first, second = as_tested(question_ids, a, b)
    return _difference(first - second)


def difference_over_disjoint(
    a: Sequence[npt.ArrayLike], b: Sequence[npt.ArrayLike], *, question_ids: QuestionIds | None = None
) -> Difference:
    """Accuracy of a minus that of b, where each seed was tested on questions of its own.

    The seeds' differences are then independent, and Student's t over them covers questions and seeds alike; it does not
    where two seeds share questions. It is never narrower than the interval over questions alone.

    Args:
        a: (questions,) of each seed, as many in each.
        b: The same questions of each seed.
        question_ids: The questions of each seed, to be sure that no two seeds share one.

    Raises:
        InputError: Numbers of seeds or questions do not fit each other, or two seeds share a question.
    """
    if question_ids is None:
        question_ids = [[f"{seed}: {number}" for number in range(np.size(one))] for seed, one in enumerate(a)]
    _check_disjoint(question_ids)
    first, second = as_tested(question_ids, cast("npt.ArrayLike", a), cast("npt.ArrayLike", b))
    return _difference(first - second)


def pgr_interval(
    weak: npt.ArrayLike,
    student: npt.ArrayLike,
    ceiling: npt.ArrayLike,
    *,
    question_ids: QuestionIds | None = None,
) -> PgrEstimate:
    """PGR with its 95% interval, from the ratio of mean accuracies; or the reason why there is none.

    A ratio means nothing if its denominator may be zero: PGR is not defined if the 95% interval of
    `ceiling − weak` does not lie above 0. Otherwise the interval is Fieller's (1954): all ratios θ for which
    `(student − weak) − θ (ceiling − weak)` is not significantly different from 0, with the variance of that combination
    over questions (one seed) or over questions and seeds (three or more). Two seeds: no interval, and the gap is
    judged over the questions.

    Args:
        weak: Weak supervisor, (questions,) or (seeds, questions); with `question_ids` (questions,) of each seed.
        student: Strong student, likewise, on the same questions.
        ceiling: Student trained on ground truth, likewise.
        question_ids: The questions of each seed, if not all seeds were tested on the same ones.

    Raises:
        InputError: No questions, or shapes or question ids that do not fit each other.
    """
    low_end, reached, top = as_tested(question_ids, weak, student, ceiling)
    gain, gap = reached - low_end, top - low_end
    two_seeds = len(gap) == 2
    # Two seeds have no interval of their own; whether their gap is positive is asked of the questions.
    of_gap = _difference(np.nanmean(gap, axis=0, keepdims=True) if two_seeds else gap)
    if not of_gap.low > 0:
        reason = f"ceiling - weak is {of_gap.estimate:+.3f}: {of_gap.reason}"
        if not of_gap.reason:
            ends = f"{of_gap.low:+.3f} to {of_gap.high:+.3f}"
            reason = f"ceiling - weak is {of_gap.estimate:+.3f}, 95% interval {ends}: not clearly above 0"
        return PgrEstimate(math.nan, math.nan, math.nan, False, reason, "none")
    estimate = float(np.nanmean(gain) / np.nanmean(gap))
    pairs = zip(np.nanmean(gain, axis=1), np.nanmean(gap, axis=1), strict=True)
    by_seed = tuple(float(top / bottom) if bottom > 0 else math.nan for top, bottom in pairs)
    if two_seeds:
        return PgrEstimate(estimate, math.nan, math.nan, True, _TWO_SEEDS, "none", by_seed)
    low, high = fieller(gain, gap)
    if len(gain) == 1:
        return PgrEstimate(estimate, low, high, True, "")
    return PgrEstimate(estimate, low, high, True, "", "seeds", by_seed)


def exact_test(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """The two-sided p-value of no difference between two runs on the same questions (McNemar 1947, exact).

    Of the questions that only one of them has right, each is as often right as the other. It holds for however few
    questions, and asks nothing of other seeds.

    Args:
        a: (questions,)
        b: (questions,)

    Raises:
        InputError: No questions, several runs, or other shapes.
    """
    first, second = as_same_shape(a, b)
    if len(first) != 1:
        raise InputError(f"arrays of {len(first)} runs: expected one each, (questions,)")
    return _exact_test(first[0].astype(np.float64) - second[0])


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for being several (Holm 1979): the chance of any false one among all is at most the level.

    Args:
        p_values: Of the comparisons; nan where there is none, which counts as no comparison.

    Returns:
        The adjusted ones, in the same order.

    Raises:
        InputError: A p-value is not between 0 and 1.
    """
    for index, p in enumerate(p_values):
        if not (math.isnan(p) or 0 <= p <= 1):
            raise InputError(f"p-value {index + 1} is {p}: expected a number from 0 to 1, or nan")
    known = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[index] = highest
    return adjusted


def _difference(values: Floats) -> Difference:
    """The mean of (seeds, questions) differences, with its interval and p-value."""
    estimate, by_seed = float(np.nanmean(values)), _by_seed(values)
    seeds, questions = values.shape
    by_question = np.nanmean(values, axis=0)
    if seeds == 1:
        low, high = _bonett_price(by_question)
        return Difference(estimate, low, high, math.nan, standard_error=(high - low) / (2 * Z))
    if seeds == 2:
        return _of_two(estimate, by_question, by_seed)
    spread = MeanSquares.of(values[None]).spread(np.ones(1))
    if questions == 1 and spread.variance >= NO_SPREAD:
        return Difference(estimate, math.nan, math.nan, math.nan, "none", _ONE_QUESTION, by_seed)
    return _from_spread(estimate, spread, by_question, by_seed)


def _from_spread(estimate: float, spread: Spread, by_question: Floats, by_seed: tuple[float, ...] | None) -> Difference:
    """A difference over seeds; where nothing varies, as sure as its questions are many."""
    if spread.variance < NO_SPREAD:
        low, high = _bonett_price(by_question)
        error = (high - low) / (2 * Z)
        return Difference(estimate, low, high, _exact_test(by_question), "seeds", "", by_seed, error)
    low, high = max(-1.0, estimate - spread.half()), min(1.0, estimate + spread.half())
    error = math.sqrt(spread.variance)
    return Difference(estimate, low, high, spread.p_value(estimate), "seeds", "", by_seed, error)


def _of_two(estimate: float, by_question: Floats, by_seed: tuple[float, ...] | None) -> Difference:
    """A difference over two seeds: no interval, but how sure its questions make it."""
    low, high = _bonett_price(by_question)
    error = (high - low) / (2 * Z)
    return Difference(estimate, math.nan, math.nan, math.nan, "none", _TWO_SEEDS, by_seed, error)


def _bonett_price(by_question: Floats) -> tuple[float, float]:
    """The interval over questions: as if one more had been won and one more lost, so that it is never a point."""
    size = len(by_question) + 2
    centre = float(by_question.sum()) / size
    half = Z * math.sqrt((float((by_question**2).sum() + 2) / size - centre**2) / size)
    return max(-1.0, centre - half), min(1.0, centre + half)


def _exact_test(by_question: Floats) -> float:
    """Two-sided: of the questions that differ, as many are won as a fair coin would win."""
    from scipy.stats import binomtest

    won, lost = int((by_question > 0).sum()), int((by_question < 0).sum())
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def wilson(shares: Floats, questions: Floats, quantile: float = Z) -> tuple[Floats, Floats]:
    """The 95% score intervals of shares (Wilson 1927): their lower and their upper ends.

    Args:
        shares: (shares,)
        questions: (shares,) of how many questions each is.
        quantile: Of the normal distribution, or of Student's t.
    """
    square = quantile**2
    centre = (shares + square / (2 * questions)) / (1 + square / questions)
    variance = shares * (1 - shares) / questions + square / (4 * questions**2)
    half = quantile * np.sqrt(variance) / (1 + square / questions)
    # An end that is the share itself, at 0 and at 1, is not so after rounding.
    return np.clip(centre - half, 0, shares), np.clip(centre + half, shares, 1)


def share_interval(share: float, variance: float, questions: float, degrees: float = math.inf) -> tuple[float, float]:
    """The 95% interval of a share of known variance: Wilson's, of as many answers as would have that variance.

    It stays within 0 and 1, and has a width even where nothing varied.

    Args:
        share: From 0 to 1; an AUROC is one too.
        variance: Of the share; where it is 0, there are as many answers as questions.
        questions: How many there were.
        degrees: Of freedom of the variance (inf: normal).
    """
    of_one = share * (1 - share)  # the variance of one answer
    answers = of_one / variance if of_one > 0 and variance >= NO_SPREAD else questions
    low, high = wilson(np.array([share]), np.array([float(answers)]), Spread(variance, degrees).quantile())
    return float(low[0]), float(high[0])


def _by_seed(values: Floats) -> tuple[float, ...] | None:
    return tuple(float(mean) for mean in np.nanmean(values, axis=1)) if len(values) > 1 else None


def _check_disjoint(question_ids: QuestionIds) -> None:
    owner: dict[str, int] = {}
    for seed, ids in enumerate(question_ids, start=1):
        for question in ids:
            if owner.setdefault(question, seed) != seed:
                raise InputError(
                    f"question {question!r} is in the test sets of seeds {owner[question]} and {seed} (from 1): "
                    "expected test sets that share none"
                )
