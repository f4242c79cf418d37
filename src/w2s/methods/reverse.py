"""Reverse KL and reverse cross-entropy: soft labels whose unlikely options the student is to leave alone.

Yao et al. (2025), arXiv 2502.11107. The losses and their formulas: `training/losses/reverse.py`. No threshold; of
`transfer` they read the weak answers alone.
"""

from __future__ import annotations

from w2s.methods.soft_labels import soft_method

__all__ = ["METHODS"]

METHODS = (
    soft_method(
        "reverse-kl",
        loss="reverse-kl",
        summary="soft labels by KL(student || label) instead of KL(label || student)",
        settings={"smoothing": 0.01},
    ),
    soft_method(
        "reverse-cross-entropy",
        loss="reverse-cross-entropy",
        summary="soft labels by the cross-entropy of the label under the student",
        settings={"smoothing": 0.01},
    ),
)
