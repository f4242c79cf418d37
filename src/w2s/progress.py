"""How far a long piece of work is: one signature, for training, labelling and testing alike."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "no_progress"]


class Progress(Protocol):
    """Is told how far a piece of work is."""

    def __call__(self, done: int, total: int, unit: str, tokens: int = 0) -> None:
        """`done` of `total` units, and the tokens worked on so far where that is known."""


def no_progress(done: int, total: int, unit: str, tokens: int = 0) -> None:
    """Nobody is told."""
