"""Log-probability of each option after its prompt; what options and prompts share goes through the model once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from w2s.engine.batching import token_batches
from w2s.engine.cached import score_with_cache
from w2s.engine.encoding import Encoded, encode_pairs
from w2s.engine.logits import log_normalizer
from w2s.engine.masks import attention_mask, takes_masks
from w2s.engine.prefix import Prefix, prefix_of
from w2s.engine.rotary import stands_alone
from w2s.engine.trees import Tree, grow_tree, shared_length
from w2s.models.checks import check_length
from w2s.models.load import LanguageModel

__all__ = ["ChoiceBatch", "choose_batches", "score_choices"]

# Logits held at once, in elements: a vocabulary has up to 262,144 entries, so rows of the head are what fills memory.
_HEAD_ELEMENTS = {"cpu": 1 << 26, "cuda": 1 << 29}

# A mask has an entry for each pair of tokens: longer trees are dearer than a second pass.
_LARGEST_TREE = 4096

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
    prefix = prefix_of(lm, before, [row[0].prompt for row in pairs]) if takes_masks(lm) else None
    if prefix is not None:
        pairs = [[Encoded(pair.prompt[len(prefix) :], pair.completion) for pair in row] for row in pairs]
    alone = stands_alone(lm, longest)
    groups = _groups(pairs, tokens) if takes_masks(lm) and not alone else [[row] for row in range(len(pairs))]
    trees = [_tree([pairs[row] for row in group]) for group in groups]
    reads = [len(_read_nodes([pairs[row] for row in group], tree)) for group, tree in zip(groups, trees, strict=True)]
    vocabulary = lm.model.config.get_text_config().vocab_size
    kept = len(prefix) if prefix is not None else 0
    batches = token_batches(
        [max(len(tree.ids), (kept + len(tree.ids)) // _KEPT_PER_READ) for tree in trees],
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
    try:
        return _score(lm, batch)
    except torch.OutOfMemoryError:
        if len(batch.trees) == 1:
            raise
    half = len(batch.trees) // 2
    cut = sum(batch.trees[:half])
    first = ChoiceBatch(batch.rows[:cut], batch.pairs[:cut], batch.trees[:half], batch.prefix)
    second = ChoiceBatch(batch.rows[cut:], batch.pairs[cut:], batch.trees[half:], batch.prefix)
    return [*score_choices(lm, first), *score_choices(lm, second)]


def _score(lm: LanguageModel, batch: ChoiceBatch) -> list[list[float]]:
    groups: list[list[list[Encoded]]] = []
    start = 0
    for size in batch.trees:
        groups.append(batch.pairs[start : start + size])
        start += size
    trees = [_tree(group) for group in groups]
    if any(tree.branches for tree in trees) and not (
        takes_masks(lm) and max(len(tree.ids) for tree in trees) <= _LARGEST_TREE
    ):
        before = batch.prefix.ids if batch.prefix is not None else []
        return score_with_cache(
            lm, [[Encoded(before + pair.prompt, pair.completion) for pair in row] for row in batch.pairs]
        )
    return _score_trees(lm, groups, trees, batch.prefix)


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
            if shared >= _SHARED * length and size + added <= min(tokens, _LARGEST_TREE):
                groups[-1].append(row)
                size += added
                continue
        groups.append([row])
        size = length
    return groups


def _tree(group: Sequence[list[Encoded]]) -> Tree:
    """All that a group's options are read after: no option's last token is an input."""
    return grow_tree([option.prompt + option.completion[:-1] for options in group for option in options])


def _read_nodes(group: Sequence[list[Encoded]], tree: Tree) -> list[int]:
    """The nodes whose prediction is read, in order."""
    paths = iter(tree.paths)
    return sorted({node for row in group for option in row for node in next(paths)[len(option.prompt) - 1 :]})


def _score_trees(
    lm: LanguageModel, groups: Sequence[Sequence[list[Encoded]]], trees: Sequence[Tree], prefix: Prefix | None
) -> list[list[float]]:
    width = max(len(tree.ids) for tree in trees)
    ids = torch.zeros(len(trees), width, dtype=torch.long)
    positions = torch.zeros_like(ids)
    # Padding comes after all that is scored. A padded token must see itself: softmax over a fully masked row is NaN.
    ends = torch.arange(1, width + 1).repeat(len(trees), 1)
    read = torch.zeros_like(ids, dtype=torch.bool)
    sources: list[int] = []  # the row of the logits that each token is read from
    targets: list[int] = []
    rows_before = 0
    for index, (group, tree) in enumerate(zip(groups, trees, strict=True)):
        length = len(tree.ids)
        ids[index, :length] = torch.tensor(tree.ids)
        positions[index, :length] = torch.tensor(tree.positions)
        ends[index, :length] = torch.tensor(tree.ends)
        nodes = _read_nodes(group, tree)
        read[index, nodes] = True
        place = {node: rows_before + row for row, node in enumerate(nodes)}
        rows_before += len(nodes)
        paths = iter(tree.paths)
        for options in group:
            for option in options:
                sources += [place[node] for node in next(paths)[len(option.prompt) - 1 :]]
                targets += option.completion
    inputs: dict[str, object] = {"use_cache": False}
    before = len(prefix) if prefix is not None else 0
    if before or any(tree.branches for tree in trees):
        positions = positions.to(lm.device) + before
        inputs["position_ids"] = positions
        inputs["attention_mask"] = attention_mask(lm, ends=ends.to(lm.device), positions=positions, before=before)
    if prefix is not None:
        inputs |= {"past_key_values": prefix.cache(len(trees)), "use_cache": True}
    logits = lm.model(
        input_ids=ids.to(lm.device), logits_to_keep=read.to(lm.device), **inputs
    ).logits  # (nodes read, vocabulary)
    source = torch.tensor(sources, device=logits.device)
    chosen = logits[source, torch.tensor(targets, device=logits.device)].float()
    values = iter((chosen - log_normalizer(logits)[source]).double().tolist())
    return [[sum(next(values) for _ in option.completion) for option in row] for group in groups for row in group]
