"""How often answers like this one were right where the truth is known: a regression on what other scores see."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError
from w2s.gold import are_right
from w2s.reliability.base import Calibration, Codes, Floats, add_scores, check_answers, codes, estimator_from
from w2s.reliability.margin import has_logprobs, margins_of_options, margins_of_votes
from w2s.reliability.probability import DECIMALS, mean_by_question, of_chosen, option_scores, probabilities
from w2s.reliability.votes import count_votes

__all__ = ["ESTIMATORS", "FEATURES", "Learned", "features_of", "fit_learned", "learned"]

FEATURES = ("vote share", "probability", "spread", "margin")
"""What is known of an answer; without log-probabilities the vote share and the margin of the votes alone."""

_FEWEST = 20  # questions: with fewer, what is fitted is noise
_LEAST = 1e-6  # probability: the log-odds of an option that is never chosen stay a number


class Learned(NamedTuple):
    """A fitted regression.

    Attributes:
        mean: (features,) of the calibration, each question counted once.
        scale: (features,) standard deviations, likewise; 1 where a feature does not vary.
        intercept: Log-odds of being right where every feature is at its mean.
        slopes: (features,) log-odds for each standard deviation.
    """

    mean: Floats
    scale: Floats
    intercept: float
    slopes: Floats

    def confidence(self, features: Floats) -> Floats:
        """(rows,) the probability of being right, from (rows, features)."""
        return _sigmoid(self.intercept + (features - self.mean) / self.scale @ self.slopes)


def learned(answers: pa.Table, *, calibration: Calibration, ridge: float = 1.0) -> pa.Table:
    """Predict whether an answer is right from how far the variations agree, by a regression on `weak_train`.

    With f(row) the features of an answer `a`, standardized on the calibration,

        confidence = σ(β₀ + Σ_j β_j f_j)

    * vote share: the share of the question's answers that equal `a`, of all, those that could not be parsed included;
    * probability: the log-odds of `m(a)`, the mean probability of `a` over the variations;
    * spread: the standard deviation over the variations of the probability of `a`;
    * margin: `m(a) − max_{b≠a} m(b)`.

    Without log-probabilities there are two: the vote share, and the margin of the votes. β minimizes the negative
    log-likelihood of right and wrong on the calibration plus `ridge · Σ_j β_j²`, the intercept free. Each question
    weighs 1, spread evenly over its answers: N variations of one question are not N observations. Right and
    wrong are softened to (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2), n₊ and n₋ being how many questions' worth there are of
    each (Platt 1999), so that a calibration that is all right does not make a confidence of 1.

    The uncertainty of a question is 1 minus the highest confidence among its answers. Of ground truth only that of the
    calibration is used, whose answers come from models that did not learn those questions. An unparsed answer has
    confidence 0; it counts as a vote, but its probabilities do not count.

    Args:
        answers: Checked answers; either all have `choices` and `choice_logprobs`, or none has log-probabilities.
        calibration: Answers to `weak_train`, out of fold, and their truth.
        ridge: Strength of the pull to slopes of 0, in questions.

    Raises:
        InputError: As `probability`; ridge is not above 0; the calibration has fewer than 20 questions, or its answers
            have log-probabilities where those to be scored have none, or the other way round.
    """
    fit = fit_learned(calibration, ridge=ridge)
    parsed = pc.is_valid(answers["answer"]).to_numpy()
    features = features_of(answers)
    if parsed.any() and features.shape[1] != len(fit.mean):
        have = ["choice_logprobs" if n == len(FEATURES) else "none" for n in (features.shape[1], len(fit.mean))]
        raise InputError(
            f"estimator learned: log-probabilities of the answers are {have[0]}, of those to weak_train {have[1]}: "
            "expected the same of both"
        )
    confidence: Floats = np.zeros(len(parsed))
    if parsed.any():
        confidence[parsed] = np.round(fit.confidence(features), DECIMALS)
    question, count = codes(answers["question_id"])
    best: Floats = np.zeros(count)
    np.maximum.at(best, question, confidence)
    return add_scores(answers, confidence=confidence, uncertainty=1 - best[question])


def features_of(answers: pa.Table) -> Floats:
    """(parsed rows, features) those of `FEATURES`, or without log-probabilities the first and the last of them.

    Args:
        answers: All that take part in the vote, parsed or not.

    Raises:
        InputError: Some rows have log-probabilities and some have none; or as `probability`.
    """
    votes = count_votes(answers)
    is_parsed = pc.is_valid(answers["answer"])
    parsed, own_class = answers.filter(is_parsed), votes.class_of_row[is_parsed.to_numpy()]
    share = votes.share[own_class]
    if not has_logprobs(parsed, "learned"):
        return np.stack([share, margins_of_votes(votes)[own_class]], axis=1)
    found = option_scores(parsed, "learned")
    each = probabilities(found, 1.0)
    mean = mean_by_question(found, each)
    variance = mean_by_question(found, (each - mean[found.question]) ** 2)
    own = np.clip(of_chosen(found, mean), _LEAST, 1 - _LEAST)
    spread, ahead = of_chosen(found, np.sqrt(variance)), of_chosen(found, margins_of_options(mean))
    return np.stack([share, np.log(own / (1 - own)), spread, ahead], axis=1)


def fit_learned(calibration: Calibration, *, ridge: float = 1.0) -> Learned:
    """The regression of `learned`.

    Raises:
        InputError: As `learned`.
    """
    if not ridge > 0:
        raise InputError(f"ridge {ridge}: expected a number above 0")
    answers = check_answers(calibration.answers, name="calibration")
    features = features_of(answers)
    answers = answers.filter(pc.is_valid(answers["answer"]))
    ids = answers["question_id"].to_pylist()
    known = np.array([id in calibration.gold for id in ids], bool)
    question = codes(answers["question_id"])[0][known]
    questions = len(np.unique(question))
    if questions < _FEWEST:
        raise InputError(
            f"estimator learned: expected {_FEWEST} or more answered questions of weak_train, it has {questions}"
        )
    right = np.array(are_right(ids, answers["answer"].to_pylist(), calibration.gold), bool)[known]
    return _fit(features[known], right, _question_weights(question), ridge)


def _question_weights(question: Codes) -> Floats:
    """(rows,) one a question, spread evenly over its rows."""
    weights: Floats = 1 / np.bincount(question)[question]
    return weights


def _fit(features: Floats, right: npt.NDArray[np.bool_], weight: Floats, ridge: float) -> Learned:
    from scipy.optimize import minimize

    mean = np.average(features, axis=0, weights=weight)
    scale = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weight))
    scale = np.where(scale > 1e-9, scale, 1.0)
    design = np.column_stack([np.ones(len(features)), (features - mean) / scale])
    positive, negative = float(weight[right].sum()), float(weight[~right].sum())
    target = np.where(right, (positive + 1) / (positive + 2), 1 / (negative + 2))
    penalty = ridge * (np.arange(design.shape[1]) > 0)

    def loss(beta: Floats) -> float:
        score = design @ beta
        return float(weight @ (np.logaddexp(0, score) - target * score) + penalty @ beta**2)

    def gradient(beta: Floats) -> Floats:
        slope: Floats = design.T @ (weight * (_sigmoid(design @ beta) - target)) + 2 * penalty * beta
        return slope

    def curvature(beta: Floats) -> Floats:
        chance = _sigmoid(design @ beta)
        hessian: Floats = design.T @ ((weight * chance * (1 - chance))[:, None] * design) + 2 * np.diag(penalty)
        return hessian

    start = np.zeros(design.shape[1])
    beta = minimize(loss, start, jac=gradient, hess=curvature, method="trust-exact", options={"gtol": 1e-9}).x
    return Learned(mean, scale, float(beta[0]), beta[1:])


def _sigmoid(score: Floats) -> Floats:
    chance: Floats = 0.5 * (1 + np.tanh(score / 2))  # which no score overflows
    return chance


ESTIMATORS = (
    estimator_from(
        "learned",
        learned,
        summary="a regression of right and wrong on votes and probabilities, fitted out of fold on weak_train",
        version=2,
    ),
)
