"""Log-probability of each option after its prompt; what options and prompts share goes through the model once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import torch

from w2s.engine.batching import token_batches
from w2s.engine.encoding import Encoded, encode_pairs
from w2s.engine.masks import takes_masks
from w2s.engine.prefix import Prefix, prefix_of
from w2s.engine.rotary import stands_alone
from w2s.engine.tree_scores import LARGEST_TREE, read_nodes, score_groups, tree_of
from w2s.engine.trees import shared_length
from w2s.engine.trial import score_alone, score_padded, way_of
from w2s.errors import InputError
from w2s.models.checks import check_length
from w2s.models.load import LanguageModel

__all__ = ["ChoiceBatch", "choose_batches", "score_choices"]

logger = logging.getLogger(__name__)

# Logits held at once, in elements: a vocabulary has up to 262,144 entries, so rows of the head are what fills memory.
_HEAD_ELEMENTS = {"cpu": 1 << 26, "cuda": 1 << 29}

# Prompts go through the model as one tree where they share at least this much of it: below, what attention
# wastes on pairs of branches is worth more than the tokens saved (benchmarks/choose.py measures both ways).
_SHARED = 0.3


# So many tokens are in memory as keys and values for each that goes through the model.
_KEPT_PER_READ = 4


class ChoiceBatch(NamedTuple):
    """Rows that go through the model together.

    Attributes:
        rows: Indices of the prompts.
        pairs: (rows, options) tokens of each prompt with each of its options; without the prefix, where there is one.
        trees: How many of the rows, in their order, make a tree of tokens each.
        prefix: What stands before all prompts, where something does.
    """

    rows: list[int]
    pairs: list[list[Encoded]]
    trees: list[int]
    prefix: Prefix | None = None


def choose_batches(
    lm: LanguageModel, prompts: Sequence[str], options: Sequence[Sequence[str]], *, tokens: int, before: str = ""
) -> list[ChoiceBatch]:
    """Group prompts for `score_choices`.

    Args:
        lm: The model.
        prompts: (rows,) Those that share much of their beginning should follow each other.
        options: (rows, options) the completions to score after each prompt.
        tokens: Budget of a batch, padding included; with what stands before all, which is kept, four times as many.
        before: A text that begins every prompt, such as examples: it goes through the model once.

    Raises:
        InputError: The tokenizer makes no token of an option, or the same ones of two options of every prompt; or a
            prompt with an option is longer than the model reads.
    """
    flat = encode_pairs(
        lm,
        [prompt for prompt, row in zip(prompts, options, strict=True) for _ in row],
        [option for row in options for option in row],
    )
    longest = max((len(pair.prompt) + len(pair.completion) for pair in flat), default=0)
    check_length(lm.model, longest, "a prompt with an option")
    pairs: list[list[Encoded]] = []
    start = 0
    for row in options:
        pairs.append(flat[start : start + len(row)])
        start += len(row)
    _check_told_apart(options, pairs)
    way = way_of(lm)
    shares = takes_masks(lm) and way == "trees"
    prefix = prefix_of(lm, before, [row[0].prompt for row in pairs]) if shares else None
    if prefix is not None:
        pairs = [[Encoded(pair.prompt[len(prefix) :], pair.completion) for pair in row] for row in pairs]
    alone = way == "alone" or stands_alone(lm, longest)
    groups = _groups(pairs, tokens) if shares and not alone else [[row] for row in range(len(pairs))]
    trees = [tree_of([pairs[row] for row in group]) for group in groups]
    reads = [len(read_nodes([pairs[row] for row in group], tree)) for group, tree in zip(groups, trees, strict=True)]
    vocabulary = lm.model.config.get_text_config().vocab_size
    kept = len(prefix) if prefix is not None else 0
    lengths = [max(len(tree.ids), (kept + len(tree.ids)) // _KEPT_PER_READ) for tree in trees]
    if way == "padded":
        lengths = [len(row) * max(len(pair.prompt) + len(pair.completion) - 1 for pair in row) for row in pairs]
    batches = token_batches(
        lengths,
        tokens=0 if alone else tokens,
        reads=reads,
        most_reads=_HEAD_ELEMENTS.get(lm.device.type, 1 << 26) // vocabulary,
    )
    return [
        ChoiceBatch(
            rows := [row for group in batch for row in groups[group]],
            [pairs[row] for row in rows],
            [len(groups[group]) for group in batch],
            prefix,
        )
        for batch in batches
    ]


@torch.inference_mode()
def score_choices(lm: LanguageModel, batch: ChoiceBatch) -> list[list[float]]:
    """Log-probability of every option of every row: the sum over the option's tokens.

    One pass over trees of tokens, in which each prompt stands once, with its options as branches. A batch that
    does not fit into a GPU's memory is halved.

    Args:
        lm: The model.
        batch: Rows from `choose_batches`.

    Returns:
        (rows, options) in nats, in the order of `batch.rows`.
    """
    way = way_of(lm)
    if way == "alone":
        return score_alone(lm, batch.pairs)
    rows = iter(batch.pairs)
    try:
        if way == "padded":
            return score_padded(lm, batch.pairs)
        return score_groups(lm, [list(islice(rows, size)) for size in batch.trees], batch.prefix)
    except torch.OutOfMemoryError:
        if len(batch.trees) == 1:
            raise
    half = len(batch.trees) // 2
    cut = sum(batch.trees[:half])
    first = ChoiceBatch(batch.rows[:cut], batch.pairs[:cut], batch.trees[:half], batch.prefix)
    second = ChoiceBatch(batch.rows[cut:], batch.pairs[cut:], batch.trees[half:], batch.prefix)
    return [*score_choices(lm, first), *score_choices(lm, second)]


def _check_told_apart(options: Sequence[Sequence[str]], pairs: Sequence[Sequence[Encoded]]) -> None:
    """Make sure that options are other tokens where they are other texts."""
    alike: dict[int, str] = {}
    for row, (texts, encoded) in enumerate(zip(options, pairs, strict=True)):
        first: dict[tuple[int, ...], str] = {}
        for text, pair in zip(texts, encoded, strict=True):
            if not pair.completion:
                raise InputError(
                    f"the model's tokenizer makes no token of the option {text!r}: expected another option"
                )
            if (other := first.setdefault(tuple(pair.completion), text)) != text:
                alike[row] = f"{other!r} and {text!r}"
    if not alike:
        return
    such_as = next(iter(alike.values()))
    if len(alike) == len(pairs):
        raise InputError(f"the model's tokenizer writes {such_as} alike: expected options that it tells apart")
    logger.warning(
        "the tokenizer writes options of %d of %d prompts alike, such as %s: of these the first counts",
        len(alike),
        len(pairs),
        such_as,
    )


def _groups(pairs: Sequence[list[Encoded]], tokens: int) -> list[list[int]]:
    """Rows that follow each other and share so much that one tree of them is worth its mask."""
    groups: list[list[int]] = []
    size = 0
    for row, options in enumerate(pairs):
        prompt = options[0].prompt
        length = len(prompt) + sum(len(option.completion) - 1 for option in options)
        if groups:
            shared = shared_length(pairs[groups[-1][0]][0].prompt, prompt)
            added = length - shared
            if shared >= _SHARED * length and size + added <= min(tokens, LARGEST_TREE):
                groups[-1].append(row)
                size += added
                continue
        groups.append([row])
        size = length
    return groups
