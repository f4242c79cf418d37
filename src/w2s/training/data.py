"""A training set as token ids, cut to length, and batches of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import torch
from torch import Tensor

from w2s.engine.encoding import encode_pairs
from w2s.errors import InputError
from w2s.models.load import LanguageModel

__all__ = ["IGNORED", "Collator", "Tokens", "TrainingRow", "encode_training_set", "longest_of", "micro_batches_of"]

IGNORED = -100  # a label that is not learned from

# Widths of packed rows are multiples of these, of the first up to _NARROW: for each new shape of a batch, kernels and
# memory are prepared anew.
_FINE, _COARSE, _NARROW = 4, 32, 128

# Packed rows are not made wider than this for packing's sake; and where they are so wide that a token's work doubles,
# roughly, for attention looks at the whole row.
_WIDE, _DOUBLED = 256, 800


class TrainingRow(NamedTuple):
    """One example: (tokens,) of prompt and completion, where the completion starts, and its weight."""

    ids: list[int]
    start: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A training set in tokens.

    Attributes:
        rows: The examples, in the table's order; rows of no weight are left out.
        question_ids: (rows,)
        truncated: How many prompts lost their beginning to fit.
        zero_weight: How many rows were left out because their weight is zero.
    """

    rows: list[TrainingRow]
    question_ids: list[str]
    truncated: int
    zero_weight: int


def encode_training_set(lm: LanguageModel, table: pa.Table, *, max_length: int, end_of_text: bool) -> Tokens:
    """Tokenize a training set.

    A row that is too long loses the beginning of its prompt, after the beginning-of-text token if there is one;
    the completion is what is learned, so it is never cut.

    Args:
        lm: The model to be trained.
        table: With the columns of `tables.TRAINING_SET`.
        max_length: Of prompt and completion, in tokens.
        end_of_text: End each completion with the end-of-text token.

    Raises:
        InputError: A completion alone is longer than max_length, or empty; a weight is below 0 or no number; or
            no row is left.
    """
    weights = table["weight"].to_pylist()
    for row, weight in enumerate(weights):
        if not 0 <= weight < math.inf:
            raise InputError(f"training set, row {row + 1}: weight is {weight}, expected a number of 0 or more")
    used = [row for row, weight in enumerate(weights) if weight > 0]
    table = table.take(pa.array(used, pa.int64()))
    if not used:
        raise InputError(f"the training set has no row with a weight above 0 (of {len(weights)} rows)")
    pairs = encode_pairs(lm, table["prompt"].to_pylist(), table["completion"].to_pylist())
    ending = [lm.tokenizer.eos_token_id] if end_of_text and lm.tokenizer.eos_token_id is not None else []
    beginning = lm.tokenizer.bos_token_id
    rows, truncated = [], 0
    question_ids = table["question_id"].to_pylist()
    for pair, row, question_id in zip(pairs, used, question_ids, strict=True):
        prompt, completion = pair.prompt, pair.completion + ending
        if not pair.completion:
            raise InputError(f"question {question_id!r}: its completion has no token")
        kept = [token for token in prompt[:1] if token == beginning]
        room = max_length - len(completion) - len(kept)
        if room < 0:
            raise InputError(
                f"question {question_id!r}: its completion has {len(completion)} tokens, max_length is {max_length}"
            )
        body = prompt[len(kept) :]
        if len(body) > room:
            truncated += 1
            body = body[len(body) - room :]
        prompt = kept + body
        rows.append(TrainingRow(prompt + completion, len(prompt), float(weights[row])))
    return Tokens(rows=rows, question_ids=question_ids, truncated=truncated, zero_weight=len(weights) - len(used))


