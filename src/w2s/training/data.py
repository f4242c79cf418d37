"""A training set as token ids, cut to length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from w2s.engine.encoding import encode_pairs
from w2s.errors import InputError
from w2s.models.load import LanguageModel

__all__ = ["Example", "Tokens", "TrainingRow", "encode_training_set"]


class TrainingRow(NamedTuple):
    """(tokens,) of prompt and completion, where the completion starts, and the row's weight."""

    ids: list[int]
    start: int
    weight: float


Example = tuple[TrainingRow, ...]
"""What a batch counts as one: a row that stands alone, or all rows of a group."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A training set in tokens.

    Attributes:
        examples: In the table's order, a group where its first row stands; what has no weight is left out.
        question_ids: (examples,)
        truncated: How many prompts lost their beginning to fit.
        zero_weight: How many rows were left out because their weight is zero.
    """

    examples: list[Example]
    question_ids: list[str]
    truncated: int
    zero_weight: int

    @property
    def rows(self) -> list[TrainingRow]:
        """The rows of all examples."""
        return [row for example in self.examples for row in example]


def encode_training_set(
    lm: LanguageModel, table: pa.Table, *, max_length: int, end_of_text: bool, whole_groups: bool = False
) -> Tokens:
    """Tokenize a training set.

    A row that is too long loses the beginning of its prompt, after the beginning-of-text token if there is one;
    the completion is what is learned, so it is never cut.

    Rows with the same number in the column `group`, if there is one, are the options of one prompt, and their
    weights its soft label; they make one example. A row whose group is null stands alone.

    Args:
        lm: The model to be trained.
        table: With the columns of `tables.TRAINING_SET`.
        max_length: Of prompt and completion, in tokens.
        end_of_text: End each completion with the end-of-text token.
        whole_groups: The options are to be compared: each row is in a group, options of weight 0 stay in theirs,
            and all options of a group see the same prompt.

    Raises:
        InputError: A completion alone is longer than max_length, or empty; a weight is below 0 or no number; a group
            is none; or no row is left.
    """
    weights = table["weight"].to_pylist()
    for row, weight in enumerate(weights):
        if weight is None or not 0 <= weight < math.inf:
            raise InputError(f"training set, row {row + 1}: weight is {weight}, expected a number of 0 or more")
    groups = _groups_of(table, whole=whole_groups)
    if whole_groups:
        groups = [group for group in groups if any(weights[row] > 0 for row in group)]
    else:
        groups = [kept for group in groups if (kept := [row for row in group if weights[row] > 0])]
    if not groups:
        raise InputError(f"the training set has no row with a weight above 0 (of {len(weights)} rows)")
    used = sorted(row for group in groups for row in group)
    table = table.take(pa.array(used, pa.int64()))
    pairs = encode_pairs(lm, table["prompt"].to_pylist(), table["completion"].to_pylist())
    encoded = dict(zip(used, pairs, strict=True))
    question_of = dict(zip(used, table["question_id"].to_pylist(), strict=True))
    ending = [lm.tokenizer.eos_token_id] if end_of_text and lm.tokenizer.eos_token_id is not None else []
    beginning = lm.tokenizer.bos_token_id
    examples, truncated = [], 0
    for group in groups:
        longest = max(len(encoded[row].completion) for row in group) + len(ending)
        rows = []
        for row in group:
            prompt, completion = encoded[row].prompt, encoded[row].completion + ending
            if not encoded[row].completion:
                raise InputError(f"question {question_of[row]!r}: its completion has no token")
            kept = [token for token in prompt[:1] if token == beginning]
            length = longest if whole_groups else len(completion)
            room = max_length - length - len(kept)
            if room < 0:
                raise InputError(
                    f"question {question_of[row]!r}: its completion has {length} tokens, max_length is {max_length}"
                )
            body = prompt[len(kept) :]
            if len(body) > room:
                truncated += 1
                body = body[len(body) - room :]
            prompt = kept + body
            rows.append(TrainingRow(prompt + completion, len(prompt), float(weights[row])))
        examples.append(tuple(rows))
    return Tokens(
        examples=examples,
        question_ids=[question_of[group[0]] for group in groups],
        truncated=truncated,
        zero_weight=len(weights) - len(used),
    )


def _groups_of(table: pa.Table, *, whole: bool) -> list[list[int]]:
    """The rows of each example, by their numbers in the table; an example stands where its first row does.

    Raises:
        InputError: The rows of a group have different prompts or questions; or, of whole groups, a row is in none,
            or a group has no second option.
    """
    column = table["group"] if "group" in table.column_names else pa.nulls(table.num_rows)
    try:
        numbers = column.cast(pa.int64()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"training set, column 'group': expected whole numbers, {error}") from None
    groups: dict[tuple[str, int], list[int]] = {}
    for row, number in enumerate(numbers):
        if whole and number is None:
            raise InputError(
                f"training set, row {row + 1}: group is null, expected a number: the loss compares the "
                "options of a group"
            )
        groups.setdefault(("alone", row) if number is None else ("group", number), []).append(row)
    for name in ("prompt", "question_id"):
        values = table[name].to_pylist()
        for (_, number), rows in groups.items():
            for row in rows:
                if values[row] != values[rows[0]]:
                    raise InputError(
                        f"training set, row {row + 1}, column {name!r}: {_short(values[row])}, expected "
                        f"{_short(values[rows[0]])} as in row {rows[0] + 1}, which is of the same group {number}"
                    )
    for (_, number), rows in groups.items():
        if whole and len(rows) < 2:
            raise InputError(
                f"training set, row {rows[0] + 1}: group {number} has no other row, expected two options or more"
            )
    return list(groups.values())


def _short(text: str | None) -> str:
    """A text as a message shows it."""
    return repr(text if text is None or len(text) <= 60 else text[:57] + "...")
