"""Losses that take the student's distribution over the options as the one to be coded: reverse KL and cross-entropy.

Yao, Yang, Wang, Lin and Liu (2025), *Revisiting Weak-to-Strong Generalization in Theory and Practice: Reverse KL vs.
Forward KL*, arXiv 2502.11107. Reverse cross-entropy for noisy labels: Wang et al. (2019), arXiv 1908.06112.
"""

from __future__ import annotations

from torch import Tensor

from w2s.errors import InputError
from w2s.training.loss import Loss

__all__ = ["LOSSES", "reverse_cross_entropy", "reverse_kl"]


def reverse_cross_entropy(
    logprobs: Tensor, targets: Tensor, weights: Tensor, progress: float, *, smoothing: float
) -> Tensor:
    """(questions,) `−Σ_k p_k log w_k`, with p the student's probabilities and w the smoothed weak label.

    Args:
        logprobs: (questions, options) of the completions; p is their softmax.
        targets: (questions, options) the weak label.
        weights: (questions,)
        progress: Not used.
        smoothing: s of `w = (1 − s) x label + s / K`: a label of 0 would be an infinite loss.
    """
    weak = (1 - smoothing) * targets + smoothing / targets.shape[-1]
    return -weights * (logprobs.softmax(-1) * weak.log()).sum(-1)


def reverse_kl(logprobs: Tensor, targets: Tensor, weights: Tensor, progress: float, *, smoothing: float) -> Tensor:
    """(questions,) `Σ_k p_k (log p_k − log w_k)`: the reverse cross-entropy less the student's own entropy.

    It is 0 where the student says what the smoothed label says; near it both this and the forward divergence are
    `½ Σ_k (p_k − w_k)² / w_k`. Arguments as for `reverse_cross_entropy`.
    """
    own = logprobs.log_softmax(-1)
    crossed = reverse_cross_entropy(logprobs, targets, weights, progress, smoothing=smoothing)
    return crossed + weights * (own.exp() * own).sum(-1)


def _check(*, smoothing: float) -> None:
    if not 0 < smoothing < 1:
        raise InputError(f"smoothing of a reverse loss is {smoothing}: expected a number between 0 and 1")


LOSSES = (
    Loss(
        name="reverse-kl",
        version=1,
        summary="KL divergence of the student from the soft label: KL(student || label)",
        form="options",
        function=reverse_kl,
        settings={"smoothing": 0.01},
        check=_check,
    ),
    Loss(
        name="reverse-cross-entropy",
        version=1,
        summary="cross-entropy of the soft label under the student: reverse KL without the student's entropy",
        form="options",
        function=reverse_cross_entropy,
        settings={"smoothing": 0.01},
        check=_check,
    ),
)
