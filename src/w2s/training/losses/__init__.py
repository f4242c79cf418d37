"""What a training minimizes: losses by name, each with its settings and a version."""

from w2s.training.losses.base import LOSSES, Loss, OptionLoss, TokenLoss, get_loss, register_loss
from w2s.training.losses.cross_entropy import CROSS_ENTROPY, token_cross_entropy
from w2s.training.losses.soft_cross_entropy import SOFT_CROSS_ENTROPY

__all__ = [
    "LOSSES",
    "Loss",
    "OptionLoss",
    "TokenLoss",
    "get_loss",
    "register_loss",
    "token_cross_entropy",
]

for _loss in (CROSS_ENTROPY, SOFT_CROSS_ENTROPY):
    register_loss(_loss)
