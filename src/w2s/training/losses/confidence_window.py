"""Soft cross-entropy of the questions alone of which the student is not sure yet.

The public code of EleutherAI's replication (EleutherAI/w2s, `confidence_window_loss`; blog.eleuther.ai/weak-to-strong).
"""

from __future__ import annotations

from torch import Tensor

from w2s.errors import InputError
from w2s.training.loss import Loss
from w2s.training.losses.soft_cross_entropy import soft_cross_entropy

__all__ = ["LOSSES", "confidence_window"]


def confidence_window(logprobs: Tensor, targets: Tensor, weights: Tensor, progress: float, *, radius: float) -> Tensor:
    """(questions,) the soft cross-entropy where the student is unsure, else 0.

    It is unsure where its highest probability lies below `1/K + 2 (1 − 1/K) x radius` of K options: for two, as in the
    source, below `.5 + radius`. Questions outside the window stay in the denominator, as there. The threshold is a
    setting; nothing is fitted.

    Args:
        logprobs: (questions, options) of the completions.
        targets: (questions, options) the weak label.
        weights: (questions,)
        progress: Not used.
        radius: From 0 (no question) to .5 (all but those of which the student is certain).
    """
    chance = 1 / logprobs.shape[-1]
    surest = logprobs.detach().log_softmax(-1).exp().amax(-1)
    inside = surest < chance + 2 * (1 - chance) * radius
    return soft_cross_entropy(logprobs, targets, weights * inside, progress)


def _check(*, radius: float) -> None:
    if not 0 < radius <= 0.5:
        raise InputError(f"radius of the loss 'confidence-window' is {radius}: expected a number above 0, up to 0.5")


LOSSES = (
    Loss(
        name="confidence-window",
        version=1,
        summary="soft cross-entropy where the student's highest probability lies below a threshold, else 0",
        form="options",
        function=confidence_window,
        settings={"radius": 0.15},
        check=_check,
    ),
)
