"""Plain fine-tuning's loss of each supervised token, in few passes over logits that may have 262,144 columns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w2s.engine.logits import block_rows, log_normalizer
from w2s.training.loss import Loss

__all__ = ["LOSSES", "token_cross_entropy"]


class _TokenCrossEntropy(torch.autograd.Function):
    """Cross-entropy of each row, computed in float32 block by block; logits are kept in their own dtype."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        normalizer = log_normalizer(logits)
        ctx.save_for_backward(logits, targets, normalizer)
        return normalizer - logits.gather(-1, targets[:, None]).squeeze(-1).float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        logits, targets, normalizer = ctx.saved_tensors
        grad = torch.empty_like(logits)
        step = block_rows(logits)
        for start in range(0, len(logits), step):
            rows = slice(start, start + step)
            # A copy even of float32 logits, which are not ours to write to. Subtracting across dtypes is slow.
            block = logits[rows].to(torch.float32, copy=True).sub_(normalizer[rows, None]).exp_()
            block.scatter_add_(-1, targets[rows, None], block.new_full((len(block), 1), -1.0))
            grad[rows] = block.mul_(grads[0][rows, None])
        return grad, None


def token_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each token: `torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")`.

    Args:
        logits: (tokens, vocabulary), in any float dtype.
        targets: (tokens,)

    Returns:
        (tokens,) in nats, float32.
    """
    losses: Tensor = _TokenCrossEntropy.apply(logits, targets)  # type: ignore[no-untyped-call]
    return losses


def _weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
    return weights * token_cross_entropy(logits, targets)


LOSSES = (
    Loss(
        name="cross-entropy",
        version=1,
        summary="weight x cross-entropy of each token of the completion: plain supervised fine-tuning",
        form="tokens",
        function=_weighted_cross_entropy,
    ),
)
