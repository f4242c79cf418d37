"""Confidence window: soft labels, learned from only while the student is unsure.

The public code of EleutherAI's replication (EleutherAI/w2s). The loss and its formula:
`training/losses/confidence_window.py`. Its threshold is a setting, fitted to no split; a later version of the source
takes the median of the weak labels' confidence, which can be given as `radius`.
"""

from __future__ import annotations

from w2s.methods.soft_labels import soft_method

__all__ = ["METHODS"]

METHODS = (
    soft_method(
        "confidence-window",
        loss="confidence-window",
        summary="soft labels, each learned from only while the student is unsure of the question",
        settings={"radius": 0.15},
    ),
)
