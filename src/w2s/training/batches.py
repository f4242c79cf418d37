"""Batches of a training set: rows packed behind each other, and cut again into parts that fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from w2s.training.data import IGNORED, Example

__all__ = ["Collator", "Share", "is_idle", "largest_block", "longest_of", "micro_batches_of"]

# Widths of packed rows are multiples of these, of the first up to _NARROW: for each new shape of a batch, kernels and
# memory are prepared anew.
_FINE, _COARSE, _NARROW = 4, 32, 128

# Packed rows are not made wider than this for packing's sake; and where they are so wide that a token's work doubles,
# roughly, for attention looks at the whole row.
_WIDE, _DOUBLED = 256, 800


@dataclass(frozen=True)
class Collator:
    """Examples as one batch, short rows behind each other, so that little of it is padding.

    A packed row is as wide as the longest training row, or, where several may share one, as makes the batch cheapest.
    Padding stands on the right, where causal attention never looks. Training rows of one example share a packed row,
    or have packed rows next to each other, so that a batch can be cut without cutting an example.

    Attributes:
        pad_token_id: The token of the padding.
        packs: Whether several training rows may share a row; the model must then take the mask that keeps them apart.

    Returns (training rows,) `weight`, and `example`, the example that a row is of; (rows,) `used`, how much of a row
    is no padding, and `block`, the same number where rows must stay together; (rows, tokens) `input_ids`, `labels`,
    and `row`, the training row that a token is of; and where training rows share one, (rows, tokens) `ends` and
    `positions`, as `attention_mask` takes them.
    """

    pad_token_id: int
    packs: bool = False

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        rows = [row for example in examples for row in example]
        example_of = [number for number, example in enumerate(examples) for _ in example]
        lengths = [len(row.ids) for row in rows]
        of_example: list[list[int]] = [[] for _ in examples]
        for index in sorted(range(len(rows)), key=lambda index: -lengths[index]):
            of_example[example_of[index]].append(index)
        longest_first = sorted(of_example, key=lambda indices: -lengths[indices[0]])
        if self.packs:
            width, packed = _cheapest(lengths, longest_first)
        else:
            width = max(lengths)
            packed = [_Packed([index], block) for block, indices in enumerate(longest_first) for index in indices]
        ids = torch.full((len(packed), width), self.pad_token_id, dtype=torch.long)
        labels = torch.full_like(ids, IGNORED)
        row_of = torch.zeros_like(ids)
        positions = torch.zeros_like(ids)
        ends = torch.arange(1, width + 1).repeat(len(packed), 1)  # padding sees itself
        for place, (indices, _) in enumerate(packed):
            start = 0
            for index in indices:
                row, end = rows[index], start + lengths[index]
                tokens = torch.tensor(row.ids)
                learned = max(row.start, 1)  # nothing comes before a training row's first token
                ids[place, start:end] = tokens
                labels[place, start + learned : end] = tokens[learned:]
                row_of[place, start:end] = index
                positions[place, start:end] = torch.arange(lengths[index])
                ends[place, start:end] = end
                start = end
        batch = {
            "weight": torch.tensor([row.weight for row in rows]),
            "example": torch.tensor(example_of),
            "used": torch.tensor([sum(lengths[index] for index in indices) for indices, _ in packed]),
            "block": torch.tensor([block for _, block in packed]),
            "input_ids": ids,
            "labels": labels,
            "row": row_of,
        }
        if len(packed) < len(rows):
            batch |= {"ends": ends, "positions": positions}
        return batch


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
    return int(batch["positions"].max()) + 1 if "positions" in batch else int(batch["used"].max())


def largest_block(batch: dict[str, Tensor]) -> int:
    """How many rows of a batch at most must stay together."""
    return int(batch["block"].bincount().max())


def micro_batches_of(batch: dict[str, Tensor], *, tokens: int) -> Iterator[dict[str, Tensor]]:
    """Cut a batch into parts of at most so many tokens, or one block; the last as wide as its own rows need.

    Args:
        batch: From `Collator`.
        tokens: Rows times width of a part.
    """
    rows, width = batch["input_ids"].shape
    together = max(1, tokens // width)
    blocks = batch["block"].tolist()
    start = 0
    while start < rows:
        end = min(start + together, rows)
        while end < rows and end > start and blocks[end] == blocks[end - 1]:
            end -= 1
        if end == start:  # one block alone is too large
            end = next((row for row in range(start, rows) if blocks[row] != blocks[start]), rows)
        some = slice(start, end)
        wide = min(width, _rounded(int(batch["used"][some].max())))
        yield {
            name: value[some, :wide] if value.dim() == 2 else value[some] if name in ("used", "block") else value
            for name, value in batch.items()
        }
        start = end


class _Packed(NamedTuple):
    """The training rows of a packed row, and the block of packed rows that it is of."""

    indices: list[int]
    block: int


def _rounded(length: int) -> int:
    step = _FINE if length <= _NARROW else _COARSE
    return math.ceil(length / step) * step


def _cheapest(lengths: Sequence[int], examples: Sequence[Sequence[int]]) -> tuple[int, list[_Packed]]:
    """The width of rows that costs least, and what is in each row."""
    narrowest = _rounded(max(lengths))
    widths = sorted({_rounded(width) for width in range(narrowest, max(narrowest, _WIDE) + 1)})
    ways = [(width, _pack(lengths, examples, width)) for width in widths]
    return min(ways, key=lambda way: len(way[1]) * way[0] * (1 + way[0] / _DOUBLED))


def _pack(lengths: Sequence[int], examples: Sequence[Sequence[int]], width: int) -> list[_Packed]:
    """Put each example, in that order, into the first row that has room, or into new rows of its own."""
    packed: list[_Packed] = []
    room: list[int] = []
    for block, indices in enumerate(examples):
        total = sum(lengths[index] for index in indices)
        place = next((place for place, free in enumerate(room) if free >= total), None)
        if place is not None:
            packed[place].indices.extend(indices)
            room[place] -= total
            continue
        first = len(packed)
        for index in indices:
            length = lengths[index]
            place = next((place for place in range(first, len(room)) if room[place] >= length), None)
            if place is None:
                packed.append(_Packed([index], block))
                room.append(width - length)
            else:
                packed[place].indices.append(index)
                room[place] -= length
    return packed
