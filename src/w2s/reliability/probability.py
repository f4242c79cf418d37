"""The mean probability of each option: how sure the supervisor itself is, over all variations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError
from w2s.reliability.base import Codes, Floats, add_scores, codes, estimator_from

__all__ = [
    "DECIMALS",
    "ESTIMATORS",
    "OptionScores",
    "add_posterior",
    "entropy_of_options",
    "mean_by_question",
    "mean_probability",
    "of_chosen",
    "option_scores",
    "probabilities",
    "probability",
]

DECIMALS = 10
"""Of scores: far above the noise of a sum's order, which would else decide ties."""


class OptionScores(NamedTuple):
    """What a model's answers say of each option.

    Attributes:
        question: (rows,) a number for each question.
        num_questions: How many there are.
        logprobs: (rows, options) in nats; −inf where a question has fewer options.
        sizes: (rows,) how many options a row's question has.
        chosen: (rows,) the index of the row's answer among its options; −1 where it is none of them.
    """

    question: Codes
    num_questions: int
    logprobs: Floats
    sizes: Codes
    chosen: Codes


def probability(answers: pa.Table, *, temperature: float = 1.0) -> pa.Table:
    """Average the options' probabilities over the variations of a question.

    With `l(v, o)` the log-probability of option o in variation v, `p(v, ·) = softmax(l(v, ·) / T)` over the
    options, and `m(o)` the mean of `p(v, o)` over the question's rows: the confidence of a row is `m` of its
    answer, the uncertainty of its question is the entropy `−Σ m ln m` in nats, and `m` is the posterior.

    Args:
        answers: Checked answers with `choices` and `choice_logprobs`, as a model that chooses among options gives.
        temperature: T of the softmax.

    Raises:
        InputError: A row has no log-probabilities, not one for each choice, or some that are no probability; the rows
            of a question have other choices, or the same in another order; or the temperature is not above 0.
    """
    found = option_scores(answers, "probability")
    return add_posterior(answers, found, mean_probability(found, temperature))


def mean_probability(found: OptionScores, temperature: float) -> Floats:
    """(questions, options) the `m` of `probability`.

    Raises:
        InputError: The temperature is not above 0.
    """
    return mean_by_question(found, probabilities(found, temperature))


def probabilities(found: OptionScores, temperature: float) -> Floats:
    """(rows, options) the `p` of `probability`; 0 where a question has fewer options.

    Raises:
        InputError: The temperature is not above 0.
    """
    if not temperature > 0:
        raise InputError(f"temperature {temperature}: expected a number above 0")
    scores = found.logprobs / temperature
    scores -= scores.max(axis=1, keepdims=True, initial=-np.inf)
    each: Floats = np.exp(scores)
    each /= each.sum(axis=1, keepdims=True)
    return each


def mean_by_question(found: OptionScores, values: Floats) -> Floats:
    """(questions, …) the mean over a question's rows of values of (rows, …)."""
    mean: Floats = np.zeros((found.num_questions, *values.shape[1:]))
    np.add.at(mean, found.question, values)
    count = np.bincount(found.question, minlength=found.num_questions)
    mean /= count.reshape(-1, *[1] * (values.ndim - 1))
    return mean


