"""Probabilities that are as sure as they are right: calibrated on answers to questions of known truth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from w2s.errors import InputError
from w2s.reliability.base import Calibration, Codes, check_answers, codes, estimator_from
from w2s.reliability.pooling import Pooled, Precision, fit_precision, pool
from w2s.reliability.probability import OptionScores, add_posterior, option_scores

__all__ = ["ESTIMATORS", "calibrated", "fit_calibration"]

_FEWEST = 20  # questions: with fewer, what is fitted is noise


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
    precision = fit_calibration(calibration, ridge=ridge)
    found = option_scores(answers, "calibrated")
    return add_posterior(answers, found, np.exp(precision.log_posterior(_pooled(found))))


def fit_calibration(calibration: Calibration, *, ridge: float = 1.0) -> Precision:
    """T and w of `calibrated`.

    Raises:
        InputError: There are fewer than 20 questions whose truth is among the options.
    """
    answers = check_answers(calibration.answers, name="calibration")
    pooled = _pooled(option_scores(answers, "calibrated"))
    right = _right_options(answers, calibration)
    known = right >= 0
    if known.sum() < _FEWEST:
        raise InputError(
            f"estimator calibrated: expected {_FEWEST} or more answered questions of weak_train, it has {known.sum()}"
        )
    return fit_precision(Pooled(pooled.mean[known], pooled.variance[known]), right[known], ridge=ridge)


def _right_options(answers: pa.Table, calibration: Calibration) -> Codes:
    """(questions,) the index of the right option; −1 where it is not known."""
    question, count = codes(answers["question_id"])
    right = np.full(count, -1, np.int64)
    columns = (question.tolist(), answers["question_id"].to_pylist(), answers["choices"].to_pylist())
    for number, id, options in zip(*columns, strict=True):
        truth = calibration.gold.get(id)
        right[number] = options.index(truth) if truth in options else -1
    return right


def _pooled(found: OptionScores) -> Pooled:
    return pool(found.logprobs, found.sizes, found.question, found.num_questions)


ESTIMATORS = (
    estimator_from(
        "calibrated",
        calibrated,
        summary="pooled log-probabilities, as sure as out-of-fold answers to weak_train are right",
        version=2,
    ),
)
