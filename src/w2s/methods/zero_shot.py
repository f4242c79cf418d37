"""No training at all: what the strong model can do before anyone teaches it."""

from __future__ import annotations

from w2s.methods.base import untrained

__all__ = ["METHODS"]

METHODS = (untrained("zero-shot", summary="the strong model as it is, untrained"),)
