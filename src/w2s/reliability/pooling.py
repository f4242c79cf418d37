"""What one model says of each question's options, pooled over the variations. Arrays only.

A question's options are a row of a matrix that is as wide as the most options that a question has; where it has fewer,
log-probabilities are −inf. What is fitted to questions of known truth is pulled to what it is without them by a ridge,
so that few questions change little.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from w2s.debias import log_softmax

__all__ = ["Pooled", "Precision", "fit_precision", "pool"]

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BOUNDS = ((-4.0, 6.0), (0.0, 100.0))  # of ln T and w
_TINY = np.finfo(np.float64).tiny


class Pooled(NamedTuple):
    """The variations of each question as one.

    Attributes:
        mean: (questions, options) the mean over the variations of the log-probabilities, each normalized over the
            options; −inf where a question has fewer options.
        variance: (questions,) their variance over the variations, averaged over the options.
    """

    mean: Floats
    variance: Floats


class Precision(NamedTuple):
    """How sure a pooled answer is: `posterior = softmax(mean / (temperature · √(1 + spread · variance)))`.

    Attributes:
        temperature: T. Temperature scaling (Guo et al. 2017, arXiv 1706.04599) is the case spread = 0.
        spread: w, how much less a question counts on which the variations differ.
    """

    temperature: float = 1.0
    spread: float = 0.0

    def log_posterior(self, pooled: Pooled) -> Floats:
        """(questions, options) log-probabilities over the options, −inf where a question has fewer."""
        scores = pooled.mean / (self.temperature * np.sqrt(1 + self.spread * pooled.variance))[:, None]
        return log_softmax(scores) if len(scores) else scores


def pool(logprobs: Floats, sizes: Codes, question: Codes, num_questions: int) -> Pooled:
    """Pool the rows of each question.

    Args:
        logprobs: (rows, options) in nats, normalized or not.
        sizes: (rows,) how many options a row's question has, which stand first.
        question: (rows,) numbers from 0, each of them there.
        num_questions: How many there are.
    """
    width = np.arange(logprobs.shape[1])
    there = width < sizes[:, None]
    least = np.log(_TINY)  # of an option that is never chosen: means and variances stay numbers
    logprobs = np.where(there, np.maximum(logprobs, least), -np.inf)
    highest = logprobs.max(axis=1, keepdims=True, initial=-np.inf)
    normalized = logprobs - highest - np.log(np.exp(logprobs - highest).sum(axis=1, keepdims=True))
    mean = _mean_by_question(np.where(there, normalized, 0.0), question, num_questions)
    squares = _mean_by_question(np.where(there, (normalized - mean[question]) ** 2, 0.0), question, num_questions)
    of_question = np.zeros(num_questions, np.int64)
    of_question[question] = sizes
    mean = np.where(width < of_question[:, None], mean, -np.inf)
    return Pooled(mean, squares.sum(axis=1) / np.maximum(of_question, 1))


def _mean_by_question(values: Floats, question: Codes, num_questions: int) -> Floats:
    sums: Floats = np.zeros((num_questions, values.shape[1]))
    np.add.at(sums, question, values)
    means: Floats = sums / np.bincount(question, minlength=num_questions)[:, None]
    return means


def fit_precision(pooled: Pooled, right: Codes, *, ridge: float = 1.0) -> Precision:
    """The precision that makes the answers as sure as they are right.

    T and w minimize the negative log-likelihood of the right options, plus `ridge · ((ln T)² + w²)`.

    Args:
        pooled: Answers of models that did not learn these questions.
        right: (questions,) the index of the right option.
        ridge: Strength of the pull to T = 1, w = 0, in questions.
    """
    from scipy.optimize import minimize

    rows = np.arange(len(right))

    def loss(parameters: Floats) -> float:
        log_temperature, spread = parameters
        precision = Precision(float(np.exp(log_temperature)), float(spread))
        likelihood = np.log(np.maximum(np.exp(precision.log_posterior(pooled))[rows, right], _TINY))
        return float(-likelihood.sum() + ridge * (log_temperature**2 + spread**2))

    starts = ((0.0, 0.0), (1.0, 0.5))  # two, since the loss is not convex
    fits = [minimize(loss, start, bounds=_BOUNDS, method="L-BFGS-B") for start in starts]
    log_temperature, spread = min(fits, key=lambda fit: float(fit.fun)).x
    return Precision(float(np.exp(log_temperature)), float(spread))
