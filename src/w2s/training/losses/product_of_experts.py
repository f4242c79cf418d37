"""Cross-entropy to the product of the weak supervisor and the student itself, which counts as an expert too.

The public code of Burns et al. (2023), arXiv 2312.09390 (openai/weak-to-strong, `product_loss_fn`); products of experts
are from Hinton (2002), *Training Products of Experts by Minimizing Contrastive Divergence*.
"""

from __future__ import annotations

from torch import Tensor

from w2s.errors import InputError
from w2s.training.loss import Loss
from w2s.training.losses.soft_cross_entropy import soft_cross_entropy

__all__ = ["LOSSES", "product_of_experts"]


def product_of_experts(
    logprobs: Tensor, targets: Tensor, weights: Tensor, progress: float, *, alpha: float, beta: float
) -> Tensor:
    """(questions,) `−Σ_k t_k log p_k`, with `t ∝ weak^alpha x p^beta`, through which no gradient flows.

    An option that the weak label has at 0 stays at 0.

    Args:
        logprobs: (questions, options) of the completions; p is their softmax.
        targets: (questions, options) the weak label.
        weights: (questions,)
        progress: Not used.
        alpha: Exponent of the weak label. With 1, and beta 0, this is the soft cross-entropy.
        beta: Exponent of the student.
    """
    weak = targets.log() * alpha if alpha else targets.new_zeros(targets.shape)
    together = (weak + beta * logprobs.detach().log_softmax(-1)).softmax(-1)
    return soft_cross_entropy(logprobs, together, weights, progress)


def _check(*, alpha: float, beta: float) -> None:
    for name, value in (("alpha", alpha), ("beta", beta)):
        if value < 0:
            raise InputError(f"{name} of the loss 'product-of-experts' is {value}: expected a number of 0 or more")


LOSSES = (
    Loss(
        name="product-of-experts",
        version=1,
        summary="soft cross-entropy to weak label^alpha x student^beta, normalized",
        form="options",
        function=product_of_experts,
        settings={"alpha": 1.0, "beta": 1.0},
        check=_check,
    ),
)
