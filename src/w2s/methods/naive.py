"""Naive weak supervision: what the weak supervisor says when asked once, in the original wording."""

from __future__ import annotations

import pyarrow as pa

from w2s.methods.base import select_then_train
from w2s.methods.selection import SELECTED_FROM, TrainingSet, candidates_from, first_rows

__all__ = ["METHODS", "naive"]


def naive(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take each question's answer to its lowest variation, the original wording; weight 1.

    If this answer cannot be parsed, the question is left out, as it would be with a single answer.

    Args:
        scored: Scored answers.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of scored answers with prompts.
    """
    candidates = candidates_from(scored)
    first = candidates.keep(first_rows(candidates), otherwise="other_variations")
    return first.parsed().training_set("the answer to the first variation of each question")


METHODS = (
    select_then_train(
        "naive",
        naive,
        reads=SELECTED_FROM,
        summary="the weak answer to the original wording of each question",
        role="baseline",
        reference=True,
    ),
)
