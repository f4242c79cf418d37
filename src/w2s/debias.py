"""What the position of an option adds to its probability, and the probabilities without it. Arrays only.

A model that chooses among options prefers some of the positions at which a prompt can name them, whatever stands
there. That shows where the same question is asked in several orders, and needs no ground truth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError

__all__ = ["VERSION", "divide_out_positions", "log_softmax", "position_prior"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

VERSION = 1
"""Raised when what comes out of here changes: it is part of the key of all that is made with it."""

# Nats. An option that is called impossible in one order and not in another would decide the prior alone.
_LEAST = -20.0


def divide_out_positions(
    logprobs: Sequence[Sequence[float] | Floats],
    positions: Sequence[Sequence[int]],
    questions: Sequence[Hashable],
    models: Sequence[Hashable] | None = None,
) -> list[Floats]:
    """Take the position prior out of options' log-probabilities.

    `log p(v, o) − b(position of o in v)`, normalized over the options, with `b` the `position_prior` of all rows of
    the same model that have as many options.

    Args:
        logprobs: (rows, options) in nats, normalized or not; rows may have different numbers of options.
        positions: (rows, options) where the prompt names each option, from 0.
        questions: (rows,) The rows of one question have the same options in the same order here, whatever their order
            in the prompt.
        models: (rows,) Who answered; by default one model.

    Returns:
        (rows, options) log-probabilities over the options, none below −20 nats before the prior is taken out.

    Raises:
        InputError: A row's positions are not each of 0, 1, … once, or its log-probabilities are none.
    """
    together: dict[tuple[Hashable, int], list[int]] = defaultdict(list)
    for row, (own, places) in enumerate(zip(logprobs, positions, strict=True)):
        if len(places) != len(own) or set(places) != set(range(len(own))):
            raise InputError(
                f"row {row + 1}: positions are {list(places)}, expected each from 0 to {len(own) - 1} once"
            )
        if len(own):
            together[models[row] if models is not None else None, len(own)].append(row)
    found: list[Floats] = [np.zeros(0)] * len(logprobs)
    for rows in together.values():
        with np.errstate(invalid="ignore"):
            scores = log_softmax(np.array([logprobs[row] for row in rows], np.float64))
        if np.isnan(scores).any():
            row = rows[int(np.isnan(scores).any(axis=1).argmax())]
            raise InputError(f"row {row + 1}: {list(logprobs[row])} are no log-probabilities")
        scores = np.maximum(scores, _LEAST)
        at = np.array([positions[row] for row in rows], np.int64)
        numbers: dict[Hashable, int] = {}
        question = np.array([numbers.setdefault(questions[row], len(numbers)) for row in rows], np.int64)
        without = log_softmax(scores - position_prior(scores, at, question)[at])
        for row, values in zip(rows, without, strict=True):
            found[row] = values
    return found


def position_prior(scores: Floats, positions: Ints, question: Ints) -> Floats:
    """What each position adds to an option's log-probability, estimated from all orders of all questions.

    As in PriDe (Zheng et al. 2023, arXiv 2309.03882) the probability of an option is taken to be that of its content
    times a prior of its position: `log p(v, o) = s(question, o) + b(position of o in v) + c(v)`. There `b` is the mean
    over all rotations of a question's options; here it is the least-squares fit of that equation, which is the same
    mean where each option stands at each position equally often, and which takes any orders. Only the changes within a
    question count: an option that always stands first for a reason, such as the right one in a file of questions, does
    not pass for a preference.

    Args:
        scores: (rows, options) log-probabilities.
        positions: (rows, options) a permutation of 0, 1, … in each row.
        question: (rows,) numbers from 0, each of them there.

    Returns:
        (options,) in nats, by position, with mean 0; of all that fit the same, the smallest. So it is 0 where every
        question is asked in one order, which says nothing of positions.
    """
    options = scores.shape[1]
    stands = np.eye(options)[positions]  # (rows, options, positions)
    # Within a question s is gone; so is c, since each row has each position once.
    change, moves = _within(scores, question), _within(stands, question)
    fitted = np.linalg.lstsq(moves.reshape(-1, options), change.ravel(), rcond=None)[0]
    prior: Floats = np.asarray(fitted - fitted.mean(), np.float64)
    return prior


def _within(values: Floats, question: Ints) -> Floats:
    """The values' deviations from the mean over the rows of their question."""
    count = np.bincount(question)
    sums = np.zeros((len(count), *values.shape[1:]))
    np.add.at(sums, question, values)
    deviations: Floats = values - (sums.T / count).T[question]
    return deviations


def log_softmax(scores: Floats) -> Floats:
    """Log-probabilities over the last axis, which has one number that is finite at least."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    normalized: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalized
