"""The auxiliary confidence loss: soft labels, mixed with the student's own hardened predictions more and more.

Burns et al. (2023), *Weak-to-Strong Generalization*, arXiv 2312.09390: `(1 − a) CE(weak) + a CE(own class)`, with the
threshold of the own class at a quantile of the batch as in their public code (openai/weak-to-strong,
`logconf_loss_fn`). That code jumps at the end of its warm-up; here a rises linearly to alpha, as the paper says.
"""

from __future__ import annotations

import torch
from torch import Tensor

from w2s.errors import InputError
from w2s.training.loss import Loss
from w2s.training.losses.soft_cross_entropy import soft_cross_entropy

__all__ = ["LOSSES", "hardened", "mixed"]


def hardened(logprobs: Tensor, shares: Tensor) -> Tensor:
    """The student's own classes, of which each is as frequent in a batch as the weak labels have it.

    With p the student's probabilities over the options, the class of a question is `argmax over k of p_k − t_k`,
    where t_k is the quantile of p_k over the batch at 1 less the share of k among the weak labels of the training set
    (of `transfer`; no ground truth). Of two options that is `p_0 ≥ t_0` for the first one and else the second, as in
    the source; with the same share for all options and a student that prefers none it is the likeliest option. So it
    is where a question stands alone, since there is no quantile of one.

    Args:
        logprobs: (questions, options) of those in the batch that have as many options.
        shares: (options,) of the weak labels of the training set.

    Returns:
        (questions, options) 1 for the class, else 0.
    """
    own = logprobs.log_softmax(-1).exp()
    quantiles = zip(own.T, shares.clamp(0, 1).to(own), strict=True)
    thresholds = torch.stack([values.quantile(1 - share) for values, share in quantiles])
    chosen = (own - thresholds if len(own) > 1 else own).argmax(-1)
    return torch.nn.functional.one_hot(chosen, own.shape[-1]).to(own)


def mixed(logprobs: Tensor, targets: Tensor, shares: Tensor, progress: float, *, alpha: float, ramp: float) -> Tensor:
    """`(1 − a) x weak label + a x own class`, with a rising from 0 to alpha over the first `ramp` of the training."""
    strength = alpha * min(1.0, progress / ramp) if ramp > 0 else alpha
    return (1 - strength) * targets + strength * hardened(logprobs, shares)


def _soft_cross_entropy(
    logprobs: Tensor, targets: Tensor, weights: Tensor, progress: float, *, alpha: float, ramp: float
) -> Tensor:
    return soft_cross_entropy(logprobs, targets, weights, progress)


def _check(*, alpha: float, ramp: float) -> None:
    for name, value in (("alpha", alpha), ("ramp", ramp)):
        if not 0 <= value <= 1:
            raise InputError(f"{name} of the loss 'auxiliary-confidence' is {value}: expected a number from 0 to 1")


LOSSES = (
    Loss(
        name="auxiliary-confidence",
        version=2,
        summary="soft cross-entropy, whose label becomes alpha parts the student's own class (Burns et al.)",
        form="options",
        function=_soft_cross_entropy,
        settings={"alpha": 0.5, "ramp": 0.2},
        relabel=mixed,
        check=_check,
    ),
)
