"""How far something is that takes a while: one signature everywhere."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "no_progress"]


class Progress(Protocol):
    """Is told how far something is, whenever that changes."""

    def __call__(self, done: int, total: int, unit: str, tokens: int = 0) -> None:
        """So many of the total are done.

        Args:
            done: What is done.
            total: What there is to do.
            unit: What is counted: "steps", "answers", "questions".
            tokens: Tokens worked on so far; 0 where they are not counted.
        """
        ...


def no_progress(done: int, total: int, unit: str, tokens: int = 0) -> None:
    """Tells nobody."""