@dataclass(frozen=True)
class Collator:
    """Rows as one batch, short ones behind each other, so that little of it is padding.

    A row of the batch is as wide as the longest example, or, where examples may share rows, as makes the batch
    cheapest. Padding stands on the right, where causal attention never looks.

    Attributes:
        pad_token_id: The token of the padding.
        packs: Whether several examples may share a row; the model must then take the mask that keeps them apart.

    Returns (examples,) `weight`; (rows,) `used`, how much of a row is no padding; (rows, tokens) `input_ids`, `labels`,
    and `example`, the example that a token is of; and where examples share a row, (rows, tokens) `ends` and
    `positions`, as `attention_mask` takes them.
    """

    pad_token_id: int
    packs: bool = False

    def __call__(self, rows: Sequence[TrainingRow]) -> dict[str, Tensor]:
        lengths = [len(row.ids) for row in rows]
        longest_first = sorted(range(len(rows)), key=lambda index: -lengths[index])
        width, packed = max(lengths), [[index] for index in longest_first]
        if self.packs:
            width, packed = _cheapest(lengths, longest_first)
        ids = torch.full((len(packed), width), self.pad_token_id, dtype=torch.long)
        labels = torch.full_like(ids, IGNORED)
        example = torch.zeros_like(ids)
        positions = torch.zeros_like(ids)
        ends = torch.arange(1, width + 1).repeat(len(packed), 1)  # padding sees itself
        for place, indices in enumerate(packed):
            start = 0
            for index in indices:
                row, end = rows[index], start + lengths[index]
                tokens = torch.tensor(row.ids)
                learned = max(row.start, 1)  # nothing comes before an example's first token
                ids[place, start:end] = tokens
                labels[place, start + learned : end] = tokens[learned:]
                example[place, start:end] = index
                positions[place, start:end] = torch.arange(lengths[index])
                ends[place, start:end] = end
                start = end
        batch = {
            "weight": torch.tensor([row.weight for row in rows]),
            "used": torch.tensor([sum(lengths[index] for index in indices) for indices in packed]),
            "input_ids": ids,
            "labels": labels,
            "example": example,
        }
        if len(packed) < len(rows):
            batch |= {"ends": ends, "positions": positions}
        return batch


def longest_of(batch: dict[str, Tensor]) -> int:
    """Tokens of the longest example in a batch from `Collator`."""
    return int(batch["positions"].max()) + 1 if "positions" in batch else int(batch["used"].max())


def micro_batches_of(batch: dict[str, Tensor], *, tokens: int) -> Iterator[dict[str, Tensor]]:
    """Cut a batch into parts of at most so many tokens, or one row; the last as wide as its own rows need.

    Args:
        batch: From `Collator`.
        tokens: Rows times width of a part.
    """
    rows, width = batch["input_ids"].shape
    together = max(1, tokens // width)
    for start in range(0, rows, together):
        some = slice(start, start + together)
        wide = min(width, _rounded(int(batch["used"][some].max())))
        yield {
            name: value[some, :wide] if value.dim() == 2 else value[some] if name == "used" else value
            for name, value in batch.items()
        }


def _rounded(length: int) -> int:
    step = _FINE if length <= _NARROW else _COARSE
    return math.ceil(length / step) * step


def _cheapest(lengths: Sequence[int], order: Sequence[int]) -> tuple[int, list[list[int]]]:
    """The width of rows that costs least, and the examples of each row."""
    narrowest = _rounded(max(lengths))
    widths = sorted({_rounded(width) for width in range(narrowest, max(narrowest, _WIDE) + 1)})
    ways = [(width, _pack(lengths, order, width)) for width in widths]
    return min(ways, key=lambda way: len(way[1]) * way[0] * (1 + way[0] / _DOUBLED))


def _pack(lengths: Sequence[int], order: Sequence[int], width: int) -> list[list[int]]:
    """Put each example, in that order, into the first row that has room."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in order:
        length = lengths[index]
        place = next((place for place, free in enumerate(room) if free >= length), None)
        if place is None:
            rows.append([index])
            room.append(width - length)
        else:
            rows[place].append(index)
            room[place] -= length
    return rows
