"""Several supervisors: how often each is right is estimated from all their answers, and decides what its votes weigh.

Dawid and Skene (1979), Applied Statistics 28(1). No ground truth is used: where supervisors err independently of each
other, those who agree with the rest are right more often, and their answers count for more.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError, unknown_name
from w2s.reliability.base import Codes, Floats, add_scores, estimator_from
from w2s.reliability.em import Stop, fit_coins, fit_matrices
from w2s.reliability.options import MOST_LABELS, Options, options_of

__all__ = ["ESTIMATORS", "DawidSkene", "dawid_skene", "fit_dawid_skene"]

logger = logging.getLogger(__name__)

_FORMS = ("auto", "full", "one-coin")


class DawidSkene(NamedTuple):
    """What the answers of several supervisors say of each other.

    Attributes:
        form: "full" or "one-coin".
        supervisors: In the order of their names.
        accuracy: (supervisors,) the probability of a right answer; of the full form, over the labels as often as they
            are true.
        labels: In alphabetical order; empty in the one-coin form.
        confusion: (supervisors, labels, labels) the probability of an answer (last) where the truth is a label; None
            in the one-coin form.
        options: What the rows chose among.
        posterior: (options,) the probability that an option is its question's right answer.
        other: (questions,) the probability that no option is.
    """

    form: str
    supervisors: tuple[str, ...]
    accuracy: Floats
    labels: tuple[str, ...]
    confusion: Floats | None
    options: Options
    posterior: Floats
    other: Floats


def fit_dawid_skene(
    answers: pa.Table,
    *,
    form: str = "auto",
    prior: float = 4.0,
    pull: float = 8.0,
    max_iterations: int = 1000,
    tolerance: float = 1e-5,
) -> DawidSkene:
    """Estimate how often each supervisor is right, and the probability of each option of each question.

    * **full**: every question has the same labels, and each supervisor a confusion matrix.
    * **one-coin**: the options differ by question; each supervisor has one accuracy, and errs to each wrong option
      alike. Where no options are stated, a question has one more than the most different answers that any question
      got: the only answer to a question is as probable as its supervisor's accuracy.
    * **auto**: full where all questions have the same `choices`, or where there are none and the answers are at most
      half as many labels as questions; in both cases at most 50. Else one-coin.

    The answers of one supervisor to a question have one vote together: they err together. Unparsed answers say nothing.

    Args:
        answers: Checked answers of several supervisors, in any number and order.
        form: "auto", "full" or "one-coin".
        prior: As though each supervisor had given that many more answers, three quarters of them right (and, of the
            full form, as though each label had that many more questions).
        pull: Of the full form: as though each supervisor had answered that many more questions of each label with its
            overall accuracy, and no preference among wrong labels. So few answers make a one-coin supervisor.
        max_iterations: After which EM ends, and says so.
        tolerance: Largest change of a posterior at which EM has converged.

    Raises:
        InputError: All answers are of one supervisor, a row names none, an answer is none of its question's choices,
            the rows of a question have other choices, the full form is asked for and the choices differ, or a setting
            is out of range.
    """
    if form not in _FORMS:
        raise unknown_name("form of Dawid-Skene", form, _FORMS)
    for name, value in (("prior", prior), ("pull", pull), ("tolerance", tolerance), ("max_iterations", max_iterations)):
        if not 0 < value < np.inf:
            raise InputError(f"{name} {value}: expected a number above 0")
    supervisors, supervisor = _supervisors(answers)
    options = options_of(answers)
    if form == "auto":
        form = "full" if options.fixed and len(options.labels) <= MOST_LABELS else "one-coin"
    stop = Stop(tolerance, max_iterations)
    if form == "full":
        options = options.with_all_labels()
    parsed = options.option_of_row >= 0
    question, supervisor = options.question[parsed], supervisor[parsed]
    weight = _one_vote_each(question, supervisor)
    confusion, other = None, np.zeros(options.num_questions)
    if form == "full":
        found = fit_matrices(
            question,
            supervisor,
            options.label_of_row[parsed],
            weight,
            num_questions=options.num_questions,
            num_annotators=len(supervisors),
            num_labels=len(options.labels),
            prior=prior,
            pull=pull,
            stop=stop,
        )
        confusion, posterior, converged = found.confusion, found.posterior.reshape(-1), found.converged
        accuracy = np.einsum("skk,k->s", confusion, found.prevalence)
    else:
        coins = fit_coins(
            options.option_of_row[parsed],
            supervisor,
            weight,
            question_of_option=options.question_of_option,
            num_options=options.num_options,
            num_annotators=len(supervisors),
            prior=prior,
            stop=stop,
        )
        posterior, other, accuracy, converged = coins
    if not converged:
        logger.warning("Dawid-Skene: %d iterations did not reach the tolerance %g", max_iterations, tolerance)
    labels = tuple(options.labels) if form == "full" else ()
    return DawidSkene(form, supervisors, accuracy, labels, confusion, options, posterior, other)


def _supervisors(answers: pa.Table) -> tuple[tuple[str, ...], Codes]:
    """The names of the supervisors, sorted, and the index of each row's."""
    if "supervisor" not in answers.column_names:
        raise InputError(f"dawid-skene compares supervisors: expected a column 'supervisor'. {_ONE}")
    column = answers["supervisor"]
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise InputError(f"answers table, row {row + 1}: expected a supervisor, it is null")
    names = sorted(column.unique().to_pylist())
    if len(names) == 1:
        raise InputError(f"dawid-skene compares supervisors, and all answers are of {names[0]!r}. {_ONE}")
    index = pc.index_in(column, value_set=pa.array(names, pa.string()))
    return tuple(names), index.to_numpy().astype(np.int64)


