"""The ceiling: the same student, trained on ground truth. What the others are measured against."""

from __future__ import annotations

import pyarrow as pa

from w2s.errors import InputError
from w2s.gold import GROUND_TRUTH
from w2s.methods.base import select_then_train
from w2s.methods.selection import TrainingSet, candidates_from

__all__ = ["METHODS", "ceiling"]


def ceiling(gold_answers: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take all ground-truth answers; weight 1.

    Args:
        gold_answers: Answers made from ground truth (the columns of `tables.ANSWERS`; scores are not needed).
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of answers with prompts, or its answers are somebody's, not the right ones.
    """
    named = gold_answers["supervisor"].unique().to_pylist() if "supervisor" in gold_answers.column_names else []
    if others := [name for name in named if name != GROUND_TRUTH] or ([] if named else ["nobody that is named"]):
        raise InputError(
            f"ceiling learns from right answers, and these are of {others[0]!r}: expected the table of "
            f"w2s label --gold, or one whose column supervisor says {GROUND_TRUTH!r}; majority and others learn from answers"
        )
    return candidates_from(gold_answers, scored=False).parsed().training_set("ground truth of all questions")


METHODS = (
    select_then_train("ceiling", ceiling, summary="ground truth: what the others are measured against", role="bound"),
)
