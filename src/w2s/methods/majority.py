"""Majority vote: one example a question, with the answer that most of its variations gave."""

from __future__ import annotations

import pyarrow as pa

from w2s.methods.base import select_then_train
from w2s.methods.selection import TrainingSet, candidates_from, first_rows

__all__ = ["METHODS", "majority"]


def majority(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take for each question one row that gave the majority's answer; weight 1.

    It is the row of the lowest variation that gave it, with its own prompt and completion. Of answers with
    equally many votes the one that the lowest variation gave wins. Unparsed answers cannot win.

    Args:
        scored: Scored answers.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of scored answers with prompts.
    """
    candidates = candidates_from(scored).parsed()
    ranked = candidates.ordered(("question_id", "ascending"), ("vote_share", "descending"))
    winners = ranked.keep(first_rows(ranked.rows), otherwise="other_variations")
    return winners.training_set("the first answer of each question that agrees with the majority")


METHODS = (
    select_then_train(
        "majority", majority, summary="one answer a question: what most of its variations gave", role="baseline"
    ),
)