_ONE = "Several answers of one supervisor err together, and are no supervisors of their own: use the estimator votes"


def _one_vote_each(question: Codes, supervisor: Codes) -> Floats:
    """The weight of each row: a supervisor's answers to one question share one vote."""
    pair = question * (supervisor.max(initial=0) + 1) + supervisor
    _, pair_of_row, count = np.unique(pair, return_inverse=True, return_counts=True)
    weight: Floats = 1 / count[pair_of_row]
    return weight


def dawid_skene(
    answers: pa.Table,
    *,
    form: str = "auto",
    prior: float = 4.0,
    pull: float = 8.0,
    max_iterations: int = 1000,
    tolerance: float = 1e-5,
) -> pa.Table:
    """Add the probability that an answer is right, given who gave it and what the others said.

    Confidence is the posterior of the row's answer, 0 where it could not be parsed; uncertainty the entropy
    `−Σ p ln p` of the question's posterior, in nats, all that nobody answered counting as one option. `posterior` is
    over the row's `choices`; in the full form a table without them gets the labels as its choices.

    Args:
        answers: As `fit_dawid_skene`, and so are the others.
        form: As there.
        prior: As there.
        pull: As there.
        max_iterations: As there.
        tolerance: As there.

    Raises:
        InputError: As `fit_dawid_skene`.
    """
    if not answers.num_rows:
        return add_scores(answers, confidence=[], uncertainty=[])
    found = fit_dawid_skene(
        answers, form=form, prior=prior, pull=pull, max_iterations=max_iterations, tolerance=tolerance
    )
    options, posterior = found.options, found.posterior
    row = options.option_of_row
    confidence = np.where(row >= 0, posterior[row], 0.0) if len(posterior) else np.zeros(len(row))
    terms = np.bincount(options.question_of_option, _entropy_term(posterior), options.num_questions)
    uncertainty = np.maximum(terms + _entropy_term(found.other), 0)[options.question]
    scored = add_scores(answers, confidence=confidence, uncertainty=uncertainty)
    if options.option_of_choice is not None:
        lists = answers["choices"].combine_chunks()
        each = pa.array(posterior[options.option_of_choice])
        return add_scores(scored, posterior=pa.ListArray.from_arrays(_offsets(pc.list_value_length(lists)), each))
    if found.form == "full":
        count = len(options.labels)
        offsets = _offsets(pa.array(np.full(len(row), count)))
        each = pa.array(posterior.reshape(-1, count)[options.question].reshape(-1))
        labels = pa.array(options.labels).take(pa.array(np.tile(np.arange(count), len(row))))
        scored = add_scores(
            scored,
            choices=pa.ListArray.from_arrays(offsets, labels),
            posterior=pa.ListArray.from_arrays(offsets, each),
        )
    return scored


def _entropy_term(probability: Floats) -> Floats:
    terms: Floats = -probability * np.log(np.where(probability > 0, probability, 1.0))
    return terms


def _offsets(sizes: pa.Array) -> pa.Array:
    """Where each list begins, and where the last one ends."""
    return pa.array(np.concatenate([[0], np.cumsum(sizes.to_numpy(zero_copy_only=False))]).astype(np.int32))


ESTIMATORS = (
    estimator_from(
        "dawid-skene",
        dawid_skene,
        summary="how often each supervisor is right, from all their answers, and what follows for each answer",
        compares=True,
    ),
)
