"""How well scores rank the same answers, right ones first, and how sure a difference between two scores is.

For each score: the AUROC; the area under the risk–coverage curve (AURC, Geifman and El-Yaniv 2017, arXiv 1705.08500),
the mean error rate of the answers taken, most trusted first, over all coverages; and the accuracy of those taken at
some coverages. Answers of equal score come in random order.

How sure they are is asked of the questions: a bootstrap draws questions with replacement, each with all its answers
of all seeds, and measures all scores on the same draws, so that a difference is a paired one. Its variance gives the
interval, of an estimate Wilson's (`share_interval`); a difference that does not vary has none. Where there are S
seeds, three or more, the variance is `V_seeds + V_questions − V_error`, at least the larger of the first two, as in
`intervals`: that of the seeds' values over S, that of their mean over the draws, and what is each seed's own in a draw,
which both hold. With Student's t and Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError
from w2s.metrics.crossed import NO_SPREAD, Spread
from w2s.metrics.intervals import share_interval
from w2s.metrics.scores import Floats, as_scored

__all__ = ["COVERAGES", "Measured", "SeedAnswers", "compare_rankings", "measure_names", "rank"]

COVERAGES = (0.25, 0.5, 0.75)
_DRAWS = 300  # of the bootstrap: its standard deviations are uncertain by 4%

Ints = npt.NDArray[np.int64]


class SeedAnswers(NamedTuple):
    """The answers of one seed, and their scores.

    Attributes:
        question: (answers,) ids of their questions, texts or numbers; the same id in two seeds is the same question.
        correct: (answers,)
        scores: Of each name, (answers,), higher = more trusted.
    """

    question: npt.ArrayLike
    correct: npt.ArrayLike
    scores: Mapping[str, npt.ArrayLike]


class Measured(NamedTuple):
    """One measure of one score, and how far it is from that of the reference score; nan where it is not defined.

    Attributes:
        estimate: The mean over the seeds that have it: an AUROC needs right answers and wrong ones.
        low: Lower end of the 95% interval.
        high: Upper end.
        difference: From the reference's, on the same answers.
        difference_low: Lower end of its 95% interval; nan where nothing varies, as there is nothing to measure it by.
        difference_high: Upper end.
        seeds: How many have it.
    """

    estimate: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    seeds: int


def measure_names(coverages: Sequence[float] = COVERAGES) -> list[str]:
    """The names of the measures, in order: auroc, aurc, accuracy_25, …"""
    return ["auroc", "aurc", *(f"accuracy_{100 * coverage:.0f}" for coverage in coverages)]


def rank(score: npt.ArrayLike, correct: npt.ArrayLike, coverages: Sequence[float] = COVERAGES) -> dict[str, float]:
    """The measures of one score.

    Args:
        score: (answers,), higher = more trusted.
        correct: (answers,).
        coverages: Shares of the answers.

    Raises:
        InputError: The arrays differ in length or are empty, or a score is nan.
    """
    values = _Ranking(score, correct, np.zeros(np.size(correct), np.int64)).measure(np.ones(1, np.int64), coverages)
    return dict(zip(measure_names(coverages), values.tolist(), strict=True))


def compare_rankings(
    seeds: Sequence[SeedAnswers], reference: str, *, coverages: Sequence[float] = COVERAGES, seed: int = 0
) -> dict[str, dict[str, Measured]]:
    """Measure scores of the same answers, each against a reference.

    Args:
        seeds: The answers of each seed; all have the same scores.
        reference: The name of a score.
        coverages: Shares of the answers.
        seed: Of the bootstrap.

    Returns:
        The measures of each score, by name. Intervals are over questions for one seed, over questions and seeds from
        three on, and nan for two.

    Raises:
        InputError: A seed has no answers, arrays of it differ in length, a score is nan, or one is missing.
    """
    names = list(seeds[0].scores)
    if reference not in names or any(list(one.scores) != names for one in seeds):
        raise InputError(f"scores {names}: expected the same for each seed, with the reference {reference!r}")
    places, count = _numbered([np.asarray(one.question) for one in seeds])
    rankings = [
        [_Ranking(one.scores[name], one.correct, place) for one, place in zip(seeds, places, strict=True)]
        for name in names
    ]
    once = np.ones(count, np.int64)
    # (scores, seeds, measures), and (scores, draws, seeds, measures)
    found = np.array([[one.measure(once, coverages) for one in own] for own in rankings])
    drawn = _drawn(rankings, count, coverages, seed)
    base = names.index(reference)
    right = float(np.mean(np.concatenate([np.ravel(one.correct) for one in seeds])))
    # How many questions each measure rests on: an AUROC on those of right or of wrong answers, whichever are fewer.
    resting = count * np.array([min(right, 1 - right), 1.0, *coverages])
    return {
        name: {
            measure: _measured(found[:, :, index], drawn[..., index], place, base, resting[index])
            for index, measure in enumerate(measure_names(coverages))
        }
        for place, name in enumerate(names)
    }


def _numbered(questions: Sequence[npt.NDArray[Any]]) -> tuple[list[Ints], int]:
    """Questions by number, from 0 in the order in which they come, and how many there are."""
    _, first, number = np.unique(np.concatenate(questions), return_index=True, return_inverse=True)
    in_order = np.empty(len(first), np.int64)
    in_order[np.argsort(first)] = np.arange(len(first))
    return np.split(in_order[number], np.cumsum([len(one) for one in questions])[:-1]), len(first)


def _drawn(rankings: Sequence[Sequence[_Ranking]], questions: int, coverages: Sequence[float], seed: int) -> Floats:
    """(scores, draws, seeds, measures) on questions that were drawn with replacement: the same for all scores."""
    rng = np.random.default_rng(seed)
    draws = (np.bincount(rng.integers(questions, size=questions), minlength=questions) for _ in range(_DRAWS))
    found = [[[one.measure(draw, coverages) for one in own] for own in rankings] for draw in draws]
    return np.swapaxes(np.array(found), 0, 1)


def _measured(found: Floats, drawn: Floats, place: int, base: int, questions: float) -> Measured:
    """One measure of one score, from that of all: (scores, seeds) and (scores, draws, seeds).

    Args:
        found: Of the answers.
        drawn: Of the draws.
        place: Of the score.
        base: Of the reference.
        questions: How many the measure rests on.
    """
    has = np.isfinite(found[place])
    if not has.any():
        return Measured(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, seeds=0)
    own, own_draws = found[place, has], drawn[place][:, has]
    apart, apart_draws = own - found[base, has], own_draws - drawn[base][:, has]
    estimate, difference = float(own.mean()), float(apart.mean())
    ends = of_difference = math.nan, math.nan
    if (spread := _spread(own, own_draws)) is not None:
        ends = share_interval(estimate, spread.variance, questions, spread.degrees)
    spread = _spread(apart, apart_draws)
    if spread is not None and spread.variance >= NO_SPREAD:
        of_difference = max(-1.0, difference - spread.half()), min(1.0, difference + spread.half())
    return Measured(estimate, *ends, difference, *of_difference, seeds=int(has.sum()))


def _spread(by_seed: Floats, drawn: Floats) -> Spread | None:
    """The variance of the mean over seeds, from (seeds,) and (draws, seeds); None where it is not known."""
    seeds, means = len(by_seed), drawn.mean(axis=1)
    means = means[np.isfinite(means)]  # a draw without right answers, or without wrong ones, has no AUROC
    if seeds == 2 or len(means) < _DRAWS // 2:
        return None
    of_questions = float(means.var(ddof=1))
    if seeds == 1:
        return Spread(of_questions, math.inf)
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    of_error = float(np.nanvar(drawn - drawn.mean(axis=1, keepdims=True), axis=0).sum()) / (seeds - 1) / seeds
    total = max(of_seeds + of_questions - of_error, of_seeds, of_questions)
    return Spread(total, (seeds - 1) * (total / of_seeds) ** 2 if of_seeds > NO_SPREAD else math.inf)


class _Ranking:
    """Answers in order of one score, the most trusted first: those of equal score are a level.

    Questions whose answers have the same levels and are as right are of one kind. For all measures only the kinds'
    numbers matter, so one question of each kind is kept: of a score of few values, such as a share of votes, a handful.
    """

    def __init__(self, score: npt.ArrayLike, correct: npt.ArrayLike, question: Ints) -> None:
        scores, hits = as_scored(score, correct, empty=False)
        order = np.argsort(-scores, kind="stable")
        question, hits = question[order], hits[order]
        level = np.cumsum(np.diff(-scores[order], prepend=-np.inf) != 0)
        self._asked, self._kind, example = _kinds(question, 2 * level + hits)
        self._kinds = len(example)
        kept = np.isin(question, self._asked[example])
        self._of = self._kind[np.searchsorted(self._asked, question[kept])]
        self._hits = hits[kept].astype(np.float64)
        self._starts = np.flatnonzero(np.diff(level[kept], prepend=0))

    def measure(self, weight: Ints, coverages: Sequence[float]) -> Floats:
        """(measures,) where each question comes as often as `weight` says, (questions,)."""
        of_kind = np.bincount(self._kind, weight[self._asked], self._kinds).astype(np.int64)
        times = of_kind[self._of]
        taken = np.cumsum(np.add.reduceat(times, self._starts))  # up to the end of each level, (levels,)
        if not taken[-1]:  # none of a seed's own questions was drawn
            return np.full(2 + len(coverages), np.nan)
        right = np.add.reduceat(times * self._hits, self._starts)
        before = np.r_[0, taken[:-1]]
        answers, hits_before = taken - before, np.cumsum(right) - right
        rate = right / np.maximum(answers, 1)
        wanted = np.array(coverages) * taken[-1]
        at = np.searchsorted(taken, wanted - 1e-9)
        accuracies = (hits_before[at] + (wanted - before[at]) * rate[at]) / wanted
        measures: Floats = np.r_[_auroc(answers, right), _aurc(answers, before, hits_before, rate), accuracies]
        return measures


def _kinds(question: Ints, answer: Ints) -> tuple[Ints, Ints, Ints]:
    """Which questions have the same answers, in any order.

    Args:
        question: (answers,) of which question each is.
        answer: (answers,) a number from 0.

    Returns:
        The questions, ascending; the kind of each; and for each kind the place of the first question of it. Two kinds
        are taken for one with a chance of 2⁻⁶⁴ for each pair.
    """
    order = np.argsort(question, kind="stable")
    asked, starts = np.unique(question[order], return_index=True)
    mark = np.random.default_rng(0).integers(2**64, size=int(answer.max()) + 1, dtype=np.uint64)
    _, example, kind = np.unique(np.add.reduceat(mark[answer[order]], starts), return_index=True, return_inverse=True)
    return asked, kind, example


def _auroc(answers: Ints, right: Floats) -> float:
    """Of the pairs of a right and a wrong answer, the share in which the right one comes first."""
    wrong = answers - right
    wrong_after = wrong.sum() - np.cumsum(wrong)
    pairs = right.sum() * wrong.sum()
    return float(right @ (wrong_after + wrong / 2) / pairs) if pairs else math.nan


def _aurc(answers: Ints, before: Ints, hits_before: Floats, rate: Floats) -> float:
    """The mean error rate of the first k answers over all k; within a level in random order.

    Of a level of m answers after T, H of them right, the expected sum of accuracies is
    `Σ_{j=1..m} (H + j·r) / (T + j) = m·r + (H − r·T) · Σ_{j=1..m} 1/(T + j)`.
    """
    total = before[-1] + answers[-1]
    harmonic = _harmonic(2 ** int(total).bit_length())
    sums = answers * rate + (hits_before - rate * before) * (harmonic[before + answers] - harmonic[before])
    return float(1 - sums.sum() / total)


@lru_cache(maxsize=1)
def _harmonic(count: int) -> Floats:
    """Harmonic numbers from that of 0 on."""
    found: Floats = np.r_[0, np.cumsum(1 / np.arange(1, count + 1))]
    return found
