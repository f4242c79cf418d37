"""Batches of a training set: rows packed into trees of tokens, and cut again into parts that fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from w2s.engine.trees import grow_tree, shared_length
from w2s.training.data import Example

__all__ = ["Collator", "QuestionSampler", "Share", "is_idle", "largest_block", "longest_of", "micro_batches_of"]

# Widths of packed rows are multiples of these, of the first up to _NARROW: for each new shape of a batch, kernels and
# memory are prepared anew.
_FINE, _COARSE, _NARROW = 4, 32, 128

# Packed rows are not made wider than this for packing's sake, nor than twice this or their longest training row for
# what they share; and where they are so wide that a token's work doubles, roughly, as attention sees the whole row.
_WIDE, _DOUBLED = 256, 800


@dataclass(frozen=True)
class Collator:
    """Examples as one batch, in which what training rows begin with in common stands once.

    A packed row is a tree of tokens: several training rows, which see only their own tokens. It is as wide as the
    longest training row, or, where several may share one, as makes the batch cheapest. Padding stands on the right,
    where causal attention never looks. Training rows of one example share a packed row, or have packed rows next to
    each other, so that a batch can be cut without cutting an example.

    Attributes:
        pad_token_id: The token of the padding.
        packs: Whether several training rows may share a row; the model must then take the mask that keeps them apart.

    Returns, for each training row, its `weight`, `example`, `length` in tokens and `place`, the packed row that it is
    in; for each token that is learned, its training `row`, the `slot` of the packed row in which it is predicted, and
    the token itself, `target`; for each packed row, `used`, how much of it is no padding, and `block`, the same
    number where rows must stay together; (packed rows, tokens) `input_ids`; and where training rows share one,
    `ends` and `positions` alike, as `attention_mask` takes them.
    """

    pad_token_id: int
    packs: bool = False

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        rows = [row for example in examples for row in example]
        example_of = [number for number, example in enumerate(examples) for _ in example]
        # A last token is predicted, and nothing after it.
        read = [row.ids[: max(1, len(row.ids) - 1)] for row in rows]
        of_example: list[list[int]] = [[] for _ in examples]
        for index in sorted(range(len(rows)), key=lambda index: read[index] if self.packs else -len(read[index])):
            of_example[example_of[index]].append(index)
        if self.packs:
            width, packed = _cheapest(read, of_example)
        else:
            longest_first = sorted(of_example, key=lambda indices: -len(read[indices[0]]))
            width = max(map(len, read))
            packed = [_Packed([index], block) for block, indices in enumerate(longest_first) for index in indices]
        ids = torch.full((len(packed), width), self.pad_token_id, dtype=torch.long)
        positions = torch.zeros_like(ids)
        ends = torch.arange(1, width + 1).repeat(len(packed), 1)  # padding sees itself
        place_of, used = [0] * len(rows), []
        learned: list[tuple[int, int, int]] = []
        for place, (indices, _) in enumerate(packed):
            tree = grow_tree([read[index] for index in indices])
            used.append(len(tree.ids))
            ids[place, : used[-1]] = torch.tensor(tree.ids)
            positions[place, : used[-1]] = torch.tensor(tree.positions)
            ends[place, : used[-1]] = torch.tensor(tree.ends)
            for index, path in zip(indices, tree.paths, strict=True):
                place_of[index] = place
                first = max(rows[index].start, 1)  # nothing comes before a training row's first token
                learned += [(index, path[first - 1 + n], token) for n, token in enumerate(rows[index].ids[first:])]
        learned.sort(key=lambda token: (place_of[token[0]], token[1]))  # as the logits come
        row, slot, target = torch.tensor(learned, dtype=torch.long).view(-1, 3).unbind(-1)
        batch = {
            "weight": torch.tensor([row.weight for row in rows]),
            "example": torch.tensor(example_of),
            "length": torch.tensor([len(row.ids) for row in rows]),
            "place": torch.tensor(place_of),
            "row": row,
            "slot": slot,
            "target": target,
            "used": torch.tensor(used),
            "block": torch.tensor([block for _, block in packed]),
            "input_ids": ids,
        }
        if len(packed) < len(rows):
            batch |= {"ends": ends, "positions": positions}
        return batch


class QuestionSampler(Sampler[int]):
    """Examples in the order in which their questions are shuffled, those of one question after each other.

    Args:
        question_ids: (examples,)
        seed: Of the order; each epoch has its own.
    """

    def __init__(self, question_ids: Sequence[str], seed: int) -> None:
        self._question_ids = question_ids
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._question_ids)

    def __iter__(self) -> Iterator[int]:
        of_question: dict[str, list[int]] = {}
        for index, question_id in enumerate(self._question_ids):
            of_question.setdefault(question_id, []).append(index)
        questions = list(of_question.values())
        for number in np.random.default_rng([self._seed, self._epoch]).permutation(len(questions)):
            yield from questions[number]

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of that epoch."""
        self._epoch = epoch


