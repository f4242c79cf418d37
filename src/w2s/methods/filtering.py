"""Uncertainty filtering: learn only from the questions on whose answer the weak supervisor agrees with itself.

Guo and Yang (2024), arXiv 2406.19032.
"""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s.errors import InputError
from w2s.methods.base import select_then_train
from w2s.methods.selection import SELECTED_FROM, Candidates, TrainingSet, candidates_from, check_quantile

__all__ = ["METHODS", "certain", "filter_uncertain", "filter_uncertain_sampled"]

logger = logging.getLogger(__name__)

# Nats. The threshold is often itself one of the few values that entropy takes: a rounding must not decide.
_TOLERANCE = 1e-9


def filter_uncertain(scored: pa.Table, *, quantile: float = 0.5, over: str = "parsed", seed: int = 0) -> TrainingSet:
    """Keep all answers to the questions whose uncertainty is low; weight 1.

    With the votes estimator the uncertainty is the entropy, as in the paper. The threshold is its quantile over
    rows (linear between two rows). Questions at the threshold are kept, so the share of rows that is kept is often
    larger than the quantile.

    Args:
        scored: Scored answers.
        quantile: Where the threshold lies, from 0 (the least uncertain only) to 1 (all).
        over: Of which answers the quantile is taken: "parsed", which alone can be kept, or "all", as in the paper.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of scored answers with prompts, or the quantile is not one.
    """
    candidates, rule = _certain(scored, quantile, over)
    return candidates.training_set(f"all answers to {rule}")


def filter_uncertain_sampled(
    scored: pa.Table, *, quantile: float = 0.5, over: str = "parsed", spread: bool = False, seed: int = 0
) -> TrainingSet:
    """Draw as many of the answers that `filter_uncertain` keeps as there were questions.

    Args:
        scored: Scored answers.
        quantile: As for `filter_uncertain`.
        over: As for `filter_uncertain`.
        spread: Draw each kept question once before any is drawn twice. By default, as in the paper, each answer
            is equally likely.
        seed: Of the draw.

    Raises:
        InputError: As `filter_uncertain`.
    """
    candidates, rule = _certain(scored, quantile, over)
    drawn = candidates.draw(candidates.questions_in, seed=seed, spread=spread)
    how = "drawn evenly" if spread else "drawn"
    return drawn.training_set(f"as many answers as there were questions, {how} from all answers to {rule}")


def certain(candidates: Candidates, quantile: float, over: str) -> tuple[npt.NDArray[np.bool_], str]:
    """Which rows are of questions whose uncertainty is low, (rows,), and these questions in words.

    Raises:
        InputError: The quantile is not one, or `over` is neither of its values.
    """
    check_quantile(quantile)
    if over not in ("parsed", "all"):
        raise InputError(f"over is {over!r}: expected 'parsed' or 'all' answers")
    uncertainty = candidates.column("uncertainty").to_numpy()
    # A question none of whose answers could be parsed is unanimous: counted, many of them leave nothing to keep.
    counted = uncertainty if over == "all" else candidates.parsed().column("uncertainty").to_numpy()
    threshold = float(np.quantile(counted, quantile)) if len(counted) else 0.0
    if len(counted) and quantile < 1 and np.ptp(counted) <= _TOLERANCE:
        logger.warning(
            "all questions are as uncertain (%.3f): quantile %g leaves none of them out", threshold, quantile
        )
    mask: npt.NDArray[np.bool_] = uncertainty <= threshold + _TOLERANCE
    return mask, f"questions of uncertainty up to {threshold:.3f} (quantile {quantile:g} over answers)"


def _certain(scored: pa.Table, quantile: float, over: str) -> tuple[Candidates, str]:
    """The parsed answers to the questions of low uncertainty, and these questions in words."""
    candidates = candidates_from(scored)
    mask, rule = certain(candidates, quantile, over)
    return candidates.keep(mask, otherwise="uncertain").parsed(), rule


METHODS = (
    select_then_train(
        "filtering",
        filter_uncertain,
        reads=SELECTED_FROM,
        summary="all answers to the questions of low uncertainty (uncertainty filtering)",
        version=2,
    ),
    select_then_train(
        "filtering-sampled",
        filter_uncertain_sampled,
        reads=SELECTED_FROM,
        summary="of those, as many answers as there were questions",
        later=("spread",),
        version=2,
    ),
)
