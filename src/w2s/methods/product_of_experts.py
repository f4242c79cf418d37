"""Product of experts: the label is the weak supervisor's distribution times the student's own.

The public code of Burns et al. (openai/weak-to-strong). The loss and its formula:
`training/losses/product_of_experts.py`. It has no threshold; of `transfer` it reads the weak answers alone.
"""

from __future__ import annotations

from w2s.methods.soft_labels import soft_method

__all__ = ["METHODS"]

METHODS = (
    soft_method(
        "product-of-experts",
        loss="product-of-experts",
        summary="soft labels^alpha, times the student's own distribution^beta",
        settings={"alpha": 1.0, "beta": 1.0},
    ),
)
