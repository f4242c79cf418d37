"""What is read off logits that may have 262,144 columns, without a second copy of them."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["block_rows", "log_normalizer"]

# Elements worked on at once: a block in float32 stays in a processor's cache, and is no launch too many on a GPU.
_BLOCK = {"cpu": 1 << 19, "cuda": 1 << 26}


def block_rows(logits: Tensor) -> int:
    """How many rows of (rows, vocabulary) logits to work on at once."""
    return max(1, _BLOCK.get(logits.device.type, 1 << 22) // logits.shape[-1])


def log_normalizer(logits: Tensor) -> Tensor:
    """The logarithm of the softmax's denominator, in float32 whatever the dtype of the logits.

    Args:
        logits: (rows, vocabulary)

    Returns:
        (rows,)
    """
    return torch.cat([block.float().logsumexp(-1) for block in torch.split(logits, block_rows(logits))])
