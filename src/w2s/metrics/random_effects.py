"""One effect over several experiments: a random-effects summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from w2s.errors import InputError
from w2s.metrics.crossed import LEVEL
from w2s.metrics.scores import Floats

__all__ = ["Pooled", "pool_effects"]


class Pooled(NamedTuple):
    """The mean effect over experiments, and how far effects differ.

    Attributes:
        estimate: The mean of the effects that experiments of this kind have.
        low: Lower end of its 95% interval; nan for a single experiment.
        high: Upper end of the interval of the mean.
        p_value: Two-sided, of no mean effect; nan for a single experiment.
        between: Standard deviation of the true effects between experiments.
        low_next: Lower end of the interval that holds the effect of another experiment of this kind; nan below three.
        high_next: Upper end of the interval of another experiment's effect.
        experiments: How many were pooled.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    between: float
    low_next: float
    high_next: float
    experiments: int


def pool_effects(estimates: Sequence[float], standard_errors: Sequence[float]) -> Pooled:
    """The mean of effects that differ between experiments, by their precision.

    Each experiment's estimate is its own true effect and an error of known size; the true effects vary normally around
    a mean. The variance between them is that of Paule and Mandel (1982). The interval of the mean is that of Hartung
    and Knapp (2001) and Sidik and Jonkman (2002), with Student's t at k − 1 degrees of freedom, and never narrower
    than the same t with the variance of the weighted mean itself (Röver, Knapp and Friede 2015). The interval for
    another experiment is that of Higgins, Thompson and Spiegelhalter (2009), t at k − 2.

    Assumed: experiments whose errors are independent (they share no test questions and no supervisor), drawn from all
    those that the mean is to speak for.

    Args:
        estimates: Of each experiment.
        standard_errors: Of each estimate, above 0.

    Raises:
        InputError: Numbers that do not fit each other, or a standard error that is not above 0.
    """
    effects, errors = np.asarray(estimates, np.float64), np.asarray(standard_errors, np.float64)
    if effects.shape != errors.shape or effects.ndim != 1 or not len(effects):
        raise InputError(f"{effects.shape} estimates and {errors.shape} standard errors: expected as many, and some")
    if not np.isfinite(effects).all() or not np.isfinite(errors).all() or not (errors > 0).all():
        raise InputError(f"estimates {effects} with standard errors {errors}: expected finite numbers, errors above 0")
    count, variances = len(effects), errors**2
    if count == 1:
        return Pooled(float(effects[0]), *(math.nan,) * 3, 0.0, math.nan, math.nan, 1)
    from scipy.special import stdtr, stdtrit

    between = _paule_mandel(effects, variances)
    weights = 1 / (variances + between)
    mean = float(weights @ effects / weights.sum())
    scatter = max(1.0, float(weights @ (effects - mean) ** 2) / (count - 1))
    error = math.sqrt(scatter / float(weights.sum()))
    half = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * error
    half_next = math.nan
    if count > 2:
        half_next = float(stdtrit(count - 2, (1 + LEVEL) / 2)) * math.sqrt(between + error**2)
    p_value = float(2 * stdtr(count - 1, -abs(mean) / error))
    return Pooled(
        mean, mean - half, mean + half, p_value, math.sqrt(between), mean - half_next, mean + half_next, count
    )


def _paule_mandel(effects: Floats, variances: Floats) -> float:
    """The variance between effects at which their weighted squares are what is to be expected, k − 1; at least 0."""
    from scipy.optimize import brentq

    def excess(between: float) -> float:
        weights = 1 / (variances + between)
        mean = weights @ effects / weights.sum()
        return float(weights @ (effects - mean) ** 2) - (len(effects) - 1)

    if excess(0.0) <= 0:
        return 0.0
    high = float(np.ptp(effects) ** 2)  # the squares are at most k × range² / between
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high))
