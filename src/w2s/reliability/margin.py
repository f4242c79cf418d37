"""How far the most probable answer is ahead of the next: little where the supervisor hesitates between two."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from w2s.errors import InputError, unknown_name
from w2s.reliability.base import Floats, add_scores, estimator_from
from w2s.reliability.debiased import without_positions
from w2s.reliability.probability import add_posterior, mean_probability, option_scores
from w2s.reliability.votes import Votes, count_votes

__all__ = ["ESTIMATORS", "has_logprobs", "margin", "margins_of_options", "margins_of_votes"]

OVER = ("auto", "probabilities", "votes")


def margin(answers: pa.Table, *, over: str = "auto", temperature: float = 1.0, debias: bool = False) -> pa.Table:
    """Trust an answer by how far it is ahead of the best other one.

    With `m(o)` the mean probability of an option over a question's variations (see `probability`), or the share of
    the votes where there are no probabilities, an answer is ahead by `d(a) = m(a) − max_{b≠a} m(b)`, from −1 to 1.
    Its confidence is `(1 + d(a)) / 2`. The margin of the question is that of its most probable option,
    `m₍₁₎ − m₍₂₎`, and its uncertainty is 1 minus that: margin sampling (Scheffer, Decomain and Wrobel 2001).

    An entropy counts doubt among all options; a margin only that between the first two.

    Args:
        answers: Checked answers.
        over: "probabilities", which needs `choices` and `choice_logprobs` in every row, "votes", or "auto":
            probabilities where every row has them, votes where none has.
        temperature: T of the softmax, of probabilities alone.
        debias: Divide out what the position of an option adds first, as `debiased` does; of probabilities alone.

    Raises:
        InputError: As `probability` or `debiased`; the temperature is not above 0; or some rows have log-probabilities
            and some have none.
    """
    if over not in OVER:
        raise unknown_name("over", over, OVER)
    if not temperature > 0:
        raise InputError(f"temperature {temperature}: expected a number above 0")
    if over == "votes" or (over == "auto" and not has_logprobs(answers, "margin")):
        if debias:
            raise InputError("debias of estimator margin is true: votes have no probabilities to divide out of")
        return _of_votes(answers)
    found = without_positions(answers, "margin") if debias else option_scores(answers, "margin")
    mean = mean_probability(found, temperature)
    ahead = margins_of_options(mean)
    return add_posterior(
        answers,
        found,
        mean,
        confidence=(1 + ahead) / 2,
        uncertainty=1 - ahead.max(axis=1, initial=-1.0),
    )


def has_logprobs(answers: pa.Table, estimator: str) -> bool:
    """Whether the rows of a table have log-probabilities.

    Raises:
        InputError: Some have, and some have none.
    """
    if "choice_logprobs" not in answers.column_names:
        return False
    missing = answers["choice_logprobs"].null_count
    if 0 < missing < answers.num_rows:
        raise InputError(
            f"estimator {estimator}: {missing} of {answers.num_rows} answers have no choice_logprobs: expected all or "
            "none; setting over: votes counts answers alone"
        )
    return not missing


def margins_of_options(mean: Floats) -> Floats:
    """(questions, options) how far each option is ahead of the best other one, from −1 to 1; 1 for a sole option."""
    if mean.shape[1] < 2:
        return mean.copy()
    top = np.sort(mean, axis=1)
    first = mean.argmax(axis=1)[:, None] == np.arange(mean.shape[1])
    return np.where(first, mean - top[:, -2:-1], mean - top[:, -1:])


def margins_of_votes(found: Votes) -> Floats:
    """(classes,) how far each distinct answer's vote share is ahead of the best other one; 1 where unanimous."""
    share, starts = found.share, found.starts
    order = found.by_count  # of each question the rarest first
    ends = np.append(starts[1:], len(share)) - 1
    size = ends - starts + 1
    first = order[ends]
    second = np.where(size > 1, share[order[np.maximum(ends - 1, starts)]], 0.0)
    number = np.repeat(np.arange(len(starts)), size)  # of the question of each class
    ahead: Floats = share - share[first][number]
    ahead[first] = share[first] - second
    return ahead


def _of_votes(answers: pa.Table) -> pa.Table:
    found = count_votes(answers)
    ahead = margins_of_votes(found)
    top = np.maximum.reduceat(ahead, found.starts)  # by question
    return add_scores(answers, confidence=(1 + ahead[found.class_of_row]) / 2, uncertainty=1 - top[found.question])


ESTIMATORS = (
    estimator_from("margin", margin, summary="how far the most probable answer is ahead of the next", version=2),
)
