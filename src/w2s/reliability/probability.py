"""The mean probability of each option: how sure the supervisor itself is, over all variations."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError
from w2s.reliability.base import Codes, Floats, add_scores, codes, estimator_from

__all__ = ["ESTIMATORS", "probability"]


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
    if not temperature > 0:
        raise InputError(f"temperature {temperature}: expected a number above 0")
    for column in ("choices", "choice_logprobs"):
        if column not in answers.column_names or answers[column].null_count:
            raise InputError(
                f"estimator probability needs {column} in every row: expected answers of a model that chooses among "
                "options (answering.mode choose)"
            )
    logprobs = answers["choice_logprobs"].combine_chunks()
    sizes = pc.list_value_length(logprobs).to_numpy(zero_copy_only=False)
    expected = pc.list_value_length(answers["choices"]).to_numpy()
    if not np.array_equal(sizes, expected):
        row = int(np.argmax(sizes != expected))
        raise InputError(f"answers table, row {row + 1}: {sizes[row]} log-probabilities for {expected[row]} choices")
    question, num_questions = codes(answers["question_id"])
    choices = answers["choices"].to_pylist()
    _check_choices(question, choices)
    values = logprobs.flatten().to_numpy(zero_copy_only=False)  # null is nan
    _check_logprobs(values, sizes)
    width = int(sizes.max(initial=0))
    inside = np.arange(width) < sizes[:, None]  # (rows, options)
    scores = np.full(inside.shape, -np.inf)
    scores[inside] = values / temperature
    scores -= scores.max(axis=1, keepdims=True, initial=-np.inf)
    each = np.exp(scores)
    each /= each.sum(axis=1, keepdims=True)
    mean: Floats = np.zeros((num_questions, width))
    np.add.at(mean, question, each)
    mean /= np.bincount(question, minlength=num_questions)[:, None]
    uncertainty = -np.sum(mean * np.log(np.where(mean > 0, mean, 1.0)), axis=1)
    given = [
        options.index(answer) if answer in options else -1
        for options, answer in zip(choices, answers["answer"].to_pylist(), strict=True)
    ]
    chosen = np.array(given, np.int64)
    confidence = np.where(chosen >= 0, mean[question, np.maximum(chosen, 0)] if width else 0.0, 0.0)
    posterior = [row[:size].tolist() for row, size in zip(mean[question], sizes, strict=True)]
    return add_scores(
        answers,
        confidence=np.clip(confidence, 0, 1),
        uncertainty=np.maximum(uncertainty[question], 0),
        posterior=pa.array(posterior, pa.list_(pa.float64())),
    )


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
    estimator_from("probability", probability, summary="the mean probability of each option over the variations"),
)
