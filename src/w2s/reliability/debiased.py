"""The mean probability of each option, once what its position adds is divided out of each variation."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa

from w2s.debias import VERSION, divide_out_positions
from w2s.errors import InputError
from w2s.reliability.base import estimator_from
from w2s.reliability.probability import OptionScores, add_posterior, mean_probability, option_scores
from w2s.tasks.parsing import LETTERS

__all__ = ["ESTIMATORS", "debiased", "without_positions"]

logger = logging.getLogger(__name__)


def debiased(answers: pa.Table, *, temperature: float = 1.0) -> pa.Table:
    """Divide the position prior out of the options' probabilities, then pool them as `probability` does.

    With `l(v, o)` the log-probability of option o in variation v, which names it at `position(v, o)`, and b the
    `debias.position_prior` of all answers of the same model: `p(v, ·) = softmax((l(v, ·) − b(position(v, ·))) / T)`.
    No ground truth is used: what is put where is drawn (PriDe, Zheng et al. 2023, arXiv 2309.03882).

    Args:
        answers: Checked answers with `choices`, `choice_logprobs` and `positions`; without `positions`, those of
            options that `completions` writes as letters are known.
        temperature: T of the softmax.

    Raises:
        InputError: As `probability`; or it is not known where a prompt named its options.
    """
    found = without_positions(answers, "debiased")
    return add_posterior(answers, found, mean_probability(found, temperature))


def without_positions(answers: pa.Table, estimator: str) -> OptionScores:
    """The log-probabilities of `option_scores`, once what the position of an option adds is divided out of each row.

    Args:
        answers: As `debiased`.
        estimator: Who asks, for the message.

    Raises:
        InputError: As `debiased`.
    """
    found = option_scores(answers, estimator)
    positions = _positions(answers, estimator)
    ids = answers["question_id"].to_pylist()
    if len(ids) and len({(id, *places) for id, places in zip(ids, positions, strict=True)}) == found.num_questions:
        logger.warning(
            "estimator %s: each question was asked in one order of its options, which tells nothing of positions",
            estimator,
        )
    without = divide_out_positions(
        [row[:size] for row, size in zip(found.logprobs, found.sizes, strict=True)],
        positions,
        ids,
        answers["supervisor"].to_pylist() if "supervisor" in answers.column_names else None,
    )
    logprobs = np.full(found.logprobs.shape, -np.inf)
    for row, values in zip(logprobs, without, strict=True):
        row[: len(values)] = values
    return found._replace(logprobs=logprobs)


def _positions(answers: pa.Table, estimator: str) -> list[list[int]]:
    """(rows, options) where each row's prompt names the options."""
    columns = [
        answers[name].to_pylist() if name in answers.column_names else [None] * answers.num_rows
        for name in ("positions", "completions", "choices")
    ]
    found = []
    for row, (places, completions, choices) in enumerate(zip(*columns, strict=True), 1):
        if places is None and completions is not None:
            written = [text.strip() for text in completions]
            if written != choices and sorted(written) == list(LETTERS[: len(choices)]):
                places = [LETTERS.index(letter) for letter in written]
        if places is None or len(places) != len(choices) or set(places) != set(range(len(choices))):
            raise InputError(
                f"answers table, row {row}: positions are {places}, and estimator {estimator} needs to know where the "
                f"prompt named each of {len(choices)} choices, from 0; answers that were stored without positions are "
                "asked again in a new --store"
            )
        found.append(places)
    return found


ESTIMATORS = (
    estimator_from(
        "debiased",
        debiased,
        summary="the mean probability of each option, without what its position adds",
        version=1 + VERSION,  # raised when either is
    ),
)