@dataclass(frozen=True)
class Share:
    """One process's share of a batch that all processes draw alike.

    Where a batch has fewer examples than there are processes, some have none. Their gradients are awaited all the same,
    so they compute on an example that is not theirs, and count it for nothing: see `is_idle`.

    Attributes:
        collator: Makes a batch of the share.
        process: The number of this process, from 0.
        processes: How many there are.
    """

    collator: Collator
    process: int
    processes: int

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        own = examples[self.process :: self.processes]
        return self.collator(own) if own else {**self.collator(examples[:1]), "idle": torch.tensor(True)}


def is_idle(batch: dict[str, Tensor]) -> bool:
    """Whether a batch is no share of anything, and counts for nothing."""
    return "idle" in batch


def longest_of(batch: dict[str, Tensor]) -> int:
    """Tokens of the longest training row in a batch from `Collator`."""
    return int(batch["length"].max())


def largest_block(batch: dict[str, Tensor]) -> int:
    """How many rows of a batch at most must stay together."""
    return int(batch["block"].bincount().max())


def micro_batches_of(batch: dict[str, Tensor], *, tokens: int) -> Iterator[dict[str, Tensor]]:
    """Cut a batch into parts of at most so many tokens, or one block; the last as wide as its own rows need.

    A part knows all training rows of the batch; `place` is below 0 or too large for those that it does not have.

    Args:
        batch: From `Collator`.
        tokens: Rows times width of a part.
    """
    rows, width = batch["input_ids"].shape
    together = max(1, tokens // width)
    blocks = batch["block"].tolist()
    place_of_token = batch["place"][batch["row"]]
    start = 0
    while start < rows:
        end = min(start + together, rows)
        while end < rows and end > start and blocks[end] == blocks[end - 1]:
            end -= 1
        if end == start:  # one block alone is too large
            end = next((row for row in range(start, rows) if blocks[row] != blocks[start]), rows)
        some = slice(start, end)
        wide = min(width, _rounded(int(batch["used"][some].max())))
        here = (place_of_token >= start) & (place_of_token < end)
        part = {name: value[some, :wide] if value.dim() == 2 else value for name, value in batch.items()}
        part |= {name: batch[name][here] for name in ("row", "slot", "target")}
        part |= {name: batch[name][some] for name in ("used", "block")}
        yield part | {"place": batch["place"] - start}
        start = end


class _Packed(NamedTuple):
    """The training rows of a packed row, and the block of packed rows that it is of."""

    indices: list[int]
    block: int


def _rounded(length: int) -> int:
    step = _FINE if length <= _NARROW else _COARSE
    return math.ceil(length / step) * step


def _cheapest(read: Sequence[list[int]], examples: Sequence[Sequence[int]]) -> tuple[int, list[_Packed]]:
    """The width of rows that costs least, and what is in each row.

    Args:
        read: The tokens of each training row that go through the model.
        examples: The training rows of each, in lexicographic order.
    """
    sizes = [len(grow_tree([read[index] for index in indices]).ids) for indices in examples]
    common = reduce(lambda length, pair: min(length, shared_length(*pair)), pairwise(read), max(map(len, read)))
    narrowest = _rounded(max(map(len, read)))
    widths = {_rounded(width) for width in range(narrowest, max(narrowest, _WIDE) + 1)}
    wider = list(sizes)
    if 2 * common > narrowest:
        apart = sum(sizes) - common * len(sizes)
        wider += [common + math.ceil(apart / count) for count in range(1, len(sizes) + 1)]
    widths |= {_rounded(width) for width in wider if narrowest < width <= 2 * max(narrowest, _WIDE)}
    largest_first = sorted(range(len(examples)), key=lambda number: -sizes[number])
    ordered = [(examples[number], sizes[number] - common) for number in largest_first]
    ways = [(width, _pack(read, ordered, width, common)) for width in sorted(widths)]
    return min(ways, key=lambda way: len(way[1]) * way[0] * (1 + way[0] / _DOUBLED))


def _pack(
    read: Sequence[list[int]], examples: Sequence[tuple[Sequence[int], int]], width: int, common: int
) -> list[_Packed]:
    """Put each example, in that order, into the first row that has room, or into new rows of its own.

    Args:
        read: The tokens of each training row that go through the model.
        examples: The training rows of each, and how many tokens they are beyond those that all share.
        width: Of a packed row.
        common: Tokens that all training rows begin with.
    """
    packed: list[_Packed] = []
    room: list[int] = []
    for block, (indices, size) in enumerate(examples):
        place = next((place for place, free in enumerate(room) if free >= size), None)
        if place is not None:
            packed[place].indices.extend(indices)
            room[place] -= size
            continue
        before: list[int] = []
        for index in indices:
            added = len(read[index]) - shared_length(before, read[index])
            if not before or room[-1] < added:
                packed.append(_Packed([], block))
                room.append(width - common)
                added = len(read[index]) - common
            packed[-1].indices.append(index)
            room[-1] -= added
            before = read[index]
    return packed
