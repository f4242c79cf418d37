"""Weak-gold: the student learns from the ground truth that the weak supervisor was trained on, and from nothing else.

What the supervisor's labels must beat to be of use to whoever could train the student on those questions themselves. A
control of our own; it is the "few high-quality labels" end of Mallen and Belrose (2024), arXiv 2410.13215.
"""

from __future__ import annotations

import pyarrow as pa

from w2s.methods.base import select_then_train
from w2s.methods.ceiling import ceiling
from w2s.methods.selection import TrainingSet

__all__ = ["METHODS", "learn_weak_gold"]


def learn_weak_gold(weak_gold: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take all ground-truth answers to `weak_train`; weight 1. Neither gold of `transfer` nor weak answers are read.

    Args:
        weak_gold: Answers made from ground truth.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of answers with prompts.
    """
    return ceiling(weak_gold, seed=seed)


METHODS = (
    select_then_train(
        "weak-gold",
        learn_weak_gold,
        summary="control: the ground truth of weak_train alone, which the weak supervisor learned from",
        role="control",
    ),
)
