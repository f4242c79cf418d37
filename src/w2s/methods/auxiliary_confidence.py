"""Auxiliary confidence: soft labels at first, then more and more the student's own hardened predictions.

Burns et al. (2023), arXiv 2312.09390. The loss and its formula: `training/losses/auxiliary_confidence.py`. Its
threshold comes from the weak labels of `transfer` (how frequent each option is) and from the student's predictions for
the batch.
"""

from __future__ import annotations

from w2s.methods.soft_labels import soft_method

__all__ = ["METHODS"]

METHODS = (
    soft_method(
        "auxiliary-confidence",
        loss="auxiliary-confidence",
        summary="soft labels, mixed with the student's own class by up to alpha (Burns et al.)",
        settings={"alpha": 0.5, "ramp": 0.2},
    ),
)
