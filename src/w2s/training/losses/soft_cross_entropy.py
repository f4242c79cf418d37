"""Cross-entropy between a soft label over a question's options and the model's own distribution over them."""

from __future__ import annotations

from torch import Tensor

from w2s.training.loss import Loss

__all__ = ["LOSSES", "soft_cross_entropy"]


def soft_cross_entropy(logprobs: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
    """(questions,) -sum over options of target x log softmax(logprobs), times the question's weight."""
    return -weights * (targets * logprobs.log_softmax(-1)).sum(-1)


LOSSES = (
    Loss(
        name="soft-cross-entropy",
        version=1,
        summary="cross-entropy of the soft label over a question's options, from their whole completions",
        form="options",
        function=soft_cross_entropy,
    ),
)
