"""One answer to a question that was asked in several orders of its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from w2s.debias import divide_out_positions, log_softmax
from w2s.gold import are_right
from w2s.tables import PREDICTIONS

__all__ = ["judge_orders"]


def judge_orders(answers: pa.Table, gold: Mapping[str, str | None]) -> pa.Table:
    """Compare the likeliest option over several orders with ground truth.

    The position prior is divided out of each row's log-probabilities (`debias.divide_out_positions`), which are then
    averaged over the rows of a question: it is the geometric mean of the probabilities that counts. The prior is
    estimated from the answers alone.

    Args:
        answers: A table of `tables.ANSWERS` with choices, log-probabilities and positions.
        gold: The right answers, by question id; questions without one are left out.

    Returns:
        A table of `tables.PREDICTIONS`, in the order of the questions; `choice_logprobs` are the averages, normalized.
    """
    columns = ["question_id", "choices", "completions", "choice_logprobs", "positions", "supervisor"]
    rows = [row for row in answers.select(columns).to_pylist() if gold.get(row["question_id"]) is not None]
    without = divide_out_positions(
        [row["choice_logprobs"] for row in rows],
        [row["positions"] for row in rows],
        [row["question_id"] for row in rows],
        [row["supervisor"] for row in rows],
    )
    by_question: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        by_question.setdefault(row["question_id"], []).append(number)
    judged: list[dict[str, Any]] = []
    for id, numbers in by_question.items():
        first = rows[numbers[0]]
        mean = log_softmax(np.mean([without[number] for number in numbers], axis=0))
        best = int(mean.argmax())
        judged.append(
            {
                "question_id": id,
                "answer": first["choices"][best],
                "correct": are_right([id], [first["choices"][best]], gold)[0],
                "completion": first["completions"][best],
                "choice_logprobs": mean.tolist(),
            }
        )
    return pa.Table.from_pylist(judged, schema=PREDICTIONS)