def option_scores(answers: pa.Table, estimator: str) -> OptionScores:
    """The log-probabilities of an answers table, one row of options for each of its rows.

    Args:
        answers: Checked answers with `choices` and `choice_logprobs`.
        estimator: Who asks, for the message.

    Raises:
        InputError: As `probability`.
    """
    for column in ("choices", "choice_logprobs"):
        if column not in answers.column_names or answers[column].null_count:
            raise InputError(
                f"estimator {estimator} needs {column} in every row: expected answers of a model that chooses among "
                "options (answering.mode choose)"
            )
        if not _is_list(kind := answers[column].type):
            raise InputError(f"answers table, column {column!r}: expected a list in every row, not {kind}")
    listed = answers["choice_logprobs"].combine_chunks()
    sizes = pc.list_value_length(listed).to_numpy(zero_copy_only=False)
    expected = pc.list_value_length(answers["choices"]).to_numpy()
    if not np.array_equal(sizes, expected):
        row = int(np.argmax(sizes != expected))
        raise InputError(f"answers table, row {row + 1}: {sizes[row]} log-probabilities for {expected[row]} choices")
    question, num_questions = codes(answers["question_id"])
    choices = answers["choices"].to_pylist()
    _check_choices(question, choices)
    values = listed.flatten().to_numpy(zero_copy_only=False)  # null is nan
    _check_logprobs(values, sizes)
    width = int(sizes.max(initial=0))
    inside = np.arange(width) < sizes[:, None]  # (rows, options)
    logprobs = np.full(inside.shape, -np.inf)
    logprobs[inside] = values
    given = [
        options.index(answer) if answer in options else -1
        for options, answer in zip(choices, answers["answer"].to_pylist(), strict=True)
    ]
    return OptionScores(question, num_questions, logprobs, sizes, np.array(given, np.int64))


def _is_list(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def add_posterior(
    answers: pa.Table,
    found: OptionScores,
    posterior: Floats,
    *,
    confidence: Floats | None = None,
    uncertainty: Floats | None = None,
) -> pa.Table:
    """The answers with `posterior`, and with the confidence and the uncertainty that follow from it, rounded.

    Args:
        answers: The rows of `found`.
        found: The rows' questions and answers.
        posterior: (questions, options) probabilities; 0 where a question has fewer options.
        confidence: (questions, options) of an answer; by default its posterior.
        uncertainty: (questions,); by default the entropy of the posterior.
    """
    question, posterior = found.question, np.round(posterior, DECIMALS)
    each = [row[:size].tolist() for row, size in zip(posterior[question], found.sizes, strict=True)]
    of_question = np.round(entropy_of_options(posterior) if uncertainty is None else uncertainty, DECIMALS)
    of_option = posterior if confidence is None else np.round(confidence, DECIMALS)
    return add_scores(
        answers,
        confidence=np.clip(of_chosen(found, of_option), 0, 1),
        uncertainty=np.maximum(of_question[question], 0),
        posterior=pa.array(each, pa.list_(pa.float64())),
    )


def entropy_of_options(distribution: Floats) -> Floats:
    """(…,) the entropy of distributions over options, (…, options), in nats."""
    entropy: Floats = -np.sum(distribution * np.log(np.where(distribution > 0, distribution, 1.0)), axis=-1)
    return entropy


def of_chosen(found: OptionScores, values: Floats) -> Floats:
    """(rows,) of a row's answer, from values of each question's options; 0 where the answer is none of them."""
    own = values[found.question, np.maximum(found.chosen, 0)] if values.shape[1] else 0.0
    return np.where(found.chosen >= 0, own, 0.0)


def _check_choices(question: Codes, choices: list[list[str]]) -> None:
    """The mean is over what stands at the same place in each row of a question."""
    first: dict[int, list[str]] = {}
    for row, (number, options) in enumerate(zip(question.tolist(), choices, strict=True), 1):
        if options != first.setdefault(number, options):
            raise InputError(
                f"answers table, row {row}: expected the choices of the question's other rows, in their order"
            )


def _check_logprobs(values: Floats, sizes: Codes) -> None:
    """Minus infinity is an option that is never chosen; one of a row must be possible."""
    row_of = np.repeat(np.arange(len(sizes)), sizes)
    possible = np.bincount(row_of[np.isfinite(values)], minlength=len(sizes)) > 0
    possible[row_of[~(values < np.inf)]] = False  # infinity, and what is no number
    if not possible.all():
        row = int(np.argmin(possible))
        raise InputError(f"answers table, row {row + 1}: choice_logprobs are no log-probabilities")


ESTIMATORS = (
    estimator_from(
        "probability",
        probability,
        summary="the mean probability of each option over the variations",
        version=2,
    ),
)
