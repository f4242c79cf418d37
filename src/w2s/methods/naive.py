"""Naive weak supervision: what the weak supervisor says when asked once, in the original wording."""

from __future__ import annotations

import pyarrow as pa

from w2s.methods.base import select_then_train
from w2s.methods.selection import SELECTED_FROM, TrainingSet, first_answers

__all__ = ["METHODS", "naive"]


def naive(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take each question's answer to variation 0, the original wording; weight 1.

    If this answer cannot be parsed, the question is left out, as it would be with a single answer. Of several
    supervisors the first by name is the one that would have been asked.

    Args:
        scored: Scored answers.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of scored answers with prompts.
    """
    rule = "the answer to the first variation of each question"
    if "supervisor" in scored.column_names and len(names := scored["supervisor"].unique()) > 1:
        rule += f", by the first of its supervisors ({len(names)} in all, in the order of their names)"
    return first_answers(scored).training_set(rule)


METHODS = (
    select_then_train(
        "naive",
        naive,
        reads=SELECTED_FROM,
        summary="the weak answer to the original wording of each question",
        role="baseline",
        version=3,
        reference=True,
    ),
)
