"""A training set as token ids, cut to length, and batches of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import torch
from torch import Tensor

from w2s.engine.encoding import encode_pairs
from w2s.errors import InputError
from w2s.models.load import LanguageModel

__all__ = ["IGNORED", "Collator", "Tokens", "TrainingRow", "encode_training_set"]

IGNORED = -100  # a label that is not learned from


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
        shortened: How many prompts lost their beginning to fit.
        weightless: How many rows were left out because their weight is zero.
    """

    rows: list[TrainingRow]
    question_ids: list[str]
    shortened: int
    weightless: int


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
    rows, shortened = [], 0
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
            shortened += 1
            body = body[len(body) - room :]
        prompt = kept + body
        rows.append(TrainingRow(prompt + completion, len(prompt), float(weights[row])))
    return Tokens(rows=rows, question_ids=question_ids, shortened=shortened, weightless=len(weights) - len(used))


@dataclass(frozen=True)
class Collator:
    """Rows as one batch, padded on the right, where causal attention never looks.

    Returns (rows, tokens) `input_ids` and `labels`, and (rows,) `weight`.
    """

    filler: int

    def __call__(self, rows: Sequence[TrainingRow]) -> dict[str, Tensor]:
        width = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), width), self.filler, dtype=torch.long)
        labels = torch.full((len(rows), width), IGNORED, dtype=torch.long)
        for index, row in enumerate(rows):
            tokens = torch.tensor(row.ids)
            ids[index, : len(row.ids)] = tokens
            labels[index, row.start : len(row.ids)] = tokens[row.start :]
        return {"input_ids": ids, "labels": labels, "weight": torch.tensor([row.weight for row in rows])}
