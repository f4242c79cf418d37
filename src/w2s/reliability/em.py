"""The two models of annotators who err, each fitted by expectation and maximization. Arrays only.

Dawid and Skene (1979), *Maximum likelihood estimation of observer error-rates using the EM algorithm*, Applied
Statistics 28(1). Both begin at the vote shares and find a maximum of the posterior of their parameters. What all
annotators get wrong together is not seen by either.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from w2s.reliability.base import Codes, Floats

__all__ = ["Coins", "Matrices", "Stop", "fit_coins", "fit_matrices"]

_PRIOR_ACCURACY = 0.75
# Of the posteriors: far above the noise of a sum's order, which EM would else blow up where it stands at a tie.
_DECIMALS = 10
_SUREST = 1 - 1e-12  # an accuracy of 1 has no odds


class Stop(NamedTuple):
    """When EM ends: no posterior changes by more than the tolerance, or so many iterations are done."""

    tolerance: float
    iterations: int


class Matrices(NamedTuple):
    """A confusion matrix for each annotator.

    Attributes:
        posterior: (questions, labels) the probability of each label.
        confusion: (annotators, labels, labels) the probability of an answer (last) where the truth is a label.
        prevalence: (labels,) the share of the questions whose truth it is.
        converged: Whether EM ended by its tolerance.
    """

    posterior: Floats
    confusion: Floats
    prevalence: Floats
    converged: bool


class Coins(NamedTuple):
    """One accuracy for each annotator, who errs to each wrong option alike.

    Attributes:
        posterior: (options,) the probability of each option of each question.
        other: (questions,) the probability that none of the listed options is right.
        accuracy: (annotators,)
        converged: Whether EM ended by its tolerance.
    """

    posterior: Floats
    other: Floats
    accuracy: Floats
    converged: bool


def fit_matrices(
    question: Codes,
    annotator: Codes,
    label: Codes,
    weight: Floats,
    *,
    num_questions: int,
    num_annotators: int,
    num_labels: int,
    prior: float,
    pull: float,
    stop: Stop,
) -> Matrices:
    """Fit a confusion matrix for each annotator.

    The prior of a row of a matrix is Dirichlet: as though the annotator had answered `pull` more questions of that
    label, with the annotator's own accuracy and all wrong labels alike. That accuracy is over all labels, under the
    prior of `fit_coins`. The prior of the prevalence is as though each label had `prior` questions more.

    Args:
        question: (answers,) from 0.
        annotator: (answers,) from 0.
        label: (answers,) the index of the label that was given.
        weight: (answers,)
        num_questions: How many questions there are, those without an answer counted.
        num_annotators: How many annotators, likewise.
        num_labels: How many labels.
        prior: In answers and in questions; above 0.
        pull: In answers for each label; above 0.
        stop: When to end.
    """
    # Sums over answers are products with this: a row a question, a column for each label of each annotator.
    given = sparse.csr_array(
        (weight, (question, annotator * num_labels + label)), (num_questions, num_annotators * num_labels)
    )
    by_annotator = given.T.tocsr()
    is_right = np.eye(num_labels)
    given_by = _sums(annotator, weight, num_annotators)
    posterior = _shares(given @ np.tile(is_right, (num_annotators, 1)))
    confusion, prevalence = np.empty((num_annotators, num_labels, num_labels)), np.empty(num_labels)
    converged = False
    for _ in range(stop.iterations):
        prevalence = (posterior.sum(axis=0) + prior) / (num_questions + prior * num_labels)
        counts = (by_annotator @ posterior).reshape(confusion.shape)  # (annotators, answers, truths)
        right = np.trace(counts, axis1=1, axis2=2)
        accuracy = _accuracy(right, given_by, prior)[:, None, None]
        confusion = counts + pull * (is_right * accuracy + (1 - is_right) * (1 - accuracy) / max(num_labels - 1, 1))
        confusion /= confusion.sum(axis=1, keepdims=True)
        score = given @ np.log(confusion).reshape(-1, num_labels) + np.log(prevalence)
        score -= score.max(axis=1, keepdims=True)
        np.exp(score, out=score)
        score /= score.sum(axis=1, keepdims=True)
        np.round(score, _DECIMALS, out=score)
        change = np.abs(score - posterior).max(initial=0)
        posterior = score
        if converged := bool(change <= stop.tolerance):
            break
    return Matrices(posterior, confusion.transpose(0, 2, 1), prevalence, converged)


def _sums(index: Codes, values: Floats, size: int) -> Floats:
    """The sum of the values of each index, (size,)."""
    sums: Floats = np.bincount(index, values, size)  # type: ignore[assignment]  # of weights, it is of floats
    return sums


def _accuracy(right: Floats, given: Floats, prior: float) -> Floats:
    """The share of right answers among those given, under the prior."""
    return np.minimum((right + prior * _PRIOR_ACCURACY) / (given + prior), _SUREST)


def _shares(counts: Floats) -> Floats:
    """Counts of each row as shares of their sum; equal shares where it is 0."""
    total = counts.sum(axis=1, keepdims=True)
    shares: Floats = np.where(total > 0, counts / np.where(total > 0, total, 1), 1 / counts.shape[1])
    return shares


def fit_coins(
    option: Codes,
    annotator: Codes,
    weight: Floats,
    *,
    question_of_option: Codes,
    num_options: Codes,
    num_annotators: int,
    prior: float,
    stop: Stop,
) -> Coins:
    """Fit one accuracy for each annotator, where the options differ by question.

    The prior of an accuracy is Beta, as though the annotator had given `prior` more answers, three quarters of them
    right. Before an answer is seen, each option of a question is equally probable.

    Args:
        option: (answers,) the index of the option that was chosen.
        annotator: (answers,) from 0.
        weight: (answers,)
        question_of_option: (options,) ascending.
        num_options: (questions,) how many options a question has: those that are listed, and perhaps others.
        num_annotators: How many annotators there are.
        prior: In answers; above 0.
        stop: When to end.
    """
    num_questions, question = len(num_options), question_of_option[option]
    others = num_options - np.bincount(question_of_option, minlength=num_questions)
    ways_to_err = np.log(np.maximum(num_options - 1, 1))[question]  # a wrong answer is one of them
    given = _sums(annotator, weight, num_annotators)
    votes = _sums(option, weight, len(question_of_option))
    total = _sums(question_of_option, votes, num_questions)[question_of_option]
    posterior = np.where(total > 0, votes / np.where(total > 0, total, 1), 1 / num_options[question_of_option])
    accuracy: Floats = np.full(num_annotators, _PRIOR_ACCURACY)
    other: Floats = np.zeros(num_questions)
    converged = False
    for _ in range(stop.iterations):
        right = _sums(annotator, weight * posterior[option], num_annotators)
        accuracy = _accuracy(right, given, prior)
        log_odds = np.log(accuracy) - np.log1p(-accuracy)
        score = _sums(option, weight * (log_odds[annotator] + ways_to_err), len(question_of_option))
        highest = np.where(others > 0, 0.0, -np.inf)  # the score of an option that nobody chose is 0
        np.maximum.at(highest, question_of_option, score)
        power = np.exp(score - highest[question_of_option])
        unlisted = others * np.exp(-highest)
        norm = _sums(question_of_option, power, num_questions) + unlisted
        updated = np.round(power / norm[question_of_option], _DECIMALS)
        other = unlisted / norm
        change = np.abs(updated - posterior).max(initial=0)
        posterior = updated
        if converged := bool(change <= stop.tolerance):
            break
    return Coins(posterior, other, accuracy, converged)
