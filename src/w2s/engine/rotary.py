"""Rotary embeddings whose angles hang on the longest sequence of a batch: a row there depends on its neighbours."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from w2s.models.load import LanguageModel

__all__ = ["hangs_on_length", "longest_alike", "stands_alone"]

_BY_LENGTH = ("dynamic", "longrope")


def hangs_on_length(lm: LanguageModel) -> bool:
    """Whether the angles of a token are others in a longer sequence: what was kept of it could not be gone on from."""
    return bool(_embeddings_by_length(lm))


def stands_alone(lm: LanguageModel, longest: int) -> bool:
    """Whether each row needs a batch of its own: the longest may make the angles of all others its own.

    Args:
        lm: The model.
        longest: Tokens of the longest row, those that are written after it included.
    """
    return hangs_on_length(lm) and longest > longest_alike(lm)


def longest_alike(lm: LanguageModel) -> int:
    """Tokens of the longest text that the model has positions for and whose length changes no token's angles."""
    config = lm.model.config.get_text_config()
    own = getattr(config, "original_max_position_embeddings", None) or getattr(config, "max_position_embeddings", None)
    own = own or sys.maxsize
    return min([own, *(one.get("original_max_position_embeddings") or own for one in _embeddings_by_length(lm))])


def _embeddings_by_length(lm: LanguageModel) -> list[Mapping[str, Any]]:
    """The settings of the rotary embeddings that are of this kind; layers of several types may have one each."""
    config = lm.model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    each = [rope, *(one for one in rope.values() if isinstance(one, Mapping))]
    return [one for one in each if (one.get("rope_type") or one.get("type")) in _BY_LENGTH]
