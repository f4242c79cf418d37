"""The variance of a mean over seeds and questions that are crossed, and the interval of a ratio of two such means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from w2s.metrics.scores import Floats

__all__ = ["LEVEL", "MeanSquares", "Spread", "Z", "fieller"]

LEVEL = 0.95  # of every interval
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)

_FARTHEST = 1e6  # a ratio's interval that reaches so far has no end


class Spread(NamedTuple):
    """The variance of a mean, and its degrees of freedom (inf: normal)."""

    variance: float
    degrees: float

    def half(self) -> float:
        """Half the width of the 95% interval."""
        from scipy.special import stdtrit

        t = Z if math.isinf(self.degrees) else float(stdtrit(self.degrees, (1 + LEVEL) / 2))
        return t * math.sqrt(self.variance)

    def p_value(self, estimate: float) -> float:
        """Two-sided, of no difference."""
        from scipy.special import stdtr

        return float(2 * stdtr(self.degrees, -abs(estimate) / math.sqrt(self.variance)))


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance without replication, seeds and questions random, of several quantities at once.

    Attributes:
        seeds: How many.
        questions: How many.
        of_seeds: Mean squares and products, (quantities, quantities); zero below three seeds.
        of_questions: Likewise; zero for one question.
        of_error: Of what is left, likewise.
    """

    seeds: int
    questions: int
    of_seeds: Floats
    of_questions: Floats
    of_error: Floats

    @classmethod
    def of(cls, values: Floats) -> MeanSquares:
        """From (quantities, seeds, questions)."""
        quantities, seeds, questions = values.shape
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
        if seeds < 3:
            squares[0], squares[2] = np.zeros_like(squares[0]), np.zeros_like(squares[2])
        return cls(seeds, questions, *squares)

    def spread(self, weights: Floats) -> Spread:
        """Of the mean of a weighted sum of the quantities.

        The mean squares of seeds and of questions each hold the error once, so their sum holds it once too often.
        Degrees of freedom after Satterthwaite (1946).
        """
        squares = (self.of_seeds, self.of_questions, self.of_error)
        seed, question, error = (max(0.0, float(weights @ square @ weights)) for square in squares)
        total = max(seed + question - error, seed, question)
        if self.seeds < 3 or self.questions < 2 or not total:
            return Spread(total / (self.seeds * self.questions), math.inf)
        free_seed, free_question = self.seeds - 1, self.questions - 1
        parts = seed**2 / free_seed + question**2 / free_question + error**2 / (free_seed * free_question)
        degrees = max(total**2 / parts, min(free_seed, free_question))
        return Spread(total / (self.seeds * self.questions), degrees)


def fieller(gain: Floats, gap: Floats) -> tuple[float, float]:
    """The interval of mean gain over mean gap, (seeds, questions) each, where that of the gap lies above 0."""
    from scipy.optimize import brentq

    squares = MeanSquares.of(np.stack([gain, gap]))
    numerator, denominator = float(gain.mean()), float(gap.mean())
    estimate = numerator / denominator

    def beyond(ratio: float) -> float:
        """Above 0 where a ratio is refuted."""
        return abs(numerator - ratio * denominator) - squares.spread(np.array([1.0, -ratio])).half()

    def end(direction: float) -> float:
        if beyond(estimate) >= 0:  # nothing varies around it
            return estimate
        step = 0.25
        while beyond(estimate + direction * step) < 0:
            step *= 2
            if step > _FARTHEST:
                return direction * math.inf
        return float(brentq(beyond, estimate, estimate + direction * step))

    return end(-1.0), end(1.0)
