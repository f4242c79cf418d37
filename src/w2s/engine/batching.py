"""Which rows go through the model together: rows of like length, under a budget of tokens."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["default_budget", "token_batches"]


def default_budget(device_type: str) -> int:
    """Tokens that go through a model at once: what keeps the device busy and its nearest memory from overflowing.

    Args:
        device_type: "cpu", "cuda" or "mps".
    """
    return 2048 if device_type == "cpu" else 16_384


def token_batches(
    lengths: Sequence[int], *, tokens: int, reads: Sequence[int] | None = None, most_reads: int | None = None
) -> list[list[int]]:
    """Group rows by length, so that little of a batch is padding.

    The grouping depends on the lengths alone, never on what has been done before: a run that goes on after a
    kill meets the same batches, and with them the same rounding.

    Args:
        lengths: (rows,) in tokens.
        tokens: A batch's rows times its longest row stay under this, unless it is one row.
        reads: (rows,) how many positions of each row reach the output head; by default one.
        most_reads: A batch has no more of these, unless it is one row.

    Returns:
        Batches of row indices, the longest rows first: a batch too large for memory fails at once, not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    current: list[int] = []
    read = 0
    for row in order:
        reading = 1 if reads is None else reads[row]
        longest = lengths[current[0]] if current else lengths[row]
        too_long = (len(current) + 1) * longest > tokens
        if current and (too_long or (most_reads is not None and read + reading > most_reads)):
            batches.append(current)
            current, read = [], 0
        current.append(row)
        read += reading
    if current:
        batches.append(current)
    return batches
