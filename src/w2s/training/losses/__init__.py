"""What a training minimizes: one file a loss. To add one, add a file here that names it in `LOSSES`."""

from __future__ import annotations

from w2s.training.loss import LOSSES, Loss, OptionLoss, Relabel, TokenLoss, get_loss, register_loss
from w2s.training.losses.cross_entropy import token_cross_entropy

__all__ = [
    "LOSSES",
    "Loss",
    "OptionLoss",
    "Relabel",
    "TokenLoss",
    "get_loss",
    "register_loss",
    "token_cross_entropy",
]

LOSSES.discover(__name__, __path__, "LOSSES")
