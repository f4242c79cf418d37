"""Log-probability of options where prompts and options stand in trees of tokens: what they share is read once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from w2s.engine.cached import score_with_cache
from w2s.engine.encoding import Encoded
from w2s.engine.logits import log_normalizer
from w2s.engine.masks import attention_mask, takes_masks
from w2s.engine.prefix import Prefix
from w2s.engine.trees import Tree, grow_tree
from w2s.models.load import LanguageModel

__all__ = ["LARGEST_TREE", "read_nodes", "score_groups", "tree_of"]

# A mask has an entry for each pair of tokens: longer trees are dearer than a second pass.
LARGEST_TREE = 4096


def tree_of(group: Sequence[list[Encoded]]) -> Tree:
    """All that a group's options are read after: no option's last token is an input."""
    return grow_tree([option.prompt + option.completion[:-1] for options in group for option in options])


def read_nodes(group: Sequence[list[Encoded]], tree: Tree) -> list[int]:
    """The nodes whose prediction is read, in order."""
    paths = iter(tree.paths)
    return sorted({node for row in group for option in row for node in next(paths)[len(option.prompt) - 1 :]})


def score_groups(
    lm: LanguageModel, groups: Sequence[Sequence[list[Encoded]]], prefix: Prefix | None = None
) -> list[list[float]]:
    """Log-probability of every option of every row.

    Args:
        lm: The model.
        groups: (groups, rows, options) Rows that make one tree of tokens each.
        prefix: What stands before all of them, where something does.

    Returns:
        (rows of all groups, options) in nats.
    """
    trees = [tree_of(group) for group in groups]
    if any(tree.branches for tree in trees) and not (
        takes_masks(lm) and max(len(tree.ids) for tree in trees) <= LARGEST_TREE
    ):
        before = prefix.ids if prefix is not None else []
        rows = [row for group in groups for row in group]
        return score_with_cache(lm, [[Encoded(before + pair.prompt, pair.completion) for pair in row] for row in rows])
    return _score_trees(lm, groups, trees, prefix)


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
        nodes = read_nodes(group, tree)
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
