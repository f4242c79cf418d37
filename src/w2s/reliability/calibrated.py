"""Probabilities that are as sure as they are right: calibrated on answers to questions of known truth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from w2s.errors import InputError
from w2s.reliability.base import Calibration, Codes, Floats, check_answers, codes, estimator_from
from w2s.reliability.probability import OptionScores, add_posterior, mean_by_question, option_scores

__all__ = ["ESTIMATORS", "calibrated", "fit_calibration"]

_FEWEST = 20  # questions: with fewer, what is fitted is noise
_BOUNDS = ((-4.0, 6.0), (0.0, 100.0))  # of ln T and w


def calibrated(answers: pa.Table, *, calibration: Calibration, ridge: float = 1.0) -> pa.Table:
    """Pool the log-probabilities over the variations, at a temperature that rises with how far they differ.

    With `l(v, o)` the log-probability of option o in variation v, normalized over the options, `m(o)` its mean over
    the variations, and `s²` its variance over the variations, averaged over the options:

        posterior(o) = softmax( m(o) / (T · sqrt(1 + w · s²)) )

    Temperature scaling (Guo et al. 2017, arXiv 1706.04599) is the case w = 0. T and w minimize the negative
    log-likelihood of ground truth on the calibration, plus `ridge · ((ln T)² + w²)`, which holds them where there
    are few questions. The calibration's answers come from models that did not learn those questions.

    Args:
        answers: Checked answers with `choices` and `choice_logprobs`.
        calibration: Answers to `weak_train`, out of fold, and their truth.
        ridge: Strength of the pull to T = 1, w = 0, in questions.

    Raises:
        InputError: As `probability`; ridge is negative, or the calibration has fewer than 20 questions.
    """
    if not ridge >= 0:
        raise InputError(f"ridge {ridge}: expected 0 or more")
    temperature, weight = fit_calibration(calibration, ridge=ridge)
    found = option_scores(answers, "calibrated")
    return add_posterior(answers, found, _posterior(*_pooled(found), temperature, weight))


def fit_calibration(calibration: Calibration, *, ridge: float = 1.0) -> tuple[float, float]:
    """T and w of `calibrated`.

    Raises:
        InputError: There are fewer than 20 questions whose truth is among the options.
    """
    from scipy.optimize import minimize

    answers = check_answers(calibration.answers, name="calibration")
    found = option_scores(answers, "calibrated")
    right = _right_options(answers, calibration)
    known = right >= 0
    if known.sum() < _FEWEST:
        raise InputError(
            f"estimator calibrated: expected {_FEWEST} or more answered questions of weak_train, it has {known.sum()}"
        )
    mean, variance = (values[known] for values in _pooled(found))
    rows, right = np.arange(known.sum()), right[known]

    def loss(parameters: Floats) -> float:
        log_temperature, weight = parameters
        posterior = _posterior(mean, variance, float(np.exp(log_temperature)), float(weight))
        likelihood = np.log(np.maximum(posterior[rows, right], np.finfo(np.float64).tiny))
        return float(-likelihood.sum() + ridge * (log_temperature**2 + weight**2))

    starts = ((0.0, 0.0), (1.0, 0.5))  # two, since the loss is not convex
    fits = [minimize(loss, start, bounds=_BOUNDS, method="L-BFGS-B") for start in starts]
    log_temperature, weight = min(fits, key=lambda fit: float(fit.fun)).x
    return float(np.exp(log_temperature)), float(weight)


def _right_options(answers: pa.Table, calibration: Calibration) -> Codes:
    """(questions,) the index of the right option; −1 where it is not known."""
    question, count = codes(answers["question_id"])
    right = np.full(count, -1, np.int64)
    columns = (question.tolist(), answers["question_id"].to_pylist(), answers["choices"].to_pylist())
    for number, id, options in zip(*columns, strict=True):
        truth = calibration.gold.get(id)
        right[number] = options.index(truth) if truth in options else -1
    return right


def _pooled(found: OptionScores) -> tuple[Floats, Floats]:
    """(questions, options) the mean log-probability, −inf outside; (questions,) the variance over the variations."""
    width = np.arange(found.logprobs.shape[1])
    there = width < found.sizes[:, None]
    least = np.log(np.finfo(np.float64).tiny)  # of an option that is never chosen: means and variances stay numbers
    logprobs = np.where(there, np.maximum(found.logprobs, least), -np.inf)
    highest = logprobs.max(axis=1, keepdims=True, initial=-np.inf)
    normalized = logprobs - highest - np.log(np.exp(logprobs - highest).sum(axis=1, keepdims=True))
    mean = mean_by_question(found, np.where(there, normalized, 0.0))
    squares = mean_by_question(found, np.where(there, (normalized - mean[found.question]) ** 2, 0.0))
    sizes = np.zeros(found.num_questions, np.int64)
    sizes[found.question] = found.sizes
    return np.where(width < sizes[:, None], mean, -np.inf), squares.sum(axis=1) / np.maximum(sizes, 1)


def _posterior(mean: Floats, variance: Floats, temperature: float, weight: float) -> Floats:
    scores = mean / (temperature * np.sqrt(1 + weight * variance))[:, None]
    scores = scores - scores.max(axis=1, keepdims=True, initial=-np.inf)
    power = np.exp(scores)
    posterior: Floats = power / power.sum(axis=1, keepdims=True)
    return posterior


ESTIMATORS = (
    estimator_from(
        "calibrated",
        calibrated,
        summary="pooled log-probabilities, as sure as out-of-fold answers to weak_train are right",
    ),
)
