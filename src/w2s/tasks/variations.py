"""What varies a question: a generator of its own, and the orders of its options."""

from __future__ import annotations

import hashlib
import math
import random

from w2s.errors import InputError

__all__ = ["permutations", "rng_for"]


def rng_for(seed: int, key: str) -> random.Random:
    """A generator for one question: the same on every machine, whatever was asked before."""
    return random.Random(int.from_bytes(hashlib.sha256(f"{seed}\0{key}".encode()).digest()[:8], "big"))


def permutations(size: int, count: int, seed: int, key: str) -> list[tuple[int, ...]]:
    """Distinct orders of a question's options; the first is the order in which they stand.

    Args:
        size: How many options there are.
        count: How many orders.
        seed: Of the draw.
        key: The question's id.

    Returns:
        For every order, which option is at each position.

    Raises:
        InputError: There are not that many orders.
    """
    if count > (most := math.factorial(size)):
        raise InputError(
            f"num_variations is {count}: question {key!r} has {size} options, in {most} orders at most; "
            f"expected task.num_variations {most}, or rewordings of the questions"
        )
    rng = rng_for(seed, key)
    orders = {tuple(range(size)): None}  # a dict, because a set does not keep the order of the draw
    while len(orders) < count:
        orders[tuple(rng.sample(range(size), size))] = None
    return list(orders)
