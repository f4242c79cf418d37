"""The ceiling: the same student, trained on ground truth. What the others are measured against."""

from __future__ import annotations

import pyarrow as pa

from w2s.methods.base import select_then_train
from w2s.methods.selection import TrainingSet, candidates_from

__all__ = ["METHODS", "ceiling"]


def ceiling(gold_answers: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take all ground-truth answers; weight 1.

    Args:
        gold_answers: Answers made from ground truth (the columns of `tables.ANSWERS`; scores are not needed).
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of answers with prompts.
    """
    return candidates_from(gold_answers, scored=False).parsed().training_set("ground truth of all questions")


METHODS = (
    select_then_train("ceiling", ceiling, summary="ground truth: what the others are measured against", role="bound"),
)
