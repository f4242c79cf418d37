"""Plain fine-tuning's loss of each supervised token, in few passes over logits that may have 262,144 columns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w2s.engine.logits import block_rows, log_normalizer
from w2s.training.loss import Loss

__all__ = ["LOSSES", "token_cross_entropy"]


class _TokenCrossEntropy(torch.autograd.Function):
    """Cross-entropy of each token, computed in float32 block by block; logits are kept in their own dtype."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, sources: Tensor) -> Tensor:
        normalizer = log_normalizer(logits)
        ctx.save_for_backward(logits, targets, sources, normalizer)
        return normalizer[sources] - logits[sources, targets].float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        logits, targets, sources, normalizer = ctx.saved_tensors
        grad = torch.empty_like(logits)
        of_row = torch.zeros_like(normalizer).index_add_(0, sources, grads[0])
        step = block_rows(logits)
        for start in range(0, len(logits), step):
            rows = slice(start, start + step)
            # A copy even of float32 logits, which are not ours to write to. Subtracting across dtypes is slow.
            block = logits[rows].to(torch.float32, copy=True).sub_(normalizer[rows, None]).exp_()
            block.mul_(of_row[rows, None])
            here = (sources >= start) & (sources < start + step)
            block.index_put_((sources[here] - start, targets[here]), -grads[0][here], accumulate=True)
            grad[rows] = block
        return grad, None, None


def token_cross_entropy(logits: Tensor, targets: Tensor, sources: Tensor | None = None) -> Tensor:
    """Cross-entropy of each token: `torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")`.

    Args:
        logits: (rows, vocabulary), in any float dtype.
        targets: (tokens,)
        sources: (tokens,) the row of the logits that predicts each token; by default its own.

    Returns:
        (tokens,) in nats, float32.
    """
    sources = torch.arange(len(targets), device=targets.device) if sources is None else sources
    losses: Tensor = _TokenCrossEntropy.apply(logits, targets, sources)  # type: ignore[no-untyped-call]
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
