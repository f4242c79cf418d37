"""The variance of a mean over seeds and questions that are crossed, and the interval of a ratio of two such means.

Values are (seeds, questions), nan where a seed was not tested on a question.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from w2s.metrics.scores import Floats

__all__ = ["LEVEL", "NO_SPREAD", "MeanSquares", "Spread", "Z", "fieller", "widest"]

LEVEL = 0.95  # of every interval
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)

NO_SPREAD = 1e-15  # a variance below it is rounding: a single answer in a million makes 1e-12
_FARTHEST = 1e6  # a ratio's interval that reaches so far has no end


class Spread(NamedTuple):
    """The variance of a mean, and its degrees of freedom (inf: normal)."""

    variance: float
    degrees: float

    def half(self, level: float = LEVEL) -> float:
        """Half the width of the interval of a level."""
        return self.quantile(level) * math.sqrt(self.variance)

    def quantile(self, level: float = LEVEL) -> float:
        """How many standard errors that is."""
        upper = (1 + level) / 2
        if math.isinf(self.degrees):
            return NormalDist().inv_cdf(upper)
        from scipy.special import stdtrit

        return float(stdtrit(self.degrees, upper))

    def p_value(self, estimate: float) -> float:
        """Two-sided, of no difference."""
        from scipy.special import stdtr

        return float(2 * stdtr(self.degrees, -abs(estimate) / math.sqrt(self.variance)))


def widest(*spreads: Spread) -> Spread:
    """The spread whose interval is the widest."""
    return max(spreads, key=Spread.half)


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance without replication, seeds and questions random, of several quantities at once.

    Attributes:
        seeds: How many.
        questions: How many.
        answers: How many; fewer than seeds × questions where not every seed was tested on every question.
        of_seeds: Mean squares and products, (quantities, quantities); zero for one seed.
        of_questions: Likewise; zero for one question.
        of_error: Of what is left, likewise.
    """

    seeds: int
    questions: int
    answers: int
    of_seeds: Floats
    of_questions: Floats
    of_error: Floats

    @classmethod
    def of(cls, values: Floats) -> MeanSquares:
        """From (quantities, seeds, questions)."""
        quantities, seeds, questions = values.shape
        if np.isnan(values).any():
            return cls._of_some(values)
        by_seed, by_question = values.mean(axis=2, keepdims=True), values.mean(axis=1, keepdims=True)
        mean = by_seed.mean(axis=1, keepdims=True)
        parts: list[tuple[Floats, float]] = [
            (by_seed - mean, (seeds - 1) / questions),
            (by_question - mean, (questions - 1) / seeds),
            (values - by_seed - by_question + mean, (seeds - 1) * (questions - 1)),
        ]
        squares = []
        for part, divisor in parts:
            flat = part.reshape(quantities, -1)
            squares.append(flat @ flat.T / divisor if divisor else np.zeros((quantities, quantities)))
        return cls(seeds, questions, seeds * questions, *squares)

    @classmethod
    def _of_some(cls, values: Floats) -> MeanSquares:
        """Where not every seed was tested on every question.

        The variances of seeds, questions and error are those by which the sums of squares within seeds, within
        questions and in all are what is to be expected (Gao and Owen 2017). The mean squares follow from them: with
        every seed on every question they are those of `of`. Where no question comes twice, its variance cannot be
        told from that of the error, and need not be.
        """
        _, seeds, questions = values.shape
        tested = ~np.isnan(values[0])
        answers = int(tested.sum())
        per_seed, per_question = tested.sum(axis=1), tested.sum(axis=0)
        seed_size, question_size = float((per_seed**2).sum()) / answers, float((per_question**2).sum()) / answers

        def within(means: Floats) -> Floats:
            rest = np.where(tested, values - means, 0.0).reshape(len(values), -1)
            squares: Floats = rest @ rest.T
            return squares

        total = within(np.nanmean(values, axis=(1, 2), keepdims=True))
        question_and_error = within(np.nanmean(values, axis=2, keepdims=True)) / max(1, answers - seeds)
        if answers == questions:
            error = np.zeros_like(total)
            of_seed = (total - question_and_error * (answers - 1)) / (answers - seed_size)
        else:
            seed_and_error = within(np.nanmean(values, axis=1, keepdims=True)) / (answers - questions)
            error = seed_and_error * (answers - seed_size) + question_and_error * (answers - question_size) - total
            error /= answers - seed_size - question_size + 1
            of_seed = seed_and_error - error
        of_question = question_and_error - error
        return cls(
            *(seeds, questions, answers),
            *(of_seed * seed_size + error, of_question * question_size + error, error),
        )

    def spread(self, weights: Floats) -> Spread:
        """Of the mean of a weighted sum of the quantities.

        The mean squares of seeds and of questions each hold the error once, so their sum holds it once too often.
        Degrees of freedom after Satterthwaite (1946); where not every seed was tested on every question, seeds − 1, as
        each seed's mean holds questions of its own, and the interval is at least that over questions alone.
        """
        squares = [float(weights @ square @ weights) for square in (self.of_seeds, self.of_questions, self.of_error)]
        if self.seeds < 3:  # too few to say how seeds vary: over questions alone
            squares[0] = squares[2] = 0.0
        seed, question, error = (max(0.0, square) for square in squares)
        total = max(seed + question - error, seed, question)
        if self.seeds < 3 or self.questions < 2 or not total:
            return Spread(total / self.answers, math.inf)
        free_seed, free_question = self.seeds - 1, self.questions - 1
        if self.answers < self.seeds * self.questions:
            of_all = Spread(max(squares[0] + squares[1] - squares[2], seed) / self.answers, free_seed)
            return widest(of_all, Spread(question / self.answers, max(1, self.answers - self.seeds)))
        parts = seed**2 / free_seed + question**2 / free_question + error**2 / (free_seed * free_question)
        degrees = max(total**2 / parts, min(free_seed, free_question))
        return Spread(total / self.answers, degrees)


def fieller(gain: Floats, gap: Floats) -> tuple[float, float]:
    """The interval of mean gain over mean gap, (seeds, questions) each, where that of the gap lies above 0.

    Where gain is the same multiple of gap on every question, nothing varies around the ratio. The interval is then no
    point: as Bonett and Price (2012) do, one more question is counted as won by 1, and one as lost.
    """
    from scipy.optimize import brentq

    squares = MeanSquares.of(np.stack([gain, gap]))
    numerator, denominator = float(np.nanmean(gain)), float(np.nanmean(gap))
    estimate = numerator / denominator

    nothing = squares.spread(np.array([1.0, -estimate])).variance < NO_SPREAD
    least = 2 / (gap.shape[1] + 2) ** 2 if nothing else 0.0

    def beyond(ratio: float) -> float:
        """Above 0 where a ratio is refuted."""
        half = math.hypot(squares.spread(np.array([1.0, -ratio])).half(), Z * math.sqrt(least))
        return abs(numerator - ratio * denominator) - half

    def end(direction: float) -> float:
        step = 0.25
        while beyond(estimate + direction * step) < 0:
            step *= 2
            if step > _FARTHEST:
                return direction * math.inf
        return float(brentq(beyond, estimate, estimate + direction * step))

    return end(-1.0), end(1.0)
