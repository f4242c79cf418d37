"""Uncertainty filtering: learn only from the questions on whose answer the weak supervisor agrees with itself.

Guo and Yang (2024), arXiv 2406.19032.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.methods.base import select_then_train
from w2s.methods.selection import Candidates, TrainingSet, candidates_from, check_quantile

__all__ = ["METHODS", "filter_uncertain", "filter_uncertain_sampled"]

# Nats. The threshold is often itself one of the few values that entropy takes: a rounding must not decide.
_TOLERANCE = 1e-9


def filter_uncertain(scored: pa.Table, *, quantile: float = 0.5, seed: int = 0) -> TrainingSet:
    """Keep all answers to the questions whose entropy is low; weight 1.

    The threshold is the quantile of the entropy over rows (linear between two rows). Questions at the
    threshold are kept, so often more than that share of the rows stays.

    Args:
        scored: Scored answers.
        quantile: Where the threshold lies, from 0 (the least uncertain only) to 1 (all).
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of scored answers with prompts, or the quantile is not one.
    """
    candidates, rule = _certain(scored, quantile)
    return candidates.training_set(f"all answers to {rule}")


def filter_uncertain_sampled(scored: pa.Table, *, quantile: float = 0.5, seed: int = 0) -> TrainingSet:
    """Draw as many of the answers that `filter_uncertain` keeps as there were questions.

    Args:
        scored: Scored answers.
        quantile: As for `filter_uncertain`.
        seed: Of the draw.

    Raises:
        InputError: As `filter_uncertain`.
    """
    candidates, rule = _certain(scored, quantile)
    drawn = candidates.draw(candidates.questions_in, seed=seed)
    return drawn.training_set(f"as many answers as there were questions, drawn from all answers to {rule}")


def _certain(scored: pa.Table, quantile: float) -> tuple[Candidates, str]:
    """The readable answers to the questions of low entropy, and these questions in words."""
    check_quantile(quantile)
    candidates = candidates_from(scored)
    entropy = candidates.rows["entropy"]
    threshold = float(np.quantile(entropy.to_numpy(), quantile)) if len(entropy) else 0.0
    certain = candidates.keep(pc.less_equal(entropy, threshold + _TOLERANCE), otherwise="uncertain")
    return certain.parsed(), f"questions of entropy up to {threshold:.3f} (quantile {quantile:g} over answers)"


METHODS = (
    select_then_train(
        "filtering", filter_uncertain, summary="all answers to the questions of low entropy (uncertainty filtering)"
    ),
    select_then_train(
        "filtering-sampled", filter_uncertain_sampled, summary="of those, as many answers as there were questions"
    ),
)
