"""Reliability re-weighting: learn from every answer, in proportion to how far it can be trusted.

Guo and Yang (2024), arXiv 2406.19032. There the confidence is the reliability of the votes estimator.
"""

from __future__ import annotations

import pyarrow as pa

from w2s.methods.base import select_then_train
from w2s.methods.selection import SELECTED_FROM, TrainingSet, candidates_from

__all__ = ["METHODS", "reweight", "reweight_sampled"]


def reweight(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take all answers, each with its confidence as its weight.

    Args:
        scored: Scored answers.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of scored answers with prompts, or a confidence is negative.
    """
    candidates = candidates_from(scored).parsed()
    return candidates.training_set("all answers, weighted by confidence", weight="confidence")


def reweight_sampled(scored: pa.Table, *, spread: bool = False, seed: int = 0) -> TrainingSet:
    """Draw as many answers as there were questions, each with its confidence as its weight.

    The confidence does not influence the draw: it counts once, in the weight.

    Args:
        scored: Scored answers.
        spread: Draw each question once before any is drawn twice. By default, as in the paper, each answer is equally
            likely.
        seed: Of the draw.

    Raises:
        InputError: As `reweight`.
    """
    candidates = candidates_from(scored).parsed()
    drawn = candidates.draw(candidates.questions_in, seed=seed, spread=spread)
    how = "drawn evenly" if spread else "drawn"
    rule = f"as many answers as there were questions, {how} from all answers, weighted by confidence"
    return drawn.training_set(rule, weight="confidence")


METHODS = (
    select_then_train(
        "reweighting", reweight, reads=SELECTED_FROM, summary="all answers, weighted by their confidence"
    ),
    select_then_train(
        "reweighting-sampled",
        reweight_sampled,
        reads=SELECTED_FROM,
        summary="of those, as many answers as there were questions",
        later=("spread",),
    ),
)
