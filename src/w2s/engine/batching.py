"""Which rows go through the model together: rows of like length, under a budget of tokens."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["token_batches"]


def token_batches(lengths: Sequence[int], *, tokens: int, rows: int | None = None) -> list[list[int]]:
    """Group rows by length, so that little of a batch is padding.

    The grouping depends on the lengths alone, never on what has been done before: a run that goes on after a
    kill meets the same batches, and with them the same rounding.

    Args:
        lengths: (rows,) in tokens.
        tokens: A batch's rows times its longest row stay under this, unless it is one row.
        rows: The most rows of a batch.

    Returns:
        Batches of row indices, the longest rows first: a batch too large for memory fails at once, not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    current: list[int] = []
    for row in order:
        longest = lengths[current[0]] if current else lengths[row]
        if current and ((len(current) + 1) * longest > tokens or (rows is not None and len(current) >= rows)):
            batches.append(current)
            current = []
        current.append(row)
    if current:
        batches.append(current)
    return batches
