"""Which examples go into which split: once for all seeds, or for each seed anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.tasks.questions import SPLITS, Example, Pool

__all__ = ["DEFAULT_SIZES", "DRAWING_ORDER", "Draw", "Drawn", "draw", "draw_for_seed", "draws_of", "with_sizes"]

DEFAULT_SIZES: Mapping[str, int] = {"weak_train": 100, "transfer": 300, "test": 400}
"""How many questions a split has where neither the settings nor the data say."""

Drawn = Mapping[str, Sequence[Example]]
"""The examples of each split, in the order in which they were drawn."""

# The test split draws first: the size of the others then does not change who is in it.
DRAWING_ORDER = ("test", "weak_train", "transfer")
# What a split draws from, in this order: the pools that fewer others want come first.
_POOLS_OF: Mapping[str, tuple[Pool, ...]] = {
    "test": ("test", "any"),
    "weak_train": ("weak_train", "train", "any"),
    "transfer": ("transfer", "train", "any"),
}


class Draw(NamedTuple):
    """A draw of the splits for one of several seeds.

    Attributes:
        seed: Whose it is; draws `weak_train` and `transfer`.
        block: Which block of the questions that may be tested on is its test split; None where there is none left,
            and the seed draws from all of them.
    """

    seed: int
    block: int | None


def with_sizes(examples: Sequence[Example], spec: TaskSpec, *, own_splits: bool) -> TaskSpec:
    """The settings with a size for every split.

    Args:
        examples: The questions.
        spec: The settings; a size that is None is found.
        own_splits: Whether the data may say who is in which split: if it says so of every question, a split has all
            that may be in it. Otherwise it has the default.
    """
    told = own_splits and bool(examples) and all(example.pool != "any" for example in examples)
    pools = {example.pool for example in examples}
    sizes: dict[str, int | str] = {
        name: ("all" if pools & set(_POOLS_OF[name]) else 0) if told else DEFAULT_SIZES[name]
        for name in SPLITS
        if getattr(spec, name) is None
    }
    return replace(spec, **sizes)  # type: ignore[arg-type]


def draw(examples: Sequence[Example], spec: TaskSpec) -> Drawn:
    """Draw the splits once; depends on the examples and on `spec.split_seed`, not on the order of the examples.

    Raises:
        InputError: There are fewer examples than the spec asks for.
    """
    return _draw(_in_drawing_order(examples, f"{spec.split_seed}"), _sizes(spec), len(examples))


def draws_of(examples: Sequence[Example], spec: TaskSpec, seeds: Sequence[int]) -> list[Draw]:
    """A draw for each seed; their test splits share no question while there are enough.

    A seed has the block of its number where that is free, so that seeds in a row have the same splits in one run and
    apart, and a seed that is added at the end changes those of no other.

    Raises:
        InputError: There are fewer examples than the spec asks for.
    """
    once = draw(examples, spec)
    count = len(_testable(examples, spec, once)) // max(1, len(once["test"]))
    free, found = list(range(count)), []
    for seed in seeds:
        block = min(free, key=lambda number: (number - seed) % count) if free else None
        if block is not None:
            free.remove(block)
        found.append(Draw(seed, block))
    return found


def draw_for_seed(examples: Sequence[Example], spec: TaskSpec, one: Draw) -> Drawn:
    """Draw the splits of a seed, of the sizes that they have where they are drawn once.

    Raises:
        InputError: There are fewer examples than the spec asks for.
    """
    once = draw(examples, spec)
    testable, size = _testable(examples, spec, once), len(once["test"])
    own = f"{spec.split_seed}\0{one.seed}"
    if one.block is not None:
        test = testable[one.block * size : (one.block + 1) * size]
    else:
        chosen = {example.question.id for example in sorted(testable, key=lambda example: _rank(example, own))[:size]}
        test = [example for example in testable if example.question.id in chosen]
    taken = {example.question.id for example in test}
    pools = _in_drawing_order((example for example in examples if example.question.id not in taken), own)
    sizes: dict[str, int | str] = {name: len(once[name]) for name in DRAWING_ORDER if name != "test"}
    return {**_draw(pools, {"test": 0, **sizes}, len(examples)), "test": test}


def _testable(examples: Sequence[Example], spec: TaskSpec, once: Drawn) -> Sequence[Example]:
    """The questions that may be tested on, in a fixed order, so that enough are left to learn from."""
    pools = _in_drawing_order(examples, f"{spec.split_seed}")
    wanted = {name: max(0, len(once[name]) - len(pools[name])) for name in ("weak_train", "transfer")}
    spare = len(pools["any"]) - max(0, sum(wanted.values()) - len(pools["train"]))
    return [*pools["test"], *pools["any"][: None if len(once["test"]) <= spare else spare]]


def _sizes(spec: TaskSpec) -> dict[str, int | str]:
    sizes: dict[str, int | str] = {name: getattr(spec, name) for name in SPLITS}
    for name, size in sizes.items():
        if size != "all" and (not isinstance(size, int) or size < 0):
            raise InputError(f"{name} is {size!r}: expected a number of questions, or 'all'")
    return sizes


def _rank(example: Example, seed: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{example.question.id}".encode()).digest()


def _in_drawing_order(examples: Iterable[Example], seed: str) -> dict[str, list[Example]]:
    pools: dict[str, list[Example]] = {pool: [] for pool in ("test", "weak_train", "transfer", "any", "train")}
    for example in sorted(examples, key=lambda example: _rank(example, seed)):
        pools[example.pool].append(example)
    return pools


def _draw(pools: dict[str, list[Example]], sizes: Mapping[str, int | str], total: int) -> dict[str, list[Example]]:
    drawn: dict[str, list[Example]] = {}
    for name in DRAWING_ORDER:
        if isinstance(size := sizes[name], int):
            left = sum(len(pools[pool]) for pool in _POOLS_OF[name])
            if size > left:
                raise InputError(f"{name} asks for {size} questions: there are {left} left for it, of {total} in all")
            drawn[name] = []
            for pool in _POOLS_OF[name]:
                missing = size - len(drawn[name])
                drawn[name] += pools[pool][:missing]
                pools[pool] = pools[pool][missing:]
    rest = [name for name in DRAWING_ORDER if sizes[name] == "all"]
    for name in rest:
        drawn[name] = []
        for pool in _POOLS_OF[name]:
            sharers = [other for other in rest if pool in _POOLS_OF[other]]
            drawn[name] += _share(pools[pool], sharers.index(name), len(sharers))
        if not drawn[name]:
            raise InputError(f"{name} asks for all that is left: there is nothing left for it, of {total} in all")
    return drawn


def _share(examples: Sequence[Example], index: int, count: int) -> Sequence[Example]:
    return examples[index::count]
